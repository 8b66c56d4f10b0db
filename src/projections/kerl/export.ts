/** Key events for others: bytes as they came, and what was signed of them since. Source: ToIP KERI specification, "Receipts"; CESR, "Attachments". */
import type { Aid, Said } from "../../base/brands.ts";
import { concatBytes } from "../../base/bytes.ts";
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
 * groups; behind a group around all attachments, or a line feed, nothing more can be attached: there the event's receipts stand as
 * messages of their own, and later signatures of its controller behind the event once more.
 */
export function exported(aid: Aid, { sn, said, event, attached, receipts }: Exportable): Uint8Array {
  if (receipts.length === 0) return concatBytes(event, attached);
  if (!isClosed(event, attached)) return concatBytes(event, attached, ...receipts.map((one) => one.attached));
  const body = receipt({ aid, sn, said }).event;
  const follow = receipts.flatMap((one) => [one.signers.some(isController) ? event : body, one.attached]);
  return concatBytes(event, attached, ...follow);
}

const isController = (signer: string): boolean => signer.startsWith("key:");

const HYPHEN = 0x2d;
const LINE_FEED = 0x0a;
/** Codes of the group around all attachments, small and big. */
const ENCLOSING = { 1: ["-V", "-0V", "--V"], 2: ["-C", "--C"] } as const;

function isClosed(event: Uint8Array, attached: Uint8Array): boolean {
  if (attached.length === 0) return false;
  if (attached[0] !== HYPHEN || attached.at(-1) === LINE_FEED) return true;
  const begin = Buffer.from(attached.subarray(0, 3)).toString("latin1");
  return ENCLOSING[storedBody(event).version.major].some((code) => begin.startsWith(code));
}
