import { expect, it } from "vitest";
import { isExhaustion } from "../../../src/projections/ledger/exhaustion.ts";

const thrown = (work: () => unknown): unknown => {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
};

it("stack and memory at an end are of the machine; a value out of range is of the command that brought it", () => {
  const deep = (): number => 1 + deep();
  expect(isExhaustion(thrown(deep))).toBe(true);
  expect(isExhaustion(thrown(() => "x".repeat(2 ** 30)))).toBe(true);
  expect(isExhaustion(thrown(() => new ArrayBuffer(2 ** 52)))).toBe(true);
  expect(isExhaustion(thrown(() => new DataView(new ArrayBuffer(2)).getUint32(0)))).toBe(false);
  expect(isExhaustion(thrown(() => Buffer.alloc(2).readUInt32BE(0)))).toBe(false);
  expect(isExhaustion(thrown(() => BigInt(0.5)))).toBe(false);
  expect(isExhaustion(thrown(() => String.fromCodePoint(-1)))).toBe(false);
});
