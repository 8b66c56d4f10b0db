/** Keys of an unsealed node: what they sign, and nothing else. */
import type { Aid } from "../../base/brands.ts";
import { concatBytes, digestBytes, equalBytes, fromUtf8, utf8 } from "../../base/bytes.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { publicKeyOf, signer } from "../../crypto/ed25519.ts";
import { sha256 } from "../../crypto/hash.ts";
import { hkdf } from "../../crypto/hkdf.ts";
import { Secret } from "../../crypto/secret.ts";
import { type NodeKeys, type Shown, eraseKeys, shownBy } from "./node-keys.ts";
import type { EnclaveFounding, EnclaveRefusal, NodeKeyStatus } from "./ports.ts";

/** `witness` signs key events of others, as they are; the other two sign messages of ours. */
export type SigningKey = "epoch" | "identifier" | "witness";

/**
 * Types of message that each key signs on request. What a node says about itself (certificates, dealings) is made by the
 * enclave alone, so a worker that went astray cannot have it signed.
 */
const SIGNED_TYPES: Readonly<Record<Exclude<SigningKey, "witness">, ReadonlySet<string>>> = {
  epoch: new Set(["proposal", "notarize", "nullify", "finalize", "bundle", "root", "checkpoint"]),
  identifier: new Set(["signed"]),
};

const DOMAIN_BYTES_MAX = 64;

/** A key event names its protocol within its first bytes, whatever it is serialised as. */
const EVENT_PREFIX_BYTES = 24;
const KERI = utf8("KERI");
const isKeyEvent = (message: Uint8Array): boolean => {
  const prefix = message.subarray(0, EVENT_PREFIX_BYTES);
  return prefix.some((_, at) => equalBytes(prefix.subarray(at, at + KERI.length), KERI));
};

/** A reply (KERI, version 1) binds endpoints of whoever signs it, and can be taken for nothing else. */
const REPLY = /^\{"v":"KERI10JSON[0-9a-f]{6}_","t":"rpy",/;
const REPLY_PREFIX_BYTES = 36;
const isReply = (message: Uint8Array): boolean => REPLY.test(fromUtf8(message.subarray(0, REPLY_PREFIX_BYTES)) ?? "");

/** The inception of a self-addressing identifier: there is but one, since the identifier is its digest. */
const INCEPTION = /^\{"v":"KERI10JSON[0-9a-f]{6}_","t":"icp","d":"([^"]{44})","i":"([^"]{44})",/;
const INCEPTION_PREFIX_BYTES = 140;
function isInceptionOf(aid: Aid, message: Uint8Array): boolean {
  const [, said, named] = INCEPTION.exec(fromUtf8(message.subarray(0, INCEPTION_PREFIX_BYTES)) ?? "") ?? [];
  return said === aid && named === aid;
}

type Signers = Readonly<Record<SigningKey, (message: Uint8Array) => Uint8Array>>;
const signersOf = ({ epoch, current, witness }: NodeKeys): Signers => ({
  epoch: signer(epoch),
  identifier: signer(current),
  witness: signer(witness),
});

export class Custody {
  #keys: Secret<NodeKeys>;
  /** Opens the keystore: keys that rotate are written anew under it. */
  readonly dataKey: Secret<Uint8Array>;
  readonly #cluster: Uint8Array;
  readonly #aid: Aid;
  readonly #markKey: Secret<Uint8Array>;
  #sign: Signers | undefined;

  private constructor(keys: NodeKeys, dataKey: Uint8Array, { cluster, node }: EnclaveFounding) {
    this.#aid = node.aid;
    this.#keys = new Secret(keys);
    this.dataKey = new Secret(dataKey);
    this.#cluster = digestBytes(cluster);
    this.#markKey = new Secret(hkdf(keys.mark, this.#cluster, utf8("sky/mark-key/v1"), 32));
    this.#sign = signersOf(keys);
  }

  /**
   * Takes the keys and what opens them; both are erased when it refuses. Whether rotated keys are those in force, the log says.
   * Refuses: KEYSTORE_DAMAGED when the keys are not those that the founding document names.
   */
  static open(keys: NodeKeys, dataKey: Uint8Array, founding: EnclaveFounding): Result<Custody, EnclaveRefusal> {
    const belongs =
      (keys.keyState.sn > 0 || equalBytes(publicKeyOf(keys.current), founding.node.key)) &&
      equalBytes(publicKeyOf(keys.epoch), founding.node.epochKey);
    if (belongs) return ok(new Custody(keys, dataKey, founding));
    eraseKeys(keys);
    dataKey.fill(0);
    return refuse(
      "KEYSTORE_DAMAGED",
      "the keystore's keys are not those that the founding document names for this node",
      "none",
    );
  }

  /**
   * Signs complete messages: of the witness key events, of the others "sky/<type>/v1\0" ‖ cluster ‖ … of this cluster and of the
   * key's types; of the identifier its own inception and KERI replies too. Refuses: SIGNING_REFUSED, SEALED.
   */
  sign(key: SigningKey, messages: readonly Uint8Array[]): Result<readonly Uint8Array[], EnclaveRefusal> {
    const sign = this.#sign?.[key];
    if (sign === undefined) return sealed();
    for (const message of messages) {
      if (this.#maySign(key, message)) continue;
      return refuse(
        "SIGNING_REFUSED",
        `The ${key} key signs no message of type ${JSON.stringify(this.#typeOf(message) ?? "unknown")} of this cluster.`,
        "none",
      );
    }
    return ok(messages.map(sign));
  }

  #maySign(key: SigningKey, message: Uint8Array): boolean {
    if (key === "witness") return isKeyEvent(message);
    if (key === "identifier" && (isReply(message) || isInceptionOf(this.#aid, message))) return true;
    return SIGNED_TYPES[key].has(this.#typeOf(message) ?? "");
  }

  /** What may be known of the keys. */
  status(): NodeKeyStatus {
    const { keyState, since, pending, witness } = this.#keys.reveal();
    return {
      keyState,
      since,
      pending: pending && { sn: pending.sn, said: pending.said, stream: pending.stream },
      witness: publicKeyOf(witness),
    };
  }

  /** The keys themselves, for as long as `use` runs. */
  withKeys<T>(use: (keys: NodeKeys) => T): T {
    return use(this.#keys.reveal());
  }

  /** Others take their place, which the keystore holds by now. Seeds that went out of use are erased. */
  replace(keys: NodeKeys): void {
    const { current } = this.#keys.reveal();
    this.#keys = new Secret(keys);
    this.#sign = signersOf(keys);
    if (current !== keys.current) current.fill(0);
  }

  /** What the node tells itself across a restart cannot be changed by who can write its files. Bounds: any length. */
  mark(bytes: Uint8Array): Uint8Array {
    return hkdf(this.#markKey.reveal(), new Uint8Array(0), concatBytes(utf8("sky/mark/v1\0"), sha256(bytes)), 32);
  }

  /** Whose key stands behind certificates. The seed is the custody's own. */
  shown(): Shown {
    return shownBy(this.#keys.reveal());
  }

  /** Signs as the node's identifier what only the enclave makes. */
  signOwn(message: Uint8Array): Uint8Array {
    return signer(this.#keys.reveal().current)(message);
  }

  /** The issuer's key and certificate, for as long as `use` runs. */
  withIssuer<T>(use: (issuerKey: Uint8Array, issuerCertificate: Uint8Array) => T): T {
    const { issuerKey, issuerCertificate } = this.#keys.reveal();
    return use(issuerKey, issuerCertificate);
  }

  erase(): void {
    if (!this.#keys.erased) eraseKeys(this.#keys.reveal());
    this.#keys.erase();
    this.dataKey.erase();
    this.#markKey.erase();
    this.#sign = undefined;
  }

  #typeOf(message: Uint8Array): string | undefined {
    const end = message.indexOf(0);
    if (end < 0 || end > DOMAIN_BYTES_MAX || message.length < end + 1 + this.#cluster.length) return undefined;
    if (!equalBytes(message.subarray(end + 1, end + 1 + this.#cluster.length), this.#cluster)) return undefined;
    return /^sky\/([a-z-]+)\/v1$/.exec(fromUtf8(message.subarray(0, end)) ?? "")?.[1];
  }
}

export const sealed = () => refuse("SEALED", "The node is sealed; operators must unseal it (sky unseal).", "none");
