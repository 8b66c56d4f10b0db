/** Tells a new disk from a lost one: the journal's id stands in the log database and in a file beside it. */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LogDatabase } from "../../events/store/log-database.ts";

const FILE = "journal.id";
const MARK = "journal-id";

/**
 * Whether this node voted with another journal than the one in its database: then it must not vote before it knows how far
 * (consensus.md, "Lost journal"). A node that starts for the first time gets its id.
 */
export function isJournalLost(log: LogDatabase, directory: string): boolean {
  const path = join(directory, FILE);
  const known = existsSync(path) ? readFileSync(path, "utf8").trim() : undefined;
  const stored = log.mark(MARK);
  const inLog = stored === undefined ? undefined : Buffer.from(stored).toString("hex");
  if (known !== undefined && known === inLog) return false;
  const id = inLog ?? randomBytes(16).toString("hex");
  if (inLog === undefined) log.commit({ marks: [{ name: MARK, value: Buffer.from(id, "hex") }] });
  writeFileSync(path, `${id}\n`, { mode: 0o600 });
  return known !== undefined;
}
