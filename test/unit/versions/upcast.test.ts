import { describe, expect, test } from "vitest";
import { toHex } from "../../../src/base/bytes.ts";
import { type Shape, decode, encode, integer, list, nullable, record, text } from "../../../src/base/codec.ts";
import { type GraphWrite, graphWriteShape } from "../../../src/events/facts/graph.ts";
import { versions } from "../../../src/events/facts/upcast.ts";

interface First {
  readonly name: string;
}
interface Second extends First {
  readonly colours: readonly string[];
}
interface Third {
  readonly title: string;
  readonly colours: readonly string[];
  readonly weight: number | null;
}

const first: Shape<First> = record("first", { name: text(10) });
const second: Shape<Second> = record("second", { name: text(10), colours: list(text(10), 3) });
const third: Shape<Third> = record("third", {
  title: text(10),
  colours: list(text(10), 3),
  weight: nullable(integer()),
});

const twice = versions("thing", first).next(second, {
  up: ({ name }) => ({ name, colours: [] }),
  down: ({ name, colours }) => (colours.length === 0 ? { name } : undefined),
});
const thrice = twice.next(third, {
  up: ({ name, colours }) => ({ title: name, colours, weight: null }),
  down: ({ title, colours, weight }) => (weight === null ? { name: title, colours } : undefined),
});

describe("a type of three versions", () => {
  const { shape } = thrice;

  test.each([
    ["first", encode(first, { name: "a" }), { title: "a", colours: [], weight: null }],
    ["second", encode(twice.shape, { name: "a", colours: ["red"] }), { title: "a", colours: ["red"], weight: null }],
    ["third", encode(shape, { title: "a", colours: [], weight: 3 }), { title: "a", colours: [], weight: 3 }],
  ] as const)("reads bytes of the %s as the newest value, and writes them again as they were", (_, bytes, value) => {
    const read = decode(shape, bytes, 100);
    expect(read).toEqual({ ok: true, value });
    expect(toHex(encode(shape, value))).toBe(toHex(bytes));
  });

  test("refuses a later version's bytes for what an earlier one says: one value has one encoding", () => {
    const wasteful = record("wasteful", { version: integer(), value: second });
    const bytes = encode(wasteful, { version: 2, value: { name: "a", colours: [] } });
    expect(decode(shape, bytes, 100)).toMatchObject({ ok: false, refusal: { code: "MALFORMED" } });
    expect(decode(shape, bytes, 100)).toMatchObject({
      refusal: { message: expect.stringContaining("a thing of version 2 that an earlier version says") as string },
    });
  });

  test("refuses a version that it does not know, and its own version's bytes of another shape", () => {
    const other = record("other", { version: integer(), value: second });
    for (const version of [0, 1, 3, 4])
      expect(decode(shape, encode(other, { version, value: { name: "a", colours: ["red"] } }), 100).ok).toBe(false);
  });
});

describe("a write", () => {
  const write: GraphWrite = { changes: [{ kind: "addNamespace", namespace: "n" }], preconditions: [] };

  test("without a note is of version 1, so that software that knows no other reads it", () => {
    expect(toHex(encode(graphWriteShape, write))).toBe("92919200" + "91a16e" + "90");
    expect(toHex(encode(graphWriteShape, { ...write, note: "" }))).toBe(toHex(encode(graphWriteShape, write)));
  });

  test("with a note is of version 2", () => {
    const noted = { ...write, note: "why" };
    const bytes = encode(graphWriteShape, noted);
    expect(toHex(bytes)).toBe("920293919200" + "91a16e" + "90" + "a3776879");
    expect(decode(graphWriteShape, bytes, 100)).toEqual({ ok: true, value: noted });
  });
});
