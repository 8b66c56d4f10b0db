/** Which states of a statechart were entered and which of its transitions were taken, in the definition's own order. */
import type { AnyMachineSnapshot, AnyStateMachine, EventObject } from "xstate";
import { getStateNodes } from "xstate/graph";

type Node = ReturnType<typeof getStateNodes>[number];
type Definition = Node["transitions"] extends Map<string, readonly (infer One)[]> ? One : never;

export class Coverage {
  readonly #machine: AnyStateMachine;
  readonly #states = new Set<string>();
  readonly #transitions = new Set<string>();
  readonly #entered = new Set<string>();
  readonly #taken = new Set<string>();
  readonly #names = new Map<Definition, string>();

  constructor(machine: AnyStateMachine) {
    this.#machine = machine;
    for (const node of getStateNodes(machine)) {
      this.#states.add(node.key);
      this.#name(node);
      for (const { target } of node.always ?? [])
        for (const to of target ?? []) this.#transitions.add(`${node.key} → ${to.key}`);
    }
    this.#name(machine.root);
  }

  /** The n-th alternative of a state's answer to an event type, as "collecting: cancelAsked 2"; the machine's own as "*". */
  #name(node: Node): void {
    const state = node === this.#machine.root ? "*" : node.key;
    for (const [type, definitions] of node.transitions) {
      if (type === "") continue; // eventless: named by where they lead
      definitions.forEach((definition, at) => {
        const name = `${state}: ${type}${definitions.length === 1 ? "" : ` ${at + 1}`}`;
        this.#names.set(definition, name);
        this.#transitions.add(name);
      });
    }
  }

  /** Counts what a machine did before its first event: it may leave its initial state by itself. */
  begin(after: AnyMachineSnapshot): void {
    const [initial] = this.#machine.root.initial.target ?? [];
    this.#entered.add(String(after.value));
    if (initial !== undefined && initial.key !== after.value)
      this.#taken.add(`${initial.key} → ${String(after.value)}`);
  }

  /** Counts one step of a machine whose states are flat. */
  note(before: AnyMachineSnapshot, event: EventObject, after: AnyMachineSnapshot): void {
    this.#entered.add(String(after.value));
    const chosen = this.#machine.getTransitionData(before, event);
    let reached = String(before.value);
    for (const definition of chosen) {
      const name = this.#names.get(definition);
      if (name !== undefined) this.#taken.add(name);
      reached = definition.target?.[0]?.key ?? reached;
    }
    if (reached !== after.value) this.#taken.add(`${reached} → ${String(after.value)}`);
  }

  get missedStates(): readonly string[] {
    return [...this.#states].filter((state) => !this.#entered.has(state));
  }

  get missedTransitions(): readonly string[] {
    return [...this.#transitions].filter((name) => !this.#taken.has(name));
  }

  get size(): { readonly states: number; readonly transitions: number } {
    return { states: this.#states.size, transitions: this.#transitions.size };
  }
}
