/** Questions about key event receipt logs at any height, answered from the tables (DESIGN §5). All answers are bounded. */
import type { Aid, Height, Said } from "../../base/brands.ts";
import { concatBytes } from "../../base/bytes.ts";
import type { KerlEvent } from "../../keri/kerl.ts";
import type { KeyState } from "../../keri/key-state.ts";
import type { SqlDatabase } from "../rebac/sql-database.ts";
import { numberOf, textOf } from "../rebac/table-rows.ts";
import { OPEN } from "../rebac/table-schema.ts";
import { SqlArchive, eventTypeOf, namesOf } from "./archive.ts";
import { exported } from "./export.ts";
import { type KerlRow, kerlRowOf } from "./rows.ts";
import { createKerlTables, historyStatements } from "./schema.ts";

/** A command's place in the log. */
export interface Place {
  readonly height: number;
  readonly index: number;
}

export interface StoredReceipt {
  readonly sn: number;
  readonly said: Said;
  readonly at: Place;
  /** Names of src/keri/kerl.ts. */
  readonly signers: readonly string[];
  /** CESR groups. */
  readonly attached: Uint8Array;
}

export interface StoredKeyEvent {
  /** Counts the events of everybody in the order in which the log admitted them, from 1. */
  readonly ordinal: number;
  readonly sn: number;
  readonly said: Said;
  readonly type: KerlEvent["type"];
  readonly from: Place;
  /** Where it was superseded; null: in force. */
  readonly to: Place | null;
  readonly signers: readonly string[];
  readonly event: Uint8Array;
  readonly attached: Uint8Array;
  /** What was signed of it since. */
  readonly receipts: readonly StoredReceipt[];
}

export interface StoredReply {
  readonly said: Said;
  readonly signer: Aid;
  readonly date: string;
  readonly from: Place;
  /** Where a newer one took its place; null: the newest. */
  readonly to: Place | null;
  readonly reply: Uint8Array;
  readonly attached: Uint8Array;
}

export interface StoredFork {
  readonly sn: number;
  readonly said: Said;
  readonly at: Place;
  readonly event: Uint8Array;
  readonly attached: Uint8Array;
}

/** That something happened to an identifier's log. */
export interface KerlChange {
  readonly at: Place;
  readonly kind: "accepted" | "superseded" | "receipt" | "fork" | "reply";
  /** 0 for a reply. */
  readonly sn: number;
  readonly said: Said;
}

/** Events of one page, and their bytes: one more only when it is the first. */
export const PAGE_EVENTS_MAX = 256;
export const PAGE_BYTES_MAX = 1024 * 1024;
/** Changes and replies of one answer. */
export const PAGE_ROWS_MAX = 256;

export interface LogPage {
  readonly events: readonly StoredKeyEvent[];
  /** Ask for what comes after this ordinal; null: that was all. */
  readonly next: number | null;
}

export interface ExportPage {
  /** A CESR stream: whole messages, in the order in which the log admitted them. */
  readonly stream: Uint8Array;
  readonly next: number | null;
}

export class KerlHistory {
  readonly #sql: ReturnType<typeof historyStatements>;
  readonly #archive: SqlArchive;

  constructor(db: SqlDatabase) {
    createKerlTables(db);
    this.#sql = historyStatements(db);
    this.#archive = new SqlArchive(db);
  }

  /** After the last event in force at the height, up to a sequence number; undefined when there was none, or none with that number. */
  keyState(aid: Aid, height: Height, sn?: number): KeyState | undefined {
    const state = this.#archive.stateAt(aid, sn ?? Number.MAX_SAFE_INTEGER, height);
    return sn !== undefined && state?.latest.sn !== sn ? undefined : state;
  }

  /** Events in the order in which the log admitted them, superseded ones too, as of a height. */
  log(aid: Aid, height: Height, after = 0): LogPage {
    const events: StoredKeyEvent[] = [];
    let size = 0;
    for (const row of this.#sql.log.iterate({ aid, after, height, limit: PAGE_EVENTS_MAX + 1 })) {
      const event = this.#stored(kerlRowOf("events", row), height);
      size += bytesOf(event);
      if (events.length === PAGE_EVENTS_MAX || (events.length > 0 && size > PAGE_BYTES_MAX))
        return { events, next: events.at(-1)?.ordinal ?? null };
      events.push(event);
    }
    return { events, next: null };
  }

  /** What the log holds of an identifier, for those who know KERI alone. The stream of what came whole in one piece is that piece. */
  export(aid: Aid, height: Height, after = 0): ExportPage {
    const { events, next } = this.log(aid, height, after);
    return { stream: concatBytes(...events.map((event) => exported(aid, event))), next };
  }

  /** The event in force at a sequence number and height. */
  event(aid: Aid, sn: number, height: Height): StoredKeyEvent | undefined {
    const row = this.#sql.eventAt.get(aid, sn, height, height);
    return row === undefined ? undefined : this.#stored(kerlRowOf("events", row), height);
  }

  /** Of the event in force at a sequence number and height: signatures that came after it, oldest first. */
  receipts(aid: Aid, sn: number, height: Height): readonly StoredReceipt[] {
    const row = this.#sql.eventAt.get(aid, sn, height, height);
    return row === undefined ? [] : this.#receiptsOf(textOf(row, "said") as Said, height);
  }

  /** Roles that a controller gave to endpoints ("end"), or where an endpoint is ("loc"): the newest of each at the height. */
  replies(kind: "end" | "loc", aid: Aid, height: Height): readonly StoredReply[] {
    const prefix = `${kind} ${aid} `;
    return this.#sql.replies
      .all(prefix, `${prefix}\u{10ffff}`, height, height, PAGE_ROWS_MAX)
      .map((row) => replyOf(kerlRowOf("replies", row), height));
  }

  /** Rivals of events in force, with signatures that hold. */
  forks(aid: Aid, height: Height): readonly StoredFork[] {
    return this.#sql.forks.all(aid, height, height).map((row) => {
      const { sn, said, from_height, from_index, event, attached } = kerlRowOf("forks", row);
      return { sn, said: said as Said, at: { height: from_height, index: from_index }, event, attached };
    });
  }

  /**
   * What happened to an identifier's log in blocks after one height and up to another, in the order of the log, but for the first
   * `skip`. Bounds: PAGE_ROWS_MAX.
   */
  changes(aid: Aid, after: Height | -1, height: Height, skip = 0): readonly KerlChange[] {
    return this.#sql.changes.all({ aid, after, height, skip, limit: PAGE_ROWS_MAX }).map((row) => ({
      at: { height: numberOf(row, "height"), index: numberOf(row, "at") },
      kind: textOf(row, "kind") as KerlChange["kind"],
      sn: numberOf(row, "sn"),
      said: textOf(row, "said") as Said,
    }));
  }

  #stored(row: KerlRow<"events">, height: Height): StoredKeyEvent {
    const said = row.said as Said;
    return {
      ordinal: row.id,
      sn: row.sn,
      said,
      type: eventTypeOf(row),
      from: { height: row.from_height, index: row.from_index },
      to: endOf(row, height),
      signers: namesOf(row.signers),
      event: row.event,
      attached: row.attached,
      receipts: this.#receiptsOf(said, height),
    };
  }

  #receiptsOf(said: Said, height: Height): readonly StoredReceipt[] {
    return this.#sql.receipts.all(said, height).map((row) => {
      const { sn, from_height, from_index, signers, attached } = kerlRowOf("receipts", row);
      return { sn, said, at: { height: from_height, index: from_index }, signers: namesOf(signers), attached };
    });
  }
}

/** Whoever asks at a height hears nothing of what came after it. */
const endOf = (row: { readonly to_height: number; readonly to_index: number }, height: number): Place | null =>
  row.to_height === OPEN || row.to_height > height ? null : { height: row.to_height, index: row.to_index };

const replyOf = (row: KerlRow<"replies">, height: number): StoredReply => ({
  said: row.said as Said,
  signer: row.signer as Aid,
  date: row.date,
  from: { height: row.from_height, index: row.from_index },
  to: endOf(row, height),
  reply: row.reply,
  attached: row.attached,
});

const bytesOf = ({ event, attached, receipts }: StoredKeyEvent): number =>
  event.length + attached.length + receipts.reduce((sum, receipt) => sum + 256 + receipt.attached.length, 0);
