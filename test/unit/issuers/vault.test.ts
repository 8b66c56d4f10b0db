import { chmodSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { serialOf } from "../../../src/crypto/requested-certificate.ts";
import { PROOF_OID, certificatePem, certificatesOfPem } from "../../../src/crypto/x509.ts";
import { X509Certificate as Parsed } from "../../../src/crypto/x509-library.ts";
import type { Issuer } from "../../../src/host/issuers/issuer.ts";
import type { Profile } from "../../../src/host/issuers/profile.ts";
import { type VaultOptions, openVault } from "../../../src/host/issuers/vault.ts";
import { DAY, node, request } from "./asking.ts";
import { Authority } from "./authority.ts";
import { VaultStandIn } from "./vault-stand-in.ts";

let vault: VaultStandIn;
const opened: Issuer[] = [];
beforeEach(async () => {
  vault = await VaultStandIn.start();
  writeToken("hvs.first");
});
afterEach(() => {
  for (const issuer of opened.splice(0)) issuer.close();
  vault.stop();
});
function writeToken(token: string): void {
  writeFileSync(vault.authority.path("token"), `${token}\n`, { mode: 0o600 });
}
function open(changes: Partial<VaultOptions> = {}): Issuer {
  const issuer = openVault({
    address: vault.address,
    ca: vault.authority.text("root.pem"),
    tokenFile: vault.authority.path("token"),
    namespace: null,
    mount: "pki",
    role: "sky",
    isVerbatim: true,
    now: () => Date.now(),
    timeoutMs: 60_000, // behind it openssl runs, as long as it takes
    backoffMs: 1,
    ...changes,
  });
  opened.push(issuer);
  return issuer;
}
const external: Profile = { kind: "external", hosts: ["api.example"] };
const forApi = () => request({ sans: ["DNS:api.example"], subject: "api.example", withProof: false });

describe("Vault as an issuer", () => {
  test("sign-verbatim keeps the proof, and OpenSSL verifies the chain", async () => {
    const signed = await open().sign(request(), node, DAY);
    if (!signed.ok) throw new Error(signed.refusal.message);
    const [leaf = "", ...above] = signed.value.map(certificatePem);
    expect(vault.authority.verify(leaf, above.join(""))).toContain("OK");
    expect(new Parsed(Uint8Array.from(signed.value[0] ?? []).buffer).getExtensions(PROOF_OID)).toHaveLength(1);
    expect(vault.asked).toContain("POST /v1/pki/sign-verbatim/sky");
  });

  test("sign drops the proof: that is noticed, and told with the way out; names of strangers' programs need none", async () => {
    const issuer = open({ isVerbatim: false });
    expect(await issuer.sign(request(), node, DAY)).toMatchObject({
      refusal: { code: "ISSUER_DIFFERS", message: expect.stringContaining("sign-verbatim") },
    });
    expect((await issuer.sign(forApi(), external, DAY)).ok).toBe(true);
  });

  test("what it signed for another key is refused, and a chain without its root", async () => {
    const issuer = open();
    vault.mood = "other key";
    expect(await issuer.sign(request(), node, DAY)).toMatchObject({ refusal: { code: "ISSUER_DIFFERS" } });
    vault.mood = "no chain";
    expect(await issuer.sign(request(), node, DAY)).toMatchObject({ refusal: { code: "ISSUER_DIFFERS" } });
  });

  test("a wrong role and an expired token are no reason to try again; a new token in the file is", async () => {
    await expect(open({ role: "other" }).sign(request(), node, DAY)).rejects.toMatchObject({
      code: "ISSUER_ROLE",
      retryable: false,
    });
    const issuer = open();
    vault.token = "hvs.second";
    vault.asked.length = 0;
    await expect(issuer.sign(request(), node, DAY)).rejects.toMatchObject({
      code: "ISSUER_FORBIDDEN",
      retryable: false,
    });
    expect(vault.asked.filter((path) => path.includes("sign"))).toHaveLength(1);
    writeToken("hvs.second");
    expect((await issuer.sign(request(), node, DAY)).ok).toBe(true);
    chmodSync(vault.authority.path("token"), 0o644);
    await expect(issuer.sign(request(), node, DAY)).rejects.toMatchObject({ code: "ISSUER_TOKEN" });
  });

  test("the namespace goes along", async () => {
    vault.namespace = "team";
    await expect(open().sign(request(), node, DAY)).rejects.toMatchObject({ code: "ISSUER_FORBIDDEN" });
    expect((await open({ namespace: "team" }).sign(request(), node, DAY)).ok).toBe(true);
  });

  test("sealed, slow and failing may pass, and what passes in time is not noticed", async () => {
    const issuer = open();
    await issuer.roots()[Symbol.asyncIterator]().next(); // its first look is over
    vault.mood = "sealed";
    await expect(issuer.sign(request(), node, DAY)).rejects.toMatchObject({ code: "ISSUER_SEALED", retryable: true });
    expect(await issuer.health()).toMatchObject({ ok: false, detail: "Vault is sealed" });
    vault.mood = "well";
    vault.failures = 2;
    expect((await issuer.sign(request(), node, DAY)).ok).toBe(true);
    expect(await issuer.health()).toMatchObject({ ok: true });
    vault.mood = "slow";
    const slow = open({ timeoutMs: 100 });
    await expect(slow.sign(request(), node, DAY)).rejects.toMatchObject({
      code: "ISSUER_UNREACHABLE",
      retryable: true,
    });
  });

  test("after failures in a row it is left alone", async () => {
    const issuer = open();
    await issuer.roots()[Symbol.asyncIterator]().next(); // its first look is over
    vault.mood = "failing";
    for (let i = 0; i < 3; i++)
      await expect(issuer.sign(request(), node, DAY)).rejects.toMatchObject({ code: "ISSUER_UNREACHABLE" });
    const asked = vault.asked.length;
    await expect(issuer.sign(request(), node, DAY)).rejects.toMatchObject({
      message: expect.stringContaining("left alone"),
      retryable: true,
    });
    expect(vault.asked).toHaveLength(asked);
  });

  test.each(["garbage", "endless"] as const)("%s is no answer", async (mood) => {
    vault.mood = mood;
    await expect(open().sign(request(), node, DAY)).rejects.toMatchObject({
      code: expect.stringMatching(/^ISSUER_(ANSWER|UNREACHABLE)$/),
    });
  });

  test("whoever cannot show the pinned authority's certificate is not talked to", async () => {
    const stranger = new Authority("Stranger");
    try {
      const issuer = open({ ca: stranger.text("root.pem") });
      vault.asked.length = 0;
      await expect(issuer.sign(request(), node, DAY)).rejects.toMatchObject({ code: "ISSUER_UNREACHABLE" });
      expect(vault.asked).toEqual([]);
    } finally {
      stranger.clean();
    }
  });

  test("anchors come as a stream, revocations as Vault writes serial numbers", async () => {
    const issuer = open({ lookMs: 50 });
    const roots = issuer.roots()[Symbol.asyncIterator]();
    expect((await roots.next()).value).toEqual(
      (certificatesOfPem(vault.authority.text("root.pem")) ?? []).map((der) => Uint8Array.from(der)),
    );
    expect((await issuer.health()).expiresAt).toBeGreaterThan(Date.now() + 19 * DAY);
    const signed = await issuer.sign(request(), node, DAY);
    const [leaf = new Uint8Array(0)] = signed.ok ? signed.value : [];
    await issuer.revoke(serialOf(leaf), "superseded");
    expect(vault.revoked).toEqual([serialOf(leaf).match(/../g)?.join(":")]);
  });
});
