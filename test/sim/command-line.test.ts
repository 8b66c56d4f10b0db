/** `sky simulate` and `npm run sim` as they are typed. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { planOf } from "../../tools/sim/plan.ts";
import { runSeed } from "../../tools/sim/simulation.ts";
import { sky } from "../unit/host/command-line.ts";

const directory = mkdtempSync(path.join(tmpdir(), "sky-simulate-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const BRIEF = ["--minutes", "0.05"];
/** Nothing finds room there. */
const FULL = "/dev/full";

describe("sky simulate", () => {
  test("is the run of its options, recorded or not", async () => {
    const file = path.join(directory, "run.jsonl");
    const words = ["--seed", "5", "--nodes", "4", "--actor", "forger", "--fault", "crash", "--with", "keys", "--json"];
    const plain = await sky("simulate", ...words, "--mode", "safety", ...BRIEF);
    const recorded = await sky("simulate", ...words, "--mode", "safety", ...BRIEF, "--record", file);
    expect([plain.code, recorded.code, recorded.out]).toEqual([0, 0, plain.out]);
    const { traceHash } = JSON.parse(plain.out.join("")) as { traceHash: string };
    expect(traceHash).toBe(
      runSeed({
        seed: 5,
        nodes: 4,
        byzantineKinds: ["forger"],
        faults: ["crash"],
        extras: ["keys"],
        mode: "safety",
        minutes: 0.05,
      }).traceHash,
    );
    expect(readFileSync(file, "utf8").trimEnd().split("\n").at(-1)).toContain(traceHash);
  });

  test.each([
    [["--nodes", "4", "--byzantine", "2"], "4 nodes bear 1 Byzantine members, not 2."],
    [["--nodes", "6", "--actor", "twins", "--actor", "slow"], "6 nodes bear 1 Byzantine members, not 2."],
    [["--byzantine", "0", "--actor", "twins"], "--byzantine 0 is less than the 1 that --actor names."],
    [["--actor", "saint"], "--actor saint: one of equivocator"],
    [["--fault", "rain"], "--fault rain: one of crash"],
    [["--with", "cream"], "--with cream: one of ed25519"],
    [["--mode", "fun"], "--mode fun: one of safety, liveness."],
    [["--minutes", "long"], "--minutes long: a number from 0 to 10000."],
  ])("refuses %j", async (words, reason) => {
    const { code, err } = await sky("simulate", ...words);
    expect([code, err.join("\n")]).toEqual([2, expect.stringContaining(reason)]);
  });

  test.each([
    [["--byzantine", "3"], 10, 3],
    [["--actor", "twins", "--actor", "slow"], 7, 2],
    [["--byzantine", "2", "--actor", "twins", "--nodes", "8"], 8, 2],
  ])("%j: as many misbehave as were asked for, in a cluster that bears them", async (words, nodes, liars) => {
    const { code, out } = await sky("simulate", "--seed", "5", ...words, "--minutes", "0", "--json");
    const { profile } = JSON.parse(out.join("")) as { profile: { nodes: number; byzantine: readonly string[] } };
    expect([code, profile.nodes, profile.byzantine.length]).toEqual([0, nodes, liars]);
  });

  test("a disk without room for the record is no broken rule", async () => {
    const { code, out, err } = await sky("simulate", ...BRIEF, "--record", FULL);
    expect([code, out, err.join("\n")]).toEqual([
      3,
      [],
      expect.stringContaining("/dev/full cannot be written (ENOSPC)"),
    ]);
  });
});

describe("npm run sim", () => {
  test.each([
    [["--record", "run.jsonl"], "--record holds one seed"],
    [["--seeds", "1.5"], "--seeds 1.5: a whole number"],
    [["--nodes", "4", "--byzantine", "2"], "4 nodes bear 1 Byzantine members"],
    [["--jobs", "0"], "--jobs 0: a whole number"],
    [["--from", "9007199254740991", "--seeds", "2"], "--seeds 2: a whole number from 1 to 1."],
  ])("refuses %j", (words, reason) => {
    expect(() => planOf(words)).toThrow(reason);
  });

  test("two processes run each seed once, as one does", () => {
    const words = ["--seeds", "3", "--from", "20", "--jobs", "2", "--minutes", "0.02", "--json"];
    const { status, stdout } = spawnSync(process.execPath, ["tools/sim/main.ts", ...words], { encoding: "utf8" });
    const told = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { seed?: number; traceHash?: string; sum?: { seeds: number } });
    expect([status, told.at(-1)?.sum?.seeds]).toEqual([0, 3]);
    const traces = new Map(told.slice(0, -1).map(({ seed, traceHash }) => [seed, traceHash]));
    expect([told.length, traces.size]).toEqual([4, 3]);
    for (const [seed = 0, traceHash] of traces) expect(runSeed({ seed, minutes: 0.02 }).traceHash).toBe(traceHash);
    expect(new Set(traces.keys())).toEqual(new Set([20, 21, 22]));
  });

  test("a record that cannot be written is no broken rule", () => {
    const words = ["--seeds", "1", "--record", FULL, ...BRIEF];
    const { status, stderr } = spawnSync(process.execPath, ["tools/sim/main.ts", ...words], { encoding: "utf8" });
    expect([status, stderr]).toEqual([3, expect.stringContaining("(RECORD_WRITE_FAILED)")]);
  });
});
