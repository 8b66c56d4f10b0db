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

export class DuplicateWindow {
  readonly #settled = new Map<string, SettledCommand>();
  readonly #buckets = new Map<number, string[]>();
  #oldest = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.#settled.size;
  }

  find(author: Aid, id: CommandId): SettledCommand | undefined {
    return this.#settled.get(author + id);
  }

  add(command: SettledCommand): void {
    const key = command.author + command.id;
    if (this.#settled.has(key)) return;
    this.#settled.set(key, command);
    const bucket = Math.floor(command.outcome.notAfter / BUCKET_MS);
    const keys = this.#buckets.get(bucket);
    if (keys === undefined) this.#buckets.set(bucket, [key]);
    else keys.push(key);
    if (bucket < this.#oldest) this.#oldest = bucket;
  }

  /** Forgets what expired before this log time; an expired command is refused whatever is remembered. */
  forgetBefore(time: LogTime): void {
    const now = Math.floor(time / BUCKET_MS);
    if (this.#oldest >= now) return;
    let oldest = Number.POSITIVE_INFINITY;
    for (const [bucket, keys] of this.#buckets) {
      if (bucket < now) {
        for (const key of keys) this.#settled.delete(key);
        this.#buckets.delete(bucket);
      } else if (bucket < oldest) oldest = bucket;
    }
    this.#oldest = oldest;
  }
}
