/** What several views need of the browser: an answer of the server, the size of a box. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Answer, Parameters } from "../model/api.ts";
import type { Store } from "../model/store.ts";

export interface Asked<T> {
  /** The newest answer; it stays while the next one is awaited. */
  readonly answer: Answer<T> | null;
  readonly isWaiting: boolean;
}

/** A cursor that is dragged asks once it rests. Units: ms. */
const REST_MS = 120;

/** Asks the server whenever the question changes and has rested; answers that were overtaken are dropped. `question` null: nothing to ask. */
export function useAnswer<T>(store: Store, question: string | null, parameters: Parameters = {}): Asked<T> {
  const [asked, setAsked] = useState<Asked<T>>({ answer: null, isWaiting: false });
  const key = question === null ? null : JSON.stringify([question, parameters]);
  useEffect(() => {
    if (key === null || question === null) {
      setAsked({ answer: null, isWaiting: false });
      return undefined;
    }
    let overtaken = false;
    setAsked(({ answer }) => ({ answer, isWaiting: true }));
    const timer = setTimeout(() => {
      void store.api.get<T>(question, parameters).then((answer) => {
        if (!overtaken) setAsked({ answer, isWaiting: false });
      });
    }, REST_MS);
    return () => {
      overtaken = true;
      clearTimeout(timer);
    };
    // The key says all of the question.
  }, [store, key]);
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
