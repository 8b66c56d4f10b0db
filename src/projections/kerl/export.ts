/** Key events for others: bytes as they came, and what was signed of them since. Source: ToIP KERI specification, "Receipts"; CESR, "Attachments". */
import type { Aid, Said } from "../../base/brands.ts";
import { concatBytes } from "../../base/bytes.ts";
import { decodeAttachments } from "../../keri/attachment-groups.ts";
import { encodeAttachments } from "../../keri/cesr/encode-attachments.ts";
import { receipt } from "../../keri/compose.ts";
import { storedBody } from "../../keri/stored-body.ts";

interface Signed {
  readonly signers: readonly string[];
  readonly attached: Uint8Array;
}

interface Exportable {
  readonly sn: number;
  readonly said: Said;
  readonly event: Uint8Array;
  readonly attached: Uint8Array;
  readonly receipts: readonly Signed[];
}

/**
 * The event, its attachments, its receipts. Where nothing came later these are the bytes that came. What came later follows in
 * groups; behind a group around all attachments, a line feed or groups of another version, nothing more can be attached: there the
 * event's receipts stand as messages of their own, and later signatures of its controller behind the event once more.
 */
export function exported(aid: Aid, { sn, said, event, attached, receipts }: Exportable): Uint8Array {
  if (receipts.length === 0) return concatBytes(event, attached);
  if (!isClosed(event, attached)) return concatBytes(event, attached, ...receipts.map((one) => one.attached));
  const follow = receipts.map((one) =>
    one.signers.some(isController)
      ? concatBytes(event, one.attached)
      : receiptMessage(aid, { sn, said, event }, one.attached),
  );
  return concatBytes(event, attached, ...follow);
}

/** What was signed of an event later, as a message of its own: of version 1, whatever the event's is. */
export function receiptMessage(
  aid: Aid,
  { sn, said, event }: Pick<Exportable, "sn" | "said" | "event">,
  attached: Uint8Array,
): Uint8Array {
  const { major } = storedBody(event).version;
  const groups = major === 1 ? attached : encodeAttachments(decodeAttachments(attached, major), 1);
  return concatBytes(receipt({ aid, sn, said }).event, groups);
}

const isController = (signer: string): boolean => signer.startsWith("key:");

const HYPHEN = 0x2d;
const LINE_FEED = 0x0a;
/** Codes of the group around all attachments, small and big; and of a version of tables, perhaps another than the body's. */
const ENCLOSING = { 1: ["-V", "-0V", "--V", "-_"], 2: ["-C", "--C", "-_"] } as const;

function isClosed(event: Uint8Array, attached: Uint8Array): boolean {
  if (attached.length === 0) return false;
  if (attached[0] !== HYPHEN || attached.at(-1) === LINE_FEED) return true;
  const begin = Buffer.from(attached.subarray(0, 3)).toString("latin1");
  return ENCLOSING[storedBody(event).version.major].some((code) => begin.startsWith(code));
}
