/**
 * Receipts: signatures of witnesses (indexed, or as couples), of other non-transferable identifiers and of transferable ones over an
 * event. What is new and holds is kept with the event; what cannot be checked yet waits.
 * Source: ToIP KERI specification, "Receipt messages", "Indexed signatures".
 */
import type { Said } from "../base/brands.ts";
import { present } from "../base/errors.ts";
import { NO_ATTACHMENTS } from "./attachment-groups.ts";
import type { CheckBudget } from "./check-budget.ts";
import {
  type KerlEvent,
  type KerlReader,
  SIGNERS_PER_EVENT_MAX,
  controllerName,
  nonTransferableName,
  transferableName,
} from "./kerl.ts";
import type { KeyState } from "./key-state.ts";
import type { Attachments, IndexedSignature, TransferableSignatures } from "./messages.ts";
import { signaturesMax, validIndexed, validWitnesses } from "./signature-checks.ts";
import { validTransferables } from "./transferable-receipts.ts";

export interface ReceiptChecks {
  /** What holds and was not kept yet. */
  readonly added: Attachments;
  readonly signers: readonly string[];
  /** Whether anything held, new or not. */
  readonly anyHolds: boolean;
  /** By transferable identifiers whose events are not known yet. */
  readonly unknown: readonly TransferableSignatures[];
}

/**
 * Signatures for an accepted event. Those of a superseded one are not taken any more. `withControllers`: more signatures of the
 * identifier's own keys count too (they came with the event itself once more).
 * Bounds: as many as keys and witnesses could have made; SIGNERS_PER_EVENT_MAX are kept.
 */
export function checkReceipts(
  reader: KerlReader,
  event: KerlEvent,
  attachments: Attachments,
  withControllers: boolean,
  budget: CheckBudget,
): ReceiptChecks {
  if (!event.inForce) return { added: NO_ATTACHMENTS, signers: [], anyHolds: true, unknown: [] };
  const state = present(reader.keyStateAt(event.aid, event.sn), "an event in force has its state");
  const bytes = present(reader.eventBytes(event.said), "an accepted event has its bytes");
  const found = new Found(reader, event.said);
  const given = withControllers ? found.unkept(state, attachments) : attachments;
  const controllers = withControllers ? given.controllerSignatures.slice(0, signaturesMax(state.keys.length)) : [];
  const controllerSignatures = found.indexed(validIndexed(bytes, state.keys, controllers, budget), ({ index }) =>
    controllerName(index),
  );
  const support = validWitnesses(
    bytes,
    state.witnesses,
    given.witnessSignatures.slice(0, signaturesMax(state.witnesses.length)),
    given.receiptCouples.slice(0, SIGNERS_PER_EVENT_MAX),
    budget,
  );
  const witnessSignatures = found.indexed(support.signatures, ({ index }) => witnessName(state, index));
  const receiptCouples = support.couples.filter(({ receiptor }) => found.isNew(nonTransferableName(receiptor)));
  const { valid, unknown } = validTransferables(reader, bytes, given.transferableSignatures, budget);
  const transferableSignatures = valid
    .map((group) => ({
      ...group,
      signatures: found.indexed(group.signatures, ({ index }) => groupName(reader, group, index)),
    }))
    .filter(({ signatures }) => signatures.length > 0);
  return {
    added: { ...NO_ATTACHMENTS, controllerSignatures, witnessSignatures, receiptCouples, transferableSignatures },
    signers: [...found.names].sort(),
    anyHolds: found.anyHolds,
    unknown,
  };
}

const witnessName = (state: KeyState, index: number): string =>
  nonTransferableName(present(state.witnesses[index], "a valid index is that of a witness"));

const groupName = (reader: KerlReader, { aid, establishment }: TransferableSignatures, index: number): string =>
  transferableName(aid, establishment?.sn ?? present(reader.keyState(aid), "a valid signer has a state").sn, index);

/** Tells new signers from those that are kept already. */
class Found {
  readonly #kept: ReadonlySet<string>;
  readonly names = new Set<string>();
  anyHolds = false;

  constructor(reader: KerlReader, said: Said) {
    this.#kept = reader.signers(said);
  }

  /** What is not kept under its name already: an event that comes again costs no signature check. */
  unkept(state: KeyState, given: Attachments): Attachments {
    const isKept = (name: string) => this.#kept.has(name);
    return {
      ...given,
      controllerSignatures: given.controllerSignatures.filter(({ index }) => !isKept(controllerName(index))),
      witnessSignatures: given.witnessSignatures.filter(
        ({ index }) => !isKept(nonTransferableName(state.witnesses[index] ?? "")),
      ),
      receiptCouples: given.receiptCouples.filter(({ receiptor }) => !isKept(nonTransferableName(receiptor))),
    };
  }

  isNew(name: string): boolean {
    this.anyHolds = true;
    if (this.#kept.has(name) || this.names.has(name)) return false;
    if (this.#kept.size + this.names.size >= SIGNERS_PER_EVENT_MAX) return false;
    this.names.add(name);
    return true;
  }

  indexed(
    valid: readonly IndexedSignature[],
    nameOf: (signature: IndexedSignature) => string,
  ): readonly IndexedSignature[] {
    return valid.filter((signature) => this.isNew(nameOf(signature)));
  }
}
