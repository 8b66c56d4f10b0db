/** Groups of attachments. Source: ToIP CESR specification, "KERI/ACDC protocol genus version table" 1.00 and 2.00, "Count code tables". */
import fc from "fast-check";
import { expect, test } from "vitest";
import { concatBytes, utf8 } from "../../../../src/base/bytes.ts";
import { numberToBase64 } from "../../../../src/keri/cesr/base64url.ts";
import { type Genus, encodeCounter, readCounter } from "../../../../src/keri/cesr/counter.ts";
import { encodeAttachments } from "../../../../src/keri/cesr/encode-attachments.ts";
import { indexedEd25519 } from "../../../../src/keri/cesr/indexer.ts";
import { encodeMatter } from "../../../../src/keri/cesr/matter.ts";
import type { Attachments } from "../../../../src/keri/messages.ts";
import { parseStream } from "../../../../src/keri/stream.ts";
import { anyAttachments, bodyOf, toBinary } from "./attachments.ts";

const signature = indexedEd25519(0, new Uint8Array(64).fill(7));
const key = encodeMatter("B", new Uint8Array(32).fill(3));
const digest = encodeMatter("E", new Uint8Array(32).fill(4));
const sn = encodeMatter("0A", new Uint8Array(16));
const date = "1AAG2021-01-01T00c00c00d000000p00c00";
const genus = fc.constantFrom<Genus>(1, 2);

/** What one message of this version with these groups reads as. */
const attached = (major: Genus, ...groups: readonly string[]) =>
  parseStream(concatBytes(bodyOf(major), utf8(groups.join(""))));
const refused = (major: Genus, ...groups: readonly string[]) => attached(major, ...groups).refusal?.code;

test("any attachments read again as they were, from the text domain and the binary one, in both versions", () => {
  fc.assert(
    fc.property(anyAttachments, genus, fc.boolean(), (attachments, major, binary) => {
      const text = encodeAttachments(attachments, major);
      const groups = binary ? toBinary(text) : text;
      const parsed = parseStream(concatBytes(bodyOf(major), groups));
      expect(parsed.refusal).toBeNull();
      expect(parsed.messages.map((message) => message.attachments)).toEqual([attachments]);
      expect(parsed.messages[0]?.attached).toEqual(groups);
    }),
    { numRuns: 300 },
  );
});

test("every group of version 1 is read, alone and inside an attachment group of the present and the drafts' codes", () => {
  const groups: readonly (readonly [string, Partial<Record<keyof Attachments, number>>])[] = [
    [`-AAB${signature}`, { controllerSignatures: 1 }],
    [`-BAC${signature}${signature}`, { witnessSignatures: 2 }],
    [`-CAB${key}${encodeMatter("0B", new Uint8Array(64))}`, { receiptCouples: 1 }],
    [`-DAB${key}${sn}${digest}${signature}`, { transferableSignatures: 1 }],
    [`-EAB${sn}${date}`, { firstSeen: 1 }],
    [`-FAB${digest}${sn}${digest}-AAB${signature}`, { transferableSignatures: 1 }],
    [`-GAB${sn}${digest}`, { sealSources: 1 }],
    [`-HAB${digest}-AAC${signature}${signature}`, { transferableSignatures: 1 }],
    [`-IAB${digest}${sn}${digest}`, { sealSources: 1 }],
    ["-LABAAAA", {}],
    ["-0LAAAABAAAA", {}],
  ];
  for (const [text, counts] of groups) {
    const framed = text.length / 4;
    for (const stream of [
      text,
      encodeCounter("attachments", framed, 1) + text,
      `-0V${numberToBase64(framed, 5)}${text}`,
      `${encodeCounter("attachments", framed + 2, 1)}-_AAABAA${text}`,
    ]) {
      const read = attached(1, stream);
      expect(read.refusal, stream.slice(0, 40)).toBeNull();
      const found = Object.entries(read.messages[0]?.attachments ?? {}).filter(([, all]) => all.length > 0);
      expect(Object.fromEntries(found.map(([name, all]) => [name, all.length]))).toEqual(counts);
    }
  }
});

test("groups of version 2 count characters by four; seals and pathed material are read for their form and kept", () => {
  expect(attached(2, `-KAW${signature}`, `-LAs${signature}${signature}`)).toMatchObject({
    refusal: null,
    messages: [{ attachments: { controllerSignatures: [{ index: 0 }], witnessSignatures: [{}, {}] } }],
  });
  expect(attached(2, `-QAL${digest}`, "-PABAAAA", `-CAX-KAW${signature}`, "-QAA").refusal).toMatchObject({
    code: "KERI_MALFORMED",
  });
  expect(attached(2, `-QAL${digest}`, "-PABAAAA", `-CAX-KAW${signature}`).refusal).toBeNull();
  expect(attached(2, `--KAAAAW${signature}`).refusal).toBeNull();
});

test("a genus version between body and groups says by which tables they are read", () => {
  expect(attached(1, `-_AAACAA-KAW${signature}`)).toMatchObject({
    refusal: null,
    messages: [{ attachments: { controllerSignatures: [{ index: 0 }] } }],
  });
  expect(refused(1, `-KAW${signature}`)).toBe("KERI_UNSUPPORTED");
  expect(refused(1, "-_AAADAA")).toBe("KERI_MALFORMED");
  expect(refused(1, "-_AABBAA")).toBe("KERI_MALFORMED");
});

test("a count that is larger or smaller than what follows is refused, in every group", () => {
  const elements = {
    controllerSignatures: signature,
    witnessSignatures: signature,
    receiptCouples: key + encodeMatter("0B", new Uint8Array(64)),
    firstSeenCouples: sn + date,
    sealSourceCouples: sn + digest,
    sealSourceTriples: digest + sn + digest,
  } as const;
  for (const [kind, element] of Object.entries(elements) as [keyof typeof elements, string][]) {
    expect(refused(1, encodeCounter(kind, 1, 1), element), kind).toBeUndefined();
    expect(refused(1, encodeCounter(kind, 2, 1), element), kind).toBe("KERI_MALFORMED");
    expect(refused(1, encodeCounter(kind, 0, 1), element), kind).toBe("KERI_MALFORMED");
    expect(refused(2, encodeCounter(kind, element.length / 4, 2), element), kind).toBeUndefined();
    for (const wrong of [-1, 1])
      expect(refused(2, encodeCounter(kind, element.length / 4 + wrong, 2), element), kind).toBe("KERI_MALFORMED");
  }
});

test("a primitive of another meaning is refused where a key, digest, number, signature or date belongs", () => {
  for (const group of [
    `-CAB${digest}${encodeMatter("0B", new Uint8Array(64))}`,
    `-CAB${key}${encodeMatter("0D", new Uint8Array(64))}`,
    `-GAB${sn}${key}`,
    `-GAB${encodeMatter("M", new Uint8Array(2))}${digest}AAAA`,
    `-GAB${encodeMatter("0A", new Uint8Array(16).fill(1))}${digest}`,
    `-EAB${sn}1AAG2021-01-01T00c00c00d000000p00c0c`,
    `-FAB${digest}${sn}${digest}-BAB${signature}`,
  ])
    expect(refused(1, group), group.slice(0, 40)).toBe("KERI_MALFORMED");
});

test("groups nested beyond four levels, however deep, are refused", () => {
  const nested = (levels: number) => {
    let text = `-AAB${signature}`;
    for (let i = 0; i < levels; i++) text = encodeCounter("attachments", text.length / 4, 1) + text;
    return text;
  };
  expect(refused(1, nested(4))).toBeUndefined();
  for (const levels of [5, 100, 5_000]) expect(refused(1, nested(levels)), `${levels}`).toBe("KERI_MALFORMED");
});

test("a counter reads as what was written, with the small code where the count fits", () => {
  fc.assert(
    fc.property(fc.oneof(fc.nat(4095), fc.nat(64 ** 5 - 1)), genus, (count, major) => {
      const text = encodeCounter("attachments", count, major);
      expect(text).toHaveLength(count < 4096 ? 4 : 8);
      expect(readCounter(`${text}-`, 0, major)).toMatchObject({ ok: true, value: { kind: "attachments", count } });
    }),
  );
});
