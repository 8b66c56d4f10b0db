/** How fresh a client's reads must be, and which receipt is its newest: by what each node named (ADR 19). */
import { type Height, height as heightOf } from "../base/brands.ts";
import type { Receipt } from "../wire/outcome.ts";

/**
 * 2,000 ms: within it honest nodes reach a height that one of them named (8 Δ). Who is still behind it after that time, says that
 * it was no height, or that this node is cut off.
 */
const SPREAD_MS = 2_000;

/**
 * The height that reads carry to whatever node is asked: the highest that a node in good faith named. A node is out of it once more
 * others than may lie were behind its height though they had the time, and back in it when as many as that have named its height, too.
 */
export class Session {
  readonly #now: () => number;
  /** How many nodes may lie: what clusters of this size tolerate, and one at least, since no cluster has fewer than four nodes. */
  readonly #faults: number;
  /** The highest height that each node named. */
  readonly #named: Height[];
  readonly #receipts = new Map<number, Receipt>();
  readonly #doubted = new Set<number>();
  #carried: { readonly height: Height; readonly sinceMs: number };
  /** Who said to be behind what is carried, after the time to reach it. */
  readonly #behind = new Set<number>();

  /** `now`: Units: ms. */
  constructor(nodes: number, now: () => number) {
    this.#now = now;
    this.#faults = Math.max(1, Math.floor((nodes - 1) / 3));
    this.#named = Array.from({ length: nodes }, () => heightOf(0));
    this.#carried = { height: heightOf(0), sinceMs: now() };
  }

  /** What a read carries to any node. */
  get newest(): Height {
    return this.#carried.height;
  }

  /** The newest receipt at or below that. */
  get receipt(): Receipt | undefined {
    let newest: Receipt | undefined;
    for (const receipt of this.#receipts.values())
      if (receipt.height <= this.newest && (newest === undefined || isNewer(receipt, newest))) newest = receipt;
    return newest;
  }

  /** What a node itself named: it never falls behind its own word. */
  namedBy(node: number): Height {
    return this.#named[node] ?? heightOf(0);
  }

  /** An answer of this node named a height. */
  named(node: number, height: Height): void {
    if (height <= this.namedBy(node)) return;
    this.#named[node] = height;
    this.#settle();
  }

  /** This node acknowledged a write. */
  acknowledged(node: number, receipt: Receipt): void {
    const before = this.#receipts.get(node);
    if (before === undefined || isNewer(receipt, before)) this.#receipts.set(node, receipt);
    this.named(node, receipt.height);
  }

  /** This node refused a read as BEHIND that carried this height. */
  behind(node: number, carried: Height): void {
    const { height, sinceMs } = this.#carried;
    if (carried !== height || this.namedBy(node) >= height || this.#now() - sinceMs < SPREAD_MS) return;
    this.#behind.add(node);
  }

  /** A read that carried this height failed on all nodes, and its caller is told: only then may reads go back in time. */
  failed(carried: Height): void {
    const { height } = this.#carried;
    if (carried !== height || this.#vouched() >= height || this.#behind.size <= this.#faults) return;
    for (const [node, named] of this.#named.entries()) if (named >= height) this.#doubted.add(node);
    this.#settle();
  }

  /** The highest height that more nodes named than may lie: one of them is honest. */
  #vouched(): Height {
    return this.#named.toSorted((a, b) => b - a)[this.#faults] ?? heightOf(0);
  }

  #settle(): void {
    let height = this.#vouched();
    for (const node of this.#doubted) if (this.namedBy(node) <= height) this.#doubted.delete(node);
    for (const [node, named] of this.#named.entries()) if (named > height && !this.#doubted.has(node)) height = named;
    if (height === this.#carried.height) return;
    this.#carried = { height, sinceMs: this.#now() };
    this.#behind.clear();
  }
}

const isNewer = (one: Receipt, other: Receipt): boolean =>
  one.height > other.height || (one.height === other.height && one.index > other.index);
