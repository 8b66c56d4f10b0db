import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { utf8 } from "../../../src/base/bytes.ts";
import { decodeBody, encodeBody } from "../../../src/keri/bodies.ts";
import { parseBody } from "../../../src/keri/event.ts";
import type { EventFields } from "../../../src/keri/event-json.ts";
import type { BodyKind } from "../../../src/keri/messages.ts";
import { SAID_PLACEHOLDER, blake3Digest } from "../../../src/keri/said.ts";
import { writeVersion } from "../../../src/keri/version.ts";
import { publishedEvents } from "./streams.ts";

const latin = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"));
const codeOf = (bytes: Uint8Array, kind: BodyKind): string => {
  const decoded = decodeBody(bytes, kind);
  return decoded.ok ? "read" : decoded.refusal.code;
};

describe("bodies that keripy wrote", () => {
  // WebOfTrust/keripy tests/core/test_eventing.py, test_keyeventfuncs: a delegated rotation of version 2 in CBOR.
  const rotation = latin(
    "\xafavsKERICAACAACBORAAEw.atcdrtadx,EECI637lfT-Xp4z_H9tuSkAgnpVY5pdIbY9ydumGAx_Zaix,EKybuFPAE61UWlHVWSas49NOfSHl3hKDvu-cJNfuIcj6asa4apx,EANkcl_QewzrRSKH2p9zUskHI462CuIMS_HQIO132Z30bkta1ak\x81x,DPLt4YqQsWZ5DPztI32mSyTJPRESONvE9KbETtCVYIeHbnta1an\x81x,EIsKL3B6Zz5ICGxCQp-SoLXjwOrdlSbLJrEn21c2zVaUbbta0bbr\x80bba\x80ac\x80aa\x80",
  );

  test("a delegated rotation of version 2 in CBOR is read, its digest recomputed", () => {
    const parsed = parseBody(rotation, "CBOR", { major: 2, minor: 0 });
    if (!parsed.ok) return expect.unreachable(parsed.refusal.message);
    expect(parsed.value).toMatchObject({
      type: "drt",
      said: "EECI637lfT-Xp4z_H9tuSkAgnpVY5pdIbY9ydumGAx_Z",
      aid: "EKybuFPAE61UWlHVWSas49NOfSHl3hKDvu-cJNfuIcj6",
      prior: "EANkcl_QewzrRSKH2p9zUskHI462CuIMS_HQIO132Z30",
      sn: 4,
      threshold: 1,
      nextThreshold: 1,
      traits: [],
    });
    expect(parseBody(rotation, "CBOR", { major: 1, minor: 0 }).ok).toBe(false);
  });

  // keripy tests/core/test_serdering.py (Serder): two fields, whose digest is over the body in its serialisation.
  test.each([
    ["CBOR", "\xa2avqKERI10CBOR000045_adx,", "EK2_0ouKrN9hXmQvtfenA455EYZ4QENydBdrwtbPZuxa"],
    ["MGPK", "\x82\xa1v\xb1KERI10MGPK000045_\xa1d\xd9,", "EHORCaFv9ThskIBG0qSr3edk7oQ9x-xT8-FgsUIADb5E"],
  ] as const)("a digest over %s", (kind, head, said) => {
    const body = latin(head + said);
    const decoded = decodeBody(body, kind);
    if (!decoded.ok) return expect.unreachable(decoded.refusal.message);
    expect({ ...decoded.value }).toEqual({ v: `KERI10${kind}000045_`, d: said });
    expect(encodeBody(decoded.value, kind)).toEqual(body);
    expect(blake3Digest(encodeBody({ ...decoded.value, d: SAID_PLACEHOLDER }, kind))).toBe(said);
  });
});

describe.each(["CBOR", "MGPK"] as const)("every published event, written in %s", (kind) => {
  const events = ["icp", "rot", "ixn", "dip", "drt"].flatMap(publishedEvents);

  test("says the same as in JSON", () => {
    let read = 0;
    for (const { text } of events) {
      const json = parseBody(utf8(text), "JSON", { major: 1, minor: 0 });
      if (!json.ok) continue;
      const fields = JSON.parse(text) as Record<string, unknown>;
      const named = fields["i"] === fields["d"] ? ["d", "i"] : ["d"];
      for (const name of named) fields[name] = SAID_PLACEHOLDER;
      const version = { version: { major: 1, minor: 0 }, kind } as const;
      fields["v"] = writeVersion({ ...version, size: 0 });
      fields["v"] = writeVersion({ ...version, size: encodeBody(fields, kind).length });
      const said = blake3Digest(encodeBody(fields, kind));
      for (const name of named) fields[name] = said;
      const bytes = encodeBody(fields, kind);
      const parsed = parseBody(bytes, kind, version.version);
      if (!parsed.ok) return expect.unreachable(parsed.refusal.message);
      const renamed = named.length === 2 ? { said, aid: said } : { said };
      expect(parsed.value).toEqual({ ...json.value, ...renamed, bytes, bodyKind: kind });
      expect(parseBody(bytes.subarray(0, -1), kind, version.version).ok).toBe(false);
      read += 1;
    }
    expect(read).toBeGreaterThan(40);
  });
});

describe("refused are", () => {
  test.each([
    ["a length that is not the shortest", "CBOR", "\xa1\x78\x01aaab"],
    ["a number that is not the shortest", "CBOR", "\xa1aa\x18\x05"],
    ["a repeated name", "CBOR", "\xa2aa\x01aa\x02"],
    ["an indefinite length", "CBOR", "\xbfaa\x01\xff"],
    ["a negative number", "CBOR", "\xa1aa\x20"],
    ["a fraction", "CBOR", "\xa1aa\xf9\x3c\x00"],
    ["undefined", "CBOR", "\xa1aa\xf7"],
    ["a byte string", "CBOR", "\xa1aaAa"],
    ["a tag", "CBOR", "\xa1aa\xc0a0"],
    ["a name that is no text", "CBOR", "\xa1\x01\x02"],
    ["text that is not UTF-8", "CBOR", "\xa1aaa\xff"],
    ["a number past 2^53", "CBOR", "\xa1aa\x1b\xff\xff\xff\xff\xff\xff\xff\xff"],
    ["more items than bytes", "CBOR", "\xa1aa\x9a\xff\xff\xff\xff"],
    ["bytes after the map", "CBOR", "\xa1aa\x01\x01"],
    ["a list", "CBOR", "\x81\x01"],
    ["nothing", "CBOR", ""],
    ["a tower", "CBOR", `\xa1aa${"\x81".repeat(16)}\x01`],
    ["a length that is not the shortest", "MGPK", "\x81\xd9\x01a\xa1b"],
    ["a number that is not the shortest", "MGPK", "\x81\xa1a\xcc\x05"],
    ["a repeated name", "MGPK", "\x82\xa1a\x01\xa1a\x02"],
    ["a negative number", "MGPK", "\x81\xa1a\xff"],
    ["a fraction", "MGPK", "\x81\xa1a\xca\x3f\x80\x00\x00"],
    ["a byte string", "MGPK", "\x81\xa1a\xc4\x01a"],
    ["an extension", "MGPK", "\x81\xa1a\xd4\x01a"],
    ["a name that is no text", "MGPK", "\x81\x01\x02"],
    ["more items than bytes", "MGPK", "\x81\xa1a\xdd\xff\xff\xff\xff"],
    ["a map of few names in the long form", "MGPK", "\xde\x00\x01\xa1a\x01"],
    ["a tower", "MGPK", `\x81\xa1a${"\x91".repeat(16)}\x01`],
  ] as const)("%s (%s)", (_what, kind, text) => {
    expect(codeOf(latin(text), kind)).toBe("KERI_MALFORMED");
  });

  test("more than 64 KiB", () => {
    for (const kind of ["JSON", "CBOR", "MGPK"] as const)
      expect(codeOf(new Uint8Array(65_537), kind)).toBe("TOO_LARGE");
  });

  test("a name that means something to JavaScript stays a name", () => {
    for (const kind of ["JSON", "CBOR", "MGPK"] as const) {
      const text = '{"__proto__":{"d":"x"}}';
      const bytes = kind === "JSON" ? utf8(text) : encodeBody(JSON.parse(text) as EventFields, kind);
      const decoded = decodeBody(bytes, kind);
      expect(decoded.ok && decoded.value["d"]).toBeUndefined();
    }
  });
});

const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.nat(),
    fc.maxSafeNat(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("value"), { maxLength: 20 }),
    fc.dictionary(fc.string({ unit: "grapheme", minLength: 1, maxLength: 3 }), tie("value"), { maxKeys: 20 }),
  ),
})).value;

test.each(["CBOR", "MGPK"] as const)(
  "whatever fields are written in %s are read again; other bytes never crash",
  (kind) => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ maxLength: 40 }), value), fc.nat(), fc.nat(255), (fields, at, byte) => {
        const bytes = encodeBody(fields, kind);
        const decoded = decodeBody(bytes, kind);
        if (!decoded.ok) return expect.unreachable(decoded.refusal.message);
        expect(JSON.stringify(decoded.value)).toBe(JSON.stringify(fields));
        bytes[at % bytes.length] = byte;
        const changed = decodeBody(bytes, kind);
        if (changed.ok) expect(encodeBody(changed.value, kind)).toEqual(bytes);
      }),
      { numRuns: 300 },
    );
  },
);
