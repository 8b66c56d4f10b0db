/** Keys of an unsealed node: what they sign, and nothing else. */
import type { Digest } from "../../base/brands.ts";
import { concatBytes, digestBytes, equalBytes, fromUtf8, utf8 } from "../../base/bytes.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { publicKeyOf, signer } from "../../crypto/ed25519.ts";
import { sha256 } from "../../crypto/hash.ts";
import { hkdf } from "../../crypto/hkdf.ts";
import { Secret } from "../../crypto/secret.ts";
import type { NodeKeys } from "./keystore.ts";
import type { EnclaveFounding, EnclaveRefusal } from "./ports.ts";

export type SigningKey = "epoch" | "identifier";

/**
 * Types of message that each key signs on request. What a node says about itself (certificates, dealings) is made by the
 * enclave alone, so a worker that went astray cannot have it signed.
 */
const SIGNED_TYPES: Readonly<Record<SigningKey, ReadonlySet<string>>> = {
  epoch: new Set(["proposal", "notarize", "nullify", "finalize", "bundle", "root", "checkpoint"]),
  identifier: new Set(["signed"]),
};

const DOMAIN_BYTES_MAX = 64;

export class Custody {
  readonly #keys: Secret<NodeKeys>;
  readonly #cluster: Uint8Array;
  readonly #markKey: Secret<Uint8Array>;
  #sign: Readonly<Record<SigningKey, (message: Uint8Array) => Uint8Array>> | undefined;

  private constructor(keys: NodeKeys, cluster: Digest) {
    this.#keys = new Secret(keys);
    this.#cluster = digestBytes(cluster);
    this.#markKey = new Secret(hkdf(keys.mark, this.#cluster, utf8("sky/mark-key/v1"), 32));
    this.#sign = { epoch: signer(keys.epoch), identifier: signer(keys.current) };
  }

  /** Refuses: KEYSTORE_DAMAGED when the keys are not those that the founding document names. */
  static open(keys: NodeKeys, founding: EnclaveFounding): Result<Custody, EnclaveRefusal> {
    const belongs =
      equalBytes(publicKeyOf(keys.current), founding.node.key) &&
      equalBytes(publicKeyOf(keys.epoch), founding.node.epochKey);
    if (belongs) return ok(new Custody(keys, founding.cluster));
    eraseKeys(keys);
    return refuse(
      "KEYSTORE_DAMAGED",
      "the keystore's keys are not those that the founding document names for this node",
      "none",
    );
  }

  /** Signs complete messages ("sky/<type>/v1\0" ‖ cluster ‖ …) of this cluster and of this key's types. Refuses: SIGNING_REFUSED, SEALED. */
  sign(key: SigningKey, messages: readonly Uint8Array[]): Result<readonly Uint8Array[], EnclaveRefusal> {
    const sign = this.#sign?.[key];
    if (sign === undefined) return sealed();
    for (const message of messages) {
      const type = this.#typeOf(message);
      if (type === undefined || !SIGNED_TYPES[key].has(type)) {
        return refuse(
          "SIGNING_REFUSED",
          `The ${key} key signs no message of type ${JSON.stringify(type ?? "unknown")} of this cluster.`,
          "none",
        );
      }
    }
    return ok(messages.map(sign));
  }

  /** What the node tells itself across a restart cannot be changed by who can write its files. Bounds: any length. */
  mark(bytes: Uint8Array): Uint8Array {
    return hkdf(this.#markKey.reveal(), new Uint8Array(0), concatBytes(utf8("sky/mark/v1\0"), sha256(bytes)), 32);
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

function eraseKeys(keys: NodeKeys): void {
  for (const key of [keys.current, keys.next, keys.epoch, keys.issuerKey, keys.mark]) key.fill(0);
}
