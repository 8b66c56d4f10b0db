import { describe, expect, it } from "vitest";
import { History } from "../../../tools/visualizer/page/model/history.ts";
import { CHUNK, Diagrams } from "../../../tools/visualizer/page/views/sequence-diagram.ts";
import { Messages } from "../../../tools/visualizer/page/views/sequence-messages.ts";
import {
  type Filter,
  labelOf,
  Rows,
  rowsInSight,
  scrollTo,
} from "../../../tools/visualizer/page/views/sequence-rows.ts";
import { notarize, Writing } from "./entries-of.ts";

const ALL: Filter = { hiddenTypes: new Set(), hiddenNodes: new Set(), notes: true };

function read(writing: Writing, filter = ALL) {
  const messages = new Messages();
  const rows = new Rows(filter, messages);
  for (const [position, entry] of writing.entries.entries()) {
    messages.add(entry, position);
    rows.add(entry, position);
  }
  return { messages, rows };
}

describe("messages", () => {
  it("the k-th sending is the k-th delivery of the same message, and what differs in view, hash or way is another message", () => {
    const writing = new Writing();
    writing.sent("n1", "n2", notarize(4));
    writing.sent("n1", "n2", notarize(5));
    writing.sent("n1", "n3", notarize(4));
    writing.sent("n1", "n2", notarize(4));
    writing.delivered("n2", "n1", notarize(5));
    writing.delivered("n2", "n1", notarize(4));
    writing.delivered("n2", "n1", notarize(4, "another"));
    writing.delivered("n2", "n1", notarize(4));
    const { messages } = read(writing);
    expect(messages.all.map(({ to, sent, delivered }) => [to, sent, delivered])).toEqual([
      ["n2", 0, 5],
      ["n2", 1, 4],
      ["n3", 2, null],
      ["n2", 3, 7],
      ["n2", null, 6],
    ]);
  });

  it("a delivery that a faster clock put before its sending is its delivery; one from long before is not", () => {
    const writing = new Writing();
    writing.delivered("n2", "n1", notarize(4));
    writing.later(3).sent("n1", "n2", notarize(4));
    writing.delivered("n2", "n1", notarize(9));
    writing.later(5_000).sent("n1", "n2", notarize(9));
    const { messages } = read(writing);
    expect(messages.all.map(({ sent, delivered }) => [sent, delivered])).toEqual([
      [1, 0],
      [null, 2],
      [3, null],
    ]);
  });

  it("a dropped message says why, whether it was sent or not", () => {
    const writing = new Writing();
    writing.sent("n1", "n2", notarize(4));
    writing.add("n1", { kind: "dropped", peer: "n2", message: notarize(4), reason: "the network lost it" });
    writing.add("n1", { kind: "dropped", peer: "n3", message: notarize(4), reason: "no connection" });
    const { messages } = read(writing);
    expect(messages.all).toMatchObject([
      { to: "n2", sent: 0, delivered: null, dropped: { at: 1, reason: "the network lost it" } },
      { to: "n3", sent: null, delivered: null, dropped: { at: 2, reason: "no connection" } },
    ]);
  });

  it("what was on its way to a process that ended never arrives: the next life's delivery is of a later sending", () => {
    const writing = new Writing();
    writing.boot("n2");
    writing.sent("n1", "n2", notarize(4));
    writing.add("n2", { kind: "ended", reason: "killed" });
    writing.boot("n2");
    writing.sent("n1", "n2", notarize(4));
    writing.delivered("n2", "n1", notarize(4));
    const { messages } = read(writing);
    expect(messages.all.map(({ sent, delivered, dropped }) => [sent, delivered, dropped?.reason])).toEqual([
      [1, null, "the receiver ended"],
      [4, 5, undefined],
    ]);
  });
});

describe("rows", () => {
  it("what a node tells all others at once is one row, each arrival one of its own", () => {
    const writing = new Writing();
    for (const peer of ["n2", "n3", "n4"]) writing.sent("n1", peer, notarize(4));
    for (const node of ["n2", "n3", "n4"]) writing.delivered(node, "n1", notarize(4));
    const { rows, messages } = read(writing);
    expect(rows.all.map((row) => [row.kind, row.node, row.first, row.last])).toEqual([
      ["sent", "n1", 0, 2],
      ["delivered", "n2", 3, 3],
      ["delivered", "n3", 4, 4],
      ["delivered", "n4", 5, 5],
    ]);
    expect(messages.all.map(({ id }) => rows.endsOf(id))).toEqual([
      { first: 0, last: 1 },
      { first: 0, last: 2 },
      { first: 0, last: 3 },
    ]);
  });

  it("a row is labelled with type, view and epoch", () => {
    expect(labelOf(notarize(12))).toBe("notarize v12 e0");
    expect(labelOf({ type: "root", height: 7 })).toBe("root h7");
    expect(labelOf({ type: "bundle" })).toBe("bundle");
  });

  it("hidden types and nodes leave no row; views, blocks and lives are noted unless hidden", () => {
    const writing = new Writing();
    writing.boot("n1");
    writing.sent("n1", "n2", notarize(4));
    writing.sent("n1", "n3", notarize(4));
    writing.sent("n1", "n2", { type: "proposal", epoch: 0, view: 5, hash: "b5" });
    const of = (filter: Partial<Filter>) => read(writing, { ...ALL, ...filter }).rows.all.map(({ label }) => label);
    expect(of({})).toEqual(["starts", "notarize v4 e0", "proposal v5 e0"]);
    expect(of({ notes: false })).toEqual(["notarize v4 e0", "proposal v5 e0"]);
    expect(of({ hiddenTypes: new Set(["notarize"]) })).toEqual(["starts", "proposal v5 e0"]);
    expect(of({ hiddenNodes: new Set(["n2"]) })).toEqual(["starts", "notarize v4 e0"]);
  });

  it("the row of a position is the last that is not after it", () => {
    const writing = new Writing();
    writing.sent("n1", "n2", notarize(4));
    writing.add("n2", { kind: "executed", height: 1, root: "00" });
    writing.sent("n2", "n1", notarize(4));
    const { rows } = read(writing);
    expect([-1, 0, 1, 2, 99].map((position) => rows.rowAt(position))).toEqual([-1, 0, 0, 1, 1]);
  });

  it("a lifeline ends where its node does and begins anew where it returns", () => {
    const writing = new Writing();
    writing.boot("n1");
    writing.sent("n1", "n2", notarize(4));
    writing.add("n1", { kind: "ended", reason: "killed" });
    writing.boot("n1");
    expect(read(writing).rows.lives).toEqual([
      { node: "n1", life: 0, from: 0, to: 2 },
      { node: "n1", life: 1, from: 3, to: null },
    ]);
  });
});

describe("a node whose beginning is not held", () => {
  it("is on its lifeline from the first row, and comes back after its end", () => {
    const writing = new Writing();
    writing.sent("n1", "n2", notarize(4));
    writing.sent("n2", "n1", notarize(5));
    writing.add("n2", { kind: "ended", reason: "killed" });
    writing.boot("n2");
    const { rows } = read(writing);
    expect(rows.lives.filter(({ node }) => node === "n2")).toEqual([
      { node: "n2", life: 0, from: 0, to: 2 },
      { node: "n2", life: 1, from: 3, to: null },
    ]);
    expect(rows.all.at(-1)?.label).toBe("came back");
  });
});

describe("the diagram of a long history", () => {
  const long = (count: number): History => {
    const writing = new Writing();
    for (let view = 1; writing.entries.length < count; view++) {
      writing.later(1).sent("n1", "n2", notarize(view));
      writing.later(1).delivered("n2", "n1", notarize(view));
    }
    const history = new History();
    history.add(writing.entries.slice(0, count));
    return history;
  };

  it("a look draws what is in sight, whatever the length: 10,000 entries, a few dozen messages", () => {
    const history = long(10_000);
    const { rows } = new Diagrams(history, ALL).around(5_000, ALL);
    const { from, to } = rowsInSight(5_000 * 18, 480, 18, rows.all.length);
    expect(to - from).toBeLessThan(40);
    expect(rows.messagesBetween(from, to).length).toBeLessThan(40);
    expect(rows.messagesBetween(from, to).length).toBeGreaterThan(15);
  });

  it("scrubbing from end to end reads each entry a bounded number of times, new entries once", () => {
    const history = long(5 * CHUNK);
    const diagrams = new Diagrams(history, ALL);
    for (let position = 0; position < history.length; position += 50) diagrams.around(position, ALL);
    expect(diagrams.added).toBeLessThanOrEqual(3 * history.length);
    const near = long(100);
    const growing = new Diagrams(near, ALL);
    growing.around(99, ALL);
    const writing = new Writing();
    for (let at = 0; at < 120; at++) writing.later(1).sent("n1", "n2", notarize(at));
    near.add(writing.entries.map((entry, n) => ({ ...entry, n: 200 + n, at: entry.at + 10_000 })));
    expect(growing.around(99, ALL).to).toBe(near.length);
    expect(growing.added).toBe(near.length);
  });

  it("entries that arrive late, before others, are put in their place", () => {
    const history = long(20);
    const diagrams = new Diagrams(history, ALL);
    diagrams.around(19, ALL);
    history.add([{ node: "n3", life: 0, n: 0, at: 1_005, kind: "ended", reason: "killed" }]);
    const { rows } = diagrams.around(19, ALL);
    expect(rows.all.findIndex((row) => row.kind === "note" && row.label === "killed")).toBe(5);
    expect(rows.all).toHaveLength(21);
  });
});

describe("scrolling", () => {
  it("keeps the cursor's row in sight and does not move while it is", () => {
    expect(scrollTo(10, 0, 480, 18, 1_000)).toBe(0);
    expect(scrollTo(500, 0, 480, 18, 1_000)).toBe(500 * 18 - 231);
    expect(scrollTo(999, 0, 480, 18, 1_000)).toBe(1_000 * 18 - 480);
    expect(scrollTo(2, 9_000, 480, 18, 1_000)).toBe(0);
  });
});
