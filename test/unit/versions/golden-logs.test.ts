/** Logs that earlier versions wrote come to what they came to then: every root, every fact's bytes, every row. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { present } from "../../../src/base/errors.ts";
import { blockHash, bodyHash, bundleDigest } from "../../../src/events/facts/hashing.ts";
import { openLogDatabase } from "../../../src/events/store/log-database.ts";
import { CheckpointStore } from "../../../src/host/checkpoints/checkpoint-store.ts";
import { Rebuilder } from "../../../src/host/projector/rebuilder.ts";
import { DirectorySource } from "../../../tools/replay/directory.ts";
import { replay } from "../../../tools/replay/replay.ts";
import { type GoldenLog, executed, goldenLogNames, readGoldenLog } from "../../golden/log/golden-log.ts";
import { GoldenLives } from "../../golden/log/lives.ts";

const hashing = { header: blockHash, body: bodyHash, bundle: bundleDigest };

/** As a node's log, in a directory of its own. */
async function asDirectory(golden: GoldenLog, use: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "sky-golden-"));
  try {
    const log = openLogDatabase(join(directory, "log.db"), hashing);
    for (const { event, bundles, root } of golden.blocks) {
      const stored = bundles.map((bytes) => ({ digest: bundleDigest(bytes), bytes }));
      log.commit({
        bundles: stored,
        append: { expected: event.height, events: [event] },
        bundleHeights: stored.map(({ digest }) => ({ digest, height: event.height })),
        executed: [{ height: event.height, root }],
      });
    }
    log.close();
    await use(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe.each(goldenLogNames())("the golden log %s", (name) => {
  const golden = readGoldenLog(name);

  test("executes to the same roots, facts and rows as ever", () => {
    const results = executed(golden.cluster, golden.blocks);
    expect(results.blocks).toEqual(golden.blocks.map(({ root, facts }) => ({ root, facts })));
    expect(results.rows).toEqual(golden.rows);
  });

  test("is judged, from genesis to its last certificate, and rebuilt by a node", async () => {
    await asDirectory(golden, async (directory) => {
      const source = DirectorySource.open(directory);
      let root: string | undefined;
      try {
        for await (const block of replay(source)) root = block.root;
      } finally {
        await source.close();
      }
      const last = present(golden.blocks.at(-1), "a block");
      expect(root).toBe(last.root);

      const checkpoints = new CheckpointStore(join(directory, "checkpoints"));
      const path = join(directory, "projection.rebuilt.db");
      const options = { path, log: join(directory, "log.db"), cluster: golden.cluster, checkpoints, reserveBytes: 0 };
      const rebuilder = new Rebuilder({ ...options, from: "nothing" });
      while (rebuilder.height < last.event.height) rebuilder.step(last.event.height);
      rebuilder.verify();
      expect(rebuilder.roots()).toEqual({ height: last.event.height, executed: last.root, rows: golden.rows });
      rebuilder.close();
    });
  });

  test("notices when a fact, a row or a root would be another one", () => {
    const [first, second, ...rest] = golden.blocks;
    const without = [present(first, "genesis"), { ...present(second, "a block"), bundles: [] }, ...rest];
    const results = executed(golden.cluster, without);
    expect(results.blocks[1]).not.toEqual({ root: second?.root, facts: second?.facts });
    expect(results.rows.graph).not.toBe(golden.rows.graph);
  });
});

test.each([
  ["v1", (lives: GoldenLives) => lives.firstVersion()],
  ["v1-later-bytes", (lives: GoldenLives) => lives.laterBytes()],
  ["v2", (lives: GoldenLives) => lives.secondVersion()],
] as const)("what version %s could say is still written, byte for byte, as it wrote it", (name, live) => {
  const lives = new GoldenLives();
  live(lives);
  const golden = readGoldenLog(name);
  expect(lives.blocks.map(({ event }) => event.hash)).toEqual(golden.blocks.map(({ event }) => event.hash));
  expect(lives.blocks.map(({ bundles }) => bundles.map(({ bytes }) => bytes))).toEqual(
    golden.blocks.map(({ bundles }) => bundles),
  );
});
