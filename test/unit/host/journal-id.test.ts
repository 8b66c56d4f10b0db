/** "Lost journal" of consensus.md: when a node may trust that its database remembers every vote it cast. */
import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { ensureGenesis, votesAboveMark } from "../../../src/actors/consensus/start.ts";
import { epoch, view } from "../../../src/base/brands.ts";
import { blockHash, bodyHash, bundleDigest, genesisEvent } from "../../../src/events/facts/hashing.ts";
import { type LogDatabase, openLogDatabase } from "../../../src/events/store/log-database.ts";
import { beginJournal, closeJournal, isJournalLost } from "../../../src/host/consensus/journal-id.ts";

const genesis = genesisEvent({ document: new TextEncoder().encode("a founding document"), signatures: [] });
const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

/** Of a node that was initialised and has not started yet. */
function directory(): string {
  const made = mkdtempSync(join(tmpdir(), "sky-journal-"));
  directories.push(made);
  beginJournal(made);
  return made;
}

/** One start of a node on this directory; the log's file may be of another one. */
function start(at: string, during: (log: LogDatabase) => void = () => {}, logAt: string = at): boolean {
  const log = openLogDatabase(join(logAt, "log.db"), { header: blockHash, body: bodyHash, bundle: bundleDigest });
  ensureGenesis(log, genesis);
  const lost = isJournalLost(log, at);
  during(log);
  log.close();
  return lost;
}

const ballot = (at: number) => ({
  epoch: epoch(0),
  view: view(at),
  kind: "vote",
  key: "nullify/",
  bytes: new Uint8Array(0),
});
const vote = (log: LogDatabase): void => log.commit({ journal: [ballot(1)] });

/** One start that ends with a clean stop. */
const stopped = (at: string, during: (log: LogDatabase) => void): boolean =>
  start(at, (log) => {
    during(log);
    closeJournal(log, at);
  });

describe("a node's journal", () => {
  it("is there at the first start, and at every later one", () => {
    const at = directory();
    expect([start(at, vote), start(at, vote), start(at)]).toEqual([false, false, false]);
  });

  it("is lost with the log's file", () => {
    const at = directory();
    start(at, vote);
    rmSync(join(at, "log.db"));
    expect(start(at)).toBe(true);
  });

  it("stays lost over restarts, until the journal's own log says above which view its member votes", () => {
    const at = directory();
    start(at, vote);
    rmSync(join(at, "log.db"));
    start(at);
    expect(start(at)).toBe(true);
    start(at, (log) => log.commit({ marks: [votesAboveMark(view(9))] }));
    start(at, (log) => expect(log.mark("votes-above")).toBeDefined());
  });

  it("is lost when the log is an older one from elsewhere, whatever bound that one had found", () => {
    const at = directory();
    const backup = directory();
    start(backup, (log) => {
      vote(log);
      log.commit({ marks: [votesAboveMark(view(3))] });
    });
    start(at, vote);
    rmSync(join(at, "log.db"));
    const found = start(at, (log) => expect(log.mark("votes-above")).toBeUndefined(), backup);
    expect(found).toBe(true);
  });

  it("is lost with the whole disk: who gives a node its keys back need not know what else to put there", () => {
    const at = directory();
    start(at, vote);
    for (const file of readdirSync(at)) rmSync(join(at, file));
    expect([start(at), start(at)]).toEqual([true, true]);
  });

  it("is the one that the directory has, when the node is initialised there once more", () => {
    const at = directory();
    start(at, vote);
    rmSync(join(at, "log.db"));
    beginJournal(at);
    expect(start(at)).toBe(true);
  });

  it("is lost when the log came without the file beside it", () => {
    const at = directory();
    start(at, vote);
    rmSync(join(at, "journal.id"));
    expect(start(at)).toBe(true);
  });

  it("is not lost when the very first start ended before the file was written", () => {
    const at = directory();
    const before = readFileSync(join(at, "journal.id"));
    start(at);
    writeFileSync(join(at, "journal.id"), before);
    expect(start(at)).toBe(false);
  });

  it("is lost when an older copy of the very same log was put back, unless it is of the run that crashed last", () => {
    const at = directory();
    const kept = join(directory(), "log.db");
    start(at, vote);
    copyFileSync(join(at, "log.db"), kept);
    start(at, vote);
    copyFileSync(kept, join(at, "log.db"));
    expect(start(at)).toBe(true);
  });

  it("is lost when a copy made while the node ran was put back after that run had stopped cleanly", () => {
    const at = directory();
    const kept = directory();
    const files = ["log.db", "log.db-wal"];
    stopped(at, (log) => {
      vote(log);
      for (const file of files) copyFileSync(join(at, file), join(kept, file));
      log.commit({ journal: [ballot(2)] });
    });
    for (const file of files) copyFileSync(join(kept, file), join(at, file));
    expect(start(at, (log) => expect(log.journalAll()).toHaveLength(1))).toBe(true);
  });

  it("is not lost by a clean stop", () => {
    const at = directory();
    start(at, vote);
    stopped(at, vote);
    expect(start(at)).toBe(false);
  });

  it("is lost when the file says what we never wrote", () => {
    const at = directory();
    start(at, vote);
    writeFileSync(join(at, "journal.id"), "anything else");
    expect(start(at)).toBe(true);
  });
});
