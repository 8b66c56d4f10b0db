/** What a restart reads: a journal that forgives nothing, and files that must belong together before anybody is asked for a share. */
import type { Aid, Digest } from "../../base/brands.ts";
import { Fault } from "../../base/errors.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { commitmentsHash } from "./ceremony-bytes.ts";
import { type Keystore, readKeystore } from "./keystore.ts";
import type { Dealt, EnclaveFounding, EnclaveRefusal } from "./ports.ts";
import { dealtFault } from "./root.ts";
import type { Attempt, CeremonyRecord } from "../../machines/ceremony/ceremony.types.ts";
import { withAttempt } from "../../machines/ceremony/ceremony.rules.ts";

export interface Restored {
  readonly attempts: readonly Attempt[];
  readonly acknowledged: readonly Aid[];
}

/** Wrong attempts are not forgiven, acknowledgements not asked for twice. */
export function restore(records: readonly CeremonyRecord[]): Restored {
  let attempts: readonly Attempt[] = [];
  let acknowledged: readonly Aid[] = [];
  for (const record of records) {
    if (record.kind === "rejected")
      attempts = withAttempt(attempts, { operator: record.operator, at: record.at, code: record.code });
    else if (record.kind === "dealt") acknowledged = [];
    else if (record.kind === "acknowledged" && !acknowledged.includes(record.operator))
      acknowledged = [...acknowledged, record.operator];
  }
  return { attempts, acknowledged };
}

/** Throws: Fault KEYSTORE_DAMAGED: unreadable, or another node's. */
export function loadKeystore(file: Uint8Array, { node }: EnclaveFounding): Keystore {
  const keystore = readKeystore(file);
  if (!keystore.ok) throw new Fault("KEYSTORE_DAMAGED", `Node ${node.name} cannot start: ${keystore.refusal.message}.`);
  if (keystore.value.node === node.aid) return keystore.value;
  throw new Fault(
    "KEYSTORE_DAMAGED",
    `Node ${node.name} cannot start: the keystore is that of ${keystore.value.node}; restore its own.`,
  );
}

/** Throws: Fault BOOT_FILE_DAMAGED: with other commitments than the root's, operators would be blamed for shares that fit. */
export function assertDealt(dealt: Dealt | null, commitments: Digest, founding: EnclaveFounding): void {
  const fault =
    dealt === null
      ? "it has no commitments, though the keystore is under a root"
      : commitmentsHash(dealt.commitments) === commitments
        ? dealtFault(dealt, founding, { cluster: founding.cluster, node: founding.node.aid })
        : "its commitments are not those of the keystore's root";
  if (fault === undefined) return;
  throw new Fault(
    "BOOT_FILE_DAMAGED",
    `The boot file of node ${founding.node.name} was changed or damaged: ${fault}. Restore it from a backup.`,
  );
}

/** The caller's index in a dealing; `dealt` is null before there is a root. Refuses: NOT_OPERATOR, NOT_INITIALISED. */
export function dealtTo(
  caller: Aid,
  { operators, node }: EnclaveFounding,
  dealt: Dealt | null,
): Result<{ readonly index: number; readonly root: Dealt }, EnclaveRefusal> {
  const index = operators.findIndex(({ aid }) => aid === caller) + 1;
  if (index === 0)
    return refuse(
      "NOT_OPERATOR",
      `${caller} is no operator of this cluster; connect with the certificate of an operator that the founding document names.`,
    );
  if (dealt === null)
    return refuse("NOT_INITIALISED", `Node ${node.name} has no root yet; initialise it first (sky unseal does).`);
  return ok({ index, root: dealt });
}
