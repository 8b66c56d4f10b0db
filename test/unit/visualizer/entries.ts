/** Entries as a source sends them, made by hand. */
import type { BlockRow, Entry, SourceDescription, Summary } from "../../../src/host/inspector/contract.ts";

const MEMBERS = ["n1", "n2", "n3", "n4"];

export const source = (roles: Readonly<Record<string, string>> = {}): SourceDescription => ({
  kind: "simulation",
  title: "seed 7",
  dev: true,
  live: false,
  cluster: "00",
  nodes: MEMBERS.map((name, index) => ({ name, aid: `aid-${name}`, index, role: roles[name] ?? "honest" })),
  absent: {},
});

/** The entries of one node's life, numbered and timed from 0 in steps of 1 ms unless told. */
export class Life {
  readonly entries: Entry[] = [];
  readonly #node: string;
  readonly #life: number;
  #at: number;

  constructor(node: string, life = 0, from = 0) {
    this.#node = node;
    this.#life = life;
    this.#at = from;
  }

  at(at: number): this {
    this.#at = at;
    return this;
  }

  #push(make: (key: { node: string; life: number; n: number; at: number }) => Entry): this {
    this.entries.push(make({ node: this.#node, life: this.#life, n: this.entries.length, at: this.#at++ }));
    return this;
  }

  booted(state = "consensus.quiet"): this {
    return this.#push((key) => ({ ...key, kind: "booted", states: { consensus: [state] } }));
  }

  step(event: Summary, effects: readonly Summary[] = [], where: { view?: number; finalHeight?: number } = {}): this {
    return this.#push((key) => ({
      ...key,
      kind: "stepped",
      machine: "consensus",
      event,
      transitions: [],
      effects,
      states: ["consensus.quiet"],
      epoch: 0,
      ...where,
    }));
  }

  sent(peer: string, message: Summary): this {
    return this.#push((key) => ({ ...key, kind: "sent", peer, message }));
  }

  dropped(peer: string, message: Summary): this {
    return this.#push((key) => ({ ...key, kind: "dropped", peer, message, reason: "lost" }));
  }

  finalised(height: number, view = height): this {
    return this.#push((key) => ({ ...key, kind: "finalised", block: blockAt(height, view) }));
  }

  evidence(member: string, view: number): this {
    return this.#push((key) => ({ ...key, kind: "evidence", evidence: "twoProposals", member, view }));
  }

  ended(reason = "killed"): this {
    return this.#push((key) => ({ ...key, kind: "ended", reason }));
  }
}

export const blockAt = (height: number, view: number): BlockRow => ({
  height,
  epoch: 0,
  view,
  parentView: view - 1,
  hash: `hash-${height}`,
  parent: `hash-${height - 1}`,
  time: height,
  leader: MEMBERS[view % MEMBERS.length] ?? null,
  body: "executions",
  commands: 1,
  refused: 0,
  root: null,
  signers: [],
});
