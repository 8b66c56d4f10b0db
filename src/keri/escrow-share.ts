/**
 * Whoever may append at all may have things wait that come to nothing: receipts of events that are not known, inceptions that it never
 * anchors. What one, and with it all identifiers that it delegates to, may have wait is a share of the place there is.
 */
import type { Aid } from "../base/brands.ts";
import { decodeAttachments } from "./attachment-groups.ts";
import { type EscrowBounds, type KerlEscrow, type KerlReader, escrowSize, isReceiptEscrow } from "./kerl.ts";
import type { Attachments, TransferableSignatures } from "./messages.ts";
import { exposedIndices } from "./signature-checks.ts";
import { storedBody } from "./stored-body.ts";

/** Of the receipts that wait under one identifier, so many may be by one signer: a quarter. */
const SHARES = 4;
/** So much of all places is anybody's; after that so many may have as much as one another. */
const FREE_SHARE = 8;
const SENDERS = 64;
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

/** Signers of these receipts as they stand there, of bytes that nobody changes. */
const signersThere = new WeakMap<Uint8Array, readonly Aid[]>();

function namedIn({ receiptCouples, transferableSignatures }: Attachments): readonly Aid[] {
  const couples = receiptCouples.map(({ receiptor }) => receiptor as Aid);
  return [...new Set([...couples, ...transferableSignatures.map(({ aid }) => aid)])];
}

const rootsOf = (reader: KerlReader, aids: readonly Aid[]): ReadonlySet<Aid> =>
  new Set(aids.map((aid) => rootOf(reader, aid)));

/** Who has this wait: who signed the receipts or the reply, who delegates an identifier that is not yet one, or whose event it is. */
function sendersOf(reader: KerlReader, escrow: Waiting): ReadonlySet<Aid> {
  if (!isReceiptEscrow(escrow)) {
    const body = reader.keyState(escrow.aid) === undefined ? storedBody(escrow.event) : undefined;
    const sender = body?.type === "dip" ? body.delegator : null;
    return rootsOf(reader, [sender ?? escrow.aid]);
  }
  let named = signersThere.get(escrow.attached);
  if (named === undefined) {
    named = namedIn(decodeAttachments(escrow.attached, storedBody(escrow.event).version.major));
    signersThere.set(escrow.attached, named);
  }
  return rootsOf(reader, named);
}

type Waiting = Pick<KerlEscrow, "aid" | "sn" | "reason" | "waitsFor" | "event" | "attached">;

export const keptAttachments = (escrow: Pick<KerlEscrow, "event" | "attached">): Attachments =>
  decodeAttachments(escrow.attached, storedBody(escrow.event).version.major);

/**
 * Whether a key of the identifier signed it, as far as is known: one in force before it, or that was committed to. Anybody makes a
 * rotation of keys of his own, and what came early was not checked at all; such have half of the room, and the rest is for the identifier's own.
 */
export function isProven(reader: KerlReader, escrow: Waiting): boolean {
  if (escrow.reason === "out-of-order") return false;
  if (escrow.reason !== "partially-signed") return true;
  const body = storedBody(escrow.event);
  if (body.type !== "rot" && body.type !== "drt") return true;
  const prior = reader.keyStateAt(escrow.aid, escrow.sn - 1);
  if (prior === undefined) return false;
  const { controllerSignatures } = keptAttachments(escrow);
  return exposedIndices(prior.nextDigests, body.keys, controllerSignatures).size > 0;
}

/** Proven, of an identifier that there is: nobody else can have it wait in its name. */
const isOwn = (reader: KerlReader, escrow: Waiting): boolean =>
  !isReceiptEscrow(escrow) && reader.keyState(escrow.aid) !== undefined && isProven(reader, escrow);

/**
 * Whether everybody who would have this wait has room left: receipts, a quarter of the places of those under their identifier
 * (`others`); and of all places and all bytes, once an eighth is taken, no more than a sixty-fourth. `earlier` is what it replaces.
 * An identifier's own are weighed against its own alone: what others have wait in its name keeps none of them out.
 */
export function hasShare(
  reader: KerlReader,
  newcomer: Waiting,
  earlier: KerlEscrow | undefined,
  others: readonly KerlEscrow[],
  { perAid, all, bytesAll }: EscrowBounds,
): boolean {
  const senders = sendersOf(reader, newcomer);
  const isNew = earlier === undefined;
  const one = (): number => 1;
  const counts = isOwn(reader, newcomer) ? (escrow: KerlEscrow) => isOwn(reader, escrow) : () => true;
  if (
    isNew &&
    isReceiptEscrow(newcomer) &&
    isOver(reader, senders, others, counts, one, Math.ceil(perAid / SHARES) - 1)
  )
    return false;
  if (
    isNew &&
    reader.escrowCount() >= all / FREE_SHARE &&
    isOver(reader, senders, reader.escrows(), counts, one, all / SENDERS - 1)
  )
    return false;
  const grows = escrowSize(newcomer) - (isNew ? 0 : escrowSize(earlier));
  const isTight = reader.escrowBytes() + grows > bytesAll / FREE_SHARE;
  return !isTight || !isOver(reader, senders, reader.escrows(), counts, escrowSize, bytesAll / SENDERS - grows);
}

/** Whether one of them has more than `most` of these that count, each as much as `sizeOf` says. */
function isOver(
  reader: KerlReader,
  senders: ReadonlySet<Aid>,
  escrows: Iterable<KerlEscrow>,
  counts: (escrow: KerlEscrow) => boolean,
  sizeOf: (escrow: KerlEscrow) => number,
  most: number,
): boolean {
  const left = new Map([...senders].map((sender) => [sender, most]));
  if (most < 0) return senders.size > 0;
  for (const escrow of escrows) {
    for (const sender of sendersOf(reader, escrow)) {
      const room = left.get(sender);
      if (room === undefined || !counts(escrow)) continue;
      if (room < sizeOf(escrow)) return true;
      left.set(sender, room - sizeOf(escrow));
    }
  }
  return false;
}
