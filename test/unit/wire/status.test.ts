import { status } from "@grpc/grpc-js";
import { globSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { refuse } from "../../../src/base/result.ts";
import type { CeremonyCode } from "../../../src/machines/ceremony/ceremony.types.ts";
import { REFUSAL_CODES, errorOf, isRefusalCode, isRetryable, statusOf } from "../../../src/wire/status.ts";

/** Where refusals are made that clients of the SERVICE port meet. */
const REFUSING = ["src/projections/{rebac,kerl,certificates,ledger}/*.ts", "src/host/{services,executor}/*.ts"];
const REFUSING_FILES = ["src/host/node/kerl.ts", "src/host/node/oracle.ts", "src/keri/kerl.ts", "src/keri/rules.ts"];
/** Codes that are made there and no status of a call: who reads them. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  CHECKPOINT_UNREADABLE: "the node that fetches a checkpoint",
  KERI_EXPIRED: "a fact about what waited too long",
  PROJECTION_DAMAGED: "the projector, which fills its tables anew",
  NOT_OPERATOR: "PERMISSION_DENIED on the wire (ceremony-context.ts)",
};

/** What a ceremony's answers are on the wire by another name, or no refusal. */
type AnsweredOtherwise = "OK" | "NOT_OPERATOR" | "BUSY" | "SEALING" | "RATE_LIMITED";

describe("the gRPC status of a refusal", () => {
  it("is chosen, and not the one of codes from the future, for every code that is refused by here", () => {
    const files = [...REFUSING.flatMap((pattern) => globSync(pattern)), ...REFUSING_FILES];
    const made = new Set<string>();
    for (const file of files)
      for (const [, code = ""] of readFileSync(file, "utf8").matchAll(/(?:code: |\b(?:refuse|no)\(\s*)"([A-Z_]+)"/g))
        made.add(code);
    expect(made.size).toBeGreaterThan(25);
    expect([...made].filter((code) => !isRefusalCode(code) && ELSEWHERE[code] === undefined)).toEqual([]);
  });

  it("is chosen for every answer of a ceremony that is no success", () => {
    const codes: Readonly<Record<Exclude<CeremonyCode, AnsweredOtherwise>, true>> = {
      NOT_INITIALISED: true,
      ALREADY_INITIALISED: true,
      PASSPHRASE_NEEDED: true,
      CEREMONY_OPEN: true,
      NO_CEREMONY: true,
      WRONG_CEREMONY: true,
      TOO_FEW_SHARES: true,
      NO_SHARE_GIVEN: true,
      NOT_INITIATOR: true,
      MORE_SEALS_NEEDED: true,
      CEREMONY_EXPIRED: true,
      CEREMONY_REPLACED: true,
      OPENING_FAILED: true,
      ALREADY_UNSEALED: true,
      UNREADABLE_SHARE: true,
      WRONG_INDEX: true,
      WRONG_SIGNATURE: true,
      WRONG_COMMITMENT: true,
    };
    for (const code of Object.keys(codes)) {
      expect(isRefusalCode(code), code).toBe(true);
      expect(statusOf(code), code).toBe(status.FAILED_PRECONDITION);
    }
  });

  it("says of certificates what they are refused for", () => {
    expect(statusOf("CERTIFICATE_RECORD_INVALID")).toBe(status.INVALID_ARGUMENT);
    expect(statusOf("CERTIFICATE_RECORD_DIFFERS")).toBe(status.ALREADY_EXISTS);
    expect(statusOf("CERTIFICATES_FULL")).toBe(status.RESOURCE_EXHAUSTED);
  });

  it("is never OK, and retryable only where gRPC clients retry", () => {
    for (const code of REFUSAL_CODES) {
      expect(statusOf(code), code).not.toBe(status.OK);
      if (isRetryable(code)) expect([status.UNAVAILABLE, status.RESOURCE_EXHAUSTED], code).toContain(statusOf(code));
    }
  });

  it("is one that clients do not retry when a newer node's code is not known here", () => {
    expect(statusOf("SOMETHING_NEW")).toBe(status.FAILED_PRECONDITION);
    expect(isRetryable("SOMETHING_NEW")).toBe(false);
  });

  it("carries code, reason, height and when to come back", () => {
    const { metadata, details } = errorOf(
      { ...refuse("OVERLOADED", "Full; try again.").refusal, retryAfterMs: 250 },
      7,
    );
    expect(details).toBe("Full; try again.");
    expect(metadata.getMap()).toEqual({
      "sky-code": "OVERLOADED",
      "sky-reason": "overloaded",
      "sky-height": "7",
      "grpc-retry-pushback-ms": "250",
    });
    expect(errorOf(refuse("BEHIND", "Wait.").refusal, 7).metadata.get("sky-reason")).toEqual(["behind"]);
  });

  it("survives names that have no UTF-8, and is bounded", () => {
    const { details } = errorOf(refuse("CYCLE", `\ud800${"x".repeat(5_000)}`).refusal, 0);
    expect(() => encodeURI(details)).not.toThrow();
    expect(details.length).toBeLessThanOrEqual(1_000);
  });
});
