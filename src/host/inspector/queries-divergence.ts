/** Where two chains part. Block hashes and roots are chained, so once two nodes differ they differ for good: bisection finds the first. */
import type { DivergencePage } from "./contract.ts";

/** What a node has at a height. */
export interface ChainLink {
  readonly hash: string;
  /** Null until it is executed there, or where it is not known any more. */
  readonly root: string | null;
}

/** A node's chain, asked height by height. */
export interface Chain {
  /** Lowest and highest height that can be asked for; highest −1: none. */
  readonly lowest: number;
  readonly highest: number;
  /** Highest height that is executed; −1: none. */
  readonly executed: number;
  readonly at: (height: number) => Promise<ChainLink | undefined>;
}

/** Lowest height at which two chains part, by about 2·log₂ of their length questions to each. */
export async function firstDivergence(left: Chain, right: Chain): Promise<DivergencePage> {
  const lowest = Math.max(left.lowest, right.lowest);
  const blocks = Math.min(left.highest, right.highest);
  const byBlock = await firstWhere(lowest, blocks, async (height) => {
    const [a, b] = await Promise.all([left.at(height), right.at(height)]);
    return a !== undefined && b !== undefined && a.hash !== b.hash;
  });
  const executed = Math.min(left.executed, right.executed, byBlock === undefined ? blocks : byBlock - 1);
  const byRoot = await firstWhere(lowest, executed, async (height) => {
    const [a, b] = await Promise.all([left.at(height), right.at(height)]);
    return a !== undefined && b !== undefined && a.root !== null && b.root !== null && a.root !== b.root;
  });
  const parted = byRoot ?? byBlock;
  if (parted === undefined) return { agreedTo: Math.max(blocks, -1), first: null };
  const what = byRoot === undefined ? "block" : "root";
  const [a, b] = await Promise.all([left.at(parted), right.at(parted)]);
  const shown = (link: ChainLink | undefined): string => (what === "block" ? link?.hash : link?.root) ?? "unknown";
  return { agreedTo: parted - 1, first: { height: parted, what, left: shown(a), right: shown(b) } };
}

/** Lowest of low..high for which it holds, if it holds for every one after the first for which it does. */
async function firstWhere(
  low: number,
  high: number,
  holds: (height: number) => Promise<boolean>,
): Promise<number | undefined> {
  if (high < low || !(await holds(high))) return undefined;
  let [from, to] = [low, high];
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    if (await holds(middle)) to = middle;
    else from = middle + 1;
  }
  return from;
}
