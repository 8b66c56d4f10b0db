/** Commands that were settled, remembered until their `notAfter`: the same bytes get the first result (DESIGN §4). */
import type { Aid, CommandId, Digest, Height, LogTime } from "../../base/brands.ts";
import type { OutcomeFact } from "../../events/facts/fact.ts";

/** Where and how a command was settled. */
export interface SettledCommand {
  readonly author: Aid;
  readonly id: CommandId;
  readonly height: Height;
  readonly index: number;
  readonly blockHash: Digest;
  readonly outcome: OutcomeFact;
}

/** Entries are dropped by the second of their `notAfter`, so that forgetting costs nothing per command. Units: ms. */
const BUCKET_MS = 1000;

/** Log time from which on `notAfter` is still remembered at this log time. Units: ms. */
export const rememberedSince = (time: number): number => Math.floor(time / BUCKET_MS) * BUCKET_MS;

/** Refusals that a command gets before it is judged: sent again it is looked at anew. `decide` gives none of these. */
const UNREMEMBERED: ReadonlySet<string> = new Set<UnrememberedCode>([
  "EXPIRED",
  "NOT_AFTER_TOO_FAR",
  "OVERLOADED",
  "DUPLICATE_ID",
  "PERMISSION_DENIED",
]);
export type UnrememberedCode = "EXPIRED" | "NOT_AFTER_TOO_FAR" | "OVERLOADED" | "DUPLICATE_ID" | "PERMISSION_DENIED";

/** Whether an outcome is what its command gets from now on. The ledger and its tables must agree: a replica may restart anywhere. */
export const isRemembered = (outcome: OutcomeFact): boolean =>
  outcome.kind === "commandExecuted" || !UNREMEMBERED.has(outcome.code);

/**
 * Commands remembered at once, on every replica alike: some hundreds of bytes each. Beyond it commands are refused until others
 * expire; at 18,000 commands a second with a minute to live there are half as many.
 */
export const REMEMBERED_MAX = 2_000_000;
/** Of one author: nobody fills the window alone, and nobody without the right to write takes any of it. */
const REMEMBERED_OF_AUTHOR_MAX = REMEMBERED_MAX / 2;

export class DuplicateWindow {
  readonly #bounds: { readonly all: number; readonly ofAuthor: number };
  readonly #settled = new Map<Aid, Map<CommandId, SettledCommand>>();
  readonly #buckets = new Map<number, SettledCommand[]>();
  #oldest = Number.POSITIVE_INFINITY;
  #size = 0;

  /** Replicas must agree on the bounds: only tests give others. */
  constructor(bounds = { all: REMEMBERED_MAX, ofAuthor: REMEMBERED_OF_AUTHOR_MAX }) {
    this.#bounds = bounds;
  }

  /** Whether no further command of this author can be remembered. */
  isFullFor(author: Aid): boolean {
    return this.#size >= this.#bounds.all || (this.#settled.get(author)?.size ?? 0) >= this.#bounds.ofAuthor;
  }

  find(author: Aid, id: CommandId): SettledCommand | undefined {
    return this.#settled.get(author)?.get(id);
  }

  /** Remembers a command if it is one to be remembered. */
  add(command: SettledCommand): void {
    if (!isRemembered(command.outcome)) return;
    let ofAuthor = this.#settled.get(command.author);
    if (ofAuthor === undefined) {
      ofAuthor = new Map();
      this.#settled.set(command.author, ofAuthor);
    }
    if (ofAuthor.has(command.id)) return;
    ofAuthor.set(command.id, command);
    this.#size += 1;
    const bucket = Math.floor(command.outcome.notAfter / BUCKET_MS);
    const commands = this.#buckets.get(bucket);
    if (commands === undefined) this.#buckets.set(bucket, [command]);
    else commands.push(command);
    if (bucket < this.#oldest) this.#oldest = bucket;
  }

  /** Forgets what expired before this log time; an expired command is refused whatever is remembered. */
  forgetBefore(time: LogTime): void {
    const now = Math.floor(time / BUCKET_MS);
    if (this.#oldest >= now) return;
    let oldest = Number.POSITIVE_INFINITY;
    for (const [bucket, commands] of this.#buckets) {
      if (bucket < now) {
        for (const command of commands) this.#forget(command);
        this.#buckets.delete(bucket);
      } else if (bucket < oldest) oldest = bucket;
    }
    this.#oldest = oldest;
  }

  #forget({ author, id }: SettledCommand): void {
    const ofAuthor = this.#settled.get(author);
    if (ofAuthor?.delete(id) === true) this.#size -= 1;
    if (ofAuthor?.size === 0) this.#settled.delete(author);
  }
}
