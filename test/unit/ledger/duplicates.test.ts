import { describe, expect, it } from "vitest";
import { type Aid, type CommandId, height, logTime } from "../../../src/base/brands.ts";
import { ZERO_DIGEST } from "../../../src/base/bytes.ts";
import { DuplicateWindow, type SettledCommand } from "../../../src/projections/ledger/duplicates.ts";

const [ann, bob] = ["ann", "bob"] as unknown as [Aid, Aid];
let ids = 0;

function settled(author: Aid, notAfter = 10_000, refused?: string): SettledCommand {
  const id = String(++ids).padStart(32, "0") as CommandId;
  const same = { author, principal: null, id, digest: ZERO_DIGEST, notAfter: logTime(notAfter) };
  const outcome =
    refused === undefined
      ? ({ kind: "commandExecuted", ...same, changed: [true] } as const)
      : ({ kind: "commandRefused", ...same, code: refused, message: "no" } as const);
  return { author, id, height: height(1), index: 0, blockHash: ZERO_DIGEST, outcome };
}

describe("what is remembered of settled commands", () => {
  it("no author fills the window alone", () => {
    const window = new DuplicateWindow({ all: 10, ofAuthor: 5 });
    for (let i = 0; i < 5; i++) window.add(settled(ann));
    expect(window.isFullFor(ann)).toBe(true);
    expect(window.isFullFor(bob)).toBe(false);
    for (let i = 0; i < 5; i++) window.add(settled(bob));
    expect(window.isFullFor("carol" as Aid)).toBe(true);
  });

  it("has room again when commands expire", () => {
    const window = new DuplicateWindow({ all: 10, ofAuthor: 2 });
    const early = settled(ann, 1_000);
    window.add(early);
    window.add(settled(ann, 9_000));
    window.forgetBefore(logTime(1_999));
    expect(window.find(ann, early.id)).toBeDefined(); // remembered until the second of its notAfter is over
    window.forgetBefore(logTime(2_000));
    expect(window.find(ann, early.id)).toBeUndefined();
    expect(window.isFullFor(ann)).toBe(false);
  });

  it("those who may not write take none of it", () => {
    const window = new DuplicateWindow({ all: 10, ofAuthor: 1 });
    const denied = settled(ann, 10_000, "PERMISSION_DENIED");
    window.add(denied);
    expect(window.find(ann, denied.id)).toBeUndefined();
    expect(window.isFullFor(ann)).toBe(false);
    window.add(settled(ann, 10_000, "CYCLE"));
    expect(window.isFullFor(ann)).toBe(true);
  });
});
