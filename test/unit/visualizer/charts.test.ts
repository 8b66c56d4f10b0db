import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createMachine } from "xstate";
import { ceremonyMachine } from "../../../src/machines/ceremony/ceremony.machine.ts";
import { consensusMachine, standings } from "../../../src/machines/consensus/consensus.machine.ts";
import { chartOf, chartsAsJson, layoutEngine } from "../../../tools/visualizer/layout/charts.ts";
import { definitionOf, settleOf } from "../../../tools/visualizer/layout/definition.ts";
import { DESCRIPTIONS } from "../../../tools/visualizer/layout/words.ts";

/** A traffic light with a lamp that may fail beside it: hierarchy, regions, a final state. */
const crossing = createMachine({
  id: "crossing",
  type: "parallel",
  states: {
    light: {
      initial: "red",
      states: {
        red: { on: { timeWasUp: "green" } },
        green: {
          initial: "steady",
          states: { steady: { on: { endNeared: "blinking" } }, blinking: {} },
          on: { timeWasUp: "red" },
        },
      },
    },
    lamp: {
      initial: "fine",
      states: { fine: { on: { lampFailed: [{ guard: "isOld", target: "dark" }] } }, dark: { type: "final" } },
    },
  },
});

describe("what is read off a definition", () => {
  test("states with their parents, regions, first and last states", () => {
    const states = Object.fromEntries(definitionOf(crossing).states.map((state) => [state.id, state]));
    expect(states["crossing"]).toMatchObject({ kind: "parallel", parent: null });
    expect(states["crossing.light"]).toMatchObject({ kind: "compound", parent: "crossing" });
    expect(states["crossing.light.red"]).toMatchObject({ kind: "atomic", isInitial: true });
    expect(states["crossing.light.green.blinking"]).toMatchObject({ kind: "final", isInitial: false });
  });

  test("transitions with events and guards", () => {
    expect(definitionOf(crossing).edges).toContainEqual({
      source: "crossing.lamp.fine",
      target: "crossing.lamp.dark",
      causes: [{ event: "lampFailed", guard: "isOld" }],
    });
  });

  test("the standings of consensus are entered by their guards from wherever it stands: one line each, not seventy-two", () => {
    const spokes = definitionOf(consensusMachine).edges.filter(({ source }) => source === settleOf("consensus"));
    expect(new Set(spokes.map(({ causes }) => causes[0]?.guard))).toEqual(new Set(Object.keys(standings)));
    expect(definitionOf(consensusMachine).edges).toHaveLength(spokes.length);
  });

  test("whatever leads from one ceremony state to another is drawn", () => {
    const edges = definitionOf(ceremonyMachine).edges.map(({ source, target }) => `${source} ${target}`);
    expect(edges).toContain("ceremony.sealed ceremony.collecting");
    expect(edges).toContain("ceremony.unwrapping ceremony.unsealed");
    expect(edges).toContain("ceremony.draining ceremony.sealed");
  });

  test("every state says what it waits for, and no sentence is left without its state", () => {
    const ids = [consensusMachine, ceremonyMachine].flatMap((machine) =>
      definitionOf(machine).states.flatMap(({ id, kind }) => (kind === "settle" ? [] : [id])),
    );
    expect(Object.keys(DESCRIPTIONS).toSorted()).toEqual(ids.toSorted());
  });
});

describe("the layout", () => {
  test("what is committed is what the machines are", async () => {
    const committed = readFileSync(new URL("../../../tools/visualizer/generated/charts.json", import.meta.url), "utf8");
    expect(committed).toBe(await chartsAsJson());
  });

  test("inner states lie inside their parents, siblings apart, every transition of an event has its line and its label", async () => {
    const chart = await chartOf(layoutEngine(), crossing, {});
    const states = new Map(chart.states.map((state) => [state.id, state]));
    for (const inner of chart.states) {
      const outer = inner.parent === null ? undefined : states.get(inner.parent);
      if (outer === undefined) continue;
      expect(inner.x).toBeGreaterThanOrEqual(outer.x);
      expect(inner.y).toBeGreaterThanOrEqual(outer.y);
      expect(inner.x + inner.width).toBeLessThanOrEqual(outer.x + outer.width);
      expect(inner.y + inner.height).toBeLessThanOrEqual(outer.y + outer.height);
      for (const other of chart.states) {
        if (other === inner || other.parent !== inner.parent) continue;
        const isApart =
          other.x >= inner.x + inner.width ||
          inner.x >= other.x + other.width ||
          other.y >= inner.y + inner.height ||
          inner.y >= other.y + other.height;
        expect(isApart).toBe(true);
      }
    }
    for (const { points, label } of chart.edges) {
      expect(points.length).toBeGreaterThanOrEqual(2);
      expect(label?.width).toBeGreaterThan(0);
    }
    expect(JSON.stringify(chart)).not.toMatch(/\d\.\d{2}/);
  });
});
