/** Draws again when the store changes, at most once a frame. */
import { useEffect, useState } from "preact/hooks";
import type { Store } from "../model/store.ts";

export function useStore(store: Store): void {
  const [, setVersion] = useState(store.version);
  useEffect(() => {
    let frame = 0;
    const draw = (): void => {
      frame = 0;
      setVersion(store.version);
    };
    const stop = store.subscribe(() => {
      if (frame === 0) frame = requestAnimationFrame(draw);
    });
    draw();
    return () => {
      cancelAnimationFrame(frame);
      stop();
    };
  }, [store]);
}
