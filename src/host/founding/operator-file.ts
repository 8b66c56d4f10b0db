/** An operator's file: its identifier, its HPKE key and one share for each node, encrypted under a passphrase. */
import type { Aid, Digest } from "../../base/brands.ts";
import { utf8 } from "../../base/bytes.ts";
import { type Shape, bytes, decode, encode, integer, list, record, text } from "../../base/codec.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import { AEAD_NONCE_BYTES, openAead, passphraseKey, sealAead } from "../../crypto/aead.ts";
import { aidShape, digestShape } from "../../events/facts/command.ts";
import type { OperatorCard } from "../../events/facts/founding.ts";
import { x25519PublicKey } from "../enclave/x25519.ts";
import { armor, dearmor } from "./armor.ts";
import { type FileRefusal, readPrivate, writeAtomic } from "./files.ts";
import { type IdentitySeeds, type Random, newIdentity } from "./identity.ts";

/** This operator's share of one node's root. */
export interface HeldShare {
  readonly cluster: Digest;
  readonly node: Aid;
  readonly index: number;
  readonly value: Uint8Array;
  /** SHA-256 of the node's commitments that the share was checked against. */
  readonly commitments: Digest;
}

export interface OperatorSecrets extends IdentitySeeds {
  readonly name: string;
  /** X25519 private key, 32 bytes. */
  readonly hpke: Uint8Array;
  readonly shares: readonly HeldShare[];
}

export type OperatorFileRefusal = FileRefusal | Refusal<"PASSPHRASE_WRONG">;

interface Envelope {
  readonly version: number;
  readonly salt: Uint8Array;
  readonly nonce: Uint8Array;
  readonly sealed: Uint8Array;
}

const VERSION = 1;
/** 100 nodes' shares of 200 bytes, and room. */
const FILE_BYTES_MAX = 512 * 1024;
const SHARES_MAX = 1000;

const secretsShape: Shape<OperatorSecrets> = record("operator file", {
  aid: aidShape,
  icp: bytes(1, 65_536),
  current: bytes(32),
  next: bytes(32),
  name: text(128),
  hpke: bytes(32),
  shares: list(
    record<HeldShare>("share", {
      cluster: digestShape,
      node: aidShape,
      index: integer(1, 255),
      value: bytes(32),
      commitments: digestShape,
    }),
    SHARES_MAX,
  ),
});
const envelopeShape: Shape<Envelope> = record("operator file", {
  version: integer(VERSION, VERSION),
  salt: bytes(16),
  nonce: bytes(AEAD_NONCE_BYTES),
  sealed: bytes(16, FILE_BYTES_MAX),
});
const AAD = utf8("sky/operator-file/v1\0");

export const newOperator = (name: string, random: Random): OperatorSecrets => ({
  ...newIdentity(random),
  name,
  hpke: random(32),
  shares: [],
});

export const operatorCardOf = ({ aid, icp, name, hpke }: OperatorSecrets): OperatorCard => ({
  aid,
  icp,
  name,
  hpkeKey: x25519PublicKey(hpke),
});

/** An operator's file, open: rewritten in one step whenever a share is added. The passphrase's key is kept, not the passphrase. */
export class OperatorFile {
  readonly #path: string;
  readonly #salt: Uint8Array;
  readonly #key: Uint8Array;
  readonly #random: Random;
  #secrets: OperatorSecrets;

  private constructor(path: string, salt: Uint8Array, key: Uint8Array, secrets: OperatorSecrets, random: Random) {
    this.#path = path;
    this.#salt = salt;
    this.#key = key;
    this.#secrets = secrets;
    this.#random = random;
  }

  static create(path: string, secrets: OperatorSecrets, passphrase: Uint8Array, random: Random): OperatorFile {
    const salt = random(16);
    const file = new OperatorFile(path, salt, passphraseKey(passphrase, salt), secrets, random);
    file.#write();
    return file;
  }

  /** Refuses: PASSPHRASE_WRONG, and what is missing, loose or malformed. */
  static open(path: string, passphrase: Uint8Array, random: Random): Result<OperatorFile, OperatorFileRefusal> {
    const file = readPrivate(path, 2 * FILE_BYTES_MAX);
    if (!file.ok) return file;
    const body = dearmor("SKY OPERATOR FILE", file.value, path);
    if (!body.ok) return body;
    const envelope = decode(envelopeShape, body.value, FILE_BYTES_MAX);
    if (!envelope.ok)
      return refuse("FILE_MALFORMED", `${path} is no operator file of this version: ${envelope.refusal.message}`);
    const { salt, nonce, sealed } = envelope.value;
    const key = passphraseKey(passphrase, salt);
    const plaintext = openAead(key, nonce, sealed, AAD);
    if (plaintext === undefined)
      return refuse("PASSPHRASE_WRONG", `The passphrase does not open ${path}, or the file was changed; try again.`);
    const secrets = decode(secretsShape, plaintext, FILE_BYTES_MAX);
    plaintext.fill(0);
    if (!secrets.ok) return refuse("FILE_MALFORMED", `${path} holds no operator's secrets: ${secrets.refusal.message}`);
    return ok(new OperatorFile(path, salt, key, secrets.value, random));
  }

  get secrets(): OperatorSecrets {
    return this.#secrets;
  }

  shareOf(cluster: Digest, node: Aid): HeldShare | undefined {
    return this.#secrets.shares.find((share) => share.cluster === cluster && share.node === node);
  }

  /** Adds the share, in place of an older one of the same node; durable when this returns. */
  addShare(share: HeldShare): void {
    const others = this.#secrets.shares.filter((held) => held.cluster !== share.cluster || held.node !== share.node);
    this.#secrets = { ...this.#secrets, shares: [...others, share] };
    this.#write();
  }

  /** Zero-fills what can be. */
  close(): void {
    const { current, next, hpke, shares } = this.#secrets;
    for (const secret of [this.#key, current, next, hpke, ...shares.map(({ value }) => value)]) secret.fill(0);
  }

  #write(): void {
    const plaintext = encode(secretsShape, this.#secrets);
    const nonce = this.#random(AEAD_NONCE_BYTES);
    const sealed = sealAead(this.#key, nonce, plaintext, AAD);
    plaintext.fill(0);
    writeAtomic(
      this.#path,
      armor("SKY OPERATOR FILE", encode(envelopeShape, { version: VERSION, salt: this.#salt, nonce, sealed })),
    );
  }
}
