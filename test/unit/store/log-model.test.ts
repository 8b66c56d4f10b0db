/** Random commits against a model in memory: after each one, and after every reopening, all reads agree with it. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Digest, type Height, epoch, height, view } from "../../../src/base/brands.ts";
import { utf8 } from "../../../src/base/bytes.ts";
import type { Executed, LogEvent } from "../../../src/events/facts/block.ts";
import type { Candidate, JournalRecord, LogBatch, StoredBundle } from "../../../src/events/store/log-batch.ts";
import type { LogDatabase } from "../../../src/events/store/log-database.ts";
import { Chain, bundleOf, hashing } from "../../contract/chain.ts";
import { logPath, openLog, withoutSeq } from "./log-fixture.ts";

const EPOCHS = 3;
const VIEWS = 6;
/** Two chains that share nothing: the log takes either from genesis on, and never goes over to the other. */
const blocks = new Chain("model").take(60);
const rivals = new Chain("rival").take(60);
const bundles = Array.from({ length: 12 }, (_, i) => bundleOf(`bundle ${i} ${"y".repeat(i * 700)}`));

interface Model {
  events: LogEvent[];
  journal: JournalRecord[];
  candidates: Candidate[];
  bundles: { bundle: StoredBundle; height: Height | null }[];
  executed: Map<number, Digest>;
  marks: Map<string, Uint8Array>;
}

type Step =
  | { readonly kind: "commit"; readonly batch: LogBatch }
  | {
      readonly kind: "append";
      readonly count: number;
      readonly rival: boolean;
      readonly shift: number;
      readonly and: LogBatch;
    }
  | { readonly kind: "drop"; readonly digests: readonly Digest[] }
  | { readonly kind: "reopen" };

const anEpoch = fc.nat(EPOCHS - 1).map(epoch);
const aView = fc.nat(VIEWS).map(view);
const aBundle = fc.constantFrom(...bundles);
const someBytes = fc.uint8Array({ maxLength: 40 });
const aRecord: fc.Arbitrary<JournalRecord> = fc.record({
  epoch: anEpoch,
  view: aView,
  kind: fc.constantFrom("notarize", "finalize", "certificate"),
  key: fc.string({ maxLength: 8 }),
  bytes: someBytes,
});
const aCandidate: fc.Arbitrary<Candidate> = fc
  .record({ event: fc.constantFrom(...rivals), epoch: anEpoch, view: aView })
  .map(({ event, ...point }) => ({ hash: event.hash, block: event.block, ...point }));
const anExecuted: fc.Arbitrary<Executed> = fc
  .nat(20)
  .map((at) => ({ height: height(at), root: hashing.body(utf8(String(at))) }));
const aBatch: fc.Arbitrary<LogBatch> = fc.record(
  {
    journal: fc.array(aRecord, { maxLength: 5 }),
    candidates: fc.array(aCandidate, { maxLength: 3 }),
    bundles: fc.array(aBundle, { maxLength: 4 }),
    bundleHeights: fc.array(
      fc.record({ digest: aBundle.map(({ digest }) => digest), height: fc.nat(60).map(height) }),
      { maxLength: 1 },
    ),
    executed: fc.array(anExecuted, { maxLength: 3 }),
    pruneBelow: fc.record({ epoch: anEpoch, view: aView }),
    marks: fc.array(fc.record({ name: fc.constantFrom("a", "b"), value: fc.option(someBytes) }), { maxLength: 3 }),
  },
  { requiredKeys: [] },
);
const aStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("commit" as const), batch: aBatch }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("append" as const),
      count: fc.integer({ min: 0, max: 5 }),
      rival: fc.constantFrom(false, false, true),
      shift: fc.constantFrom(0, 0, 0, -1, 1),
      and: aBatch,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("drop" as const),
      digests: fc.array(
        aBundle.map(({ digest }) => digest),
        { maxLength: 4 },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "reopen" as const }) },
);

/** Whether an append starts where the events end and stays on their chain. */
function takes(events: readonly LogEvent[], append: LogBatch["append"]): boolean {
  if (append === undefined) return true;
  const all = [...events, ...append.events];
  return (
    append.expected === events.length &&
    [blocks, rivals].some((chain) => all.every(({ hash }, i) => hash === chain[i]?.hash))
  );
}

function setMarks(marks: Map<string, Uint8Array>, changes: NonNullable<LogBatch["marks"]>): void {
  for (const { name, value } of changes) {
    if (value === null) marks.delete(name);
    else marks.set(name, value);
  }
}

/** The model after a batch; undefined where the batch has to be refused as a whole. */
function applied(model: Model, batch: LogBatch): Model | undefined {
  const next: Model = structuredClone(model);
  const below = batch.pruneBelow ?? { epoch: 0, view: 0 };
  const kept = (at: { epoch: number; view: number }) =>
    at.epoch > below.epoch || (at.epoch === below.epoch && at.view >= below.view);
  next.journal = next.journal.filter(kept);
  next.candidates = next.candidates.filter(kept);
  for (const bundle of batch.bundles ?? []) {
    if (!next.bundles.some((known) => known.bundle.digest === bundle.digest))
      next.bundles.push({ bundle, height: null });
  }
  for (const candidate of batch.candidates ?? []) {
    if (!next.candidates.some(({ hash }) => hash === candidate.hash)) next.candidates.push(candidate);
  }
  if (!takes(next.events, batch.append)) return undefined;
  next.events.push(...(batch.append?.events ?? []));
  for (const { digest, height: at } of batch.bundleHeights ?? []) {
    const known = next.bundles.find(({ bundle }) => bundle.digest === digest);
    if (known === undefined) return undefined;
    known.height ??= at;
  }
  for (const { height: at, root } of batch.executed ?? []) next.executed.set(at, root);
  next.journal.push(...(batch.journal ?? []));
  setMarks(next.marks, batch.marks ?? []);
  return next;
}

function expectSame(log: LogDatabase, model: Model): void {
  expect(log.events(height(0), { limit: 1000, bytesMax: 1e9 })).toEqual(model.events);
  const last = model.events.at(-1);
  expect(log.head()).toEqual(last && { height: last.height, hash: last.hash });
  expect(withoutSeq(log.journalAll())).toEqual(model.journal);
  for (let e = 0; e < EPOCHS; e++) {
    expect(withoutSeq(log.journal(epoch(e)))).toEqual(model.journal.filter((record) => record.epoch === e));
    const expected = model.candidates.filter((candidate) => candidate.epoch === e);
    const ordered = expected.toSorted((a, b) => a.view - b.view || (a.hash < b.hash ? -1 : 1));
    expect(log.candidates(epoch(e))).toEqual(ordered);
  }
  expect(log.bundlesUnordered()).toEqual(
    model.bundles.filter((known) => known.height === null).map(({ bundle }) => bundle),
  );
  for (const { digest } of bundles) {
    expect(log.bundle(digest)).toEqual(model.bundles.find(({ bundle }) => bundle.digest === digest)?.bundle);
  }
  for (let at = 0; at <= 20; at++) expect(log.executedRoot(height(at))).toBe(model.executed.get(at));
  const executedTo = Math.max(-1, ...model.executed.keys());
  expect(log.executedHead()?.height ?? -1).toBe(executedTo);
  for (const name of ["a", "b"]) expect(log.mark(name)).toEqual(model.marks.get(name));
}

function batchOf(step: Extract<Step, { kind: "append" }>, model: Model): LogBatch {
  const start = model.events.length;
  const events = (step.rival ? rivals : blocks).slice(start, start + step.count);
  return { ...step.and, append: { expected: height(Math.max(0, start + step.shift)), events } };
}

test("whatever is committed, refused, dropped and reopened, the log reads as the model does", () => {
  let refused = 0;
  let appended = 0;
  const property = fc.property(fc.array(aStep, { minLength: 1, maxLength: 25 }), (steps) => {
    const path = logPath();
    let log = openLog(path);
    let model: Model = { events: [], journal: [], candidates: [], bundles: [], executed: new Map(), marks: new Map() };
    for (const step of steps) {
      if (step.kind === "reopen") {
        log.close();
        log = openLog(path);
      } else if (step.kind === "drop") {
        log.dropBundles(step.digests);
        model.bundles = model.bundles.filter(
          ({ bundle, height: at }) => at !== null || !step.digests.includes(bundle.digest),
        );
      } else {
        const batch = step.kind === "commit" ? step.batch : batchOf(step, model);
        const next = applied(model, batch);
        if (next === undefined) {
          expect(() => log.commit(batch)).toThrow(/WRONG_EXPECTED_POSITION|BROKEN_CHAIN|which is not stored/);
          refused += 1;
        } else {
          log.commit(batch);
          appended += next.events.length - model.events.length;
          model = next;
        }
      }
      expectSame(log, model);
    }
    log.close();
  });
  fc.assert(property, { numRuns: 60 });
  expect(refused).toBeGreaterThan(20);
  expect(appended).toBeGreaterThan(20);
});
