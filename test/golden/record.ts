/**
 * Records what the wire types look like now: `node test/golden/record.ts`. Golden files only ever grow, by one value for each
 * variant that they lack: old lines stay decodable for ever. The pinned digests are replaced; look at the difference, it is
 * a change of the protocol.
 */
import { existsSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { toHex } from "../../src/base/bytes.ts";
import { encode } from "../../src/base/codec.ts";
import { WIRE_TYPES } from "../unit/base/wire-types.ts";
import { digestsPath, goldenPath, pinnedDigest, readGoldens, valueText } from "./golden.ts";

/** The kinds of union members in a value: one golden for each such list that begins differently. */
const variantOf = (text: string): string => /"kind":"([^"]*)"/.exec(text)?.[1] ?? "";

for (const { name, shape, values } of WIRE_TYPES) {
  const goldens = existsSync(goldenPath(name)) ? [...readGoldens(name)] : [];
  const covered = new Set(goldens.map(({ value }) => variantOf(value)));
  const smallest = new Map<string, { value: string; hex: string }>();
  for (const value of fc.sample(values, { seed: 1, numRuns: 1000 })) {
    const made = { value: valueText(value), hex: toHex(encode(shape, value)) };
    const known = smallest.get(variantOf(made.value));
    // The smallest of at least 100 bytes, if any: long enough that most fields hold something, short enough to read.
    const isLong = made.hex.length >= 200;
    const knownIsLong = known !== undefined && known.hex.length >= 200;
    if (known === undefined || (isLong && (!knownIsLong || made.hex.length < known.hex.length))) smallest.set(variantOf(made.value), made);
  }
  for (const [variant, made] of smallest) if (!covered.has(variant)) goldens.push(made);
  writeFileSync(goldenPath(name), `${goldens.map(({ value, hex }) => `# ${value}\n${hex}`).join("\n")}\n`);
}
writeFileSync(digestsPath, `${JSON.stringify(Object.fromEntries(WIRE_TYPES.map((type) => [type.name, pinnedDigest(type)])), null, 2)}\n`);
