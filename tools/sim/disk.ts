/** Seeded disks: what a member's log leaves there outlives its process. */
import { hash } from "node:crypto";
import type { Digest, Epoch, Height, View } from "../../src/base/brands.ts";
import { concatBytes, utf8 } from "../../src/base/bytes.ts";
import type { Executed, Header, LogEvent } from "../../src/events/facts/block.ts";
import type { LogHashing } from "../../src/events/store/damage.ts";
import type { LogBatch } from "../../src/events/store/log-batch.ts";
import type { Log, Repair } from "../../src/events/store/log.ts";
import { MemoryCheckpoints } from "./checkpoint-store.ts";
import { MemoryLog } from "./memory-log.ts";
import type { Random } from "./random.ts";

/** One transaction of the log. */
export type Write =
  | { readonly kind: "commit"; readonly batch: LogBatch }
  | { readonly kind: "append"; readonly stream: string; readonly events: readonly LogEvent[] }
  | { readonly kind: "drop"; readonly digests: readonly Digest[] };

/** What else becomes durable at once, where a log can be healed or goes on from a checkpoint. */
export type Durable =
  | Write
  | ({ readonly kind: "repair" } & Repair)
  | { readonly kind: "begin"; readonly event: LogEvent; readonly batch: Pick<LogBatch, "pruneBelow" | "marks"> };

/** What becomes of a write. `torn`: the power goes while it is under way. `syncFailed`: part of it may be there nevertheless. */
export type Fate = "done" | "crashBefore" | "torn" | "crashAfter" | "syncFailed" | "full";
export type PlannedFate = Exclude<Fate, "done" | "full">;

export interface StoredEvent {
  readonly event: LogEvent;
  readonly header: Header;
  /** A bit of it was flipped since it was written. */
  readonly isDamaged: boolean;
}

export interface StoredBundleRow {
  readonly bytes: Uint8Array;
  readonly order: number;
  readonly height: Height | null;
  readonly isDamaged: boolean;
}

export interface StoredCandidate {
  readonly epoch: Epoch;
  readonly view: View;
  readonly header: Uint8Array;
  readonly body: Uint8Array;
  readonly isDamaged: boolean;
}

export interface JournalRow {
  readonly seq: number;
  readonly epoch: Epoch;
  readonly view: View;
  readonly kind: string;
  readonly key: string;
  readonly bytes: Uint8Array;
}

/** What is durable. */
export interface Tables {
  readonly streams: Map<string, StoredEvent[]>;
  readonly bundles: Map<Digest, StoredBundleRow>;
  readonly candidates: Map<Digest, StoredCandidate>;
  journal: JournalRow[];
  readonly executed: Map<Height, Digest>;
  executedHead: Executed | undefined;
  readonly marks: Map<string, Uint8Array>;
  /** Rows ever written to tables that number them. */
  seq: number;
}

const emptyTables = (): Tables => ({
  streams: new Map(),
  bundles: new Map(),
  candidates: new Map(),
  journal: [],
  executed: new Map(),
  executedHead: undefined,
  marks: new Map(),
  seq: 0,
});

const SECTOR_BYTES = 512;
const CHECKSUM_BYTES = 32;

/** Numbers the writes of a disk, and says what becomes of each. */
export abstract class Disk {
  #writes = 0;
  #plan: { readonly at: number; readonly fate: PlannedFate } | undefined;
  /** No write finds room. */
  isFull = false;
  readonly checkpoints = new MemoryCheckpoints(() => this.isFull);

  /** Writes begun so far: their numbers are 1, 2, … over all lives. */
  get writes(): number {
    return this.#writes;
  }

  /** Lets the write with this number (or the next one, if it is later) end so. */
  plan(at: number, fate: PlannedFate): void {
    this.#plan = { at, fate };
  }

  /** Begins a write; says what becomes of it. */
  begin(): Fate {
    this.#writes += 1;
    if (this.isFull) return "full";
    const plan = this.#plan;
    if (plan === undefined || this.#writes < plan.at) return "done";
    this.#plan = undefined;
    return plan.fate;
  }

  /** Height of the last block; −1 without any. */
  abstract get height(): number;
  /** Flips a bit in a block, a bundle or a candidate that is stored. Returns what it hit; undefined when there is nothing. */
  abstract flipBit(): string | undefined;
  /** Opens the log that is on it, as a process does that starts. `written` hears of each write when it is durable. */
  abstract open(path: string, hashing: LogHashing, written: (write: Durable) => void): Log;
  /** Nobody needs it any more. */
  close(): void {}
}

/**
 * A disk in memory. Every write is one frame with a checksum, synced before the commit returns; a power cut in the middle of one leaves
 * any part of that frame, so that it is there as a whole or not at all.
 */
export class MemoryDisk extends Disk {
  readonly tables = emptyTables();
  readonly #random: Random;
  /** Frame that a power cut or a failed sync left half-written, if anything of it is there. */
  #tail: Uint8Array | undefined;

  constructor(random: Random) {
    super();
    this.#random = random;
  }

  override get height(): number {
    return (this.tables.streams.get("log")?.length ?? 0) - 1;
  }

  override open(path: string, hashing: LogHashing, written: (write: Write) => void): Log {
    return new MemoryLog(this, path, hashing, written);
  }

  /** Keeps a seeded part of the frame, whole sectors first, what follows in the last one undefined. */
  tear(write: Write): void {
    const frame = encodeFrame(write);
    const kept = this.#random.chance(0.2) ? frame.length : this.#random.below(frame.length);
    const tail = new Uint8Array(Math.min(frame.length, Math.ceil(kept / SECTOR_BYTES) * SECTOR_BYTES));
    tail.set(frame.subarray(0, kept));
    for (let i = kept; i < tail.length; i++) tail[i] = this.#random.below(256);
    this.#tail = tail;
  }

  /** The write that a crash left under way, if all of it is there; forgets the rest. */
  recover(): Write | undefined {
    const tail = this.#tail;
    this.#tail = undefined;
    return tail === undefined ? undefined : decodeFrame(tail);
  }

  override flipBit(): string | undefined {
    const { streams, bundles, candidates } = this.tables;
    const log = streams.get("log") ?? [];
    const kinds = [
      ...(log.length > 1 ? ["event"] : []),
      ...(bundles.size > 0 ? ["bundle"] : []),
      ...(candidates.size > 0 ? ["candidate"] : []),
    ];
    if (kinds.length === 0) return undefined;
    const kind = this.#random.pick(kinds);
    if (kind === "event") {
      const at = 1 + this.#random.below(log.length - 1);
      const stored = log[at];
      if (stored === undefined) return undefined;
      const { event } = stored;
      const inHeader = this.#random.chance(0.5);
      const { header, body } = event.block;
      const block = inHeader ? { header: this.#flipped(header), body } : { header, body: this.#flipped(body) };
      log[at] = { ...stored, event: { ...event, block }, isDamaged: true };
    } else if (kind === "bundle") {
      const [digest, row] = this.#random.pick([...bundles]);
      bundles.set(digest, { ...row, bytes: this.#flipped(row.bytes), isDamaged: true });
    } else {
      const [hash, row] = this.#random.pick([...candidates]);
      candidates.set(hash, { ...row, header: this.#flipped(row.header), isDamaged: true });
    }
    return kind;
  }

  #flipped(bytes: Uint8Array): Uint8Array {
    return withFlippedBit(bytes, this.#random);
  }
}

export function withFlippedBit(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = new Uint8Array(bytes);
  const at = random.below(copy.length);
  copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
  return copy;
}

const checksum = (bytes: Uint8Array): Uint8Array => hash("sha256", bytes, "buffer");

/** Checksum, then JSON with bytes as hex: only what a crash tears is ever encoded. */
function encodeFrame(write: Write): Uint8Array {
  const payload = utf8(
    JSON.stringify(write, (_key, value: unknown) =>
      value instanceof Uint8Array ? { $bytes: Buffer.from(value).toString("hex") } : value,
    ),
  );
  return concatBytes(checksum(payload), payload);
}

function decodeFrame(frame: Uint8Array): Write | undefined {
  const payload = frame.subarray(CHECKSUM_BYTES);
  if (Buffer.compare(checksum(payload), frame.subarray(0, CHECKSUM_BYTES)) !== 0) return undefined;
  return JSON.parse(Buffer.from(payload).toString(), (_key, value: unknown) =>
    typeof value === "object" && value !== null && "$bytes" in value
      ? Uint8Array.from(Buffer.from(String(value.$bytes), "hex"))
      : value,
  ) as Write;
}
