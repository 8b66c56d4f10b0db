/** The invariants bite: whatever is broken on purpose is found, by the rule that it breaks. */
import { expect, test } from "vitest";
import { digestOf } from "../../src/base/bytes.ts";
import type { LogBatch } from "../../src/events/store/log-batch.ts";
import type { MemoryLog } from "../../tools/sim/memory-log.ts";
import { MemoryDisk } from "../../tools/sim/disk.ts";
import type { NodeProcess } from "../../tools/sim/process.ts";
import { runSeed } from "../../tools/sim/simulation.ts";
import type { World } from "../../tools/sim/world.ts";

const CALM = { seed: 7, nodes: 4, byzantine: 0, faults: [], minutes: 0.2, mode: "safety" } as const;

const brokenBy = (tamper: (world: World) => void): string | undefined =>
  runSeed({ ...CALM, tamper }).violation?.invariant;

/** Changes what the log of the first replica does with each batch. */
function tamperBatches(world: World, change: (batch: LogBatch) => LogBatch | undefined): void {
  const [replica] = world.replicas;
  if (replica === undefined || !(replica.disk instanceof MemoryDisk)) throw new Error("a replica on a memory disk");
  const { disk } = replica;
  const open = disk.open.bind(disk);
  disk.open = (...given) => {
    const log = open(...given) as MemoryLog;
    const commit = log.commit.bind(log);
    log.commit = (batch) => {
      const changed = change(batch);
      if (changed !== undefined) commit(changed);
    };
    return log;
  };
}

/** Runs something with a process of the first replica, once some blocks are final. */
function afterAWhile(world: World, act: (process: NodeProcess, world: World) => void): void {
  world.scheduler.at(6000, () => {
    const process = world.replicas[0]?.process;
    if (process === undefined) throw new Error("the first replica is up");
    act(process, world);
  });
}

test("nothing tampered with, nothing found", () => {
  expect(brokenBy(() => {})).toBeUndefined();
});

test("a journal that forgets votes: sent before it was durable", () => {
  const found = brokenBy((world) =>
    tamperBatches(world, (batch) => {
      const { journal, ...rest } = batch;
      return { ...rest, journal: journal?.filter(({ kind }) => kind !== "vote") ?? [] };
    }),
  );
  expect(found).toBe("durable before sending");
});

test("a journal that forgets certificates: a member goes on from what no disk holds", () => {
  const found = brokenBy((world) =>
    tamperBatches(world, (batch) => ({
      ...batch,
      journal: batch.journal?.filter(({ kind }) => kind !== "certificate") ?? [],
    })),
  );
  expect(found).toBe("certificates are durable");
});

test("a journal that does not give back a certificate at the next start", () => {
  const { violation } = runSeed({
    ...CALM,
    tamper: ({ replicas, scheduler }) => {
      const [replica] = replicas;
      if (replica === undefined) throw new Error("a first replica");
      const open = replica.disk.open.bind(replica.disk);
      replica.disk.open = (...given) => {
        const log = open(...given) as MemoryLog;
        const journal = log.journal.bind(log);
        log.journal = (of) => journal(of).filter(({ kind }) => kind !== "certificate");
        return log;
      };
      const killWhenItHoldsOne = (): void => {
        const context = replica.process?.context;
        const views = Object.keys({ ...context?.notarizations, ...context?.nullifications });
        if (!views.some((view) => Number(view) > (context?.final.view ?? 0)))
          return void scheduler.at(scheduler.now + 0.2, killWhenItHoldsOne);
        replica.kill("it holds a certificate");
        replica.bootLater(0);
      };
      killWhenItHoldsOne();
    },
  });
  expect(violation?.invariant).toBe("certificates are durable");
});

test("two votes in one view break rule 8", () => {
  const found = brokenBy((world) =>
    tamperBatches(world, (batch) => {
      const vote = batch.journal?.find(({ kind, key }) => kind === "vote" && key.startsWith("notarize/"));
      if (batch.journal === undefined || vote === undefined) return batch;
      return { ...batch, journal: [...batch.journal, { ...vote, key: `notarize/${"ab".repeat(32)}` }] };
    }),
  );
  expect(found).toBe("rule 8");
});

test("another final block at a height breaks agreement", () => {
  const found = brokenBy((world) =>
    afterAWhile(world, (process) => {
      const event = process.log?.events(1 as never, { limit: 1, bytesMax: 1 })[0];
      if (event === undefined) throw new Error("some blocks are final by now");
      const other = { ...event, hash: digestOf(new Uint8Array(32).fill(7)) };
      world.invariants.written(process.replica, {
        kind: "commit",
        batch: { append: { expected: event.height, events: [other] } },
      });
    }),
  );
  expect(found).toBe("agreement");
});

test("a replica that executes something else is found by its root", () => {
  const found = brokenBy((world) =>
    tamperBatches(world, (batch) =>
      batch.executed === undefined
        ? batch
        : { ...batch, executed: batch.executed.map((one) => ({ ...one, root: digestOf(new Uint8Array(32).fill(9)) })) },
    ),
  );
  expect(found).toBe("executed roots are equal");
});

test("a member that meets a defect of ours is found", () => {
  const found = brokenBy((world) =>
    afterAWhile(world, (process) =>
      process.step(() => {
        throw new TypeError("a defect");
      }),
    ),
  );
  expect(found).toBe("no member meets a defect");
});

test("a quorum that is gone for good is no progress", () => {
  const { violation } = runSeed({
    ...CALM,
    mode: "liveness",
    tamper: (world) => {
      for (const replica of world.replicas.slice(0, 2)) replica.boot = () => {};
    },
  });
  expect(violation?.invariant).toBe("progress");
});
