/**
 * The ceremony's journal: one line for each record, chained by digests, synced before the answer goes out. A line that a crash
 * cut off was never answered and is dropped; any other damage stops the node.
 */
import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { fromUtf8, utf8 } from "../../base/bytes.ts";
import { Fault } from "../../base/errors.ts";
import { domainDigest } from "../../crypto/hash.ts";
import { diskFull, isDiskFull } from "../founding/files.ts";
import type { CeremonyRecord } from "../../machines/ceremony/ceremony.types.ts";

export interface CeremonyJournal {
  readonly read: () => readonly CeremonyRecord[];
  readonly append: (records: readonly CeremonyRecord[]) => void;
  readonly close: () => void;
}

/** 16 hex digits tell damage from intention well enough; who can write the file could rewrite it anyway. */
const LINK_LENGTH = 16;
const linkOf = (previous: string, body: string): string =>
  domainDigest("ceremony-journal", utf8(previous + body)).slice(0, LINK_LENGTH);

/** Throws: Fault JOURNAL_DAMAGED, JOURNAL_FAILED, DISK_FULL. */
export function openCeremonyJournal(path: string): CeremonyJournal {
  const file = attempt(path, () => openSync(path, "a+", 0o600));
  const { records, link, length } = load(
    path,
    attempt(path, () => readFileSync(path)),
  );
  attempt(path, () => ftruncateSync(file, length));
  let last = link;
  return {
    read: () => records,
    append: (added) => {
      let lines = "";
      let next = last;
      for (const record of added) {
        const body = JSON.stringify(record);
        next = linkOf(next, body);
        lines += `${next} ${body}\n`;
      }
      attempt(path, () => {
        const bytes = Buffer.from(lines);
        if (writeSync(file, bytes) !== bytes.length) throw new Error("the disk took only a part");
        fsyncSync(file);
      });
      last = next;
    },
    close: () => closeSync(file),
  };
}

function load(
  path: string,
  content: Uint8Array,
): { readonly records: readonly CeremonyRecord[]; readonly link: string; readonly length: number } {
  const length = content.lastIndexOf(0x0a) + 1;
  const text = fromUtf8(content.subarray(0, length));
  const records: CeremonyRecord[] = [];
  let link = "";
  for (const [i, line] of (text ?? "\n").split("\n").slice(0, -1).entries()) {
    const body = line.slice(LINK_LENGTH + 1);
    link = linkOf(link, body);
    if (line !== `${link} ${body}`) {
      throw new Fault(
        "JOURNAL_DAMAGED",
        `${path} is damaged at line ${i + 1}; restore it from a backup. Without it wrong attempts would be forgiven.`,
      );
    }
    records.push(JSON.parse(body) as CeremonyRecord); // our own bytes: the chain holds
  }
  return { records, link, length };
}

function attempt<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (isDiskFull(error)) throw diskFull(path, error);
    throw new Fault(
      "JOURNAL_FAILED",
      `${path}: ${error instanceof Error ? error.message : String(error)}; check the disk before starting the node again.`,
      { cause: error },
    );
  }
}
