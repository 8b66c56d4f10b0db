/** Between the messages of sky.kerl.v1 and the types of key event receipt logs. */
import type { Aid, Height } from "../../base/brands.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { ESCROW_HEIGHTS_MAX, type KerlEscrow } from "../../keri/kerl.ts";
import { keptAttachments } from "../../keri/escrow.ts";
import type { KeyState } from "../../keri/key-state.ts";
import { storedBody } from "../../keri/stored-body.ts";
import { writeThreshold } from "../../keri/threshold.ts";
import { exported } from "../../projections/kerl/export.ts";
import type { KerlChange, StoredKeyEvent } from "../../projections/kerl/history.ts";
import type * as Kerl from "../../wire/generated/sky/kerl/v1/kerl.ts";

/** Prefixes of 28 and 64 bytes, as CESR text. */
const AID = /^[A-Za-z0-9][A-Za-z0-9_-]{43,87}$/;

/** Refuses: EMPTY_MESSAGE, MALFORMED. */
export function aidOf(text: string): Result<Aid> {
  if (AID.test(text)) return ok(text as Aid);
  return text === ""
    ? refuse("EMPTY_MESSAGE", "The request names no identifier; give its CESR text.")
    : refuse("MALFORMED", "What should be an identifier is no CESR text of 44 to 88 characters.");
}

/** A uint64 as a sequence number; what none can be becomes the largest integer, which no log has. */
export const snOf = (value: bigint): number =>
  value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);

export const eventRefMessage = ({ sn, said }: { readonly sn: number; readonly said: string }): Kerl.EventRef => ({
  sn: BigInt(sn),
  said,
});

/** As JSON writes it in events, without the quotes of plain numbers. */
function thresholdText(threshold: KeyState["threshold"]): string {
  const written = writeThreshold(threshold);
  return typeof written === "string" ? written : JSON.stringify(written);
}

export const keyStateMessage = (state: KeyState): Kerl.KeyState => ({
  aid: state.aid,
  latest: eventRefMessage(state.latest),
  latestType: state.latest.type,
  establishment: eventRefMessage(state),
  keys: state.keyTexts,
  threshold: thresholdText(state.threshold),
  nextDigests: state.nextDigests,
  nextThreshold: thresholdText(state.nextThreshold),
  witnesses: state.witnesses,
  witnessThreshold: state.witnessThreshold,
  traits: state.traits,
  delegator: state.delegator ?? "",
});

export const exportedMessage = (aid: Aid, event: StoredKeyEvent): Kerl.ExportedEvent => ({
  aid,
  sn: BigInt(event.sn),
  said: event.said,
  type: event.type,
  stream: Buffer.from(exported(aid, event)),
  height: BigInt(event.from.height),
  index: event.from.index,
  ...(event.to === null ? {} : { supersededAt: BigInt(event.to.height) }),
});

export const changeMessage = ({ at, kind, sn, said }: KerlChange): Kerl.Change => ({
  height: BigInt(at.height),
  index: at.index,
  kind,
  event: eventRefMessage({ sn, said }),
});

/** `witnessesOf`: those that the event names, once it is in force; undefined where that is not known yet. */
export function escrowMessage(
  escrow: KerlEscrow,
  witnessesOf: (escrow: KerlEscrow) => readonly string[] | undefined,
): Kerl.Escrow {
  const { sn, said, reason, waitsFor, height } = escrow;
  return {
    sn: BigInt(sn),
    said,
    reason,
    waitsFor,
    height: BigInt(height),
    expiresAfter: BigInt(height + ESCROW_HEIGHTS_MAX - 1),
    witnesses: receiptors(escrow, witnessesOf(escrow) ?? []),
  };
}

/** Witnesses whose signatures wait with an event: what is kept in an escrow was verified. */
export function receiptors(escrow: KerlEscrow, witnesses: readonly string[]): readonly string[] {
  if (storedBody(escrow.event).type === "rpy") return [];
  const { witnessSignatures, receiptCouples } = keptAttachments(escrow);
  const signers = [
    ...witnessSignatures.flatMap(({ index }) => witnesses[index] ?? []),
    ...receiptCouples.map(({ receiptor }) => receiptor),
  ];
  return [...new Set(signers)];
}

/** Names of signers (src/keri/kerl.ts), sorted out. */
export function signersMessage(
  names: Iterable<string>,
): Pick<Kerl.GetReceiptsResponse, "keys" | "witnesses" | "others"> {
  const keys: number[] = [];
  const witnesses: string[] = [];
  const others: Kerl.TransferableReceipt[] = [];
  for (const name of names) {
    const [kind, who = "", sn = "0", key = "0"] = name.split(":");
    if (kind === "key") keys.push(Number(who));
    else if (kind === "non") witnesses.push(who);
    else others.push({ aid: who, sn: BigInt(sn), key: Number(key) });
  }
  return { keys, witnesses, others };
}

export const notFound = (what: string, height: Height) =>
  refuse("NOT_FOUND", `There is no ${what} in the log up to height ${height}; see that it was appended, and its text.`);
