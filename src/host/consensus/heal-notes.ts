/** What happened to this node's log, in sentences for `sky status`: kept in the log itself, the newest ones. */
import { decode, encode, list, text } from "../../base/codec.ts";
import type { Log } from "../../events/store/log.ts";

const MARK = "heal-notes";
/** The newest; who wants more reads the node's log files. */
export const NOTES_MAX = 16;
/** Units: bytes; four for each character at most. */
const NOTE_MAX = 1200;
const shape = list(text(NOTE_MAX), NOTES_MAX);

export function readNotes(log: Log): readonly string[] {
  const stored = log.mark(MARK);
  const notes = stored && decode(shape, stored, 2 * NOTES_MAX * NOTE_MAX);
  return notes?.ok ? notes.value : [];
}

/** Adds sentences with their time; returns all that are kept. */
export function addNotes(log: Log, added: readonly string[], now: Date): readonly string[] {
  const notes = readNotes(log);
  if (added.length === 0) return notes;
  const dated = added.map((note) => `${now.toISOString()} ${note}`.slice(0, NOTE_MAX / 4));
  const kept = [...notes, ...dated].slice(-NOTES_MAX);
  log.commit({ marks: [{ name: MARK, value: encode(shape, kept) }] });
  return kept;
}
