import { assign, enqueueActions, raise, setup } from "xstate";
import { describe, expect, test } from "vitest";
import { createStepper } from "../../src/machines/step.ts";

type Told = { readonly kind: "tell"; readonly what: string };

const counter = setup({
  types: {} as {
    context: { readonly count: number };
    events:
      | { type: "counted" }
      | { type: "doubled" }
      | { type: "closed" }
      | { type: "told"; what: string }
      | { type: "ignored" }
      | { type: "logged" };
    input: { readonly from: number };
  },
  guards: { full: ({ context }) => context.count >= 3 },
  actions: { effect: (_scope, _effect: Told) => {}, sideEffect: () => {} },
}).createMachine({
  id: "counter",
  context: ({ input }) => ({ count: input.from }),
  initial: "open",
  states: {
    open: {
      entry: { type: "effect", params: { kind: "tell", what: "open" } },
      on: {
        counted: {
          actions: [
            assign({ count: ({ context }) => context.count + 1 }),
            { type: "effect", params: ({ context }) => ({ kind: "tell" as const, what: `count ${context.count}` }) },
          ],
        },
        doubled: { actions: [raise({ type: "counted" }), raise({ type: "counted" })] },
        told: {
          actions: enqueueActions(({ enqueue, event }) => {
            enqueue({ type: "effect", params: { kind: "tell", what: event.what } });
            enqueue({ type: "effect", params: { kind: "tell", what: `${event.what} again` } });
          }),
        },
        closed: { guard: "full", target: "closed" },
        ignored: {},
        logged: { actions: "sideEffect" },
      },
    },
    closed: { type: "final", entry: { type: "effect", params: { kind: "tell", what: "closed" } } },
  },
});

const whats = (effects: readonly Told[]): readonly string[] => effects.map((effect) => effect.what);

describe("stepper", () => {
  test("initial effects are handed over once and not again when restored from a snapshot", () => {
    const first = createStepper(counter, { input: { from: 0 } });
    expect(whats(first.initialEffects)).toEqual(["open"]);
    first.step({ type: "counted" });
    const second = createStepper(counter, { snapshot: JSON.parse(JSON.stringify(first.persisted())) });
    expect(second.initialEffects).toEqual([]);
    expect(whats(second.step({ type: "counted" }).effects)).toEqual(["count 2"]);
    expect(second.context().count).toBe(2);
  });

  test("assign, raise and enqueueActions work, and effects keep their order", () => {
    const stepper = createStepper(counter, { input: { from: 0 } });
    expect(whats(stepper.step({ type: "doubled" }).effects)).toEqual(["count 1", "count 2"]);
    expect(whats(stepper.step({ type: "told", what: "a" }).effects)).toEqual(["a", "a again"]);
  });

  test("an event without meaning in this state is refused with a reason and changes nothing", () => {
    const stepper = createStepper(counter, { input: { from: 0 } });
    const before = stepper.snapshot();
    expect(stepper.step({ type: "closed" }).refused).toEqual({
      code: "UNEXPECTED_EVENT",
      message: "counter: closed has no meaning while open",
      blame: "none",
    });
    expect(stepper.snapshot()).toBe(before);
    expect(stepper.step({ type: "ignored" })).toEqual({ effects: [] });
  });

  test("a final state is reached with its effects, and what comes later is refused", () => {
    const stepper = createStepper(counter, { input: { from: 3 } });
    expect(whats(stepper.step({ type: "closed" }).effects)).toEqual(["closed"]);
    expect(stepper.state()).toBe("closed");
    expect(stepper.step({ type: "counted" }).refused?.code).toBe("UNEXPECTED_EVENT");
  });

  test("an action that would act by itself stops with a defect, and the snapshot stays", () => {
    const stepper = createStepper(counter, { input: { from: 0 } });
    const before = stepper.snapshot();
    expect(() => stepper.step({ type: "logged" })).toThrow(/machines emit effects as data/);
    expect(stepper.snapshot()).toBe(before);
    expect(whats(stepper.step({ type: "counted" }).effects)).toEqual(["count 1"]);
  });

  test("two steppers of one machine do not share anything", () => {
    const a = createStepper(counter, { input: { from: 0 } });
    const b = createStepper(counter, { input: { from: 10 } });
    a.step({ type: "counted" });
    expect(whats(b.step({ type: "counted" }).effects)).toEqual(["count 11"]);
    expect(a.context().count).toBe(1);
  });
});
