/**
 * Key event receipt logs in the projection database: every event with the heights between which it was in force, and what was
 * signed of it. Facts change them by `applyKerlFact` alone, as they change the live logs. A sum over the digests of all rows goes
 * with them in the same transaction, as with the graph's tables.
 */
import type { Aid, Digest, Said } from "../../base/brands.ts";
import { digestOf } from "../../base/bytes.ts";
import { assert, present } from "../../base/errors.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import type { IdentityFact } from "../../events/facts/fact.ts";
import type { KerlFact } from "../../keri/kerl-facts.ts";
import { applyKerlFact } from "../../keri/kerl-fold.ts";
import {
  type EventRef,
  type KerlEntry,
  type KerlEscrow,
  type KerlEvent,
  type KerlReply,
  type KerlStore,
  escrowName,
} from "../../keri/kerl.ts";
import type { KeyState } from "../../keri/key-state.ts";
import type { EventSeal } from "../../keri/messages.ts";
import type { SqlDatabase } from "../rebac/sql-database.ts";
import { RowSum, blobOf, numberOf } from "../rebac/table-rows.ts";
import { OPEN } from "../rebac/table-schema.ts";
import { ESCROW_REASONS, SqlArchive, escrowOf, namesOf } from "./archive.ts";
import { factOfInception } from "./genesis.ts";
import { KERL_TABLES, type KerlRow, type KerlTable, kerlRowDigest, kerlRowOf, valuesOf } from "./rows.ts";
import { createKerlTables, writerStatements } from "./schema.ts";
import { nextOrder } from "./source.ts";
import { EVENT_TYPES, encodeState } from "./state-codec.ts";

/** What one command of a block did; or its first one, which dropped what had expired. */
export interface CommandKerlFacts {
  readonly index: number;
  readonly facts: readonly (KerlFact | IdentityFact)[];
}

/** Tables whose rows count up. */
const COUNTED = ["events", "receipts", "forks", "replies"] as const;
type Counted = (typeof COUNTED)[number];

export class KerlTables implements KerlStore {
  readonly #sql: ReturnType<typeof writerStatements>;
  readonly #archive: SqlArchive;
  #height = -1;
  #sum = new RowSum();
  readonly #last: { [T in Counted]: number } = { events: 0, receipts: 0, forks: 0, replies: 0 };
  /** Where the command in work stands. */
  #at = { height: 0, index: 0 };
  /** Of escrows: see `nextOrder`. */
  #newestOrder = 0;
  /** An event that is still to be written: its signers come after it. */
  #accepted: KerlRow<"events"> | undefined;
  /** The state of the identifier that was asked for last: most facts of a command are about one. */
  #state: KeyState | undefined;

  /** Opens the tables, and makes those that are missing. */
  constructor(db: SqlDatabase) {
    createKerlTables(db);
    this.#sql = writerStatements(db);
    this.#archive = new SqlArchive(db);
    this.reload();
  }

  /** Last block applied; −1 before genesis. */
  get height(): number {
    return this.#height;
  }

  /** Sum of all rows' digests, as it was kept while they changed. */
  get rowsRoot(): Digest {
    return digestOf(this.#sum.bytes());
  }

  /** Applies one block within the caller's transaction, which ends with `flush` (or, when it fails, with `reload`). */
  applyBlock(height: number, commands: readonly CommandKerlFacts[]): void {
    assert(height > this.#height, "blocks are applied in order, once");
    for (const { index, facts } of commands) {
      this.#at = { height, index };
      for (const fact of facts) {
        applyKerlFact(this, fact.kind === "identifierIncepted" ? factOfInception(fact) : fact, height);
        this.#settle();
      }
    }
    this.#height = height;
  }

  /** Writes height and sum beside the rows. */
  flush(): void {
    this.#sql.writeMeta.run(this.#height, this.#sum.bytes());
  }

  /** Forgets what was not committed. */
  reload(): void {
    const row = this.#sql.readMeta.get();
    this.#state = undefined;
    this.#accepted = undefined;
    this.#newestOrder = numberOf(this.#sql.lastEscrow.get(), "ord");
    this.#height = row === undefined ? -1 : numberOf(row, "height");
    this.#sum = row === undefined ? new RowSum() : RowSum.of(blobOf(row, "sum"));
    for (const table of COUNTED) this.#last[table] = numberOf(this.#sql.lastId[table].get(), "id");
  }

  /** Whether the rows are those that were written. Refuses: PROJECTION_DAMAGED when any was edited, deleted or inserted; rebuild them. */
  verifyRows(): Result<Digest, Refusal<"PROJECTION_DAMAGED">> {
    const sum = new RowSum();
    for (const table of KERL_TABLES)
      for (const row of this.#sql.all[table].iterate()) sum.add(kerlRowDigest(table, kerlRowOf(table, row)));
    const found = digestOf(sum.bytes());
    if (found === this.rowsRoot) return ok(found);
    return refuse(
      "PROJECTION_DAMAGED",
      `The key event tables at height ${this.#height} are not those that were written; rebuild them.`,
      "none",
    );
  }

  /** Rows in the order in which a checkpoint carries them. */
  *rows<T extends KerlTable>(table: T): Generator<KerlRow<T>> {
    for (const row of this.#sql.all[table].iterate()) yield kerlRowOf(table, row);
  }

  /** Rows of a checkpoint, in the order of `rows`. Returns what is wrong with them. */
  restore<T extends KerlTable>(table: T, rows: readonly KerlRow<T>[]): string | undefined {
    for (const row of rows) {
      const id: unknown = Reflect.get(row, "id");
      if (typeof id === "number" && id !== this.#last[table as Counted] + 1) return `a row of ${table} is missing`;
      this.#insert(table, row);
    }
    return undefined;
  }

  /** Ends a restore: height and sum stand beside the rows. */
  restorePosition(height: number): void {
    this.#height = height;
    this.#newestOrder = numberOf(this.#sql.lastEscrow.get(), "ord");
    this.flush();
  }

  // What the fold reads.

  keyState(aid: Aid): KeyState | undefined {
    if (this.#state?.aid !== aid) this.#state = this.#archive.stateAt(aid, Number.MAX_SAFE_INTEGER, OPEN - 1);
    return this.#state;
  }

  keyStateAt(aid: Aid, sn: number): KeyState | undefined {
    const state = this.keyState(aid);
    return state?.latest.sn === sn ? state : this.#archive.keyStateAt(aid, sn);
  }

  eventAt(aid: Aid, sn: number): KerlEvent | undefined {
    return this.#archive.eventAt(aid, sn);
  }

  event(said: Said): KerlEvent | undefined {
    return this.#archive.event(said);
  }

  eventBytes(said: Said): Uint8Array | undefined {
    return this.#archive.eventBytes(said);
  }

  anchors(delegator: Aid, seal: EventSeal): readonly EventRef[] {
    return this.#archive.anchors(delegator, seal);
  }

  signers(said: Said): ReadonlySet<string> {
    return this.#archive.signers(said);
  }

  escrow(name: string): KerlEscrow | undefined {
    const row = this.#sql.escrowByName.get(name);
    return row === undefined ? undefined : escrowOf(row);
  }

  waitingFor(aid: Aid): readonly KerlEscrow[] {
    return this.#archive.escrows().filter(({ waitsFor }) => waitsFor === aid);
  }

  escrowsOf(aid: Aid): readonly KerlEscrow[] {
    return this.#archive.escrows().filter((escrow) => escrow.aid === aid);
  }

  escrowCount(): number {
    return numberOf(this.#sql.escrowCount.get(), "count");
  }

  escrowBytes(): number {
    return numberOf(this.#sql.escrowBytes.get(), "bytes");
  }

  escrows(): readonly KerlEscrow[] {
    return this.#archive.escrows();
  }

  forks(aid: Aid): readonly EventRef[] {
    return this.#archive.forks(aid);
  }

  reply(subject: string): KerlReply | undefined {
    return this.#archive.reply(subject);
  }

  // What the fold writes.

  putEvent({ aid, sn, said, type, anchor, bytes, attached, eventSeals, state }: KerlEntry): void {
    this.#settle();
    const event = this.#last.events + 1;
    this.#accepted = {
      id: event,
      aid,
      sn,
      said,
      type: EVENT_TYPES.indexOf(type),
      ...this.#from(),
      to_height: OPEN,
      to_index: 0,
      anchor_sn: anchor?.sn ?? null,
      anchor_said: anchor?.said ?? null,
      signers: "",
      seals: eventSeals.length,
      state: type === "ixn" ? null : encodeState(state),
      event: bytes,
      attached,
    };
    for (const [n, seal] of eventSeals.entries())
      this.#insert("seals", { event, n, delegator: aid, aid: seal.aid, sn: seal.sn, said: seal.said });
    this.#state = state;
  }

  supersede(_aid: Aid, _sn: number, said: Said): void {
    const row = kerlRowOf("events", present(this.#sql.eventBySaid.get(said), "an event that is superseded is there"));
    const { height, index } = this.#at;
    this.#replaced("events", row, { ...row, to_height: height, to_index: index });
    this.#sql.endEvent.run(height, index, said);
    this.#state = undefined;
  }

  addSigners(said: Said, signers: readonly string[], attached: Uint8Array | null): void {
    if (attached === null && this.#accepted?.said === said) {
      this.#accepted = { ...this.#accepted, signers: signers.join(" ") };
      return this.#settle();
    }
    const row = kerlRowOf("events", present(this.#sql.eventBySaid.get(said), "an event that was signed is there"));
    if (attached !== null) {
      const { aid, sn } = row;
      const id = this.#last.receipts + 1;
      return this.#insert("receipts", { id, aid, sn, said, ...this.#from(), signers: signers.join(" "), attached });
    }
    const joined = [...namesOf(row.signers), ...signers].join(" ");
    this.#replaced("events", row, { ...row, signers: joined });
    this.#sql.setSigners.run(joined, said);
  }

  putEscrow({ aid, sn, said, reason, waitsFor, event, attached, height }: Omit<KerlEscrow, "order">): void {
    const name = escrowName({ said, reason, waitsFor });
    const there = this.escrow(name);
    const order = there?.order ?? nextOrder(this.#newestOrder, height);
    this.#newestOrder = Math.max(this.#newestOrder, order);
    this.removeEscrow(name);
    this.#insert("escrows", {
      name,
      ord: order,
      aid,
      sn,
      said,
      reason: ESCROW_REASONS.indexOf(reason),
      waits_for: waitsFor,
      height: there?.height ?? height,
      event,
      attached,
    });
  }

  removeEscrow(name: string): void {
    const row = this.#sql.escrowByName.get(name);
    if (row === undefined) return;
    this.#sum.subtract(kerlRowDigest("escrows", kerlRowOf("escrows", row)));
    this.#sql.deleteEscrow.run(name);
  }

  putFork(aid: Aid, { sn, said }: EventRef, event: Uint8Array, attached: Uint8Array): void {
    this.#insert("forks", { id: this.#last.forks + 1, aid, sn, said, ...this.#from(), event, attached });
  }

  putReply(
    subject: string,
    { said, signer, signedAt, date }: KerlReply,
    bytes: Uint8Array,
    attached: Uint8Array,
  ): void {
    const before = this.#sql.replyBySubject.get(subject, OPEN);
    if (before !== undefined) {
      const row = kerlRowOf("replies", before);
      const { height, index } = this.#at;
      this.#replaced("replies", row, { ...row, to_height: height, to_index: index });
      this.#sql.endReply.run(height, index, row.id);
    }
    this.#insert("replies", {
      id: this.#last.replies + 1,
      subject,
      said,
      signer,
      signed_at: signedAt,
      date,
      ...this.#from(),
      to_height: OPEN,
      to_index: 0,
      reply: bytes,
      attached,
    });
  }

  #settle(): void {
    if (this.#accepted !== undefined) this.#insert("events", this.#accepted);
    this.#accepted = undefined;
  }

  #from(): { readonly from_height: number; readonly from_index: number } {
    return { from_height: this.#at.height, from_index: this.#at.index };
  }

  #insert<T extends KerlTable>(table: T, row: KerlRow<T>): void {
    this.#sql.insert[table].run(...valuesOf(table, row));
    this.#sum.add(kerlRowDigest(table, row));
    const id: unknown = Reflect.get(row, "id");
    if (typeof id === "number") this.#last[table as Counted] = id;
  }

  #replaced<T extends KerlTable>(table: T, before: KerlRow<T>, after: KerlRow<T>): void {
    this.#sum.subtract(kerlRowDigest(table, before));
    this.#sum.add(kerlRowDigest(table, after));
  }
}
