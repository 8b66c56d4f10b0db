/**
 * Which transitions an event took: computed afterwards from two snapshots, since a machine is a pure function of them. For whoever
 * shows what happened (the inspector); nothing that decides asks this.
 */
import type {
  AnyEventObject,
  AnyMachineSnapshot,
  AnyStateMachine,
  AnyStateNode,
  AnyTransitionDefinition,
} from "xstate";

export interface Taken {
  /** State id, as in the chart (`consensus.quiet`). */
  readonly source: string;
  /** Empty for a transition that stays where it is. */
  readonly targets: readonly string[];
  /** Name of the guard that let it pass; null where there is none, or it has no name. */
  readonly guard: string | null;
}

/** Ids of the active states, leaves only. */
export const leavesOf = (snapshot: AnyMachineSnapshot): readonly string[] =>
  (snapshot._nodes as readonly AnyStateNode[])
    .filter(({ type }) => type === "atomic" || type === "final")
    .map(({ id }) => id);

/**
 * The transitions that took `event` from one snapshot to the next: the event's own, then the eventless one that left each state for
 * one that is active after it.
 */
export function takenBy(
  machine: AnyStateMachine,
  before: AnyMachineSnapshot,
  event: AnyEventObject,
  after: AnyMachineSnapshot,
): readonly Taken[] {
  const own = (machine.getTransitionData(before, event) as readonly AnyTransitionDefinition[]).map(takenOf);
  const here = new Set((after._nodes as readonly AnyStateNode[]).map(({ id }) => id));
  const reached = new Set(own.flatMap(({ targets }) => targets));
  const from = [...leavesOf(before), ...reached].filter((id) => !here.has(id));
  const settled = from.flatMap((id) => {
    const always: readonly AnyTransitionDefinition[] = machine.getStateNodeById(id).always ?? [];
    const taken = always.map(takenOf).find(({ targets }) => targets.some((target) => here.has(target)));
    return taken === undefined ? [] : [taken];
  });
  return [...own, ...settled];
}

const takenOf = ({ source, target, guard }: AnyTransitionDefinition): Taken => ({
  source: source.id,
  targets: (target ?? []).map(({ id }) => id),
  guard: nameOf(guard),
});

function nameOf(guard: unknown): string | null {
  if (typeof guard === "string") return guard;
  if (typeof guard === "object" && guard !== null && "type" in guard && typeof guard.type === "string")
    return guard.type;
  return typeof guard === "function" && guard.name !== "" && guard.name !== "guard" ? guard.name : null;
}
