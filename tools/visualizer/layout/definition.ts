/** Reads states and transitions off a machine's definition, the very one that runs. */
import type { AnyStateMachine, AnyStateNode } from "xstate";

export interface Cause {
  readonly event: string | null;
  readonly guard: string | null;
}

export interface DrawnState {
  readonly id: string;
  readonly name: string;
  readonly parent: string | null;
  readonly kind: "atomic" | "compound" | "parallel" | "final" | "settle";
  readonly isInitial: boolean;
  readonly internal: readonly string[];
}

export interface DrawnEdge {
  readonly source: string;
  readonly target: string;
  readonly causes: readonly Cause[];
}

export interface Definition {
  readonly states: readonly DrawnState[];
  readonly edges: readonly DrawnEdge[];
}

/** A guard's name; "…" for one that has none. */
function guardOf(guard: unknown): string | null {
  if (guard === undefined || guard === null) return null;
  if (typeof guard === "string") return guard;
  if (typeof guard === "object" && "type" in guard && typeof guard.type === "string") return guard.type;
  return "…";
}

interface Transition {
  readonly source: string;
  readonly targets: readonly string[];
  readonly cause: Cause;
}

function transitionsOf(node: AnyStateNode): readonly Transition[] {
  const eventless = (node.always ?? []).map((one) => ({ event: null, one }));
  const onEvents = [...node.transitions].flatMap(([event, ones]) => ones.map((one) => ({ event, one })));
  return [...onEvents, ...eventless].map(({ event, one }) => ({
    source: node.id,
    targets: (one.target ?? []).map(({ id }) => id),
    cause: { event, guard: guardOf(one.guard) },
  }));
}

const childrenOf = (node: AnyStateNode): readonly AnyStateNode[] => Object.values(node.states);
const withDescendants = (node: AnyStateNode): readonly AnyStateNode[] => [
  node,
  ...childrenOf(node).flatMap(withDescendants),
];

const kindOf = (node: AnyStateNode): DrawnState["kind"] =>
  node.type === "history" ? "atomic" : node.type === "atomic" && transitionsOf(node).length === 0 ? "final" : node.type;

function stateOf(node: AnyStateNode): DrawnState {
  const internal = transitionsOf(node)
    .filter(({ targets }) => targets.length === 0)
    .map(({ cause }) => cause.event ?? "");
  return {
    id: node.id,
    name: node.key,
    parent: node.parent?.id ?? null,
    kind: kindOf(node),
    isInitial: node.parent?.initial?.target?.includes(node) ?? false,
    internal: [...new Set(internal)],
  };
}

/**
 * States that settle: whichever sibling's guard holds is entered from every other one, without an event. Drawn one by one these are
 * n × (n − 1) lines that say one thing; instead one pseudo-state leads to each of them.
 */
function settlingOf(parent: AnyStateNode, transitions: readonly Transition[]): readonly Transition[] {
  const siblings = childrenOf(parent).filter((child) => transitionsOf(child).length > 0);
  return transitions.filter(({ source, targets, cause }) => {
    const [target] = targets;
    if (cause.event !== null || target === undefined || !siblings.some(({ id }) => id === source)) return false;
    return siblings.every(
      ({ id }) =>
        id === target ||
        transitions.some(
          (one) =>
            one.source === id &&
            one.targets[0] === target &&
            one.cause.event === null &&
            one.cause.guard === cause.guard,
        ),
    );
  });
}

function merged(transitions: readonly Transition[]): readonly DrawnEdge[] {
  const edges = new Map<string, { source: string; target: string; causes: Cause[] }>();
  for (const { source, targets, cause } of transitions)
    for (const target of targets) {
      const edge = edges.get(`${source} ${target}`) ?? { source, target, causes: [] };
      const isKnown = edge.causes.some(({ event, guard }) => event === cause.event && guard === cause.guard);
      if (!isKnown) edge.causes.push(cause);
      edges.set(`${source} ${target}`, edge);
    }
  return [...edges.values()];
}

/** The pseudo-state of a parent whose children settle. */
export const settleOf = (parent: string): string => `${parent}.(settle)`;

/** What is to be drawn of a machine. */
export function definitionOf(machine: AnyStateMachine): Definition {
  const nodes = withDescendants(machine.root);
  const transitions = nodes.flatMap(transitionsOf);
  const states = nodes.map(stateOf);
  const settled = new Set<Transition>();
  const spokes: Transition[] = [];
  for (const parent of nodes) {
    const settling = settlingOf(parent, transitions);
    if (settling.length === 0) continue;
    const source = settleOf(parent.id);
    states.push({ id: source, name: "settle", parent: parent.id, kind: "settle", isInitial: false, internal: [] });
    for (const one of settling) settled.add(one);
    // One for each state, in the order of the definition.
    for (const { id } of childrenOf(parent)) {
      const toIt = settling.find(({ targets }) => targets[0] === id);
      if (toIt !== undefined) spokes.push({ ...toIt, source });
    }
  }
  return { states, edges: merged([...transitions.filter((one) => !settled.has(one)), ...spokes]) };
}
