/** Attachments as CESR groups of the text domain, in one order: what is written by us, and what is merged from several messages. */
import { utf8 } from "../../base/bytes.ts";
import { assert } from "../../base/errors.ts";
import type { Attachments, IndexedSignature, SealSource, TransferableSignatures } from "../messages.ts";
import { type Genus, type GroupKind, encodeCounter } from "./counter.ts";
import { encodeIndexed, indexerCode } from "./indexer.ts";
import { isMatterCode } from "./matter-codes.ts";
import { encodeMatter } from "./matter.ts";

/** One group: its counter counts elements in version 1, characters by four in version 2; nothing at all for no elements. */
function group(kind: GroupKind, elements: readonly string[], genus: Genus): string {
  if (elements.length === 0) return "";
  const text = elements.join("");
  return encodeCounter(kind, genus === 1 ? elements.length : text.length / 4, genus) + text;
}

const indexed = ({ algorithm, index, ondex, sig }: IndexedSignature): string =>
  encodeIndexed({ code: indexerCode(algorithm, index, ondex), index, ondex, raw: sig });

/** A sequence number as 16 bytes (code 0A), in which both versions read it. Source: KERI, "Seal source couples". */
function snText(sn: number): string {
  assert(Number.isSafeInteger(sn) && sn >= 0, "a sequence number is a whole number below 2^53");
  const raw = new Uint8Array(16);
  new DataView(raw.buffer).setBigUint64(8, BigInt(sn));
  return encodeMatter("0A", raw);
}

const dateText = (date: string): string => `1AAG${date.replaceAll(":", "c").replace(".", "d").replace("+", "p")}`;

function coupleText(code: string, receiptor: string, sig: Uint8Array): string {
  assert(isMatterCode(code), `${code} is a code of signatures`);
  return receiptor + encodeMatter(code, sig);
}

const sourceText = ({ aid, sn, said }: SealSource): string => (aid ?? "") + snText(sn) + said;

function transferable({ aid, establishment, signatures }: TransferableSignatures, genus: Genus): string {
  assert(signatures.length > 0, "a transferable identifier's group holds a signature");
  const event = establishment === null ? "" : snText(establishment.sn) + establishment.said;
  return aid + event + group("controllerSignatures", signatures.map(indexed), genus);
}

/**
 * Text of all groups: signatures of controllers, of witnesses, seals of sources, receipts of transferable and other
 * identifiers, first-seen couples; those of one kind in one group.
 * Throws: Defect for what no reader would take (an index or number out of bounds, an identifier without signatures).
 */
export function encodeAttachments(attachments: Attachments, genus: Genus): Uint8Array {
  const { transferableSignatures, sealSources } = attachments;
  const written = (all: readonly TransferableSignatures[]) => all.map((item) => transferable(item, genus));
  return utf8(
    [
      group("controllerSignatures", attachments.controllerSignatures.map(indexed), genus),
      group("witnessSignatures", attachments.witnessSignatures.map(indexed), genus),
      group("sealSourceCouples", sealSources.filter(({ aid }) => aid === null).map(sourceText), genus),
      group("sealSourceTriples", sealSources.filter(({ aid }) => aid !== null).map(sourceText), genus),
      group("transferableGroups", written(transferableSignatures.filter((one) => one.establishment !== null)), genus),
      group(
        "transferableLastGroups",
        written(transferableSignatures.filter((one) => one.establishment === null)),
        genus,
      ),
      group(
        "receiptCouples",
        attachments.receiptCouples.map(({ code, receiptor, sig }) => coupleText(code, receiptor, sig)),
        genus,
      ),
      group(
        "firstSeenCouples",
        attachments.firstSeen.map(({ sn, date }) => snText(sn) + dateText(date)),
        genus,
      ),
    ].join(""),
  );
}
