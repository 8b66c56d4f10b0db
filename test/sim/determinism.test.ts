/** One seed is one run, to the byte: in one process and in two, recorded or not. */
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { lineOf } from "../../tools/sim/record.ts";
import { type RecordEntry, runSeed } from "../../tools/sim/simulation.ts";

/** Seeds that together have twins, other Byzantine members, projectors, SQLite logs and both modes. */
const SEEDS = [1, 2, 3, 11] as const;
const MINUTES = 0.2;

const inProcess = (seed: number): string =>
  execFileSync(
    process.execPath,
    ["tools/sim/main.ts", "--seeds", "1", "--from", String(seed), "--minutes", String(MINUTES), "--json"],
    { encoding: "utf8" },
  );

test.each(SEEDS)("seed %i gives the same trace and history twice", (seed) => {
  const first = runSeed({ seed, minutes: MINUTES });
  const second = runSeed({ seed, minutes: MINUTES });
  expect(first.events).toBeGreaterThan(500);
  expect(second).toEqual(first);
});

test("two processes and this one give one trace", () => {
  const { traceHash } = runSeed({ seed: 4, minutes: MINUTES });
  for (let i = 0; i < 2; i++) expect(inProcess(4)).toContain(`"traceHash":"${traceHash}"`);
});

test("a seed with checkpoints, lost disks and a liar gives the same trace and history twice", () => {
  const options = {
    seed: 12,
    nodes: 4,
    byzantineKinds: ["liarInSync"],
    faults: ["diskLost", "isolation", "powerCut"],
    extras: ["checkpoints"],
    minutes: MINUTES,
  } as const;
  const first = runSeed(options);
  expect(first.faults["checkpoint written"]).toBeGreaterThan(0);
  expect(runSeed(options)).toEqual(first);
});

test("a seed whose identifiers live gives the same trace and history twice", () => {
  const options = { seed: 14, nodes: 4, faults: ["crash", "partition"], extras: ["keys", "projector"] } as const;
  const first = runSeed({ ...options, minutes: MINUTES });
  expect(first.faults["rot ordered"]).toBeGreaterThan(0);
  expect(runSeed({ ...options, minutes: MINUTES })).toEqual(first);
});

test("seeds differ", () => {
  const hashes = SEEDS.map((seed) => runSeed({ seed, minutes: 0.05 }).traceHash);
  expect(new Set(hashes).size).toBe(SEEDS.length);
});

test("to record a run does not change it, and its snapshots can be put together", () => {
  const entries: RecordEntry[] = [];
  const options = { seed: 5, minutes: 0.1 };
  const outcome = runSeed({ ...options, record: (entry) => void entries.push(structuredClone(entry)) });
  expect(outcome.traceHash).toBe(runSeed(options).traceHash);
  const kinds = new Set(entries.map(({ kind }) => kind));
  for (const kind of ["began", "booted", "stepped", "sent", "delivered", "written", "executed", "client", "ended"])
    expect(kinds).toContain(kind);
  const contexts = new Map<string, Record<string, unknown>>();
  for (const entry of entries) {
    const node = entry.node ?? "";
    if (entry.kind === "booted") contexts.set(node, { ...(entry["context"] as object) });
    if (entry.kind === "stepped") Object.assign(contexts.get(node) ?? {}, entry["changed"]);
    JSON.parse(lineOf(entry, 1));
  }
  const views = [...contexts.values()].map((context) => Number(context["view"]));
  expect(Math.max(...views)).toBeGreaterThan(outcome.blocks);
});
