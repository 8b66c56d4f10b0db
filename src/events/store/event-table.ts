/** The table of blocks: every stream is one chain of them, at positions that are their heights. */
import { sql } from "kysely";
import { type Digest, type Height, height as asHeight } from "../../base/brands.ts";
import { ZERO_DIGEST, digestBytes } from "../../base/bytes.ts";
import { decode, encode } from "../../base/codec.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import {
  BODY_BYTES_MAX,
  CERTIFICATE_BYTES_MAX,
  HEADER_BYTES_MAX,
  PROOF_HEADERS_MAX,
  finalityProofShape,
} from "../facts/block.ts";
import type { Header, LogEvent } from "../facts/block.ts";
import { LogDamage, type LogHashing, judgeBlock, storedDigest } from "./damage.ts";
import { prepare, queries } from "./schema.ts";
import { type Sqlite, ownBytes } from "./sqlite.ts";

export interface Head {
  readonly height: Height;
  readonly hash: Digest;
}

export interface PageLimits {
  /** Events at most. */
  readonly limit: number;
  /** Bytes of header, body and proof at most; the first event is given whatever its size. */
  readonly bytesMax: number;
}

/** Refused: events do not start where the stream ends. Read the head and judge again what should be appended. */
export interface WrongPosition extends Refusal<"WRONG_EXPECTED_POSITION"> {
  readonly expected: Height;
  /** Where the stream does continue. */
  readonly next: Height;
}
/** Refused: an event is not the successor of the one before it, or its bytes are not what its hashes say. */
export interface BrokenChain extends Refusal<"BROKEN_CHAIN"> {
  readonly height: Height;
}
export type AppendRefusal = WrongPosition | BrokenChain;

interface EventRow {
  readonly position: number;
  readonly hash: Uint8Array;
  readonly time: number;
  readonly header: Uint8Array;
  readonly proof: Uint8Array;
  readonly body: Uint8Array;
}

/** An event with its header, read and checked. */
export interface CheckedEvent {
  readonly event: LogEvent;
  readonly header: Header;
}

export const PROOF_BYTES_MAX = BODY_BYTES_MAX + CERTIFICATE_BYTES_MAX + PROOF_HEADERS_MAX * (HEADER_BYTES_MAX + 3);

/** The lowest event that has none before it, genesis aside. */
const prepareAfterGap = (connection: Sqlite) =>
  prepare<{ stream: string }, { position: number }>(connection, (slot) =>
    queries
      .selectFrom("events as one")
      .leftJoin("events as before", (join) =>
        join.onRef("before.stream", "=", "one.stream").on("before.position", "=", sql<number>`one.position - 1`),
      )
      .select("one.position")
      .where("one.stream", "=", slot("stream"))
      .where("one.position", ">", sql.lit(0))
      .where("before.position", "is", null)
      .orderBy("one.position")
      .limit(sql.lit(1)),
  );

function prepareStatements(connection: Sqlite) {
  const rows = queries.selectFrom("events").select(["position", "hash", "time", "header", "proof", "body"]);
  const byPosition = queries.selectFrom("events").select(["position", "hash"]);
  return {
    head: prepare<{ stream: string }, { position: number; hash: Uint8Array }>(connection, (slot) =>
      byPosition.where("stream", "=", slot("stream")).orderBy("position", "desc").limit(sql.lit(1)),
    ),
    below: prepare<{ stream: string; position: number }, { position: number }>(connection, (slot) =>
      queries
        .selectFrom("events")
        .select("position")
        .where("stream", "=", slot("stream"))
        .where("position", "<", slot("position"))
        .orderBy("position", "desc")
        .limit(sql.lit(1)),
    ),
    afterGap: prepareAfterGap(connection),
    at: prepare<{ stream: string; position: number }, EventRow>(connection, (slot) =>
      rows.where("stream", "=", slot("stream")).where("position", "=", slot("position")),
    ),
    remove: prepare<{ stream: string; position: number }, never>(connection, (slot) =>
      queries.deleteFrom("events").where("stream", "=", slot("stream")).where("position", "=", slot("position")),
    ),
    removeAbove: prepare<{ stream: string; position: number }, never>(connection, (slot) =>
      queries.deleteFrom("events").where("stream", "=", slot("stream")).where("position", ">", slot("position")),
    ),
    hashAt: prepare<{ stream: string; position: number }, { hash: Uint8Array }>(connection, (slot) =>
      queries
        .selectFrom("events")
        .select("hash")
        .where("stream", "=", slot("stream"))
        .where("position", "=", slot("position")),
    ),
    withHash: prepare<{ stream: string; hash: Uint8Array }, EventRow>(connection, (slot) =>
      rows.where("hash", "=", slot("hash")).where("stream", "=", slot("stream")),
    ),
    from: prepare<{ stream: string; position: number; limit: number }, EventRow>(connection, (slot) =>
      rows
        .where("stream", "=", slot("stream"))
        .where("position", ">=", slot("position"))
        .orderBy("position")
        .limit(slot("limit")),
    ),
    insert: prepare<EventRow & { stream: string }, never>(connection, (slot) =>
      queries.insertInto("events").values({
        stream: slot("stream"),
        position: slot("position"),
        hash: slot("hash"),
        time: slot("time"),
        header: slot("header"),
        proof: slot("proof"),
        body: slot("body"),
      }),
    ),
  };
}

/** Why a block cannot stand at a height after a parent; undefined when it can. */
export function misplaced(event: LogEvent, header: Header, height: Height, parent: Digest): string | undefined {
  if (event.height !== height) return `it says that it is event ${event.height}`;
  if (header.height !== height) return `its header says height ${header.height}`;
  return header.parent === parent ? undefined : "its header names another parent than the event before it";
}

function readRow(hashing: LogHashing, row: EventRow): Result<CheckedEvent> {
  const hash = storedDigest(row.hash);
  if (hash === undefined) return refuse("DAMAGED", "the hash is not 32 bytes", "none");
  const block = { header: ownBytes(row.header), body: ownBytes(row.body) };
  const judged = judgeBlock(hashing, hash, block);
  if (!judged.ok) return judged;
  const header = judged.value;
  if (header.height !== row.position) return refuse("DAMAGED", `the header says height ${header.height}`, "none");
  if (header.time !== row.time) return refuse("DAMAGED", "the time beside the header is another", "none");
  const proof = decode(finalityProofShape, row.proof, PROOF_BYTES_MAX);
  if (!proof.ok) return refuse("DAMAGED", `the finality proof cannot be read (${proof.refusal.message})`, "none");
  return ok({ event: { height: header.height, hash, block, proof: proof.value }, header });
}

/** Synchronous queries and appends of one connection; what writes runs within the caller's transaction. */
export class EventTable {
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #hashing: LogHashing;
  readonly #path: string;

  constructor(connection: Sqlite, hashing: LogHashing, path: string) {
    this.#statements = prepareStatements(connection);
    this.#hashing = hashing;
    this.#path = path;
  }

  /** Last event of a stream; undefined while it has none. */
  head(stream: string): Head | undefined {
    const row = this.#statements.head.get({ stream });
    return row && { height: asHeight(row.position), hash: this.#hashOf(row) };
  }

  /** Height of the last event, read without looking at the event itself. */
  lastHeight(stream: string): Height | undefined {
    const row = this.#statements.head.get({ stream });
    return row && asHeight(row.position);
  }

  /** Height of the last event before a height. */
  lastBelow(stream: string, height: Height): Height | undefined {
    const row = this.#statements.below.get({ stream, position: height });
    return row && asHeight(row.position);
  }

  /** Height of the first event that has none before it, genesis aside; undefined when there is no gap. Reads all heights. */
  firstAfterGap(stream: string): Height | undefined {
    const row = this.#statements.afterGap.get({ stream });
    return row && asHeight(row.position);
  }

  /** Throws: LogDamage. */
  event(stream: string, height: Height): LogEvent | undefined {
    const row = this.#statements.at.get({ stream, position: height });
    return row && this.#checked(row).event;
  }

  /** Throws: LogDamage. */
  eventByHash(stream: string, hash: Digest): LogEvent | undefined {
    const row = this.#statements.withHash.get({ stream, hash: digestBytes(hash) });
    const event = row && this.#checked(row).event;
    if (event !== undefined && event.hash !== hash)
      throw new LogDamage(this.#path, event.height, "the index of hashes leads to it for another hash");
    return event;
  }

  /** Hash of the block at a height as stored, without reading the block. */
  hashAt(stream: string, height: Height): Digest | undefined {
    const row = this.#statements.hashAt.get({ stream, position: height });
    return row && this.#hashOf({ position: height, hash: row.hash });
  }

  /** Consecutive events from a height on. Throws: LogDamage, also where a height is missing. */
  page(stream: string, from: Height, limits: PageLimits): readonly CheckedEvent[] {
    const events: CheckedEvent[] = [];
    let bytes = 0;
    for (const row of this.#statements.from.iterate({ stream, position: from, limit: limits.limit })) {
      bytes += row.header.length + row.body.length + row.proof.length;
      if (events.length > 0 && bytes > limits.bytesMax) break;
      const due = asHeight(from + events.length);
      if (row.position !== due) throw new LogDamage(this.#path, due, "the event is missing");
      events.push(this.#checked(row));
    }
    return events;
  }

  /** The events with their headers, if they are what follows the stream's head. */
  admit(stream: string, expected: Height, events: readonly LogEvent[]): Result<readonly CheckedEvent[], AppendRefusal> {
    const head = this.head(stream);
    const next = asHeight(head === undefined ? 0 : head.height + 1);
    if (expected !== next) {
      const message = `Stream ${stream} continues at ${next}, not at ${expected}; read its head and judge again.`;
      return { ok: false, refusal: { code: "WRONG_EXPECTED_POSITION", message, blame: "client", expected, next } };
    }
    return this.#chained(stream, next, head?.hash ?? ZERO_DIGEST, events);
  }

  /** The events with their headers, if they can take the place of those at their heights, from the first one's on. */
  admitInPlace(stream: string, events: readonly LogEvent[]): Result<readonly CheckedEvent[], AppendRefusal> {
    const from = events[0]?.height ?? asHeight(0);
    const parent = from === 0 ? ZERO_DIGEST : this.hashAt(stream, asHeight(from - 1));
    if (parent !== undefined) return this.#chained(stream, from, parent, events);
    const message = `Stream ${stream} has no event before ${from}; nothing can be put there.`;
    return { ok: false, refusal: { code: "BROKEN_CHAIN", message, blame: "client", height: from } };
  }

  #chained(
    stream: string,
    from: Height,
    before: Digest,
    events: readonly LogEvent[],
  ): Result<readonly CheckedEvent[], AppendRefusal> {
    const admitted: CheckedEvent[] = [];
    let parent = before;
    for (const event of events) {
      const height = asHeight(from + admitted.length);
      const judged = judgeBlock(this.#hashing, event.hash, event.block);
      const wrong = judged.ok ? misplaced(event, judged.value, height, parent) : judged.refusal.message;
      if (!judged.ok || wrong !== undefined) {
        const message = `The event given for height ${height} of stream ${stream} cannot stand there: ${wrong ?? ""}.`;
        return { ok: false, refusal: { code: "BROKEN_CHAIN", message, blame: "client", height } };
      }
      admitted.push({ event, header: judged.value });
      parent = event.hash;
    }
    return ok(admitted);
  }

  /** Puts what `admitInPlace` let through where it belongs, within the caller's transaction. */
  replace(stream: string, admitted: readonly CheckedEvent[]): void {
    for (const { event } of admitted) this.#statements.remove.run({ stream, position: event.height });
    this.insert(stream, admitted);
  }

  /** Removes the events above a height, within the caller's transaction. */
  removeAbove(stream: string, height: Height): void {
    this.#statements.removeAbove.run({ stream, position: height });
  }

  /** Inserts what `admit` let through, within the caller's transaction. */
  insert(stream: string, admitted: readonly CheckedEvent[]): void {
    for (const { event, header } of admitted) {
      this.#statements.insert.run({
        stream,
        position: event.height,
        hash: digestBytes(event.hash),
        time: header.time,
        header: event.block.header,
        proof: encode(finalityProofShape, event.proof),
        body: event.block.body,
      });
    }
  }

  #checked(row: EventRow): CheckedEvent {
    const judged = readRow(this.#hashing, row);
    if (!judged.ok) throw new LogDamage(this.#path, asHeight(row.position), judged.refusal.message);
    return judged.value;
  }

  #hashOf(row: { readonly position: number; readonly hash: Uint8Array }): Digest {
    const hash = storedDigest(row.hash);
    if (hash === undefined) throw new LogDamage(this.#path, asHeight(row.position), "the hash is not 32 bytes");
    return hash;
  }
}
