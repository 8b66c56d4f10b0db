/** A history written down in a few words: entries of several nodes, numbered as their sources number them. */
import type { Entry, Summary } from "../../../src/host/inspector/contract.ts";

/** `Omit` that keeps the members of a union apart. */
type Without<T, Keys extends PropertyKey> = T extends unknown ? Omit<T, Keys> : never;
type What = Without<Entry, "node" | "life" | "n" | "at">;

export class Writing {
  readonly entries: Entry[] = [];
  readonly #next = new Map<string, { life: number; n: number }>();
  #at = 1_000;

  /** Time passes before the next entry. Units: ms. */
  later(ms: number): this {
    this.#at += ms;
    return this;
  }

  add(node: string, what: What): Entry {
    const place = this.#next.get(node) ?? { life: 0, n: 0 };
    if (what.kind === "booted" && place.n > 0) Object.assign(place, { life: place.life + 1, n: 0 });
    const entry: Entry = { ...what, node, life: place.life, n: place.n, at: this.#at };
    this.#next.set(node, { life: place.life, n: place.n + 1 });
    this.entries.push(entry);
    return entry;
  }

  boot(node: string): Entry {
    return this.add(node, {
      kind: "booted",
      states: { consensus: ["consensus.voting"], ceremony: ["ceremony.sealed"] },
    });
  }

  sent(node: string, peer: string, message: Summary): Entry {
    return this.add(node, { kind: "sent", peer, message });
  }

  delivered(node: string, peer: string, message: Summary): Entry {
    return this.add(node, { kind: "delivered", peer, message });
  }
}

export const notarize = (view: number, hash = `b${view}`): Summary => ({
  type: "vote",
  vote: "notarize",
  epoch: 0,
  view,
  hash,
});
