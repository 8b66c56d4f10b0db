/**
 * Whether a map would close a cycle, and which. The walk goes up from the child in whole levels, so that its verdict, what it
 * spends and the cycle it names are the same on every replica, whatever the order of their lists.
 */
import { present } from "../../base/errors.ts";
import type { Budget } from "./budget.ts";
import { eachEdge } from "./edges-of.ts";
import { type EdgeTable, HIDDEN_FROM_WRITER } from "./edge-table.ts";
import type { Marks } from "./marks.ts";

export type CycleSearch =
  | { readonly kind: "none" }
  | { readonly kind: "limit" }
  /** Ids from the child up to the parent: a shortest such path, and of these the first by bytes, seen from the parent. */
  | { readonly kind: "cycle"; readonly path: readonly number[] };

/** Looks for a way from `child` to `parent` through maps. `compare` orders ids by the bytes of their names. */
export function findCycle(
  maps: EdgeTable,
  marks: Marks,
  edge: { readonly parent: number; readonly child: number },
  budget: Budget,
  compare: (a: number, b: number) => number,
): CycleSearch {
  const { parent, child } = edge;
  if (parent === child) return { kind: "cycle", path: [child] };
  if ((maps.inDegree[parent] ?? 0) === 0) return { kind: "none" };
  const generation = marks.begin();
  const { queue } = marks;
  const levelStarts = [0];
  queue[0] = child;
  marks.marks[child] = generation;
  let count = 1;
  for (let start = 0; start < count; start = levelStarts.at(-1) ?? count) {
    const end = count;
    levelStarts.push(end);
    let edges = 0;
    for (let at = start; at < end; at++) edges += maps.outDegree[queue[at] ?? 0] ?? 0;
    if (!budget.spend(edges)) return { kind: "limit" };
    for (let at = start; at < end; at++) {
      eachEdge(maps, "out", queue[at] ?? 0, (found) => {
        const next = maps.toOf(found);
        if (marks.marks[next] === generation) return;
        marks.marks[next] = generation;
        queue[count] = next;
        count += 1;
      });
    }
    if (marks.marks[parent] === generation)
      return { kind: "cycle", path: pathDown(maps, queue, levelStarts, parent, compare) };
  }
  return { kind: "none" };
}

/** From the parent, found in the level after the last start, back to the child: at each level the least that leads on. */
function pathDown(
  maps: EdgeTable,
  queue: Int32Array,
  levelStarts: readonly number[],
  parent: number,
  compare: (a: number, b: number) => number,
): readonly number[] {
  const path = [parent];
  let current = parent;
  for (let level = levelStarts.length - 2; level >= 0; level--) {
    let least: number | undefined;
    for (let at = levelStarts[level] ?? 0; at < (levelStarts[level + 1] ?? 0); at++) {
      const candidate = queue[at] ?? 0;
      if (!maps.has(candidate, current, HIDDEN_FROM_WRITER)) continue;
      if (least === undefined || compare(candidate, least) < 0) least = candidate;
    }
    current = present(least, "each level was reached from the one before it");
    path.push(current);
  }
  return path.reverse();
}
