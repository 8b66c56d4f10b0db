/** Entry of the notary worker: proofs and pages of the log, beside the node's service. It writes nothing and holds nobody up. */
import { workerData } from "node:worker_threads";
import { type Height, height as heightOf } from "../../base/brands.ts";
import { decode, encode } from "../../base/codec.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { BODY_BYTES_MAX, type LogEvent, bodyShape, finalityProofShape } from "../../events/facts/block.ts";
import { electorateOf } from "../../events/facts/finality.ts";
import { blockHash, bodyHash, bundleDigest } from "../../events/facts/hashing.ts";
import { orderedBundle } from "../../actors/consensus/synchronisation.ts";
import { type LogReader, openLogReader } from "../../events/store/log-reader.ts";
import { demand } from "../enclave/node-files.ts";
import { openFounding } from "../founding/document.ts";
import { Notary } from "./notary.ts";
import { ProofQueue, type ProofWork, told } from "./proof-queue.ts";
import type { Ask, FromNotary, LogEnds, LoggedBlock, NotaryWorkerData, ToNotary } from "./worker-protocol.ts";

/** A page: what one message of a stream carries. */
const PAGE = { limit: 256, bytesMax: 1024 * 1024 } as const;

const data = workerData as NotaryWorkerData;
const log: LogReader = openLogReader(data.log, { header: blockHash, body: bodyHash, bundle: bundleDigest });
const notary = new Notary(log, electorateOf(demand(openFounding(data.founding))));

const post = (message: FromNotary): void => data.port.postMessage(message);

const proofs = new ProofQueue({
  begin: working,
  answer: (id, answer) => post({ kind: "proven", id, answer }),
  now: () => Date.now(),
});
let isDue = false;
let isStopped = false;

function* working(ask: Ask): ProofWork {
  if (ask.kind !== "command") return yield* notary.prove(ask);
  const { author, id, withEffects } = ask;
  const height = ask.height ?? (yield* notary.find(author, id));
  if (height === undefined)
    return refuse("NOT_FOUND", `No command ${id} of ${author} is in the newest blocks; ask with its height.`);
  return yield* notary.prove({ kind: "inclusion", height, subject: { kind: "command", author, id }, withEffects });
}

function soon(): void {
  if (isDue || proofs.isEmpty) return;
  isDue = true;
  setImmediate(() => {
    isDue = false;
    if (isStopped) return; // its files are closed
    proofs.turn();
    soon();
  });
}

function blocks(from: Height, to: Height): Result<readonly LoggedBlock[]> {
  const head = log.head()?.height ?? heightOf(0);
  if (from > head) return refuse("HEIGHT_UNKNOWN", `This node's log ends at height ${head}.`);
  const limit = Math.min(PAGE.limit, Math.min(to, head) - from + 1);
  const page: LoggedBlock[] = [];
  let bytes = 0;
  for (const event of log.events(from, { ...PAGE, limit })) {
    const logged = loggedOf(event);
    page.push(logged);
    bytes += logged.body.length + logged.bundles.reduce((sum, bundle) => sum + bundle.length, 0);
    if (bytes > PAGE.bytesMax) break;
  }
  return ok(page);
}

function loggedOf({ height, block, proof }: LogEvent): LoggedBlock {
  const body = decode(bodyShape, block.body, BODY_BYTES_MAX);
  const digests = body.ok && body.value.kind === "executions" ? body.value.bundles : [];
  const bundles = digests.map((digest) => orderedBundle(log, height, digest));
  return { height, header: block.header, body: block.body, finality: encode(finalityProofShape, proof), bundles };
}

const ends = (): Result<LogEnds> => ok({ newest: log.head()?.height ?? heightOf(0), gap: log.gap() ?? null });

data.port.on("message", (message: ToNotary) => {
  switch (message.kind) {
    case "prove":
      proofs.add(message);
      return soon();
    case "blocks":
      return post({ kind: "blocks", id: message.id, answer: told(() => blocks(message.from, message.to)) });
    case "ends":
      return post({ kind: "ends", id: message.id, answer: told(ends) });
    case "stop":
      isStopped = true;
      notary.close();
      log.close();
      data.port.close();
  }
});
