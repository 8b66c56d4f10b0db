/**
 * What is attached, taken apart by the tables and written again piece by piece, each piece from its decoded value. A text that
 * is accepted must come out as it went in: two texts never mean the same value.
 */
import { type Counter, type Genus, type GroupKind, readCounter } from "../../src/keri/cesr/counter.ts";
import { encodeIndexed, readIndexed } from "../../src/keri/cesr/indexer.ts";
import { encodeMatter, readMatter } from "../../src/keri/cesr/matter.ts";

type Group = Counter & { readonly genus: null };

/** Elements of a group: primitives, indexed signatures, a group of signatures. */
const ELEMENTS: Readonly<Partial<Record<GroupKind, string>>> = {
  controllerSignatures: "i",
  witnessSignatures: "i",
  receiptCouples: "mm",
  receiptQuadruples: "mmmi",
  firstSeenCouples: "mm",
  transferableGroups: "mmmg",
  transferableLastGroups: "mg",
  sealSourceCouples: "mm",
  sealSourceTriples: "mmm",
};

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** A number in Base64, written another way than the product does. */
const digits = (value: number, length: number): string =>
  Array.from({ length }, (_, i) => ALPHABET.charAt(Math.floor(value / 64 ** (length - 1 - i)) % 64)).join("");

/** The counter from its values; small, big, or big as in the drafts, which the text alone says. */
function counterText(text: string, at: number, { letter, count, length }: Group): string {
  if (length === 4) return `-${letter}${digits(count, 2)}`;
  return `-${text.charAt(at + 1) === "0" ? "0" : "-"}${letter}${digits(count, 5)}`;
}

class Reexport {
  readonly #text: string;
  readonly #parts: string[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  get text(): string {
    return this.#parts.join("");
  }

  groups(from: number, to: number, genus: Genus): void {
    let table = genus;
    for (let at = from; at < to; ) {
      if (this.#text.startsWith("-_", at)) {
        table = this.#text.charAt(at + 5) === "B" ? 1 : 2;
        // The minor version is read for its form only.
        this.#parts.push(`-_AAA${table === 1 ? "B" : "C"}${this.#text.slice(at + 6, at + 8)}`);
        at += 8;
      } else at = this.#group(at, table);
    }
  }

  #group(at: number, genus: Genus): number {
    const read = readCounter(this.#text, at, genus);
    if (!read.ok || read.value.genus !== null) throw new Error(`no group stands at ${at} of what was accepted`);
    const group: Group = read.value;
    this.#parts.push(counterText(this.#text, at, group));
    const start = at + group.length;
    const elements = ELEMENTS[group.kind];
    const to = start + group.count * 4;
    if (elements !== undefined) return this.#elements(start, group, elements, genus);
    if (group.kind === "generic" || group.kind === "attachments") this.groups(start, to, genus);
    else if (group.kind === "seals") for (let place = start; place < to; ) place = this.#piece(place, "m", genus);
    else this.#parts.push(this.#text.slice(start, to));
    return to;
  }

  #elements(start: number, { count, framed }: Group, elements: string, genus: Genus): number {
    let at = start;
    for (let i = 0; framed ? at < start + count * 4 : i < count; i++)
      for (const piece of elements) at = this.#piece(at, piece, genus);
    return at;
  }

  #piece(at: number, piece: string, genus: Genus): number {
    if (piece === "g") return this.#group(at, genus);
    const read = piece === "i" ? readIndexed(this.#text, at) : readMatter(this.#text, at);
    if (!read.ok) throw new Error(`no primitive stands at ${at} of what was accepted`);
    const { value } = read;
    this.#parts.push("soft" in value ? encodeMatter(value.code, value.raw, value.soft) : encodeIndexed(value));
    return at + value.length;
  }
}

/** Text of groups (without line feeds), written again from what it decodes to. Throws: for what is no text of groups. */
export function reexport(text: string, genus: Genus): string {
  const again = new Reexport(text);
  again.groups(0, text.length, genus);
  return again.text;
}
