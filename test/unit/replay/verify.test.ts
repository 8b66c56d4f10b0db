import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { DirectorySource } from "../../../tools/replay/directory.ts";
import { replay } from "../../../tools/replay/replay.ts";
import { makeSmallLog } from "./small-log.ts";

const directory = mkdtempSync(join(tmpdir(), "sky-replay-test-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("a log that holds", () => {
  it("is executed to the roots that its headers name, without a file beside it", async () => {
    const root = makeSmallLog(join(directory, "log.db"));
    const before = readdirSync(directory);
    const source = DirectorySource.open(directory);
    const blocks = [];
    for await (const block of replay(source)) blocks.push(block);
    await source.close();
    expect(blocks.at(-1)?.root).toBe(root);
    expect(blocks.map(({ height }) => height)).toEqual(blocks.map((_, i) => i));
    expect(readdirSync(directory)).toEqual(before);
    const commands = blocks.flatMap(({ commands }) => commands);
    expect(commands.map(({ outcome }) => outcome.kind)).toMatchInlineSnapshot(`
      [
        "executed",
        "executed",
        "refused",
        "duplicate",
        "refused",
        "executed",
        "executed",
      ]
    `);
  });
});
