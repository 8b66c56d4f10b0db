/** Primitives and indexed signatures. Source: ToIP CESR specification, "Master code table", "Indexed code table", "Pre-padding before conversion". */
import fc from "fast-check";
import { expect, test } from "vitest";
import { toHex } from "../../../../src/base/bytes.ts";
import {
  type Indexed,
  type IndexerCode,
  decodeIndexedBinary,
  encodeIndexed,
  encodeIndexedBinary,
  indexedEd25519,
  indexerCode,
  readIndexed,
  signatureAlgorithm,
} from "../../../../src/keri/cesr/indexer.ts";
import { MATTER_SIZES, type MatterCode } from "../../../../src/keri/cesr/matter-codes.ts";
import {
  decodeMatter,
  decodeMatterBinary,
  encodeMatter,
  encodeMatterBinary,
  readMatter,
} from "../../../../src/keri/cesr/matter.ts";
import { hexBytes, vectors } from "../../crypto/vectors.ts";

interface Vector {
  readonly code: string;
  readonly raw: string;
  readonly qb2: string;
  readonly qb64: string;
}

interface Primitives {
  readonly primitives: readonly Vector[];
  readonly indexes: readonly (Vector & { readonly index: number; readonly ondex: number | null })[];
}

const published = vectors<Primitives>("keri/cesr-primitives.json");

test("every published primitive, text and binary, decodes to its bytes and encodes to the same text and binary", () => {
  for (const { code, raw, qb2, qb64 } of published.primitives) {
    const decoded = decodeMatter(qb64);
    expect(decoded.ok && [decoded.value.code, toHex(decoded.value.raw)], qb64.slice(0, 80)).toEqual([code, raw]);
    if (!decoded.ok) continue;
    expect(decodeMatterBinary(hexBytes(qb2))).toEqual(decoded);
    expect(encodeMatter(code as MatterCode, hexBytes(raw), decoded.value.soft)).toBe(qb64);
    expect(toHex(encodeMatterBinary(code as MatterCode, hexBytes(raw), decoded.value.soft))).toBe(qb2);
  }
  expect(published.primitives).toHaveLength(186);
});

test("every published indexed signature, text and binary, decodes and encodes again to the same", () => {
  for (const { code, raw, qb2, qb64, index, ondex } of published.indexes) {
    const read = readIndexed(`more${qb64}more`, 4);
    expect(read.ok, qb64).toBe(true);
    if (!read.ok) continue;
    const { length, ...indexed } = read.value;
    expect([indexed.code, toHex(indexed.raw), indexed.index, indexed.ondex]).toEqual([code, raw, index, ondex]);
    expect(length).toBe(qb64.length);
    expect(encodeIndexed(indexed)).toBe(qb64);
    expect(toHex(encodeIndexedBinary(indexed))).toBe(qb2);
    expect(decodeIndexedBinary(hexBytes(qb2))).toEqual({ ok: true, value: indexed });
  }
  expect(published.indexes).toHaveLength(30);
});

test("a tag's value is its characters without those that align it; a tag aligned by another character is refused", () => {
  expect(decodeMatter("0J_a")).toMatchObject({ ok: true, value: { code: "0J", soft: "a" } });
  expect(encodeMatter("X", new Uint8Array(0), "icp")).toBe("Xicp");
  expect(decodeMatter("0JAa")).toMatchObject({ ok: false, refusal: { code: "KERI_MALFORMED" } });
});

test("an Ed25519 signature by key 5 is 88 characters that name the key", () => {
  const text = indexedEd25519(5, new Uint8Array(64).fill(9));
  expect(text).toMatch(/^AF.{86}$/);
  const read = readIndexed(text);
  expect(read.ok && [read.value.index, signatureAlgorithm(read.value.code)]).toEqual([5, "ed25519"]);
});

test("every other text of the same bytes is refused: non-zero pad bits, other alphabets, too short, too long", () => {
  const key = encodeMatter("D", new Uint8Array(32).fill(255));
  for (const bad of [
    `DP${key.slice(2)}`,
    `DQ${key.slice(2)}`,
    `${key.slice(0, -1)}+`,
    `${key.slice(0, -1)}=`,
    key.slice(0, -1),
    `${key}A`,
    `#${key.slice(1)}`,
    "",
  ]) {
    if (bad === key) continue;
    const decoded = decodeMatter(bad);
    expect(decoded.ok && toHex(decoded.value.raw), bad).not.toBe(toHex(new Uint8Array(32).fill(255)));
  }
  // D + 43 characters hold 258 bits: the two highest are padding.
  expect(decodeMatter(`Dg${key.slice(2)}`)).toMatchObject({ ok: false, refusal: { code: "KERI_MALFORMED" } });
});

test("lead bytes that are not zero are refused, also in codes of variable size", () => {
  expect(decodeMatter("VAAq").ok).toBe(true);
  for (const bad of ["VEAq", "VAEq".replace("AE", "EA"), "5BABAQAh", "6BABAQAK", "6BABAAEK".replace("AAE", "ABA")])
    expect(decodeMatter(bad), bad).toMatchObject({ ok: false, refusal: { code: "KERI_MALFORMED" } });
  // A size of none leaves no room for the lead byte that the code promises.
  expect(decodeMatter("5BAA")).toMatchObject({ ok: false, refusal: { code: "KERI_MALFORMED" } });
});

test("a text cut anywhere says how much is missing, and never reads as a whole", () => {
  for (const { qb64 } of published.primitives) {
    for (const at of [1, 2, 3, Math.floor(qb64.length / 2), qb64.length - 1].filter((n) => n < qb64.length)) {
      const read = readMatter(qb64.slice(0, at));
      expect(read.ok, `${qb64.slice(0, 12)} cut at ${at}`).toBe(false);
      if (read.ok) continue;
      const missing = read.refusal.missing ?? 0;
      expect(missing).toBeGreaterThan(0);
      expect(at + missing).toBeLessThanOrEqual(qb64.length);
    }
  }
});

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

test("text that decodes encodes to itself, whatever the stranger sends", () => {
  const characters = fc.string({ unit: fc.constantFrom(...Array.from(`${ALPHABET}+=#`)), maxLength: 170 });
  const codes = fc.constantFrom("", ...Object.keys(MATTER_SIZES), "2A", "3B", "0z");
  fc.assert(
    fc.property(codes, characters, (code, body) => {
      const text = code + body;
      const matter = readMatter(text);
      if (matter.ok) {
        const { code: found, raw, soft, length } = matter.value;
        expect(encodeMatter(found, raw, soft)).toBe(text.slice(0, length));
      }
      const indexed = readIndexed(text);
      if (indexed.ok) expect(encodeIndexed(indexed.value)).toBe(text.slice(0, indexed.value.length));
    }),
    { numRuns: 5000 },
  );
});

test("any signature at any place has one smallest code, and reads back from text and binary", () => {
  const place = fc.oneof(fc.nat(63), fc.nat(4095));
  const algorithm = fc.constantFrom("ed25519", "secp256k1", "p256", "ed448");
  fc.assert(
    fc.property(algorithm, place, fc.option(place), fc.nat(255), (name, index, ondex, fill) => {
      const code: IndexerCode = indexerCode(name, index, ondex);
      const indexed: Indexed = { code, index, ondex, raw: new Uint8Array(name === "ed448" ? 114 : 64).fill(fill) };
      const read = readIndexed(encodeIndexed(indexed));
      expect(read.ok && { ...read.value, length: 0 }).toEqual({ ...indexed, length: 0 });
      expect(decodeIndexedBinary(encodeIndexedBinary(indexed))).toEqual({ ok: true, value: indexed });
      expect(signatureAlgorithm(code)).toBe(name);
    }),
  );
});
