/** Entry of the notary worker: proofs and pages of the log, beside the node's service. It writes nothing and holds nobody up. */
import { workerData } from "node:worker_threads";
import { type Height, height as heightOf } from "../../base/brands.ts";
import { decode, encode } from "../../base/codec.ts";
import { Fault } from "../../base/errors.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { BODY_BYTES_MAX, type LogEvent, bodyShape, finalityProofShape } from "../../events/facts/block.ts";
import { electorateOf } from "../../events/facts/finality.ts";
import { blockHash, bodyHash, bundleDigest } from "../../events/facts/hashing.ts";
import { orderedBundle } from "../../actors/consensus/synchronisation.ts";
import { LogDamage } from "../../events/store/damage.ts";
import { type LogReader, openLogReader } from "../../events/store/log-reader.ts";
import { demand } from "../enclave/node-files.ts";
import { openFounding } from "../founding/document.ts";
import { Notary, type NotaryProgress } from "./notary.ts";
import type { Ask, FromNotary, LogEnds, LoggedBlock, NotaryWorkerData, ToNotary } from "./worker-protocol.ts";

/** Between two looks at the mailbox. Units: ms. */
const SLICE_MS = 20;
/** A page: what one message of a stream carries. */
const PAGE = { limit: 256, bytesMax: 1024 * 1024 } as const;

const data = workerData as NotaryWorkerData;
const log: LogReader = openLogReader(data.log, { header: blockHash, body: bodyHash, bundle: bundleDigest });
const notary = new Notary(log, electorateOf(demand(openFounding(data.founding))));

type Proving = Extract<ToNotary, { readonly kind: "prove" }>;
type Work = Generator<NotaryProgress, Result<Uint8Array>>;

const waiting: Proving[] = [];
let current: { readonly asked: Proving; readonly work: Work; isAnswered: boolean } | undefined;
let isDue = false;

const post = (message: FromNotary): void => data.port.postMessage(message);

/** What reading a damaged or failing disk means to whoever asks: that another node may know. Throws: what is no fault of the disk. */
function told<T>(work: () => Result<T>): Result<T> {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof LogDamage) && !(error instanceof Fault)) throw error;
    return refuse("UNAVAILABLE", `This node cannot read its log (${error.message}); ask another one.`, "none");
  }
}

function* working(ask: Ask): Work {
  if (ask.kind !== "command") return yield* notary.prove(ask);
  const { author, id, withEffects } = ask;
  const height = ask.height ?? (yield* notary.find(author, id));
  if (height === undefined)
    return refuse("NOT_FOUND", `No command ${id} of ${author} is in the newest blocks; ask with its height.`);
  return yield* notary.prove({ kind: "inclusion", height, subject: { kind: "command", author, id }, withEffects });
}

/** One slice of the proof in work, then the mailbox again. */
function turn(): void {
  isDue = false;
  const next = current === undefined ? waiting.shift() : undefined;
  if (next !== undefined) current = { asked: next, work: working(next.ask), isAnswered: false };
  if (current === undefined) return;
  const { asked, work } = current;
  const answer = told(() => ok(sliceOf(work)));
  if (!answer.ok || answer.value.done === true) {
    if (!current.isAnswered) post({ kind: "proven", id: asked.id, answer: answer.ok ? doneOf(answer.value) : answer });
    current = undefined;
  } else if (!current.isAnswered && Date.now() > asked.untilMs) {
    current.isAnswered = true; // what is executed stays: whoever asks again waits less
    post({ kind: "proven", id: asked.id, answer: pending(answer.value.value) });
  }
  soon();
}

function sliceOf(work: Work): IteratorResult<NotaryProgress, Result<Uint8Array>> {
  const until = Date.now() + SLICE_MS;
  let step = work.next();
  while (step.done !== true && Date.now() < until) step = work.next();
  return step;
}

const doneOf = (step: IteratorResult<NotaryProgress, Result<Uint8Array>>): Result<Uint8Array> =>
  step.done === true ? step.value : pending(step.value);

const pending = ({ height, to }: NotaryProgress): Result<Uint8Array> =>
  refuse(
    "PROOF_PENDING",
    `The log is being read for it: ${Math.max(0, height)} of ${to} blocks so far. Ask again in a moment.`,
    "none",
  );

function soon(): void {
  if (isDue || (current === undefined && waiting.length === 0)) return;
  isDue = true;
  setImmediate(turn);
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
      waiting.push(message);
      return soon();
    case "blocks":
      return post({ kind: "blocks", id: message.id, answer: told(() => blocks(message.from, message.to)) });
    case "ends":
      return post({ kind: "ends", id: message.id, answer: told(ends) });
    case "stop":
      notary.close();
      log.close();
      post({ kind: "stopped" });
      data.port.close();
  }
});
