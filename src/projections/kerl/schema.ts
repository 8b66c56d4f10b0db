/**
 * Tables of key event receipt logs. Rows are never deleted but those of escrows, which only say what waits now; ids count up in the
 * order of the log, so every replica has the same rows. An event is in force at height h when from_height ≤ h < to_height.
 */
import type { SqlDatabase, SqlStatement } from "../rebac/sql-database.ts";
import { OPEN } from "../rebac/table-schema.ts";
import { type KerlTable, columnNames } from "./rows.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS kerl_meta (id INTEGER PRIMARY KEY CHECK (id = 1), height INTEGER NOT NULL, sum BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS kerl_events (id INTEGER PRIMARY KEY, aid TEXT NOT NULL, sn INTEGER NOT NULL, said TEXT NOT NULL, type INTEGER NOT NULL,
    from_height INTEGER NOT NULL, from_index INTEGER NOT NULL, to_height INTEGER NOT NULL, to_index INTEGER NOT NULL,
    anchor_sn INTEGER, anchor_said TEXT, signers TEXT NOT NULL, seals INTEGER NOT NULL, state BLOB, event BLOB NOT NULL, attached BLOB NOT NULL) STRICT;
  CREATE UNIQUE INDEX IF NOT EXISTS kerl_events_said ON kerl_events (said);
  CREATE INDEX IF NOT EXISTS kerl_events_place ON kerl_events (aid, sn, to_height);
  CREATE INDEX IF NOT EXISTS kerl_events_aid ON kerl_events (aid, from_height);
  CREATE INDEX IF NOT EXISTS kerl_events_ended ON kerl_events (aid, to_height) WHERE to_height < ${OPEN};
  CREATE INDEX IF NOT EXISTS kerl_events_set ON kerl_events (aid, sn) WHERE state IS NOT NULL;
  CREATE TABLE IF NOT EXISTS kerl_seals (event INTEGER NOT NULL, n INTEGER NOT NULL, delegator TEXT NOT NULL, aid TEXT NOT NULL, sn INTEGER NOT NULL, said TEXT NOT NULL,
    PRIMARY KEY (event, n)) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS kerl_seals_said ON kerl_seals (said, delegator, event);
  CREATE TABLE IF NOT EXISTS kerl_receipts (id INTEGER PRIMARY KEY, aid TEXT NOT NULL, sn INTEGER NOT NULL, said TEXT NOT NULL, from_height INTEGER NOT NULL, from_index INTEGER NOT NULL,
    signers TEXT NOT NULL, attached BLOB NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS kerl_receipts_said ON kerl_receipts (said);
  CREATE INDEX IF NOT EXISTS kerl_receipts_aid ON kerl_receipts (aid, from_height);
  CREATE TABLE IF NOT EXISTS kerl_forks (id INTEGER PRIMARY KEY, aid TEXT NOT NULL, sn INTEGER NOT NULL, said TEXT NOT NULL, from_height INTEGER NOT NULL, from_index INTEGER NOT NULL,
    event BLOB NOT NULL, attached BLOB NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS kerl_forks_aid ON kerl_forks (aid);
  CREATE TABLE IF NOT EXISTS kerl_replies (id INTEGER PRIMARY KEY, subject TEXT NOT NULL, said TEXT NOT NULL, signer TEXT NOT NULL, signed_at INTEGER NOT NULL, date TEXT NOT NULL,
    from_height INTEGER NOT NULL, from_index INTEGER NOT NULL, to_height INTEGER NOT NULL, to_index INTEGER NOT NULL, reply BLOB NOT NULL, attached BLOB NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS kerl_replies_subject ON kerl_replies (subject, to_height);
  CREATE INDEX IF NOT EXISTS kerl_replies_signer ON kerl_replies (signer, from_height);
  CREATE TABLE IF NOT EXISTS kerl_escrows (name TEXT PRIMARY KEY, ord INTEGER NOT NULL, aid TEXT NOT NULL, sn INTEGER NOT NULL, said TEXT NOT NULL, reason INTEGER NOT NULL, waits_for TEXT NOT NULL,
    height INTEGER NOT NULL, event BLOB NOT NULL, attached BLOB NOT NULL) STRICT, WITHOUT ROWID;
`;

/** Makes the tables that are missing. */
export const createKerlTables = (db: SqlDatabase): void => void db.exec(SCHEMA);

const insert = (table: KerlTable): string => {
  const columns = columnNames(table);
  return `INSERT INTO kerl_${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`;
};

/** Statements of the writer, by position of their parameters, in the order of the columns. */
export const writerStatements = (db: SqlDatabase) => ({
  readMeta: db.prepare("SELECT height, sum FROM kerl_meta WHERE id = 1"),
  writeMeta: db.prepare("INSERT OR REPLACE INTO kerl_meta (id, height, sum) VALUES (1, ?, ?)"),
  lastId: {
    events: db.prepare("SELECT coalesce(max(id), 0) AS id FROM kerl_events"),
    receipts: db.prepare("SELECT coalesce(max(id), 0) AS id FROM kerl_receipts"),
    forks: db.prepare("SELECT coalesce(max(id), 0) AS id FROM kerl_forks"),
    replies: db.prepare("SELECT coalesce(max(id), 0) AS id FROM kerl_replies"),
  },
  insert: {
    events: db.prepare(insert("events")),
    seals: db.prepare(insert("seals")),
    receipts: db.prepare(insert("receipts")),
    forks: db.prepare(insert("forks")),
    replies: db.prepare(insert("replies")),
    escrows: db.prepare(insert("escrows")),
  },
  endEvent: db.prepare("UPDATE kerl_events SET to_height = ?, to_index = ? WHERE said = ?"),
  setSigners: db.prepare("UPDATE kerl_events SET signers = ? WHERE said = ?"),
  endReply: db.prepare("UPDATE kerl_replies SET to_height = ?, to_index = ? WHERE id = ?"),
  deleteEscrow: db.prepare("DELETE FROM kerl_escrows WHERE name = ?"),
  eventBySaid: db.prepare("SELECT * FROM kerl_events WHERE said = ?"),
  replyBySubject: db.prepare("SELECT * FROM kerl_replies WHERE subject = ? AND to_height = ?"),
  escrowCount: db.prepare("SELECT count(*) AS count FROM kerl_escrows"),
  escrowBytes: db.prepare("SELECT coalesce(sum(length(event) + length(attached)), 0) AS bytes FROM kerl_escrows"),
  lastEscrow: db.prepare("SELECT coalesce(max(ord), 0) AS ord FROM kerl_escrows"),
  escrowByName: db.prepare("SELECT * FROM kerl_escrows WHERE name = ?"),
  /** In the order in which a checkpoint carries them. */
  all: {
    events: db.prepare("SELECT * FROM kerl_events ORDER BY id"),
    seals: db.prepare("SELECT * FROM kerl_seals ORDER BY event, n"),
    receipts: db.prepare("SELECT * FROM kerl_receipts ORDER BY id"),
    forks: db.prepare("SELECT * FROM kerl_forks ORDER BY id"),
    replies: db.prepare("SELECT * FROM kerl_replies ORDER BY id"),
    escrows: db.prepare("SELECT * FROM kerl_escrows ORDER BY ord"),
  },
});

/** Statements of readers, by position of their parameters. */
export const readerStatements = (prepare: (sql: string) => SqlStatement) => ({
  eventAt: prepare(
    "SELECT aid, sn, said, type, anchor_sn, anchor_said, to_height FROM kerl_events WHERE aid = ? AND sn = ? AND to_height = ?",
  ),
  event: prepare("SELECT aid, sn, said, type, anchor_sn, anchor_said, to_height FROM kerl_events WHERE said = ?"),
  eventBytes: prepare("SELECT event FROM kerl_events WHERE said = ?"),
  /** aid, sn at most, height, height: the establishment event in force at a height that set the keys there. */
  establishment: prepare(
    "SELECT state FROM kerl_events WHERE aid = ? AND sn <= ? AND from_height <= ? AND to_height > ? AND state IS NOT NULL ORDER BY sn DESC LIMIT 1",
  ),
  /** aid, sn at most, height, height */
  lastEvent: prepare(
    "SELECT sn, said, type FROM kerl_events WHERE aid = ? AND sn <= ? AND from_height <= ? AND to_height > ? ORDER BY sn DESC LIMIT 1",
  ),
  anchors: prepare(
    `SELECT kerl_events.sn AS sn, kerl_events.said AS said FROM kerl_seals JOIN kerl_events ON kerl_events.id = kerl_seals.event
     WHERE kerl_seals.said = ? AND delegator = ? AND kerl_seals.aid = ? AND kerl_seals.sn = ? ORDER BY kerl_events.id`,
  ),
  signers: prepare(
    "SELECT signers FROM kerl_events WHERE said = ? UNION ALL SELECT signers FROM kerl_receipts WHERE said = ?",
  ),
  forks: prepare(
    `SELECT sn, said FROM kerl_forks WHERE aid = ? AND NOT EXISTS
       (SELECT 1 FROM kerl_events WHERE kerl_events.said = kerl_forks.said) ORDER BY id`,
  ),
  reply: prepare("SELECT said, signer, signed_at, date FROM kerl_replies WHERE subject = ? AND to_height = ?"),
  latestStates: prepare("SELECT aid, sn, said, type, state FROM kerl_events WHERE to_height = ? ORDER BY id"),
  escrows: prepare("SELECT * FROM kerl_escrows ORDER BY ord"),
});

/** Statements about any height, by position of their parameters unless named. */
export const historyStatements = (db: SqlDatabase) => ({
  /** By names. The index is by height, and ordinals grow with heights. */
  log: db.prepare(
    `SELECT * FROM kerl_events WHERE aid = @aid AND from_height >= coalesce((SELECT from_height FROM kerl_events WHERE id = @after), 0)
       AND id > @after AND from_height <= @height ORDER BY from_height, id LIMIT @limit`,
  ),
  /** aid, sn, height, height */
  eventAt: db.prepare("SELECT * FROM kerl_events WHERE aid = ? AND sn = ? AND from_height <= ? AND to_height > ?"),
  /** said, height */
  receipts: db.prepare("SELECT * FROM kerl_receipts WHERE said = ? AND from_height <= ? ORDER BY id"),
  /** first and last subject, height, height, limit */
  replies: db.prepare(
    "SELECT * FROM kerl_replies WHERE subject >= ? AND subject < ? AND from_height <= ? AND to_height > ? ORDER BY subject, id LIMIT ?",
  ),
  /** aid, height, height: what came into force by then is no evidence any more. */
  forks: db.prepare(
    `SELECT * FROM kerl_forks WHERE aid = ? AND from_height <= ? AND NOT EXISTS
       (SELECT 1 FROM kerl_events WHERE kerl_events.said = kerl_forks.said AND kerl_events.from_height <= ?) ORDER BY id`,
  ),
  /** By names. */
  changes: db.prepare(
    `SELECT from_height AS height, from_index AS at, 0 AS n, id, 'accepted' AS kind, sn, said FROM kerl_events WHERE aid = @aid AND from_height > @after AND from_height <= @height
     UNION ALL SELECT to_height, to_index, 1, id, 'superseded', sn, said FROM kerl_events WHERE aid = @aid AND to_height > @after AND to_height <= @height AND to_height < ${OPEN}
     UNION ALL SELECT from_height, from_index, 2, id, 'receipt', sn, said FROM kerl_receipts WHERE aid = @aid AND from_height > @after AND from_height <= @height
     UNION ALL SELECT from_height, from_index, 3, id, 'fork', sn, said FROM kerl_forks WHERE aid = @aid AND from_height > @after AND from_height <= @height
     UNION ALL SELECT from_height, from_index, 4, id, 'reply', 0, said FROM kerl_replies WHERE signer = @aid AND from_height > @after AND from_height <= @height
     ORDER BY height, at, n, id LIMIT @limit OFFSET @skip`,
  ),
});
