/**
 * The graph as protocols/oracle.md words it, as naively as it can be written: sets of text, closures by repetition. It shares no
 * code with src/projections/rebac, and is slow on purpose.
 */
import type { Assertion, GraphChange, GraphNode, GraphWrite, Relation } from "../../src/events/facts/graph.ts";

type Key = string;
const relationKey = (r: Relation): Key => JSON.stringify([r.namespace, r.name]);
const nodeKey = (n: GraphNode): Key => JSON.stringify([n.namespace, n.name, n.relation.namespace, n.relation.name]);
const pairKey = (a: Key, b: Key): Key => JSON.stringify([a, b]);
const parts = (key: Key): readonly string[] => JSON.parse(key) as readonly string[];
const node = (key: Key): GraphNode => {
  const [namespace = "", name = "", relationNamespace = "", relationName = ""] = parts(key);
  return { namespace, name, relation: { namespace: relationNamespace, name: relationName } };
};

export interface State {
  namespaces: Set<Key>;
  relations: Set<Key>;
  subjects: Set<Key>;
  objects: Set<Key>;
  assertions: Set<Key>;
  subjectMaps: Set<Key>;
  objectMaps: Set<Key>;
  relationMaps: Set<Key>;
}

export const emptyState = (): State => ({
  namespaces: new Set(),
  relations: new Set(),
  subjects: new Set(),
  objects: new Set(),
  assertions: new Set(),
  subjectMaps: new Set(),
  objectMaps: new Set(),
  relationMaps: new Set(),
});

const copyOf = (state: State): State =>
  Object.fromEntries(Object.entries(state).map(([name, set]) => [name, new Set(set as Set<Key>)])) as unknown as State;

export const sameState = (a: State, b: State): boolean =>
  (Object.keys(a) as (keyof State)[]).every(
    (name) => a[name].size === b[name].size && [...a[name]].every((key) => b[name].has(key)),
  );

/** x and everything reachable through maps, by repeating until nothing is new. */
function closure(start: Key, maps: ReadonlySet<Key>): Set<Key> {
  const reached = new Set([start]);
  for (let before = -1; before !== reached.size; ) {
    before = reached.size;
    for (const map of maps) {
      const [parent = "", child = ""] = parts(map);
      if (reached.has(parent)) reached.add(child);
    }
  }
  return reached;
}

export function check(state: State, subject: GraphNode, object: GraphNode): boolean {
  const s = nodeKey(subject);
  const o = nodeKey(object);
  if (!state.subjects.has(s) || !state.objects.has(o)) return false;
  const above = closure(s, state.subjectMaps);
  const over = closure(o, state.objectMaps);
  return [...state.assertions].some((assertion) => {
    const [by = "", on = ""] = parts(assertion);
    return above.has(by) && over.has(on);
  });
}

const inOrder = (keys: Iterable<Key>, predicate: Relation | undefined): GraphNode[] =>
  [...new Set(keys)]
    .map(node)
    .filter((n) => predicate === undefined || relationKey(n.relation) === relationKey(predicate))
    .sort((a, b) => {
      for (const [left, right] of [
        [a.namespace, b.namespace],
        [a.name, b.name],
        [a.relation.namespace, b.relation.namespace],
        [a.relation.name, b.relation.name],
      ] as const) {
        const order = Buffer.compare(Buffer.from(left), Buffer.from(right));
        if (order !== 0) return order;
      }
      return 0;
    });

export const expandSubjects = (state: State, object: GraphNode, predicate?: Relation): GraphNode[] =>
  inOrder(
    [...state.subjects].filter((s) => check(state, node(s), object)),
    predicate,
  );

export const expandObjects = (state: State, subject: GraphNode, predicate?: Relation): GraphNode[] =>
  inOrder(
    [...state.objects].filter((o) => check(state, subject, node(o))),
    predicate,
  );

export function readSubjects(state: State, objects: readonly GraphNode[], predicate?: Relation): GraphNode[] {
  const wanted = new Set(objects.map(nodeKey));
  const found = [...state.assertions].map(parts).filter(([, on = ""]) => wanted.has(on));
  return inOrder(
    found.map(([by = ""]) => by),
    predicate,
  );
}

export function readObjects(state: State, subjects: readonly GraphNode[], predicate?: Relation): GraphNode[] {
  const wanted = new Set(subjects.map(nodeKey));
  const found = [...state.assertions].map(parts).filter(([by = ""]) => wanted.has(by));
  return inOrder(
    found.map(([, on = ""]) => on),
    predicate,
  );
}

export const holds = (state: State, { subject, object }: Assertion): boolean =>
  state.assertions.has(pairKey(nodeKey(subject), nodeKey(object)));

function addRelation(state: State, relation: Relation): void {
  if (relation.name === "") return;
  if (relation.namespace !== "") state.namespaces.add(relation.namespace);
  state.relations.add(relationKey(relation));
}

function addNode(state: State, nodes: Set<Key>, added: GraphNode): Key {
  if (added.namespace !== "") state.namespaces.add(added.namespace);
  addRelation(state, added.relation);
  nodes.add(nodeKey(added));
  return nodeKey(added);
}

const dropPairs = (pairs: Set<Key>, touches: (parent: Key, child: Key) => boolean): void => {
  for (const pair of pairs) {
    const [parent = "", child = ""] = parts(pair);
    if (touches(parent, child)) pairs.delete(pair);
  }
};

function dropSubject(state: State, key: Key): void {
  if (!state.subjects.delete(key)) return;
  dropPairs(state.assertions, (by) => by === key);
  dropPairs(state.subjectMaps, (parent, child) => parent === key || child === key);
}

function dropObject(state: State, key: Key): void {
  if (!state.objects.delete(key)) return;
  dropPairs(state.assertions, (_, on) => on === key);
  dropPairs(state.objectMaps, (parent, child) => parent === key || child === key);
}

function dropRelation(state: State, key: Key): void {
  if (!state.relations.delete(key)) return;
  dropPairs(state.relationMaps, (parent, child) => parent === key || child === key);
  for (const s of state.subjects) if (relationKey(node(s).relation) === key) dropSubject(state, s);
  for (const o of state.objects) if (relationKey(node(o).relation) === key) dropObject(state, o);
}

function dropNamespace(state: State, namespace: string): void {
  if (!state.namespaces.delete(namespace)) return;
  for (const r of state.relations) if (parts(r)[0] === namespace) dropRelation(state, r);
  for (const s of state.subjects) if (node(s).namespace === namespace) dropSubject(state, s);
  for (const o of state.objects) if (node(o).namespace === namespace) dropObject(state, o);
}

/** Refuses when the map would let something belong to itself. */
function addMap(maps: Set<Key>, parent: Key, child: Key): "CYCLE" | undefined {
  if (closure(child, maps).has(parent)) return "CYCLE";
  maps.add(pairKey(parent, child));
  return undefined;
}

const ADMIN: GraphNode = { namespace: "sky", name: "cluster", relation: { namespace: "sky", name: "admin" } };
const admins = (state: State): number => readSubjects(state, [ADMIN]).length;

function applyChange(state: State, change: GraphChange): string | undefined {
  switch (change.kind) {
    case "addNamespace":
      return void state.namespaces.add(change.namespace);
    case "deleteNamespace":
      if (change.namespace === "" || change.namespace === "sky") return "RESERVED";
      return dropNamespace(state, change.namespace) ?? undefined;
    case "addRelation":
      return void addRelation(state, change.relation);
    case "deleteRelation":
      if (change.relation.namespace === "" && change.relation.name === "") return "RESERVED";
      return dropRelation(state, relationKey(change.relation)) ?? undefined;
    case "addSubject":
      return void addNode(state, state.subjects, change.subject);
    case "deleteSubject":
      return dropSubject(state, nodeKey(change.subject)) ?? undefined;
    case "addObject":
      return void addNode(state, state.objects, change.object);
    case "deleteObject":
      return dropObject(state, nodeKey(change.object)) ?? undefined;
    case "addAssertion": {
      const by = addNode(state, state.subjects, change.assertion.subject);
      return void state.assertions.add(pairKey(by, addNode(state, state.objects, change.assertion.object)));
    }
    case "deleteAssertion":
      return void state.assertions.delete(pairKey(nodeKey(change.assertion.subject), nodeKey(change.assertion.object)));
    case "mapSubject":
      return addMap(
        state.subjectMaps,
        addNode(state, state.subjects, change.edge.parent),
        addNode(state, state.subjects, change.edge.child),
      );
    case "unmapSubject":
      return void state.subjectMaps.delete(pairKey(nodeKey(change.edge.parent), nodeKey(change.edge.child)));
    case "mapObject":
      return addMap(
        state.objectMaps,
        addNode(state, state.objects, change.edge.parent),
        addNode(state, state.objects, change.edge.child),
      );
    case "unmapObject":
      return void state.objectMaps.delete(pairKey(nodeKey(change.edge.parent), nodeKey(change.edge.child)));
    case "mapRelation":
      addRelation(state, change.edge.parent);
      addRelation(state, change.edge.child);
      return addMap(state.relationMaps, relationKey(change.edge.parent), relationKey(change.edge.child));
    case "unmapRelation":
      return void state.relationMaps.delete(pairKey(relationKey(change.edge.parent), relationKey(change.edge.child)));
    default:
      throw new Error(`no such change: ${JSON.stringify(change satisfies never)}`);
  }
}

export type Judged = { readonly state: State; readonly changed: readonly boolean[] } | { readonly code: string };

/** A whole command: the state after it, or why it is refused. */
export function judge(before: State, write: GraphWrite): Judged {
  for (const { kind, assertion } of write.preconditions) {
    if (holds(before, assertion) !== (kind === "mustExist")) return { code: "PRECONDITION_FAILED" };
  }
  let state = before;
  const changed: boolean[] = [];
  for (const change of write.changes) {
    const next = copyOf(state);
    const code = applyChange(next, change);
    if (code !== undefined) return { code };
    if (admins(state) > 0 && admins(next) === 0) return { code: "RESERVED" };
    changed.push(!sameState(state, next));
    state = next;
  }
  return { state, changed };
}
