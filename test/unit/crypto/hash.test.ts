import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import type { Digest } from "../../../src/base/brands.ts";
import { toHex, utf8 } from "../../../src/base/bytes.ts";
import { domainDigest, sha256, sha256Digest, signingBytes } from "../../../src/crypto/hash.ts";

const cluster = "ab".repeat(32) as Digest;

test("SHA-256 gives the digest of FIPS 180-4's example", () => {
  const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  expect(toHex(sha256(utf8("abc")))).toBe(abc);
  expect(sha256Digest(utf8("abc"))).toBe(abc);
});

test("a digest is of the domain and then the parts", () => {
  const expected = createHash("sha256").update("sky/block/v1\0ab").digest("hex");
  expect(domainDigest("block", utf8("a"), utf8("b"))).toBe(expected);
});

test("the same bytes have different digests in different domains", () => {
  expect(domainDigest("block", utf8("a"))).not.toBe(domainDigest("bundle", utf8("a")));
});

test("what is signed is domain, cluster, bytes", () => {
  expect(toHex(signingBytes("vote", cluster, Uint8Array.of(1, 2)))).toBe(
    `${toHex(utf8("sky/vote/v1"))}00${cluster}0102`,
  );
});
