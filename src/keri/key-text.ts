/** Keys as events write them, and what each code says of a key: its algorithm, and whether it may be rotated away from. */
import { type Refusal, type Result, ok, refuse } from "../base/result.ts";
import { type KeyAlgorithm, type VerificationKey, isAcceptableKey } from "../crypto/verification-key.ts";
import { type MatterCode, decodeMatter, encodeMatter } from "./cesr/matter.ts";

/** Source: ToIP CESR specification, master code table. Ed448 (1AAC, 1AAD) is known to it and not read here. */
const KEY_CODES: Partial<
  Readonly<Record<MatterCode, { readonly algorithm: KeyAlgorithm; readonly transferable: boolean }>>
> = {
  B: { algorithm: "ed25519", transferable: false },
  D: { algorithm: "ed25519", transferable: true },
  "1AAA": { algorithm: "secp256k1", transferable: false },
  "1AAB": { algorithm: "secp256k1", transferable: true },
  "1AAI": { algorithm: "p256", transferable: false },
  "1AAJ": { algorithm: "p256", transferable: true },
};

/** Whether a text of this code is a key, of an algorithm that is read here. */
export const isKeyCode = (code: MatterCode): boolean => KEY_CODES[code] !== undefined;

export type KeyRefusal = Refusal<"KERI_MALFORMED" | "KERI_UNSUPPORTED" | "KERI_RULE">;

/** A public key, and whether an identifier that is this key may rotate. */
export interface KeyOfText extends VerificationKey {
  readonly transferable: boolean;
}

/** The key that a text stands for. Refuses: KERI_MALFORMED, KERI_UNSUPPORTED for what is no key, KERI_RULE for a point that may be none. */
export function parseKeyText(text: string): Result<KeyOfText, KeyRefusal> {
  const matter = decodeMatter(text);
  if (!matter.ok) return matter;
  const kind = KEY_CODES[matter.value.code];
  if (kind === undefined)
    return refuse(
      "KERI_UNSUPPORTED",
      `Code ${matter.value.code} is no public key of Ed25519, secp256k1 or P-256.`,
      "peer",
    );
  const key = { ...kind, bytes: matter.value.raw };
  return isAcceptableKey(key)
    ? ok(key)
    : refuse(
        "KERI_RULE",
        `A key is no acceptable ${kind.algorithm} point (not canonical, off the curve, or of small order).`,
        "peer",
      );
}

/** Text of a transferable Ed25519 key (code D). */
export const keyText = (publicKey: Uint8Array): string => encodeMatter("D", publicKey);
