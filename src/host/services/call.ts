/** What every handler does the same way: who calls, until when, and how refusals and defects are answered. */
import { Metadata, type StatusObject } from "@grpc/grpc-js";
import type { Height } from "../../base/brands.ts";
import { type No, type Refusal, type Result, refuse } from "../../base/result.ts";
import { errorOf } from "../../wire/status.ts";
import { UndecodableError } from "../../wire/strict-decoding.ts";
import type { Caller, CallerOf, OraclePort, PeerCall } from "./oracle-port.ts";

export interface ServiceContext {
  readonly port: OraclePort;
  readonly callerOf: CallerOf;
  /** Told of every error thrown while a call was handled; the caller has been answered DEFECT. The host decides what dies. */
  readonly onDefect: (error: unknown) => void;
}

/** Largest request, and largest reply of the compatible service: what gRPC clients accept by default. */
export const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
/** Nodes in one reply (oracle.md). */
export const REPLY_NODES_MAX = 100_000;

export const READ_DEADLINE_MS = { standard: 5_000, max: 30_000 } as const;
export const WRITE_DEADLINE_MS = { standard: 30_000, max: 120_000 } as const;
/** Proofs of what was done long ago take a while; `margin` is what is left to say so. */
export const PROOF_DEADLINE_MS = { standard: 30_000, max: 600_000, margin: 250 } as const;
/** 5 s: how long a read waits for a height at most, whatever its deadline (oracle.md). */
const WAIT_MAX_MS = 5_000;
/** 50 ms: what is left to answer "behind" before the caller gives up (oracle.md). */
const ANSWER_MARGIN_MS = 50;

/** The absolute deadline of a call: the caller's, or the standard one; never later than the maximum. Units: ms since 1970. */
export function deadlineOf(
  call: { getDeadline(): Date | number },
  bounds: { readonly standard: number; readonly max: number },
): number {
  const given = Number(call.getDeadline());
  const now = Date.now();
  return Number.isFinite(given) ? Math.min(given, now + bounds.max) : now + bounds.standard;
}

/** Whether the node reached the height before it has to answer. */
export const reached = (port: OraclePort, wanted: Height, deadlineMs: number): Promise<boolean> =>
  reachedWithin(wanted, port.height(), (until) => port.waitFor(wanted, until), deadlineMs);

/** The same, by whoever knows the height that there is and can wait for another until a time. */
export async function reachedWithin(
  wanted: Height,
  now: Height,
  waitUntil: (untilMs: number) => Promise<boolean>,
  deadlineMs: number,
): Promise<boolean> {
  if (wanted <= now) return true;
  const until = Math.min(deadlineMs - ANSWER_MARGIN_MS, Date.now() + WAIT_MAX_MS);
  return until > Date.now() && waitUntil(until);
}

export const behind = (port: OraclePort, wanted: Height): No<Refusal<"BEHIND">> =>
  refuse(
    "BEHIND",
    `This node is at height ${port.height()}, the call asks for ${wanted}; ask again or another node.`,
    "none",
  );

/** The caller, if it may read. Refuses: UNAUTHENTICATED, PERMISSION_DENIED. */
export function readerOf(context: ServiceContext, call: PeerCall): Result<Caller> {
  const caller = context.callerOf(call);
  if (!caller.ok || context.port.mayRead(caller.value.aid)) return caller;
  return refuse(
    "PERMISSION_DENIED",
    "Reading needs sky:cluster#read; ask an administrator to grant it to your identifier.",
  );
}

/** The request, if it could be decoded. Refuses: MALFORMED. */
export const undecodable = (request: unknown): No<Refusal<"MALFORMED">> | undefined =>
  request instanceof UndecodableError
    ? refuse(
        "MALFORMED",
        `The request is not what its type says (${request.message}); check the client's schema and text encoding.`,
      )
    : undefined;

/** A page of trailers at the height; one object for each height, since answers outnumber blocks by far. */
export class HeightTrailer {
  #height = -1;
  #metadata = new Metadata();

  at(height: Height): Metadata {
    if (height !== this.#height) {
      this.#height = height;
      this.#metadata = new Metadata();
      this.#metadata.set("sky-height", String(height));
    }
    return this.#metadata;
  }
}

/** The answer to a call whose handler threw. */
export function defectOf(context: ServiceContext, error: unknown): StatusObject {
  context.onDefect(error);
  return errorOf(
    refuse("DEFECT", "The node failed while it answered; its log says where. Ask another node.", "none").refusal,
    context.port.height(),
  );
}
