/** Checkpoints in the simulator: they are written, adopted, torn and lied about, and every invariant about them bites. */
import { describe, expect, test } from "vitest";
import { height } from "../../src/base/brands.ts";
import { segmentDigest } from "../../src/events/facts/checkpoint.ts";
import { MemoryCheckpoints } from "../../tools/sim/checkpoint-store.ts";
import { Random } from "../../tools/sim/random.ts";
import { type SimOptions, type SimOutcome, runSeed } from "../../tools/sim/simulation.ts";
import { describeCheckpointStore } from "../contract/checkpoint-store.contract.ts";

describeCheckpointStore("the simulator's, over a seeded disk", () => new MemoryCheckpoints());

const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.of(...values);

describe("a power cut", () => {
  test("leaves of each segment that was written all, a part or nothing, and of those fetched all", () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const store = new MemoryCheckpoints();
      const segment = bytes(1, 2, 3, 4);
      const digest = segmentDigest(segment);
      store.keep("written", height(10), digest, segment);
      store.complete("written", height(10), [digest]);
      store.keep("fetched", height(20), digest, segment);
      store.losePower(new Random(`power ${seed}`));
      expect(store.fetched(height(20), digest)).toEqual(segment);
      expect(store.segmentsOf(height(10))).toEqual([digest]);
      seen.add(store.segment(digest) === undefined ? "gone" : "whole");
    }
    expect([...seen].sort()).toEqual(["gone", "whole"]);
  });
});

function runs(options: SimOptions): SimOutcome {
  const outcome = runSeed({ ...options, extras: ["checkpoints"] });
  const how = `node tools/sim/main.ts --seeds 1 --from ${options.seed} --with checkpoints`;
  expect(outcome.violation, how).toBeUndefined();
  return outcome;
}

describe("members that lose their disks come back by a checkpoint", () => {
  const LOST = { nodes: 4, byzantine: 0, faults: ["diskLost", "powerCut"], minutes: 0.3 } as const;

  test.each([5001, 5002, 5003])("seed %i", (seed) => {
    const { faults } = runs({ seed, mode: "liveness", ...LOST });
    expect(faults["checkpoint written"]).toBeGreaterThan(4);
  });

  test("and in some of the runs one does, and power takes segments", () => {
    const all = [5003, 5005, 5008].map((seed) => runs({ seed, mode: "safety", ...LOST }).faults);
    const sum = (kind: string): number => all.reduce((total, faults) => total + (faults[kind] ?? 0), 0);
    expect(sum("checkpoint adopted")).toBeGreaterThan(0);
    expect(sum("segments torn")).toBeGreaterThan(0);
  });

  test("beside a member that offers old ones, delivers wrong segments, and signs wrong statements", () => {
    for (const seed of [5010, 5011])
      runs({
        seed,
        nodes: 4,
        byzantineKinds: ["liarInSync"],
        faults: ["isolation", "crash"],
        mode: "liveness",
        minutes: 0.3,
      });
  });
});

const CALM = { nodes: 4, byzantine: 0, minutes: 0.3, mode: "safety", extras: ["checkpoints"] } as const;

describe("what is broken on purpose is found", () => {
  test("tables that are not what replay gives, by the segments that are written from them", () => {
    const { violation } = runSeed({
      ...CALM,
      seed: 7,
      faults: [],
      tamper: ({ replicas, scheduler }) =>
        scheduler.at(6000, () => {
          replicas[0]?.projection?.db.exec("UPDATE ledger_blocks SET time = time + 1");
        }),
    });
    expect(violation?.invariant).toBe("checkpoints are the state");
  });

  test("segments that are not on the disk when the log begins with them", () => {
    const { violation } = runSeed({
      ...CALM,
      seed: 5008,
      faults: ["diskLost", "powerCut"],
      tamper: ({ replicas }) => {
        for (const replica of replicas) {
          const forgetful = (): void => {
            const store = replica.disk.checkpoints;
            const complete = store.complete.bind(store);
            store.complete = (stage, ...rest) => {
              if (stage === "written") complete(stage, ...rest);
            };
          };
          forgetful();
          const lose = replica.loseDisk.bind(replica);
          replica.loseDisk = () => {
            lose();
            forgetful();
          };
        }
      },
    });
    expect(violation?.invariant).toBe("a log begins with a checkpoint that is there");
  });
});
