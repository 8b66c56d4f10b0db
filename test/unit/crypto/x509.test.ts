import { execFile } from "node:child_process";
import { X509Certificate, createHash, createPrivateKey, createPublicKey } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TLSSocket, connect, createServer } from "node:tls";
import { promisify } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ROTATIONS_BYTES_MAX, ROTATIONS_MAX } from "../../../src/actors/enclave/node-keys.ts";
import type { Aid, Digest } from "../../../src/base/brands.ts";
import { concatBytes } from "../../../src/base/bytes.ts";
import {
  type CertificateProofBody,
  type CertificateRole,
  certificateProofBody,
  certificateSigningBytes,
} from "../../../src/crypto/certificate-proof.ts";
import { publicKeyOf, signer } from "../../../src/crypto/ed25519.ts";
import { type KeyObjectPair, p256KeyPair } from "../../../src/crypto/p256.ts";
import { CERTIFICATE_DER_BYTES_MAX, type Trust, verifyPeerCertificate } from "../../../src/crypto/peer-certificate.ts";
import { subjectNames } from "../../../src/crypto/subject-names.ts";
import {
  PROOF_OID,
  certificatePem,
  certificatesOfPem,
  issueCertificate,
  issuerCertificate,
  privateKeyPem,
  spkiHashOf,
} from "../../../src/crypto/x509.ts";
import { ed25519Key } from "../../../src/crypto/verification-key.ts";
import { inceptSingle } from "../../../src/keri/compose.ts";

const NOW = 1_790_000_000_000;
const HOUR = 3_600_000;
const cluster = "cd".repeat(32) as Digest;
const random = (name: string) => new Uint8Array(createHash("sha384").update(name).digest());
const keyPair = (name: string): KeyObjectPair => p256KeyPair(random(name));
const seedOf = (name: string) => random(name).subarray(0, 32);
const identifier = (name: string) => {
  const seed = seedOf(name);
  const { aid } = inceptSingle({ publicKey: publicKeyOf(seed), nextPublicKey: publicKeyOf(seedOf(`${name} next`)) });
  return { aid, sign: signer(seed), state: { sn: 0, keys: [ed25519Key(publicKeyOf(seed))], threshold: 1 } };
};

const node = identifier("node");
const operator = identifier("operator");
const issuerKeys = keyPair("issuer");
const issuer = { name: `Sky issuer of ${node.aid}`.slice(0, 64), keys: issuerKeys };
const issuerDer = await issuerCertificate({ ...issuer, notBefore: NOW - HOUR, notAfter: NOW + 100 * HOUR });
const bootSeed = seedOf("boot");
const bootKeys: KeyObjectPair = (() => {
  const der = concatBytes(Buffer.from("302e020100300506032b657004220420", "hex"), bootSeed);
  const privateKey = createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" });
  return { privateKey, publicKey: createPublicKey(privateKey) };
})();

interface Made {
  readonly role?: CertificateRole;
  readonly keys?: KeyObjectPair;
  readonly body?: Partial<CertificateProofBody>;
  readonly sign?: (message: Uint8Array) => Uint8Array;
  readonly issuedBy?: { readonly name: string; readonly keys: KeyObjectPair };
  readonly rotations?: readonly Uint8Array[];
}

/** A certificate of the node (or operator), right in everything but what `made` says. */
async function certificate({
  role = "node",
  keys = keyPair("leaf"),
  body = {},
  sign,
  issuedBy,
  rotations = [],
}: Made = {}): Promise<Uint8Array> {
  const who = role === "operator" || role === "client" ? operator : node;
  const encoded = certificateProofBody({
    cluster,
    aid: who.aid,
    keySn: 0,
    spkiHash: spkiHashOf(keys.publicKey),
    notBefore: NOW - 1000,
    notAfter: NOW + HOUR,
    sans: subjectNames(who.aid, ["localhost", "127.0.0.1", "::1"]),
    role,
    ...body,
  });
  const signWith = sign ?? (role === "boot" ? signer(bootSeed) : who.sign);
  const proof = { body: encoded, signatures: [{ index: 0, sig: signWith(certificateSigningBytes(cluster, encoded)) }] };
  const self = { name: who.aid as string, keys };
  const usual = role === "node" ? issuer : role === "boot" ? { name: "boot", keys: bootKeys } : self;
  return issueCertificate({ publicKey: keys.publicKey, issuer: issuedBy ?? usual, proof, rotations });
}

const trust: Trust = {
  cluster,
  now: NOW,
  keyStateOf: (aid: Aid) => (aid === node.aid ? node.state : aid === operator.aid ? operator.state : undefined),
  issuerOf: (aid: Aid) => (aid === node.aid ? issuerDer : undefined),
};
const verdict = (der: Uint8Array, changes: Partial<Trust> = {}): string => {
  const judged = verifyPeerCertificate(der, { ...trust, ...changes });
  return judged.ok ? `${judged.value.role} ${judged.value.aid}` : judged.refusal.code;
};

describe("a certificate of a key that the verifier has not heard of yet", () => {
  const rotations = [Buffer.from("first"), Buffer.from("second")].map((text) => new Uint8Array(text));
  const later = { sn: 2, keys: [ed25519Key(publicKeyOf(seedOf("later")))], threshold: 1 };
  const made: Made = { body: { keySn: 2 }, sign: signer(seedOf("later")), rotations };

  test("counts when its rotations lead there", async () => {
    const asked: unknown[] = [];
    const keyStateAfter: Trust["keyStateAfter"] = (...question) => {
      asked.push(question);
      return later;
    };
    expect(verdict(await certificate(made), { keyStateAfter })).toBe(`node ${node.aid}`);
    expect(asked).toEqual([[node.aid, new Uint8Array(Buffer.from("firstsecond")), 2]]);
  });

  test.each<readonly [string, Made, Partial<Trust>, string]>([
    ["they lead nowhere", made, { keyStateAfter: () => undefined }, "CERTIFICATE_KEY_ROTATED"],
    ["only current keys count there", made, {}, "CERTIFICATE_KEY_ROTATED"],
    ["it brings none", { ...made, rotations: [] }, { keyStateAfter: () => later }, "CERTIFICATE_KEY_ROTATED"],
    [
      "it is signed by the key before",
      { ...made, sign: node.sign },
      { keyStateAfter: () => later },
      "CERTIFICATE_PROOF_UNSIGNED",
    ],
    [
      "another issuer made it: then nothing of them is read",
      { ...made, issuedBy: { ...issuer, keys: keyPair("another issuer") } },
      {
        keyStateAfter: () => {
          throw new Error("read");
        },
      },
      "CERTIFICATE_KEY_ROTATED",
    ],
    [
      "a newer one is in force by now",
      { ...made, body: { keySn: 1 } },
      { keyStateOf: () => later, keyStateAfter: () => later },
      "CERTIFICATE_KEY_ROTATED",
    ],
  ])("is refused when %s", async (_when, what, changes, code) => {
    expect(verdict(await certificate(what), changes)).toBe(code);
  });

  test("stays within what is read of a certificate, with as many rotations as a node shows", async () => {
    const many = Array.from({ length: ROTATIONS_MAX }, () => new Uint8Array(ROTATIONS_BYTES_MAX / ROTATIONS_MAX));
    const der = await certificate({ ...made, rotations: many });
    expect(der.length).toBeLessThan(CERTIFICATE_DER_BYTES_MAX);
    expect(verdict(der, { keyStateAfter: () => later })).toBe(`node ${node.aid}`);
  });
});

describe("accepted are", () => {
  test("keys that were revoked for another identifier, or others of this one", async () => {
    const revoked = spkiHashOf(keyPair("leaf").publicKey);
    const ofAnother: Trust["isRevoked"] = (aid, key) => aid === operator.aid && key === revoked;
    expect(verdict(await certificate(), { isRevoked: ofAnother })).toBe(`node ${node.aid}`);
    expect(verdict(await certificate(), { isRevoked: (_aid, key) => key !== revoked })).toBe(`node ${node.aid}`);
  });

  test("a node's certificate under its issuer, with everything that it says", async () => {
    const judged = verifyPeerCertificate(await certificate(), trust);
    expect(judged).toMatchObject({
      ok: true,
      value: {
        aid: node.aid,
        role: "node",
        keySn: 0,
        notAfter: NOW + HOUR,
        spkiHash: spkiHashOf(keyPair("leaf").publicKey),
      },
    });
    expect(judged.ok && judged.value.sans.slice(0, 3)).toEqual([
      `URI:did:keri:${node.aid}`,
      "DNS:localhost",
      "IP:127.0.0.1",
    ]);
  });

  test.each(["operator", "client"] as const)("a self-issued certificate of an %s", async (role) => {
    expect(verdict(await certificate({ role }))).toBe(`${role} ${operator.aid}`);
  });

  test("a boot certificate, where the boot key is known", async () => {
    const der = await certificate({ role: "boot" });
    expect(verdict(der, { bootKeyOf: () => publicKeyOf(bootSeed) })).toBe(`boot ${node.aid}`);
    expect(verdict(der)).toBe("CERTIFICATE_UNKNOWN_IDENTIFIER");
    expect(verdict(der, { bootKeyOf: () => publicKeyOf(seedOf("another boot key")) })).toBe(
      "CERTIFICATE_PROOF_UNSIGNED",
    );
  });

  test("a node's certificate by its proof alone, where no issuers are known (admission)", async () => {
    const { issuerOf: _left, ...withoutIssuers } = trust;
    expect(
      verifyPeerCertificate(await certificate({ issuedBy: { name: "x", keys: keyPair("x") } }), withoutIssuers).ok,
    ).toBe(true);
  });
});

describe("refused is", () => {
  test.each<[string, Made, Partial<Trust>, string]>([
    ["one that is over", {}, { now: NOW + HOUR + 1000 }, "CERTIFICATE_NOT_IN_FORCE"],
    ["one that has not begun", {}, { now: NOW - 2000 }, "CERTIFICATE_NOT_IN_FORCE"],
    ["one for another cluster", {}, { cluster: "ef".repeat(32) as Digest }, "CERTIFICATE_OTHER_CLUSTER"],
    ["one of an identifier nobody knows", {}, { keyStateOf: () => undefined }, "CERTIFICATE_UNKNOWN_IDENTIFIER"],
    [
      "one by keys that were rotated away",
      {},
      { keyStateOf: () => ({ ...node.state, sn: 1 }) },
      "CERTIFICATE_KEY_ROTATED",
    ],
    [
      "one whose key was revoked for its identifier",
      {},
      { isRevoked: (aid, key) => aid === node.aid && key === spkiHashOf(keyPair("leaf").publicKey) },
      "CERTIFICATE_REVOKED",
    ],
    ["one signed by somebody else's key", { sign: operator.sign }, {}, "CERTIFICATE_PROOF_UNSIGNED"],
    [
      "one whose keys need two signatures",
      {},
      { keyStateOf: () => ({ sn: 0, threshold: 2, keys: [...node.state.keys, ed25519Key(publicKeyOf(bootSeed))] }) },
      "CERTIFICATE_PROOF_UNSIGNED",
    ],
    [
      "one of another node's issuer",
      { issuedBy: { ...issuer, keys: keyPair("another issuer") } },
      {},
      "CERTIFICATE_CHAIN_BROKEN",
    ],
    [
      "one by the right key under another issuer's name",
      { issuedBy: { name: "x", keys: issuerKeys } },
      {},
      "CERTIFICATE_CHAIN_BROKEN",
    ],
    ["one of a node without an anchor", {}, { issuerOf: () => undefined }, "CERTIFICATE_CHAIN_BROKEN"],
    [
      "one whose issuer is over",
      { body: { notAfter: NOW + 300 * HOUR } },
      { now: NOW + 200 * HOUR },
      "CERTIFICATE_CHAIN_BROKEN",
    ],
    ["one of an operator that another issued", { role: "operator", issuedBy: issuer }, {}, "CERTIFICATE_CHAIN_BROKEN"],
    [
      "one that claims another's identifier as a name",
      { body: { sans: subjectNames(operator.aid, []) } },
      {},
      "CERTIFICATE_PROOF_MISMATCH",
    ],
    [
      "one with two identifiers",
      { body: { sans: [...subjectNames(node.aid, []), ...subjectNames(operator.aid, [])] } },
      {},
      "CERTIFICATE_PROOF_MISMATCH",
    ],
  ])("%s", async (_what, made, changes, code) => {
    expect(verdict(await certificate(made), changes)).toBe(code);
  });

  test("a proof moved to another key, other dates or other names", async () => {
    const {
      X509CertificateGenerator,
      X509Certificate: Parsed,
      SubjectAlternativeNameExtension,
    } = await import("../../../src/crypto/x509-library.ts");
    const original = new Parsed(new Uint8Array(await certificate()).buffer);
    const remake = async (change: { key?: string; notAfter?: number; names?: { type: "dns"; value: string }[] }) => {
      const made = await X509CertificateGenerator.create({
        serialNumber: "01",
        subject: original.subject,
        issuer: original.issuer,
        notBefore: original.notBefore,
        notAfter: new Date(change.notAfter ?? original.notAfter.getTime()),
        publicKey: change.key
          ? keyPair(change.key).publicKey.export({ format: "der", type: "spki" })
          : original.publicKey,
        extensions: original.extensions.map((extension) =>
          change.names && extension instanceof SubjectAlternativeNameExtension
            ? new SubjectAlternativeNameExtension([...extension.names.toJSON(), ...change.names])
            : extension,
        ),
        signingKey: issuerKeys.privateKey.toCryptoKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]),
        signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
      });
      return verdict(new Uint8Array(made.rawData));
    };
    expect(await remake({})).toBe(`node ${node.aid}`);
    expect(await remake({ key: "stolen" })).toBe("CERTIFICATE_PROOF_MISMATCH");
    expect(await remake({ notAfter: NOW + 2 * HOUR })).toBe("CERTIFICATE_PROOF_MISMATCH");
    expect(await remake({ names: [{ type: "dns", value: "bank.example" }] })).toBe("CERTIFICATE_PROOF_MISMATCH");
  });

  test("the issuer's own certificate, an oversized one, and one with bytes after it", async () => {
    expect(verdict(issuerDer)).toBe("CERTIFICATE_MALFORMED");
    expect(verdict(new Uint8Array(20_000))).toBe("CERTIFICATE_MALFORMED");
    expect(verdict(concatBytes(await certificate(), Uint8Array.of(0)))).toBe("CERTIFICATE_MALFORMED");
  });

  test("whatever a stranger sends: noise and changed bytes end in a refusal, never in an error", async () => {
    const good = await certificate({ role: "operator" });
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.nat({ max: good.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        (noise, at, change) => {
          expect(verdict(noise)).toBe("CERTIFICATE_MALFORMED");
          const changed = Uint8Array.from(good);
          changed[at] = (changed[at] as number) ^ change;
          expect(verdict(changed)).toMatch(/^CERTIFICATE_/);
        },
      ),
      { numRuns: 300 },
    );
    expect(verdict(new Uint8Array(16_000).fill(0x30))).toBe("CERTIFICATE_MALFORMED");
  });
});

test("a proof that names another key cannot be put into a certificate", async () => {
  await expect(certificate({ body: { spkiHash: "00".repeat(32) as Digest } })).rejects.toThrow(
    "the key that the certificate carries",
  );
});

test("PEM goes there and back, and what is not PEM gives nothing", async () => {
  const der = await certificate();
  expect(certificatesOfPem(certificatePem(der) + certificatePem(issuerDer))?.map((one) => Buffer.from(one))).toEqual([
    Buffer.from(der),
    Buffer.from(issuerDer),
  ]);
  expect(certificatesOfPem("nonsense") ?? []).toEqual([]);
  expect(new X509Certificate(certificatePem(der)).subject).toBe(`CN=${node.aid}`);
});

test("openssl verifies a node's chain for both ends, and a boot chain", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sky-x509-"));
  try {
    const bootAnchor = await issuerCertificate({
      keys: bootKeys,
      name: "boot",
      notBefore: NOW - HOUR,
      notAfter: NOW + HOUR,
    });
    const files = {
      ca: issuerDer,
      leaf: await certificate(),
      bootCa: bootAnchor,
      bootLeaf: await certificate({ role: "boot" }),
    };
    const paths = Object.fromEntries(Object.keys(files).map((name) => [name, join(folder, `${name}.pem`)]));
    for (const [name, der] of Object.entries(files)) await writeFile(paths[name] ?? "", certificatePem(der));
    const verify = async (ca: string, leaf: string, purpose: string): Promise<string> => {
      const arguments_ = [
        "verify",
        "-x509_strict",
        "-attime",
        String(NOW / 1000),
        "-purpose",
        purpose,
        "-CAfile",
        paths[ca] ?? "",
        paths[leaf] ?? "",
      ];
      return promisify(execFile)("openssl", arguments_).then(
        ({ stdout }) => stdout.trim(),
        (error: unknown) => String(error),
      );
    };
    for (const purpose of ["sslserver", "sslclient"]) {
      expect(await verify("ca", "leaf", purpose)).toMatch(/leaf\.pem: OK$/);
      expect(await verify("bootCa", "bootLeaf", purpose)).toMatch(/bootLeaf\.pem: OK$/);
    }
    expect(await verify("bootCa", "leaf", "sslserver")).toContain("verification failed");
  } finally {
    await rm(folder, { recursive: true });
  }
});

/** The handshake's two ends as each saw the other. */
async function handshake(
  server: { der: Uint8Array; keys: KeyObjectPair },
  client: { der: Uint8Array; keys: KeyObjectPair },
  ca?: Uint8Array,
) {
  const listener = createServer({
    cert: certificatePem(server.der),
    key: privateKeyPem(server.keys.privateKey),
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: "TLSv1.3",
  });
  try {
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    const accepted = once(listener, "secureConnection");
    const anchors = ca === undefined ? { rejectUnauthorized: false } : { ca: certificatePem(ca) };
    const socket = connect({
      host: "127.0.0.1",
      port: (listener.address() as AddressInfo).port,
      servername: "localhost",
      cert: certificatePem(client.der),
      key: privateKeyPem(client.keys.privateKey),
      ...anchors,
    });
    await once(socket, "secureConnect");
    const [peer] = (await accepted) as [TLSSocket];
    const seen = {
      protocol: socket.getProtocol(),
      authorized: socket.authorized,
      server: new Uint8Array(socket.getPeerX509Certificate()?.raw ?? []),
      client: new Uint8Array(peer.getPeerX509Certificate()?.raw ?? []),
    };
    socket.destroy();
    peer.destroy();
    return seen;
  } finally {
    listener.close();
  }
}

describe("a TLS 1.3 handshake with both certificates", () => {
  test("takes certificates that bring as many rotations as a node shows", async () => {
    const keys = keyPair("long");
    const size = ROTATIONS_BYTES_MAX / ROTATIONS_MAX;
    const rotations = Array.from({ length: ROTATIONS_MAX }, (_, i) => new Uint8Array(size).fill(i));
    const der = await certificate({ keys, rotations });
    expect(der.length).toBeGreaterThan(ROTATIONS_BYTES_MAX);
    const seen = await handshake({ der, keys }, { der, keys });
    expect(seen.protocol).toBe("TLSv1.3");
    expect(seen.server.length).toBe(der.length);
    expect(seen.client.length).toBe(der.length);
  });

  // TLS itself checks dates by the machine's clock, so these are in force now.
  const now = Date.now();
  const dates = { notBefore: now - HOUR, notAfter: now + HOUR };

  test("shows each end who the other is, and the issuer's anchor satisfies TLS", async () => {
    const [serverKeys, clientKeys] = [keyPair("server leaf"), keyPair("client leaf")];
    const anchor = await issuerCertificate({ ...issuer, ...dates });
    const serverDer = await certificate({ keys: serverKeys, body: dates });
    const clientDer = await certificate({ role: "operator", keys: clientKeys, body: dates });
    const seen = await handshake({ der: serverDer, keys: serverKeys }, { der: clientDer, keys: clientKeys }, anchor);
    expect(seen).toMatchObject({ protocol: "TLSv1.3", authorized: true });
    expect(verdict(seen.server, { now, issuerOf: () => anchor })).toBe(`node ${node.aid}`);
    expect(verdict(seen.client, { now })).toBe(`operator ${operator.aid}`);
  });

  test("works on a sealed node's port, whose chain ends in its Ed25519 boot key", async () => {
    const [serverKeys, clientKeys] = [keyPair("boot leaf"), keyPair("client leaf")];
    const anchor = await issuerCertificate({ keys: bootKeys, name: "boot", ...dates });
    const serverDer = await certificate({ role: "boot", keys: serverKeys, body: dates });
    const clientDer = await certificate({ role: "operator", keys: clientKeys, body: dates });
    const seen = await handshake({ der: serverDer, keys: serverKeys }, { der: clientDer, keys: clientKeys }, anchor);
    expect(seen).toMatchObject({ protocol: "TLSv1.3", authorized: true });
    expect(verdict(seen.server, { now, bootKeyOf: () => publicKeyOf(bootSeed) })).toBe(`boot ${node.aid}`);
  });
});

test("the proof's extension has an identifier that Go reads: crypto/x509 refuses certificates with arcs of 2^31 and more", () => {
  for (const arc of PROOF_OID.split(".")) expect(Number(arc)).toBeLessThan(2 ** 31);
});
