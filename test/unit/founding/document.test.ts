/** The founding document (DESIGN §6): what is refused before anybody trusts it. */
import { p256 } from "@noble/curves/nist.js";
import { describe, expect, test } from "vitest";
import { decode, encode } from "../../../src/base/codec.ts";
import { present } from "../../../src/base/errors.ts";
import type { Result } from "../../../src/base/result.ts";
import { publicKeyOf, signer } from "../../../src/crypto/ed25519.ts";
import { sha256, sha256Digest } from "../../../src/crypto/hash.ts";
import {
  type FoundingDocument,
  type FoundingSignature,
  foundingDocumentShape,
  signedFoundingShape,
} from "../../../src/events/facts/founding.ts";
import { assembleFounding, openFounding, sealFounding, signFounding } from "../../../src/host/founding/document.ts";
import { type IdentitySeeds, newIdentity } from "../../../src/host/founding/identity.ts";
import { newOperator, operatorCardOf, operatorSeed } from "../../../src/host/founding/operator-file.ts";
import { encodeMatter } from "../../../src/keri/cesr/matter.ts";
import { incept } from "../../../src/keri/compose.ts";
import { keyText } from "../../../src/keri/key-text.ts";

/** Bytes from a counter: the same document in every run. */
function seeded(): (length: number) => Uint8Array {
  let count = 0;
  return (length) => {
    count += 1;
    const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, i) => sha256(Uint8Array.of(count, i)));
    return Uint8Array.from(blocks.flatMap((block) => [...block])).slice(0, length);
  };
}

const random = seeded();
const founders: readonly IdentitySeeds[] = Array.from({ length: 4 }, () => newIdentity(random));
const operators = ["ann", "bob", "carol"].map((name) => newOperator(name, random));
const admin = newIdentity(random);
const base: FoundingDocument = {
  name: "test",
  dev: false,
  founders: founders.map(({ aid, icp }, i) => ({
    aid,
    icp,
    name: `n${i}`,
    epochKey: publicKeyOf(random(32)),
    bootKey: publicKeyOf(random(32)),
    issuer: random(40),
    endpoints: {
      api: `n${i}.example:1`,
      approach: `n${i}.example:2`,
      cluster: `n${i}.example:3`,
      service: `[::1]:${4000 + i}`,
    },
  })),
  operators: operators.map(operatorCardOf),
  threshold: 2,
  admins: [{ aid: admin.aid, icp: admin.icp }],
  gateways: [present(founders[0], "a founder").aid],
  clients: [],
};
const first = present(base.founders[0], "a founder");
const second = present(base.founders[1], "a founder");

const signAll = (bytes: Uint8Array): readonly FoundingSignature[] =>
  [
    ...founders.map(({ aid, current }) => ({ aid, seed: current })),
    ...operators.map((operator) => ({ aid: operator.aid, seed: operatorSeed(operator) })),
  ].map(({ aid, seed }) => signFounding(bytes, aid, signer(seed)));
const signed = (document: Uint8Array, signatures: readonly FoundingSignature[]): Uint8Array =>
  encode(signedFoundingShape, { document, signatures });
const bytes = encode(foundingDocumentShape, base);
const half = { kind: "key", weight: { numerator: 1n, denominator: 2n } } as const;
const otherKey = encodeMatter("1AAJ", p256.getPublicKey(new Uint8Array(32).fill(1), true));
const otherCurve = incept({ keys: [otherKey], nextDigests: [] });
const message = (result: Result<unknown>): string => (result.ok ? "ok" : result.refusal.message);

test("a document that everybody signed opens, and its cluster id is the SHA-256 of it without signatures", () => {
  const file = sealFounding(bytes, [...signAll(bytes)].reverse());
  if (!file.ok) throw new Error(file.refusal.message);
  const opened = openFounding(file.value);
  if (!opened.ok) throw new Error(opened.refusal.message);
  expect(opened.value.cluster).toBe(sha256Digest(bytes));
  expect(opened.value.document).toEqual(base);
  expect(opened.value.signatures.map(({ aid }) => aid)).toEqual(
    [...base.founders, ...base.operators].map(({ aid }) => aid),
  );
});

test("a signature that is missing, of another document, or another's is refused by name", () => {
  const all = signAll(bytes);
  expect(message(openFounding(signed(bytes, all.slice(1))))).toMatch(/^n0 \(E.*has not signed/);
  expect(message(openFounding(signed(bytes, all.slice(0, -1))))).toMatch(/^carol \(E.*has not signed/);
  const renamed = encode(foundingDocumentShape, { ...base, name: "other" });
  expect(message(openFounding(signed(renamed, all)))).toMatch(/signature of n0 .*is not over this founding document/);
  const [a, b, ...rest] = all as [FoundingSignature, FoundingSignature, ...FoundingSignature[]];
  expect(message(openFounding(signed(bytes, [{ ...a, sig: b.sig }, b, ...rest])))).toMatch(/signature of n0/);
  expect(message(openFounding(signed(bytes, [a, a, b, ...rest])))).toMatch(/two signatures of one identifier/);
  const outsider = newIdentity(random);
  expect(
    message(openFounding(signed(bytes, [...all, signFounding(bytes, outsider.aid, signer(outsider.current))]))),
  ).toMatch(/neither founder nor operator/);
});

test("an admin may have weighted keys of several algorithms: its key state holds them all", () => {
  const weighted = incept({
    keys: [otherKey, keyText(publicKeyOf(random(32)))],
    threshold: { clauses: [[half, half]] },
    nextDigests: [],
  });
  const made = assembleFounding({ ...base, admins: [{ aid: weighted.aid, icp: weighted.event }] });
  if (!made.ok) throw new Error(made.refusal.message);
  const opened = openFounding(signed(made.value.bytes, signAll(made.value.bytes)));
  if (!opened.ok) throw new Error(opened.refusal.message);
  expect(opened.value.identifiers.get(weighted.aid)).toMatchObject({
    threshold: { clauses: [[half, half]] },
    keys: [{ algorithm: "p256" }, { algorithm: "ed25519" }],
    keyTexts: [otherKey, expect.stringMatching(/^D/)],
  });
});

test("every changed byte of the file is refused", () => {
  const file = signed(bytes, signAll(bytes));
  for (let at = 0; at < file.length; at += 97) {
    const changed = Uint8Array.from(file);
    changed[at] = (changed[at] as number) ^ 1;
    expect(openFounding(changed).ok, `byte ${at}`).toBe(false);
  }
});

describe("assembling refuses, before anybody signs,", () => {
  const refusals: readonly (readonly [string, Partial<FoundingDocument>, RegExp])[] = [
    ["fewer than four founders", { founders: base.founders.slice(0, 3), gateways: [] }, /list of 4 to 100/],
    ["a threshold above the operators", { threshold: 4 }, /threshold is 4, but there are only 3/],
    ["a threshold of zero", { threshold: 0 }, /threshold/],
    [
      "one identifier twice",
      { founders: [...base.founders.slice(0, 3), { ...second, name: "n9" }] },
      /identifier E.* stands twice/,
    ],
    [
      "a founder who is an operator",
      {
        operators: [
          ...base.operators.slice(0, 2),
          { ...present(base.operators[2], "carol"), aid: first.aid, icp: first.icp },
        ],
      },
      /stands twice/,
    ],
    [
      "an identifier with another's inception",
      { founders: [{ ...first, icp: second.icp }, ...base.founders.slice(1)] },
      /is that of E/,
    ],
    [
      "one key for two purposes",
      { founders: [{ ...first, bootKey: first.epochKey }, ...base.founders.slice(1)] },
      /key .*stands twice/,
    ],
    [
      "a key of small order",
      { founders: [{ ...first, bootKey: new Uint8Array(32) }, ...base.founders.slice(1)] },
      /no acceptable Ed25519 point/,
    ],
    [
      "a founder whose key is not of Ed25519",
      { founders: [{ ...first, aid: otherCurve.aid, icp: otherCurve.event }, ...base.founders.slice(1)], gateways: [] },
      /exactly one key at its inception, of Ed25519/,
    ],
    ["a gateway that is no founder", { gateways: [admin.aid] }, /gateway .*none of the founders/],
    [
      "an endpoint without a port",
      { founders: [{ ...first, endpoints: { ...first.endpoints, api: "n0.example" } }, ...base.founders.slice(1)] },
      /is not host:port/,
    ],
    [
      "an endpoint that two share",
      { founders: [{ ...first, endpoints: second.endpoints }, ...base.founders.slice(1)] },
      /endpoint .*stands twice/,
    ],
    [
      "a name that forges console lines",
      { founders: [{ ...first, name: "n0\u001b[2K" }, ...base.founders.slice(1)] },
      /control characters/,
    ],
    ["no administrator", { admins: [] }, /list of 1 to 1000/],
  ];
  test.each(refusals)("%s", (_what, change, sentence) => {
    expect(message(assembleFounding({ ...base, ...change }))).toMatch(sentence);
  });
});

test("bytes that another encoder would write differently are refused, so that a cluster has one id", () => {
  expect(decode(foundingDocumentShape, bytes, bytes.length).ok).toBe(true);
  const padded = Uint8Array.from([0xdc, 0x00, 0x08, ...bytes.subarray(1)]);
  expect(openFounding(signed(padded, signAll(padded))).ok).toBe(false);
});
