/** One long answer at a time, worked out in slices between which its thread does what others wait for. */
import { no } from "./refusals.ts";
import type { Answer } from "./source.ts";

/** Units: ms. */
const SLICE_MS = 5;
const BUSY = no("TOO_MANY", "Another difference is being worked out here, one at a time; ask again in a moment.");
const CLOSED = no("NOT_READY", "The node's tables were closed meanwhile; ask again in a moment.");

type Work = Generator<undefined, Answer<unknown>>;
type Reply = (answer: Answer<unknown>) => void;

export class Slices {
  #current: { readonly work: Work; readonly reply: Reply } | undefined;

  /** Refuses: TOO_MANY while another is in work. */
  begin(work: Work, reply: Reply): void {
    if (this.#current !== undefined) return reply(BUSY);
    this.#current = { work, reply };
    setImmediate(this.#turn);
  }

  /** What it reads is about to be closed. */
  end(): void {
    const current = this.#current;
    this.#current = undefined;
    current?.reply(CLOSED);
  }

  readonly #turn = (): void => {
    const current = this.#current;
    if (current === undefined) return;
    const until = performance.now() + SLICE_MS;
    let step = current.work.next();
    while (step.done !== true && performance.now() < until) step = current.work.next();
    if (step.done !== true) return void setImmediate(this.#turn);
    this.#current = undefined;
    current.reply(step.value);
  };
}
