/** The tables of the log database, and how an empty or older file gets them. */
import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler, sql } from "kysely";
import type { Compilable, Generated, RawBuilder } from "kysely";
import type Database from "better-sqlite3";
import { Fault, assert } from "../../base/errors.ts";
import type { Sqlite } from "./sqlite.ts";

/** One row for each block of each stream; the cluster's own log is stream "log". */
interface EventsTable {
  readonly stream: string;
  readonly position: number;
  readonly hash: Uint8Array;
  readonly time: number;
  readonly header: Uint8Array;
  readonly proof: Uint8Array;
  /** Last, so that reading the columns before it does not walk its overflow pages. */
  readonly body: Uint8Array;
}

interface BundlesTable {
  /** Order of arrival. */
  readonly id: Generated<number>;
  readonly digest: Uint8Array;
  /** First final block of the log that names it; null until then. */
  readonly height: number | null;
  readonly bytes: Uint8Array;
}

interface CandidatesTable {
  readonly hash: Uint8Array;
  readonly epoch: number;
  readonly view: number;
  readonly header: Uint8Array;
  readonly body: Uint8Array;
}

interface JournalTable {
  readonly seq: Generated<number>;
  readonly epoch: number;
  readonly view: number;
  readonly kind: string;
  readonly key: string;
  readonly bytes: Uint8Array;
}

export interface LogSchema {
  readonly schema_version: { readonly version: number };
  readonly events: EventsTable;
  readonly bundles: BundlesTable;
  readonly candidates: CandidatesTable;
  readonly journal: JournalTable;
  readonly executed: { readonly height: number; readonly root: Uint8Array };
  readonly marks: { readonly name: string; readonly value: Uint8Array };
}

/** Writes SQL and runs none: statements are compiled here once and run by better-sqlite3 (the builder costs 20 to 50 µs). */
export const queries = new Kysely<LogSchema>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
});

/** Stands in a query for the parameter of that name. */
export type Slots<P> = <Name extends keyof P & string>(name: Name) => RawBuilder<P[Name]>;

/** Compiles a query once and prepares it; parameters are bound by name. Throws: Defect if it holds a constant outside `sql.lit`. */
export function prepare<P extends object, Row>(
  connection: Sqlite,
  build: (slot: Slots<P>) => Compilable<Row>,
): Database.Statement<[P], Row> {
  const compiled = build((name) => sql.raw(`@${name}`)).compile();
  assert(compiled.parameters.length === 0, `constants do not belong in a prepared query: ${compiled.sql}`);
  return connection.prepare<[P], Row>(compiled.sql);
}

type Ddl = { compile(): { readonly sql: string } };
const strict = sql`strict`;
const { schema } = queries;

const VERSION_1: readonly Ddl[] = [
  schema
    .createTable("schema_version")
    .addColumn("version", "integer", (c) => c.notNull())
    .modifyEnd(strict),
  schema
    .createTable("events")
    .addColumn("stream", "text", (c) => c.notNull())
    .addColumn("position", "integer", (c) => c.notNull().check(sql`position >= 0`))
    .addColumn("hash", "blob", (c) => c.notNull())
    .addColumn("time", "integer", (c) => c.notNull())
    .addColumn("header", "blob", (c) => c.notNull())
    .addColumn("proof", "blob", (c) => c.notNull())
    .addColumn("body", "blob", (c) => c.notNull())
    .addPrimaryKeyConstraint("events_position", ["stream", "position"])
    .modifyEnd(strict),
  schema.createIndex("events_hash").on("events").columns(["hash"]),
  schema
    .createTable("bundles")
    .addColumn("id", "integer", (c) => c.primaryKey())
    .addColumn("digest", "blob", (c) => c.notNull().unique())
    .addColumn("height", "integer")
    .addColumn("bytes", "blob", (c) => c.notNull())
    .modifyEnd(strict),
  schema.createIndex("bundles_unordered").on("bundles").columns(["id"]).where(sql.ref("height"), "is", null),
  schema
    .createTable("candidates")
    .addColumn("hash", "blob", (c) => c.notNull().unique())
    .addColumn("epoch", "integer", (c) => c.notNull())
    .addColumn("view", "integer", (c) => c.notNull())
    .addColumn("header", "blob", (c) => c.notNull())
    .addColumn("body", "blob", (c) => c.notNull())
    .modifyEnd(strict),
  schema.createIndex("candidates_view").on("candidates").columns(["epoch", "view"]),
  schema
    .createTable("journal")
    .addColumn("seq", "integer", (c) => c.primaryKey())
    .addColumn("epoch", "integer", (c) => c.notNull())
    .addColumn("view", "integer", (c) => c.notNull())
    .addColumn("kind", "text", (c) => c.notNull())
    .addColumn("key", "text", (c) => c.notNull())
    .addColumn("bytes", "blob", (c) => c.notNull())
    .modifyEnd(strict),
  schema.createIndex("journal_view").on("journal").columns(["epoch", "view"]),
  schema
    .createTable("executed")
    .addColumn("height", "integer", (c) => c.primaryKey())
    .addColumn("root", "blob", (c) => c.notNull())
    .modifyEnd(strict),
  schema
    .createTable("marks")
    .addColumn("name", "text", (c) => c.primaryKey())
    .addColumn("value", "blob", (c) => c.notNull())
    .modifyEnd(strict),
];

/** `MIGRATIONS[v]` leads from version v to v + 1. Entries are only ever added. */
const MIGRATIONS: readonly (readonly Ddl[])[] = [VERSION_1];
export const SCHEMA_VERSION = MIGRATIONS.length;

/**
 * Brings the schema up to date in one transaction; a file that is current is only looked at.
 * Throws: Fault LOG_SCHEMA_UNKNOWN for a newer file or one that is not ours.
 */
export function migrate(connection: Sqlite, path: string): void {
  connection
    .transaction(() => {
      const found = schemaVersion(connection, path);
      if (found === SCHEMA_VERSION) return;
      for (const step of MIGRATIONS.slice(found)) for (const ddl of step) connection.exec(ddl.compile().sql);
      connection.exec(queries.deleteFrom("schema_version").compile().sql);
      const setVersion = (slot: Slots<{ version: number }>) =>
        queries.insertInto("schema_version").values({ version: slot("version") });
      prepare(connection, setVersion).run({ version: SCHEMA_VERSION });
    })
    .immediate();
}

/** Version of the file's schema, 0 for an empty file. Throws: Fault LOG_SCHEMA_UNKNOWN. */
export function schemaVersion(connection: Sqlite, path: string): number {
  const tables = connection.prepare<[], { name: string }>("select name from sqlite_schema where type = 'table'").all();
  if (tables.length === 0) return 0;
  const ours = tables.some(({ name }) => name === "schema_version");
  const version = ours ? connection.prepare<[], number>("select version from schema_version").pluck().get() : undefined;
  if (version === undefined) {
    throw new Fault(
      "LOG_SCHEMA_UNKNOWN",
      `${path} is a database of something else; give this node a directory of its own.`,
    );
  }
  if (version > SCHEMA_VERSION) {
    throw new Fault(
      "LOG_SCHEMA_UNKNOWN",
      `${path} was written by a newer Sky (schema ${version}, this one knows ${SCHEMA_VERSION}); start that version or a later one.`,
    );
  }
  return version;
}
