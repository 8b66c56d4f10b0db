/** sky.audit.v1: the log as a stream, and proofs about it. Contract: proto/sky/audit/v1/audit.proto. */
import type { ServerWritableStream, handleServerStreamingCall } from "@grpc/grpc-js";
import { type Aid, type CommandId, type Height, height as heightOf } from "../../base/brands.ts";
import { digestBytes, digestOf, toHex } from "../../base/bytes.ts";
import { type No, type Result, ok, refuse } from "../../base/result.ts";
import { decodeProof } from "../../events/facts/proof.ts";
import { HEADER_BYTES_MAX, headerShape } from "../../events/facts/block.ts";
import { decode } from "../../base/codec.ts";
import { blockHash } from "../../events/facts/hashing.ts";
import type * as Wire from "../../wire/generated/sky/audit/v1/audit.ts";
import { type AuditServiceServer, AuditServiceService } from "../../wire/generated/sky/audit/v1/audit.ts";
import * as graph from "../../wire/sky-graph.ts";
import { errorOf } from "../../wire/status.ts";
import { strictService } from "../../wire/strict-service.ts";
import type { Ask, LogEnds, LoggedBlock } from "../proofs/worker-protocol.ts";
import { PROOF_DEADLINE_MS, deadlineOf, undecodable } from "./call.ts";
import type { CallerOf, PeerCall } from "./oracle-port.ts";
import { written } from "./parts.ts";
import { ProofCalls } from "./proof-calls.ts";

/** Requests decoded strictly. */
export const auditService = strictService(AuditServiceService);

/** What the service asks of a node. All of it happens in a worker of its own. */
export interface AuditPort {
  height(): Height;
  /** Auditors and administrators. */
  mayAudit(aid: Aid): boolean;
  prove(ask: Ask, untilMs: number): Promise<Result<Uint8Array>>;
  blocks(from: Height, to: Height): Promise<Result<readonly LoggedBlock[]>>;
  ends(): Promise<Result<LogEnds>>;
}

export interface AuditContext {
  readonly audit: AuditPort;
  readonly callerOf: CallerOf;
  /** Told of every error thrown while a call was handled; the caller has been answered DEFECT. */
  readonly onDefect: (error: unknown) => void;
  /** A consumer of a stream that takes nothing for so long is closed. Units: ms; 30 s unless given. */
  readonly slowMs?: number;
}

/** ReadLog calls at once. */
const READERS_MAX = 8;
/** Of a message of ReadLog, but for one item that alone is larger. */
const MESSAGE_BYTES = 1024 * 1024;

const DEFECT = refuse("DEFECT", "The node failed while it answered; its log says where. Ask another node.", "none");

/** Handlers, to be added with auditService. */
export function audit(context: AuditContext): AuditServiceServer {
  const { audit: port, onDefect } = context;
  let readers = 0;
  const proofs = new ProofCalls();
  const ended = (call: { emit(event: "error", error: unknown): boolean }, refusal: No["refusal"]): void =>
    void call.emit("error", errorOf(refusal, port.height()));
  const streaming =
    <Request, Reply>(
      work: (call: ServerWritableStream<Request, Reply>) => Promise<Result<void>>,
    ): handleServerStreamingCall<Request, Reply> =>
    (call) => {
      const broken = undecodable(call.request) ?? refusedCaller(context, call);
      const answered = broken === undefined ? work(call) : Promise.resolve(broken);
      answered.then(
        (result) => {
          if (result.ok) call.end();
          else if (!call.cancelled) ended(call, result.refusal);
        },
        (error: unknown) => {
          onDefect(error);
          ended(call, DEFECT.refusal);
        },
      );
    };
  return {
    readLog: streaming(async (call) => {
      if (readers >= READERS_MAX)
        return refuse("OVERLOADED", "This node's log has too many readers; ask another one.", "none");
      readers += 1;
      try {
        return await readLog(context, call);
      } finally {
        readers -= 1;
      }
    }),
    head: (call, reply) => {
      const broken = undecodable(call.request) ?? refusedCaller(context, call);
      const answered = broken === undefined ? head(context, call) : Promise.resolve(broken);
      answered.then(
        (result) => (result.ok ? reply(null, result.value) : reply(errorOf(result.refusal, port.height()))),
        (error: unknown) => {
          onDefect(error);
          reply(errorOf(DEFECT.refusal, port.height()));
        },
      );
    },
    prove: streaming(async (call: ServerWritableStream<Wire.ProveRequest, Wire.ProveResponse>) => {
      const ask = askOf(call.request);
      return ask.ok ? sendProof(context, proofs, call, ask.value) : ask;
    }),
    proveConsistency: streaming(
      async (call: ServerWritableStream<Wire.ProveConsistencyRequest, Wire.ProveConsistencyResponse>) => {
        const { height, hash } = call.request;
        if (hash.length !== 32) return refuse("MALFORMED", "A block's hash has 32 bytes.");
        return sendProof(context, proofs, call, {
          kind: "consistency",
          height: graph.heightOf(height),
          hash: digestOf(new Uint8Array(hash)),
        });
      },
    ),
  };
}

/** Why somebody may not audit; undefined who may. */
function refusedCaller({ callerOf, audit: port }: AuditContext, call: PeerCall): No | undefined {
  const caller = callerOf(call);
  if (!caller.ok) return caller;
  if (port.mayAudit(caller.value.aid)) return undefined;
  return refuse(
    "PERMISSION_DENIED",
    "Reading the log and proving from it needs sky:cluster#audit; ask an administrator to grant it.",
  );
}

function askOf({ what, withoutEffects }: Wire.ProveRequest): Result<Ask> {
  const withEffects = !withoutEffects;
  switch (what?.$case) {
    case "height":
      return ok({ kind: "inclusion", height: graph.heightOf(what.height), subject: { kind: "block" }, withEffects });
    case "fact": {
      const { height, index, n } = what.fact;
      const subject = { kind: "fact", index: Number(index), n: Number(n) } as const;
      if (!withEffects) return refuse("MALFORMED", "A fact is what was done: it has no proof without effects.");
      return ok({ kind: "inclusion", height: graph.heightOf(height), subject, withEffects });
    }
    case "command": {
      const { author, id, height } = what.command;
      if (id.length !== 16) return refuse("MALFORMED", "A command's id has 16 bytes.");
      return ok({
        kind: "command",
        author: author as Aid,
        id: toHex(new Uint8Array(id)) as CommandId,
        height: height === undefined ? null : graph.heightOf(height),
        withEffects,
      });
    }
    case undefined:
      return refuse("MALFORMED", "Say what is to be proven: a height, a fact or a command.");
  }
}

/** A proof in parts. */
async function sendProof(
  { audit: port, callerOf, slowMs }: AuditContext,
  proofs: ProofCalls,
  call: ServerWritableStream<unknown, { part: Buffer }>,
  ask: Ask,
): Promise<Result<void>> {
  const caller = callerOf(call);
  if (!caller.ok) return caller;
  const untilMs = deadlineOf(call, PROOF_DEADLINE_MS) - PROOF_DEADLINE_MS.margin;
  return proofs.give(caller.value.aid, call, () => port.prove(ask, untilMs), slowMs);
}

async function head(
  { audit: port }: AuditContext,
  call: { getDeadline(): Date | number },
): Promise<Result<Wire.HeadResponse>> {
  const [ends, proof] = await Promise.all([
    port.ends(),
    port.prove({ kind: "head" }, deadlineOf(call, PROOF_DEADLINE_MS) - PROOF_DEADLINE_MS.margin),
  ]);
  if (!ends.ok) return ends;
  if (!proof.ok) return proof;
  const opened = decodeProof(proof.value);
  const certified = opened.ok && opened.value.proof.kind === "head" ? opened.value.proof.head : undefined;
  const header = certified && decode(headerShape, certified.header, HEADER_BYTES_MAX);
  if (certified === undefined || header?.ok !== true) return DEFECT;
  const { newest, gap } = ends.value;
  return ok({
    proof: Buffer.from(proof.value),
    height: BigInt(header.value.height),
    hash: Buffer.from(digestBytes(blockHash(certified.header))),
    newestHeight: BigInt(newest),
    gap: gap === null ? undefined : { below: BigInt(gap.below), begins: BigInt(gap.begins) },
  });
}

async function readLog(
  { audit: port, slowMs }: AuditContext,
  call: ServerWritableStream<Wire.ReadLogRequest, Wire.ReadLogResponse>,
): Promise<Result<void>> {
  const { fromHeight, toHeight } = call.request;
  let from = graph.heightOf(fromHeight);
  const ends = await port.ends();
  if (!ends.ok) return ends;
  const last = heightOf(Math.min(ends.value.newest, toHeight === undefined ? ends.value.newest : Number(toHeight)));
  if (from > ends.value.newest) return refuse("HEIGHT_UNKNOWN", `This node's log ends at height ${ends.value.newest}.`);
  while (from <= last) {
    const page = await port.blocks(from, last);
    if (!page.ok) return page;
    const newest = page.value.at(-1);
    if (newest === undefined) return ok(undefined); // blocks that are not fetched yet
    for (const items of messagesOf(page.value)) {
      const stopped = await written(call, { items }, slowMs);
      if (stopped !== undefined) return stopped;
    }
    from = heightOf(newest.height + 1);
  }
  return ok(undefined);
}

/** Items of about MESSAGE_BYTES together, in order. */
function* messagesOf(blocks: readonly LoggedBlock[]): Generator<Wire.LogItem[]> {
  let items: Wire.LogItem[] = [];
  let bytes = 0;
  for (const item of itemsOf(blocks)) {
    const size = sizeOf(item);
    if (items.length > 0 && bytes + size > MESSAGE_BYTES) {
      yield items;
      [items, bytes] = [[], 0];
    }
    items.push(item);
    bytes += size;
  }
  if (items.length > 0) yield items;
}

function* itemsOf(blocks: readonly LoggedBlock[]): Generator<Wire.LogItem> {
  for (const { height, header, body, finality, bundles } of blocks) {
    const block = {
      height: BigInt(height),
      header: Buffer.from(header),
      body: Buffer.from(body),
      finality: Buffer.from(finality),
    };
    yield { item: { $case: "block", block } };
    for (const bundle of bundles) yield { item: { $case: "bundle", bundle: Buffer.from(bundle) } };
  }
}

function sizeOf({ item }: Wire.LogItem): number {
  if (item?.$case === "bundle") return item.bundle.length;
  return item === undefined ? 0 : item.block.header.length + item.block.body.length + item.block.finality.length;
}
