/**
 * Signatures of identifiers that may rotate, over an event of another or over a reply: they hold by the keys of the establishment
 * event that they name. Source: ToIP KERI specification, "Receipt messages", transferable receipts.
 */
import type { Aid } from "../base/brands.ts";
import type { CheckBudget } from "./check-budget.ts";
import { type KerlReader, SIGNERS_PER_EVENT_MAX, transferableName } from "./kerl.ts";
import type { KeyState } from "./key-state.ts";
import type { TransferableSignatures } from "./messages.ts";
import { validIndexed } from "./signature-checks.ts";

/** The state whose keys a group of signatures is by; "unknown" while its event may still come, "wrong" when another is in force there. */
export function signerState(
  reader: KerlReader,
  { aid, establishment }: Pick<TransferableSignatures, "aid" | "establishment">,
): KeyState | "unknown" | "wrong" {
  if (establishment === null) return reader.keyState(aid) ?? "unknown";
  const state = reader.keyStateAt(aid, establishment.sn);
  if (state === undefined) return "unknown";
  return state.sn === establishment.sn && state.said === establishment.said ? state : "wrong";
}

export interface TransferableChecks {
  readonly valid: readonly TransferableSignatures[];
  /** Signer names of what holds, each once. */
  readonly names: readonly string[];
  /** Those whose signer's event is not known yet. */
  readonly unknown: readonly TransferableSignatures[];
}

/** Bounds: the first 256 signatures are tried. */
export function validTransferables(
  reader: KerlReader,
  message: Uint8Array,
  groups: readonly TransferableSignatures[],
  budget: CheckBudget,
): TransferableChecks {
  const valid: TransferableSignatures[] = [];
  const unknown: TransferableSignatures[] = [];
  const names = new Set<string>();
  let tried = 0;
  for (const group of groups) {
    const state = signerState(reader, group);
    if (state === "unknown") unknown.push(group);
    if (typeof state === "string") continue;
    const given = group.signatures.slice(0, SIGNERS_PER_EVENT_MAX - tried);
    const signatures = validIndexed(message, state.keys, given, budget);
    tried += group.signatures.length;
    if (signatures.length > 0) valid.push({ ...group, signatures });
    for (const { index } of signatures) names.add(transferableName(group.aid, state.sn, index));
    if (tried >= SIGNERS_PER_EVENT_MAX) break;
  }
  return { valid, names: [...names], unknown };
}

/** Of groups, those of one signer; for escrows, which wait for one each. */
export const bySigner = (
  groups: readonly TransferableSignatures[],
): ReadonlyMap<Aid, readonly TransferableSignatures[]> => Map.groupBy(groups, ({ aid }) => aid);
