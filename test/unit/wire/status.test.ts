import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { refuse } from "../../../src/base/result.ts";
import { REFUSAL_CODES, errorOf, isRetryable, statusOf } from "../../../src/wire/status.ts";

describe("the gRPC status of a refusal", () => {
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
