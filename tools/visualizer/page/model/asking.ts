/**
 * Asks the server what a view needs, as often as what it needs changes, and no more than the server can answer. Of questions in
 * between the last is asked; no answer takes the place of that to a later question. Time and server are ports.
 */
import type { Answer, Parameters } from "./api.ts";

export interface Asked<T> {
  /** The newest answer; it stays while the next one is awaited. */
  readonly answer: Answer<T> | null;
  /** What it answers: while it stays, that is another question than the one that is asked. */
  readonly of: Parameters;
  readonly isWaiting: boolean;
}

export interface AskingPorts<T> {
  readonly ask: (question: string, parameters: Parameters) => Promise<Answer<T>>;
  /** Returns what calls it off. */
  readonly after: (ms: number, run: () => void) => () => void;
  /** Monotonic. Units: ms. */
  readonly now: () => number;
  readonly show: (asked: Asked<T>) => void;
}

/** What changes with every entry is asked at most so often. Units: ms. */
export const PACE_MS = 120;
/** An answer is waited for so long before the next question goes out beside it. Units: ms. */
export const PATIENCE_MS = 1_500;
/** A server that could not answer (busy, starting, gone) is asked again. Units: ms. */
export const AGAIN_MS = 3_000;

const NOTHING = { answer: null, of: {}, isWaiting: false } as const;

const mayPass = (answer: Answer<unknown>): boolean => !answer.ok && (answer.status === 0 || answer.status === 503);

export class Asking<T> {
  readonly #ports: AskingPorts<T>;
  #asked: Asked<T> = NOTHING;
  #wanted: { readonly question: string; readonly parameters: Parameters; readonly key: string } | null = null;
  #callOff: (() => void) | null = null;
  /** What is due is to be asked again although nothing has changed: that does not hold up a change. */
  #isAgain = false;
  /** Turns that were asked and answered; a later turn's answer counts for those before it. */
  #turns = { asked: 0, answered: 0 };
  #begun = 0;
  #isClosed = false;

  constructor(ports: AskingPorts<T>) {
    this.#ports = ports;
  }

  /** What is to be asked from now on; null: nothing. */
  want(question: string | null, parameters: Parameters): void {
    const key = JSON.stringify([question, parameters]);
    if (this.#isClosed || this.#wanted?.key === key || (question === null && this.#wanted === null)) return;
    if (this.#isAgain || question === null) this.#stop();
    if (question === null) {
      this.#wanted = null;
      this.#turns.answered = this.#turns.asked;
      return this.#show(NOTHING);
    }
    this.#wanted = { question, parameters, key };
    this.#show({ ...this.#asked, isWaiting: true });
    if (this.#callOff === null) this.#later(PACE_MS);
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
  }

  #stop(): void {
    this.#callOff?.();
    this.#callOff = null;
    this.#isAgain = false;
  }

  #show(asked: Asked<T>): void {
    this.#asked = asked;
    this.#ports.show(asked);
  }

  #later(ms: number): void {
    this.#callOff = this.#ports.after(ms, () => {
      this.#callOff = null;
      this.#isAgain = false;
      const isAwaited = this.#turns.answered < this.#turns.asked;
      if (isAwaited && this.#ports.now() - this.#begun < PATIENCE_MS) this.#later(PACE_MS);
      else void this.#ask();
    });
  }

  async #ask(): Promise<void> {
    if (this.#wanted === null) return;
    const { question, parameters, key } = this.#wanted;
    this.#turns.asked += 1;
    const turn = this.#turns.asked;
    this.#begun = this.#ports.now();
    const answer = await this.#ports.ask(question, parameters);
    if (this.#isClosed || turn <= this.#turns.answered) return;
    this.#turns.answered = turn;
    const isWanted = this.#wanted?.key === key;
    this.#show({ answer, of: parameters, isWaiting: !isWanted });
    if (!isWanted || !mayPass(answer) || this.#callOff !== null) return;
    this.#isAgain = true;
    this.#later(AGAIN_MS);
  }
}
