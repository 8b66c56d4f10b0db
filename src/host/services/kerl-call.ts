/** What the handlers of sky.kerl.v1 do the same way. */
import type { StatusObject } from "@grpc/grpc-js";
import type { Aid, Height } from "../../base/brands.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import type { Consistency } from "../../wire/generated/sky/oracle/v1/oracle.ts";
import { wantedHeightOf } from "../../wire/sky-graph.ts";
import { errorOf } from "../../wire/status.ts";
import { READ_DEADLINE_MS, deadlineOf, reachedWithin } from "./call.ts";
import { aidOf } from "./kerl-messages.ts";
import type { KerlContext } from "./kerl-port.ts";
import type { ReadCall } from "./sky-answers.ts";

/** Who asks about an identifier: itself, or who may read. Refuses: UNAUTHENTICATED, PERMISSION_DENIED, and what no identifier is. */
export function readerOf(context: KerlContext, call: ReadCall, named: string): Result<Aid> {
  const caller = context.callerOf(call);
  if (!caller.ok) return caller;
  const aid = aidOf(named);
  if (!aid.ok || aid.value === caller.value.aid || context.kerl.mayRead(caller.value.aid)) return aid;
  return refuse(
    "PERMISSION_DENIED",
    "Reading another identifier's log needs sky:cluster#read; ask an administrator to grant it.",
  );
}

/** The height that an answer is true at. Refuses: BEHIND. */
export async function freshHeight(
  { kerl: port }: KerlContext,
  call: ReadCall,
  consistency: Consistency | undefined,
): Promise<Result<Height>> {
  const wanted = wantedHeightOf(consistency);
  const isFresh = await reachedWithin(
    wanted,
    port.queries.height(),
    (until) => port.waitFor(wanted, until),
    deadlineOf(call, READ_DEADLINE_MS),
  );
  if (isFresh) return ok(port.queries.height());
  return refuse(
    "BEHIND",
    `This node is at height ${port.queries.height()}, the call asks for ${wanted}; ask again or another node.`,
    "none",
  );
}

/** The answer to a call whose handler threw. */
export function defectOf({ kerl, onDefect }: KerlContext, error: unknown): StatusObject {
  onDefect(error);
  const { refusal } = refuse(
    "DEFECT",
    "The node failed while it answered; its log says where. Ask another node.",
    "none",
  );
  return errorOf(refusal, kerl.queries.height());
}
