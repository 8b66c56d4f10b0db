import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { Judge, specification, writeRecorded } from "./judge.ts";
import { MUTANTS, withMutant } from "./mutants.ts";
import type { Specification } from "./quint.ts";
import { castOf, record } from "./recorder.ts";
import { BROKEN, SOUND } from "./variants.ts";

/** In CI; `npm run spec` takes the full numbers (spec/README.md). */
const TRACES = 45;
const SAMPLES = 60;
const STEPS = 50;
const SEED = 3;

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** The tool itself, offline: its TypeScript backend, never the evaluator that it would download. */
function quint(...args: readonly string[]): { readonly status: number | null; readonly said: string } {
  const { status, stdout, stderr } = spawnSync(`${ROOT}node_modules/.bin/quint`, args, { cwd: ROOT, encoding: "utf8" });
  return { status, said: `${stdout}${stderr}` };
}

describe("the Quint model of consensus", () => {
  let instances: Specification;
  beforeAll(() => {
    instances = specification("instances");
  });

  test("type-checks, and its scenarios pass, by Quint's own command", () => {
    const { status, said } = quint("test", "spec/instances.qnt", "--main=protocol", "--backend=typescript");
    expect(said).toContain("7 passing");
    expect(status, said).toBe(0);
  });

  test("keeps every invariant under Byzantine members, crashes and lost journals", () => {
    for (const { module, init = "init", step = "step", steps, share } of SOUND) {
      const samples = Math.max(1, Math.round(SAMPLES * share));
      const walk = instances.walk(module, { seed: SEED, samples, steps, init, step, invariant: "safe" });
      expect({ module, step, ...walk }).toMatchObject({ violated: false, samples });
    }
  });

  test("reaches final blocks, final blocks after a faulty leader, and the next epoch, under fair leaders", () => {
    const witnesses = ["finalised", "finalAfterFaultyLeader", "assembled", "epochBegun", "finalInNextEpoch"];
    const walk = instances.walk("protocol", {
      seed: SEED,
      samples: 4,
      steps: 60,
      step: "fair",
      invariant: "safe",
      witnesses,
    });
    expect(walk.violated).toBe(false);
    for (const name of witnesses) expect(walk.witnessed[name], name).toBeGreaterThan(0);
  });

  test.each(BROKEN)(
    "breaks an invariant without a rule: $module",
    ({ module, init = "init", step = "step", samples, steps }) => {
      expect(instances.walk(module, { seed: SEED, samples, steps, init, step, invariant: "safe" }).violated).toBe(true);
    },
  );
});

describe("traces of the real machine", () => {
  let judge: Judge;
  beforeAll(() => {
    judge = new Judge();
  });

  test(`agree with the model, step by step, in ${TRACES} seeds`, () => {
    for (let seed = 0; seed < TRACES; seed++) {
      const trace = record(seed, STEPS);
      expect({ seed, telling: trace.telling, ...judge.judge(trace) }).toMatchObject({
        telling: STEPS,
        steps: trace.steps.length,
        refusal: "",
      });
    }
  });

  test("written as Quint's text are judged alike by Quint's own command", () => {
    const directory = mkdtempSync(`${tmpdir()}/sky-spec-`);
    try {
      const file = writeRecorded(directory, record(1, STEPS), 10);
      const { status, said } = quint("test", file, "--main=faulty4", "--backend=typescript");
      expect(said).toContain("1 passing");
      expect(status, said).toBe(0);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test("are the same twice", () => {
    expect(JSON.stringify(record(7, STEPS))).toBe(JSON.stringify(record(7, STEPS)));
  });

  test("name every Byzantine behaviour and every cast", () => {
    const casts = Array.from({ length: TRACES }, (_, seed) => castOf(seed));
    expect(new Set(casts.map(({ module }) => module)).size).toBe(3);
    expect(new Set(casts.flatMap(({ byzantine }) => byzantine.map(({ behaviour }) => behaviour))).size).toBe(11);
  });

  test.each(MUTANTS)("of a machine with $name are rejected", async (mutant) => {
    await withMutant(mutant, (recordMutated) => {
      const trace = recordMutated(mutant.seed, STEPS);
      expect(judge.judge(trace).refusal).toBe(mutant.refusal);
    });
    expect(judge.judge(record(mutant.seed, STEPS)).refusal).toBe("");
  });
});

test("no bundle of a mutant is left behind", () => {
  expect(readdirSync(`${ROOT}node_modules`).filter((name) => name.startsWith(".mutant-"))).toEqual([]);
});
