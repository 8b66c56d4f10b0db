/**
 * Why a check is true, or what was tried when it is false.
 *
 * True: a shortest chain that makes it so. check(s, o) holds when some assertion (s′, o′) has s′ ∈ up(s) and o′ ∈ up(o): the chain is the maps
 * from s to s′, that assertion, and the maps from o to o′. Of several shortest ones it is that with the nearest s′, then the first by bytes, so
 * every replica gives the same. Relation maps change no check, so none is in a chain.
 *
 * False: what s and o reach, nearest first, and the assertions that nearly fit: those on something o reaches, by others, and those of
 * something s reaches, on other things. Whoever should pass lacks a map from the one list to the other, or an assertion.
 *
 * Nothing is read in the order in which a replica happens to keep it, and a list that is too long to be read whole is left out and counts as
 * truncated: equal graphs give equal explanations, byte for byte. Source: oracle.md, "What it means".
 */
import { assert, present } from "../../base/errors.ts";
import type { Assertion, GraphNode, NodeEdge } from "../../events/facts/graph.ts";
import type { Explanation, ExplainedPath, Known, Reached, Tried } from "../../events/facts/explanation.ts";
import type { GraphSteps } from "./graph-steps.ts";
import { compareNodes } from "./names.ts";
import type { Side } from "./vocabulary.ts";

export type { Explanation };

/** What an explanation may cost and show. Beyond, it is cut and says so; its result never is. */
export interface ExplainBounds {
  /** Edges each of its walks may look at. */
  readonly visits: number;
  /** Entries in each of its lists. */
  readonly listed: number;
}

/** 1,000 edges: at worst 2.5 ms of the thread that answers checks, as much as a batch of checks may take. */
export const EXPLAIN_BOUNDS: ExplainBounds = { visits: 1000, listed: 100 };

/** Explains one check. Bounds: `bounds.visits` edges for each of five walks; the check itself costs what it costs. */
export function explain(steps: GraphSteps, check: Assertion, bounds: ExplainBounds): Explanation {
  const { subject, object } = check;
  const result = steps.check(check);
  const subjects = climb(steps, "subject", subject, bounds);
  const objects = climb(steps, "object", object, bounds);
  const known = { subject: knownOf(steps, subject, subjects), object: knownOf(steps, object, objects) };
  const explained = { subject, object, result, known };
  if (!result) return { ...explained, path: null, ...triedOf(steps, subjects, objects, bounds) };
  const { found, whole } = meet(steps, subjects, objects, bounds);
  const truncated = !whole || found === undefined || !isKnownTo(found.length, subjects, objects);
  assert(truncated || found !== undefined, "a check that is true has a chain");
  return { ...explained, path: found === undefined ? null : pathOf(found, subjects, objects), tried: null, truncated };
}

/** What a node reaches: ids nearest first, then by bytes. */
interface Closure {
  readonly order: readonly number[];
  readonly entries: ReadonlyMap<number, Entry>;
  /** Everything up to this distance is in it; Infinity when it is whole. */
  readonly knownTo: number;
}

interface Entry {
  readonly node: GraphNode;
  readonly distance: number;
  /** Id of the node before it on the way; 0 for the first. */
  readonly via: number;
}

const entryOf = (closure: Pick<Closure, "entries">, id: number): Entry =>
  present(closure.entries.get(id), "a closure holds what it orders");

const knownOf = (steps: GraphSteps, node: GraphNode, closure: Closure): Known => ({
  node: closure.order.length > 0,
  namespace: steps.hasNamespace(node.namespace),
  relation: steps.hasRelation(node.relation),
});

/** up(start), level by level; of several shortest ways to a node, the one whose last step comes first by bytes. */
function climb(steps: GraphSteps, side: Side, start: GraphNode, bounds: ExplainBounds): Closure {
  const first = steps.find(side, start);
  if (first === 0) return { order: [], entries: new Map(), knownTo: Number.POSITIVE_INFINITY };
  const entries = new Map<number, Entry>([[first, { node: start, distance: 0, via: 0 }]]);
  const order = [first];
  let left = bounds.visits;
  for (let level = [first], distance = 0; level.length > 0; distance++) {
    const above: [number, Entry][] = [];
    let whole = true;
    for (const id of level) {
      const mapped = steps.mapped(side, id, left);
      whole = mapped !== undefined;
      if (mapped === undefined) break;
      left -= mapped.length;
      for (const next of mapped) {
        if (entries.has(next)) continue;
        const entry = { node: steps.nodeOf(side, next), distance: distance + 1, via: id };
        entries.set(next, entry);
        above.push([next, entry]);
      }
    }
    level = above.sort(([, a], [, b]) => compareNodes(a.node, b.node)).map(([id]) => id);
    order.push(...level);
    if (!whole) return { order, entries, knownTo: distance };
  }
  return { order, entries, knownTo: Number.POSITIVE_INFINITY };
}

/** An assertion that joins the two closures, and how many maps its chain has. */
interface Joint {
  readonly subject: number;
  readonly object: number;
  readonly length: number;
}

interface Meeting {
  readonly found: Joint | undefined;
  /** Whether everything in the closures that could be shorter was looked at. */
  readonly whole: boolean;
}

/** The nearest assertion between the closures; of equals the one with the nearest subject, then the first in the closures' order. */
function meet(steps: GraphSteps, subjects: Closure, objects: Closure, bounds: ExplainBounds): Meeting {
  const rank = new Map(objects.order.map((id, at) => [id, at]));
  const rankOf = (id: number): number => rank.get(id) ?? Number.POSITIVE_INFINITY;
  let found: Joint | undefined;
  let left = bounds.visits;
  for (const subject of subjects.order) {
    const { distance } = entryOf(subjects, subject);
    if (found !== undefined && distance >= found.length) break;
    // Whichever is less to look at: the assertions this subject has, or the objects they could be on.
    const asserted = steps.asserted("subject", subject, Math.min(objects.order.length, left));
    left -= asserted?.length ?? objects.order.length;
    if (left < 0) return { found, whole: false };
    const object =
      asserted === undefined
        ? objects.order.find((candidate) => steps.holds(subject, candidate))
        : asserted.filter((id) => rank.has(id)).sort((a, b) => rankOf(a) - rankOf(b))[0];
    if (object === undefined) continue;
    const length = distance + entryOf(objects, object).distance;
    if (found === undefined || length < found.length) found = { subject, object, length };
  }
  return { found, whole: true };
}

/** Whether a chain of so many maps, or a shorter one, cannot have been missed. */
const isKnownTo = (length: number, subjects: Closure, objects: Closure): boolean =>
  subjects.knownTo >= length && objects.knownTo >= length;

const pathOf = (joint: Joint, subjects: Closure, objects: Closure): ExplainedPath => ({
  subjectMaps: mapsTo(subjects, joint.subject),
  assertion: { subject: entryOf(subjects, joint.subject).node, object: entryOf(objects, joint.object).node },
  objectMaps: mapsTo(objects, joint.object),
});

/** The maps from the closure's start to one of its nodes, in order. */
function mapsTo(closure: Closure, end: number): readonly NodeEdge[] {
  const edges: NodeEdge[] = [];
  let child = entryOf(closure, end);
  while (child.via !== 0) {
    const parent = entryOf(closure, child.via);
    edges.push({ parent: parent.node, child: child.node });
    child = parent;
  }
  return edges.reverse();
}

function triedOf(
  steps: GraphSteps,
  subjects: Closure,
  objects: Closure,
  bounds: ExplainBounds,
): { readonly tried: Tried; readonly truncated: boolean } {
  const onObjects = nearly(steps, "object", objects, bounds);
  const bySubjects = nearly(steps, "subject", subjects, bounds);
  const tried = {
    subjects: reachedOf(subjects, bounds),
    objects: reachedOf(objects, bounds),
    onObjects: onObjects.assertions,
    bySubjects: bySubjects.assertions,
  };
  const cut = [subjects, objects].some(
    ({ order, knownTo }) => order.length > bounds.listed || knownTo !== Number.POSITIVE_INFINITY,
  );
  return { tried, truncated: cut || onObjects.truncated || bySubjects.truncated };
}

const reachedOf = (closure: Closure, bounds: ExplainBounds): readonly Reached[] =>
  closure.order.slice(0, bounds.listed).map((id) => {
    const { node, distance, via } = entryOf(closure, id);
    return { node, distance, via: via === 0 ? null : entryOf(closure, via).node };
  });

/** Assertions at one side's closure, nearest first, then by bytes of the other end. */
function nearly(
  steps: GraphSteps,
  side: Side,
  closure: Closure,
  bounds: ExplainBounds,
): { readonly assertions: readonly Assertion[]; readonly truncated: boolean } {
  const other = side === "subject" ? "object" : "subject";
  // A quarter: one node with countless assertions is passed over, and does not hide what the others have.
  const share = Math.ceil(bounds.visits / 4);
  const assertions: Assertion[] = [];
  let truncated = false;
  let left = bounds.visits;
  for (const id of closure.order) {
    if (left <= 0 || assertions.length > bounds.listed) break;
    const most = Math.min(share, left);
    const asserted = steps.asserted(side, id, most);
    left -= 1 + (asserted?.length ?? most);
    if (asserted === undefined) truncated = true;
    const { node } = entryOf(closure, id);
    const others = (asserted ?? []).map((end) => steps.nodeOf(other, end)).sort(compareNodes);
    for (const end of others)
      assertions.push(side === "subject" ? { subject: node, object: end } : { subject: end, object: node });
  }
  return {
    assertions: assertions.slice(0, bounds.listed),
    truncated: truncated || left <= 0 || assertions.length > bounds.listed,
  };
}
