/** Streams to start from: the published ones, in windows of a few messages, and every form of group that they lack. */
import { readFileSync } from "node:fs";
import { concatBytes, utf8 } from "../../src/base/bytes.ts";
import { fromBase64Url } from "../../src/keri/cesr/base64url.ts";
import { type Genus, encodeCounter } from "../../src/keri/cesr/counter.ts";
import { encodeAttachments } from "../../src/keri/cesr/encode-attachments.ts";
import { encodeMatter } from "../../src/keri/cesr/matter.ts";
import type { Aid, Said } from "../../src/base/brands.ts";
import type { Attachments, IndexedSignature, KeriMessage } from "../../src/keri/messages.ts";
import { parseStream } from "../../src/keri/stream.ts";
import { writeVersion } from "../../src/keri/version.ts";

const PUBLISHED = new URL("../../../shared/conformance/keri/kel-streams.json", import.meta.url);
/** Messages of one window: enough for a message to be damaged by the one before it. */
const WINDOW = 3;
/** Windows of one stream, so that the one of 202 messages does not stand for all. */
const WINDOWS_MAX = 12;

const digest = encodeMatter("E", new Uint8Array(32).fill(0xe1));
const signature = (
  index: number,
  ondex: number | null,
  algorithm: IndexedSignature["algorithm"],
): IndexedSignature => ({
  index,
  ondex,
  algorithm,
  sig: new Uint8Array(algorithm === "ed448" ? 114 : 64).fill(0x51 + index),
});

const ALL_GROUPS: Attachments = {
  controllerSignatures: [signature(0, 0, "ed25519"), signature(1, null, "p256"), signature(70, 3, "secp256k1")],
  witnessSignatures: [
    signature(2, 2, "ed448"),
    signature(3, null, "ed448"),
    signature(100, 5, "ed448"),
    signature(99, null, "ed25519"),
  ],
  receiptCouples: [
    { receiptor: encodeMatter("1AAA", new Uint8Array(33).fill(2)), code: "0C", sig: new Uint8Array(64) },
  ],
  transferableSignatures: [
    {
      aid: digest as string as Aid,
      establishment: { sn: 7, said: digest as Said },
      signatures: [signature(0, 0, "ed25519")],
    },
    { aid: digest as string as Aid, establishment: null, signatures: [signature(1, null, "ed25519")] },
  ],
  sealSources: [
    { aid: null, sn: 1, said: digest as Said },
    { aid: digest as string as Aid, sn: 2, said: digest as Said },
  ],
  firstSeen: [{ sn: 3, date: "2021-01-01T00:00:00.000000+00:00" }],
};

/** A body of nothing but its version; its length is no multiple of four. */
function bodyOf(major: Genus): Uint8Array {
  const text = (size: number) =>
    `{"v":"${writeVersion({ version: { major, minor: 0 }, kind: "JSON", size })}","t":"ixn"}`;
  return utf8(text(text(0).length));
}

function toBinary(text: string): Uint8Array {
  const bytes = fromBase64Url(text);
  if (bytes === undefined) throw new Error("groups are whole groups of four characters");
  return bytes;
}

function made(genus: Genus): readonly Uint8Array[] {
  const groups = Buffer.from(encodeAttachments(ALL_GROUPS, genus)).toString("latin1");
  const body = bodyOf(genus);
  const lead = (3 - (body.length % 3)) % 3;
  const text = encodeMatter((["4B", "5B", "6B"] as const)[lead] ?? "4B", body);
  const wrapped = encodeCounter("nonNativeBody", text.length / 4, genus) + text;
  const both = encodeCounter("bodyWithAttachments", (wrapped.length + groups.length) / 4, genus) + wrapped + groups;
  const switched = genus === 1 ? "-_AAABAA" : "-_AAACAA";
  const inner = switched + both + wrapped + groups;
  const several = encodeCounter("generic", inner.length / 4, genus) + inner;
  const framed = encodeCounter("attachments", groups.length / 4, genus) + groups;
  const seals = genus === 2 ? `-QAL${digest}-PACAAAABBBB` : "-LACAAAABBBB";
  return [
    concatBytes(body, utf8(groups)),
    concatBytes(body, toBinary(groups)),
    concatBytes(body, utf8(framed), body, utf8(seals)),
    concatBytes(utf8(switched), body, toBinary(framed), utf8("\n"), body),
    utf8(switched + several),
    concatBytes(toBinary(switched + several), body),
    utf8(wrapped + groups + both),
  ];
}

const joined = (messages: readonly KeriMessage[]): Uint8Array => concatBytes(...messages.map(({ source }) => source));

export function seeds(): readonly Uint8Array[] {
  const { cases } = JSON.parse(readFileSync(PUBLISHED, "utf8")) as { cases: readonly { readonly stream: string }[] };
  const all: Uint8Array[] = [...made(1), ...made(2)];
  for (const { stream } of cases) {
    const { messages } = parseStream(utf8(stream));
    for (let i = 0; i < messages.length && i < WINDOWS_MAX; i += WINDOW)
      all.push(joined(messages.slice(i, i + WINDOW)));
    if (messages.length === 0) all.push(utf8(stream).subarray(0, 2_000));
  }
  return all;
}
