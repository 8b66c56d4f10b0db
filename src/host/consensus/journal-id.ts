/** Tells a new disk from a lost one: the journal's id stands in the log database and in a file beside it. */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VOTES_ABOVE_MARK } from "../../actors/consensus/start.ts";
import { LOST_COMMITS_MARK, type LogDatabase } from "../../events/store/log-database.ts";

const FILE = "journal.id";
const MARK = "journal-id";
/** Stands as long as this log lives: until the survey's bound stands beside it, each start is one without journal. */
const LOST_MARK = "journal-lost";

/**
 * Whether this node voted with another journal than the one in its database, or with one that lost commits since: then it must
 * not vote before it knows how far (consensus.md, "Lost journal"), however often it restarts meanwhile. A node that starts for
 * the first time gets its id.
 */
export function isJournalLost(log: LogDatabase, directory: string): boolean {
  const path = join(directory, FILE);
  const known = existsSync(path) ? readFileSync(path, "utf8").trim() : undefined;
  const stored = log.mark(MARK);
  const inLog = stored === undefined ? undefined : Buffer.from(stored).toString("hex");
  const hasLostCommits = log.mark(LOST_COMMITS_MARK) !== undefined;
  if (known !== undefined && known === inLog && !hasLostCommits) return log.mark(LOST_MARK) !== undefined;
  // Without the file, only a log that nobody ever voted with is a new one: this start was begun before and not ended.
  const lost = hasLostCommits || known !== undefined || (inLog !== undefined && hasLived(log));
  const id = inLog ?? randomBytes(16).toString("hex");
  const marks = [{ name: MARK, value: Buffer.from(id, "hex") }];
  // A bound that came with a restored log is as old as that log.
  if (lost)
    log.commit({
      marks: [
        ...marks,
        { name: LOST_MARK, value: Buffer.of(1) },
        { name: VOTES_ABOVE_MARK, value: null },
        { name: LOST_COMMITS_MARK, value: null },
      ],
    });
  else log.commit({ marks });
  writeFileSync(path, `${id}\n`, { mode: 0o600 });
  return lost;
}

const hasLived = (log: LogDatabase): boolean => (log.head()?.height ?? 0) > 0 || log.journalAll().length > 0;
