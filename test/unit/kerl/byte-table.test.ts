import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteTable } from "../../../src/projections/kerl/byte-table.ts";

describe("a table of bytes outside the heap", () => {
  it("answers what a Map would, whatever is written in what order and however values grow and shrink", () => {
    const key = fc.nat({ max: 3000 }).map((n) => `E${n.toString(36).padStart(43, "A")}`);
    const value = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.nat({ max: 60_000 }).map((length) => new Uint8Array(length).fill(length % 251)),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(key, value), { maxLength: 400 }), fc.nat(), (writes, seed) => {
        const table = new ByteTable(seed);
        const map = new Map<string, Uint8Array>();
        for (const [name, bytes] of writes) {
          table.set(name, bytes);
          map.set(name, bytes);
        }
        expect(table.size).toBe(map.size);
        for (const [name, bytes] of map) expect(Buffer.compare(table.get(name) ?? Buffer.of(1, 2), bytes)).toBe(0);
        expect(table.get("nobody")).toBeUndefined();
      }),
      { numRuns: 40, seed: 3 },
    );
  });

  it("finds tens of thousands of entries, and takes room that was outgrown again", () => {
    const table = new ByteTable(9);
    const name = (n: number): string => `E${String(n).padStart(43, "0")}`;
    const bytes = (n: number, length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (n + i) & 255);
    for (let n = 0; n < 40_000; n++) table.set(name(n), bytes(n, 150));
    for (let n = 0; n < 40_000; n += 2) table.set(name(n), bytes(n, 190)); // more grains than before
    const full = table.bytes;
    for (let n = 40_000; n < 60_000; n++) table.set(name(n), bytes(n, 150)); // where the outgrown ones were
    expect(table.bytes).toBeLessThan(full + 3 * 1024 * 1024); // slots for more entries, no pages
    for (const n of [0, 1, 2, 19_999, 39_998, 39_999, 59_999])
      expect(Buffer.compare(table.get(name(n)) ?? Buffer.of(), bytes(n, n % 2 === 0 && n < 40_000 ? 190 : 150))).toBe(
        0,
      );
    expect(table.size).toBe(60_000);
  });
});
