/**
 * Steps a machine as a pure function: (snapshot, event) → (snapshot, effects as data). The only caller of XState's transition.
 *
 * XState's public `transition()` builds a throw-away actor for every event (19 to 49 µs). `StateMachine.transition` takes the
 * actor scope as an argument, so each stepper holds one scope for its life (about 4 µs an event) around one inert actor that
 * all steppers share: no machine of ours reads `self` or `system`.
 */
import {
  type AnyActorScope,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type EventFromLogic,
  type ExecutableActionObject,
  type InputFrom,
  type Snapshot,
  type SnapshotFrom,
  type StateMachine,
  createActor,
  createMachine,
} from "xstate";
import { assert, Defect } from "../base/errors.ts";
import type { Refusal } from "../base/result.ts";

/** The data that a machine's one `effect` action carries. */
// biome-ignore format: one line per group of XState's fifteen type parameters
export type EffectOf<M extends AnyStateMachine> =
  M extends StateMachine<
    infer _Context, infer _Event, infer _Children, infer _Actor, infer Action, infer _Guard, infer _Delay, infer _Value,
    infer _Tag, infer _Input, infer _Output, infer _Emitted, infer _Meta, infer _Schema, infer _TransitionMeta
  > ? Extract<Action, { type: "effect" }>["params"] : never;

/** An event that has no meaning in the state it met: counted in metrics, never silence. */
export type StepRefusal = Refusal<"UNEXPECTED_EVENT">;

export interface Stepped<Effect> {
  /** In the order the machine emitted them. */
  readonly effects: readonly Effect[];
  /** Present when no transition took the event: nothing changed. */
  readonly refused?: StepRefusal;
}

export interface Stepper<M extends AnyStateMachine> {
  /** Takes one event to rest (raised events and eventless transitions included). Throws: Defect; then the snapshot is unchanged. */
  readonly step: (event: EventFromLogic<M>) => Stepped<EffectOf<M>>;
  /** What the machine emitted on entering its initial state; empty when restored from a snapshot. */
  readonly initialEffects: readonly EffectOf<M>[];
  readonly snapshot: () => SnapshotFrom<M>;
  readonly state: () => SnapshotFrom<M>["value"];
  readonly context: () => SnapshotFrom<M>["context"];
  /** Plain data from which `createStepper(machine, {snapshot})` continues. */
  readonly persisted: () => Snapshot<unknown>;
}

export type StepperStart<M extends AnyStateMachine> =
  | { readonly input: InputFrom<M> }
  | { readonly snapshot: Snapshot<unknown> };

const inert = createActor(createMachine({}));

export function createStepper<M extends AnyStateMachine>(machine: M, start: StepperStart<M>): Stepper<M> {
  let collected: EffectOf<M>[] = [];
  const scope: AnyActorScope = {
    self: inert,
    system: inert.system,
    id: "",
    sessionId: "",
    logger: () => {},
    defer: () => {},
    emit: () => {},
    stopChild: () => {},
    actionExecutor: (action) => {
      if (action.type === "effect")
        collected.push(action.params as EffectOf<M>); // XState types params as unknown here
      else assertBuiltIn(machine, action);
    },
  };
  const take = (): readonly EffectOf<M>[] => {
    const effects = collected;
    collected = [];
    return effects;
  };

  let snapshot: AnyMachineSnapshot =
    "snapshot" in start
      ? machine.restoreSnapshot(start.snapshot, scope)
      : machine.getInitialSnapshot(scope, start.input);
  // XState turns a throw in the initial transition into a snapshot; ours is to stop.
  if (snapshot.status === "error") throw new Defect(`${machine.id}: ${String(snapshot.error)}`);

  return {
    initialEffects: take(),
    step: (event) => {
      collected = [];
      const next: AnyMachineSnapshot = machine.transition(snapshot, event, scope);
      if (next === snapshot && collected.length === 0 && machine.getTransitionData(snapshot, event).length === 0) {
        return { effects: collected, refused: unexpected(machine, snapshot, event.type) };
      }
      snapshot = next;
      return { effects: take() };
    },
    snapshot: () => snapshot as SnapshotFrom<M>, // what this machine made; XState erases it above
    state: () => snapshot.value,
    context: () => snapshot.context,
    persisted: () => machine.getPersistedSnapshot(snapshot),
  };
}

/** Lets `raise` without delay pass (XState has queued it already); everything else that acts by itself is our mistake. */
function assertBuiltIn(machine: AnyStateMachine, action: ExecutableActionObject): void {
  const delayed =
    typeof action.params === "object" &&
    action.params !== null &&
    "delay" in action.params &&
    action.params.delay !== undefined;
  assert(
    action.type === "xstate.raise" && !delayed,
    `${machine.id}: ${action.type} is no effect; machines emit effects as data`,
  );
}

function unexpected(machine: AnyStateMachine, snapshot: AnyMachineSnapshot, type: string): StepRefusal {
  const where = typeof snapshot.value === "string" ? snapshot.value : JSON.stringify(snapshot.value);
  return { code: "UNEXPECTED_EVENT", message: `${machine.id}: ${type} has no meaning while ${where}`, blame: "none" };
}
