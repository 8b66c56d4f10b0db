import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Digest } from "../../../src/base/brands.ts";
import { identityOf, readIdentity } from "../../../src/client/sky-client.ts";
import { verifySignature } from "../../../src/crypto/verification-key.ts";
import { ClientFolderStore, clientFiles, writeIdentity } from "../../../src/host/founding/client-folder.ts";
import { newIdentity } from "../../../src/host/founding/identity.ts";
import { controllerOfInception, keyStateOf, prepareRotation, promoted } from "../../../src/keri/controller.ts";
import { keyStateOfInception } from "../../../src/keri/key-state.ts";

const directory = mkdtempSync(join(tmpdir(), "sky-identity-"));
afterAll(() => rmSync(directory, { recursive: true }));
const CLUSTER = "ab".repeat(32) as Digest;
const random = (length: number): Uint8Array => new Uint8Array(length).map((_, i) => i + length);
const { aid, icp, current, next } = newIdentity(random);
const made = controllerOfInception(aid, icp, current, next);
if (!made.ok) throw new Error(made.refusal.message);
const controller = made.value;
const after = new Uint8Array(32).fill(9);

const fileFor = (cluster: Digest | null): Uint8Array => {
  writeIdentity(directory, controller, cluster);
  return readFileSync(join(directory, "identity.json"));
};
const edited = (change: object): Uint8Array =>
  Buffer.from(JSON.stringify({ ...(JSON.parse(Buffer.from(fileFor(CLUSTER)).toString()) as object), ...change }));
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");
const first = { version: 1, aid, cluster: CLUSTER, icp: base64(icp), current: base64(current), next: base64(next) };
const ofVersion1 = (change: object = {}): Uint8Array => Buffer.from(JSON.stringify({ ...first, ...change }));

test.each([
  ["version 2", fileFor(CLUSTER)],
  ["version 1, before keys rotated", ofVersion1()],
])("a client's folder gives a signer of the key that its identifier commits to: %s", async (_what, file) => {
  const { cluster, signer } = identityOf(file);
  const inception = keyStateOfInception(icp);
  if (!inception.ok) return expect.unreachable(inception.refusal.message);
  expect([cluster, signer.aid]).toEqual([CLUSTER, aid]);
  expect(signer.keyState).toEqual({ sn: 0, said: inception.value.said });
  const message = Buffer.from("anything");
  const [signature] = await signer.sign(message);
  const [key] = inception.value.keys;
  expect(key !== undefined && signature !== undefined && verifySignature(key, message, signature.sig)).toBe(true);
});

test("an identity of version 1 is written as version 2 by its first change, and rotates", () => {
  writeFileSync(clientFiles(directory).identity, ofVersion1(), { mode: 0o600 });
  const store = new ClientFolderStore(directory);
  expect(store.read()).toEqual({ ...controller, cluster: CLUSTER });
  const pending = store.update((kept) => {
    const prepared = prepareRotation(kept, { after: [after] });
    return prepared.ok ? prepared.value : expect.unreachable(prepared.refusal.message);
  });
  expect(store.read()).toEqual(pending);
  expect(pending.pending).toMatchObject({ sn: 1, next: [after] });
  const rotated = store.update(promoted);
  expect(readIdentity(readFileSync(clientFiles(directory).identity))).toEqual(rotated);
  expect(keyStateOf(rotated)).toMatchObject({ sn: 1, said: pending.pending?.said });
  expect([rotated.current, rotated.next, rotated.pending]).toEqual([[next], [after], null]);
});

test.each([
  ["other text", Buffer.from("hello"), "it is not JSON"],
  ["another version", edited({ version: 3 }), "version 3"],
  ["a folder before the founding document", fileFor(null), "--founding"],
  ["another's identifier", edited({ aid: aid.replace(/.$/, "x") }), "they are those of E"],
  ["another's identifier, version 1", ofVersion1({ aid: aid.replace(/.$/, "x") }), "they are those of E"],
  ["a short seed", edited({ current: ["AAAA"] }), "current is no seed"],
  ["another seed", edited({ current: [base64(after)] }), "the keys kept are not those in force"],
  ["another next seed", edited({ next: [base64(after)] }), "the next keys kept are not those in force"],
  ["a cut event", edited({ kel: "AAAA" }), "no client identity"],
])("%s is refused in a sentence", (_what, file, sentence) => {
  expect(() => identityOf(file)).toThrow(sentence);
});
