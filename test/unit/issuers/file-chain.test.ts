import { X509Certificate } from "node:crypto";
import { chmodSync, copyFileSync, renameSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { serialOf } from "../../../src/crypto/requested-certificate.ts";
import { PROOF_OID, certificatePem } from "../../../src/crypto/x509.ts";
import { X509Certificate as Parsed } from "../../../src/crypto/x509-library.ts";
import { openFileChain } from "../../../src/host/issuers/file-chain.ts";
import type { Issuer } from "../../../src/host/issuers/issuer.ts";
import { DAY, HOUR, node, request } from "./asking.ts";
import { Authority } from "./authority.ts";

let authority: Authority;
let issuer: Issuer | undefined;
let later = 0;
beforeEach(() => {
  authority = new Authority();
  later = 0;
});
afterEach(() => {
  issuer?.close();
  authority.clean();
});
const open = (lookMs = 3_600_000): Issuer => {
  issuer = openFileChain({
    key: authority.path("intermediate.key"),
    chain: authority.path("chain.pem"),
    crl: authority.path("issuer.crl"),
    now: () => Date.now() + later,
    lookMs,
  });
  return issuer;
};
const signed = async (chain: Issuer, ttl = DAY): Promise<readonly Uint8Array[]> => {
  const result = await chain.sign(request(), node, ttl);
  if (!result.ok) throw new Error(result.refusal.message);
  return result.value;
};

describe("an issuer of files", () => {
  test("OpenSSL verifies what it signs, up to the root, proof and all", async () => {
    const chain = await signed(open());
    const [leaf = "", ...above] = chain.map(certificatePem);
    expect(chain).toHaveLength(2);
    expect(authority.verify(leaf, above.join(""))).toContain("OK");
    const certificate = new X509Certificate(leaf);
    expect(certificate.subjectAltName).toContain("DNS:sky.example");
    expect(certificate.ca).toBe(false);
    expect(certificate.validToDate.getTime() - Date.now()).toBeLessThanOrEqual(DAY);
    expect(new Parsed(Uint8Array.from(chain[0] ?? []).buffer).getExtensions(PROOF_OID)).toHaveLength(1);
  });

  test("serial numbers differ, and nothing outlives the chain", async () => {
    const chain = open();
    const serials = await Promise.all([signed(chain), signed(chain)]);
    expect(new Set(serials.map(([leaf]) => serialOf(leaf ?? new Uint8Array(0)))).size).toBe(2);
    const [leaf = new Uint8Array(0), above = new Uint8Array(0)] = await signed(chain, 90 * DAY);
    expect(new X509Certificate(leaf).validTo).toBe(new X509Certificate(above).validTo);
  });

  test("a key open to others, of another certificate or of another kind is refused, and a broken chain", () => {
    chmodSync(authority.path("intermediate.key"), 0o644);
    expect(() => open()).toThrow(/chmod 600/);
    chmodSync(authority.path("intermediate.key"), 0o600);
    copyFileSync(authority.path("intermediate.key"), authority.path("kept.key"));
    copyFileSync(authority.path("root.key"), authority.path("intermediate.key"));
    expect(() => open()).toThrow(/not the one of its certificate/);
    renameSync(authority.path("kept.key"), authority.path("intermediate.key"));
    writeFileSync(authority.path("chain.pem"), authority.text("intermediate.pem"));
    expect(() => open()).toThrow(/does not end in a root/);
    writeFileSync(authority.path("chain.pem"), authority.text("root.pem") + authority.text("intermediate.pem"));
    expect(() => open()).toThrow(/cannot be used/);
    writeFileSync(authority.path("chain.pem"), "nothing");
    expect(() => open()).toThrow(/empty/);
  });

  test("changed files are taken up when they belong together, and the last good ones go on until then", async () => {
    const chain = open();
    const roots = chain.roots()[Symbol.asyncIterator]();
    const before = await roots.next();
    const [, first] = await signed(chain);
    const other = new Authority("Other");
    try {
      copyFileSync(other.path("chain.pem"), authority.path("chain.pem"));
      expect(await chain.health()).toMatchObject({
        ok: false,
        detail: expect.stringContaining("key of another chain"),
      });
      expect((await signed(chain))[1]).toEqual(first);
      const next = roots.next();
      copyFileSync(other.path("intermediate.key"), authority.path("intermediate.key"));
      expect(await chain.health()).toMatchObject({ ok: true });
      const after = await next;
      expect(after.value).not.toEqual(before.value);
      const [leaf = "", ...above] = (await signed(chain)).map(certificatePem);
      expect(other.verify(leaf, above.join(""))).toContain("OK");
    } finally {
      other.clean();
    }
    chain.close();
    expect((await roots.next()).done).toBe(true);
  });

  test("what it revokes stands in its list, also after a restart", async () => {
    const serials: string[] = [];
    for (const reason of ["keyCompromise", "unspecified"] as const) {
      const chain = open();
      const [leaf = new Uint8Array(0)] = await signed(chain);
      serials.push(serialOf(leaf));
      expect((await chain.revoke(serialOf(leaf), reason)).ok).toBe(true);
      chain.close();
    }
    const text = authority.crlText(authority.path("issuer.crl"));
    expect(text).toContain("verify OK");
    for (const serial of serials) expect(text).toContain(serial.toUpperCase());
  });

  test("when its own certificates end it says so, and signs no more", async () => {
    const chain = open();
    const { expiresAt } = await chain.health();
    expect(expiresAt).toBeGreaterThan(Date.now() + 19 * DAY);
    later = 21 * DAY + HOUR;
    expect(await chain.health()).toMatchObject({ ok: false, detail: expect.stringContaining("not in force") });
    await expect(chain.sign(request(), node, DAY)).rejects.toMatchObject({ code: "ISSUER_FILES" });
  });
});
