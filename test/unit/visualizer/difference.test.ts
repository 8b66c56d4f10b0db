import { describe, expect, it } from "vitest";
import type { DifferencePage } from "../../../src/host/inspector/contract.ts";
import {
  firstComparison,
  readComparison,
  readHeight,
  writeComparison,
} from "../../../tools/visualizer/page/views/difference-focus.ts";
import {
  differenceSentence,
  divergenceSentence,
  groupsOf,
  rootsAgree,
} from "../../../tools/visualizer/page/views/difference-sentences.ts";

const NAMES = ["n1", "n2"];
const page = (change: Partial<DifferencePage> = {}): DifferencePage => ({
  left: { node: "n1", height: 4, root: "aa" },
  right: { node: "n2", height: 4, root: "aa" },
  differences: [],
  truncated: false,
  ...change,
});

describe("what is compared, in a link", () => {
  it("is read back as it was written; now is no height", () => {
    for (const comparison of [
      { left: "n1", leftHeight: 3, right: "n2", rightHeight: null },
      { left: "n2", leftHeight: 0, right: "n2", rightHeight: 12 },
    ])
      expect(readComparison(writeComparison(comparison), NAMES)).toEqual(comparison);
  });

  it("is nothing when it is malformed or of nodes that are not there", () => {
    for (const text of [null, "", "n1@3", "n1@3 n9@4", "n1@x n2@", "n1 n2", "n1@1 n2@2 n1@3", "n1@-1 n2@"])
      expect(readComparison(text, NAMES)).toBeNull();
  });

  it("begins with what the last block changed on the first node", () => {
    expect(firstComparison(NAMES, 9)).toEqual({ left: "n1", leftHeight: 8, right: "n1", rightHeight: 9 });
    expect(firstComparison(NAMES, 0)).toMatchObject({ leftHeight: 0, rightHeight: 0 });
    expect(firstComparison([], 9)).toBeNull();
    expect([readHeight(" 12 "), readHeight(""), readHeight("1e3"), readHeight("-4")]).toEqual([
      12,
      null,
      undefined,
      undefined,
    ]);
  });
});

describe("two states, in sentences", () => {
  it("groups what differs by what it is, permissions first, and by side", () => {
    const differences: DifferencePage["differences"] = [
      { kind: "subject", side: "right", text: "my-org:Jale" },
      { kind: "assertion", side: "left", text: "a b" },
      { kind: "edge", side: "left", text: "subject a g" },
      { kind: "edge", side: "left", text: "object o p" },
      { kind: "keyState", side: "both", text: "E123: 1 and 2" },
      { kind: "assertion", side: "right", text: "c d" },
    ];
    expect(groupsOf(page({ differences }))).toEqual([
      { title: "Grants", left: ["a has b"], right: ["c has d"], both: [] },
      { title: "Maps", left: ["a belongs to g", "o inherits from p"], right: [], both: [] },
      { title: "Subjects", left: [], right: ["my-org:Jale"], both: [] },
      { title: "Key states", left: [], right: [], both: ["E123: 1 and 2"] },
    ]);
    expect(differenceSentence(page({ differences }))).toBe("n1 at height 4 and n2 at height 4 differ in 6 things.");
  });

  it("does not call states equal whose roots differ", () => {
    expect(differenceSentence(page())).toContain("hold the same graph");
    const parted = page({ right: { node: "n2", height: 4, root: "bb" } });
    expect(differenceSentence(parted)).toContain("their roots differ");
    expect([rootsAgree(page()), rootsAgree(parted)]).toEqual([true, false]);
    expect(rootsAgree(page({ right: { node: "n2", height: 5, root: "bb" } }))).toBeNull();
  });

  it("names the height at which two nodes part, and whether the block or what it did is another", () => {
    expect(divergenceSentence({ agreedTo: 12, first: null }, "n1", "n2")).toBe(
      "n1 and n2 agree as far as both have come: up to height 12.",
    );
    const first = { height: 13, what: "root", left: "aa", right: "bb" } as const;
    expect(divergenceSentence({ agreedTo: 12, first }, "n1", "n2")).toBe(
      "n1 and n2 part at height 13: they executed the same block to different roots. Up to height 12 they agree.",
    );
    expect(divergenceSentence({ agreedTo: 12, first: { ...first, what: "block" } }, "n1", "n2")).toContain(
      "hold different blocks",
    );
  });
});
