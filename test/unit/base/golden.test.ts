import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { toHex } from "../../../src/base/bytes.ts";
import { decode, encode } from "../../../src/base/codec.ts";
import { digestsPath, pinnedDigest, readGoldens, valueText } from "../../golden/golden.ts";
import { hexBytes } from "../crypto/vectors.ts";
import { WIRE_TYPES } from "./wire-types.ts";

const digests = JSON.parse(readFileSync(digestsPath, "utf8")) as Readonly<Record<string, string>>;

describe.each(WIRE_TYPES)("$name", (type) => {
  test("reads every golden as the value it was, and writes the same bytes", () => {
    const goldens = readGoldens(type.name);
    expect(goldens.length).toBeGreaterThan(0);
    for (const { value, hex } of goldens) {
      const decoded = decode(type.shape, hexBytes(hex), 1_000_000);
      expect(decoded.ok ? valueText(decoded.value) : decoded.refusal.message).toBe(value);
      if (decoded.ok) expect(toHex(encode(type.shape, decoded.value))).toBe(hex);
    }
  });

  test("writes the same bytes as ever (a new digest is a change of the protocol: node test/golden/record.ts)", () => {
    expect(pinnedDigest(type)).toBe(digests[type.name]);
  });
});

test("there is a digest for each wire type and none left over", () => {
  expect(Object.keys(digests)).toEqual(WIRE_TYPES.map(({ name }) => name));
});
