/**
 * What a thief of a whole dev directory has: every operator's, client's and node's secret, opened with the product's own code.
 * The canary test looks for these bytes; the attacks forge certificates with them.
 */
import {
  type KeyObject,
  X509Certificate,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
} from "node:crypto";
import { readFileSync } from "node:fs";
import { restoreRoot } from "../../../src/actors/enclave/root.ts";
import { openKeys, openWithPassphrase, openWithRoot, readKeystore } from "../../../src/actors/enclave/keystore.ts";
import type { NodeKeys } from "../../../src/actors/enclave/node-keys.ts";
import type { Aid, Digest } from "../../../src/base/brands.ts";
import { present } from "../../../src/base/errors.ts";
import {
  type CertificateProofBody,
  type CertificateRole,
  certificateProofBody,
  certificateSigningBytes,
} from "../../../src/crypto/certificate-proof.ts";
import { signer } from "../../../src/crypto/ed25519.ts";
import { sha256Digest } from "../../../src/crypto/hash.ts";
import { subjectNames } from "../../../src/crypto/subject-names.ts";
import { certificatePem, issueCertificate, privateKeyPem, spkiOf } from "../../../src/crypto/x509.ts";
import { issuerName } from "../../../src/host/enclave/certificates.ts";
import { demand, nodeFiles, readBootFile } from "../../../src/host/enclave/node-files.ts";
import { readClientIdentity } from "../../../src/host/founding/client-folder.ts";
import { type DevDirectory, openDevCluster } from "../../../src/host/founding/dev-directory.ts";
import { OperatorFile, type OperatorSecrets } from "../../../src/host/founding/operator-file.ts";
import { type Cluster, until } from "../cluster.ts";

const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));

export interface StolenNode {
  readonly name: string;
  readonly aid: Aid;
  readonly keys: NodeKeys;
  readonly dataKey: Uint8Array;
  readonly rootKey: Uint8Array;
}

export interface StolenOperator {
  readonly name: string;
  readonly passphrase: string;
  readonly file: OperatorFile;
  readonly secrets: OperatorSecrets;
}

export interface Stolen {
  readonly layout: DevDirectory;
  readonly operators: readonly StolenOperator[];
  readonly nodes: readonly StolenNode[];
  readonly clients: readonly {
    readonly name: string;
    readonly aid: Aid;
    readonly current: Uint8Array;
    readonly next: Uint8Array;
    readonly tlsKey: string;
  }[];
}

/** Opens everything under a dev cluster's directory whose nodes are initialised. */
export function steal(directory: string): Stolen {
  const layout = openDevCluster(directory);
  const operators = layout.operators.map(({ name, file, passphraseFile }) => {
    const passphrase = readFileSync(passphraseFile, "utf8").trim();
    const opened = demand(OperatorFile.open(file, Buffer.from(passphrase), random));
    return { name, passphrase, file: opened, secrets: opened.secrets };
  });
  const { cluster, document } = layout.founding;
  const nodes = layout.nodes.map(({ name, aid, directory: folder }) => {
    const { dealt } = demand(readBootFile(folder));
    const shares = operators
      .slice(0, document.threshold)
      .map(({ file }) => present(file.shareOf(cluster, aid), "every operator holds a share of every node"));
    const root = demand(restoreRoot({ cluster, node: aid }, present(dealt, "dealt").commitments, shares));
    const keystore = demand(readKeystore(new Uint8Array(readFileSync(nodeFiles(folder).keystore))));
    const dataKey = demand(openWithRoot(keystore, root));
    return { name, aid, keys: demand(openKeys(keystore, dataKey)), dataKey, rootKey: root.key };
  });
  const clients = (["default", "admin"] as const).map((name) => {
    const { aid, ...seeds } = demand(readClientIdentity(layout.clients[name]));
    const [current, next] = [seeds.current, seeds.next].map(([seed]) => present(seed, "one key, and one to follow"));
    return {
      name,
      aid,
      current: present(current, "a seed"),
      next: present(next, "a seed"),
      tlsKey: readFileSync(`${layout.clients[name]}/client-key.pem`, "utf8"),
    };
  });
  return { layout, operators, nodes, clients };
}

/** The keys of a node that was founded and never dealt its root. */
export function keysOfNewNode(folder: string, passphrase: Uint8Array): NodeKeys {
  const keystore = demand(readKeystore(new Uint8Array(readFileSync(nodeFiles(folder).keystore))));
  return demand(openKeys(keystore, demand(openWithPassphrase(keystore, passphrase))));
}

export interface Identity {
  readonly key: string;
  readonly cert: string;
}

export interface Forgery {
  readonly cluster: Digest;
  readonly aid: Aid;
  /** Ed25519 seed that signs the proof. */
  readonly seed: Uint8Array;
  readonly role: CertificateRole;
  /** PKCS#8 of the issuer's P-256 key; absent: the leaf's own key. */
  readonly issuer?: { readonly aid: Aid; readonly key: Uint8Array; readonly certificate: Uint8Array };
  readonly notBefore?: number;
  readonly notAfter?: number;
  /** Changes what is signed after the names were made of it. */
  readonly change?: (body: CertificateProofBody) => CertificateProofBody;
}

const fresh = () => generateKeyPairSync("ec", { namedCurve: "P-256" });

/** One DER element: its head and content, with what follows it. */
function element(der: Buffer): { readonly whole: Buffer; readonly content: Buffer; readonly rest: Buffer } {
  const first = der.readUInt8(1);
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const length = lengthBytes === 0 ? first : der.readUIntBE(2, lengthBytes);
  const start = 2 + lengthBytes;
  return {
    whole: der.subarray(0, start + length),
    content: der.subarray(start, start + length),
    rest: der.subarray(start + length),
  };
}

function der(tag: number, content: Buffer): Buffer {
  const head =
    content.length < 0x80
      ? Buffer.from([tag, content.length])
      : Buffer.from([tag, 0x82, content.length >> 8, content.length & 0xff]);
  return Buffer.concat([head, content]);
}

/** A self-issued certificate with somebody's genuine proof in it and a key of the thief's own: whoever saw a certificate can make one. */
export function withBorrowedProof({ cert }: Identity): Identity {
  const genuine = new X509Certificate(cert);
  const mine = fresh();
  const tbs = element(element(genuine.raw).content);
  const spki = Buffer.from(spkiOf(genuine.publicKey));
  const at = tbs.whole.indexOf(spki);
  const changed = Buffer.concat([
    tbs.whole.subarray(0, at),
    spkiOf(mine.publicKey),
    tbs.whole.subarray(at + spki.length),
  ]);
  const algorithm = element(tbs.rest).whole;
  const signature = sign("sha256", changed, mine.privateKey);
  const whole = der(0x30, Buffer.concat([changed, algorithm, der(0x03, Buffer.concat([Buffer.from([0]), signature]))]));
  return { key: privateKeyPem(mine.privateKey), cert: certificatePem(new Uint8Array(whole)) };
}

/** A certificate made with the product's own code, rightly or not. */
export async function forge(forgery: Forgery): Promise<Identity> {
  const keys = fresh();
  const now = Date.now();
  const body: CertificateProofBody = {
    cluster: forgery.cluster,
    aid: forgery.aid,
    keySn: 0,
    spkiHash: sha256Digest(spkiOf(keys.publicKey)),
    notBefore: Math.floor((forgery.notBefore ?? now - 60_000) / 1000) * 1000,
    notAfter: Math.floor((forgery.notAfter ?? now + 3_600_000) / 1000) * 1000,
    sans: subjectNames(forgery.aid, []),
    role: forgery.role,
  };
  const encoded = certificateProofBody(forgery.change?.(body) ?? body);
  const sig = signer(forgery.seed)(certificateSigningBytes(forgery.cluster, encoded));
  const issuer =
    forgery.issuer === undefined
      ? { name: forgery.aid as string, keys }
      : { name: issuerName(forgery.issuer.aid), keys: pairOf(forgery.issuer.key) };
  const leaf = await issueCertificate({
    publicKey: keys.publicKey,
    issuer,
    proof: { body: encoded, signatures: [{ index: 0, sig }] },
  });
  const chain = forgery.issuer === undefined ? "" : certificatePem(forgery.issuer.certificate);
  return { key: privateKeyPem(keys.privateKey), cert: certificatePem(leaf) + chain };
}

function pairOf(pkcs8: Uint8Array): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  const privateKey = createPrivateKey({ key: Buffer.from(pkcs8), format: "der", type: "pkcs8" });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

/** What a node of the cluster would show, or another node that borrows its issuer. */
export const nodeCertificateOf = (cluster: Digest, node: StolenNode, issuer: StolenNode = node): Promise<Identity> =>
  forge({
    cluster,
    aid: node.aid,
    seed: node.keys.current,
    role: "node",
    issuer: { aid: issuer.aid, key: issuer.keys.issuerKey, certificate: issuer.keys.issuerCertificate },
  });

/** Until a node sees all others: then one operator may seal it, since a quorum stays (ceremony.md). */
export const seesAll = (cluster: Cluster, name: string): Promise<unknown> =>
  until(`${name} sees all others`, async () => (await cluster.metric(name, "peers")) === cluster.nodes.length - 1);
