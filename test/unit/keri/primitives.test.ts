import fc from "fast-check";
import { expect, test } from "vitest";
import { toHex } from "../../../src/base/bytes.ts";
import { encodeIndexed, indexedEd25519, readIndexed, signatureAlgorithm } from "../../../src/keri/indexer.ts";
import { type MatterCode, decodeMatter, encodeMatter, readMatter } from "../../../src/keri/matter.ts";
import { hexBytes, vectors } from "../crypto/vectors.ts";

interface Primitives {
  readonly primitives: readonly { readonly code: string; readonly raw: string; readonly qb64: string }[];
  readonly indexes: readonly {
    readonly code: string;
    readonly raw: string;
    readonly qb64: string;
    readonly index: number;
    readonly ondex: number | null;
  }[];
}

const published = vectors<Primitives>("keri/cesr-primitives.json");
/** Codes of variable size or with soft parts, which have their own tables. */
const OTHER_TABLES = /^([VWXY]|0[J-O]|[1-3]__[-_]|1AAF|1AAN|[4-6][AB]|[7-9]AAB)$/;

test("every published primitive of fixed size decodes to its bytes and encodes to its text", () => {
  let tried = 0;
  for (const { code, raw, qb64 } of published.primitives) {
    if (OTHER_TABLES.test(code)) {
      expect(decodeMatter(qb64).ok, `${code} is of another table`).toBe(false);
      continue;
    }
    const decoded = decodeMatter(qb64);
    expect(decoded.ok && [decoded.value.code, toHex(decoded.value.raw)], qb64).toEqual([code, raw]);
    expect(encodeMatter(code as MatterCode, hexBytes(raw))).toBe(qb64);
    tried += 1;
  }
  expect(tried).toBeGreaterThan(110);
});

test("every published indexed signature decodes and encodes again", () => {
  let tried = 0;
  for (const { raw, qb64, index, ondex } of published.indexes) {
    if (qb64.startsWith("0")) continue; // Ed448 and the variable-size test code
    const read = readIndexed(`${qb64}more`);
    expect(read.ok, qb64).toBe(true);
    if (!read.ok) continue;
    expect([toHex(read.value.raw), read.value.index, read.value.priorIndex ?? null]).toEqual([raw, index, ondex]);
    expect(read.value.length).toBe(qb64.length);
    expect(encodeIndexed(read.value)).toBe(qb64);
    tried += 1;
  }
  expect(tried).toBe(27);
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

test("text that decodes encodes to itself, whatever the stranger sends", () => {
  const characters = fc.string({
    unit: fc.constantFrom(...Array.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+=#")),
    maxLength: 100,
  });
  fc.assert(
    fc.property(fc.constantFrom("", "A", "B", "D", "E", "0A", "0B", "1AAA", "2B"), characters, (code, body) => {
      const matter = readMatter(code + body);
      if (matter.ok)
        expect(encodeMatter(matter.value.code, matter.value.raw)).toBe((code + body).slice(0, matter.value.length));
      const indexed = readIndexed(code + body);
      if (indexed.ok) expect(encodeIndexed(indexed.value)).toBe((code + body).slice(0, indexed.value.length));
    }),
    { numRuns: 2000 },
  );
});
