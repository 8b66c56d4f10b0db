/** What several views need of the browser: an answer of the server, the size of a box. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Answer, Parameters } from "../model/api.ts";
import type { Store } from "../model/store.ts";

export interface Asked<T> {
  /** The newest answer; it stays while the next one is awaited. */
  readonly answer: Answer<T> | null;
  readonly isWaiting: boolean;
}

/** What changes with every entry is asked at most so often. Units: ms. */
const PACE_MS = 120;

/**
 * Asks the server when the question changes, at the pace; of questions in between the last is asked, and no answer takes the place of
 * that to a later question. `question` null: nothing to ask.
 */
export function useAnswer<T>(store: Store, question: string | null, parameters: Parameters = {}): Asked<T> {
  const [asked, setAsked] = useState<Asked<T>>({ answer: null, isWaiting: false });
  const key = question === null ? null : JSON.stringify([question, parameters]);
  const ask = useRef<(() => Promise<Answer<T>>) | null>(null);
  ask.current = question === null ? null : () => store.api.get<T>(question, parameters);
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  const turns = useRef({ asked: 0, answered: 0 });
  useEffect(() => {
    if (key === null) {
      turns.current.answered = turns.current.asked;
      setAsked({ answer: null, isWaiting: false });
      return;
    }
    setAsked(({ answer }) => ({ answer, isWaiting: true }));
    timer.current ??= setTimeout(() => {
      timer.current = null;
      const turn = ++turns.current.asked;
      void ask.current?.().then((answer) => {
        if (turn <= turns.current.answered) return;
        turns.current.answered = turn;
        setAsked({ answer, isWaiting: turn < turns.current.asked || timer.current !== null });
      });
    }, PACE_MS);
    // The key says all of the question.
  }, [store, key]);
  useEffect(
    () => () => {
      turns.current.answered = Infinity;
      if (timer.current !== null) clearTimeout(timer.current);
    },
    [],
  );
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
