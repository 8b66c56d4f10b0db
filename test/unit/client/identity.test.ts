import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Digest } from "../../../src/base/brands.ts";
import { CLIENT_CERTIFICATE_MS, issueTls } from "../../../src/client/certificate.ts";
import { identityOf, readIdentity } from "../../../src/client/sky-client.ts";
import { provedRecordOf } from "../../../src/crypto/certificate-record.ts";
import { verifySignature } from "../../../src/crypto/verification-key.ts";
import { certificatesOfPem } from "../../../src/crypto/x509.ts";
import {
  ClientFolderStore,
  clientFiles,
  replaceRevoked,
  writeIdentity,
} from "../../../src/host/founding/client-folder.ts";
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

test("a folder's certificate stays while it is good, and gives way to one of other keys, to a newer one, and once it was revoked", async () => {
  const folder = mkdtempSync(join(directory, "certified-"));
  const files = clientFiles(folder);
  const born = Date.UTC(2026, 0, 1);
  let now = born;
  let drawn = 0;
  const fresh = (length: number): Uint8Array => new Uint8Array(length).fill(++drawn);
  const store = new ClientFolderStore(folder, () => now);
  writeIdentity(folder, controller, CLUSTER);
  /** What lies in the folder after another certificate was made: that one, or what was there. */
  const certified = async (cluster = CLUSTER): Promise<"another" | "the same"> => {
    const before = existsSync(files.certificate) ? readFileSync(files.certificate, "utf8") : "";
    const tls = await issueTls({
      ...{ controller: store.read(), cluster, role: "client", pendingToo: true, random: fresh, now },
    });
    store.certified(tls);
    const after = readFileSync(files.certificate, "utf8");
    expect([before, tls.cert]).toContain(after);
    return after === before ? "the same" : "another";
  };
  expect(await certified()).toBe("another");
  const first = readFileSync(files.certificate, "utf8");
  expect(await certified()).toBe("the same");
  now = born + CLIENT_CERTIFICATE_MS / 2;
  expect(await certified()).toBe("the same");
  now = born + (CLIENT_CERTIFICATE_MS * 2) / 3;
  expect(await certified()).toBe("another");
  expect(await certified("cd".repeat(32) as Digest)).toBe("another");
  expect(await certified()).toBe("another");
  writeFileSync(files.certificate, first, { mode: 0o600 }); // of another key than the one beside it
  expect(await certified()).toBe("another");
  for (const file of [files.key, files.certificate]) {
    writeFileSync(file, "no PEM", { mode: 0o600 });
    expect(await certified()).toBe("another");
    rmSync(file);
    expect(await certified()).toBe("another");
  }
  expect(await certified()).toBe("the same");
  store.update((kept) => {
    const prepared = prepareRotation(kept, { after: [after] });
    return prepared.ok ? prepared.value : expect.unreachable(prepared.refusal.message);
  });
  expect(await certified()).toBe("another");
  store.update(promoted);
  expect(await certified()).toBe("the same");
  const keyOf = (pem: string) => provedRecordOf(certificatesOfPem(pem) ?? [])?.spkiHash ?? CLUSTER;
  const last = readFileSync(files.certificate, "utf8");
  expect(await replaceRevoked(folder, keyOf(first), fresh, now)).toBe(false);
  expect(readFileSync(files.certificate, "utf8")).toBe(last);
  expect(await replaceRevoked(folder, keyOf(last), fresh, now)).toBe(true);
  expect(keyOf(readFileSync(files.certificate, "utf8"))).not.toBe(keyOf(last));
  expect(await certified()).toBe("the same");
});
