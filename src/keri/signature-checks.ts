/**
 * Which of the signatures attached to a message hold. One that does not is left out and never counted, as keripy does it: others
 * may have added it on the way. How many are tried is bounded by the keys that could have made them.
 */
import { utf8 } from "../base/bytes.ts";
import type { VerificationKey } from "../crypto/verification-key.ts";
import { verifySignature } from "../crypto/verification-key.ts";
import { isThresholdMet } from "../crypto/threshold.ts";
import type { CheckBudget } from "./check-budget.ts";
import { parseKeyText } from "./key-text.ts";
import type { KeyState } from "./key-state.ts";
import type { IndexedSignature, ReceiptCouple } from "./messages.ts";
import { isDigestOf } from "./said.ts";

/** CESR codes of signatures in couples. */
const COUPLE_CODES = { ed25519: "0B", secp256k1: "0C", p256: "0I" } as const;

/** An honest message has one signature per key; two where a key signs under a code of each kind. The rest is somebody's excess. */
export const signaturesMax = (keys: number): number => 4 * keys + 4;

/** Those that hold, each place (index, ondex) once, in the order given; none that comes after the budget's end. */
export function validIndexed(
  message: Uint8Array,
  keys: readonly VerificationKey[],
  signatures: readonly IndexedSignature[],
  budget: CheckBudget,
): readonly IndexedSignature[] {
  const valid: IndexedSignature[] = [];
  for (const signature of signatures) {
    const { index, ondex, algorithm, sig } = signature;
    const key = keys[index];
    if (key === undefined || key.algorithm !== algorithm) continue;
    if (valid.some((other) => other.index === index && other.ondex === ondex)) continue;
    if (!budget.mayCheck(key, message.length)) break;
    if (verifySignature(key, message, sig)) valid.push(signature);
  }
  return valid;
}

/** Positions of the keys that signed, each once whatever codes say so. */
export const indicesOf = (signatures: readonly IndexedSignature[]): ReadonlySet<number> =>
  new Set(signatures.map(({ index }) => index));

/**
 * Positions in the prior next list whose digest is that of a key that signed. Source: ToIP KERI specification, "Indexed
 * signatures", dual indexed codes; "Partial, reserve, and custodial rotations".
 */
export function exposedIndices(
  nextDigests: readonly string[],
  keyTexts: readonly string[],
  signatures: readonly IndexedSignature[],
): ReadonlySet<number> {
  const exposed = new Set<number>();
  for (const { index, ondex } of signatures) {
    const digest = ondex === null ? undefined : nextDigests[ondex];
    const key = keyTexts[index];
    if (ondex === null || digest === undefined || key === undefined || exposed.has(ondex)) continue;
    if (isDigestOf(digest, utf8(key))) exposed.add(ondex);
  }
  return exposed;
}

/** Whether the current threshold is met, and, where the event rotates away from `prior`, the threshold that was committed to as well. */
export function isFullySigned(
  state: KeyState,
  prior: KeyState | null,
  signatures: readonly IndexedSignature[],
): boolean {
  if (!isThresholdMet(state.threshold, indicesOf(signatures))) return false;
  return (
    prior === null || isThresholdMet(prior.nextThreshold, exposedIndices(prior.nextDigests, state.keyTexts, signatures))
  );
}

/** The key of a non-transferable identifier; undefined for any other text. */
export function nonTransferableKey(text: string): VerificationKey | undefined {
  const key = parseKeyText(text);
  return key.ok && !key.value.transferable ? key.value : undefined;
}

/** The couples that hold, each receiptor once. Those of transferable keys never do: their key may have been rotated away. */
export function validCouples(
  message: Uint8Array,
  couples: readonly ReceiptCouple[],
  budget: CheckBudget,
): readonly ReceiptCouple[] {
  const valid = new Map<string, ReceiptCouple>();
  for (const couple of couples) {
    if (valid.has(couple.receiptor)) continue;
    const key = nonTransferableKey(couple.receiptor);
    if (key === undefined || COUPLE_CODES[key.algorithm] !== couple.code) continue;
    budget.readKeys([key]);
    if (!budget.mayCheck(key, message.length)) break;
    if (verifySignature(key, message, couple.sig)) valid.set(couple.receiptor, couple);
  }
  return [...valid.values()];
}

export interface WitnessSupport {
  /** Positions in the witness list. */
  readonly witnesses: ReadonlySet<number>;
  readonly signatures: readonly IndexedSignature[];
  readonly couples: readonly ReceiptCouple[];
}

/** Witnesses that support an event by indexed signatures or by couples; and what else holds among the couples. */
export function validWitnesses(
  message: Uint8Array,
  witnesses: readonly string[],
  signatures: readonly IndexedSignature[],
  couples: readonly ReceiptCouple[],
  budget: CheckBudget,
): WitnessSupport {
  const keys = signatures.length === 0 ? [] : witnesses.map((text) => nonTransferableKey(text));
  budget.readKeys(keys.filter((key) => key !== undefined));
  const valid = signatures.filter(({ index, algorithm, sig }) => {
    const key = keys[index];
    if (key === undefined || key.algorithm !== algorithm || !budget.mayCheck(key, message.length)) return false;
    return verifySignature(key, message, sig);
  });
  const once = [...new Map(valid.map((one) => [one.index, one])).values()];
  const validOnes = validCouples(message, couples, budget);
  const positions = new Set(once.map(({ index }) => index));
  for (const { receiptor } of validOnes) {
    const position = witnesses.indexOf(receiptor);
    if (position >= 0) positions.add(position);
  }
  return { witnesses: positions, signatures: once, couples: validOnes };
}
