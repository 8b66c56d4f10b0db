/** What does not hold in a log, and where: the answer of `sky verify` when it is no. */
import type { Digest } from "../../src/base/brands.ts";

/** Stable: scripts rely on them. docs/AUDIT.md says what each means. */
export const FAILURE_CODES = [
  "GENESIS_INVALID",
  "GENESIS_FOREIGN",
  "EVENT_MISSING",
  "HEADER_INVALID",
  "CHAIN_BROKEN",
  "BODY_INVALID",
  "BUNDLE_MISSING",
  "BUNDLE_INVALID",
  "PROOF_INVALID",
  "PROOF_MISSING",
  "CHECKPOINT_INVALID",
  "ROOT_DIFFERS",
  "RECORD_DIFFERS",
  "LOG_CORRUPT",
  "LOG_EMPTY",
  "LOG_INCOMPLETE",
  "PROJECTION_DIFFERS",
  "PROJECTION_DAMAGED",
] as const;
export type FailureCode = (typeof FAILURE_CODES)[number];

/** Which part of an event, or what beside it. */
export type Where =
  | { readonly part: "header" | "body" | "proof" | "record" | "event" | "root" | "file" | "projection" }
  | { readonly part: "bundle"; readonly digest: Digest };

export class ReplayFailure extends Error {
  override readonly name = "ReplayFailure";
  readonly code: FailureCode;
  /** Null where it belongs to no height. */
  readonly height: number | null;
  readonly where: Where;
  /** A clause, without position. */
  readonly reason: string;

  constructor(code: FailureCode, height: number | null, where: Where, reason: string) {
    super(`${positionOf(height, where)}: ${reason}.`);
    this.code = code;
    this.height = height;
    this.where = where;
    this.reason = reason;
  }
}

function positionOf(height: number | null, where: Where): string {
  const part = where.part === "bundle" ? `bundle ${where.digest}` : where.part;
  return height === null ? part : `height ${height}, ${part}`;
}
