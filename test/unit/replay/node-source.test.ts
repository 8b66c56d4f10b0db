import { describe, expect, it } from "vitest";
import { height } from "../../../src/base/brands.ts";
import { encode } from "../../../src/base/codec.ts";
import { finalityProofShape } from "../../../src/events/facts/block.ts";
import type { LogItem } from "../../../src/wire/generated/sky/audit/v1/audit.ts";
import { ReplayFailure } from "../../../tools/replay/failure.ts";
import { NodeSource } from "../../../tools/replay/node-source.ts";
import { replay } from "../../../tools/replay/replay.ts";
import { smallLog } from "./small-log.ts";

const { made, blocks } = smallLog();
const last = blocks.length - 1;

/** What an honest node streams: each block, its bundles behind it. */
const items: readonly LogItem[] = blocks.flatMap(({ block: { event, bundles } }): LogItem[] => [
  {
    item: {
      $case: "block",
      block: {
        height: BigInt(event.height),
        header: Buffer.from(event.block.header),
        body: Buffer.from(event.block.body),
        finality: Buffer.from(encode(finalityProofShape, event.proof)),
      },
    },
  },
  ...bundles.map(({ bytes }): LogItem => ({ item: { $case: "bundle", bundle: Buffer.from(bytes) } })),
]);

type Client = ConstructorParameters<typeof NodeSource>[0];

/** A node that streams these items. */
function nodeOf(given: Iterable<LogItem>): NodeSource {
  const head = { proven: { head: { height: height(last) } } } as Awaited<ReturnType<Client["head"]>>;
  return new NodeSource({
    head: () => Promise.resolve(head),
    async *readLog(from, to) {
      let at = -1;
      for (const item of given) {
        if (item.item?.$case === "block") at = Number(item.item.block.height);
        if (at >= from && at <= (to ?? last)) yield item;
      }
    },
    close: () => {},
  });
}

async function verdictOf(given: Iterable<LogItem>): Promise<string> {
  try {
    let root = "";
    for await (const block of replay(nodeOf(given))) root = block.root;
    return root === made.root ? "sound" : "another root";
  } catch (error) {
    if (error instanceof ReplayFailure) return `${error.code} ${error.height ?? "-"} ${error.where.part}`;
    throw error;
  }
}

describe("a node that is asked for its log", () => {
  const isBundle = ({ item }: LogItem): boolean => item?.$case === "bundle";
  const first = items.findIndex(isBundle);
  const blockAt = (at: number): number =>
    items.findIndex(({ item }) => item?.$case === "block" && item.block.height === BigInt(at));

  it("is judged as a file is", async () => {
    expect(await verdictOf(items)).toBe("sound");
  });

  it.each([
    ["withholds a bundle", items.filter((_, i) => i !== first), "BUNDLE_MISSING 1 bundle"],
    [
      "sends another bundle",
      items.map((item, i) => (i === first ? (items.findLast(isBundle) ?? item) : item)),
      "BUNDLE_INVALID 1 bundle",
    ],
    ["leaves a block out", items.filter((_, i) => i !== blockAt(3)), "EVENT_MISSING 3 event"],
    ["ends early", items.slice(0, blockAt(6)), "EVENT_MISSING 6 event"],
    ["sends nothing", [], "EVENT_MISSING 0 event"],
  ])("and %s is found out", async (_, given, verdict) => {
    expect(await verdictOf(given)).toBe(verdict);
  });

  it.each([
    ["bundles without end behind a block", 8, "BODY_INVALID 1 event"],
    ["large bundles without end", 1024 * 1024, "BODY_INVALID 1 event"],
  ])("and %s are not read to their end", async (_, size, verdict) => {
    let read = 0;
    const endless = function* (): Generator<LogItem> {
      yield* items.slice(0, first);
      for (; read < 2_000; read += 1) yield { item: { $case: "bundle", bundle: Buffer.alloc(size) } };
    };
    expect(await verdictOf(endless())).toBe(verdict);
    expect(read).toBeLessThan(300);
  });
});
