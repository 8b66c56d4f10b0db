/** Entry of the projector worker: blocks that wait are applied together, one transaction at a time. */
import { workerData } from "node:worker_threads";
import type { Digest } from "../../base/brands.ts";
import { height as heightOf } from "../../base/brands.ts";
import type { ProjectedBlock } from "../../actors/projector/projector.ts";
import { present } from "../../base/errors.ts";
import { segmentsRoot } from "../../events/facts/checkpoint.ts";
import { CheckpointStore } from "../checkpoints/checkpoint-store.ts";
import { CheckpointWriter } from "../checkpoints/checkpoint-writer.ts";
import { Outbox } from "../consensus/outbox.ts";
import { openProjection } from "./database.ts";
import type { FromProjector, ProjectorWorkerData, ToProjector } from "./worker-protocol.ts";
import { reclaimOnce } from "../node/reclaim.ts";

/** Blocks of one transaction at most, so that questions are not kept waiting. */
const BLOCKS_PER_TRANSACTION = 64;

const data = workerData as ProjectorWorkerData;
const host = new Outbox<FromProjector>(data.port);
const { every, members, begins } = data.checkpoints;
const store = new CheckpointStore(data.checkpoints.directory);
const { db, projector, rebuilt } = openProjection(data.path, begins === null ? null : { store, begins });
const writer = new CheckpointWriter(data.path, store, members);
const waiting: ProjectedBlock[] = [];
let isStopping = false;
/** The checkpoint that the log begins with. */
let kept = begins;

/** Blocks up to the next checkpoint at most: its state is the one after that block and before the next. */
function work(): void {
  const due = (Math.floor(Math.max(0, projector.height) / every) + 1) * every;
  const count = waiting.findIndex(({ height }) => height > due);
  const blocks = waiting.splice(0, Math.min(BLOCKS_PER_TRANSACTION, count < 0 ? waiting.length : count));
  if (blocks.length === 0 || isHeldUp(due, blocks)) return void waiting.unshift(...blocks);
  projector.apply(blocks);
  host.post({ kind: "projected", height: heightOf(projector.height) });
  if (projector.height === due && !isStopping) writeCheckpoint();
  if (waiting.length > 0) setImmediate(work);
}

/** Only when a checkpoint takes longer to write than C blocks to come: the projector waits for it and may lag. */
const isHeldUp = (due: number, blocks: readonly ProjectedBlock[]): boolean =>
  writer.isBusy && blocks.at(-1)?.height === due;

function writeCheckpoint(): void {
  const height = heightOf(projector.height);
  const root = present(projector.ledger.blockAt(height), "just applied").root;
  writer.start(height, root, (written) => {
    store.prune(kept);
    host.post({ kind: "checkpointWritten", ...written });
    if (waiting.length > 0) setImmediate(work);
  });
}

/** The newest whole checkpoint whose root is known: its statement may be needed again. */
function tellNewest(): void {
  const height = store.heights().at(-1);
  const segments = height === undefined ? undefined : store.segmentsOf(height);
  const root = height === undefined ? undefined : projector.ledger.blockAt(height)?.root;
  if (height === undefined || segments === undefined || root === undefined) return;
  host.post({ kind: "checkpointWritten", height, root, segments: segmentsRoot(segments) });
}

function take(message: ToProjector): void {
  switch (message.kind) {
    case "project":
      if (message.block.height <= projector.height) return; // executed again after a restart of the host's state
      waiting.push(message.block);
      if (waiting.length === 1) setImmediate(work);
      return;
    case "checkAt": {
      const answer = projector.checkAt(message.height, message.assertions);
      return host.post({ kind: "checkedAt", id: message.id, answer });
    }
    case "explainAt": {
      const answer = projector.explainAt(message.height, message.assertion);
      return host.post({ kind: "explainedAt", id: message.id, answer });
    }
    case "askKerl":
      return host.post({ kind: "kerlAnswered", id: message.id, answer: projector.askKerl(message.question) });
    case "keepCheckpoint":
      kept = message.height;
      return;
    case "stop":
      isStopping = true;
      writer.stop(); // this member makes no statement of what was not written
      while (waiting.length > 0) work();
      db.close();
      host.post({ kind: "stopped" });
      host.flush();
      data.port.close();
  }
}

const last = projector.height < 0 ? undefined : projector.ledger.blockAt(heightOf(projector.height));
host.post({ kind: "opened", height: projector.height, hash: (last?.hash ?? null) as Digest | null, rebuilt });
tellNewest();
data.port.on("message", (messages: readonly ToProjector[]) => messages.forEach(take));
reclaimOnce();
