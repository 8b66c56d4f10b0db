/** Draws again when the store changes, at most once a frame. */
import { useEffect, useState } from "preact/hooks";
import type { Store } from "../model/store.ts";

const SECOND_MS = 1_000;
/** Less than a version of the store: a drawing for the sake of time alone. */
const TICK = 1e-6;

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
    // While nothing happens, time passes all the same.
    const ticking = setInterval(() => {
      if (store.source?.live === true && store.isFollowing) setVersion((version) => version + TICK);
    }, SECOND_MS);
    return () => {
      clearInterval(ticking);
      cancelAnimationFrame(frame);
      stop();
    };
  }, [store]);
}
