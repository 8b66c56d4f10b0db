/** Asks for what is missing: at once from whoever should have it, then from random peers (rule 10: 100 ms, ×1.5, cap 5 s). */
import type { MemberIndex } from "../../base/brands.ts";
import type { ConsensusPorts } from "./ports.ts";

const FIRST_WAIT_MS = 100;
const GROWTH = 1.5;
const WAIT_CAP_MS = 5000;
/** Some 11 s. Ranks count no more then: two members that are behind and distrust the others would ask each other for ever. */
const IN_VAIN_MAX = 10;

interface Wanted {
  readonly ask: (peer: MemberIndex) => void;
  readonly rank: (peer: MemberIndex) => number;
  /** Who was asked and has not answered. */
  readonly asked: Set<MemberIndex>;
  /** Questions since somebody answered. */
  inVain: number;
  wait: number;
  handle: unknown;
}

export class Fetching {
  readonly #ports: Pick<ConsensusPorts, "clock" | "random" | "peers">;
  readonly #wanted = new Map<string, Wanted>();
  /** How many questions were answered by whom they were asked. */
  answers = 0;

  constructor(ports: Pick<ConsensusPorts, "clock" | "random" | "peers">) {
    this.#ports = ports;
  }

  /** Starts asking under a name, those of lowest rank first; asking twice for the same is once. */
  want(name: string, first: MemberIndex | null, ask: Wanted["ask"], rank: Wanted["rank"] = () => 0): void {
    if (this.#wanted.has(name)) return;
    const wanted: Wanted = { ask, rank, asked: new Set(), inVain: 0, wait: FIRST_WAIT_MS, handle: undefined };
    this.#wanted.set(name, wanted);
    this.#ask(name, wanted, first);
  }

  has(name: string): boolean {
    return this.#wanted.has(name);
  }

  /** Whether this peer was asked and answers now: one answer for one question, or a liar would answer for everybody. */
  isAnswered(name: string, from: MemberIndex): boolean {
    const wanted = this.#wanted.get(name);
    if (wanted?.asked.delete(from) !== true) return false;
    wanted.inVain = 0;
    this.answers += 1;
    return true;
  }

  /** Asks everybody at once who has not been asked or has answered. */
  askOthers(name: string): void {
    const wanted = this.#wanted.get(name);
    if (wanted === undefined) return;
    for (const peer of this.#ports.peers.connected()) {
      if (wanted.asked.has(peer)) continue;
      wanted.asked.add(peer);
      wanted.ask(peer);
    }
  }

  /** Progress: the next attempt comes soon again. */
  again(name: string, peer: MemberIndex): void {
    const wanted = this.#wanted.get(name);
    if (wanted === undefined) return;
    this.#ports.clock.clear(wanted.handle);
    wanted.wait = FIRST_WAIT_MS;
    wanted.inVain = 0;
    this.#ask(name, wanted, peer);
  }

  /** It came, or nobody needs it any more. */
  done(name: string): void {
    const wanted = this.#wanted.get(name);
    if (wanted === undefined) return;
    this.#ports.clock.clear(wanted.handle);
    this.#wanted.delete(name);
  }

  stop(): void {
    for (const name of [...this.#wanted.keys()]) this.done(name);
  }

  #ask(name: string, wanted: Wanted, preferred: MemberIndex | null): void {
    const connected = this.#ports.peers.connected();
    const open = openOf(wanted, connected);
    const peer =
      preferred !== null && connected.includes(preferred)
        ? preferred
        : open[Math.floor(this.#ports.random() * open.length)];
    if (peer !== undefined) {
      wanted.inVain += 1;
      wanted.asked.add(peer);
      wanted.ask(peer);
    }
    if (this.#wanted.get(name) !== wanted) return; // over, as it saw when it was about to ask
    wanted.handle = this.#ports.clock.set(wanted.wait, () => this.#ask(name, wanted, null));
    wanted.wait = Math.min(WAIT_CAP_MS, wanted.wait * GROWTH);
  }
}

/** Those of lowest rank; everybody, once nobody has answered for long. */
function openOf({ rank, inVain }: Wanted, connected: readonly MemberIndex[]): readonly MemberIndex[] {
  if (inVain > IN_VAIN_MAX) return connected;
  const lowest = Math.min(...connected.map(rank));
  return connected.filter((one) => rank(one) === lowest);
}
