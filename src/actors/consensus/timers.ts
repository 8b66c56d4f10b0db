/** The machine's timers on the node's clock: one of each id, and only its newest setting may fire. */
import type { TimerId } from "../../machines/consensus/types.ts";
import type { ConsensusPorts } from "./ports.ts";

export class Timers {
  readonly #clock: ConsensusPorts["clock"];
  readonly #fires: (timer: TimerId, token: number) => void;
  readonly #set = new Map<TimerId, { readonly token: number; readonly handle: unknown }>();
  #tokens = 0;

  constructor(clock: ConsensusPorts["clock"], fires: (timer: TimerId, token: number) => void) {
    this.#clock = clock;
    this.#fires = fires;
  }

  set(timer: TimerId, ms: number): void {
    this.clear(timer);
    const token = ++this.#tokens;
    this.#set.set(timer, { token, handle: this.#clock.set(ms, () => this.#fires(timer, token)) });
  }

  clear(timer: TimerId): void {
    const set = this.#set.get(timer);
    if (set === undefined) return;
    this.#clock.clear(set.handle);
    this.#set.delete(timer);
  }

  /** Whether this setting still stands: it may have been cleared while its firing waited in the mailbox. */
  stands(timer: TimerId, token: number): boolean {
    return this.#set.get(timer)?.token === token;
  }

  stop(): void {
    for (const timer of [...this.#set.keys()]) this.clear(timer);
  }
}
