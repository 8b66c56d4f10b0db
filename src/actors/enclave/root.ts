/** Drawing, dealing and restoring a node's root. Pure but for the randomness it is given. Source: docs/protocol/ceremony.md. */
import type { Aid } from "../../base/brands.ts";
import { type Result, ok } from "../../base/result.ts";
import type { Refusal } from "../../base/result.ts";
import { verify } from "../../crypto/ed25519.ts";
import { type Share, combine, deal, scalarFromUniform, verifyShare } from "../../crypto/feldman.ts";
import { type Sealed, openHpke, sealHpke } from "../../crypto/hpke.ts";
import type { ShareFault } from "../../machines/ceremony/ceremony.types.ts";
import {
  type Place,
  type RootKeys,
  SEALED_SHARE_BYTES_MAX,
  commitmentsHash,
  dealingSigningBytes,
  dealtShareInfo,
  decodeShare,
  rootKeys,
  shareInfo,
  shareSigningBytes,
} from "./ceremony-bytes.ts";
import type { Dealt, EnclaveFounding } from "./ports.ts";

export interface DealtRoot {
  readonly dealt: Dealt;
  readonly keys: RootKeys;
}

/** Draws a root, deals it k of n and seals each share to its operator. Scalar and shares are erased when this returns. */
export async function dealRoot(
  founding: EnclaveFounding,
  place: Place,
  random: (length: number) => Uint8Array,
  sign: (message: Uint8Array) => Uint8Array,
): Promise<DealtRoot> {
  const scalar = drawScalar(random);
  const coefficients = Array.from({ length: founding.threshold - 1 }, () => drawScalar(random));
  const { shares, commitments } = deal(scalar, coefficients, founding.operators.length);
  const hash = commitmentsHash(commitments);
  try {
    const sealed = await Promise.all(
      founding.operators.map(({ hpkeKey }, i) => {
        const share = shares[i] as Share;
        return sealHpke(hpkeKey, random(32), share.value, { info: dealtShareInfo(place, hash, share.index) });
      }),
    );
    const operators = founding.operators.map(({ aid }) => aid);
    const signature = sign(dealingSigningBytes(place, hash, operators));
    return { dealt: { commitments, operators, signature, sealed }, keys: rootKeys(place, scalar, hash) };
  } finally {
    for (const secret of [scalar, ...coefficients, ...shares.map(({ value }) => value)]) secret.fill(0);
  }
}

function drawScalar(random: (length: number) => Uint8Array): Uint8Array {
  const uniform = random(48);
  const scalar = scalarFromUniform(uniform);
  uniform.fill(0);
  return scalar;
}

/** Opens an offered share and checks index, signature and commitment, in that order. */
export async function judgeShare(question: {
  readonly place: Place;
  readonly ceremony: string;
  readonly privateKey: Uint8Array;
  readonly offered: Sealed;
  readonly index: number;
  readonly operatorKey: Uint8Array;
  readonly commitments: readonly Uint8Array[];
}): Promise<Share | ShareFault> {
  const info = shareInfo(question.place, question.ceremony, "unseal");
  if (question.offered.ciphertext.length > SEALED_SHARE_BYTES_MAX) return "UNREADABLE_SHARE";
  const plaintext = await openHpke(question.privateKey, question.offered, { info });
  const share = plaintext === undefined ? undefined : decodeShare(plaintext);
  plaintext?.fill(0);
  if (share === undefined) return "UNREADABLE_SHARE";
  const fault = faultOf(share, info, question);
  if (fault === undefined) return { index: share.index, value: share.value };
  share.value.fill(0);
  return fault;
}

function faultOf(
  share: { readonly index: number; readonly value: Uint8Array; readonly signature: Uint8Array },
  info: Uint8Array,
  expected: { readonly index: number; readonly operatorKey: Uint8Array; readonly commitments: readonly Uint8Array[] },
): ShareFault | undefined {
  if (share.index !== expected.index) return "WRONG_INDEX";
  if (!verify(expected.operatorKey, shareSigningBytes(info, share.index, share.value), share.signature))
    return "WRONG_SIGNATURE";
  return verifyShare(expected.commitments, share) ? undefined : "WRONG_COMMITMENT";
}

/** Keys of the root that these k shares make. Refuses: as `combine`. */
export function restoreRoot(
  place: Place,
  commitments: readonly Uint8Array[],
  shares: readonly Share[],
): Result<RootKeys, Refusal> {
  const scalar = combine(commitments, shares);
  if (!scalar.ok) return scalar;
  const keys = rootKeys(place, scalar.value, commitmentsHash(commitments));
  scalar.value.fill(0);
  return ok(keys);
}

/** Whether boot file and founding document agree on who dealt and to whom; a sentence if not. */
export function dealtFault(dealt: Dealt, founding: EnclaveFounding, place: Place): string | undefined {
  const expected: readonly Aid[] = founding.operators.map(({ aid }) => aid);
  if (dealt.operators.length !== expected.length || dealt.operators.some((aid, i) => aid !== expected[i]))
    return "its operators are not those of the founding document";
  if (dealt.commitments.length !== founding.threshold) return "it has not as many commitments as the threshold";
  const signed = dealingSigningBytes(place, commitmentsHash(dealt.commitments), dealt.operators);
  return verify(founding.node.key, signed, dealt.signature)
    ? undefined
    : "its commitments and operators are not signed by this node";
}
