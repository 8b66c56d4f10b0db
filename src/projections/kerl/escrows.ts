/** Escrows by name, by whom they are kept under, and by whom they wait for: few enough (ESCROWS_MAX) to be held whole. */
import type { Aid } from "../../base/brands.ts";
import { type KerlEscrow, escrowName, escrowSize } from "../../keri/kerl.ts";

type Named = Map<string, KerlEscrow>;

export class EscrowIndex {
  readonly #byName: Named = new Map();
  readonly #byAid = new Map<Aid, Named>();
  readonly #byWaits = new Map<Aid, Named>();
  #bytes = 0;
  #newest = 0;

  get size(): number {
    return this.#byName.size;
  }

  /** Bodies and attachments. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The last of the orders that were ever put here. */
  get newestOrder(): number {
    return this.#newest;
  }

  get(name: string): KerlEscrow | undefined {
    return this.#byName.get(name);
  }

  of(aid: Aid): readonly KerlEscrow[] {
    return inOrder(this.#byAid.get(aid));
  }

  waitingFor(aid: Aid): readonly KerlEscrow[] {
    return inOrder(this.#byWaits.get(aid));
  }

  /** In no order. */
  all(): Iterable<KerlEscrow> {
    return this.#byName.values();
  }

  put(escrow: KerlEscrow): void {
    const name = escrowName(escrow);
    this.delete(name);
    this.#byName.set(name, escrow);
    this.#bytes += escrowSize(escrow);
    this.#newest = Math.max(this.#newest, escrow.order);
    add(this.#byAid, escrow.aid, name, escrow);
    add(this.#byWaits, escrow.waitsFor, name, escrow);
  }

  delete(name: string): void {
    const escrow = this.#byName.get(name);
    if (escrow === undefined) return;
    this.#byName.delete(name);
    this.#bytes -= escrowSize(escrow);
    remove(this.#byAid, escrow.aid, name);
    remove(this.#byWaits, escrow.waitsFor, name);
  }
}

const NONE: readonly KerlEscrow[] = [];
const inOrder = (named: Named | undefined): readonly KerlEscrow[] =>
  named === undefined ? NONE : [...named.values()].sort((a, b) => a.order - b.order);

function add(index: Map<Aid, Named>, aid: Aid, name: string, escrow: KerlEscrow): void {
  const named = index.get(aid);
  if (named === undefined) index.set(aid, new Map([[name, escrow]]));
  else named.set(name, escrow);
}

function remove(index: Map<Aid, Named>, aid: Aid, name: string): void {
  const named = index.get(aid);
  named?.delete(name);
  if (named?.size === 0) index.delete(aid);
}
