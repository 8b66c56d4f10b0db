import { p256 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { describe, expect, test } from "vitest";
import type { Aid, Said } from "../../../src/base/brands.ts";
import { fromUtf8, utf8 } from "../../../src/base/bytes.ts";
import { publicKeyOf } from "../../../src/crypto/ed25519.ts";
import {
  ampleWitnesses,
  delegatedIncept,
  delegatedRotate,
  incept,
  interact,
  receipt,
  reply,
  rotate,
} from "../../../src/keri/compose.ts";
import { parseBody } from "../../../src/keri/event.ts";
import type { EventFields } from "../../../src/keri/event-json.ts";
import { encodeMatter } from "../../../src/keri/cesr/matter.ts";
import { keyText, parseKeyText } from "../../../src/keri/key-text.ts";
import type { ParsedBody } from "../../../src/keri/messages.ts";
import { nextKeyDigest } from "../../../src/keri/said.ts";
import { publishedEvents } from "./streams.ts";

/** Made anew from the parts that were read, seals aside (those are anchored as they stand). */
function recomposed(parsed: ParsedBody, seals: readonly EventFields[]): Uint8Array {
  switch (parsed.type) {
    case "icp":
      return incept({ ...parsed, seals }).event;
    case "dip":
      return delegatedIncept({ ...parsed, seals, delegator: parsed.delegator as Aid }).event;
    case "rot":
      return rotate({ ...parsed, seals }).event;
    case "drt":
      return delegatedRotate({ ...parsed, seals }).event;
    case "ixn":
      return interact({ ...parsed, seals }).event;
    case "rct":
      return receipt(parsed).event;
    case "rpy":
      return reply({ ...parsed, route: "/loc/scheme" }).event;
    default:
      return parsed satisfies never;
  }
}

describe.each(["icp", "dip", "rot", "drt", "ixn", "rct"])("published %s", (type) => {
  test("events are written byte for byte as they were", () => {
    let made = 0;
    for (const { id, text } of publishedEvents(type)) {
      const fields = JSON.parse(text) as { i: string; d: string; kt?: unknown; a?: readonly EventFields[] };
      // Written are names that are digests, and numbers as text: what keripy and signify write unless told otherwise.
      if (type === "icp" && fields.i !== fields.d) continue;
      if (typeof fields.kt === "number" || id === "keriox-signed-events-stream-legacy") continue;
      const parsed = parseBody(utf8(text), "JSON", { major: 1, minor: 0 });
      if (!parsed.ok) {
        expect(id).toBe("keriox-toad-without-witnesses");
        continue;
      }
      expect(fromUtf8(recomposed(parsed.value, fields.a ?? []))).toBe(text);
      made += 1;
    }
    expect(made).toBeGreaterThanOrEqual({ icp: 14, dip: 1, rot: 20, drt: 1, ixn: 10, rct: 20 }[type] ?? 0);
  });
});

const key = (n: number): string => keyText(publicKeyOf(new Uint8Array(32).fill(n)));
const single = { keys: [key(1)], nextDigests: [nextKeyDigest(key(2))] };

test("a life: inception, interaction and rotation name each other in turn", () => {
  const icp = incept(single);
  const ixn = interact({ aid: icp.aid, sn: 1, prior: icp.said, seals: [{ d: icp.said }] });
  const rot = rotate({
    aid: icp.aid,
    sn: 2,
    prior: ixn.said,
    keys: [key(2)],
    nextDigests: [],
    witnessThreshold: 0,
  });
  expect(JSON.parse(fromUtf8(rot.event) ?? "")).toMatchObject({
    t: "rot",
    d: rot.said,
    i: icp.aid,
    s: "2",
    p: ixn.said,
    kt: "1",
    nt: "0",
    n: [],
  });
});

test("keys of other algorithms have the texts that keripy gives them, and weights are written as it writes them", () => {
  // Seed and keys: WebOfTrust/keripy tests/core/test_eventing.py, "Secp256r1 Inception" and "Secp256k1 Inception".
  const seed = Uint8Array.from(
    Buffer.from(
      "\x9f{\xa8\xa7\xa8C9\x96&\xfa\xb1\x99\xeb\xaa \xc4\x1bG\x11\xc4\xaeSAR\xc9\xbd\x04\x9d\x85)~\x93",
      "latin1",
    ),
  );
  const keys = [
    "1AAJA3cK_P2CDlh-_EMFPvyqTPI1POkw-dr14DANx5JEXDCZ",
    "1AABAg299p5IMvuw71HW_TlbzGq5cVOQ7bRbeDuhheF-DPYk",
    key(1),
  ];
  expect(encodeMatter("1AAJ", p256.getPublicKey(seed, true))).toBe(keys[0]);
  expect(encodeMatter("1AAB", secp256k1.getPublicKey(seed, true))).toBe(keys[1]);
  expect(keys.map((text) => parseKeyText(text)).map((read) => read.ok && read.value.algorithm)).toEqual([
    "p256",
    "secp256k1",
    "ed25519",
  ]);
  const half = { numerator: 1n, denominator: 2n };
  const clause = keys.map(() => ({ kind: "key", weight: half }) as const);
  const made = incept({ keys, threshold: { clauses: [clause] }, nextDigests: [] });
  expect(JSON.parse(fromUtf8(made.event) ?? "")).toMatchObject({ kt: ["1/2", "1/2", "1/2"], k: keys, nt: "0" });
});

test("replies bind and unbind endpoints in the form of keripy", () => {
  const eid = encodeMatter("B", publicKeyOf(new Uint8Array(32).fill(3)));
  const made = reply({
    route: "/loc/scheme",
    date: "2024-01-01T00:00:00.000000+00:00",
    attributes: { eid, scheme: "http", url: "http://127.0.0.1:5642/" },
  });
  expect(fromUtf8(made.event)).toBe(
    `{"v":"KERI10JSON0000fa_","t":"rpy","d":"${made.said}","dt":"2024-01-01T00:00:00.000000+00:00","r":"/loc/scheme","a":{"eid":"${eid}","scheme":"http","url":"http://127.0.0.1:5642/"}}`,
  );
});

test("what would be refused is not composed", () => {
  const icp = incept(single);
  expect(() => incept({ ...single, keys: [] })).toThrow();
  expect(() => incept({ ...single, keys: [key(1), key(2)] })).toThrow(/threshold/);
  expect(() => incept({ ...single, witnesses: [key(3)] })).toThrow(/witness/);
  expect(() => interact({ aid: icp.aid, sn: 0, prior: icp.said, seals: [] })).toThrow();
  expect(() => rotate({ ...single, aid: icp.aid, sn: 1, prior: "x" as Said, witnessThreshold: 0 })).toThrow();
});

test("the default number of receipts is keripy's", () => {
  // WebOfTrust/keripy, eventing.ample with its defaults.
  expect([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13].map(ampleWitnesses)).toEqual([
    0, 1, 2, 3, 3, 4, 4, 5, 6, 6, 7, 8, 8, 9,
  ]);
});
