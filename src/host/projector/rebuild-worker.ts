/**
 * Entry of the worker that builds another projection beside the one that serves. It works in short turns and pauses between them, so that
 * the node keeps the rest of the machine; it reads the log and the serving projection, and writes nothing but its own file.
 */
import { workerData } from "node:worker_threads";
import { Projector } from "../../actors/projector/projector.ts";
import { Fault } from "../../base/errors.ts";
import { openSqlite } from "../../events/store/sqlite.ts";
import { CheckpointStore } from "../checkpoints/checkpoint-store.ts";
import { Outbox } from "../consensus/outbox.ts";
import { reclaimOnce } from "../node/reclaim.ts";
import { type TableDifference, compareProjections } from "./compare.ts";
import type { FromRebuilder, RebuildWorkerData, ToRebuilder } from "./rebuild-protocol.ts";
import { Rebuilder } from "./rebuilder.ts";

/** So close to the serving projection the copy is compared with it. Units: blocks. */
const CLOSE_BLOCKS = 64;
/** Work between two pauses, at least. Units: ms. */
const TURN_MS = 10;

const data = workerData as RebuildWorkerData;
const host = new Outbox<FromRebuilder>(data.port);
let target = data.target;
let finish: number | undefined;
let isAbandoned = false;
let wake = (): void => {};

data.port.on("message", (messages: readonly ToRebuilder[]) => {
  for (const message of messages) {
    if (message.kind === "abandon") isAbandoned = true;
    else target = message.height;
    if (message.kind === "finish") finish = message.height;
  }
  wake();
});

/** Of the time, for the blocks that came while it worked: with less it might never catch up with a busy cluster. */
const LATE_SHARE = 0.9;

/** Runs turns of work; after each the thread rests, so long that it works for its share of the time. */
class Pace {
  #began = performance.now();
  share = data.share;

  async rest(): Promise<void> {
    const worked = performance.now() - this.#began;
    if (worked < TURN_MS && finish === undefined) return;
    const pauseMs = finish === undefined ? (worked * (1 - this.share)) / this.share : 0; // at the end the node waits for it
    await new Promise<void>((resolve) => void setTimeout(resolve, pauseMs));
    this.#began = performance.now();
  }
}

const pace = new Pace();

async function catchUp(rebuilder: Rebuilder, goal: () => number): Promise<void> {
  while (rebuilder.height < goal() && !isAbandoned) {
    rebuilder.step(goal());
    host.post({ kind: "progress", height: rebuilder.height, target });
    await pace.rest();
  }
}

/** From a snapshot of the serving projection, which goes on meanwhile. */
async function compare(rebuilder: Rebuilder): Promise<void> {
  const reader = openSqlite(data.serving, { store: "PROJECTION", synchronous: "normal" });
  try {
    reader.exec("BEGIN"); // the snapshot is taken with the first read
    const serving = new Projector(reader).roots();
    await catchUp(rebuilder, () => serving.height);
    if (isAbandoned) return;
    rebuilder.verify();
    const own = rebuilder.roots();
    if (serving.executed !== own.executed)
      throw new Fault(
        "REBUILD_DIVERGED",
        `At height ${own.height} the serving projection stands for root ${serving.executed}, and the log executes to ${own.executed}.`,
      );
    const isAlike = JSON.stringify(serving.rows) === JSON.stringify(own.rows);
    const differences = isAlike ? [] : await difference(rebuilder, reader);
    host.post({ kind: "compared", height: own.height, differences });
  } finally {
    reader.close();
  }
}

async function difference(
  rebuilder: Rebuilder,
  reader: ReturnType<typeof openSqlite>,
): Promise<readonly TableDifference[]> {
  const work = compareProjections(reader, rebuilder.db);
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    await pace.rest();
    if (isAbandoned) {
      work.return([]);
      return [];
    }
  }
}

/** Follows the log until it is told where to stand still. */
async function follow(rebuilder: Rebuilder): Promise<void> {
  while (finish === undefined && !isAbandoned) {
    await catchUp(rebuilder, () => target);
    if (finish !== undefined || isAbandoned || rebuilder.height < target) continue;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
  if (finish !== undefined) await catchUp(rebuilder, () => finish ?? target);
}

async function run(): Promise<void> {
  const { path, from, log, cluster, checkpoints, reserveBytes } = data;
  const rebuilder = new Rebuilder({
    path,
    from,
    log,
    cluster,
    checkpoints: new CheckpointStore(checkpoints),
    reserveBytes,
  });
  try {
    reclaimOnce();
    await catchUp(rebuilder, () => data.target);
    pace.share = Math.max(data.share, LATE_SHARE);
    await catchUp(rebuilder, () => target - CLOSE_BLOCKS);
    if (!isAbandoned) await compare(rebuilder);
    await follow(rebuilder);
  } catch (error) {
    rebuilder.abandon();
    throw error;
  }
  if (isAbandoned) {
    rebuilder.abandon();
    return host.post({ kind: "abandoned" });
  }
  const roots = rebuilder.roots();
  rebuilder.close();
  host.post({ kind: "finished", roots });
}

function failureOf(error: unknown): FromRebuilder {
  const message = error instanceof Error ? error.message : String(error);
  const code =
    error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "REBUILD_FAILED";
  return {
    kind: "failed",
    code: /^SQLITE_(FULL|IOERR_WRITE)/.test(code) || code === "ENOSPC" ? "REBUILD_NO_ROOM" : code,
    message,
  };
}

await run().catch((error: unknown) => host.post(failureOf(error)));
host.flush();
data.port.close();
