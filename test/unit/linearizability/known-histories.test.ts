/** Histories whose verdict is known: each bad one is bad in one way. */
import { describe, expect, it } from "vitest";
import { type Violation, checkHistory } from "../../../tools/linearizability/check.ts";
import type { History } from "../../../tools/linearizability/history.ts";
import { check, lost, refused, write } from "./calls.ts";

const violationOf = (history: History): Violation => {
  const verdict = checkHistory(history);
  if (verdict.ok) throw new Error("the history was accepted");
  return verdict.violation;
};

const good: Readonly<Record<string, History>> = {
  "nothing happened": [],
  "a grant is seen, its revocation too": [
    write("grant", "w1", [0, 10], [1, 0]),
    check(true, [11, 12], 1, { atLeast: 1 }),
    write("revoke", "w2", [13, 20], [2, 0]),
    check(false, [21, 22], 2, { atLeast: 2 }),
  ],
  "a check beside a grant sees it or not": [
    write("grant", "w1", [0, 10], [1, 0], { session: "a" }),
    check(false, [1, 2], 0, { session: "b", atLeast: 0 }),
    check(true, [5, 6], 1, { session: "c", atLeast: 0 }),
  ],
  "grants at once: one changes the edge, one finds it there": [
    write("grant", "w1", [0, 10], [1, 1], { session: "a", changed: false }),
    write("grant", "w2", [0, 10], [1, 0], { session: "b" }),
  ],
  "an idempotent write changes nothing": [
    write("revoke", "w1", [0, 10], [1, 0], { changed: false }),
    write("grant", "w2", [11, 20], [2, 0]),
    write("grant", "w3", [21, 30], [3, 0], { changed: false }),
  ],
  "a write of unknown outcome never shows": [
    lost("grant", "w1", [0, 10]),
    check(false, [20, 21], 5, { atLeast: 0 }),
    write("grant", "w2", [30, 40], [6, 0]),
  ],
  "a write of unknown outcome shows long after its client gave up, and stays": [
    lost("grant", "w1", [0, 10], { session: "a" }),
    check(false, [20, 21], 3, { atLeast: 0 }),
    check(true, [30, 31], 4, { atLeast: 3 }),
    check(true, [40, 41], 5, { atLeast: 4 }),
  ],
  "a write of unknown outcome is found there by a later one": [
    lost("grant", "w1", [0, 10]),
    write("grant", "w2", [20, 30], [4, 0], { changed: false }),
  ],
  "the same id again gets the first result, and acts no second time": [
    write("grant", "w1", [0, 10], [1, 0]),
    write("revoke", "w2", [11, 20], [2, 0]),
    write("grant", "w1", [21, 30], [1, 0]),
    check(false, [31, 32], 3, { atLeast: 2 }),
  ],
  "tried in vain, then done under the same id": [
    lost("grant", "w1", [0, 10]),
    check(true, [12, 13], 2, { session: "b", atLeast: 0 }),
    write("grant", "w1", [20, 30], [1, 0]),
  ],
  "a refused write has no effect": [refused("grant", "w1", [0, 10]), check(false, [11, 12], 4, { atLeast: 0 })],
  "a plain check on a node that lags is true at its height": [
    write("grant", "w1", [0, 10], [3, 0], { session: "a" }),
    check(false, [11, 12], 2, { node: "n3", session: "b" }),
    check(true, [13, 14], 3, { node: "n3", session: "b" }),
  ],
  "heights fall from one node to another": [
    check(false, [0, 1], 9, { node: "n0" }),
    check(false, [2, 3], 7, { node: "n1" }),
    check(false, [4, 5], 9, { node: "n0" }),
  ],
  "edges are apart": [
    write("grant", "w1", [0, 10], [1, 0], { edge: "a" }),
    check(false, [11, 12], 1, { edge: "b", atLeast: 1 }),
    write("revoke", "w2", [13, 14], [2, 0], { edge: "b", changed: false }),
  ],
};

describe("a history that one order of its calls explains is accepted", () => {
  it.each(Object.entries(good))("%s", (_what, history) => {
    expect(checkHistory(history)).toMatchObject({ ok: true, judged: { calls: history.length } });
  });
});

/** Each with the rule it breaks and the position of the call that has no place. */
const bad: Readonly<Record<string, readonly [rule: Violation["rule"], at: number, history: History]>> = {
  "a stale read after an acknowledged write": [
    "linearizable",
    1,
    [write("grant", "w1", [0, 10], [3, 0], { session: "a" }), check(false, [11, 12], 3, { session: "b", atLeast: 3 })],
  ],
  "a stale read that names an old height though it demanded the write's": [
    "linearizable",
    1,
    [write("grant", "w1", [0, 10], [3, 0], { session: "a" }), check(false, [11, 12], 2, { session: "b", atLeast: 3 })],
  ],
  "a lost update: the second grant changed the edge as well": [
    "linearizable",
    1,
    [write("grant", "w1", [0, 10], [1, 0], { session: "a" }), write("grant", "w2", [5, 15], [1, 1], { session: "b" })],
  ],
  "an acknowledged revocation without effect": [
    "linearizable",
    2,
    [
      write("grant", "w1", [0, 10], [1, 0]),
      write("revoke", "w2", [11, 20], [2, 0]),
      check(true, [21, 22], 2, { atLeast: 2 }),
    ],
  ],
  "a resurrected write: revoked, and there again": [
    "linearizable",
    3,
    [
      write("grant", "w1", [0, 10], [1, 0]),
      write("revoke", "w2", [11, 20], [2, 0]),
      check(false, [21, 22], 2, { atLeast: 2 }),
      check(true, [23, 24], 3, { atLeast: 2 }),
    ],
  ],
  "a write applied twice: the retry of a settled id acts again": [
    "linearizable",
    3,
    [
      write("grant", "w1", [0, 10], [1, 0]),
      write("revoke", "w2", [11, 20], [2, 0]),
      write("grant", "w1", [21, 30], [1, 0]),
      check(true, [31, 32], 3, { atLeast: 2 }),
    ],
  ],
  "a write applied twice and acknowledged twice": [
    "ids",
    1,
    [write("grant", "w1", [0, 10], [1, 0]), write("grant", "w1", [21, 30], [3, 0], { changed: false })],
  ],
  "a write of unknown outcome that shows and then vanishes": [
    "linearizable",
    2,
    [lost("grant", "w1", [0, 10]), check(true, [20, 21], 3, { atLeast: 0 }), check(false, [30, 31], 4, { atLeast: 3 })],
  ],
  "a write of unknown outcome that acts twice": [
    "linearizable",
    3,
    [
      lost("grant", "w1", [0, 10]),
      check(true, [20, 21], 3, { atLeast: 0 }),
      write("revoke", "w2", [22, 30], [4, 0]),
      check(true, [31, 32], 5, { atLeast: 4 }),
    ],
  ],
  "a write that shows before it was sent": [
    "linearizable",
    0,
    [check(true, [0, 5], 3, { session: "b", atLeast: 0 }), write("grant", "w1", [6, 10], [3, 0], { session: "a" })],
  ],
  "a refused write that shows": [
    "linearizable",
    1,
    [refused("grant", "w1", [0, 10]), check(true, [11, 12], 4, { atLeast: 0 })],
  ],
  "two checks that see a write come and go while it is in flight": [
    "linearizable",
    2,
    [
      write("grant", "w1", [0, 100], [5, 0], { session: "a" }),
      check(true, [10, 11], 5, { session: "b", atLeast: 0 }),
      check(false, [20, 21], 4, { session: "c", node: "n3", atLeast: 5 }),
    ],
  ],
  "a plain check that is wrong at its height: it misses an old write": [
    "truth",
    1,
    [write("grant", "w1", [0, 10], [3, 0], { session: "a" }), check(false, [11, 12], 7, { session: "b" })],
  ],
  "a plain check that is wrong at its height: it sees a later write": [
    "truth",
    0,
    [check(true, [5, 12], 2, { session: "b" }), write("grant", "w1", [0, 10], [3, 0], { session: "a" })],
  ],
  "nodes that differ at one height": [
    "truth",
    2,
    [
      lost("grant", "w1", [0, 10], { session: "a" }),
      check(false, [20, 21], 3, { session: "b", node: "n1" }),
      check(true, [20, 21], 3, { session: "c", node: "n2" }),
    ],
  ],
  "a write of unknown outcome that is seen below a height reached before it was sent": [
    "truth",
    2,
    [
      check(false, [0, 1], 6, { session: "b" }),
      lost("grant", "w1", [10, 20], { session: "a" }),
      check(true, [30, 31], 5, { session: "c" }),
    ],
  ],
  "the order of the log is not the order in time": [
    "time",
    1,
    [
      write("grant", "w1", [0, 10], [8, 0], { edge: "a" }),
      write("grant", "w2", [11, 20], [7, 0], { edge: "b", session: "b" }),
    ],
  ],
  "a write in a block that was final before it was sent": [
    "time",
    1,
    [check(false, [0, 1], 4, { edge: "a" }), write("grant", "w1", [2, 9], [4, 3], { edge: "b", session: "b" })],
  ],
  "two writes in one place": [
    "receipts",
    1,
    [write("grant", "w1", [0, 10], [8, 0], { edge: "a" }), write("grant", "w2", [0, 10], [8, 0], { edge: "b" })],
  ],
  "a check that was answered below the height it demanded": [
    "freshness",
    1,
    [write("grant", "w1", [0, 10], [3, 0], { edge: "a" }), check(false, [20, 21], 2, { edge: "b", atLeast: 3 })],
  ],
  "a height that falls within a session": ["sessions", 1, [check(false, [0, 1], 9), check(false, [2, 3], 8)]],
  "a height below the session's own acknowledged write": [
    "sessions",
    1,
    [write("grant", "w1", [0, 10], [3, 0], { edge: "a" }), check(false, [11, 12], 2, { edge: "b" })],
  ],
};

describe("a history that no order of its calls explains is refused, with the call that has no place", () => {
  it.each(Object.entries(bad))("%s", (_what, [rule, at, history]) => {
    const violation = violationOf(history);
    expect(violation).toMatchObject({ rule });
    expect(history.indexOf(violation.entry)).toBe(at);
  });

  it("two blocks of one height", () => {
    const [first, second] = [
      write("grant", "w1", [0, 10], [8, 0], { edge: "a" }),
      write("grant", "w2", [0, 10], [8, 1], { edge: "b" }),
    ];
    const forked = {
      ...second,
      outcome: { kind: "written", receipt: { height: 8, index: 1, blockHash: "another" }, changed: true },
    } as const;
    expect(violationOf([first, forked])).toMatchObject({ rule: "receipts", entry: forked });
  });

  it("two checks that see a write come and go: they carry the newest acknowledged receipt, and only one the newest height", () => {
    const history = [
      write("grant", "w1", [0, 100], [5, 0], { session: "a" }),
      check(true, [10, 11], 5, { session: "b", atLeast: 0 }),
      check(false, [20, 21], 4, { session: "c", node: "n3", atLeast: 0 }),
    ];
    expect(checkHistory(history)).toMatchObject({ ok: true, judged: { ordered: 1, plain: 1 } });
    expect(checkHistory(history, { ordered: "acknowledged" })).toMatchObject({
      ok: false,
      judged: { ordered: 2, plain: 0 },
      violation: { rule: "linearizable", entry: history[2] },
    });
  });

  it("one id for two different writes", () => {
    const history = [lost("grant", "w1", [0, 10]), lost("revoke", "w1", [0, 10])];
    expect(violationOf(history)).toMatchObject({ rule: "ids", entry: history[1] });
  });
});

describe("the smallest prefix", () => {
  it("holds what had begun when the answer without a place came", () => {
    const history = [
      write("grant", "w1", [0, 10], [1, 0]),
      write("revoke", "w2", [12, 90], [3, 0], { session: "b" }),
      check(true, [20, 30], 2, { atLeast: 1 }),
      check(false, [35, 40], 3, { atLeast: 2 }),
      check(true, [50, 60], 3, { atLeast: 3 }),
      check(true, [70, 80], 3, { atLeast: 3 }),
    ];
    const { entry, prefix } = violationOf(history);
    expect(entry).toBe(history[4]);
    expect(prefix).toEqual(history.slice(0, 5));
    expect(checkHistory(prefix)).toMatchObject({ ok: false, violation: { rule: "linearizable", entry } });
    expect(checkHistory(prefix.slice(0, -1))).toMatchObject({ ok: true });
  });

  it("is that of the edge whose answer comes first", () => {
    const wrong = (edge: string, from: number) => [
      write("grant", `${edge}-w`, [from, from + 1], [from + 1, 0], { edge, session: edge }),
      check(false, [from + 2, from + 3], from + 1, { edge, session: edge, atLeast: from + 1 }),
    ];
    const history = [...wrong("late", 50), ...wrong("early", 10)];
    expect(violationOf(history)).toMatchObject({ entry: { startMs: 12, call: { edge: "early" } } });
  });
});
