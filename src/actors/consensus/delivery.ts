/** Hands final blocks to the executor in order, a bounded number at a time; whatever does not fit is read from the log again. */
import { type Height, height as heightOf } from "../../base/brands.ts";
import { LogDamage } from "../../events/store/damage.ts";
import type { Log } from "../../events/store/log.ts";
import { openBlock } from "./blocks.ts";
import type { Delivery as FinalDelivery } from "./ports.ts";
import { orderedBundle } from "./synchronisation.ts";

/** Blocks on their way to the executor at most: it lags, memory does not grow. */
const OUTSTANDING_MAX = 32;

export class Delivery {
  readonly #log: Log;
  readonly #deliver: (delivery: FinalDelivery) => void;
  /** Blocks that just became final and need not be read back. */
  readonly #fresh = new Map<Height, FinalDelivery>();
  #next: Height | undefined;
  #executed = heightOf(0);

  constructor(log: Log, deliver: (delivery: FinalDelivery) => void) {
    this.#log = log;
    this.#deliver = deliver;
  }

  /** The executor wants every block from this height on. */
  start(from: Height, head: Height): void {
    this.#next = from;
    this.#executed = heightOf(Math.max(0, from - 1));
    this.pump(head);
  }

  offer(delivery: FinalDelivery): void {
    if (this.#next !== undefined && this.#fresh.size < OUTSTANDING_MAX) this.#fresh.set(delivery.height, delivery);
  }

  executed(height: Height, head: Height): void {
    if (height > this.#executed) this.#executed = height;
    this.pump(head);
  }

  /** Delivers what may be, up to `head`: the last final block. */
  pump(head: Height): void {
    if (this.#next === undefined) return;
    while (this.#next <= head && this.#next - this.#executed <= OUTSTANDING_MAX) {
      const height: Height = this.#next;
      const delivery = this.#fresh.get(height) ?? this.#read(height);
      this.#fresh.delete(height);
      this.#next = heightOf(height + 1); // first: an executor that answers at once pumps again
      this.#deliver(delivery);
    }
  }

  #read(height: Height): FinalDelivery {
    const event = this.#log.event(height);
    if (event === undefined) throw new LogDamage(this.#log.path, height, "the event is missing");
    const opened = openBlock(event.block);
    const bundles = opened.ok ? opened.value.bundles : [];
    return {
      height,
      hash: event.hash,
      header: event.block.header,
      block: event.block,
      bundles: bundles.map((digest) => orderedBundle(this.#log, height, digest)),
    };
  }
}
