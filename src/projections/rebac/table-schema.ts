/**
 * Tables of the graph and their SQL, built by kysely once and run as prepared statements.
 *
 * A row is one life of a node or an edge: from the height (and the command of that block) that brought it to the one that took
 * it, OPEN while it lasts. It is there at height h when from_height ≤ h < to_height. Rows are never deleted, and ids count up, so
 * every replica has the same rows. Edges join lives: a node's edges go before it does. The null namespace and relation have no rows.
 */
import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler, sql } from "kysely";
import type { Compilable, RawBuilder } from "kysely";
import type { SqlDatabase, SqlStatement } from "./sql-database.ts";

/** `to_height` of what is still there: greater than any height. */
export const OPEN = Number.MAX_SAFE_INTEGER;

/** Numbers of kinds, as rows hold them. They never change. */
export const NODE_KINDS = { namespace: 0, relation: 1, subject: 2, object: 3 } as const;
export const EDGE_KINDS = { assertion: 0, subjectMap: 1, objectMap: 2, relationMap: 3 } as const;

interface Life {
  id: number;
  kind: number;
  from_height: number;
  from_index: number;
  to_height: number;
  to_index: number;
}
/** Of a namespace only `namespace` is set; of a relation `namespace` and `name`. */
interface NodeTable extends Life {
  namespace: string;
  name: string;
  relation_namespace: string;
  relation_name: string;
}
interface EdgeTable extends Life {
  /** The subject of an assertion. */
  parent: number;
  /** The object of an assertion. */
  child: number;
}
interface MetaTable {
  id: number;
  height: number;
  rolling: Uint8Array;
  rows: Uint8Array;
  nodes: number;
  edges: number;
}
interface Tables {
  rebac_node: NodeTable;
  rebac_edge: EdgeTable;
  rebac_meta: MetaTable;
}

const builder = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
});

/** A parameter by position. */
const slot = <T extends number | string | Uint8Array>(): RawBuilder<T> => sql.raw<T>("?");
const lifeColumns = (table: "rebac_node" | "rebac_edge") =>
  builder.schema
    .createTable(table)
    .ifNotExists()
    .addColumn("id", "integer", (column) => column.primaryKey())
    .addColumn("kind", "integer", (column) => column.notNull())
    .addColumn("from_height", "integer", (column) => column.notNull())
    .addColumn("from_index", "integer", (column) => column.notNull())
    .addColumn("to_height", "integer", (column) => column.notNull())
    .addColumn("to_index", "integer", (column) => column.notNull())
    .modifyEnd(sql`strict`);
const nodeName = ["namespace", "name", "relation_namespace", "relation_name"] as const;

const SCHEMA: readonly Compilable[] = [
  nodeName.reduce(
    (table, column) => table.addColumn(column, "text", (text) => text.notNull()),
    lifeColumns("rebac_node"),
  ),
  (["parent", "child"] as const).reduce(
    (table, column) => table.addColumn(column, "integer", (integer) => integer.notNull()),
    lifeColumns("rebac_edge"),
  ),
  builder.schema
    .createTable("rebac_meta")
    .ifNotExists()
    .addColumn("id", "integer", (column) => column.primaryKey())
    .addColumn("height", "integer", (column) => column.notNull())
    .addColumn("rolling", "blob", (column) => column.notNull())
    .addColumn("rows", "blob", (column) => column.notNull())
    .addColumn("nodes", "integer", (column) => column.notNull())
    .addColumn("edges", "integer", (column) => column.notNull())
    .modifyEnd(sql`strict`),
  builder.schema
    .createIndex("rebac_node_by_name")
    .ifNotExists()
    .on("rebac_node")
    .columns(["name", "kind", "namespace", "relation_name", "relation_namespace", "to_height"]),
  builder.schema
    .createIndex("rebac_edge_out")
    .ifNotExists()
    .on("rebac_edge")
    .columns(["parent", "kind", "to_height", "child"]),
  builder.schema.createIndex("rebac_edge_in").ifNotExists().on("rebac_edge").columns(["child", "kind", "to_height"]),
];

/** Makes the tables that are missing. */
export function createTables(db: SqlDatabase): void {
  for (const statement of SCHEMA) db.exec(statement.compile().sql);
}

/** What is there at @height. */
const alive = (table: string): RawBuilder<boolean> =>
  sql`${sql.ref(`${table}.from_height`)} <= @height and ${sql.ref(`${table}.to_height`)} > @height`;

/** The id, at @height, of the node whose name stands in the parameters that begin with `prefix`. */
const namedNode = (kind: number, prefix: string): RawBuilder<unknown> => {
  const parameter = (name: string): RawBuilder<string> => sql.raw(`@${prefix}_${name}`);
  return sql`select node.id from rebac_node as node where node.name = ${parameter("name")} and node.kind = ${sql.lit(kind)}
    and node.namespace = ${parameter("namespace")} and node.relation_name = ${parameter("relation_name")}
    and node.relation_namespace = ${parameter("relation_namespace")} and ${alive("node")}`;
};

/** A closure upwards through maps, as a table expression. */
const up = (name: string, mapKind: number, start: RawBuilder<unknown>): RawBuilder<unknown> =>
  sql`${sql.ref(name)}(id) as (${start} union select map.child from ${sql.ref(name)} cross join rebac_edge as map
    on map.parent = ${sql.ref(`${name}.id`)} and map.kind = ${sql.lit(mapKind)} and ${alive("map")})`;

const CHECK = sql`with recursive
  ${up("subjects", EDGE_KINDS.subjectMap, namedNode(NODE_KINDS.subject, "subject"))},
  ${up("objects", EDGE_KINDS.objectMap, namedNode(NODE_KINDS.object, "object"))}
  select 1 as found from subjects cross join rebac_edge as asserted
    on asserted.parent = subjects.id and asserted.kind = ${sql.lit(EDGE_KINDS.assertion)} and ${alive("asserted")}
  where asserted.child in (select id from objects) limit 1`;

const NAMED_IN_ORDER = sql`select node.namespace, node.name, node.relation_namespace, node.relation_name
  from found cross join rebac_node as node on node.id = found.id
  where @filtered = 0 or (node.relation_namespace = @predicate_namespace and node.relation_name = @predicate_name)
  order by node.namespace collate binary, node.name collate binary, node.relation_namespace collate binary, node.relation_name collate binary`;

/** What the questions for subjects (given an object) and for objects (given a subject) differ in. */
const SIDES = {
  subject: {
    asked: "parent",
    given: "child",
    givenKind: NODE_KINDS.object,
    askedMap: EDGE_KINDS.subjectMap,
    givenMap: EDGE_KINDS.objectMap,
  },
  object: {
    asked: "child",
    given: "parent",
    givenKind: NODE_KINDS.subject,
    askedMap: EDGE_KINDS.objectMap,
    givenMap: EDGE_KINDS.subjectMap,
  },
} as const;

const asserted = (asked: "subject" | "object", from: string): RawBuilder<unknown> => {
  const side = SIDES[asked];
  return sql`select ${sql.ref(`asserted.${side.asked}`)} from ${sql.ref(from)} cross join rebac_edge as asserted
    on ${sql.ref(`asserted.${side.given}`)} = ${sql.ref(`${from}.id`)} and asserted.kind = ${sql.lit(EDGE_KINDS.assertion)} and ${alive("asserted")}`;
};

const readOf = (asked: "subject" | "object"): RawBuilder<unknown> =>
  sql`with given(id) as (${namedNode(SIDES[asked].givenKind, "given")}), found(id) as (${asserted(asked, "given")}) ${NAMED_IN_ORDER}`;

const expandOf = (asked: "subject" | "object"): RawBuilder<unknown> => {
  const side = SIDES[asked];
  return sql`with recursive ${up("given", side.givenMap, namedNode(side.givenKind, "given"))},
    found(id) as (${asserted(asked, "given")} union select map.parent from found cross join rebac_edge as map
      on map.child = found.id and map.kind = ${sql.lit(side.askedMap)} and ${alive("map")})
    ${NAMED_IN_ORDER}`;
};

const HISTORY = sql`select asserted.from_height, asserted.from_index, asserted.to_height, asserted.to_index
  from rebac_node as subject cross join rebac_edge as asserted on asserted.parent = subject.id and asserted.kind = ${sql.lit(EDGE_KINDS.assertion)}
  cross join rebac_node as object on object.id = asserted.child
  where subject.kind = ${sql.lit(NODE_KINDS.subject)} and subject.name = @subject_name and subject.namespace = @subject_namespace
    and subject.relation_name = @subject_relation_name and subject.relation_namespace = @subject_relation_namespace
    and object.kind = ${sql.lit(NODE_KINDS.object)} and object.name = @object_name and object.namespace = @object_namespace
    and object.relation_name = @object_relation_name and object.relation_namespace = @object_relation_namespace
  order by asserted.id`;

/** One step of an explanation: the other ends of a node's edges of one kind, at most @most. */
const edgeEnds = (given: "parent" | "child", asked: "parent" | "child"): RawBuilder<unknown> =>
  sql`select ${sql.ref(`edge.${asked}`)} as id from rebac_edge as edge
    where ${sql.ref(`edge.${given}`)} = @id and edge.kind = @kind and ${alive("edge")} limit @most`;

const NODE_BY_NAME = sql`select node.id from rebac_node as node where node.name = @name and node.kind = @kind
  and node.namespace = @namespace and node.relation_name = @relation_name
  and node.relation_namespace = @relation_namespace and ${alive("node")}`;

const columns = (...names: readonly string[]): RawBuilder<unknown> => sql.join(names.map((name) => sql.ref(name)));
const NODE_COLUMNS = ["id", "kind", ...nodeName, "from_height", "from_index", "to_height", "to_index"] as const;
const EDGE_COLUMNS = ["id", "kind", "parent", "child", "from_height", "from_index", "to_height", "to_index"] as const;

const insertOf = (table: "rebac_node" | "rebac_edge", names: readonly string[]): RawBuilder<unknown> =>
  sql`insert into ${sql.table(table)} (${columns(...names)}) values (${sql.join(names.map(() => slot()))})`;

/** Statements of the writer, by position of their parameters. */
export function writerStatements(db: SqlDatabase) {
  const prepare = (query: RawBuilder<unknown> | Compilable): SqlStatement =>
    db.prepare("as" in query ? query.compile(builder).sql : query.compile().sql);
  return {
    insertNode: prepare(insertOf("rebac_node", NODE_COLUMNS)),
    insertEdge: prepare(insertOf("rebac_edge", EDGE_COLUMNS)),
    /** name, kind, namespace, relation name, relation namespace */
    findNode: prepare(
      builder
        .selectFrom("rebac_node")
        .select("id")
        .where("name", "=", slot<string>())
        .where("kind", "=", slot<number>())
        .where("namespace", "=", slot<string>())
        .where("relation_name", "=", slot<string>())
        .where("relation_namespace", "=", slot<string>())
        .where("to_height", "=", sql.lit(OPEN)),
    ),
    /** to height, to index, id */
    closeNode: prepare(
      builder
        .updateTable("rebac_node")
        .set({ to_height: slot<number>(), to_index: slot<number>() })
        .where("id", "=", slot<number>())
        .returning(["from_height", "from_index"]),
    ),
    /** to height, to index, parent, kind, child */
    closeEdge: prepare(
      builder
        .updateTable("rebac_edge")
        .set({ to_height: slot<number>(), to_index: slot<number>() })
        .where("parent", "=", slot<number>())
        .where("kind", "=", slot<number>())
        .where("to_height", "=", sql.lit(OPEN))
        .where("child", "=", slot<number>())
        .returning(["id", "from_height", "from_index"]),
    ),
    readMeta: prepare(
      builder
        .selectFrom("rebac_meta")
        .select(["height", "rolling", "rows", "nodes", "edges"])
        .where("id", "=", sql.lit(1)),
    ),
    /** height, rolling, rows, nodes, edges */
    writeMeta: prepare(
      sql`insert or replace into rebac_meta (id, height, rolling, rows, nodes, edges) values (1, ?, ?, ?, ?, ?)`,
    ),
    allNodes: prepare(builder.selectFrom("rebac_node").select(NODE_COLUMNS).orderBy("id")),
    allEdges: prepare(builder.selectFrom("rebac_edge").select(EDGE_COLUMNS).orderBy("id")),
  };
}

/** Statements about any height, by name of their parameters. */
export function historyStatements(db: SqlDatabase) {
  const prepare = (query: RawBuilder<unknown>): SqlStatement => db.prepare(query.compile(builder).sql);
  return {
    check: prepare(CHECK),
    read: { subject: prepare(readOf("subject")), object: prepare(readOf("object")) },
    expand: { subject: prepare(expandOf("subject")), object: prepare(expandOf("object")) },
    history: prepare(HISTORY),
  };
}

/** Statements that explain a check at any height, by name of their parameters. */
export function stepStatements(db: SqlDatabase) {
  const prepare = (query: RawBuilder<unknown>): SqlStatement => db.prepare(query.compile(builder).sql);
  return {
    find: prepare(NODE_BY_NAME),
    node: prepare(sql`select ${columns(...nodeName)} from rebac_node where id = @id`),
    out: prepare(edgeEnds("parent", "child")),
    in: prepare(edgeEnds("child", "parent")),
    holds: prepare(sql`select 1 as found from rebac_edge as edge where edge.parent = @subject
      and edge.kind = ${sql.lit(EDGE_KINDS.assertion)} and edge.child = @object and ${alive("edge")}`),
  };
}

/** Rows of a page: one by one each costs twice as much. */
const PAGE_ROWS = 1024;

/** Statements that load what is there now, a page after an id: ids count up, so whatever a row refers to comes before it. */
export function loadStatements(db: SqlDatabase) {
  const prepare = (query: Compilable): SqlStatement => db.prepare(query.compile().sql);
  return {
    nodes: prepare(
      builder
        .selectFrom("rebac_node")
        .select(["id", "kind", ...nodeName])
        .where("to_height", "=", sql.lit(OPEN))
        .where("id", ">", slot<number>())
        .orderBy("id")
        .limit(sql.lit(PAGE_ROWS)),
    ),
    edges: prepare(
      builder
        .selectFrom("rebac_edge")
        .select(["id", "kind", "parent", "child"])
        .where("to_height", "=", sql.lit(OPEN))
        .where("id", ">", slot<number>())
        .orderBy("id")
        .limit(sql.lit(PAGE_ROWS)),
    ),
  };
}
