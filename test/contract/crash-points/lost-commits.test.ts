/** From a damaged write-ahead log to a member that does not vote: what the host makes of LOST_COMMITS_MARK. */
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ensureGenesis, votesAboveMark } from "../../../src/actors/consensus/start.ts";
import { epoch, view } from "../../../src/base/brands.ts";
import { LOST_COMMITS_MARK, type LogDatabase, openLogDatabase } from "../../../src/events/store/log-database.ts";
import { beginJournal, isJournalLost } from "../../../src/host/consensus/journal-id.ts";
import { genesis, hashing } from "../../unit/actors/world.ts";
import { filesOf } from "./life.ts";
import { Chance } from "./points.ts";
import { scratch } from "./scratch.ts";
import { framesOf } from "./wal-format.ts";

const directory = scratch("sky-lost-commits-");
afterAll(() => rmSync(directory, { recursive: true }));

const vote = (log: LogDatabase, at: number): void =>
  log.commit({
    journal: [{ epoch: epoch(0), view: view(at), kind: "vote", key: "nullify/", bytes: new Uint8Array(0) }],
  });

/** One start on a directory, which then is copied as a crash would leave it, with a bit flipped in the frame of a share of the log. */
function crashed(from: string, to: string, during: (log: LogDatabase) => void, damageAt?: number): boolean {
  const log = openLogDatabase(join(from, "log.db"), hashing);
  const isLost = isJournalLost(log, from);
  ensureGenesis(log, genesis);
  during(log);
  const { db, wal } = filesOf(join(from, "log.db"));
  log.close();
  mkdirSync(to);
  const frames = framesOf(wal);
  const hit = damageAt === undefined ? undefined : frames[Math.floor(frames.length * damageAt)];
  writeFileSync(join(to, "log.db"), db);
  writeFileSync(join(to, "log.db-wal"), hit === undefined ? wal : new Chance(1).flipped(wal, hit.end - 1));
  copyFileSync(join(from, "journal.id"), join(to, "journal.id"));
  return isLost;
}

test.each([0, 0.3, 0.5, 0.8])(
  "a member whose write-ahead log broke at %d of its length does not trust its journal, until it knows how far it voted",
  (damageAt) => {
    const life = (n: number): string => join(directory, `life-${damageAt}-${n}`);
    const [first, second, third, fourth, fifth] = [life(1), life(2), life(3), life(4), life(5)] as const;
    mkdirSync(first);
    beginJournal(first);
    const votes = (log: LogDatabase): void => {
      for (let at = 1; at < 8; at++) vote(log, at);
    };
    expect(crashed(first, second, votes, damageAt)).toBe(false);
    const begins = (log: LogDatabase): void => {
      expect(log.mark(LOST_COMMITS_MARK)).toBeUndefined();
      expect(log.mark("votes-above")).toBeUndefined();
    };
    expect(crashed(second, third, begins)).toBe(true);
    // It stays so over restarts; a survey finds a bound; and a second loss takes that bound away.
    const bounded = (log: LogDatabase): void => {
      begins(log);
      log.commit({ marks: [votesAboveMark(view(12))] });
      votes(log);
    };
    expect(crashed(third, fourth, bounded, 0.7)).toBe(true);
    expect(crashed(fourth, fifth, begins)).toBe(true);
  },
);

test("a member that only crashed trusts its journal", () => {
  const [first, second, third] = [join(directory, "a"), join(directory, "b"), join(directory, "c")] as const;
  mkdirSync(first);
  beginJournal(first);
  expect(crashed(first, second, (log) => vote(log, 1))).toBe(false);
  expect(crashed(second, third, (log) => vote(log, 2))).toBe(false);
});
