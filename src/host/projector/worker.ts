/** Entry of the projector worker: blocks that wait are applied together, one transaction at a time. */
import { dirname } from "node:path";
import { workerData } from "node:worker_threads";
import type { Digest, Height } from "../../base/brands.ts";
import { height as heightOf } from "../../base/brands.ts";
import type { ProjectedBlock } from "../../actors/projector/projector.ts";
import { present } from "../../base/errors.ts";
import { segmentsRoot } from "../../events/facts/checkpoint.ts";
import { CheckpointStore } from "../checkpoints/checkpoint-store.ts";
import { CheckpointWriter } from "../checkpoints/checkpoint-writer.ts";
import { Slices } from "../inspector/slices.ts";
import { runOut } from "../inspector/queries-difference.ts";
import { answeringState, heightAsked } from "../inspector/state-questions.ts";
import type { Answer } from "../inspector/source.ts";
import { Outbox } from "../consensus/outbox.ts";
import { openJudged, openProjection } from "./database.ts";
import { projectionFiles, settleProjectionFiles } from "./exchange.ts";
import { Judgement } from "./judgement.ts";
import type { FromProjector, ProjectorWorkerData, ToProjector } from "./worker-protocol.ts";
import { reclaimOnce } from "../node/reclaim.ts";

/** Blocks of one transaction at most, so that questions are not kept waiting. */
const BLOCKS_PER_TRANSACTION = 64;

const data = workerData as ProjectorWorkerData;
const host = new Outbox<FromProjector>(data.port);
const { every, members, begins } = data.checkpoints;
const store = new CheckpointStore(data.checkpoints.directory);
const files = projectionFiles(dirname(data.path));
settleProjectionFiles(files);
const opened = openProjection(data.path, begins === null ? null : { store, begins });
let { db, projector } = opened;
const judgement = new Judgement({
  path: data.path,
  db,
  isJudged: opened.isJudged,
  judged: (defect) => {
    if (defect !== null) host.post({ kind: "damaged", reason: defect });
  },
});
const writer = new CheckpointWriter(data.path, store, members);
const waiting: ProjectedBlock[] = [];
/** Questions about blocks that wait, or while the file is closed. */
let asked: (() => void)[] = [];
const differences = new Slices();
let isStopping = false;
/** asked: held as soon as no checkpoint is being written from this file. */
let standing: "working" | "asked" | "held" | "released" = "working";
/** The checkpoint that the log begins with. */
let kept = begins;

/** Blocks up to the next checkpoint at most: its state is the one after that block and before the next. */
function work(): void {
  if (standing === "held" || standing === "released") return;
  const due = (Math.floor(Math.max(0, projector.height) / every) + 1) * every;
  const count = waiting.findIndex(({ height }) => height > due);
  const blocks = waiting.splice(0, Math.min(BLOCKS_PER_TRANSACTION, count < 0 ? waiting.length : count));
  if (blocks.length === 0 || isHeldUp(due, blocks)) return void waiting.unshift(...blocks);
  projector.apply(blocks);
  host.post({ kind: "projected", height: heightOf(projector.height) });
  answerAsked();
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
    if (standing === "asked") hold();
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

/** A question about a block that was handed over is answered once that is applied. */
function answerWhenKnown(height: number, answer: () => void): void {
  const isComing = height > projector.height && height <= (waiting.at(-1)?.height ?? -1);
  if (standing === "released" || isComing) asked.push(() => answerWhenKnown(height, answer));
  else answer();
}

function answerAsked(): void {
  const questions = asked;
  asked = [];
  for (const question of questions) question();
}

function hold(): void {
  if (writer.isBusy) {
    standing = "asked";
    return;
  }
  standing = "held";
  host.post({ kind: "held", roots: projector.roots() });
}

function resume(): void {
  standing = "working";
  answerAsked();
  if (waiting.length > 0) setImmediate(work);
}

function release(): void {
  standing = "released";
  differences.end();
  judgement.release();
  db.close();
  host.post({ kind: "released" });
}

/** Stands still until it is told to go on. The rows were judged where they were written, or when the file was opened before. */
function reopen(isOther: boolean): void {
  ({ db, projector } = openJudged(data.path));
  judgement.reopened(db, isOther);
  standing = "held";
  host.post({ kind: "reopened", height: projector.height });
  answerAsked();
  if (isOther) settleProjectionFiles(files);
}

/** What waits is applied, but where another file is about to stand: then it comes again from the log. */
function stop(): void {
  isStopping = true;
  writer.stop(); // this member makes no statement of what was not written
  if (standing === "released") waiting.length = 0;
  else {
    standing = "working";
    while (waiting.length > 0) work();
    answerAsked();
    differences.end();
    judgement.close();
  }
  host.post({ kind: "stopped" });
  host.flush();
  data.port.close();
}

function take(message: ToProjector): void {
  switch (message.kind) {
    case "project":
      if (message.block.height <= projector.height) return; // executed again after a restart of the host's state
      waiting.push(message.block);
      if (waiting.length === 1) setImmediate(work);
      return;
    case "checkAt":
      return answerWhenKnown(message.height, () => {
        const answer = projector.checkAt(message.height, message.assertions);
        host.post({ kind: "checkedAt", id: message.id, answer });
      });
    case "explainAt":
      return answerWhenKnown(message.height, () => {
        const answer = projector.explainAt(message.height, message.assertion);
        host.post({ kind: "explainedAt", id: message.id, answer });
      });
    case "askState":
      return answerWhenKnown(heightAsked(message.question), () => {
        const state = { db, height: projector.height, rootAt: (at: Height) => projector.ledger.blockAt(at)?.root };
        const reply = (answer: Answer<unknown>): void => host.post({ kind: "stateAnswered", id: message.id, answer });
        const work = answeringState(state, message.question);
        if (message.question.kind === "difference") differences.begin(work, reply);
        else reply(runOut(work));
      });
    case "askKerl":
      return answerWhenKnown(message.question.height, () => {
        host.post({ kind: "kerlAnswered", id: message.id, answer: projector.askKerl(message.question) });
      });
    case "keepCheckpoint":
      kept = message.height;
      return;
    case "hold":
      return hold();
    case "resume":
      return resume();
    case "release":
      return release();
    case "reopen":
      return reopen(message.isOther);
    case "stop":
      return stop();
  }
}

const last = projector.height < 0 ? undefined : projector.ledger.blockAt(heightOf(projector.height));
host.post({
  kind: "opened",
  height: projector.height,
  hash: (last?.hash ?? null) as Digest | null,
  rebuilt: opened.rebuilt,
});
tellNewest();
data.port.on("message", (messages: readonly ToProjector[]) => messages.forEach(take));
reclaimOnce();
