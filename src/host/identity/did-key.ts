/** did:key: a key that is its own identifier, so its document is made of the name alone. Source: W3C CCG, The did:key Method v0.9; Multibase, Multicodec. */
import {
  type KeyAlgorithm,
  type VerificationKey,
  isAcceptableKey,
  publicJwkOf,
} from "../../crypto/verification-key.ts";
import type { DidDocument } from "./did-document.ts";

const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/** Two bytes of a codec and 33 of a key take 48 digits to base 58. */
const DIGITS_MAX = 64;

/** Multicodec prefixes, as varints. */
const CODECS: readonly { readonly prefix: readonly [number, number]; readonly algorithm: KeyAlgorithm }[] = [
  { prefix: [0xed, 0x01], algorithm: "ed25519" },
  { prefix: [0xe7, 0x01], algorithm: "secp256k1" },
  { prefix: [0x80, 0x24], algorithm: "p256" },
];

/** Undefined for what is no did:key of a key that we read. */
export function didKeyDocument(did: string): DidDocument | undefined {
  const multibase = did.slice("did:key:".length);
  if (!did.startsWith("did:key:z")) return undefined;
  const bytes = fromBase58(multibase.slice(1));
  const codec = CODECS.find(({ prefix }) => prefix[0] === bytes?.[0] && prefix[1] === bytes[1]);
  if (bytes === undefined || codec === undefined) return undefined;
  const key: VerificationKey = { algorithm: codec.algorithm, bytes: bytes.subarray(2) };
  if (key.bytes.length !== (key.algorithm === "ed25519" ? 32 : 33) || !isAcceptableKey(key)) return undefined;
  const id = `${did}#${multibase}`;
  return {
    "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/jwk/v1"],
    id: did,
    verificationMethod: [{ id, type: "JsonWebKey", controller: did, publicKeyJwk: publicJwkOf(key) }],
    authentication: [id],
    assertionMethod: [id],
    capabilityDelegation: [id],
    capabilityInvocation: [id],
  };
}

/** Bounds: 64 digits. Undefined for other digits, or more. */
function fromBase58(text: string): Uint8Array | undefined {
  if (text.length > DIGITS_MAX) return undefined;
  let value = 0n;
  for (const digit of text) {
    const at = ALPHABET.indexOf(digit);
    if (at < 0) return undefined;
    value = value * 58n + BigInt(at);
  }
  const zeros = /^1*/.exec(text)?.[0].length ?? 0;
  const hex = value === 0n ? "" : value.toString(16);
  return Uint8Array.from(Buffer.from("00".repeat(zeros) + (hex.length % 2 === 0 ? hex : `0${hex}`), "hex"));
}
