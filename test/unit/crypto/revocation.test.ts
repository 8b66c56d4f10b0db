/** Lists and answers, read by OpenSSL: those outside are not ours. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Aid, Digest } from "../../../src/base/brands.ts";
import { certificateRecordOf } from "../../../src/crypto/certificate-record.ts";
import { p256KeyPair } from "../../../src/crypto/p256.ts";
import {
  OCSP_REQUEST_BYTES_MAX,
  type SingleStatus,
  issuerIdentity,
  ocspAnswer,
  ocspRefusal,
  readOcspRequest,
  revocationList,
} from "../../../src/crypto/revocation.ts";
import { signer } from "../../../src/crypto/ed25519.ts";
import { subjectNames } from "../../../src/crypto/subject-names.ts";
import { certificateProofBody, certificateSigningBytes } from "../../../src/crypto/certificate-proof.ts";
import { certificatePem, issueCertificate, issuerCertificate, spkiHashOf } from "../../../src/crypto/x509.ts";

const HOUR = 3_600_000;
const now = Math.floor(Date.now() / 1000) * 1000;
const validity = { thisUpdate: now - 1_000, nextUpdate: now + HOUR };
const keyPair = (name: string) => p256KeyPair(new Uint8Array(createHash("sha384").update(name).digest()));
const aid = (name: string) => `E${createHash("sha256").update(name).digest("base64url")}` as Aid;
const cluster = "cd".repeat(32) as Digest;
const run = promisify(execFile);
const directory = mkdtempSync(path.join(tmpdir(), "sky-revocation-"));
afterAll(() => rmSync(directory, { recursive: true }));
const file = (name: string): string => path.join(directory, name);
const openssl = async (...args: string[]): Promise<string> => {
  const { stdout, stderr } = await run("openssl", args).catch((error: unknown) => {
    const { stdout: out, stderr: err } = error as { readonly stdout: string; readonly stderr: string };
    throw new Error(out + err);
  });
  return stdout + stderr;
};

const issuerKeys = keyPair("issuer");
const issuerName = `sky issuer ${aid("node")}`;
let issuer: Uint8Array;
let signing: { readonly certificate: Uint8Array; readonly key: (typeof issuerKeys)["privateKey"] };

/** Issued by the node's issuer; or by itself, as clients do. */
async function leaf(name: string, isSelfIssued = false): Promise<Uint8Array> {
  const keys = keyPair(name);
  const subject = aid(name);
  const body = certificateProofBody({
    cluster,
    aid: subject,
    keySn: 0,
    spkiHash: spkiHashOf(keys.publicKey),
    notBefore: now - HOUR,
    notAfter: now + HOUR,
    sans: subjectNames(subject, ["localhost"]),
    role: isSelfIssued ? "client" : "node",
  });
  const sig = signer(new Uint8Array(32).fill(7))(certificateSigningBytes(cluster, body));
  const der = await issueCertificate({
    publicKey: keys.publicKey,
    issuer: isSelfIssued ? { name: subject, keys } : { name: issuerName, keys: issuerKeys },
    proof: { body, signatures: [{ index: 0, sig }] },
  });
  writeFileSync(file(`${name}.pem`), certificatePem(der));
  return der;
}
const recordOf = (der: Uint8Array) => {
  const record = certificateRecordOf([der], aid("x"), "client");
  if (record === undefined) throw new Error("no certificate");
  return record;
};

beforeAll(async () => {
  issuer = await issuerCertificate({
    keys: issuerKeys,
    name: issuerName,
    notBefore: now - HOUR,
    notAfter: now + 9 * HOUR,
  });
  signing = { certificate: issuer, key: issuerKeys.privateKey };
  writeFileSync(file("issuer.pem"), certificatePem(issuer));
});

const listOf = (der: Uint8Array): string => {
  writeFileSync(file("crl.der"), der);
  return file("crl.der");
};

describe("certificate revocation lists", () => {
  test("OpenSSL verifies a list, and refuses by it what was revoked and nothing else", async () => {
    const revoked = recordOf(await leaf("revoked"));
    await leaf("kept");
    const der = revocationList(signing, {
      ...validity,
      number: Date.now(),
      isIndirect: false,
      entries: [
        { serial: revoked.serial, at: now - 60_000, reasonCode: 1, selfIssuedBy: null },
        { serial: "80".repeat(20), at: now, reasonCode: 0, selfIssuedBy: null },
      ],
    });
    const text = await openssl(
      "crl",
      "-inform",
      "DER",
      "-in",
      listOf(der),
      "-noout",
      "-text",
      "-CAfile",
      file("issuer.pem"),
    );
    expect(text).toContain("verify OK");
    expect(text).toContain("Key Compromise");
    expect(text).toContain(revoked.serial.toUpperCase());
    expect(text).toContain(`Serial Number: ${"80".repeat(20)}`);
    await openssl("crl", "-inform", "DER", "-in", file("crl.der"), "-out", file("crl.pem"));
    const check = (name: string) =>
      openssl("verify", "-crl_check", "-CRLfile", file("crl.pem"), "-CAfile", file("issuer.pem"), file(`${name}.pem`));
    expect(await check("kept")).toContain("OK");
    await expect(check("revoked")).rejects.toThrow(/certificate revoked/);
  });

  test("an empty list is one, and another issuer's signature is found", async () => {
    const input = { ...validity, number: 1, isIndirect: false, entries: [] };
    const verify = (der: Uint8Array) =>
      openssl("crl", "-inform", "DER", "-in", listOf(der), "-noout", "-text", "-CAfile", file("issuer.pem"));
    expect(await verify(revocationList(signing, input))).toMatch(/No Revoked Certificates[^]*verify OK/);
    const forged = revocationList({ ...signing, key: keyPair("thief").privateKey }, input);
    expect(await verify(forged).catch(String)).not.toContain("verify OK");
  });

  test("certificates that others issued themselves stand in an indirect list under their names", async () => {
    const client = recordOf(await leaf("client", true));
    const der = revocationList(signing, {
      ...validity,
      number: 2,
      isIndirect: true,
      entries: [{ serial: client.serial, at: now, reasonCode: 9, selfIssuedBy: aid("client") }],
    });
    const text = await openssl(
      "crl",
      "-inform",
      "DER",
      "-in",
      listOf(der),
      "-noout",
      "-text",
      "-CAfile",
      file("issuer.pem"),
    );
    expect(text).toContain("verify OK");
    expect(text).toContain("Indirect CRL");
    expect(text).toContain(aid("client"));
    expect(text).toContain("Privilege Withdrawn");
  });
});

describe("online answers", () => {
  /** What `openssl ocsp` asks, and what it makes of the answer. */
  async function ask(name: string, issuedBy: string, answer: (request: Uint8Array) => Uint8Array, ...flags: string[]) {
    const server = createServer((request, response) => {
      void request.toArray().then((chunks) => {
        const body = Buffer.concat(chunks);
        writeFileSync(file("request.der"), body);
        response.writeHead(200, { "content-type": "application/ocsp-response" }).end(answer(new Uint8Array(body)));
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      return await openssl(
        ...["ocsp", ...flags, "-issuer", file(`${issuedBy}.pem`), "-cert", file(`${name}.pem`)],
        ...["-url", `http://127.0.0.1:${(server.address() as AddressInfo).port}`],
        ...["-VAfile", file("issuer.pem"), "-CAfile", file("issuer.pem")],
      );
    } finally {
      server.close();
    }
  }
  const answering =
    (status: SingleStatus["status"], check: (asked: ReturnType<typeof opened>) => void = () => {}) =>
    (request: Uint8Array) => {
      const question = opened(request);
      check(question);
      return ocspAnswer(signing, {
        ...validity,
        nonce: question.nonce,
        statuses: question.asked.map(({ certId }) => ({ certId, status })),
      });
    };
  const opened = (request: Uint8Array) => {
    const question = readOcspRequest(request);
    if (!question.ok) throw new Error(question.refusal.message);
    return question.value;
  };

  test.each([["-sha1"], ["-sha256"]])(
    "good and revoked are verified by OpenSSL with its nonce (%s)",
    async (digest) => {
      const der = await leaf("asked");
      const isNamed = ({ asked }: ReturnType<typeof opened>): void => {
        expect(asked).toHaveLength(1);
        expect(asked[0]?.serial).toBe(recordOf(der).serial);
        expect(asked[0]?.isOf(issuerIdentity(issuer))).toBe(true);
        expect(asked[0]?.isSelfIssuedBy(aid("asked"))).toBe(false);
      };
      const good = await ask("asked", "issuer", answering("good", isNamed), digest);
      expect(good).toContain("Response verify OK");
      expect(good).toContain(": good");
      expect(good).not.toContain("nonce");
      const revoked = await ask("asked", "issuer", answering({ at: now, reasonCode: 1 }), digest);
      expect(revoked).toMatch(/: revoked[^]*Reason: keyCompromise/);
      expect(await ask("asked", "issuer", answering("unknown"), digest)).toContain(": unknown");
    },
  );

  test("a client's own certificate is named by its identifier", async () => {
    await leaf("alone", true);
    const answer = await ask(
      "alone",
      "alone",
      answering({ at: now, reasonCode: 0 }, ({ asked }) => {
        expect(asked[0]?.isSelfIssuedBy(aid("alone"))).toBe(true);
        expect(asked[0]?.isSelfIssuedBy(aid("else"))).toBe(false);
        expect(asked[0]?.isOf(issuerIdentity(issuer))).toBe(false);
      }),
    );
    expect(answer).toMatch(/: revoked/);
    expect(answer).toContain("Response verify OK");
  });

  test("another nonce is noticed, and a refusal is one", async () => {
    await leaf("nonced");
    const other = readOcspRequest(new Uint8Array(readFileSync(file("request.der"))));
    const nonce = other.ok ? other.value.nonce : null;
    const answer = await ask("nonced", "issuer", (request) =>
      ocspAnswer(signing, {
        ...validity,
        nonce,
        statuses: opened(request).asked.map(({ certId }) => ({ certId, status: "good" })),
      }),
    ).catch(String);
    expect(answer).toContain("Nonce Verify error");
    const refused = await ask("nonced", "issuer", () => ocspRefusal("tryLater")).catch(String);
    expect(refused).toMatch(/try ?later/i);
  });

  test("what is no request is refused, whatever it is", () => {
    const request = new Uint8Array(readFileSync(file("request.der")));
    expect(readOcspRequest(request).ok).toBe(true);
    fc.assert(
      fc.property(fc.nat(request.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, bits, isCut) => {
        const bad = isCut ? request.slice(0, at) : request.map((byte, i) => (i === at ? byte ^ bits : byte));
        const read = readOcspRequest(bad);
        return read.ok ? !isCut && read.value.asked.length <= 16 : read.refusal.code === "OCSP_MALFORMED";
      }),
      { numRuns: 400 },
    );
    expect(readOcspRequest(new Uint8Array(OCSP_REQUEST_BYTES_MAX + 1)).ok).toBe(false);
  });
});
