/** What the store offers to healing (ADR 0017): a checksum over what no hash of the chain covers, and records put in place. */
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { epoch, height, view } from "../../../src/base/brands.ts";
import { utf8 } from "../../../src/base/bytes.ts";
import { MerkleFrontier } from "../../../src/crypto/merkle.ts";
import type { LogDatabase } from "../../../src/events/store/log-database.ts";
import { fromGenesis } from "../../../src/events/store/log-verify.ts";
import { Chain, bundleOf } from "../../contract/chain.ts";
import { logPath, openLog, verdictOf } from "./log-fixture.ts";

const COUNT = 8;

/** Blocks with a bundle each, votes above them, a candidate, a mark. */
function fill(log: LogDatabase): Chain {
  const chain = new Chain();
  for (let at = 0; at < COUNT; at++) {
    const bundles = at === 0 ? [] : [bundleOf(`of ${at}`)];
    const event = chain.next(bundles.map(({ digest }) => digest));
    log.commit({
      bundles,
      append: { expected: event.height, events: [event] },
      bundleHeights: bundles.map(({ digest }) => ({ digest, height: event.height })),
      journal: [{ epoch: epoch(0), view: view(at + 1), kind: "vote", key: "nullify/", bytes: utf8(`${at}`) }],
      pruneBelow: { epoch: epoch(0), view: view(at) },
    });
  }
  const { hash, block } = new Chain("other").next();
  log.commit({
    candidates: [{ hash, epoch: epoch(0), view: view(COUNT), block }],
    marks: [{ name: "bound", value: utf8("9") }],
  });
  return chain;
}

function damaged(sql: string, ...values: readonly unknown[]): LogDatabase {
  const path = logPath();
  const log = openLog(path);
  fill(log);
  expect(log.defect()).toBeUndefined();
  log.close();
  const db = new Database(path);
  expect(db.prepare(sql).run(...values).changes).toBeGreaterThan(0);
  db.close();
  return openLog(path);
}

describe("the checksum over what no peer can restore", () => {
  test("holds over commits, prunings and reopenings", () => {
    const path = logPath();
    const log = openLog(path);
    expect(log.defect()).toBeUndefined();
    fill(log);
    log.commit({ marks: [{ name: "bound", value: utf8("10") }] });
    log.commit({ marks: [{ name: "bound", value: null }], pruneBelow: { epoch: epoch(0), view: view(100) } });
    expect(log.defect()).toBeUndefined();
    log.close();
    expect(openLog(path).defect()).toBeUndefined();
  });

  test("follows nothing that was not committed", () => {
    const log = openLog(logPath());
    fill(log);
    const before = log.fingerprint();
    const vote = { epoch: epoch(0), view: view(99), kind: "vote", key: "x", bytes: utf8("x") };
    expect(() =>
      log.commit({ journal: [vote], append: { expected: height(3), events: new Chain().take(1) } }),
    ).toThrow();
    expect(log.fingerprint()).toEqual(before);
    expect(log.defect()).toBeUndefined();
  });

  test.each([
    ["a vote's view", "UPDATE journal SET view = view + 1 WHERE seq = (SELECT max(seq) FROM journal)"],
    ["a vote's key", "UPDATE journal SET key = 'finalize/' WHERE seq = (SELECT max(seq) FROM journal)"],
    ["a vote's bytes", "UPDATE journal SET bytes = x'00' WHERE seq = (SELECT max(seq) FROM journal)"],
    ["a vote that is gone", "DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)"],
    ["a mark", "UPDATE marks SET value = x'38' WHERE name = 'bound'"],
    ["a mark that is gone", "DELETE FROM marks WHERE name = 'bound'"],
    ["a candidate that is gone", "DELETE FROM candidates"],
    ["a candidate's view", "UPDATE candidates SET view = view + 1"],
    ["itself", "UPDATE marks SET value = zeroblob(80) WHERE name = 'integrity'"],
    ["itself, gone", "DELETE FROM marks WHERE name = 'integrity'"],
    ["the newest event, gone", `DELETE FROM events WHERE position = ${COUNT - 1}`],
    ["an event beyond the end", `UPDATE events SET position = ${COUNT + 4} WHERE position = 3`],
  ])("tells of %s, until the journal is given up", (_what, sql) => {
    const log = damaged(sql);
    expect(log.defect()).toEqual(expect.any(String));
    log.forgetUnsettled([{ name: "lost", value: utf8("1") }]);
    expect(log.defect()).toBeUndefined();
    expect([log.journalAll(), log.candidates(epoch(0))]).toEqual([[], []]);
    expect(log.lastHeight()).toBeLessThan(COUNT);
    log.commit({ marks: [{ name: "bound", value: utf8("11") }] });
    expect(log.defect()).toBeUndefined();
    expect(log.mark("lost")).toEqual(utf8("1"));
  });

  test("gives up the journal of a log that holds genesis alone", () => {
    const path = logPath();
    const log = openLog(path);
    const genesis = new Chain().next();
    log.commit({ append: { expected: genesis.height, events: [genesis] } });
    log.close();
    const raw = new Database(path);
    raw.exec("UPDATE marks SET value = zeroblob(80) WHERE name = 'integrity'");
    raw.close();
    const again = openLog(path);
    again.forgetUnsettled([]);
    expect(again.defect()).toBeUndefined();
    expect(again.committedHead()).toEqual({ height: genesis.height, hash: genesis.hash });
  });

  test("says nothing of events that peers can give again", () => {
    expect(damaged("UPDATE events SET body = x'00' WHERE position = 3").defect()).toBeUndefined();
    expect(damaged("DELETE FROM events WHERE position = 3").defect()).toBeUndefined();
  });
});

describe("records put in place", () => {
  const others = new Chain();
  const events = Array.from({ length: COUNT }, (_, at) => others.next(at === 0 ? [] : [bundleOf(`of ${at}`).digest]));
  const repairOf = (...heights: readonly number[]) => ({
    events: events.filter(({ height: at }) => heights.includes(at)),
    bundles: heights.filter((at) => at > 0).map((at) => ({ ...bundleOf(`of ${at}`), height: height(at) })),
  });

  test.each([
    ["UPDATE events SET header = x'00' WHERE position = 3"],
    ["DELETE FROM events WHERE position = 3"],
    ["UPDATE bundles SET bytes = x'00' WHERE height = 3"],
    ["UPDATE bundles SET digest = zeroblob(32) WHERE height = 3"],
    ["DELETE FROM bundles WHERE height = 3"],
  ])("make the log sound again: %s", (sql) => {
    const log = damaged(sql);
    const verdict = () => verdictOf(log, fromGenesis(height(COUNT - 1), MerkleFrontier.empty));
    expect(verdict()).toMatchObject({ kind: "damaged", height: 3 });
    expect(log.repair(repairOf(3))).toEqual({ ok: true, value: undefined });
    expect(verdict()).toMatchObject({ kind: "sound" });
    expect(log.defect()).toBeUndefined();
  });

  test("are refused where they do not follow what stands before them, and nothing is written", () => {
    const log = damaged("DELETE FROM events WHERE position IN (3, 4)");
    const stranger = new Chain("stranger").take(4)[3];
    expect(log.repair({ events: stranger === undefined ? [] : [stranger], bundles: [] })).toMatchObject({
      refusal: { code: "BROKEN_CHAIN", height: 3 },
    });
    expect(log.repair(repairOf(4))).toMatchObject({ refusal: { code: "BROKEN_CHAIN" } });
    expect(log.event(height(3))).toBeUndefined();
    expect(log.repair(repairOf(3, 4))).toMatchObject({ ok: true });
  });
});
