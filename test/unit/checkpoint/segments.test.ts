import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Projector } from "../../../src/actors/projector/projector.ts";
import { height } from "../../../src/base/brands.ts";
import { toHex } from "../../../src/base/bytes.ts";
import { SEGMENT_BYTES_MAX, segmentDigest, segmentsRoot } from "../../../src/events/facts/checkpoint.ts";
import type { GraphWrite } from "../../../src/events/facts/graph.ts";
import { Dumping, dumpSegments, loadSegments } from "../../../src/projections/checkpoint/checkpoint.ts";
import { type Segment, decodeSegment, encodeSegment } from "../../../src/projections/checkpoint/segment.ts";
import { PastGraph } from "../../../src/projections/rebac/past-graph.ts";
import { history, nodes } from "../rebac/random-writes.ts";
import { author, projectedBlocks } from "./blocks.ts";

const members = [{ aid: author, key: new Uint8Array(32).fill(7) }];

/** The projector of a database in memory, with blocks applied so many together. */
function applied(blocks: ReturnType<typeof projectedBlocks>, together: number) {
  const db = new Database(":memory:");
  const projector = new Projector(db);
  for (let at = 0; at < blocks.length; at += together) projector.apply(blocks.slice(at, at + together));
  return { db, projector };
}

const opened = (segments: readonly Uint8Array[]): readonly Segment[] =>
  segments.map((bytes) => {
    const segment = decodeSegment(bytes);
    if (!segment.ok) throw new Error(segment.refusal.message);
    return segment.value;
  });

function loaded(segments: readonly Uint8Array[]) {
  const db = new Database(":memory:");
  const result = loadSegments(db, opened(segments));
  return { db, result, projector: new Projector(db) };
}

const texts = (segments: Iterable<Uint8Array>): readonly string[] => [...segments].map(toHex);

/** Everything that can be asked of the past. */
function answers(db: Database.Database, top: number): unknown {
  const past = new PastGraph(db);
  return Array.from({ length: top + 1 }, (_, at) =>
    nodes.map((node) => [
      nodes.map((other) => past.checkAt(height(at), node, other)),
      past.expandSubjectsAt(height(at), node),
      past.readObjectsAt(height(at), [node]),
    ]),
  );
}

describe("checkpoint segments", () => {
  test("the same on every replica, however it sliced its transactions", () => {
    fc.assert(
      fc.property(history, fc.integer({ min: 1, max: 5 }), (writes, together) => {
        const blocks = projectedBlocks(writes);
        const one = applied(blocks, 1);
        const other = applied(blocks, together);
        expect(texts(dumpSegments(other.db, members))).toEqual(texts(dumpSegments(one.db, members)));
      }),
      { numRuns: 40, seed: 1 },
    );
  });

  test("the same from one connection again and again as from a fresh one, whatever was applied meanwhile", () => {
    fc.assert(
      fc.property(history, history, (before, after) => {
        const blocks = projectedBlocks([...before, ...after]);
        const { db, projector } = applied(blocks.slice(0, before.length + 1), 3);
        const dumping = new Dumping(db);
        expect(texts(dumping.segments(members))).toEqual(texts(dumpSegments(db, members)));
        for (const block of blocks.slice(before.length + 1)) projector.apply([block]);
        expect(texts(dumping.segments(members))).toEqual(texts(dumpSegments(db, members)));
      }),
      { numRuns: 15, seed: 3 },
    );
  });

  test("dumped and loaded: the same roots, the same answers now and at every past height, the same future", () => {
    fc.assert(
      fc.property(history, history, (before, after) => {
        const blocks = projectedBlocks([...before, ...after]);
        const cut = before.length + 1;
        const one = applied(blocks.slice(0, cut), 3);
        const segments = [...dumpSegments(one.db, members)];
        const other = loaded(segments);
        expect(other.result).toEqual({ ok: true, value: { height: cut - 1, root: blocks[cut - 1]?.root } });
        const same = (top: number): void => {
          expect(other.projector.verify().ok).toBe(true);
          expect([other.projector.height, other.projector.rebac.rollingRoot, other.projector.rebac.rowsRoot]).toEqual([
            one.projector.height,
            one.projector.rebac.rollingRoot,
            one.projector.rebac.rowsRoot,
          ]);
          expect(other.projector.ledger.load()).toEqual(one.projector.ledger.load());
          expect(answers(other.db, top)).toEqual(answers(one.db, top));
          expect(texts(dumpSegments(other.db, members))).toEqual(texts(dumpSegments(one.db, members)));
        };
        same(cut - 1);
        one.projector.apply(blocks.slice(cut));
        for (const block of blocks.slice(cut)) other.projector.apply([block]);
        same(blocks.length - 1);
      }),
      { numRuns: 25, seed: 2 },
    );
  });

  test("a table too large for one segment continues in the next, none larger than it may be", () => {
    const wide: readonly GraphWrite[] = Array.from({ length: 700 }, (_, i) => ({
      changes: [
        {
          kind: "addSubject",
          subject: { namespace: "", name: `${i}/${"x".repeat(1000)}`, relation: { namespace: "", name: "" } },
        },
      ],
      preconditions: [],
    }));
    const blocks = projectedBlocks([wide, wide.map((write) => ({ ...write, changes: renamed(write) }))]);
    const { db } = applied(blocks, 1);
    const segments = [...dumpSegments(db, members)];
    expect(opened(segments).filter(({ kind }) => kind === "nodes").length).toBeGreaterThan(1);
    expect(segments.every(({ length }) => length <= SEGMENT_BYTES_MAX)).toBe(true);
    expect(texts(dumpSegments(loaded(segments).db, members))).toEqual(texts(segments));
  });

  test("a segment left out, twice, out of order or of another checkpoint is not loaded, and another list has another root", () => {
    const blocks = projectedBlocks([
      [
        {
          changes: [{ kind: "addAssertion", assertion: { subject: nodeAt(0), object: nodeAt(1) } }],
          preconditions: [],
        },
      ],
      [],
    ]);
    const segments = [...dumpSegments(applied(blocks, 1).db, members)];
    const earlier = [...dumpSegments(applied(blocks.slice(0, 2), 1).db, members)];
    const [state, ...rows] = segments as [Uint8Array, ...Uint8Array[]];
    const rootOf = (list: readonly Uint8Array[]) => segmentsRoot(list.map(segmentDigest));
    const bad: readonly (readonly Uint8Array[])[] = [
      [],
      rows,
      [state, ...rows.slice(1)],
      [state, state, ...rows],
      [state, ...rows, ...rows.slice(-1)],
      [state, ...[...rows].reverse()],
      [state, ...earlier.slice(1)],
    ];
    for (const list of bad) {
      expect(loaded(list).result).toMatchObject({ ok: false, refusal: { code: "CHECKPOINT_UNREADABLE" } });
      expect(rootOf(list)).not.toBe(rootOf(segments));
    }
  });

  test("an outcome that is none, or an edge of nodes that are not there, is not loaded", () => {
    const blocks = projectedBlocks([[]]);
    const segments = opened([...dumpSegments(applied(blocks, 1).db, members)]);
    const place = { height: 0, index: 0 };
    const strange: readonly Segment[] = [
      { kind: "edges", first: 0, rows: [{ kind: 0, from: place, to: null, parent: 1, child: 2 }] },
      {
        kind: "outcomes",
        first: 0,
        rows: [{ height: height(0), index: 0, outcome: { kind: "namespaceAdded", namespace: "x" } as never }],
      },
    ];
    for (const one of strange) {
      const result = loadSegments(new Database(":memory:"), [...segments.slice(0, 3), ...opened([encodeSegment(one)])]);
      expect(result).toMatchObject({ ok: false, refusal: { code: "CHECKPOINT_UNREADABLE" } });
    }
  });
});

const nodeAt = (at: number) => {
  const node = nodes[at];
  if (node === undefined) throw new Error("a node of the list");
  return node;
};

const renamed = ({ changes }: GraphWrite): GraphWrite["changes"] =>
  changes.map((change) =>
    change.kind === "addSubject"
      ? { ...change, subject: { ...change.subject, name: `${change.subject.name}y` } }
      : change,
  );
