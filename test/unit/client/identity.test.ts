import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Digest } from "../../../src/base/brands.ts";
import { identityOf } from "../../../src/client/sky-client.ts";
import { verifySignature } from "../../../src/crypto/verification-key.ts";
import { writeIdentity } from "../../../src/host/founding/client-folder.ts";
import { newIdentity } from "../../../src/host/founding/identity.ts";
import { keyStateOfInception } from "../../../src/keri/key-state.ts";

const directory = mkdtempSync(join(tmpdir(), "sky-identity-"));
afterAll(() => rmSync(directory, { recursive: true }));
const CLUSTER = "ab".repeat(32) as Digest;
const random = (length: number): Uint8Array => new Uint8Array(length).map((_, i) => i + length);
const identity = newIdentity(random);

const fileFor = (cluster: Digest | null): Uint8Array => {
  writeIdentity(directory, identity, cluster);
  return readFileSync(join(directory, "identity.json"));
};
const edited = (change: object): Uint8Array =>
  Buffer.from(JSON.stringify({ ...(JSON.parse(Buffer.from(fileFor(CLUSTER)).toString()) as object), ...change }));

test("a client's folder gives a signer of the key that its identifier commits to", async () => {
  const { cluster, signer } = identityOf(fileFor(CLUSTER));
  const inception = keyStateOfInception(identity.icp);
  if (!inception.ok) return expect.unreachable(inception.refusal.message);
  expect([cluster, signer.aid]).toEqual([CLUSTER, identity.aid]);
  expect(signer.keyState).toEqual({ sn: 0, said: inception.value.said });
  const message = Buffer.from("anything");
  const [signature] = await signer.sign(message);
  const [key] = inception.value.keys;
  expect(key !== undefined && signature !== undefined && verifySignature(key, message, signature.sig)).toBe(true);
});

test.each([
  ["other text", Buffer.from("hello"), "it is not JSON"],
  ["another version", edited({ version: 2 }), "version 2"],
  ["a folder before the founding document", fileFor(null), "--founding"],
  ["another's identifier", edited({ aid: identity.aid.replace(/.$/, "x") }), "aid is not that of icp"],
  ["a short seed", edited({ current: "AAAA" }), "current is no seed"],
  ["a cut event", edited({ icp: "AAAA" }), "no client identity"],
])("%s is refused in a sentence", (_what, file, sentence) => {
  expect(() => identityOf(file)).toThrow(sentence);
});
