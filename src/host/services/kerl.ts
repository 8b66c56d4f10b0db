/** sky.kerl.v1: key events in, key states, receipts, escrows and endpoints out. Contract: proto/sky/kerl/v1/kerl.proto. */
import type { handleUnaryCall } from "@grpc/grpc-js";
import type { Aid, Height } from "../../base/brands.ts";
import { digestBytes } from "../../base/bytes.ts";
import { type Result, ok } from "../../base/result.ts";
import type { KeyState } from "../../keri/key-state.ts";
import { provisionalState } from "../../keri/judge-event.ts";
import { storedBody } from "../../keri/stored-body.ts";
import { receiptMessage } from "../../projections/kerl/export.ts";
import { type KerlServiceServer, KerlServiceService } from "../../wire/generated/sky/kerl/v1/kerl.ts";
import type * as Kerl from "../../wire/generated/sky/kerl/v1/kerl.ts";
import { heightOf } from "../../wire/sky-graph.ts";
import { errorOf } from "../../wire/status.ts";
import { strictService } from "../../wire/strict-service.ts";
import { undecodable } from "./call.ts";
import { appendBatch } from "./kerl-append.ts";
import { defectOf, freshHeight, readerOf } from "./kerl-call.ts";
import { endpointsOf } from "./kerl-endpoints.ts";
import { escrowMessage, keyStateMessage, notFound, signersMessage, snOf } from "./kerl-messages.ts";
import type { KerlContext } from "./kerl-port.ts";
import { provingKeyState } from "./kerl-proof.ts";
import { exporting, watching } from "./kerl-streams.ts";
import { validate } from "./kerl-validate.ts";
import type { ReadCall } from "./sky-answers.ts";

/** Requests decoded strictly. */
export const kerlService = strictService(KerlServiceService);

/** Handlers of sky.kerl.v1, to be added with kerlService. */
export function kerl(context: KerlContext): KerlServiceServer {
  return {
    append: unary(context, (call) => appendBatch(context, call, call.request, "anything")),
    bindEndpoint: unary(context, (call) => appendBatch(context, call, call.request, "what binds")),
    unbindEndpoint: unary(context, (call) => appendBatch(context, call, call.request, "what unbinds")),
    getKeyStateProof: provingKeyState(context),
    getKeyState: unary(context, (call) => getKeyState(context, call, call.request)),
    exportKerl: exporting(context),
    getReceipts: unary(context, (call) => getReceipts(context, call, call.request)),
    getEscrows: unary(context, (call) => getEscrows(context, call, call.request)),
    getWitnesses: unary(context, (call) => getWitnesses(context, call)),
    lookupEndpoints: unary(context, (call) => lookupEndpoints(context, call, call.request)),
    validate: unary(context, (call) => validate(context, call, call.request)),
    watch: watching(context),
  };
}

function unary<Request, Reply>(
  context: KerlContext,
  handle: (call: ReadCall & { readonly request: Request }) => Promise<Result<Reply>>,
): handleUnaryCall<Request, Reply> {
  const { queries } = context.kerl;
  return (call, reply) => {
    const broken = undecodable(call.request);
    if (broken !== undefined) return reply(errorOf(broken.refusal, queries.height()));
    handle(call).then(
      (result) => (result.ok ? reply(null, result.value) : reply(errorOf(result.refusal, queries.height()))),
      (error: unknown) => reply(defectOf(context, error)),
    );
  };
}

async function getKeyState(
  context: KerlContext,
  call: ReadCall,
  request: Kerl.GetKeyStateRequest,
): Promise<Result<Kerl.GetKeyStateResponse>> {
  const { kerl: port } = context;
  const aid = readerOf(context, call, request.aid);
  if (!aid.ok) return aid;
  const fresh = await freshHeight(context, call, request.consistency);
  if (!fresh.ok) return fresh;
  const { at } = request;
  const height = at?.$case === "height" ? heightOf(at.height) : fresh.value;
  const state = await stateAt(context, aid.value, height, at);
  if (!state.ok) return state;
  if (state.value === undefined) return notFound(`such key state of ${aid.value}`, height);
  const hash = await port.blockHash(height);
  if (!hash.ok) return hash;
  return ok({
    keyState: keyStateMessage(state.value),
    height: BigInt(height),
    blockHash: Buffer.from(hash.value === undefined ? [] : digestBytes(hash.value)),
  });
}

async function stateAt(
  { kerl: port }: KerlContext,
  aid: Aid,
  height: Height,
  at: Kerl.GetKeyStateRequest["at"],
): Promise<Result<KeyState | undefined>> {
  if (at === undefined) return ok(port.queries.keyState(aid));
  return at.$case === "sn" ? port.queries.keyStateAt(aid, height, snOf(at.sn)) : port.queries.keyStateAt(aid, height);
}

async function getReceipts(
  context: KerlContext,
  call: ReadCall,
  request: Kerl.GetReceiptsRequest,
): Promise<Result<Kerl.GetReceiptsResponse>> {
  const { queries } = context.kerl;
  const aid = readerOf(context, call, request.aid);
  if (!aid.ok) return aid;
  const height = await freshHeight(context, call, request.consistency);
  if (!height.ok) return height;
  const sn = snOf(request.sn);
  const event = await queries.event(aid.value, height.value, sn);
  if (!event.ok) return event;
  const state = await queries.keyStateAt(aid.value, height.value, sn);
  if (!state.ok) return state;
  if (event.value === undefined) return notFound(`event ${sn} of ${aid.value}`, height.value);
  const stored = event.value;
  const { said, signers, receipts } = stored;
  return ok({
    event: { sn: BigInt(sn), said },
    ...signersMessage(new Set([signers, ...receipts.map((one) => one.signers)].flat())),
    witnessThreshold: state.value?.witnessThreshold ?? 0,
    stream: Buffer.concat(receipts.map(({ attached }) => receiptMessage(aid.value, stored, attached))),
    height: BigInt(height.value),
  });
}

async function getEscrows(
  context: KerlContext,
  call: ReadCall,
  request: Kerl.GetEscrowsRequest,
): Promise<Result<Kerl.GetEscrowsResponse>> {
  const { kerl: port } = context;
  const aid = readerOf(context, call, request.aid);
  if (!aid.ok) return aid;
  const height = await freshHeight(context, call, request.consistency);
  if (!height.ok) return height;
  const escrows = port.queries.escrows(aid.value).map((escrow) =>
    escrowMessage(escrow, ({ event }) => {
      const body = storedBody(event);
      return body.type === "rct" || body.type === "rpy" ? undefined : provisionalState(port.view(), body)?.witnesses;
    }),
  );
  return ok({ escrows, height: BigInt(height.value) });
}

async function getWitnesses(context: KerlContext, call: ReadCall): Promise<Result<Kerl.GetWitnessesResponse>> {
  const caller = context.callerOf(call);
  if (!caller.ok) return caller;
  const height = context.kerl.queries.height();
  const witnesses = await context.kerl.witnesses();
  return witnesses.ok ? ok({ witnesses: witnesses.value, height: BigInt(height) }) : witnesses;
}

async function lookupEndpoints(
  context: KerlContext,
  call: ReadCall,
  request: Kerl.LookupEndpointsRequest,
): Promise<Result<Kerl.LookupEndpointsResponse>> {
  const { queries } = context.kerl;
  const aid = readerOf(context, call, request.aid);
  if (!aid.ok) return aid;
  const height = await freshHeight(context, call, request.consistency);
  if (!height.ok) return height;
  const endpoints = await endpointsOf(queries, aid.value, height.value, request.role);
  if (!endpoints.ok) return endpoints;
  return ok({
    endpoints: endpoints.value.map(({ role, endpoint, locations, stream }) => ({
      role,
      endpoint,
      locations,
      stream: Buffer.from(stream),
    })),
    height: BigInt(height.value),
  });
}
