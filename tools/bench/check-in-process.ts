/**
 * How many checks a second one core answers in process: 1 million tuples, five maps between a user and the group that was granted
 * (DESIGN §11: ≥ 400,000/s). Half of the checks are true, at the far end of the walk; half are false, after all of it.
 * Run: node tools/bench/check-in-process.ts
 */
import type { GraphFact } from "../../src/events/facts/fact.ts";
import type { Assertion, GraphNode } from "../../src/events/facts/graph.ts";
import { evolve } from "../../src/projections/rebac/evolve.ts";
import { LiveGraph } from "../../src/projections/rebac/live-graph.ts";

export interface CheckFigure {
  readonly perSecond: number;
  /** Assertions and maps. */
  readonly tuples: number;
  /** Maps between the subject asked about and the one that was granted. */
  readonly depth: number;
  /** Memory that the graph takes, names included. Units: bytes. */
  readonly bytes: number;
  /** What it is compared with: random names found in a Map of a million. */
  readonly lookUpsPerSecond: number;
}

const DEPTH = 5;
const USERS = 500_000;
/** Members of each group: 500,000 users in 50,000 groups, these in 5,000, and so on for five levels. */
const FAN = 10;
const DOCUMENTS = 444_440;
const QUESTIONS = 200_000;
const ROUNDS = 5;

const member = { namespace: "org", name: "member" };
const viewer = { namespace: "docs", name: "viewer" };
const groupNode = (level: number, i: number): GraphNode => ({
  namespace: "org",
  name: `group-${level}-${i}`,
  relation: member,
});
const userNode = (i: number): GraphNode => ({
  namespace: "org",
  name: `user-${i}`,
  relation: { namespace: "", name: "" },
});
const documentNode = (i: number): GraphNode => ({ namespace: "docs", name: `document-${i}`, relation: viewer });

const groupsAt = (level: number): number => Math.ceil(USERS / FAN ** level);
/** The group of the last level that a user belongs to. */
const topOf = (user: number): number => Math.floor(user / FAN ** DEPTH);

function* facts(): Iterable<GraphFact> {
  for (const namespace of ["org", "docs"]) yield { kind: "namespaceAdded", namespace };
  for (const relation of [member, viewer]) yield { kind: "relationAdded", relation };
  for (let i = 0; i < USERS; i++) yield { kind: "subjectAdded", subject: userNode(i) };
  for (let level = 1; level <= DEPTH; level++) {
    for (let i = 0; i < groupsAt(level); i++) yield { kind: "subjectAdded", subject: groupNode(level, i) };
  }
  for (let i = 0; i < USERS; i++)
    yield { kind: "subjectMapped", edge: { parent: userNode(i), child: groupNode(1, Math.floor(i / FAN)) } };
  for (let level = 1; level < DEPTH; level++) {
    for (let i = 0; i < groupsAt(level); i++) {
      yield {
        kind: "subjectMapped",
        edge: { parent: groupNode(level, i), child: groupNode(level + 1, Math.floor(i / FAN)) },
      };
    }
  }
  for (let i = 0; i < DOCUMENTS; i++) {
    yield { kind: "objectAdded", object: documentNode(i) };
    yield {
      kind: "assertionAdded",
      assertion: { subject: groupNode(DEPTH, i % groupsAt(DEPTH)), object: documentNode(i) },
    };
  }
}

/** Spreads the questions over the graph, alike in every run. */
function questions(): readonly Assertion[] {
  let state = 1;
  const next = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  return Array.from({ length: QUESTIONS }, (_, i) => {
    const user = next(USERS);
    const tops = groupsAt(DEPTH);
    const of = (top: number): number => top + tops * next(Math.floor(DOCUMENTS / tops) - 1);
    return { subject: userNode(user), object: documentNode(of(i % 2 === 0 ? topOf(user) : (topOf(user) + 1) % tops)) };
  });
}

/** Looks up random names in a Map of a million: a few cache misses each, as one step of a walk has. */
function lookUps(): number {
  const names = new Map(Array.from({ length: 1_000_000 }, (_, i): [string, number] => [`name-${i}`, i]));
  const asked = Array.from({ length: QUESTIONS }, (_, i) => `name-${(i * 7919) % 1_000_000}`);
  const rates = Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    for (const name of asked) if (!names.has(name)) throw new Error(`${name} is missing`);
    return QUESTIONS / ((performance.now() - start) / 1000);
  });
  return Math.round(rates.sort((a, b) => a - b)[ROUNDS >> 1] ?? 0);
}

/** Measures: the median of five rounds. Throws when an answer is wrong. */
export function benchCheckInProcess(): CheckFigure {
  const before = process.memoryUsage();
  const graph = new LiveGraph();
  evolve(graph, facts());
  globalThis.gc?.();
  const after = process.memoryUsage();
  const asked = questions();
  const rates: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const start = performance.now();
    let allowed = 0;
    for (const { subject, object } of asked) if (graph.check(subject, object)) allowed += 1;
    const seconds = (performance.now() - start) / 1000;
    if (allowed !== QUESTIONS / 2)
      throw new Error(`${allowed} of ${QUESTIONS} checks were true; half of them should be.`);
    // The first round warms up.
    if (round > 0) rates.push(QUESTIONS / seconds);
  }
  rates.sort((a, b) => a - b);
  const bytes = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
  return {
    perSecond: Math.round(rates[ROUNDS >> 1] ?? 0),
    tuples: graph.size.assertions + graph.size.maps,
    depth: DEPTH,
    bytes,
    lookUpsPerSecond: lookUps(),
  };
}

if (import.meta.main) {
  const figure = benchCheckInProcess();
  const { perSecond, tuples, depth, bytes } = figure;
  if (process.argv.includes("--report")) process.send?.(figure);
  else
    console.log(
      `check in process: ${perSecond} per second (${tuples} tuples, depth ${depth}, ${Math.round(bytes / 2 ** 20)} MB)`,
    );
}
