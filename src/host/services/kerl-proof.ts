/** GetKeyStateProof: a key state that its reader need not believe. */
import type { handleServerStreamingCall } from "@grpc/grpc-js";
import { height as heightOf } from "../../base/brands.ts";
import type * as Kerl from "../../wire/generated/sky/kerl/v1/kerl.ts";
import { PROOF_DEADLINE_MS, deadlineOf } from "./call.ts";
import { readerOf } from "./kerl-call.ts";
import type { KerlContext } from "./kerl-port.ts";
import { streaming } from "./kerl-streams.ts";
import { ProofCalls } from "./proof-calls.ts";

export const provingKeyState = (
  context: KerlContext,
): handleServerStreamingCall<Kerl.GetKeyStateProofRequest, Kerl.GetKeyStateProofResponse> => {
  const proofs = new ProofCalls();
  return streaming(context, async (call) => {
    const { aid: named, height } = call.request;
    const aid = readerOf(context, call, named);
    if (!aid.ok) return aid;
    const caller = context.callerOf(call);
    if (!caller.ok) return caller;
    const through = height === undefined ? undefined : heightOf(Number(height));
    const untilMs = deadlineOf(call, PROOF_DEADLINE_MS) - PROOF_DEADLINE_MS.margin;
    const make = () => context.kerl.proveKeyState(aid.value, through, untilMs);
    return proofs.give(caller.value.aid, call, make, context.slowMs);
  });
};
