/** The log in memory over a seeded disk: does and refuses what LogDatabase does; the store's contract suite runs against both. */
import type { Digest, Epoch, Height } from "../../src/base/brands.ts";
import { height as heightOf } from "../../src/base/brands.ts";
import { ZERO_DIGEST } from "../../src/base/bytes.ts";
import { Fault, assert } from "../../src/base/errors.ts";
import { type Result, ok } from "../../src/base/result.ts";
import type { Executed, LogEvent } from "../../src/events/facts/block.ts";
import { LogDamage, type LogHashing, judgeBlock } from "../../src/events/store/damage.ts";
import {
  type AppendRefusal,
  type CheckedEvent,
  type Head,
  type PageLimits,
  misplaced,
} from "../../src/events/store/event-table.ts";
import { AppendDefect } from "../../src/events/store/log-database.ts";
import type { Candidate, LogBatch, StoredBundle, StoredRecord } from "../../src/events/store/log-batch.ts";
import type { Log } from "../../src/events/store/log.ts";
import { PowerCut } from "./power-cut.ts";
import type { MemoryDisk, StoredCandidate, StoredEvent, Tables, Write } from "./disk.ts";

const LOG_STREAM = "log";

export class MemoryLog implements Log {
  readonly path: string;
  readonly #disk: MemoryDisk;
  readonly #tables: Tables;
  readonly #hashing: LogHashing;
  readonly #listeners = new Set<(stream: string) => void>();
  readonly #written: (write: Write) => void;
  #failed: Fault | undefined;

  /** Opens what the disk holds. `written` hears of each write when it is durable. */
  constructor(disk: MemoryDisk, path: string, hashing: LogHashing, written: (write: Write) => void = () => {}) {
    this.path = path;
    this.#disk = disk;
    this.#tables = disk.tables;
    this.#hashing = hashing;
    this.#written = written;
    const landed = disk.recover();
    if (landed !== undefined) this.#apply(landed);
  }

  head(stream: string = LOG_STREAM): Head | undefined {
    const last = this.#tables.streams.get(stream)?.at(-1);
    return last && { height: last.event.height, hash: last.event.hash };
  }

  event(height: Height): LogEvent | undefined {
    const stored = this.#tables.streams.get(LOG_STREAM)?.[height];
    return stored && this.#read(stored).event;
  }

  eventByHash(hash: Digest): LogEvent | undefined {
    const stored = this.#tables.streams.get(LOG_STREAM)?.findLast(({ event }) => event.hash === hash);
    return stored && this.#read(stored).event;
  }

  hashAt(height: Height): Digest | undefined {
    return this.#tables.streams.get(LOG_STREAM)?.[height]?.event.hash;
  }

  events(from: Height, limits: PageLimits): readonly LogEvent[] {
    return this.eventsWithHeaders(from, limits).map(({ event }) => event);
  }

  eventsWithHeaders(from: Height, limits: PageLimits, stream: string = LOG_STREAM): readonly CheckedEvent[] {
    const rows = this.#tables.streams.get(stream) ?? [];
    const page: CheckedEvent[] = [];
    let bytes = 0;
    for (let at: number = from; at < rows.length && page.length < limits.limit; at++) {
      const row = rows[at];
      if (row === undefined) break;
      const { header, body } = row.event.block;
      bytes += header.length + body.length + proofBytes(row.event);
      if (page.length > 0 && bytes > limits.bytesMax) break;
      page.push(this.#read(row));
    }
    return page;
  }

  bundle(digest: Digest): StoredBundle | undefined {
    const row = this.#tables.bundles.get(digest);
    if (row === undefined) return undefined;
    if (row.isDamaged && this.#hashing.bundle(row.bytes) !== digest)
      throw new LogDamage(this.path, row.height ?? undefined, `bundle ${digest} does not hash to its digest`);
    return { digest, bytes: new Uint8Array(row.bytes) };
  }

  bundlesUnordered(): readonly StoredBundle[] {
    const rows = [...this.#tables.bundles].filter(([, { height }]) => height === null);
    rows.sort(([, a], [, b]) => a.order - b.order);
    return rows.flatMap(([digest]) => this.bundle(digest) ?? []);
  }

  journal(epoch: Epoch): readonly StoredRecord[] {
    return this.#tables.journal.filter((row) => row.epoch === epoch);
  }

  journalAll(): readonly StoredRecord[] {
    return [...this.#tables.journal];
  }

  candidates(epoch: Epoch): readonly Candidate[] {
    return [...this.#tables.candidates]
      .filter(([, row]) => row.epoch === epoch)
      .sort(([a, { view: v }], [b, { view: w }]) => v - w || (a < b ? -1 : 1))
      .map(([hash, row]) => this.#candidate(hash, row));
  }

  candidate(hash: Digest): Candidate | undefined {
    const row = this.#tables.candidates.get(hash);
    return row && this.#candidate(hash, row);
  }

  executedRoot(height: Height): Digest | undefined {
    return this.#tables.executed.get(height);
  }

  executedHead(): Executed | undefined {
    return this.#tables.executedHead;
  }

  mark(name: string): Uint8Array | undefined {
    const value = this.#tables.marks.get(name);
    return value && new Uint8Array(value);
  }

  commit(batch: LogBatch): void {
    if (batch.append !== undefined) {
      const { expected, events } = batch.append;
      const admitted = this.#admit(LOG_STREAM, expected, events);
      if (!admitted.ok) throw new AppendDefect(admitted.refusal);
    }
    const stored = new Set(batch.bundles?.map(({ digest }) => digest));
    for (const { digest, height } of batch.bundleHeights ?? [])
      assert(
        stored.has(digest) || this.#tables.bundles.has(digest),
        `block ${height} names bundle ${digest}, which is not stored`,
      );
    for (const { height, root } of batch.executed ?? [])
      assert((this.executedRoot(height) ?? root) === root, `height ${height} was executed before with another root`);
    this.#write({ kind: "commit", batch });
    if (batch.append !== undefined && batch.append.events.length > 0) this.#announce(LOG_STREAM);
  }

  append(stream: string, expected: Height, events: readonly LogEvent[]): Result<void, AppendRefusal> {
    const admitted = this.#admit(stream, expected, events);
    if (!admitted.ok) return admitted;
    if (events.length > 0) {
      this.#write({ kind: "append", stream, events });
      this.#announce(stream);
    }
    return ok(undefined);
  }

  dropBundles(digests: readonly Digest[]): void {
    this.#write({ kind: "drop", digests });
  }

  onAppend(listener: (stream: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    this.#listeners.clear();
  }

  #announce(stream: string): void {
    for (const listener of this.#listeners) listener(stream);
  }

  #write(write: Write): void {
    if (this.#failed !== undefined) {
      const message = `${this.path} takes no more writes since one failed; restart the node.`;
      throw new Fault("LOG_WRITE_FAILED", message, { cause: this.#failed });
    }
    switch (this.#disk.begin()) {
      case "full":
        throw (this.#failed = new Fault("LOG_FULL", `${this.path}: no room is left; make some and restart the node.`));
      case "syncFailed":
        this.#disk.tear(write);
        throw (this.#failed = new Fault("LOG_WRITE_FAILED", `${this.path}: the disk did not sync.`));
      case "torn":
        this.#disk.tear(write);
        throw new PowerCut("within a write");
      case "crashBefore":
        throw new PowerCut("before a write");
      case "crashAfter":
        this.#apply(write);
        throw new PowerCut("after a write");
      case "done":
        this.#apply(write);
    }
  }

  #apply(write: Write): void {
    switch (write.kind) {
      case "commit":
        this.#applyBatch(write.batch);
        break;
      case "append":
        this.#insert(write.stream, write.events);
        break;
      case "drop":
        for (const digest of write.digests)
          if (this.#tables.bundles.get(digest)?.height === null) this.#tables.bundles.delete(digest);
    }
    this.#written(write);
  }

  #applyBatch(batch: LogBatch): void {
    const tables = this.#tables;
    if (batch.pruneBelow !== undefined) this.#prune(batch.pruneBelow);
    this.#addUnordered(batch);
    if (batch.append !== undefined) this.#insert(LOG_STREAM, batch.append.events);
    for (const { digest, height } of batch.bundleHeights ?? []) {
      const row = tables.bundles.get(digest);
      if (row?.height === null) tables.bundles.set(digest, { ...row, height });
    }
    for (const executed of batch.executed ?? []) {
      tables.executed.set(executed.height, executed.root);
      if (executed.height >= (tables.executedHead?.height ?? 0)) tables.executedHead = executed;
    }
    for (const { epoch, view, kind, key, bytes } of batch.journal ?? [])
      tables.journal.push({ seq: ++tables.seq, epoch, view, kind, key, bytes: new Uint8Array(bytes) });
    for (const { name, value } of batch.marks ?? []) {
      if (value === null) tables.marks.delete(name);
      else tables.marks.set(name, new Uint8Array(value));
    }
  }

  #prune({ epoch, view }: NonNullable<LogBatch["pruneBelow"]>): void {
    const tables = this.#tables;
    const isKept = (row: { readonly epoch: number; readonly view: number }): boolean =>
      row.epoch > epoch || (row.epoch === epoch && row.view >= view);
    tables.journal = tables.journal.filter(isKept);
    for (const [hash, row] of tables.candidates) if (!isKept(row)) tables.candidates.delete(hash);
  }

  /** Bundles and candidates; those that are stored stay as they are. */
  #addUnordered({ bundles = [], candidates = [] }: LogBatch): void {
    const tables = this.#tables;
    for (const { digest, bytes } of bundles) {
      if (tables.bundles.has(digest)) continue;
      const row = { bytes: new Uint8Array(bytes), order: ++tables.seq, height: null, isDamaged: false };
      tables.bundles.set(digest, row);
    }
    for (const { hash, epoch, view, block } of candidates) {
      if (tables.candidates.has(hash)) continue;
      tables.candidates.set(hash, { epoch, view, ...ownBlock(block), isDamaged: false });
    }
  }

  #insert(stream: string, events: readonly LogEvent[]): void {
    let rows = this.#tables.streams.get(stream);
    if (rows === undefined) {
      rows = [];
      this.#tables.streams.set(stream, rows);
    }
    for (const event of events) {
      const judged = judgeBlock(this.#hashing, event.hash, event.block);
      assert(judged.ok, "an admitted event holds");
      rows.push({ event: { ...event, block: ownBlock(event.block) }, header: judged.value, isDamaged: false });
    }
  }

  #admit(stream: string, expected: Height, events: readonly LogEvent[]): Result<void, AppendRefusal> {
    const head = this.head(stream);
    const next = heightOf(head === undefined ? 0 : head.height + 1);
    if (expected !== next) {
      const message = `Stream ${stream} continues at ${next}, not at ${expected}; read its head and judge again.`;
      return { ok: false, refusal: { code: "WRONG_EXPECTED_POSITION", message, blame: "client", expected, next } };
    }
    let parent = head?.hash ?? ZERO_DIGEST;
    for (const [i, event] of events.entries()) {
      const height = heightOf(next + i);
      const judged = judgeBlock(this.#hashing, event.hash, event.block);
      const wrong = judged.ok ? misplaced(event, judged.value, height, parent) : judged.refusal.message;
      if (wrong !== undefined) {
        const message = `The event given for height ${height} of stream ${stream} cannot stand there: ${wrong}.`;
        return { ok: false, refusal: { code: "BROKEN_CHAIN", message, blame: "client", height } };
      }
      parent = event.hash;
    }
    return ok(undefined);
  }

  #read({ event, header, isDamaged }: StoredEvent): CheckedEvent {
    if (isDamaged) {
      const judged = judgeBlock(this.#hashing, event.hash, event.block);
      if (!judged.ok) throw new LogDamage(this.path, event.height, judged.refusal.message);
    }
    return { event: { ...event, block: ownBlock(event.block) }, header };
  }

  #candidate(hash: Digest, { epoch, view, header, body, isDamaged }: StoredCandidate): Candidate {
    const block = ownBlock({ header, body });
    const judged = isDamaged ? judgeBlock(this.#hashing, hash, block) : ok(undefined);
    if (!judged.ok) throw new LogDamage(this.path, undefined, `candidate ${hash}: ${judged.refusal.message}`);
    return { hash, epoch, view, block };
  }
}

const ownBlock = ({ header, body }: LogEvent["block"]): LogEvent["block"] => ({
  header: new Uint8Array(header),
  body: new Uint8Array(body),
});

/** About what the proof takes on disk. */
function proofBytes({ proof }: LogEvent): number {
  if (proof.kind === "none") return 1;
  if (proof.kind === "genesis") return proof.signatures.length;
  return 64 * proof.certificate.signatures.length + proof.headers.reduce((sum, header) => sum + header.length, 80);
}
