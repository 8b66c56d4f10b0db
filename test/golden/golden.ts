/** Golden files: one for each wire type, pairs of lines "# <value as JSON>" and "<encoding in hex>". */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { toHex } from "../../src/base/bytes.ts";
import { encode } from "../../src/base/codec.ts";
import type { WireType } from "../unit/base/wire-types.ts";

export interface Golden {
  readonly value: string;
  readonly hex: string;
}

export const goldenPath = (name: string): string => fileURLToPath(new URL(`${name}.hex`, import.meta.url));
export const digestsPath = fileURLToPath(new URL("digests.json", import.meta.url));

export function readGoldens(name: string): readonly Golden[] {
  const lines = readFileSync(goldenPath(name), "utf8").trimEnd().split("\n");
  return Array.from({ length: Math.floor(lines.length / 2) }, (_, i) => ({
    value: (lines[2 * i] ?? "").replace(/^# /, ""),
    hex: lines[2 * i + 1] ?? "",
  }));
}

/** A decoded value as one line; bytes as hex. */
export const valueText = (value: unknown): string =>
  JSON.stringify(value, (_key, field: unknown) => (field instanceof Uint8Array ? `hex:${toHex(field)}` : field));

/** 2,000: enough that every variant and every head of a length comes up many times; about 100 ms for the slowest type. */
const PINNED_ENCODINGS = 2000;
const PINNED_SEED = 20_261_122;

/** SHA-256 over the encodings of seeded values, each after its length. */
export function pinnedDigest({ shape, values }: WireType<unknown>): string {
  const hash = createHash("sha256");
  for (const value of fc.sample(values, { seed: PINNED_SEED, numRuns: PINNED_ENCODINGS })) {
    const encoded = encode(shape, value);
    hash.update(`${encoded.length}:`).update(encoded);
  }
  return hash.digest("hex");
}
