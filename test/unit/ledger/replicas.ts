/**
 * One state, wherever it is kept: what a ledger holds in memory, and what it is when it is loaded from its tables, from tables that lag, that
 * were written in batches, or from a checkpoint, decides alike. If it did not, a replica that starts again would part from the others.
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert";
import { inspect, isDeepStrictEqual } from "node:util";
import type Database from "better-sqlite3";
import fc from "fast-check";
import type { KerlQuestion, ProjectionRoots } from "../../../src/actors/projector/projector.ts";
import { present } from "../../../src/base/errors.ts";
import { height } from "../../../src/base/brands.ts";
import { EXPLAIN_BOUNDS } from "../../../src/projections/rebac/explain.ts";
import { ESCROW_HEIGHTS_MAX } from "../../../src/keri/kerl.ts";
import { dumpSegments } from "../../../src/projections/checkpoint/checkpoint.ts";
import { PastGraph } from "../../../src/projections/rebac/past-graph.ts";
import { LedgerWorld } from "../kerl/ledger-world.ts";
import { presentOf } from "../kerl/random-deeds.ts";
import { nodes } from "../rebac/random-writes.ts";
import { type RandomBlock, Scribe, blocks } from "./random-acts.ts";

/** What becomes of the replicas after a block. */
const schedule = fc.record({
  restarts: fc.constantFrom("no", "no", "no", "whole", "behind"),
  /** Blocks that reach the tables in one batch; of the ledger that lags. */
  batch: fc.constantFrom(0, 0, 0, 1, 2, 3, 5, 50),
  isTold: fc.boolean(),
  /** Of that ledger: blocks in one batch between two commands of the next block. */
  within: fc.constantFrom(0, 0, 0, 1, 2),
});
const CALM = { restarts: "no", batch: 0, isTold: true, within: 0 } as const;

/** A checkpoint carries these, and those of remembered commands: only that table is shorter after it. */
const BLOCKS_IN_CHECKPOINT = 128;

type Aids = readonly LedgerWorld["client"]["aid"][];

/** For what differs to be seen. */
const DEEP = { depth: 12, maxArrayLength: null, maxStringLength: 200, sorted: true } as const;

function same(found: unknown, wanted: unknown, what: string): void {
  if (!isDeepStrictEqual(found, wanted)) strictEqual(inspect(found, DEEP), inspect(wanted, DEEP), what);
}

/** All that a ledger answers about now. */
const presentOfLedger = ({ ledger }: LedgerWorld, aids: Aids) => ({
  root: ledger.root,
  certificates: ledger.certificates.list(),
  counts: aids.map((aid) => ledger.certificates.countOf(aid)),
  revoked: [...ledger.certificates.revokedKeys()].sort((a, b) =>
    `${a.aid} ${a.spkiHash}` < `${b.aid} ${b.spkiHash}` ? -1 : 1,
  ),
  checks: nodes.map((node) => nodes.map((other) => ledger.graph.check(node, other))),
  expanded: nodes.map((node) => [ledger.graph.expandSubjects(node), ledger.graph.readObjects([node])]),
  size: { ...ledger.graph.size, edgeBytes: 0 },
  kerl: presentOf(ledger.kerl, [...aids]),
  escrowed: [ledger.kerl.view.escrowCount(), ledger.kerl.view.escrowBytes()],
});

/** What was settled under every id that was used, now. */
const rememberedOf = ({ ledger, blocks: all }: LedgerWorld) =>
  all.flatMap(({ settled }) => settled.map(({ author, id }) => ledger.settled(author, id)));

/** Their statements are prepared once. */
const pastGraphs = new WeakMap<Database.Database, PastGraph>();

/** All that is asked of tables about a height. */
function pastOf(world: LedgerWorld, at: number, aids: Aids) {
  const past = pastGraphs.get(world.db) ?? new PastGraph(world.db);
  pastGraphs.set(world.db, past);
  const h = height(at);
  const questions = aids.flatMap((aid): readonly KerlQuestion[] => [
    { kind: "keyState", aid, height: h, sn: null },
    { kind: "keyState", aid, height: h, sn: 1 },
    { kind: "log", aid, height: h, after: 0 },
    { kind: "export", aid, height: h, after: 0 },
    ...[0, 1, 2].flatMap((sn) => [
      { kind: "receipts" as const, aid, height: h, sn },
      { kind: "event" as const, aid, height: h, sn },
    ]),
    { kind: "roles", aid, height: h },
    { kind: "locations", aid, height: h },
    { kind: "forks", aid, height: h },
    { kind: "changes", aid, height: h, after: -1, skip: 0 },
  ]);
  return {
    checks: nodes.map((node) => nodes.map((other) => past.checkAt(h, node, other))),
    expanded: nodes.map((node) => [past.expandSubjectsAt(h, node), past.readObjectsAt(h, [node])]),
    explained: nodes.map((subject) => world.projector.explainAt(h, { subject, object: nodes[1] ?? subject })),
    kerl: questions.map((question) => world.projector.askKerl(question)),
  };
}

/** Every row of every table. */
function rowsOf(db: Database.Database): Readonly<Record<string, readonly unknown[]>> {
  const tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").pluck().all();
  return Object.fromEntries(
    tables.map((name) => [String(name), db.prepare(`SELECT * FROM "${String(name)}" ORDER BY 1, 2`).all()]),
  );
}

export interface Plan {
  readonly history: readonly RandomBlock[];
  readonly schedules: readonly (typeof schedule extends fc.Arbitrary<infer T> ? T : never)[];
  /** After which block a replica begins anew with a checkpoint, and of which heights the past is asked. */
  readonly restoresAt: number;
  readonly askedAt: readonly number[];
  /** After which block so many empty ones come that escrows expire; and the client's certificates fill the room. */
  readonly quietAt: number | null;
  readonly fullAt: number | null;
}

/** The replicas of one log. */
class Replicas {
  /** Keeps everything in memory; its tables get every block by itself. */
  readonly steady = new LedgerWorld(false);
  /** Starts again and again. */
  readonly restarting = new LedgerWorld(true);
  /** Its tables get blocks late, many at once. */
  readonly lagging = new LedgerWorld(true);
  /** Begins anew with a checkpoint. */
  readonly restored = new LedgerWorld(true);
  readonly scribe = new Scribe(this.steady);
  readonly #sums: ProjectionRoots[] = [];
  readonly #past: { readonly at: number; readonly aids: Aids; readonly answers: unknown }[] = [];
  time = 10_000;
  #within = 0;

  get all(): readonly LedgerWorld[] {
    return [this.steady, this.restarting, this.lagging, this.restored];
  }

  get aids(): Aids {
    const { client, admin, founders } = this.steady;
    return [...this.scribe.cast.aids, client.aid, admin.aid, ...founders.slice(0, 1).map(({ aid }) => aid)];
  }

  begin(): void {
    // Blocks before the one in work reach the tables in the midst of it.
    this.lagging.meanwhile = () => this.lagging.project(this.#within, this.#within % 2 === 0);
    this.steady.project();
    this.#sums.push(this.steady.projector.roots());
    this.block(this.scribe.beginnings());
  }

  block(batches: readonly Uint8Array[] | "checkpoint", within = 0): void {
    this.#within = within;
    const outcomes = this.all.map((world) =>
      batches === "checkpoint" ? world.checkpointAt(this.time) : world.blockAt(this.time, batches),
    );
    const [first] = outcomes;
    for (const { executed } of outcomes) same(executed, first?.executed, "what a block did");
    this.steady.project();
    this.#sums.push(this.steady.projector.roots());
  }

  /** The sums of tables that stand at some height. */
  sums(world: LedgerWorld): void {
    if (world.projector.height < 0) return;
    const { rows, ...roots } = world.projector.roots();
    const { rows: wanted, ...rootsWanted } = present(
      this.#sums[world.projector.height],
      "the steady one got every block",
    );
    same(roots, rootsWanted, "roots of the tables");
    const isCut = world === this.restored && world.projector.height > BLOCKS_IN_CHECKPOINT;
    same({ ...rows, ledger: isCut ? wanted.ledger : rows.ledger }, wanted, "sums of the tables");
  }

  restart(how: string): void {
    const { restarting } = this;
    if (how === "no") return;
    if (how === "whole") restarting.restart();
    else for (const block of restarting.restartBehind()) same(block, this.steady.blocks[block.height], "executed anew");
    this.sums(restarting);
  }

  checkpoint(): void {
    const members = [{ aid: this.steady.client.aid, key: new Uint8Array(32) }];
    this.lagging.project();
    const segments = [...dumpSegments(this.steady.db, members)];
    same([...dumpSegments(this.lagging.db, members)], segments, "segments of a checkpoint");
    this.restored.restore(segments);
    this.sums(this.restored);
  }

  /** What is asked now of memory and of tables; later the tables are asked again. */
  ask(): void {
    const { steady, aids } = this;
    const now = presentOfLedger(steady, aids);
    const remembered = rememberedOf(steady);
    for (const world of this.all) {
      same(presentOfLedger(world, aids), now, "the present");
      same(rememberedOf(world), remembered, "what is remembered of commands");
    }
    const { height: at } = steady.ledger;
    const answers = pastOf(steady, at, aids);
    same(answers.checks, now.checks, "checks in tables");
    same(answers.expanded, now.expanded, "groups in tables");
    const explained = nodes.map((subject) => ({
      ok: true,
      value: steady.ledger.graph.explain({ subject, object: nodes[1] ?? subject }, EXPLAIN_BOUNDS),
    }));
    same(answers.explained, explained, "explanations in tables");
    this.#past.push({ at, aids, answers });
  }

  end(): void {
    this.ask();
    for (const world of this.all) {
      world.project();
      const verified = world.projector.verify();
      if (!verified.ok) throw new Error(verified.refusal.message);
      this.sums(world);
      for (const { at, aids, answers } of this.#past) same(pastOf(world, at, aids), answers, "the past");
      world.restart();
    }
    const rows = rowsOf(this.steady.db);
    for (const world of [this.restarting, this.lagging]) same(rowsOf(world.db), rows, "rows");
    const { ledger_blocks: _, ledger_meta: __, ...kept } = rows;
    const { ledger_blocks: blocksLeft, ledger_meta: ___, ...restored } = rowsOf(this.restored.db);
    same(restored, kept, "rows after a checkpoint");
    ok((blocksLeft?.length ?? 0) > 0);
    this.ask();
    for (const { defects } of this.all) deepStrictEqual(defects, []);
  }

  close(): void {
    for (const { db } of this.all) db.close();
  }
}

export function live(plan: Plan): void {
  const replicas = new Replicas();
  try {
    replicas.begin();
    for (const [i, { step, acts, content }] of plan.history.entries()) {
      replicas.time += step;
      const batches = content === "checkpoint" ? [] : acts.map((one) => replicas.scribe.batchOf(one, replicas.time));
      if (i === plan.fullAt) batches.unshift(replicas.scribe.full(replicas.time + 1500));
      const { restarts, batch, isTold, within } = plan.schedules[i % plan.schedules.length] ?? CALM;
      replicas.block(content === "checkpoint" ? content : batches, within);
      if (i === plan.quietAt) for (let n = 0; n < ESCROW_HEIGHTS_MAX - 2; n++) replicas.block([]);
      replicas.restart(restarts);
      if (batch > 0) replicas.lagging.project(batch, isTold);
      replicas.sums(replicas.lagging);
      if (i === plan.restoresAt % plan.history.length) replicas.checkpoint();
      if (plan.askedAt.some((at) => at % plan.history.length === i)) replicas.ask();
    }
    replicas.end();
  } finally {
    replicas.close();
  }
}

export const plan = (rare: fc.Arbitrary<number | null>): fc.Arbitrary<Plan> =>
  fc.record({
    history: blocks,
    schedules: fc.array(schedule, { minLength: 1, maxLength: 8 }),
    restoresAt: fc.nat({ max: 23 }),
    askedAt: fc.array(fc.nat({ max: 23 }), { maxLength: 2 }),
    quietAt: rare,
    fullAt: rare,
  });
