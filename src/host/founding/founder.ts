/** A founder's directory: keys under a passphrase, the boot key beside them, and the card to hand over. */
import { type KeyObject, createPrivateKey } from "node:crypto";
import type { Aid } from "../../base/brands.ts";
import { concatBytes, fromHex } from "../../base/bytes.ts";
import { present } from "../../base/errors.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { publicKeyOf, rawPublicKey, signer } from "../../crypto/ed25519.ts";
import { p256KeyPair } from "../../crypto/p256.ts";
import { issuerCertificate } from "../../crypto/x509.ts";
import type { Endpoints, FounderCard, FoundingSignature } from "../../events/facts/founding.ts";
import {
  type KeystoreRefusal,
  KEYSTORE_BYTES_MAX,
  createKeystore,
  openKeys,
  openWithPassphrase,
  readKeystore,
} from "../../actors/enclave/keystore.ts";
import { eraseKeys, newNodeKeys } from "../../actors/enclave/node-keys.ts";
import type { EnclaveFounding } from "../../actors/enclave/ports.ts";
import { issuerName } from "../enclave/certificates.ts";
import { nodeFiles, writeBootFile } from "../enclave/node-files.ts";
import { founderCardText } from "./cards.ts";
import { type Founding, signFounding } from "./document.ts";
import { type FileRefusal, fileExists, makePrivateDirectory, readPrivate, writeAtomic } from "./files.ts";
import { type Random, newIdentity } from "./identity.ts";

export interface FounderInput {
  readonly directory: string;
  readonly name: string;
  readonly endpoints: Endpoints;
  /** UTF-8. Opens the keystore until `initialise`. */
  readonly passphrase: Uint8Array;
  readonly random: Random;
  /** Units: ms since 1970. */
  readonly now: number;
}

/** An issuer certifies the short-lived keys of one node for as long as the node lives; the founding document anchors it. */
const ISSUER_YEARS = 20;
const YEAR_MS = 365.25 * 86_400_000;
/** Clocks may differ by this when a certificate is new. */
const SKEW_MS = 300_000;

export interface NewFounder {
  readonly card: FounderCard;
  /** Signs the founding document while this process still has the key in memory; later `signAsFounder` does. */
  readonly sign: (document: Uint8Array) => FoundingSignature;
}

/** Makes a founder's keys and directory. Refuses: FILE_MALFORMED when a keystore is there already: it is never overwritten. */
export async function createFounder(input: FounderInput): Promise<Result<NewFounder, FileRefusal>> {
  const files = nodeFiles(input.directory);
  if (fileExists(files.keystore))
    return refuse("FILE_MALFORMED", `${input.directory} holds a node's keys already; choose another directory.`);
  makePrivateDirectory(input.directory);
  const identity = newIdentity(input.random);
  const epoch = input.random(32);
  const bootSeed = input.random(32);
  const issuerKeys = p256KeyPair(input.random(48));
  const issuer = await issuerCertificate({
    keys: issuerKeys,
    name: issuerName(identity.aid),
    notBefore: input.now - SKEW_MS,
    notAfter: input.now + ISSUER_YEARS * YEAR_MS,
  });
  const bootKey = ed25519PrivateKey(bootSeed);
  bootSeed.fill(0);
  const keys = newNodeKeys(identity.aid, {
    current: identity.current,
    next: identity.next,
    since: input.now,
    witness: input.random(32),
    epoch,
    issuerKey: new Uint8Array(issuerKeys.privateKey.export({ format: "der", type: "pkcs8" })),
    issuerCertificate: issuer,
    mark: input.random(32),
  });
  const card: FounderCard = {
    aid: identity.aid,
    icp: identity.icp,
    name: input.name,
    epochKey: publicKeyOf(epoch),
    bootKey: rawPublicKey(bootKey),
    issuer,
    endpoints: input.endpoints,
  };
  writeAtomic(files.bootKey, String(bootKey.export({ format: "pem", type: "pkcs8" })));
  writeBootFile(input.directory, { name: input.name, aid: identity.aid, dealt: null });
  writeAtomic(files.card, founderCardText(card), 0o644);
  writeAtomic(files.keystore, createKeystore(identity.aid, keys, input.passphrase, input.random)); // last: with it the directory is a node's
  const sign = signer(keys.current);
  eraseKeys(keys);
  return ok({ card, sign: (document) => signFounding(document, card.aid, sign) });
}

/** A founder's signature under the founding document; its keystore must not have been initialised yet. */
export function signAsFounder(
  directory: string,
  document: Uint8Array,
  passphrase: Uint8Array,
): Result<FoundingSignature, FileRefusal | KeystoreRefusal> {
  const file = readPrivate(nodeFiles(directory).keystore, KEYSTORE_BYTES_MAX);
  if (!file.ok) return file;
  const keystore = readKeystore(file.value);
  if (!keystore.ok) return keystore;
  const dataKey = openWithPassphrase(keystore.value, passphrase);
  if (!dataKey.ok) return dataKey;
  const keys = openKeys(keystore.value, dataKey.value);
  dataKey.value.fill(0);
  if (!keys.ok) return keys;
  const signature = signFounding(document, keystore.value.node, signer(keys.value.current));
  eraseKeys(keys.value);
  return ok(signature);
}

/** What the enclave of one node needs of the founding document; undefined when it names no such node. */
export function enclaveFounding({ document, cluster, identifiers }: Founding, aid: Aid): EnclaveFounding | undefined {
  const founder = document.founders.find((card) => card.aid === aid);
  if (founder === undefined) return undefined;
  const key = present(identifiers.get(aid)?.keys[0]?.bytes, "openFounding has judged every identifier");
  return {
    cluster,
    node: { aid, name: founder.name, key, epochKey: founder.epochKey },
    operators: document.operators.map(({ aid: operator, name, hpkeKey }) => ({
      aid: operator,
      name,
      hpkeKey,
    })),
    threshold: document.threshold,
  };
}

const PKCS8_PREFIX = present(fromHex("302e020100300506032b657004220420"), "a constant of hex digits"); // RFC 8410 §7

function ed25519PrivateKey(seed: Uint8Array): KeyObject {
  const der = Buffer.from(concatBytes(PKCS8_PREFIX, seed));
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  der.fill(0);
  return key;
}
