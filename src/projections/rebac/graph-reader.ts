/**
 * The questions of the graph, answered for those whom `hidden` bits hide: readers between blocks, or the writer within one.
 * up(x) is x and everything reachable through maps; check(s, o) is true exactly when some assertion (s′, o′) has s′ ∈ up(s) and
 * o′ ∈ up(o). Unknown names: false, or nothing. Lists have no duplicates and are sorted by bytes. Source: oracle.md.
 */
import type { GraphNode, Relation } from "../../events/facts/graph.ts";
import { type EdgeTable, FROM, NEXT_IN, NEXT_OUT, RECORD_SHIFT, STATE, TO } from "./edge-table.ts";
import type { GraphStore } from "./graph-store.ts";
import { compareNodes } from "./names.ts";
import type { NodeTable, RelationEntry } from "./vocabulary.ts";

/** Assertions looked at subject by subject before it pays to know both closures whole and choose the cheaper side. */
const STEPS_BEFORE_CHOOSING = 256;

export class GraphReader {
  readonly #store: GraphStore;
  readonly #hidden: number;

  constructor(store: GraphStore, hidden: number) {
    this.#store = store;
    this.#hidden = hidden;
  }

  check(subject: GraphNode, object: GraphNode): boolean {
    const from = this.#store.subject.find(subject, this.#hidden);
    if (from === 0) return false;
    const to = this.#store.object.find(object, this.#hidden);
    return to !== 0 && this.checkIds(from, to);
  }

  /** `check` for nodes already found. */
  checkIds(subject: number, object: number): boolean {
    const { subject: subjects, object: objects, assertion, objectMap, subjectMap } = this.#store;
    const objectGeneration = objects.marks.begin();
    const objectCount = this.#climbFrom(objects, objectMap, object, objectGeneration);
    const generation = subjects.marks.begin();
    const { marks, queue } = subjects.marks;
    const { records, outHead } = subjectMap;
    marks[subject] = generation;
    queue[0] = subject;
    let count = 1;
    let steps = 0;
    for (let at = 0; at < count; at++) {
      const current = queue[at] ?? 0;
      const degree = assertion.outDegree[current] ?? 0;
      if (steps < STEPS_BEFORE_CHOOSING) {
        steps += Math.min(degree, objectCount);
        if (this.#asserts(current, degree, objectCount, objectGeneration)) return true;
      }
      for (let edge = outHead[current] ?? 0; edge !== 0; ) {
        const record = edge << RECORD_SHIFT;
        const next = records[record + TO] ?? 0;
        if (marks[next] !== generation && ((records[record + STATE] ?? 0) & this.#hidden) === 0) {
          marks[next] = generation;
          queue[count] = next;
          count += 1;
        }
        edge = records[record + NEXT_OUT] ?? 0;
      }
    }
    return steps >= STEPS_BEFORE_CHOOSING && this.#closuresMeet(count, generation, objectCount, objectGeneration);
  }

  /** Direct assertions on any of the objects; with a predicate, of subjects whose whole relation equals it. */
  readSubjects(objects: readonly GraphNode[], predicate?: Relation): readonly GraphNode[] {
    return this.#read(this.#store.object, this.#store.subject, objects, predicate);
  }

  /** Direct assertions of any of the subjects; with a predicate, on objects whose whole relation equals it. */
  readObjects(subjects: readonly GraphNode[], predicate?: Relation): readonly GraphNode[] {
    return this.#read(this.#store.subject, this.#store.object, subjects, predicate);
  }

  /** Every known subject for which check(subject, object) is true; with a predicate, filtered. */
  expandSubjects(object: GraphNode, predicate?: Relation): readonly GraphNode[] {
    return this.#expand(this.#store.object, this.#store.subject, object, predicate);
  }

  /** Every known object for which check(subject, object) is true; with a predicate, filtered. */
  expandObjects(subject: GraphNode, predicate?: Relation): readonly GraphNode[] {
    return this.#expand(this.#store.subject, this.#store.object, subject, predicate);
  }

  /** Whether the assertion itself is there, without any map. */
  holds(subject: GraphNode, object: GraphNode): boolean {
    const from = this.#store.subject.find(subject, this.#hidden);
    const to = this.#store.object.find(object, this.#hidden);
    return from !== 0 && to !== 0 && this.#store.assertion.has(from, to, this.#hidden);
  }

  #read(
    given: NodeTable,
    asked: NodeTable,
    nodes: readonly GraphNode[],
    predicate: Relation | undefined,
  ): readonly GraphNode[] {
    const generation = asked.marks.begin();
    let count = 0;
    for (const node of nodes) {
      const id = given.find(node, this.#hidden);
      if (id !== 0) count = this.#collectAsserted(given, asked, id, count, generation);
    }
    return this.#nodes(asked, count, predicate);
  }

  #expand(given: NodeTable, asked: NodeTable, node: GraphNode, predicate: Relation | undefined): readonly GraphNode[] {
    const id = given.find(node, this.#hidden);
    if (id === 0) return [];
    const closure = this.#climbFrom(given, this.#mapsOf(given), id, given.marks.begin());
    const generation = asked.marks.begin();
    let count = 0;
    for (let at = 0; at < closure; at++) {
      count = this.#collectAsserted(given, asked, given.marks.queue[at] ?? 0, count, generation);
    }
    return this.#nodes(asked, this.#descend(asked, count, generation), predicate);
  }

  #mapsOf(table: NodeTable): EdgeTable {
    return table === this.#store.subject ? this.#store.subjectMap : this.#store.objectMap;
  }

  /** Queues up(start) in the table's marks; returns how many there are. */
  #climbFrom(table: NodeTable, maps: EdgeTable, start: number, generation: number): number {
    const { marks, queue } = table.marks;
    const { records, outHead } = maps;
    marks[start] = generation;
    queue[0] = start;
    let count = 1;
    for (let at = 0; at < count; at++) {
      for (let edge = outHead[queue[at] ?? 0] ?? 0; edge !== 0; ) {
        const record = edge << RECORD_SHIFT;
        const next = records[record + TO] ?? 0;
        if (marks[next] !== generation && ((records[record + STATE] ?? 0) & this.#hidden) === 0) {
          marks[next] = generation;
          queue[count] = next;
          count += 1;
        }
        edge = records[record + NEXT_OUT] ?? 0;
      }
    }
    return count;
  }

  /** Queues everything that reaches one of the `count` nodes queued; returns how many there are then. */
  #descend(table: NodeTable, seeds: number, generation: number): number {
    const { marks, queue } = table.marks;
    const { records, inHead } = this.#mapsOf(table);
    let count = seeds;
    for (let at = 0; at < count; at++) {
      for (let edge = inHead[queue[at] ?? 0] ?? 0; edge !== 0; ) {
        const record = edge << RECORD_SHIFT;
        const next = records[record + FROM] ?? 0;
        if (marks[next] !== generation && ((records[record + STATE] ?? 0) & this.#hidden) === 0) {
          marks[next] = generation;
          queue[count] = next;
          count += 1;
        }
        edge = records[record + NEXT_IN] ?? 0;
      }
    }
    return count;
  }

  /** Queues the other ends of a node's direct assertions. */
  #collectAsserted(given: NodeTable, asked: NodeTable, id: number, queued: number, generation: number): number {
    const { records, outHead, inHead } = this.#store.assertion;
    const forward = given === this.#store.subject;
    const head = forward ? outHead : inHead;
    const [other, following] = forward ? [TO, NEXT_OUT] : [FROM, NEXT_IN];
    const { marks, queue } = asked.marks;
    let count = queued;
    for (let edge = head[id] ?? 0; edge !== 0; ) {
      const record = edge << RECORD_SHIFT;
      const next = records[record + other] ?? 0;
      if (marks[next] !== generation && ((records[record + STATE] ?? 0) & this.#hidden) === 0) {
        marks[next] = generation;
        queue[count] = next;
        count += 1;
      }
      edge = records[record + following] ?? 0;
    }
    return count;
  }

  /** Whether a subject has a direct assertion on one of the objects queued, by the cheaper of a scan and a search. */
  #asserts(subject: number, degree: number, objectCount: number, objectGeneration: number): boolean {
    const { assertion, object } = this.#store;
    if (degree > objectCount) {
      const { queue } = object.marks;
      for (let at = 0; at < objectCount; at++) if (assertion.has(subject, queue[at] ?? 0, this.#hidden)) return true;
      return false;
    }
    const { records, outHead } = assertion;
    const { marks } = object.marks;
    for (let edge = outHead[subject] ?? 0; edge !== 0; ) {
      const record = edge << RECORD_SHIFT;
      if (
        marks[records[record + TO] ?? 0] === objectGeneration &&
        ((records[record + STATE] ?? 0) & this.#hidden) === 0
      )
        return true;
      edge = records[record + NEXT_OUT] ?? 0;
    }
    return false;
  }

  /** Whether an assertion joins the two closures queued, seen from the side with less to look at. */
  #closuresMeet(subjectCount: number, generation: number, objectCount: number, objectGeneration: number): boolean {
    const { assertion, subject, object } = this.#store;
    let fromSubjects = 0;
    for (let at = 0; at < subjectCount; at++) {
      fromSubjects += Math.min(assertion.outDegree[subject.marks.queue[at] ?? 0] ?? 0, objectCount);
    }
    let fromObjects = 0;
    for (let at = 0; at < objectCount; at++) {
      fromObjects += Math.min(assertion.inDegree[object.marks.queue[at] ?? 0] ?? 0, subjectCount);
    }
    if (fromSubjects <= fromObjects) {
      for (let at = 0; at < subjectCount; at++) {
        const current = subject.marks.queue[at] ?? 0;
        if (this.#asserts(current, assertion.outDegree[current] ?? 0, objectCount, objectGeneration)) return true;
      }
      return false;
    }
    for (let at = 0; at < objectCount; at++) {
      if (this.#isAsserted(object.marks.queue[at] ?? 0, subjectCount, generation)) return true;
    }
    return false;
  }

  /** Whether an object is the end of a direct assertion of one of the subjects queued. */
  #isAsserted(object: number, subjectCount: number, generation: number): boolean {
    const { assertion, subject } = this.#store;
    const { marks, queue } = subject.marks;
    if ((assertion.inDegree[object] ?? 0) > subjectCount) {
      for (let at = 0; at < subjectCount; at++) if (assertion.has(queue[at] ?? 0, object, this.#hidden)) return true;
      return false;
    }
    const { records, inHead } = assertion;
    for (let edge = inHead[object] ?? 0; edge !== 0; ) {
      const record = edge << RECORD_SHIFT;
      if (marks[records[record + FROM] ?? 0] === generation && ((records[record + STATE] ?? 0) & this.#hidden) === 0)
        return true;
      edge = records[record + NEXT_IN] ?? 0;
    }
    return false;
  }

  /** The queued nodes by name, filtered and sorted. */
  #nodes(table: NodeTable, count: number, predicate: Relation | undefined): readonly GraphNode[] {
    const wanted = predicate === undefined ? undefined : this.#store.relation(predicate, this.#hidden);
    if (predicate !== undefined && wanted === undefined) return [];
    const found: GraphNode[] = [];
    for (let at = 0; at < count; at++) {
      const id = table.marks.queue[at] ?? 0;
      if (wanted === undefined || hasRelation(table, id, wanted)) found.push(table.nodeOf(id));
    }
    return found.sort(compareNodes);
  }
}

const hasRelation = (table: NodeTable, id: number, relation: RelationEntry): boolean =>
  table.scopeOf(id).relation === relation;
