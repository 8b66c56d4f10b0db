/**
 * Groups of what is attached to a message: signatures, receipts, seals of sources, first-seen couples.
 * Source: ToIP CESR specification, "Count code tables"; KERI specification, "Indexed signatures", "Seal source couples".
 */
import type { Aid, Said } from "../../base/brands.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import type { Attachments, IndexedSignature, ReceiptCouple, SealSource, TransferableSignatures } from "../messages.ts";
import { type Counter, type Genus, type GroupKind, readCounter } from "./counter.ts";
import { readIndexed, signatureAlgorithm } from "./indexer.ts";
import type { MatterCode } from "./matter-codes.ts";
import { type Matter, readMatter } from "./matter.ts";
import { type CesrRefusal, malformed } from "./refusal.ts";

export type GroupRefusal = CesrRefusal | (Refusal<"KERI_UNSUPPORTED" | "TOO_LARGE"> & { readonly missing?: number });

/** An attachment group within an attachment group within … serves nobody; signatures within groups are one level by themselves. */
const DEPTH_MAX = 4;

/** What is attached, while it is read. */
export interface AttachmentsDraft {
  readonly controllerSignatures: IndexedSignature[];
  readonly witnessSignatures: IndexedSignature[];
  readonly receiptCouples: ReceiptCouple[];
  readonly transferableSignatures: TransferableSignatures[];
  readonly sealSources: SealSource[];
  readonly firstSeen: Attachments["firstSeen"][number][];
}

export const emptyDraft = (): AttachmentsDraft => ({
  controllerSignatures: [],
  witnessSignatures: [],
  receiptCouples: [],
  transferableSignatures: [],
  sealSources: [],
  firstSeen: [],
});

/** Adds all of `from`, after what is there. */
export function addDraft(into: AttachmentsDraft, from: AttachmentsDraft): void {
  into.controllerSignatures.push(...from.controllerSignatures);
  into.witnessSignatures.push(...from.witnessSignatures);
  into.receiptCouples.push(...from.receiptCouples);
  into.transferableSignatures.push(...from.transferableSignatures);
  into.sealSources.push(...from.sealSources);
  into.firstSeen.push(...from.firstSeen);
}

/**
 * Characters that one element takes at least, where elements are counted (version 1): identifier, digest and event 44, number
 * 24, date 36, signature 88, the counter of a group of signatures 4.
 */
const ELEMENT_MIN: Readonly<Partial<Record<GroupKind, number>>> = {
  controllerSignatures: 88,
  witnessSignatures: 88,
  receiptCouples: 132,
  receiptQuadruples: 200,
  firstSeenCouples: 60,
  transferableGroups: 204,
  transferableLastGroups: 136,
  sealSourceCouples: 68,
  sealSourceTriples: 112,
};

const NUMBER_CODES: ReadonlySet<MatterCode> = new Set<MatterCode>(["0A", "M", "0H", "R", "N", "S", "T", "U"]);
const DIGEST_CODES: ReadonlySet<MatterCode> = new Set<MatterCode>(["E", "F", "G", "H", "I", "0D", "0E", "0F", "0G"]);
const KEY_CODES: ReadonlySet<MatterCode> = new Set<MatterCode>([
  "B",
  "D",
  "1AAA",
  "1AAB",
  "1AAC",
  "1AAD",
  "1AAI",
  "1AAJ",
]);
const IDENTIFIER_CODES: ReadonlySet<MatterCode> = new Set<MatterCode>([...DIGEST_CODES, ...KEY_CODES]);
const SIGNATURE_CODES: ReadonlySet<MatterCode> = new Set<MatterCode>(["0B", "0C", "0I", "1AAE"]);
const DATE_CODES: ReadonlySet<MatterCode> = new Set<MatterCode>(["1AAG"]);

/** Date and time as CESR writes it: of ISO 8601, with c for ":", d for ".", p for "+". Source: CESR, "Date time". */
const DATE = /^\d{4}-\d\d-\d\dT\d\dc\d\dc\d\dd\d{6}[p-]\d\dc\d\d$/;

/** Reads primitives one after the other; the first that is refused stays in `refusal`, and all after it are absent. */
class GroupReader {
  readonly #text: string;
  readonly #genus: Genus;
  at: number;
  refusal: GroupRefusal | undefined;

  constructor(text: string, at: number, genus: Genus) {
    this.#text = text;
    this.at = at;
    this.#genus = genus;
  }

  refuse(refusal: GroupRefusal): undefined {
    this.refusal ??= refusal;
    return undefined;
  }

  #matter(
    codes: ReadonlySet<MatterCode>,
    what: string,
  ): { readonly matter: Matter; readonly text: string } | undefined {
    const read = readMatter(this.#text, this.at);
    if (!read.ok) return this.refuse(read.refusal);
    if (!codes.has(read.value.code))
      return this.refuse(malformed(`A primitive of code ${read.value.code} stands where ${what} belongs.`).refusal);
    const text = this.#text.slice(this.at, this.at + read.value.length);
    this.at += read.value.length;
    return { matter: read.value, text };
  }

  /** A sequence number; at most 2^53 - 1, more than any log holds. Version 1 has one code for it. */
  sn(): number | undefined {
    const read = this.#matter(NUMBER_CODES, "a sequence number");
    if (read === undefined) return undefined;
    if (this.#genus === 1 && read.matter.code !== "0A")
      return this.refuse(malformed("A sequence number of version 1 has code 0A.").refusal);
    let value = 0;
    for (const byte of read.matter.raw) value = value * 256 + byte;
    if (value > Number.MAX_SAFE_INTEGER)
      return this.refuse(malformed("A sequence number is larger than 2^53 - 1.").refusal);
    return value;
  }

  said(): Said | undefined {
    return this.#matter(DIGEST_CODES, "a digest")?.text as Said | undefined;
  }

  aid(): Aid | undefined {
    return this.#matter(IDENTIFIER_CODES, "an identifier")?.text as Aid | undefined;
  }

  key(): string | undefined {
    return this.#matter(KEY_CODES, "a receiptor's key")?.text;
  }

  signature(): Matter | undefined {
    return this.#matter(SIGNATURE_CODES, "a signature")?.matter;
  }

  date(): string | undefined {
    const read = this.#matter(DATE_CODES, "a date");
    if (read === undefined) return undefined;
    const text = read.text.slice("1AAG".length);
    if (!DATE.test(text)) return this.refuse(malformed("A date is not of ISO 8601 as CESR writes it.").refusal);
    return text.replaceAll("c", ":").replace("d", ".").replace("p", "+");
  }

  indexed(): IndexedSignature | undefined {
    const read = readIndexed(this.#text, this.at);
    if (!read.ok) return this.refuse(read.refusal);
    const { code, index, ondex, raw, length } = read.value;
    const algorithm = signatureAlgorithm(code);
    if (algorithm === null) return this.refuse(malformed(`Code ${code} is no signature.`).refusal);
    this.at += length;
    return { index, ondex, algorithm, sig: raw };
  }

  /** The group of signatures inside a transferable identifier's group. */
  signatures(): readonly IndexedSignature[] | undefined {
    const draft = emptyDraft();
    const counter = readCounter(this.#text, this.at, this.#genus);
    if (!counter.ok) return this.refuse(counter.refusal);
    if (counter.value.genus !== null || counter.value.kind !== "controllerSignatures")
      return this.refuse(malformed("A transferable identifier's group holds no group of indexed signatures.").refusal);
    const read = readGroup(this.#text, this.at, this.#genus, draft);
    if (!read.ok) return this.refuse(read.refusal);
    this.at = read.value;
    return draft.controllerSignatures;
  }
}

/** Reads one element of a group into the draft. */
function readElement(reader: GroupReader, kind: GroupKind, draft: AttachmentsDraft): void {
  switch (kind) {
    case "controllerSignatures":
    case "witnessSignatures": {
      const signature = reader.indexed();
      if (signature !== undefined) draft[kind].push(signature);
      return;
    }
    case "receiptCouples": {
      const receiptor = reader.key();
      const signature = receiptor === undefined ? undefined : reader.signature();
      if (receiptor !== undefined && signature !== undefined)
        draft.receiptCouples.push({ receiptor, code: signature.code, sig: signature.raw });
      return;
    }
    case "receiptQuadruples":
    case "transferableGroups":
    case "transferableLastGroups":
      return readTransferable(reader, kind, draft);
    case "firstSeenCouples": {
      const sn = reader.sn();
      const date = sn === undefined ? undefined : reader.date();
      if (sn !== undefined && date !== undefined) draft.firstSeen.push({ sn, date });
      return;
    }
    case "sealSourceCouples":
    case "sealSourceTriples": {
      const aid = kind === "sealSourceTriples" ? reader.aid() : null;
      const sn = aid === undefined ? undefined : reader.sn();
      const said = sn === undefined ? undefined : reader.said();
      if (aid !== undefined && sn !== undefined && said !== undefined) draft.sealSources.push({ aid, sn, said });
      return;
    }
    default:
      reader.refuse(malformed(`A group of ${kind} has no elements.`).refusal);
  }
}

function readTransferable(
  reader: GroupReader,
  kind: "receiptQuadruples" | "transferableGroups" | "transferableLastGroups",
  draft: AttachmentsDraft,
): void {
  const aid = reader.aid();
  if (aid === undefined) return;
  const last = kind === "transferableLastGroups";
  const sn = last ? 0 : reader.sn();
  const said = sn === undefined || last ? undefined : reader.said();
  if (!last && (sn === undefined || said === undefined)) return;
  const single = kind === "receiptQuadruples" ? reader.indexed() : undefined;
  const signatures = kind === "receiptQuadruples" ? single && [single] : reader.signatures();
  if (signatures === undefined) return;
  const establishment = sn !== undefined && said !== undefined ? { sn, said } : null;
  draft.transferableSignatures.push({ aid, establishment, signatures });
}

const unsupported = (message: string): { readonly ok: false; readonly refusal: GroupRefusal } =>
  refuse("KERI_UNSUPPORTED", message, "peer");

/** A framed group's text ends where its count says: what is cut there is not missing, it is wrong. */
function withinFrame(refusal: GroupRefusal): GroupRefusal {
  if (refusal.missing === undefined) return refusal;
  return malformed("A group's count ends inside a primitive or a group; count whole ones.").refusal;
}

/** Form of what is framed and not understood here. */
function checkOpaque(text: string, kind: "pathedMaterial" | "seals"): GroupRefusal | undefined {
  if (kind === "pathedMaterial")
    return /^[A-Za-z0-9_-]*$/.test(text)
      ? undefined
      : malformed("A group holds characters outside the URL alphabet of Base64.").refusal;
  for (let at = 0; at < text.length; ) {
    const read = readMatter(text, at);
    if (!read.ok) return withinFrame(read.refusal);
    at += read.value.length;
  }
  return undefined;
}

/** Everything inside a group that is framed by a count of four characters. */
function readFramed(
  text: string,
  kind: GroupKind,
  letter: string,
  genus: Genus,
  draft: AttachmentsDraft,
  depth: number,
): GroupRefusal | undefined {
  if (kind === "pathedMaterial" || kind === "seals") return checkOpaque(text, kind);
  if (kind === "generic" || kind === "attachments") {
    if (depth >= DEPTH_MAX) return malformed(`Groups nest deeper than ${DEPTH_MAX} levels.`).refusal;
    const read = readGroups(text, genus, draft, depth + 1);
    return read === undefined ? undefined : withinFrame(read);
  }
  if (!(kind in ELEMENT_MIN)) return unsupported(`Groups of code ${letter} are not read as attachments.`).refusal;
  const reader = new GroupReader(text, 0, genus);
  while (reader.refusal === undefined && reader.at < text.length) readElement(reader, kind, draft);
  return reader.refusal === undefined ? undefined : withinFrame(reader.refusal);
}

/** Groups one after the other until the text ends; a genus version at the start of a group holds for the rest of it. */
function readGroups(text: string, genus: Genus, draft: AttachmentsDraft, depth: number): GroupRefusal | undefined {
  let table = genus;
  for (let at = 0; at < text.length; ) {
    const counter = readCounter(text, at, table);
    if (!counter.ok) return counter.refusal;
    if (counter.value.genus !== null) {
      if (at !== 0) return malformed("A genus version stands inside a group; it belongs at its start.").refusal;
      table = counter.value.genus;
      at += counter.value.length;
      continue;
    }
    const read = readGroup(text, at, table, draft, depth);
    if (!read.ok) return read.refusal;
    at = read.value;
  }
  return undefined;
}

/** Characters that a group takes at least, with its counter; exactly so many where it is framed. */
export const leastLength = ({ kind, count, framed, length }: Counter & { readonly genus: null }): number =>
  length + count * (framed ? 4 : (ELEMENT_MIN[kind] ?? 0));

/**
 * The group at `at` of `text`: what it holds goes into the draft, and where it ends is returned.
 * Bounds: the text's; nesting of 4. Refuses: KERI_MALFORMED, KERI_UNSUPPORTED; with `missing` where the text ends too early,
 * and then the draft may hold part of the group.
 */
export function readGroup(
  text: string,
  at: number,
  genus: Genus,
  draft: AttachmentsDraft,
  depth = 0,
): Result<number, GroupRefusal> {
  const counter = readCounter(text, at, genus);
  if (!counter.ok) return counter;
  if (counter.value.genus !== null) return malformed("A genus version stands where a group belongs.");
  const { kind, count, framed, letter, length } = counter.value;
  if (kind === "unsupported") return unsupported(`Groups of code ${letter} of version ${genus} are not read.`);
  if (count === 0) return malformed(`A group of code ${letter} holds nothing; leave it out.`);
  const start = at + length;
  const least = leastLength(counter.value);
  if (text.length - at < least) return cut(letter, least - (text.length - at));
  if (framed) {
    const refusal = readFramed(text.slice(start, start + count * 4), kind, letter, genus, draft, depth);
    return refusal === undefined ? ok(start + count * 4) : { ok: false, refusal };
  }
  return readCounted(new GroupReader(text, start, genus), kind, count, draft);
}

function readCounted(
  reader: GroupReader,
  kind: GroupKind,
  count: number,
  draft: AttachmentsDraft,
): Result<number, GroupRefusal> {
  for (let left = count - 1; left >= 0; left--) {
    readElement(reader, kind, draft);
    const { refusal } = reader;
    if (refusal === undefined) continue;
    if (refusal.missing === undefined) return { ok: false, refusal };
    // The elements after this one are missing too: who waits for all of them tries again a few times, not once for each.
    return { ok: false, refusal: { ...refusal, missing: refusal.missing + left * (ELEMENT_MIN[kind] ?? 0) } };
  }
  return ok(reader.at);
}

const cut = (letter: string, missing: number): { readonly ok: false; readonly refusal: GroupRefusal } => ({
  ok: false,
  refusal: {
    code: "KERI_MALFORMED",
    message: `The stream ends inside a group of code ${letter}.`,
    blame: "peer",
    missing,
  },
});
