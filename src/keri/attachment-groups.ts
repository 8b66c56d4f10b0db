/** What is attached to a message and kept: read again, and joined with more that came for the same. */
import { fromUtf8, toHex } from "../base/bytes.ts";
import { assert } from "../base/errors.ts";
import type { Genus } from "./cesr/counter.ts";
import { emptyDraft, readGroup } from "./cesr/groups.ts";
import type { Attachments, IndexedSignature, ReceiptCouple, SealSource, TransferableSignatures } from "./messages.ts";

export const NO_ATTACHMENTS: Attachments = {
  controllerSignatures: [],
  witnessSignatures: [],
  receiptCouples: [],
  transferableSignatures: [],
  sealSources: [],
  firstSeen: [],
};

/** What `encodeAttachments` wrote. Throws: Defect for anything else. */
export function decodeAttachments(bytes: Uint8Array, genus: Genus): Attachments {
  const text = fromUtf8(bytes);
  assert(text !== undefined && text.length === bytes.length, "what was kept is text");
  const draft = emptyDraft();
  for (let at = 0; at < text.length; ) {
    const read = readGroup(text, at, genus, draft);
    assert(read.ok, "what was kept is whole groups");
    at = read.value;
  }
  return draft;
}

const indexedName = ({ algorithm, index, ondex, sig }: IndexedSignature): string =>
  `${algorithm}:${index}:${ondex}:${toHex(sig)}`;
const coupleName = ({ receiptor, code, sig }: ReceiptCouple): string => `${receiptor}:${code}:${toHex(sig)}`;
const sourceName = ({ aid, sn, said }: SealSource): string => `${aid}:${sn}:${said}`;
const transferableName = ({ aid, establishment, signatures }: TransferableSignatures): string =>
  [aid, establishment?.sn, establishment?.said, ...signatures.map(indexedName)].join(" ");

/** Both, each thing once, those of `first` first; first-seen couples are nobody else's business and are left out. */
export function joinAttachments(first: Attachments, second: Attachments): Attachments {
  return {
    controllerSignatures: distinct(first.controllerSignatures, second.controllerSignatures, indexedName),
    witnessSignatures: distinct(first.witnessSignatures, second.witnessSignatures, indexedName),
    receiptCouples: distinct(first.receiptCouples, second.receiptCouples, coupleName),
    transferableSignatures: distinct(first.transferableSignatures, second.transferableSignatures, transferableName),
    sealSources: distinct(first.sealSources, second.sealSources, sourceName),
    firstSeen: [],
  };
}

function distinct<T>(first: readonly T[], second: readonly T[], name: (one: T) => string): readonly T[] {
  if (second.length === 0) return first;
  const all = new Map<string, T>();
  for (const one of [...first, ...second]) {
    const text = name(one);
    if (!all.has(text)) all.set(text, one);
  }
  return [...all.values()];
}
