/**
 * The projection database promises less than the log: a power cut may take its newest transactions. What is left is the state after
 * some block, rows and height together; anything else is thrown away and said so.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ProjectedBlock } from "../../../src/actors/projector/projector.ts";
import { type Aid, type CommandId, type Digest, height, logTime } from "../../../src/base/brands.ts";
import { encodeSequence } from "../../../src/base/codec.ts";
import { sha256Digest } from "../../../src/crypto/hash.ts";
import { type Fact, type FactData, factShape } from "../../../src/events/facts/fact.ts";
import type { Assertion, GraphNode } from "../../../src/events/facts/graph.ts";
import { openProjection } from "../../../src/host/projector/database.ts";
import { Life } from "../../unit/kerl/lives.ts";
import { filesOf } from "./life.ts";
import { StateReader } from "./numbered-log.ts";
import { Chance, PATIENCE_MS, isExhaustive, placesWithin, report } from "./points.ts";
import { scratch } from "./scratch.ts";
import { type Frame, WAL_HEADER_BYTES, framesOf } from "./wal-format.ts";

const directory = scratch("sky-projection-");
afterAll(() => rmSync(directory, { recursive: true }));
const PATH = join(directory, "projection.db");

const BLOCKS = 10;
const author = `E${"A".repeat(43)}` as Aid;
const node = (name: string): GraphNode => ({ namespace: "n", name, relation: { namespace: "", name: "" } });
const assertionOf = (i: number): Assertion => ({ subject: node(`s${i}`), object: node(`o${i % 3}`) });
const digest = (text: string): Digest => sha256Digest(new TextEncoder().encode(text));

/** An identifier with an event in each block, the inception in the first. */
const life = new Life("crash points");
const keyEvents = Array.from({ length: BLOCKS }, (_, at) => (at === 0 ? life.inception : life.interacted()));

/** Each block grants one assertion, and takes back one that is three blocks old; an identifier goes on. */
function blockOf(at: number): ProjectedBlock {
  const { subject, object } = assertionOf(at);
  const data: FactData[] = [
    {
      kind: "commandExecuted",
      author,
      principal: null,
      id: at.toString(16).padStart(32, "0") as CommandId,
      digest: digest(`command ${at}`),
      notAfter: logTime(1_700_000_000_000 + at + 60_000),
      changed: [true],
    },
    ...(at === 0 ? [{ kind: "namespaceAdded", namespace: "n" } as const] : []),
    { kind: "subjectAdded", subject },
    ...(at < 3 ? [{ kind: "objectAdded", object } as const] : []),
    { kind: "assertionAdded", assertion: { subject, object } },
    ...(at >= 3 ? [{ kind: "assertionDeleted", assertion: assertionOf(at - 3) } as const] : []),
    ...keyEvents.slice(at, at + 1).map(
      ({ said, event, message }): FactData => ({
        kind: "keyEventAccepted",
        aid: life.aid,
        sn: at,
        said,
        event,
        attached: message.slice(event.length),
        superseded: [],
        anchor: null,
        signers: ["key:0"],
      }),
    ),
  ];
  const facts = data.map((one, n): Fact => ({ height: height(at), index: 0, n, data: one }));
  return {
    height: height(at),
    hash: digest(`block ${at}`),
    root: digest(`root ${at}`),
    time: 1_700_000_000_000 + at,
    facts: encodeSequence(factShape, facts),
  };
}

interface State {
  readonly height: number;
  readonly digest: string;
  readonly walEnd: number;
}

interface Opened {
  readonly height: number;
  readonly digest: string;
  readonly rebuilt: string | null;
  /** Whether it answers of its first, middle and last height as the facts say. */
  readonly isRight: boolean;
}

let db: Buffer;
let wal: Buffer;
let settled: Buffer;
let frames: readonly Frame[];
const states: State[] = [];

beforeAll(() => {
  const opened = openProjection(PATH, null);
  const reader = new StateReader(PATH);
  const digests = [reader.digest()];
  for (let at = 0; at < BLOCKS; at++) {
    opened.projector.apply([blockOf(at)]);
    digests.push(reader.digest());
  }
  ({ db, wal } = filesOf(PATH));
  reader.close();
  opened.db.close();
  settled = readFileSync(PATH);
  frames = framesOf(wal);
  const ends = frames.filter(({ isCommit }) => isCommit).map(({ end }) => end);
  // What makes the tables comes first, in transactions of its own.
  const first = ends.length - BLOCKS;
  for (const [i, digestAt] of digests.entries())
    states.push({ height: i - 1, digest: digestAt, walEnd: i === 0 ? 0 : (ends[first + i - 1] ?? 0) });
});

function open(database: Uint8Array, log: Uint8Array | undefined): Opened {
  for (const suffix of ["-wal", "-shm"]) rmSync(`${PATH}${suffix}`, { force: true });
  writeFileSync(PATH, database);
  if (log !== undefined) writeFileSync(`${PATH}-wal`, log);
  const opened = openProjection(PATH, null);
  try {
    const reader = new StateReader(PATH);
    const found = reader.digest();
    reader.close();
    const { projector } = opened;
    let isRight = true;
    for (const at of new Set([0, Math.floor(projector.height / 2), projector.height])) {
      if (at < 0 || at > projector.height) continue;
      const answers = projector.checkAt(
        height(at),
        states.slice(1).map((_, i) => assertionOf(i)),
      );
      isRight &&= answers.ok && answers.value.every((granted, i) => granted === (i <= at && i > at - 3));
      const kerl = projector.askKerl({ kind: "keyState", aid: life.aid, height: height(at), sn: null });
      isRight &&= kerl.ok && kerl.value.kind === "keyState" && kerl.value.state?.latest.sn === at;
    }
    return { height: projector.height, digest: found, rebuilt: opened.rebuilt, isRight };
  } finally {
    opened.db.close();
  }
}

const stateBy = (end: number): State | undefined => states.findLast(({ walEnd }) => walEnd <= end);

function expectState(opened: Opened, state: State | undefined): void {
  expect(opened).toEqual({ height: state?.height, digest: state?.digest, rebuilt: null, isRight: true });
}

describe("a projection", { timeout: PATIENCE_MS }, () => {
  const chance = new Chance(4);

  test("cut at any frame's boundary, or within a frame, is the state after the newest block that is all there", () => {
    let points = 0;
    for (const frame of frames) {
      expectState(open(db, wal.subarray(0, frame.start)), stateBy(frame.start));
      const within = chance.some(placesWithin(frame).slice(1), 1);
      for (const at of within) expectState(open(db, wal.subarray(0, at)), stateBy(frame.start));
      points += 1 + within.length;
    }
    expectState(open(db, wal), states.at(-1));
    report("cuts of a projection's write-ahead log", points);
  });

  test("whose sectors reached the disk in any order is the state after some block", () => {
    const tears = isExhaustive ? 1000 : 30;
    const heights = new Set<number>();
    for (let tear = 0; tear < tears; tear++) {
      const from = chance.below(wal.length - WAL_HEADER_BYTES) + WAL_HEADER_BYTES;
      const opened = open(db, chance.torn(wal, from, Buffer.alloc(0)));
      expectState(opened, states[opened.height + 1]);
      heights.add(opened.height);
    }
    expect(heights.size).toBeGreaterThan(3);
    report("write-ahead logs of a projection torn by sectors", tears);
  });

  test("with a bit flipped in its file answers right, or is rebuilt and says why", () => {
    const used = Array.from(settled.keys()).filter((at) => settled[at] !== 0);
    const points = chance.some(used, 150);
    let rebuilt = 0;
    for (const at of points) {
      const opened = open(chance.flipped(settled, at), undefined);
      if (opened.rebuilt !== null) {
        rebuilt += 1;
        expect(opened.height).toBe(-1);
        continue;
      }
      const where = `byte ${at % 4096} of page ${Math.floor(at / 4096) + 1}`;
      expect({ ...opened, where }).toMatchObject({ height: BLOCKS - 1, isRight: true, where });
    }
    expect(rebuilt).toBeGreaterThan(points.length / 3);
    report(`bits flipped in a projection, ${rebuilt} of them damage`, points.length);
  });
});
