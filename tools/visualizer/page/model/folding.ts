/**
 * The fold of a growing history, with a snapshot every so many entries, so that any moment costs at most that many steps. Entries
 * that arrive late undo only the snapshots after them.
 */
import type { SourceDescription } from "../../../../src/host/inspector/contract.ts";
import type { History } from "./history.ts";
import { type Moment, type Nodes, momentOf, nodesAfter, nothingYet } from "./moment.ts";

/** 128 entries fold in well below a millisecond; 200,000 entries make 1,600 snapshots that share most of their nodes. */
export const SNAPSHOT_EVERY = 128;

interface Snapshot {
  readonly position: number;
  readonly nodes: Nodes;
}

export class Folding {
  readonly #history: History;
  readonly #source: SourceDescription | null;
  /** Snapshot i is the fold up to and including position i × SNAPSHOT_EVERY − 1; the first is the origin. */
  #snapshots: Nodes[];
  #last: Snapshot;
  #folded = 0;

  constructor(history: History, source: SourceDescription | null) {
    this.#history = history;
    this.#source = source;
    this.#snapshots = [nothingYet(source)];
    this.#last = { position: -1, nodes: nothingYet(source) };
  }

  /** Entries folded so far, over all questions: what a test of the cost counts. */
  get folded(): number {
    return this.#folded;
  }

  /** Entries from this position on are others now. */
  changedFrom(position: number): void {
    this.#snapshots.length = Math.min(this.#snapshots.length, Math.floor(position / SNAPSHOT_EVERY) + 1);
    if (this.#last.position >= position) this.#last = this.#nearest(position - 1);
  }

  /**
   * The oldest entries are dropped: what they came to becomes the origin. Call it before the history forgets them.
   * Bounds: `count` is a multiple of SNAPSHOT_EVERY, so that the snapshots of the others stay what they are.
   */
  forget(count: number): void {
    this.#fold(count - 1);
    this.#snapshots = this.#snapshots.slice(count / SNAPSHOT_EVERY);
    const [origin = nothingYet(this.#source)] = this.#snapshots;
    this.#last = { position: -1, nodes: origin };
  }

  /** Bounds: a position below -1 or beyond the end counts as the nearest that there is. */
  momentAt(position: number): Moment {
    const wanted = Math.max(-1, Math.min(position, this.#history.length - 1));
    const entry = this.#history.at(wanted) ?? null;
    const at = this.#history.timeAt(wanted) ?? null;
    return momentOf(wanted, entry, at, this.#fold(wanted), this.#source);
  }

  /** The last known fold not after a position. */
  #nearest(position: number): Snapshot {
    const index = Math.min(Math.floor((position + 1) / SNAPSHOT_EVERY), this.#snapshots.length - 1);
    const nodes = this.#snapshots[index] ?? nothingYet(this.#source);
    return { position: index * SNAPSHOT_EVERY - 1, nodes };
  }

  #fold(position: number): Nodes {
    let { position: reached, nodes } = this.#nearest(position);
    if (this.#last.position <= position && this.#last.position > reached) ({ position: reached, nodes } = this.#last);
    while (reached < position) {
      const entry = this.#history.at(reached + 1);
      if (entry === undefined) break;
      nodes = nodesAfter(nodes, entry);
      reached += 1;
      this.#folded += 1;
      if ((reached + 1) % SNAPSHOT_EVERY === 0) this.#snapshots[(reached + 1) / SNAPSHOT_EVERY] ??= nodes;
    }
    this.#last = { position: reached, nodes };
    return nodes;
  }
}
