/**
 * Tells a new node from one whose disk was lost, and this journal from an older state of itself: the journal's id and the number of its
 * start stand in the log database and in a file beside it; a clean stop adds to the file what state it left the journal in. The file
 * is there from the node's initialisation on, so that a node that was given its keys back and nothing else is not taken for a new one.
 */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { VOTES_ABOVE_MARK } from "../../actors/consensus/start.ts";
import { decode, encode, integer } from "../../base/codec.ts";
import { LOST_COMMITS_MARK, type LogDatabase } from "../../events/store/log-database.ts";
import { writeAtomic } from "../founding/files.ts";

const FILE = "journal.id";
/** What the file says between the node's initialisation and its first start. */
const UNUSED = "new";
const MARK = "journal-id";
/** Starts of this log so far. */
const STARTS_MARK = "journal-starts";
/** Stands as long as this log lives: until the survey's bound stands beside it, each start is one without journal. */
const LOST_MARK = "journal-lost";
/** A bound that came with a restored log is as old as that log. */
const LOST = [
  { name: LOST_MARK, value: Buffer.of(1) },
  { name: VOTES_ABOVE_MARK, value: null },
  { name: LOST_COMMITS_MARK, value: null },
] as const;

/** What the file says: `left` is the journal's state at a clean stop, null while it runs and after a crash. */
interface Known {
  readonly id: string;
  readonly starts: number;
  readonly left: string | null;
}
const LINE = /^([0-9a-f]{32}) (\d{1,15}) (running|[0-9a-f]+)$/;

/** Null without the file, and when it says nothing that we wrote: some journal may have been here, and it is not this one. */
function readKnown(path: string): Known | typeof UNUSED | null {
  if (!existsSync(path)) return null;
  const text = readFileSync(path, "utf8").trim();
  if (text === UNUSED) return UNUSED;
  const [, id, starts, left] = LINE.exec(text) ?? [];
  if (id === undefined || starts === undefined || left === undefined) return null;
  return { id, starts: Number(starts), left: left === "running" ? null : left };
}

const writeKnown = (directory: string, { id, starts, left }: Known): void =>
  writeAtomic(join(directory, FILE), `${id} ${starts} ${left ?? "running"}\n`);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const idIn = (log: LogDatabase): string | undefined => {
  const stored = log.mark(MARK);
  return stored && hex(stored);
};

function startsIn(log: LogDatabase): number {
  const stored = log.mark(STARTS_MARK);
  const starts = stored && decode(integer(), stored, 16);
  return starts?.ok ? starts.value : 0;
}

/** Whether the database is the one that the file speaks of, and no older state of it. */
function isTheSame(log: LogDatabase, known: Known): boolean {
  if (known.id !== idIn(log)) return false;
  const starts = startsIn(log);
  if (starts !== known.starts) return starts > known.starts; // the crash came between the database and the file
  return known.left === null || known.left === hex(log.fingerprint());
}

/** The node has just been initialised, and votes for the first time after this. What another life left in the directory stays. */
export function beginJournal(directory: string): void {
  const path = join(directory, FILE);
  if (!existsSync(path)) writeAtomic(path, `${UNUSED}\n`);
}

/**
 * Whether this node may have voted with another journal than the one in its database, with a later state of it, or with one that
 * lost commits since: then it must not vote before it knows how far (consensus.md, "Lost journal"), however often it restarts
 * meanwhile. A node that starts for the first time gets its id. To be asked once for each start, before anything else is written.
 */
export function isJournalLost(log: LogDatabase, directory: string): boolean {
  const known = readKnown(join(directory, FILE));
  const inLog = idIn(log);
  const isLost =
    log.mark(LOST_COMMITS_MARK) !== undefined ||
    // Before the first start ended, the log may have its id already, and nobody has voted with it.
    (known === UNUSED ? inLog !== undefined && hasLived(log) : known === null || !isTheSame(log, known));
  const id = inLog ?? hex(randomBytes(16));
  const starts = Math.max(startsIn(log), known === null || known === UNUSED ? 0 : known.starts) + 1;
  const marks = [
    { name: MARK, value: Buffer.from(id, "hex") },
    { name: STARTS_MARK, value: encode(integer(), starts) },
  ];
  log.commit({ marks: isLost ? [...marks, ...LOST] : marks });
  writeKnown(directory, { id, starts, left: null });
  return isLost || log.mark(LOST_MARK) !== undefined;
}

/** Gives up a journal that is damaged: it counts as lost from now on. */
export const loseJournal = (log: LogDatabase): void => log.forgetUnsettled(LOST);

/** After the last commit of a clean stop: another state than this one will not be taken for it. Throws: Fault FILE_WRITE_FAILED. */
export function closeJournal(log: LogDatabase, directory: string): void {
  const id = idIn(log);
  if (id !== undefined) writeKnown(directory, { id, starts: startsIn(log), left: hex(log.fingerprint()) });
}

const hasLived = (log: LogDatabase): boolean => (log.lastHeight() ?? 0) > 0 || log.journalAll().length > 0;
