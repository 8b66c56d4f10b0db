/** Statements of the log database's tables other than events: written with kysely, compiled once for a connection. */
import { sql } from "kysely";
import { prepare, queries } from "./schema.ts";
import type { Sqlite } from "./sqlite.ts";

export interface JournalRow {
  readonly seq: number;
  readonly epoch: number;
  readonly view: number;
  readonly kind: string;
  readonly key: string;
  readonly bytes: Uint8Array;
}

export interface CandidateRow {
  readonly hash: Uint8Array;
  readonly epoch: number;
  readonly view: number;
  readonly header: Uint8Array;
  readonly body: Uint8Array;
}

export interface CandidateKey {
  readonly hash: Uint8Array;
  readonly epoch: number;
  readonly view: number;
}

export interface BundleRow {
  readonly digest: Uint8Array;
  readonly height: number | null;
  readonly bytes: Uint8Array;
}

interface Point {
  readonly epoch: number;
  readonly view: number;
}

export function prepareReads(connection: Sqlite) {
  const journal = queries.selectFrom("journal").selectAll().orderBy("seq");
  const candidates = queries.selectFrom("candidates").selectAll();
  const candidateKeys = queries.selectFrom("candidates").select(["hash", "epoch", "view"]);
  const bundles = queries.selectFrom("bundles").select(["digest", "height", "bytes"]);
  // Read without their index: a damaged one would leave out a row, that is a vote, where a scan of the few there are does not.
  const ofEpoch = sql<number>`+epoch`;
  return {
    journal: prepare<{ epoch: number }, JournalRow>(connection, (slot) => journal.where(ofEpoch, "=", slot("epoch"))),
    journalAll: prepare<object, JournalRow>(connection, () => journal),
    candidates: prepare<{ epoch: number }, CandidateRow>(connection, (slot) =>
      candidates.where(ofEpoch, "=", slot("epoch")).orderBy("view").orderBy("hash"),
    ),
    candidate: prepare<{ hash: Uint8Array }, CandidateRow>(connection, (slot) =>
      candidates.where("hash", "=", slot("hash")),
    ),
    bundle: prepare<{ digest: Uint8Array }, BundleRow>(connection, (slot) =>
      bundles.where("digest", "=", slot("digest")),
    ),
    bundlesUnordered: prepare<object, BundleRow>(connection, () => bundles.where("height", "is", null).orderBy("id")),
    bundlesOpen: prepare<object, { id: number; digest: Uint8Array; bytes: Uint8Array }>(connection, () =>
      queries.selectFrom("bundles").select(["id", "digest", "bytes"]).where("height", "is", null).orderBy("id"),
    ),
    candidateKeys: prepare<object, CandidateKey>(connection, () => candidateKeys),
    candidateKeysBelow: prepare<Point, CandidateKey>(connection, (slot) =>
      candidateKeys.where(sql<boolean>`(epoch, view) < (${slot("epoch")}, ${slot("view")})`),
    ),
    journalBelow: prepare<Point, JournalRow>(connection, (slot) =>
      journal.where(sql<boolean>`(epoch, view) < (${slot("epoch")}, ${slot("view")})`),
    ),
    marks: prepare<object, { name: string; value: Uint8Array }>(connection, () =>
      queries.selectFrom("marks").selectAll().orderBy("name"),
    ),
    executed: prepare<{ height: number }, { height: number; root: Uint8Array }>(connection, (slot) =>
      queries.selectFrom("executed").selectAll().where("height", "=", slot("height")),
    ),
    executedAll: prepare<object, { height: number; root: Uint8Array }>(connection, () =>
      queries.selectFrom("executed").selectAll().orderBy("height"),
    ),
    executedHead: prepare<object, { height: number; root: Uint8Array }>(connection, () =>
      queries.selectFrom("executed").selectAll().orderBy("height", "desc").limit(sql.lit(1)),
    ),
    mark: prepare<{ name: string }, { value: Uint8Array }>(connection, (slot) =>
      queries.selectFrom("marks").select("value").where("name", "=", slot("name")),
    ),
  };
}

export function prepareWrites(connection: Sqlite) {
  return {
    journal: prepare<Omit<JournalRow, "seq">, never>(connection, (slot) =>
      queries.insertInto("journal").values({
        epoch: slot("epoch"),
        view: slot("view"),
        kind: slot("kind"),
        key: slot("key"),
        bytes: slot("bytes"),
      }),
    ),
    candidate: prepare<CandidateRow, never>(connection, (slot) =>
      queries
        .insertInto("candidates")
        .values({
          hash: slot("hash"),
          epoch: slot("epoch"),
          view: slot("view"),
          header: slot("header"),
          body: slot("body"),
        })
        .onConflict((conflict) => conflict.column("hash").doNothing()),
    ),
    bundle: prepare<{ digest: Uint8Array; bytes: Uint8Array }, never>(connection, (slot) =>
      queries
        .insertInto("bundles")
        .values({ digest: slot("digest"), height: sql.lit(null), bytes: slot("bytes") })
        .onConflict((conflict) => conflict.column("digest").doNothing()),
    ),
    bundleHeight: prepare<{ digest: Uint8Array; height: number }, never>(connection, (slot) =>
      queries
        .updateTable("bundles")
        .set({ height: sql<number>`coalesce(height, ${slot("height")})` })
        .where("digest", "=", slot("digest")),
    ),
    dropBundle: prepare<{ digest: Uint8Array }, never>(connection, (slot) =>
      queries.deleteFrom("bundles").where("digest", "=", slot("digest")).where("height", "is", null),
    ),
    executed: prepare<{ height: number; root: Uint8Array }, never>(connection, (slot) =>
      queries
        .insertInto("executed")
        .values({ height: slot("height"), root: slot("root") })
        .onConflict((conflict) => conflict.column("height").doNothing()),
    ),
    mark: prepare<{ name: string; value: Uint8Array }, never>(connection, (slot) =>
      queries
        .insertInto("marks")
        .values({ name: slot("name"), value: slot("value") })
        .onConflict((conflict) => conflict.column("name").doUpdateSet({ value: slot("value") })),
    ),
    dropMark: prepare<{ name: string }, never>(connection, (slot) =>
      queries.deleteFrom("marks").where("name", "=", slot("name")),
    ),
    pruneJournal: prepare<Point, never>(connection, (slot) =>
      queries.deleteFrom("journal").where(sql<boolean>`(epoch, view) < (${slot("epoch")}, ${slot("view")})`),
    ),
    pruneCandidates: prepare<Point, never>(connection, (slot) =>
      queries.deleteFrom("candidates").where(sql<boolean>`(epoch, view) < (${slot("epoch")}, ${slot("view")})`),
    ),
  };
}

/** What only healing writes (ADR 0017). */
export function prepareRepairs(connection: Sqlite) {
  return {
    /** Bytes that took damage give way, whatever stands under their digest. */
    restoreBundle: prepare<{ digest: Uint8Array; bytes: Uint8Array }, never>(connection, (slot) =>
      queries
        .insertInto("bundles")
        .values({ digest: slot("digest"), height: sql.lit(null), bytes: slot("bytes") })
        .onConflict((conflict) => conflict.column("digest").doUpdateSet({ bytes: slot("bytes") })),
    ),
    removeBundlesOf: prepare<{ height: number }, never>(connection, (slot) =>
      queries.deleteFrom("bundles").where("height", "=", slot("height")),
    ),
    removeBundle: prepare<{ id: number }, never>(connection, (slot) =>
      queries.deleteFrom("bundles").where("id", "=", slot("id")),
    ),
    removeJournal: prepare<object, never>(connection, () => queries.deleteFrom("journal")),
    removeCandidates: prepare<object, never>(connection, () => queries.deleteFrom("candidates")),
    removeRoot: prepare<{ height: number }, never>(connection, (slot) =>
      queries.deleteFrom("executed").where("height", "=", slot("height")),
    ),
  };
}
