/**
 * CESR counters: what follows, and how much of it.
 *
 * Version 1 counts elements in most groups; version 2 counts groups of four characters (three bytes) in all of them, so that
 * a reader can skip what it does not know.
 * Source: ToIP CESR specification, "Count code tables" and "KERI/ACDC protocol genus version table" 1.00 and 2.00.
 * Deviates: in version 1 the big codes of the drafts ("-0V") are read too; what is written has the present form ("--V").
 */
import { assert } from "../../base/errors.ts";
import { type Result, ok } from "../../base/result.ts";
import { base64ToNumber, numberToBase64 } from "./base64url.ts";
import { type CesrRefusal, malformed, short } from "./refusal.ts";

/** Major version of the tables. */
export type Genus = 1 | 2;

export type GroupKind =
  | "controllerSignatures"
  | "witnessSignatures"
  | "receiptCouples"
  | "receiptQuadruples"
  | "firstSeenCouples"
  | "transferableGroups"
  | "transferableLastGroups"
  | "sealSourceCouples"
  | "sealSourceTriples"
  /** Groups of groups: attachments; anything; one body with what is attached to it; a body as a text primitive. */
  | "attachments"
  | "generic"
  | "bodyWithAttachments"
  | "nonNativeBody"
  /** Framed by groups of four, of no meaning for key events: read for their form, and kept. */
  | "pathedMaterial"
  | "seals"
  /** Known, and refused: bodies in CESR itself, datagrams, wrapped or blinded things, signatures by paths. */
  | "unsupported";

const VERSION_1: Readonly<Record<string, GroupKind>> = {
  A: "controllerSignatures",
  B: "witnessSignatures",
  C: "receiptCouples",
  D: "receiptQuadruples",
  E: "firstSeenCouples",
  F: "transferableGroups",
  G: "sealSourceCouples",
  H: "transferableLastGroups",
  I: "sealSourceTriples",
  J: "unsupported",
  K: "unsupported",
  L: "pathedMaterial",
  T: "generic",
  U: "bodyWithAttachments",
  V: "attachments",
  W: "nonNativeBody",
  Z: "unsupported",
};

const VERSION_2: Readonly<Record<string, GroupKind>> = {
  A: "generic",
  B: "bodyWithAttachments",
  C: "attachments",
  D: "unsupported",
  E: "unsupported",
  F: "unsupported",
  G: "unsupported",
  H: "nonNativeBody",
  I: "unsupported",
  J: "unsupported",
  K: "controllerSignatures",
  L: "witnessSignatures",
  M: "receiptCouples",
  N: "receiptQuadruples",
  O: "firstSeenCouples",
  P: "pathedMaterial",
  Q: "seals",
  R: "seals",
  S: "sealSourceTriples",
  T: "sealSourceCouples",
  U: "seals",
  V: "seals",
  W: "seals",
  X: "transferableGroups",
  Y: "transferableLastGroups",
  Z: "unsupported",
  a: "seals",
};

const TABLES: Readonly<Record<Genus, Readonly<Record<string, GroupKind>>>> = { 1: VERSION_1, 2: VERSION_2 };

/** Groups of version 1 that count groups of four characters, and so have big codes. */
const FRAMED_1 = "LTUVW";

export type Counter =
  | { readonly genus: Genus; readonly length: number }
  | {
      readonly genus: null;
      /** Letter of the code, for messages. */
      readonly letter: string;
      readonly kind: GroupKind;
      readonly count: number;
      /** `count` is in groups of four characters; otherwise in elements. */
      readonly framed: boolean;
      readonly length: number;
    };

/** Switch of the tables: "-_AAA" (genus KERI/ACDC), major version, two characters of the minor one. */
const GENUS = "-_AAA";

function readGenus(text: string, at: number): Result<Counter, CesrRefusal> {
  if (text.length - at < 8) return short("a genus version code", 8 - (text.length - at));
  const major = base64ToNumber(text.slice(at + 5, at + 6));
  if (text.slice(at, at + 5) !== GENUS || (major !== 1 && major !== 2))
    return malformed(`"${text.slice(at, at + 8)}" is no genus version that is read; -_AAABAA and -_AAACAA are.`);
  // Minor versions only add codes. Source: CESR, "Genus and version code".
  if (base64ToNumber(text.slice(at + 6, at + 8)) === undefined)
    return malformed("A genus version holds characters outside the URL alphabet of Base64.");
  return ok({ genus: major, length: 8 });
}

/** The counter at `at` of `text` (characters of the text domain). Refuses: KERI_MALFORMED (`missing` where the text ends early). */
export function readCounter(text: string, at: number, genus: Genus): Result<Counter, CesrRefusal> {
  if (text.length - at < 4) return short("a counter", 4 - (text.length - at));
  if (text.charAt(at) !== "-") return malformed(`"${text.slice(at, at + 4)}" is no counter; groups begin with "-".`);
  const second = text.charAt(at + 1);
  if (second === "_") return readGenus(text, at);
  const big = second === "-" || (second === "0" && genus === 1);
  const letter = big ? text.charAt(at + 2) : second;
  const kind = Object.hasOwn(TABLES[genus], letter) ? TABLES[genus][letter] : undefined;
  const framed = genus === 2 || FRAMED_1.includes(letter);
  if (kind === undefined || (big && !framed))
    return malformed(`"${text.slice(at, at + 4)}" is no counter of version ${genus}.`);
  const length = big ? 8 : 4;
  if (text.length - at < length) return short(`a counter of code ${letter}`, length - (text.length - at));
  const count = base64ToNumber(text.slice(at + (big ? 3 : 2), at + length));
  if (count === undefined) return malformed("A counter holds characters outside the URL alphabet of Base64.");
  return ok({ genus: null, letter, kind, count, framed, length });
}

const letterOf = (kind: GroupKind, genus: Genus): string | undefined =>
  Object.entries(TABLES[genus]).find(([, known]) => known === kind)?.[0];

/** Text of a counter, by the small code where the count fits. Throws: Defect when no code of this version can say it. */
export function encodeCounter(kind: GroupKind, count: number, genus: Genus): string {
  const letter = letterOf(kind, genus);
  assert(letter !== undefined, `version ${genus} has a code for ${kind}`);
  if (count < 64 ** 2) return `-${letter}${numberToBase64(count, 2)}`;
  assert(count < 64 ** 5 && (genus === 2 || FRAMED_1.includes(letter)), `a count of ${count} fits a code of ${kind}`);
  return `--${letter}${numberToBase64(count, 5)}`;
}
