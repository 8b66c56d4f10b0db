/**
 * What blocks did, while proofs are made of it: a temporary database that SQLite removes with its connection. It can be made again from the
 * log at any time, and nothing that it says is believed: every proof is checked before it goes out.
 */
import Database from "better-sqlite3";
import type { Aid, Height } from "../../base/brands.ts";
import { concatBytes, digestBytes, digestOf } from "../../base/bytes.ts";
import { decodeSequence } from "../../base/codec.ts";
import { assert, present } from "../../base/errors.ts";
import { type FactData, factShape } from "../../events/facts/fact.ts";
import { storedEvent } from "../../keri/stored-body.ts";
import { blobOf, numberOf } from "../../projections/rebac/table-rows.ts";
import type { ExecutedAt, JustExecuted } from "./executed-log.ts";
import type { ExecutedBlocks, KeyEventsAt } from "./prover.ts";

const SCHEMA = `
CREATE TABLE executed (height INTEGER PRIMARY KEY, hash BLOB NOT NULL, before BLOB NOT NULL, root BLOB NOT NULL, facts BLOB NOT NULL);
CREATE TABLE key_events (
  id INTEGER PRIMARY KEY, aid TEXT NOT NULL, sn INTEGER NOT NULL, said TEXT NOT NULL, height INTEGER NOT NULL, superseded INTEGER,
  bytes BLOB NOT NULL);
CREATE INDEX key_events_of ON key_events (aid, sn);
CREATE INDEX key_events_said ON key_events (said);`;

export class ExecutedStore implements ExecutedBlocks {
  readonly #db = new Database(""); // SQLite's name for a temporary file
  readonly #statements;

  constructor() {
    this.#db.pragma("journal_mode = OFF");
    this.#db.pragma("synchronous = OFF");
    this.#db.exec(SCHEMA);
    this.#statements = {
      add: this.#db.prepare("INSERT INTO executed VALUES (?, ?, ?, ?, ?)"),
      at: this.#db.prepare("SELECT * FROM executed WHERE height = ?"),
      accept: this.#db.prepare("INSERT INTO key_events (aid, sn, said, height, bytes) VALUES (?, ?, ?, ?, ?)"),
      supersede: this.#db.prepare(
        "UPDATE key_events SET superseded = ? WHERE aid = ? AND said = ? AND superseded IS NULL",
      ),
      events: this.#db.prepare(
        "SELECT height, bytes FROM key_events WHERE aid = @aid AND height <= @through AND (superseded IS NULL OR superseded > @through) ORDER BY sn, id",
      ),
    };
  }

  add({ height, hash, before, root, facts, hasKeyEvents }: JustExecuted): void {
    this.#statements.add.run(height, digestBytes(hash), digestBytes(before), digestBytes(root), facts);
    if (!hasKeyEvents) return;
    const decoded = decodeSequence(factShape, facts);
    assert(decoded.ok, "facts were encoded by the ledger");
    for (const { data } of decoded.value) this.#keyEvent(height, data);
  }

  #keyEvent(height: Height, data: FactData): void {
    if (data.kind === "identifierIncepted")
      this.#statements.accept.run(data.aid, 0, storedEvent(data.icp).said, height, data.icp);
    if (data.kind !== "keyEventAccepted") return;
    for (const said of data.superseded) this.#statements.supersede.run(height, data.aid, said);
    this.#statements.accept.run(data.aid, data.sn, data.said, height, concatBytes(data.event, data.attached));
  }

  at(height: Height): ExecutedAt {
    const row = present(this.#statements.at.get(height), `height ${height} was executed`);
    const [hash, before, root] = ["hash", "before", "root"].map((column) => digestOf(blobOf(row, column)));
    return {
      height,
      hash: present(hash, "a column"),
      before: present(before, "a column"),
      root: present(root, "a column"),
      facts: blobOf(row, "facts"),
    };
  }

  keyEvents(aid: Aid, through: Height): KeyEventsAt {
    const rows = this.#statements.events.all({ aid, through });
    const last = rows.reduce<number>((latest, row) => Math.max(latest, numberOf(row, "height")), -1);
    return { stream: rows.map((row) => blobOf(row, "bytes")), last: last < 0 ? undefined : (last as Height) };
  }

  close(): void {
    this.#db.close();
  }
}
