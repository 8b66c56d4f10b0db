/** What the tables of key event receipt logs answer the rules: the past of every identifier, one indexed look-up each. */
import type { Aid, Said } from "../../base/brands.ts";
import { Fault } from "../../base/errors.ts";
import type { EventRef, KerlEscrow, KerlEvent, KerlReply } from "../../keri/kerl.ts";
import type { KeyState } from "../../keri/key-state.ts";
import type { EscrowReason, EventSeal } from "../../keri/messages.ts";
import type { SqlDatabase, SqlStatement } from "../rebac/sql-database.ts";
import { blobOf, numberOf, textOf } from "../rebac/table-rows.ts";
import { OPEN } from "../rebac/table-schema.ts";
import { kerlRowOf } from "./rows.ts";
import { createKerlTables, readerStatements } from "./schema.ts";
import type { KerlArchive } from "./source.ts";
import { EVENT_TYPES, decodeState } from "./state-codec.ts";

/** Reasons by their place, which never changes. */
export const ESCROW_REASONS = [
  "out-of-order",
  "partially-signed",
  "partially-witnessed",
  "awaiting-anchor",
  "unverified-receipt",
] as const satisfies readonly EscrowReason[];

const damaged = (what: string): Fault =>
  new Fault("PROJECTION_DAMAGED", `A row of the key event tables has ${what}; rebuild the projection.`);

export function eventTypeOf(row: unknown): KerlEvent["type"] {
  const type = EVENT_TYPES[numberOf(row, "type")];
  if (type === undefined) throw damaged("an event type that there is not");
  return type;
}

export const namesOf = (joined: string): readonly string[] => (joined === "" ? [] : joined.split(" "));

const refOf = (row: unknown): EventRef => ({ sn: numberOf(row, "sn"), said: textOf(row, "said") as Said });

function eventOf(row: unknown): KerlEvent {
  const isAnchored = row !== null && typeof row === "object" && Reflect.get(row, "anchor_said") !== null;
  return {
    aid: textOf(row, "aid") as Aid,
    ...refOf(row),
    type: eventTypeOf(row),
    inForce: numberOf(row, "to_height") === OPEN,
    anchor: isAnchored ? { sn: numberOf(row, "anchor_sn"), said: textOf(row, "anchor_said") as Said } : null,
  };
}

export function escrowOf(row: unknown): KerlEscrow {
  const { ord, aid, sn, said, reason, waits_for, height, event, attached } = kerlRowOf("escrows", row);
  const why = ESCROW_REASONS[reason];
  if (why === undefined) throw damaged("an escrow reason that there is not");
  return {
    aid: aid as Aid,
    sn,
    said: said as Said,
    reason: why,
    waitsFor: waits_for as Aid,
    event,
    attached,
    height,
    order: ord,
  };
}

/** What the disk does is no defect of the rules that asked: replicas could differ. */
function guarded(statement: SqlStatement): SqlStatement {
  const asked = <T>(read: () => T): T => {
    try {
      return read();
    } catch (error) {
      throw new Fault("PROJECTION_UNREADABLE", "The key event tables cannot be read.", { cause: error });
    }
  };
  return {
    run: (...parameters) => asked(() => statement.run(...parameters)),
    get: (...parameters) => asked(() => statement.get(...parameters)),
    all: (...parameters) => asked(() => statement.all(...parameters)),
    iterate: (...parameters) => asked(() => statement.iterate(...parameters)),
  };
}

export class SqlArchive implements KerlArchive {
  readonly #sql: ReturnType<typeof readerStatements>;

  constructor(db: SqlDatabase) {
    createKerlTables(db);
    this.#sql = readerStatements((sql) => guarded(db.prepare(sql)));
  }

  keyStateAt(aid: Aid, sn: number): KeyState | undefined {
    if (this.#sql.eventAt.get(aid, sn, OPEN) === undefined) return undefined;
    return this.stateAt(aid, sn, OPEN - 1);
  }

  /** After the last event up to `sn` of those in force at a height. */
  stateAt(aid: Aid, snMax: number, height: number): KeyState | undefined {
    const last = this.#sql.lastEvent.get(aid, snMax, height, height);
    const set = this.#sql.establishment.get(aid, snMax, height, height);
    if (last === undefined || set === undefined) return undefined;
    const state = decodeState(aid, blobOf(set, "state"));
    return { ...state, latest: { ...refOf(last), type: eventTypeOf(last) } };
  }

  eventAt(aid: Aid, sn: number): KerlEvent | undefined {
    const row = this.#sql.eventAt.get(aid, sn, OPEN);
    return row === undefined ? undefined : eventOf(row);
  }

  event(said: Said): KerlEvent | undefined {
    const row = this.#sql.event.get(said);
    return row === undefined ? undefined : eventOf(row);
  }

  eventBytes(said: Said): Uint8Array | undefined {
    const row = this.#sql.eventBytes.get(said);
    return row === undefined ? undefined : blobOf(row, "event");
  }

  anchors(delegator: Aid, seal: EventSeal): readonly EventRef[] {
    return this.#sql.anchors.all(seal.said, delegator, seal.aid, seal.sn).map(refOf);
  }

  signers(said: Said): ReadonlySet<string> {
    const signers = new Set<string>();
    for (const row of this.#sql.signers.all(said, said))
      for (const name of namesOf(textOf(row, "signers"))) signers.add(name);
    return signers;
  }

  forks(aid: Aid): readonly EventRef[] {
    return this.#sql.forks.all(aid).map(refOf);
  }

  reply(subject: string): KerlReply | undefined {
    const row = this.#sql.reply.get(subject, OPEN);
    if (row === undefined) return undefined;
    return {
      said: textOf(row, "said") as Said,
      signer: textOf(row, "signer") as Aid,
      signedAt: numberOf(row, "signed_at"),
      date: textOf(row, "date"),
    };
  }

  /** In the order they came. */
  escrows(): readonly KerlEscrow[] {
    return this.#sql.escrows.all().map(escrowOf);
  }

  /** Every event in force, in the order of the log: the state after it where it set the keys. */
  *inForce(): Generator<{ readonly aid: Aid; readonly state: Uint8Array | null; readonly latest: KeyState["latest"] }> {
    for (const row of this.#sql.latestStates.iterate(OPEN)) {
      const isSet = row !== null && typeof row === "object" && Reflect.get(row, "state") !== null;
      yield {
        aid: textOf(row, "aid") as Aid,
        state: isSet ? blobOf(row, "state") : null,
        latest: { ...refOf(row), type: eventTypeOf(row) },
      };
    }
  }
}
