/** An operator's file: its identifier, its HPKE key and one share for each node, encrypted under a passphrase. */
import type { Aid, Digest } from "../../base/brands.ts";
import { utf8 } from "../../base/bytes.ts";
import { type Shape, bytes, decode, encode, integer, list, nullable, record, text } from "../../base/codec.ts";
import { Fault, present } from "../../base/errors.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import { AEAD_NONCE_BYTES, openAead, passphraseKey, sealAead } from "../../crypto/aead.ts";
import { type IdentityStore, type KeptIdentity, changedIdentity } from "../../client/identity.ts";
import { aidShape, digestShape, saidShape } from "../../events/facts/command.ts";
import type { OperatorCard } from "../../events/facts/founding.ts";
import { x25519PublicKey } from "../enclave/x25519.ts";
import { armor, dearmor } from "./armor.ts";
import {
  CONTROLLER_KEYS_MAX,
  type Controller,
  type PendingEvent,
  controllerOfInception,
  inceptionOf,
  isShowable,
  newController,
  openController,
  shownKeys,
} from "../../keri/controller.ts";
import { withFileLock } from "./file-lock.ts";
import { type FileRefusal, readPrivate, writeAtomic } from "./files.ts";
import type { Random } from "./identity.ts";

/** This operator's share of one node's root. */
export interface HeldShare {
  readonly cluster: Digest;
  readonly node: Aid;
  readonly index: number;
  readonly value: Uint8Array;
  /** SHA-256 of the node's commitments that the share was checked against. */
  readonly commitments: Digest;
}

export interface OperatorSecrets extends Controller {
  /** When the keys in force became so; null where nobody wrote it down. Units: ms since 1970. */
  readonly since: number | null;
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

/** What is written. Read, and written as this one: version 1, before keys rotated; version 2, without since when keys are in force. */
const VERSION = 3;
/** 100 nodes' shares of 200 bytes, a hundred rotations, and room. */
const FILE_BYTES_MAX = 512 * 1024;
const SHARES_MAX = 1000;

const sharesShape = list(
  record<HeldShare>("share", {
    cluster: digestShape,
    node: aidShape,
    index: integer(1, 255),
    value: bytes(32),
    commitments: digestShape,
  }),
  SHARES_MAX,
);
/** What version 1 held: one key, and its inception without signatures. */
interface FirstSecrets extends Pick<OperatorSecrets, "aid" | "name" | "hpke" | "shares"> {
  readonly icp: Uint8Array;
  readonly current: Uint8Array;
  readonly next: Uint8Array;
}
const firstSecretsShape: Shape<FirstSecrets> = record("operator file", {
  aid: aidShape,
  icp: bytes(1, 65_536),
  current: bytes(32),
  next: bytes(32),
  name: text(128),
  hpke: bytes(32),
  shares: sharesShape,
});
const seedsShape = list(bytes(32), CONTROLLER_KEYS_MAX);
const secretsFields = {
  aid: aidShape,
  kel: bytes(1, FILE_BYTES_MAX),
  current: seedsShape,
  next: seedsShape,
  pending: nullable(
    record<PendingEvent>("pending event", {
      sn: integer(),
      said: saidShape,
      stream: bytes(1, 128 * 1024),
      next: nullable(seedsShape),
    }),
  ),
  name: text(128),
  hpke: bytes(32),
  shares: sharesShape,
};
const undatedSecretsShape: Shape<Omit<OperatorSecrets, "since">> = record("operator file", secretsFields);
const secretsShape: Shape<OperatorSecrets> = record("operator file", { ...secretsFields, since: nullable(integer()) });
const envelopeShape: Shape<Envelope> = record("operator file", {
  version: integer(1, VERSION),
  salt: bytes(16),
  nonce: bytes(AEAD_NONCE_BYTES),
  sealed: bytes(16, FILE_BYTES_MAX),
});
const aad = (version: number): Uint8Array => utf8(`sky/operator-file/v${version}\0`);

/** `since`: ms since 1970. */
export const newOperator = (name: string, random: Random, since: number | null = null): OperatorSecrets => ({
  ...newController(random),
  since,
  name,
  hpke: random(32),
  shares: [],
});

export const operatorCardOf = (secrets: OperatorSecrets): OperatorCard => ({
  aid: secrets.aid,
  icp: inceptionOf(secrets),
  name: secrets.name,
  hpkeKey: x25519PublicKey(secrets.hpke),
});

/** The one key that an operator signs by: the one that its certificates show. */
export const operatorSeed = (secrets: OperatorSecrets): Uint8Array =>
  present(shownKeys(secrets, isShowable(secrets)).seeds[0], "an operator has a key");

function readSecrets(version: number, plaintext: Uint8Array): Result<OperatorSecrets> {
  if (version > 1) {
    const secrets =
      version === VERSION
        ? decode(secretsShape, plaintext, FILE_BYTES_MAX)
        : decode(undatedSecretsShape, plaintext, FILE_BYTES_MAX);
    if (!secrets.ok) return secrets;
    const judged = openController(secrets.value);
    return judged.ok ? ok({ since: null, ...secrets.value }) : judged;
  }
  const first = decode(firstSecretsShape, plaintext, FILE_BYTES_MAX);
  if (!first.ok) return first;
  const { aid, icp, current, next, ...rest } = first.value;
  const controller = controllerOfInception(aid, icp, current, next);
  return controller.ok ? ok({ ...controller.value, ...rest, since: null }) : controller;
}

interface OpenedFile {
  readonly salt: Uint8Array;
  readonly key: Uint8Array;
  readonly secrets: OperatorSecrets;
}

function openEnvelope(path: string, keyFor: (salt: Uint8Array) => Uint8Array): Result<OpenedFile, OperatorFileRefusal> {
  const file = readPrivate(path, 2 * FILE_BYTES_MAX);
  if (!file.ok) return file;
  const body = dearmor("SKY OPERATOR FILE", file.value, path);
  if (!body.ok) return body;
  const envelope = decode(envelopeShape, body.value, FILE_BYTES_MAX);
  if (!envelope.ok)
    return refuse("FILE_MALFORMED", `${path} is no operator file of this version: ${envelope.refusal.message}`);
  const { version, salt, nonce, sealed } = envelope.value;
  const key = keyFor(salt);
  const plaintext = openAead(key, nonce, sealed, aad(version));
  if (plaintext === undefined)
    return refuse("PASSPHRASE_WRONG", `The passphrase does not open ${path}, or the file was changed; try again.`);
  const secrets = readSecrets(version, plaintext);
  plaintext.fill(0);
  if (!secrets.ok) return refuse("FILE_MALFORMED", `${path} holds no operator's secrets: ${secrets.refusal.message}`);
  return ok({ salt, key, secrets: secrets.value });
}

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
    const opened = openEnvelope(path, (salt) => passphraseKey(passphrase, salt));
    if (!opened.ok) return opened;
    const { salt, key, secrets } = opened.value;
    return ok(new OperatorFile(path, salt, key, secrets, random));
  }

  get secrets(): OperatorSecrets {
    return this.#secrets;
  }

  shareOf(cluster: Digest, node: Aid): HeldShare | undefined {
    return this.#secrets.shares.find((share) => share.cluster === cluster && share.node === node);
  }

  /** Adds the share, in place of an older one of the same node; durable when this returns. */
  addShare(share: HeldShare): void {
    this.#change((secrets) => {
      const others = secrets.shares.filter((held) => held.cluster !== share.cluster || held.node !== share.node);
      return { ...secrets, shares: [...others, share] };
    });
  }

  /** The operator's identifier as `SkyClient` uses and rotates it in this cluster. `now`: ms since 1970. */
  identity(cluster: Digest, now: () => number = () => Date.now()): IdentityStore {
    const kept = ({ aid, kel, current, next, pending, since }: OperatorSecrets): KeptIdentity => {
      const controller = { aid, kel, current, next, pending };
      return { ...controller, cluster, ...(since !== null && { since }) };
    };
    return {
      role: "operator",
      read: () => kept((this.#secrets = this.#read())),
      update: (change) => {
        this.#change((secrets) => {
          const before = kept(secrets);
          const { kel, current, next, pending, since = null } = changedIdentity(before, change(before), now());
          return { ...secrets, kel, current, next, pending, since };
        });
        return kept(this.#secrets);
      },
    };
  }

  /** Zero-fills what can be. */
  close(): void {
    const { current, next, pending, hpke, shares } = this.#secrets;
    const values = shares.map(({ value }) => value);
    for (const secret of [this.#key, ...current, ...next, ...(pending?.next ?? []), hpke, ...values]) secret.fill(0);
  }

  /** Another process may have changed the file since it was read: its newest is what is changed. */
  #change(change: (secrets: OperatorSecrets) => OperatorSecrets): void {
    withFileLock(this.#path, () => {
      this.#secrets = change(this.#read());
      this.#write();
    });
  }

  /** Throws: Fault for a file that was damaged, or encrypted anew, since it was opened. */
  #read(): OperatorSecrets {
    const opened = openEnvelope(this.#path, () => this.#key);
    if (!opened.ok) throw new Fault(opened.refusal.code, opened.refusal.message);
    return opened.value.secrets;
  }

  #write(): void {
    const plaintext = encode(secretsShape, this.#secrets);
    const nonce = this.#random(AEAD_NONCE_BYTES);
    const sealed = sealAead(this.#key, nonce, plaintext, aad(VERSION));
    plaintext.fill(0);
    writeAtomic(
      this.#path,
      armor("SKY OPERATOR FILE", encode(envelopeShape, { version: VERSION, salt: this.#salt, nonce, sealed })),
    );
  }
}
