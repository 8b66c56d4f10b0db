/** States of a recording's nodes at any height: facts folded when they are first asked for, once for all nodes that agree. */
import { type Height, height as heightOf } from "../../base/brands.ts";
import type { Digest } from "../../base/brands.ts";
import { FoldedState } from "./folded-state.ts";
import type { Chain } from "./queries-divergence.ts";
import { recordedBytes } from "./recorded-entries.ts";
import { type RecordedChain, type RecordingIndex, factsKey } from "./recording-index.ts";

interface Folded {
  readonly state: FoldedState;
  /** Root of each height that is folded. */
  readonly roots: readonly string[];
}

export class RecordedChains {
  readonly #index: RecordingIndex;
  readonly #folded: Folded[] = [];
  /** By height: every root that any node came to. */
  #rootsAt: Map<number, Set<string>> | undefined;

  constructor(index: RecordingIndex) {
    this.#index = index;
  }

  chainOf(node: string): RecordedChain | undefined {
    return this.#index.chains.get(node);
  }

  /** As divergences are looked for in it. */
  asked(chain: RecordedChain): Chain {
    const lowest = Math.min(...chain.hashes.keys(), Number.MAX_SAFE_INTEGER);
    const at = async (height: number) => {
      const hash = chain.hashes.get(height);
      return hash === undefined ? undefined : { hash, root: chain.roots.get(height) ?? null };
    };
    return { lowest, highest: chain.highest, executed: chain.executed, at };
  }

  /** Tables that hold this node's state at the height; undefined when the recording has not all that it executed up to there. */
  stateOf(chain: RecordedChain, height: number): FoldedState | undefined {
    const roots = this.#rootsUpTo(chain, height);
    if (roots === undefined) return undefined;
    const isPrefix = ({ roots: folded }: Folded): boolean => folded[height] === roots[height];
    const known = this.#folded.find(isPrefix);
    if (known !== undefined) return known.state;
    // All that this node executed, so that later heights need no second set of tables.
    const all = this.#rootsUpTo(chain, chain.executed) ?? roots;
    const state = new FoldedState();
    this.#folded.push({ state, roots: all });
    all.forEach((root, at) => this.#add(state, at, root));
    state.flush();
    return state;
  }

  #add(state: FoldedState, at: number, root: string): void {
    const place = this.#index.facts.get(factsKey(at, root));
    if (place === undefined) throw this.#index.file.damaged(1, `the facts of block ${at} are missing`);
    const line = this.#index.lineAt(place);
    state.add({
      height: heightOf(at) satisfies Height,
      hash: String(line["hash"]) as Digest,
      root: root as Digest,
      time: Number(line["time"]),
      facts: recordedBytes(line["facts"]),
    });
  }

  /** Roots from genesis on. Of a height that the node jumped over (it took a checkpoint), the only one there is: roots are chained. */
  #rootsUpTo(chain: RecordedChain, height: number): readonly string[] | undefined {
    const roots: string[] = [];
    for (let at = 0; at <= height; at++) {
      const others = this.#allRoots().get(at);
      const root = chain.roots.get(at) ?? (others?.size === 1 ? [...others][0] : undefined);
      if (root === undefined || !this.#index.facts.has(factsKey(at, root))) return undefined;
      roots.push(root);
    }
    return roots;
  }

  #allRoots(): Map<number, Set<string>> {
    if (this.#rootsAt !== undefined) return this.#rootsAt;
    const all = new Map<number, Set<string>>();
    for (const { roots } of this.#index.chains.values())
      for (const [height, root] of roots) all.set(height, (all.get(height) ?? new Set()).add(root));
    this.#rootsAt = all;
    return all;
  }

  close(): void {
    for (const { state } of this.#folded) state.close();
  }
}
