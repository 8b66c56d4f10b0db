/**
 * Logs that clusters of the simulator wrote, under faults and a Byzantine member, with real signatures on real SQLite: `sky verify` finds each of
 * them sound, with nullified views, proofs of descendants, checkpoints and identifiers that rotate.
 */
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { RawLog } from "../../src/events/store/raw-log.ts";
import { StoredSource } from "../../tools/replay/directory.ts";
import { ReplayFailure } from "../../tools/replay/failure.ts";
import { replay } from "../../tools/replay/replay.ts";
import { runSeed } from "../../tools/sim/simulation.ts";
import { SqliteDisk } from "../../tools/sim/sqlite-disk.ts";

interface Verdict {
  readonly member: number;
  readonly verdict: string;
  readonly heights: number;
  readonly commands: number;
}

async function verdictOf(member: number, file: Buffer): Promise<Verdict> {
  let [heights, commands] = [0, 0];
  try {
    const log = new StoredSource(`member ${member}`, new RawLog(new Database(file), "memory"));
    for await (const block of replay(log)) {
      heights = block.height;
      commands += block.commands.length;
    }
    return { member, verdict: "sound", heights, commands };
  } catch (error) {
    if (!(error instanceof ReplayFailure)) throw error;
    return { member, verdict: `${error.code}: ${error.message}`, heights, commands };
  }
}

/** The simulation gives its disks back when it ends: what a member's then holds is kept. */
function keepAtClose(member: number, { connection }: SqliteDisk, files: Map<number, Buffer>): void {
  const close = connection.close.bind(connection);
  connection.close = () => {
    files.set(member, connection.serialize());
    return close();
  };
}

test.each([7, 21])("seed %i: the logs of all members hold", async (seed) => {
  const files = new Map<number, Buffer>();
  const outcome = runSeed({
    seed,
    mode: "liveness",
    minutes: 0.25,
    byzantine: 1,
    faults: ["crash", "powerCut", "partition", "isolation", "slowLink", "pause"],
    extras: ["ed25519", "sqlite", "graph", "keys", "checkpoints"],
    tamper: (made) => {
      for (const { member, disk } of made.replicas) if (disk instanceof SqliteDisk) keepAtClose(member, disk, files);
    },
  });
  expect(outcome.violation).toBeUndefined();
  const verdicts: Verdict[] = [];
  for (const [member, file] of files) verdicts.push(await verdictOf(member, file));
  const sound = verdicts.filter(({ verdict }) => verdict === "sound");
  // One that came back by a checkpoint may still lack old blocks, and says so.
  expect(verdicts.filter(({ verdict }) => verdict !== "sound" && !verdict.startsWith("LOG_INCOMPLETE"))).toEqual([]);
  expect(sound.length).toBeGreaterThanOrEqual(3);
  expect(Math.max(...sound.map(({ commands }) => commands))).toBeGreaterThan(20);
});
