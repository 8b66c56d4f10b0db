/** Proofs that were asked for, one after the other and in slices, so that the thread's mailbox is looked into between them. */
import { LogDamage } from "../../events/store/damage.ts";
import { Fault } from "../../base/errors.ts";
import { type No, type Result, ok, refuse } from "../../base/result.ts";
import type { NotaryProgress } from "./notary.ts";
import type { ToNotary } from "./worker-protocol.ts";

export type Proving = Extract<ToNotary, { readonly kind: "prove" }>;
export type ProofWork = Generator<NotaryProgress, Result<Uint8Array>>;

export interface ProofQueueOptions {
  readonly begin: (ask: Proving["ask"]) => ProofWork;
  readonly answer: (id: number, answer: Result<Uint8Array>) => void;
  /** Units: ms since 1970. */
  readonly now: () => number;
}

/** Between two looks at the mailbox. Units: ms. */
const SLICE_MS = 20;
const NOT_BEGUN = refuse(
  "PROOF_PENDING",
  "Other proofs took all the time that was given; ask again in a moment, or another node.",
  "none",
);

export class ProofQueue {
  readonly #options: ProofQueueOptions;
  #waiting: Proving[] = [];
  #current: { readonly asked: Proving; readonly work: ProofWork; isAnswered: boolean } | undefined;

  constructor(options: ProofQueueOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#current === undefined && this.#waiting.length === 0;
  }

  add(asked: Proving): void {
    this.#waiting.push(asked);
  }

  /** One slice of the proof in work. Whose time is over before its turn came is told so, and nothing is begun for it. */
  turn(): void {
    this.#dropExpired();
    const next = this.#current === undefined ? this.#waiting.shift() : undefined;
    if (next !== undefined) this.#current = { asked: next, work: this.#options.begin(next.ask), isAnswered: false };
    const current = this.#current;
    if (current === undefined) return;
    const { id, untilMs } = current.asked;
    const step = told(() => ok(this.#slice(current.work)));
    if (!step.ok || step.value.done === true) {
      if (!current.isAnswered) this.#options.answer(id, step.ok ? doneOf(step.value) : step);
      this.#current = undefined;
      return;
    }
    if (current.isAnswered || this.#options.now() <= untilMs) return;
    current.isAnswered = true;
    this.#options.answer(id, pending(step.value.value));
    // What is executed stays: whoever asks again waits less. What was looked through is of use to nobody.
    if (!step.value.value.stays) this.#current = undefined;
  }

  #dropExpired(): void {
    const now = this.#options.now();
    const isExpired = ({ untilMs }: Proving): boolean => now > untilMs;
    for (const { id } of this.#waiting.filter(isExpired)) this.#options.answer(id, NOT_BEGUN);
    this.#waiting = this.#waiting.filter((asked) => !isExpired(asked));
  }

  #slice(work: ProofWork): IteratorResult<NotaryProgress, Result<Uint8Array>> {
    const until = this.#options.now() + SLICE_MS;
    let step = work.next();
    while (step.done !== true && this.#options.now() < until) step = work.next();
    return step;
  }
}

/** What reading a damaged or failing disk means to whoever asks: that another node may know. Throws: what is no fault of the disk. */
export function told<T>(work: () => Result<T>): Result<T> {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof LogDamage) && !(error instanceof Fault)) throw error;
    return refuse("UNAVAILABLE", `This node cannot read its log (${error.message}); ask another one.`, "none");
  }
}

const doneOf = (step: IteratorResult<NotaryProgress, Result<Uint8Array>>): Result<Uint8Array> =>
  step.done === true ? step.value : pending(step.value);

function pending({ height, to, stays }: NotaryProgress): No {
  const so = `${Math.max(0, height)} of ${to} blocks so far`;
  return stays
    ? refuse("PROOF_PENDING", `The log is being read for it: ${so}. Ask again in a moment.`, "none")
    : refuse(
        "PROOF_PENDING",
        `The command was looked for in ${so}. Ask with its height, or give it more time.`,
        "none",
      );
}
