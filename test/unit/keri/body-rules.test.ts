/** What bodies other than inceptions are refused for, each remade so that only the rule under test can refuse it. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Aid } from "../../../src/base/brands.ts";
import { fromUtf8, utf8 } from "../../../src/base/bytes.ts";
import { publicKeyOf } from "../../../src/crypto/ed25519.ts";
import { encodeMatter } from "../../../src/keri/cesr/matter.ts";
import { delegatedIncept, incept, interact, receipt, reply, rotate } from "../../../src/keri/compose.ts";
import { parseBody, parseKeyEvent } from "../../../src/keri/event.ts";
import { keyText } from "../../../src/keri/key-text.ts";
import type { ProtocolVersion } from "../../../src/keri/messages.ts";
import { type DigestCode, digestText, isDigestOf, nextKeyDigest, placeholderOf } from "../../../src/keri/said.ts";
import { writeVersion } from "../../../src/keri/version.ts";

const V1: ProtocolVersion = { major: 1, minor: 0 };
const V2: ProtocolVersion = { major: 2, minor: 0 };
const publicKey = (n: number): Uint8Array => publicKeyOf(new Uint8Array(32).fill(n));
const key = (n: number): string => keyText(publicKey(n));
const witness = (n: number): string => encodeMatter("B", publicKey(n));

const single = { keys: [key(1)], nextDigests: [nextKeyDigest(key(2))] };
const icp = incept(single);
const next = { keys: [key(2)], nextDigests: [nextKeyDigest(key(3))], witnessThreshold: 0 };
const rot = rotate({ ...next, aid: icp.aid, sn: 1, prior: icp.said });
const ixn = interact({ aid: icp.aid, sn: 1, prior: icp.said, seals: [] });
const dip = delegatedIncept({ ...single, delegator: icp.aid });
const rpy = reply({
  route: "/end/role/add",
  date: "2024-01-01T00:00:00.000000+00:00",
  attributes: { cid: icp.aid, role: "witness", eid: witness(4) },
});
const rct = receipt({ aid: icp.aid, sn: 0, said: icp.said });

interface Remaking {
  readonly version?: ProtocolVersion;
  readonly code?: DigestCode;
  /** Fields that hold the digest; none: d stays as it is. */
  readonly named?: readonly string[];
}

/** The message with these fields in place of its own, in this order, its size and digest made right. */
function remade(
  fields: Readonly<Record<string, unknown>>,
  { version = V1, code = "E", named = ["d"] }: Remaking = {},
): Uint8Array {
  const made: Record<string, unknown> = { ...fields };
  for (const name of named) made[name] = placeholderOf(code);
  made["v"] = writeVersion({ version, kind: "JSON", size: 0 });
  made["v"] = writeVersion({ version, kind: "JSON", size: utf8(JSON.stringify(made)).length });
  const said = digestText(code, utf8(JSON.stringify(made)));
  for (const name of named) made[name] = said;
  return utf8(JSON.stringify(made));
}

const fieldsOf = (event: Uint8Array): Record<string, unknown> =>
  JSON.parse(fromUtf8(event) ?? "") as Record<string, unknown>;
const changed = (event: Uint8Array, changes: Readonly<Record<string, unknown>>, how?: Remaking): Uint8Array =>
  remade({ ...fieldsOf(event), ...changes }, how);
const verdict = (bytes: Uint8Array, version = V1): string => {
  const parsed = parseBody(bytes, "JSON", version);
  return parsed.ok ? "read" : parsed.refusal.code;
};

test("every message is read as it was composed", () => {
  for (const { event } of [icp, rot, ixn, dip, rpy, rct]) expect(verdict(event)).toBe("read");
  for (const { event } of [rot, ixn, rpy]) expect(verdict(changed(event, {}))).toBe("read");
});

const foreign = incept({ ...single, keys: [key(9)] });

describe("a rotation", () => {
  test.each([
    ["at sequence number 0", { s: "0" }, "KERI_MALFORMED"],
    ["at a number with a leading zero", { s: "01" }, "KERI_MALFORMED"],
    ["at a number in capitals", { s: "A" }, "KERI_MALFORMED"],
    ["at a number past 2^52", { s: "f".repeat(14) }, "KERI_MALFORMED"],
    ["at a JSON number", { s: 1 }, "KERI_MALFORMED"],
    ["whose prior is no digest", { p: key(1) }, "KERI_UNSUPPORTED"],
    ["of an identifier that is neither digest nor key", { i: encodeMatter("A", publicKey(1)) }, "KERI_UNSUPPORTED"],
    ["of an identifier that never rotates", { i: witness(1) }, "KERI_RULE"],
    ["without keys", { k: [] }, "KERI_MALFORMED"],
    ["with a threshold above its keys", { kt: "2" }, "KERI_RULE"],
    ["with more weights than keys", { kt: ["1/2", "1/2"] }, "KERI_RULE"],
    ["with weights that never suffice", { kt: ["1/2"] }, "KERI_RULE"],
    ["with next digests and no threshold over them", { nt: "0" }, "KERI_RULE"],
    ["with a next digest that is a key", { n: [key(3)] }, "KERI_UNSUPPORTED"],
    ["that removes a witness twice", { br: [witness(4), witness(4)] }, "KERI_RULE"],
    ["that adds a witness twice", { ba: [witness(4), witness(4)] }, "KERI_RULE"],
    ["that removes and adds one witness", { br: [witness(4)], ba: [witness(4)] }, "KERI_RULE"],
    ["that adds a transferable witness", { ba: [key(4)] }, "KERI_RULE"],
    ["with a fraction of witnesses", { bt: 0.5 }, "KERI_MALFORMED"],
    ["with traits, in version 1", { c: [] }, "KERI_MALFORMED"],
    ["with another field", { zz: "0" }, "KERI_MALFORMED"],
  ])("%s is refused", (_what, changes, code) => {
    expect(verdict(changed(rot.event, changes))).toBe(code);
  });

  test("numbers as JSON integers are read, as signify's intive events have them", () => {
    expect(verdict(changed(rot.event, { kt: 1, nt: 1, bt: 0 }))).toBe("read");
  });

  test("of version 2 has its traits before its anchors", () => {
    const { v, t, d, i, s, p, kt, k, nt, n, bt, br, ba, a } = fieldsOf(rot.event);
    const before = { v, t, d, i, s, p, kt, k, nt, n, bt, br, ba, c: ["NRB"], a };
    const parsed = parseBody(remade(before, { version: V2 }), "JSON", V2);
    expect(parsed.ok && parsed.value).toMatchObject({ type: "rot", traits: ["NRB"] });
    for (const trait of ["EO", "DND", "DID"])
      expect(verdict(remade({ ...before, c: [trait] }, { version: V2 }), V2)).toBe("KERI_RULE");
    const after = { v, t, d, i, s, p, kt, k, nt, n, bt, br, ba, a, c: ["NRB"] };
    expect(verdict(remade(after, { version: V2 }), V2)).toBe("KERI_MALFORMED");
    const without = { v, t, d, i, s, p, kt, k, nt, n, bt, br, ba, a };
    expect(verdict(remade(without, { version: V2 }), V2)).toBe("KERI_MALFORMED");
    expect(verdict(remade(before, { version: V2 }), V1)).toBe("KERI_MALFORMED");
  });
});

describe("a delegated inception", () => {
  test("names its delegator", () => {
    const parsed = parseBody(dip.event, "JSON", V1);
    expect(parsed.ok && parsed.value).toMatchObject({ type: "dip", aid: dip.aid, delegator: icp.aid });
  });

  test.each([
    ["whose delegator is no identifier", { di: "x" }, "KERI_MALFORMED"],
    ["whose delegator is absent", { di: null }, "KERI_MALFORMED"],
    ["under a key's name", { i: key(1) }, "KERI_RULE"],
  ])("%s is refused", (_what, changes, code) => {
    const named = "i" in changes ? ["d"] : ["d", "i"];
    expect(verdict(changed(dip.event, changes, { named }))).toBe(code);
  });
});

describe("anchored", () => {
  const digest = icp.said;
  const sealed = (seal: unknown): Uint8Array => changed(ixn.event, { a: [seal] });

  test.each([
    [{ d: digest }],
    [{ rd: digest }],
    [{ i: icp.aid }],
    [{ s: "0", d: digest }],
    [{ i: icp.aid, s: "0", d: digest }],
    [{ bi: icp.aid, d: digest }],
    [{ t: "YIOB", d: digest }],
    [{ anything: { of: ["its", "author"] } }],
  ])("%j is read", (seal) => {
    expect(verdict(sealed(seal))).toBe("read");
  });

  test.each([
    [{ d: "x" }, "KERI_MALFORMED"],
    [{ d: key(1) }, "KERI_UNSUPPORTED"],
    [{ rd: 1 }, "KERI_MALFORMED"],
    [{ i: icp.aid, s: "00", d: digest }, "KERI_MALFORMED"],
    [{ i: "x", s: "0", d: digest }, "KERI_MALFORMED"],
    [{ t: 1, d: digest }, "KERI_MALFORMED"],
    ["text", "KERI_MALFORMED"],
    [null, "KERI_MALFORMED"],
    [[digest], "KERI_MALFORMED"],
  ])("%j is refused", (seal, code) => {
    expect(verdict(sealed(seal))).toBe(code);
  });

  test("only {i, s, d} in this order seals an event", () => {
    const seals = [
      { i: dip.aid, s: "a", d: dip.said },
      { d: dip.said, i: dip.aid, s: "a" },
      { s: "a", d: dip.said },
    ];
    const parsed = parseKeyEvent(changed(ixn.event, { a: seals }), "JSON", V1);
    expect(parsed.ok && parsed.value.eventSeals).toEqual([{ aid: dip.aid, sn: 10, said: dip.said }]);
  });
});

describe("digests of other algorithms", () => {
  const codes: readonly DigestCode[] = ["E", "F", "G", "H", "I", "0D", "0E", "0F", "0G"];

  test.each(codes)("an event named by code %s is read, and refused once a byte differs", (code) => {
    const named = changed(icp.event, {}, { code, named: ["d", "i"] });
    const parsed = parseBody(named, "JSON", V1);
    expect(parsed.ok && String(parsed.value.said).startsWith(code)).toBe(true);
    const forged = utf8((fromUtf8(named) ?? "").replace(key(1), key(9)));
    expect(verdict(forged)).toBe("KERI_SAID_MISMATCH");
    const follower = changed(ixn.event, {}, { code });
    expect(verdict(follower)).toBe("read");
  });

  test.each([
    ["G", (bytes: Uint8Array) => createHash("blake2s256").update(bytes).digest()],
    ["H", (bytes: Uint8Array) => createHash("sha3-256").update(bytes).digest()],
    ["I", (bytes: Uint8Array) => createHash("sha256").update(bytes).digest()],
    ["0E", (bytes: Uint8Array) => createHash("blake2b512").update(bytes).digest()],
    ["0F", (bytes: Uint8Array) => createHash("sha3-512").update(bytes).digest()],
    ["0G", (bytes: Uint8Array) => createHash("sha512").update(bytes).digest()],
  ] as const)("code %s is the digest that OpenSSL makes", (code, digest) => {
    expect(digestText(code, utf8("abc"))).toBe(encodeMatter(code, Uint8Array.from(digest(utf8("abc")))));
    expect(isDigestOf(digestText(code, utf8("abc")), utf8("abc"))).toBe(true);
    expect(isDigestOf(digestText(code, utf8("abc")), utf8("abd"))).toBe(false);
  });

  test("a key or other text is nobody's digest", () => {
    for (const text of [key(1), "", "E"]) expect(isDigestOf(text, utf8("abc"))).toBe(false);
  });
});

describe("a reply", () => {
  test("says what it binds", () => {
    const parsed = parseBody(rpy.event, "JSON", V1);
    expect(parsed.ok && parsed.value).toMatchObject({
      type: "rpy",
      said: rpy.said,
      route: "/end/role/add",
      date: "2024-01-01T00:00:00.000000+00:00",
      attributes: { cid: icp.aid, role: "witness", eid: witness(4) },
    });
  });

  const a = { cid: icp.aid, role: "witness", eid: witness(4) };
  test.each([
    ["of another route", { r: "/ksn" }, "KERI_UNSUPPORTED"],
    ["of a route that JavaScript knows", { r: "constructor" }, "KERI_UNSUPPORTED"],
    ["with a date without microseconds", { dt: "2024-01-01T00:00:00+00:00" }, "KERI_MALFORMED"],
    ["with a month that is none", { dt: "2024-13-01T00:00:00.000000+00:00" }, "KERI_MALFORMED"],
    ["with attributes in another order", { a: { role: "witness", cid: icp.aid, eid: witness(4) } }, "KERI_MALFORMED"],
    ["with one attribute more", { a: { ...a, x: "1" } }, "KERI_MALFORMED"],
    ["for somebody who is no identifier", { a: { ...a, cid: "x" } }, "KERI_MALFORMED"],
    ["with a role of 2 KiB", { a: { ...a, role: "x".repeat(2048) } }, "KERI_MALFORMED"],
    ["with a role that is no text", { a: { ...a, role: 1 } }, "KERI_MALFORMED"],
  ])("%s is refused", (_what, changes, code) => {
    expect(verdict(changed(rpy.event, changes))).toBe(code);
  });

  test("changed after it was named is refused", () => {
    const text = (fromUtf8(rpy.event) ?? "").replace("witness", "wotness");
    expect(verdict(utf8(text))).toBe("KERI_SAID_MISMATCH");
  });

  test("of version 2 names its author", () => {
    const { v, t, d, dt, r } = fieldsOf(rpy.event);
    expect(verdict(remade({ v, t, d, i: icp.aid, dt, r, a }, { version: V2 }), V2)).toBe("read");
    expect(verdict(remade({ v, t, d, dt, r, a }, { version: V2 }), V2)).toBe("KERI_MALFORMED");
    expect(verdict(remade({ v, t, d, i: "x", dt, r, a }, { version: V2 }), V2)).toBe("KERI_MALFORMED");
  });
});

describe("a receipt", () => {
  test.each([
    ["of no event", { d: key(1) }, "KERI_UNSUPPORTED"],
    ["of nobody", { i: "x" }, "KERI_MALFORMED"],
    ["at no number", { s: "-1" }, "KERI_MALFORMED"],
    ["with seals", { a: [] }, "KERI_MALFORMED"],
  ])("%s is refused", (_what, changes, code) => {
    expect(verdict(changed(rct.event, changes, { named: [] }))).toBe(code);
  });

  test("is no key event", () => {
    expect(parseKeyEvent(rct.event, "JSON", V1).ok).toBe(false);
    expect(parseKeyEvent(rot.event, "JSON", V1).ok).toBe(true);
  });
});

test("an event is read for the identifier that it names, whoever that is", () => {
  const parsed = parseBody(changed(ixn.event, { i: foreign.aid as Aid }), "JSON", V1);
  expect(parsed.ok && parsed.value).toMatchObject({ aid: foreign.aid });
});

test("a version or serialisation other than the stream's is refused", () => {
  expect(verdict(ixn.event, V2)).toBe("KERI_MALFORMED");
  const parsed = parseBody(ixn.event, "CBOR", V1);
  expect(parsed.ok).toBe(false);
  expect(verdict(utf8((fromUtf8(ixn.event) ?? "").replace("KERI10", "KERI11")))).toBe("KERI_UNSUPPORTED");
  expect(verdict(utf8((fromUtf8(ixn.event) ?? "").replace("KERI10", "ACDC10")))).toBe("KERI_UNSUPPORTED");
});

test("values that JavaScript cannot turn into text are refused like any other", () => {
  for (const odd of [{ toString: 1, valueOf: 1 }, [[]], null, 1]) {
    for (const name of ["t", "d", "i", "s", "p", "a"]) {
      expect(verdict(changed(ixn.event, { [name]: odd }, { named: name === "d" ? [] : ["d"] }))).toMatch(/^KERI_/);
    }
    // A number of keys or witnesses may stand as a JSON integer.
    for (const name of ["kt", "k", "nt", "n", "bt", "br", "ba"])
      expect(verdict(changed(rot.event, { [name]: odd }))).toMatch(odd === 1 && name.endsWith("t") ? "read" : /^KERI_/);
  }
});
