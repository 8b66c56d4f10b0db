/** Attachments made at random, and bodies to attach them to. */
import fc from "fast-check";
import type { Aid, Said } from "../../../../src/base/brands.ts";
import { concatBytes, utf8 } from "../../../../src/base/bytes.ts";
import { fromBase64Url } from "../../../../src/keri/cesr/base64url.ts";
import type { Genus } from "../../../../src/keri/cesr/counter.ts";
import { encodeMatter } from "../../../../src/keri/cesr/matter.ts";
import type { Attachments, BodyKind, IndexedSignature } from "../../../../src/keri/messages.ts";
import { writeVersion } from "../../../../src/keri/version.ts";

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

const said = fc
  .oneof(
    bytes(32).map((raw) => encodeMatter("E", raw)),
    bytes(64).map((raw) => encodeMatter("0D", raw)),
  )
  .map((text) => text as Said);
const key = fc.oneof(
  bytes(32).map((raw) => encodeMatter("B", raw)),
  bytes(33).map((raw) => encodeMatter("1AAA", raw)),
  bytes(57).map((raw) => encodeMatter("1AAC", raw)),
);
const aid = fc.oneof(said, key).map((text) => text as string as Aid);
const sn = fc.oneof(fc.nat(3), fc.maxSafeNat());
const place = fc.oneof(fc.nat(4), fc.nat(63), fc.nat(4095));

const signature: fc.Arbitrary<IndexedSignature> = fc
  .constantFrom<IndexedSignature["algorithm"]>("ed25519", "secp256k1", "p256", "ed448")
  .chain((algorithm) =>
    fc.record({
      index: place,
      ondex: fc.option(place),
      algorithm: fc.constant(algorithm),
      sig: bytes(algorithm === "ed448" ? 114 : 64),
    }),
  );

const couple = fc.record({
  receiptor: key,
  code: fc.constantFrom("0B", "0C", "0I"),
  sig: bytes(64),
});

const transferable = fc.record({
  aid,
  establishment: fc.option(fc.record({ sn, said })),
  signatures: fc.array(signature, { minLength: 1, maxLength: 3 }),
});

const sealSource = fc.record({ aid: fc.option(aid), sn, said });

const firstSeen = fc.record({
  sn,
  date: fc.constantFrom("2021-01-01T00:00:00.000000+00:00", "2026-11-22T09:20:55.123456-07:30"),
});

const few = <T>(one: fc.Arbitrary<T>) => fc.array(one, { maxLength: 3 });

/** Those with an identifier after those without: so they are written, and so they read again. */
const sorted = <T>(all: readonly T[], last: (one: T) => boolean): readonly T[] => [
  ...all.filter((one) => !last(one)),
  ...all.filter(last),
];

export const anyAttachments: fc.Arbitrary<Attachments> = fc
  .record({
    controllerSignatures: few(signature),
    witnessSignatures: few(signature),
    receiptCouples: few(couple),
    transferableSignatures: few(transferable),
    sealSources: few(sealSource),
    firstSeen: few(firstSeen),
  })
  .map((all) => ({
    ...all,
    transferableSignatures: sorted(all.transferableSignatures, (one) => one.establishment === null),
    sealSources: sorted(all.sealSources, (one) => one.aid !== null),
  }));

/** A body that only its version string makes one: what it says is not the stream's business. */
export function bodyOf(major: Genus, kind: BodyKind = "JSON", filler = 20): Uint8Array {
  const version = (size: number) => writeVersion({ version: { major, minor: 0 }, kind, size });
  const length = version(0).length;
  const before = {
    JSON: utf8('{"v":"'),
    CBOR: [0xa1, 0x61, 0x76, 0x60 + length],
    MGPK: [0x81, 0xa1, 0x76, 0xa0 + length],
  };
  const head = Uint8Array.from(before[kind]);
  const tail = kind === "JSON" ? utf8(`","x":"${"-".repeat(filler)}"}`) : new Uint8Array(filler).fill(0x2d);
  return concatBytes(head, utf8(version(head.length + length + tail.length)), tail);
}

/** The same groups in the binary domain. */
export function toBinary(text: Uint8Array): Uint8Array {
  const bytes = fromBase64Url(Buffer.from(text).toString("latin1"));
  if (bytes === undefined) throw new Error("groups are text of whole groups of four characters");
  return bytes;
}
