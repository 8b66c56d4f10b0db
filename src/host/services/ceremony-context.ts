/** What the operators' services share: who calls, the enclave behind them, and how its replies become gRPC's. */
import type { ServerUnaryCall, StatusObject, handleUnaryCall } from "@grpc/grpc-js";
import type { Aid } from "../../base/brands.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import type { SealQuestion } from "../../actors/enclave/ports.ts";
import type { CeremonyReply } from "../../machines/ceremony/ceremony.types.ts";
import { type TimedRefusal, errorOf } from "../../wire/status.ts";
import type { EnclavePort } from "../enclave/worker-protocol.ts";
import { undecodable } from "./call.ts";
import type { CallerOf } from "./oracle-port.ts";

/** What every service on the API port needs. */
export interface OperatorCalls {
  readonly callerOf: CallerOf;
  /** Height that answers name; 0 while the node is sealed. */
  readonly height: () => number;
  /** Told of every error thrown while a call was handled; the caller has been answered DEFECT. */
  readonly onDefect: (error: unknown) => void;
}

export interface CeremonyContext extends OperatorCalls {
  readonly enclave: EnclavePort;
  /** Ed25519 key that an operator signs by, as of the newest key state that this node knows; undefined where there is no one such key. */
  readonly operatorKey: (operator: Aid) => Uint8Array | undefined;
  /** How many members this node sees unsealed, itself included, and q of the current epoch. */
  readonly membership: () => Omit<SealQuestion, "exit">;
  /** What happened to the node's log, in sentences, oldest first. */
  readonly logNotes: () => readonly string[];
}

export type Answering<Request, Reply> = (request: Request, caller: Aid) => Promise<Result<Reply>>;

/** A unary handler: decodes strictly, finds the caller, answers refusals as statuses. Never throws into grpc-js. */
export function operatorCall<Request, Reply>(
  context: OperatorCalls,
  answer: Answering<Request, Reply>,
): handleUnaryCall<Request, Reply> {
  return (call: ServerUnaryCall<Request, Reply>, reply) => {
    const refused = (refusal: TimedRefusal): StatusObject => errorOf(refusal, context.height());
    const broken = undecodable(call.request);
    if (broken !== undefined) return reply(refused(broken.refusal));
    const caller = context.callerOf(call);
    if (!caller.ok) return reply(refused(caller.refusal));
    answer(call.request, caller.value.aid).then(
      (result) => (result.ok ? reply(null, result.value) : reply(refused(onTheWire(result.refusal)))),
      (error: unknown) => {
        context.onDefect(error);
        reply(
          refused(
            refuse("DEFECT", "The node failed while it answered; its log says where. Ask again.", "none").refusal,
          ),
        );
      },
    );
  };
}

/** Refuses: NOT_OPERATOR. */
export function operatorKeyOf({ operatorKey }: CeremonyContext, caller: Aid): Result<Uint8Array> {
  const key = operatorKey(caller);
  return key === undefined
    ? refuse(
        "NOT_OPERATOR",
        `${caller} has not exactly one Ed25519 key in force, which operators sign their shares by.`,
      )
    : ok(key);
}

/** The enclave's reply as a result: what it refused becomes a refusal with its code and sentence. */
export const replied = <A extends CeremonyReply>(answer: A): Result<A> =>
  answer.ok ? ok(answer) : refuse(answer.code, answer.message);

/** Units: ms. Long enough for the question before this one, which takes milliseconds. */
const BUSY_RETRY_MS = 100;

/** Codes that gRPC clients know by other names: who may not, and what may be tried again. */
function onTheWire(refusal: Refusal): TimedRefusal {
  if (refusal.code === "NOT_OPERATOR") return { ...refusal, code: "PERMISSION_DENIED" };
  if (refusal.code === "BUSY" || refusal.code === "SEALING")
    return { ...refusal, code: "UNAVAILABLE", retryAfterMs: BUSY_RETRY_MS };
  if (refusal.code === "RATE_LIMITED") return { ...refusal, code: "OVERLOADED", retryAfterMs: 60_000 };
  return refusal;
}
