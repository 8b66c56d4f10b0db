/** Entry of the projector worker: blocks that wait are applied together, one transaction at a time. */
import { workerData } from "node:worker_threads";
import type { Digest } from "../../base/brands.ts";
import { height as heightOf } from "../../base/brands.ts";
import type { ProjectedBlock } from "../../actors/projector/projector.ts";
import { Outbox } from "../consensus/outbox.ts";
import { openProjection } from "./database.ts";
import type { FromProjector, ProjectorWorkerData, ToProjector } from "./worker-protocol.ts";
import { reclaimOnce } from "../node/reclaim.ts";

/** Blocks of one transaction at most, so that questions are not kept waiting. */
const BLOCKS_PER_TRANSACTION = 64;

const data = workerData as ProjectorWorkerData;
const host = new Outbox<FromProjector>(data.port);
const { db, projector, rebuilt } = openProjection(data.path);
const waiting: ProjectedBlock[] = [];

function work(): void {
  const blocks = waiting.splice(0, BLOCKS_PER_TRANSACTION);
  if (blocks.length === 0) return;
  projector.apply(blocks);
  host.post({ kind: "projected", height: heightOf(projector.height) });
  if (waiting.length > 0) setImmediate(work);
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
    case "stop":
      while (waiting.length > 0) work();
      db.close();
      host.post({ kind: "stopped" });
      host.flush();
      data.port.close();
  }
}

const last = projector.height < 0 ? undefined : projector.ledger.blockAt(heightOf(projector.height));
host.post({ kind: "opened", height: projector.height, hash: (last?.hash ?? null) as Digest | null, rebuilt });
data.port.on("message", (messages: readonly ToProjector[]) => messages.forEach(take));
reclaimOnce();
