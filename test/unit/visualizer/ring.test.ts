import { describe, expect, it } from "vitest";
import { Store } from "../../../tools/visualizer/page/model/store.ts";
import { Api } from "../../../tools/visualizer/page/model/api.ts";
import { arcPath, hearing, leadSentence, ringAt } from "../../../tools/visualizer/page/views/ring-picture.ts";
import { source } from "./entries.ts";
import { notarize, Writing } from "./entries-of.ts";

const NAMES = ["n1", "n2", "n3", "n4"];
const others = (node: string): readonly string[] => NAMES.filter((name) => name !== node);

/** In each view, all of `speaking` tell all who live. */
function speak(writing: Writing, from: number, to: number, speaking: readonly string[]): Writing {
  for (let view = from; view <= to; view++)
    for (const node of speaking) {
      writing.later(1).add(node, {
        kind: "stepped",
        machine: "consensus",
        event: { type: "voteSigned", view },
        transitions: [],
        effects: [],
        states: ["consensus.voting"],
        epoch: 0,
        view,
        finalHeight: view - 1,
      });
      for (const peer of others(node)) if (speaking.includes(peer)) writing.delivered(peer, node, notarize(view));
    }
  return writing;
}

function ringOf(writing: Writing, position = writing.entries.length - 1) {
  const store = new Store(new Api(() => Promise.reject(new Error("nobody is asked"))));
  const described = source();
  store.describe(described);
  store.add(writing.entries);
  return ringAt(store.momentAt(position), described, (at) => store.history.at(at));
}
const standings = (picture: ReturnType<typeof ringOf>) => picture.members.map(({ standing }) => standing);

describe("the ring", () => {
  it("names the leader of the view, and counts those as connected whom others hear", () => {
    const writing = new Writing();
    for (const name of NAMES) writing.boot(name);
    const picture = ringOf(speak(writing, 1, 5, NAMES));
    expect(picture.leader).toBe("n2");
    expect(standings(picture)).toEqual(["connected", "leader", "connected", "connected"]);
    expect(picture.arcs).toHaveLength(12);
    expect(picture.arcs.every(({ stale }) => !stale)).toBe(true);
    expect(picture.members.map(({ view, height }) => [view, height])).toEqual(NAMES.map(() => [5, 4]));
  });

  it("says who leads; that all have ended, and not that nothing has happened yet, when they have", () => {
    const writing = new Writing();
    for (const name of NAMES) writing.boot(name);
    expect(leadSentence(ringOf(writing))).toBe("No view has been entered yet, so nobody leads.");
    speak(writing, 1, 5, NAMES);
    expect(leadSentence(ringOf(writing))).toBe("n2 leads view 5 of epoch 0.");
    for (const name of NAMES) writing.later(1).add(name, { kind: "ended", reason: "killed by signal 9" });
    expect(leadSentence(ringOf(writing))).toBe("Every member has ended, so nobody leads.");
    writing.later(1).boot("n3");
    expect(leadSentence(ringOf(writing))).toBe("No member that runs has entered a view yet, so nobody leads.");
  });

  it("a member that ended says so with the reason, before that it was connected, and when it is back it is again", () => {
    const writing = speak(new Writing(), 1, 4, NAMES);
    const before = writing.entries.length - 1;
    writing.later(1).add("n3", { kind: "ended", reason: "killed by signal 9" });
    speak(writing, 5, 6, ["n1", "n2", "n4"]);
    const dead = writing.entries.length - 1;
    writing.later(1).boot("n3");
    speak(writing, 7, 9, NAMES);
    expect(standings(ringOf(writing, before))[2]).toBe("connected");
    const picture = ringOf(writing, dead);
    expect(picture.members[2]).toMatchObject({ standing: "ended", view: 4 });
    expect(picture.members[2]?.why).toContain("killed by signal 9");
    expect(standings(ringOf(writing))).toEqual(["connected", "leader", "connected", "connected"]);
  });

  it("a member of whom nobody heard for more than two rounds of leaders is silent, not before", () => {
    const writing = speak(new Writing(), 1, 4, NAMES);
    expect(standings(ringOf(speak(writing, 5, 12, ["n1", "n2", "n4"])))[2]).toBe("connected");
    const picture = ringOf(speak(writing, 13, 13, ["n1", "n2", "n4"]));
    expect(picture.members[2]).toMatchObject({ name: "n3", standing: "silent" });
    expect(picture.arcs.filter(({ from }) => from === "n3").map(({ stale }) => stale)).toEqual([true, true, true]);
  });

  it("what a listener's former life heard does not count", () => {
    const writing = new Writing();
    writing.boot("n1");
    writing.delivered("n1", "n2", notarize(1));
    writing.boot("n1");
    writing.delivered("n1", "n3", notarize(1));
    const heard = hearing((at) => writing.entries[at], writing.entries.length - 1, NAMES);
    expect([...heard.values()].map(({ from, to }) => `${to} heard ${from}`)).toEqual(["n1 heard n3"]);
  });

  it("there and back are two bows on two sides", () => {
    const { members } = ringOf(speak(new Writing(), 1, 1, NAMES));
    const [a, b] = members;
    if (a === undefined || b === undefined) throw new Error("there are four");
    expect(arcPath(a, b, 100, 20)).not.toBe(arcPath(b, a, 100, 20));
    expect(arcPath(a, b, 100, 20)).toMatch(/^M-?[\d.]+ -?[\d.]+Q-?[\d.]+ -?[\d.]+ -?[\d.]+ -?[\d.]+$/);
  });
});
