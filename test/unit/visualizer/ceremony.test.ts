import { describe, expect, it } from "vitest";
import type { Entry, Summary } from "../../../src/host/inspector/contract.ts";
import { custodySentence, readCeremony } from "../../../tools/visualizer/page/views/ceremony-context.ts";
import { Stories } from "../../../tools/visualizer/page/views/ceremony-story.ts";
import { Writing } from "./entries-of.ts";

const step = (writing: Writing, node: string, event: string, state: string, ...effects: readonly Summary[]): void => {
  writing.later(5).add(node, {
    kind: "stepped",
    machine: "ceremony",
    event: { type: event },
    transitions: [],
    effects,
    states: [`ceremony.${state}`],
  });
};
const record = (kind: string, fields: Omit<Summary, "type"> = {}): Summary => ({
  type: "record",
  record: kind,
  ...fields,
});

function unsealing(): Writing {
  const writing = new Writing();
  writing.boot("n1");
  step(writing, "n1", "unsealAsked", "collecting", record("opened", { ceremony: "c1", by: "Ada" }));
  step(writing, "n1", "shareVerified", "collecting", record("accepted", { ceremony: "c1", operator: "Ada" }));
  step(writing, "n1", "shareRefuted", "collecting", record("rejected", { operator: "Bo", code: "WRONG_COMMITMENT" }));
  step(writing, "n1", "shareVerified", "collecting", record("accepted", { ceremony: "c1", operator: "Cy" }));
  step(writing, "n1", "unwrapAsked", "unwrapping");
  step(writing, "n1", "keystoreOpened", "unsealed", record("unsealed", { ceremony: "c1", by: ["Ada", "Cy"] }));
  return writing;
}

const storyAt = (writing: Writing, position: number, node = "n1") => {
  const story = new Stories({ length: writing.entries.length, at: (at) => writing.entries[at] })
    .at(position, [node])
    .get(node);
  if (story === undefined) throw new Error("there is a story of every node");
  return story;
};

describe("the story of a ceremony", () => {
  it("tells who has given what at each moment, and that a wrong share names its giver", () => {
    const writing = unsealing();
    expect(storyAt(writing, 0)).toMatchObject({ phase: "sealed", gifts: [], opened: null });
    expect(storyAt(writing, 2)).toMatchObject({ phase: "collecting", opened: { by: "Ada" } });
    expect(storyAt(writing, 3).gifts).toMatchObject([
      { operator: "Ada", accepted: true, fault: null },
      { operator: "Bo", accepted: false, fault: "WRONG_COMMITMENT" },
    ]);
    const end = storyAt(writing, 6);
    expect(end.phase).toBe("unsealed");
    expect(end.chapters.map(({ sentence, tone }) => [tone, sentence])).toEqual([
      ["plain", "Ada opened a ceremony."],
      ["good", "The share of Ada is in: it fits the commitments."],
      ["bad", "The share that Bo gave was refused: WRONG_COMMITMENT."],
      ["good", "The share of Cy is in: it fits the commitments."],
      ["good", "Unsealed with the shares of Ada, Cy."],
    ]);
    expect(end.chapters.map(({ position }) => position)).toEqual([1, 2, 3, 4, 6]);
  });

  it("a ceremony that came to nothing erases what was given, and says who is to blame", () => {
    const writing = unsealing();
    step(writing, "n1", "openingFailed", "failed", record("failed", { blamed: ["Bo"] }));
    const story = storyAt(writing, 7);
    expect(story).toMatchObject({ phase: "failed", gifts: [], blamed: ["Bo"] });
    expect(story.chapters.at(-1)?.sentence).toBe("Opening failed; everything collected is erased. To blame: Bo.");
  });

  it("a new life begins a new story; another node's steps are not told of this one", () => {
    const writing = unsealing();
    writing.add("n1", { kind: "ended", reason: "killed" });
    step(writing, "n2", "unsealAsked", "collecting", record("opened", { by: "Ada" }));
    expect(storyAt(writing, 8)).toMatchObject({ phase: null });
    expect(storyAt(writing, 8).chapters.at(-1)?.sentence).toBe("The node ended: killed");
    writing.boot("n1");
    expect(storyAt(writing, 9)).toMatchObject({ phase: "sealed", chapters: [], gifts: [] });
  });

  it("a node that begins to serve goes on with its story, though its source counts another life", () => {
    const writing = unsealing();
    const booted = {
      kind: "booted",
      states: { consensus: ["consensus.quiet"], ceremony: ["ceremony.unsealed"] },
    } as const;
    const entries: readonly Entry[] = [...writing.entries, { ...booted, node: "n1", life: 1, n: 0, at: 2_000 }];
    const stories = new Stories({ length: entries.length, at: (at) => entries[at] });
    expect(stories.at(99, ["n1"]).get("n1")).toMatchObject({ phase: "unsealed", opened: { by: "Ada" } });
  });

  it("looks at what comes later, and begins anew when entries arrive before others", () => {
    const entries = [...unsealing().entries];
    const stories = new Stories({
      get length() {
        return entries.length;
      },
      at: (at) => entries[at],
    });
    expect(stories.at(99, ["n1"]).get("n1")?.phase).toBe("unsealed");
    const more = unsealing();
    step(more, "n1", "sealAsked", "draining", record("sealing", { by: ["Ada"] }));
    const last = more.entries.at(-1);
    if (last !== undefined) entries.push(last);
    expect(stories.at(99, ["n1"]).get("n1")?.phase).toBe("draining");
    entries.splice(1, 1);
    expect(stories.at(99, ["n1"]).get("n1")?.opened).toBeNull();
  });
});

describe("the ceremony machine's context", () => {
  const context = {
    node: "n1",
    operators: ["Ada", "Bo", "Cy"].map((name) => ({ name, aid: `aid-${name}` })),
    threshold: 2,
    custody: "root",
    ceremony: { id: "c1", purpose: "unseal", initiator: "Ada", accepted: ["Ada"], rejected: [], cancelVotes: [] },
    outcome: null,
    attempts: [{ operator: "Bo", at: 1, code: "WRONG_SIGNATURE" }],
    acknowledged: ["Ada", "Bo", "Cy"],
  };

  it("says who has given, who gave a wrong share, and how many are needed", () => {
    const shown = readCeremony(context);
    expect(shown).toMatchObject({ threshold: 2, given: 1, initiator: "Ada", purpose: "unseal", outcome: null });
    expect(shown?.operators.map(({ name, index, given, wrong }) => [name, index, given, wrong])).toEqual([
      ["Ada", 1, true, []],
      ["Bo", 2, false, ["WRONG_SIGNATURE"]],
      ["Cy", 3, false, []],
    ]);
    expect(custodySentence(shown?.custody ?? null)).toContain("the root that the operators share");
  });

  it("is nothing when it is another machine's, or none", () => {
    for (const other of [null, undefined, 7, [], {}, { view: 3 }, { operators: "Ada" }])
      expect(readCeremony(other)).toBeNull();
    expect(readCeremony({ ...context, ceremony: null, outcome: { kind: "failed", blamed: ["Bo"] } })).toMatchObject({
      given: 0,
      outcome: "failed",
      blamed: ["Bo"],
    });
  });
});
