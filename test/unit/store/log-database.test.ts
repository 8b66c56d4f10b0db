import { copyFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { epoch, height, view } from "../../../src/base/brands.ts";
import type { Digest } from "../../../src/base/brands.ts";
import { ZERO_DIGEST, utf8 } from "../../../src/base/bytes.ts";
import type { LogEvent } from "../../../src/events/facts/block.ts";
import type { Candidate, JournalRecord } from "../../../src/events/store/log-batch.ts";
import { Chain, bundleOf, hashing } from "../../contract/chain.ts";
import { openLogReader } from "../../../src/events/store/log-reader.ts";
import { logPath, openLog, withoutSeq } from "./log-fixture.ts";

const vote = (e: number, v: number, kind = "notarize"): JournalRecord => ({
  epoch: epoch(e),
  view: view(v),
  kind,
  key: "",
  bytes: utf8(`${kind} ${e}/${v}`),
});
const candidateOf = (event: LogEvent, e: number, v: number): Candidate => ({
  hash: event.hash,
  epoch: epoch(e),
  view: view(v),
  block: event.block,
});
const root = hashing.body(utf8("root"));

test("a log that was closed is whole in its one file, also while others read beside it", () => {
  const path = logPath();
  const chain = new Chain();
  const log = openLog(path);
  const reader = openLogReader(path, hashing);
  log.commit({ append: { expected: height(0), events: [chain.next(), chain.next()] } });
  expect(reader.head()?.height).toBe(1);
  log.close();
  const copy = logPath();
  copyFileSync(path, copy); // and not its write-ahead log
  expect(openLog(copy).head()?.height).toBe(1);
  reader.close();
});

describe("a commit", () => {
  test("makes everything of a batch readable, also after reopening", () => {
    const path = logPath();
    const chain = new Chain();
    const genesis = chain.next();
    const bundle = bundleOf("bundle");
    const waiting = bundleOf("waiting");
    const final = chain.next([bundle.digest]);
    const proposed = chain.next();
    const log = openLog(path);
    log.commit({
      bundles: [bundle, waiting],
      candidates: [candidateOf(proposed, 0, 2)],
      append: { expected: height(0), events: [genesis, final] },
      bundleHeights: [{ digest: bundle.digest, height: height(1) }],
      executed: [
        { height: height(0), root },
        { height: height(1), root: ZERO_DIGEST },
      ],
      journal: [vote(0, 2), vote(0, 2, "finalize"), vote(1, 1)],
      marks: [{ name: "verified", value: utf8("1") }],
    });
    log.close();

    const again = openLog(path);
    expect(again.head()).toEqual({ height: 1, hash: final.hash });
    expect([again.event(height(0)), again.event(height(1)), again.event(height(2))]).toEqual([
      genesis,
      final,
      undefined,
    ]);
    expect([again.eventByHash(final.hash), again.eventByHash(proposed.hash)]).toEqual([final, undefined]);
    expect([again.hashAt(height(1)), again.hashAt(height(2))]).toEqual([final.hash, undefined]);
    expect([again.bundle(bundle.digest), again.bundle(ZERO_DIGEST)]).toEqual([bundle, undefined]);
    expect(again.bundlesUnordered()).toEqual([waiting]);
    expect([again.candidate(proposed.hash), again.candidate(final.hash)]).toEqual([
      candidateOf(proposed, 0, 2),
      undefined,
    ]);
    expect([again.candidates(epoch(0)), again.candidates(epoch(1))]).toEqual([[candidateOf(proposed, 0, 2)], []]);
    expect([again.executedRoot(height(0)), again.executedRoot(height(2))]).toEqual([root, undefined]);
    expect(again.executedHead()).toEqual({ height: 1, root: ZERO_DIGEST });
    expect(withoutSeq(again.journal(epoch(0)))).toEqual([vote(0, 2), vote(0, 2, "finalize")]);
    expect(withoutSeq(again.journalAll())).toEqual([vote(0, 2), vote(0, 2, "finalize"), vote(1, 1)]);
    expect([again.mark("verified"), again.mark("none")]).toEqual([utf8("1"), undefined]);
  });

  test.each<[string, (events: readonly LogEvent[]) => readonly [number, readonly LogEvent[]], string]>([
    [
      "at another position",
      (events) => [2, events.slice(2)],
      "WRONG_EXPECTED_POSITION: Stream log continues at 1, not at 2",
    ],
    [
      "of the same block again",
      (events) => [0, events.slice(0, 1)],
      "WRONG_EXPECTED_POSITION: Stream log continues at 1, not at 0",
    ],
    ["whose parent is not the head", (events) => [1, events.slice(2)], "BROKEN_CHAIN"],
  ])("with an append %s writes nothing of its batch", (_name, choose, message) => {
    const log = openLog(logPath());
    const events = new Chain().take(3);
    log.commit({ append: { expected: height(0), events: events.slice(0, 1) } });
    const [expected, appended] = choose(events);
    const batch = {
      journal: [vote(0, 1)],
      bundles: [bundleOf("b")],
      append: { expected: height(expected), events: appended },
    };
    expect(() => log.commit(batch)).toThrow(message);
    expect(log.head()?.height).toBe(0);
    expect([log.journalAll(), log.bundlesUnordered()]).toEqual([[], []]);
    log.commit({ append: { expected: height(1), events: events.slice(1) } });
    expect(log.head()?.height).toBe(2);
  });

  test("that gives a height to a bundle which is not stored writes nothing: a final block whose bundle no disk holds", () => {
    const log = openLog(logPath());
    const chain = new Chain();
    const events = chain.take(1);
    const missing = bundleOf("missing").digest;
    expect(() =>
      log.commit({ append: { expected: height(0), events }, bundleHeights: [{ digest: missing, height: height(0) }] }),
    ).toThrow(`block 0 names bundle ${missing}, which is not stored`);
    expect(log.head()).toBeUndefined();
  });

  test("that executes a height to another root than before is a defect; the same root again is not", () => {
    const log = openLog(logPath());
    log.commit({ executed: [{ height: height(3), root }] });
    log.commit({ executed: [{ height: height(3), root }] });
    expect(() => log.commit({ executed: [{ height: height(3), root: ZERO_DIGEST }], journal: [vote(0, 1)] })).toThrow(
      "height 3 was executed before with another root",
    );
    expect([log.executedRoot(height(3)), log.journalAll()]).toEqual([root, []]);
  });

  test("keeps the first height of a bundle that a later block names again", () => {
    const log = openLog(logPath());
    const bundle = bundleOf("twice");
    log.commit({ bundles: [bundle], bundleHeights: [{ digest: bundle.digest, height: height(4) }] });
    log.commit({ bundles: [bundle], bundleHeights: [{ digest: bundle.digest, height: height(9) }] });
    log.dropBundles([bundle.digest]);
    expect(log.bundle(bundle.digest)).toEqual(bundle);
    expect(log.bundlesUnordered()).toEqual([]);
  });

  test("prunes older views of an epoch and all older epochs before it records, and nothing newer", () => {
    const log = openLog(logPath());
    const [a, b, c, d] = new Chain().take(4) as [LogEvent, LogEvent, LogEvent, LogEvent];
    log.commit({
      journal: [vote(0, 90), vote(1, 4), vote(1, 5), vote(2, 1)],
      candidates: [candidateOf(a, 0, 90), candidateOf(b, 1, 4), candidateOf(c, 1, 5), candidateOf(d, 2, 1)],
    });
    log.commit({ pruneBelow: { epoch: epoch(1), view: view(5) }, journal: [vote(1, 6)] });
    expect(withoutSeq(log.journalAll())).toEqual([vote(1, 5), vote(2, 1), vote(1, 6)]);
    expect([0, 1, 2].flatMap((e) => log.candidates(epoch(e)).map(({ hash }) => hash))).toEqual([c.hash, d.hash]);
  });

  test("never drops a record that repeats another, and numbers records as they came", () => {
    const log = openLog(logPath());
    log.commit({ journal: [vote(0, 1), vote(0, 1)] });
    log.commit({ journal: [vote(0, 1, "nullify")] });
    const records = log.journal(epoch(0));
    expect(withoutSeq(records)).toEqual([vote(0, 1), vote(0, 1), vote(0, 1, "nullify")]);
    expect(records.every(({ seq }, i) => i === 0 || seq > (records[i - 1]?.seq ?? 0))).toBe(true);
  });

  test("replaces a mark, and removes it with null", () => {
    const log = openLog(logPath());
    log.commit({
      marks: [
        { name: "ceremony", value: utf8("one") },
        { name: "other", value: new Uint8Array(0) },
      ],
    });
    log.commit({ marks: [{ name: "ceremony", value: utf8("two") }] });
    expect([log.mark("ceremony"), log.mark("other")]).toEqual([utf8("two"), new Uint8Array(0)]);
    log.commit({ marks: [{ name: "ceremony", value: null }] });
    expect(log.mark("ceremony")).toBeUndefined();
  });
});

describe("a read", () => {
  test("stops at its count and at its bytes, yet gives a first event of any size", () => {
    const log = openLog(logPath());
    const chain = new Chain();
    const bundles: Digest[] = Array.from({ length: 200 }, (_, i) => bundleOf(`bundle ${i}`).digest);
    const events = [chain.next(), chain.next(), chain.next(bundles), chain.next()];
    log.commit({ append: { expected: height(0), events } });
    const heights = (from: number, limit: number, bytesMax: number) =>
      log.events(height(from), { limit, bytesMax }).map((event) => event.height);
    expect(heights(0, 2, 1e6)).toEqual([0, 1]);
    expect(heights(0, 10, 2_000)).toEqual([0, 1]);
    expect(heights(2, 10, 1)).toEqual([2]);
    expect(heights(1, 10, 1e6)).toEqual([1, 2, 3]);
    expect(heights(4, 10, 1e6)).toEqual([]);
  });

  test("gives bytes that are plain arrays of their own", () => {
    const log = openLog(logPath());
    const bundle = bundleOf("mine");
    const [genesis] = new Chain().take(1) as [LogEvent];
    log.commit({ bundles: [bundle], journal: [vote(0, 1)], append: { expected: height(0), events: [genesis] } });
    for (const read of [
      () => log.bundle(bundle.digest)?.bytes,
      () => log.journal(epoch(0))[0]?.bytes,
      () => log.event(height(0))?.block.header,
    ]) {
      const bytes = read() as Uint8Array;
      expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype);
      expect(bytes.buffer.byteLength).toBe(bytes.length);
      const before = Uint8Array.from(bytes);
      bytes.fill(0);
      expect(read()).toEqual(before);
    }
  });
});
