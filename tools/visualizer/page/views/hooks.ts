/** What several views need of the browser: an answer of the server, the size of a box. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Parameters } from "../model/api.ts";
import { type Asked, Asking } from "../model/asking.ts";
import type { Store } from "../model/store.ts";

/** The server's answer to a question that changes; `question` null: nothing to ask. */
export function useAnswer<T>(store: Store, question: string | null, parameters: Parameters = {}): Asked<T> {
  const [asked, setAsked] = useState<Asked<T>>({ answer: null, of: {}, isWaiting: question !== null });
  const asking = useMemo(
    () =>
      new Asking<T>({
        ask: (what, of) => store.api.get<T>(what, of),
        after: (ms, run) => {
          const timer = setTimeout(run, ms);
          return () => clearTimeout(timer);
        },
        now: () => performance.now(),
        show: setAsked,
      }),
    [store],
  );
  useEffect(() => asking.want(question, parameters), [asking, JSON.stringify([question, parameters])]);
  useEffect(() => () => asking.close(), [asking]);
  return asked;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The size of an element, as it changes. Units: px. */
export function useSize<T extends Element>(initial: Size) {
  const ref = useRef<T>(null);
  const [size, setSize] = useState(initial);
  useLayoutEffect(() => {
    const element = ref.current;
    if (element === null) return undefined;
    const measure = (): void => {
      const { clientWidth: width, clientHeight: height } = element;
      if (width > 0) setSize((known) => (known.width === width && known.height === height ? known : { width, height }));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return { ref, size };
}
