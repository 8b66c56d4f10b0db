/**
 * Receipts of an event that is not known yet can be judged by nobody, so whoever signs may send any. What one signer, and with it all
 * identifiers that it delegates to, may have wait is a share of the place there is: others' receipts find room beside.
 */
import type { Aid } from "../base/brands.ts";
import { decodeAttachments } from "./attachment-groups.ts";
import type { EscrowBounds, KerlEscrow, KerlReader } from "./kerl.ts";
import type { Attachments, TransferableSignatures } from "./messages.ts";
import { storedBody } from "./stored-body.ts";

/** Of the receipts that wait under one identifier, so many may be by one signer: a quarter. */
const SHARES = 4;
/** Signatures of one signer in one receipt: one per key. */
const SIGNATURES_MAX = 64;
/** Who delegates to whom, so many steps up: then it counts by itself. */
const DELEGATORS_MAX = 16;

/** Who answers for an identifier: the delegator of its delegator, and so on. Others make identifiers only with somebody's leave. */
function rootOf(reader: KerlReader, aid: Aid): Aid {
  let root = aid;
  for (let steps = 0; steps < DELEGATORS_MAX; steps++) {
    const delegator = reader.keyState(root)?.delegator ?? null;
    if (delegator === null) break;
    root = delegator;
  }
  return root;
}

/** The receipts with no more of each signer than an honest one has; what came first stays. */
export function withinShare(reader: KerlReader, given: Attachments): Attachments {
  const used = new Map<string, number>();
  const take = (signer: string, wanted: number): number => {
    const before = used.get(signer) ?? 0;
    const taken = Math.min(wanted, SIGNATURES_MAX - before);
    used.set(signer, before + taken);
    return taken;
  };
  const groups: TransferableSignatures[] = [];
  for (const group of given.transferableSignatures) {
    const taken = take(rootOf(reader, group.aid), group.signatures.length);
    if (taken > 0) groups.push({ ...group, signatures: group.signatures.slice(0, taken) });
  }
  return {
    ...given,
    receiptCouples: given.receiptCouples.filter(({ receiptor }) => take(receiptor, SIGNATURES_MAX / 2) > 0),
    transferableSignatures: groups,
  };
}

function signersOf(reader: KerlReader, { receiptCouples, transferableSignatures }: Attachments): ReadonlySet<string> {
  return new Set<string>([
    ...receiptCouples.map(({ receiptor }) => receiptor),
    ...transferableSignatures.map(({ aid }) => rootOf(reader, aid)),
  ]);
}

/** Whether every signer of these receipts has a place left among `others`, which wait under the same identifier. */
export function hasShare(
  reader: KerlReader,
  given: Attachments,
  others: readonly KerlEscrow[],
  { perAid }: EscrowBounds,
): boolean {
  const places = new Map([...signersOf(reader, given)].map((signer) => [signer, Math.ceil(perAid / SHARES)]));
  for (const { event, attached } of others) {
    const there = signersOf(reader, decodeAttachments(attached, storedBody(event).version.major));
    for (const signer of there) {
      const left = places.get(signer);
      if (left === 1) return false;
      if (left !== undefined) places.set(signer, left - 1);
    }
  }
  return true;
}
