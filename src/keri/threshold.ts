/**
 * Signing thresholds as events write them, and their CESR text ("limen").
 *
 * A number of keys is hexadecimal text (or a JSON integer, as signify's "intive" events have it). Weights are lists: one clause,
 * or a list of clauses that must all be met; an entry is a weight, or {weight: [weights of its keys]}.
 * Source: ToIP KERI specification, "Signing threshold"; forms and limits as keripy judges them (conformance thresholds.json).
 */
import { assert } from "../base/errors.ts";
import { type Refusal, type Result, ok, refuse } from "../base/result.ts";
import { type Threshold, type Weight, type WeightEntry, reachesOne } from "../crypto/threshold.ts";
import { numberToBase64 } from "./cesr/base64url.ts";
import { decodeMatter, encodeMatter } from "./cesr/matter.ts";
import { malformed } from "./malformed.ts";

export type ThresholdRefusal = Refusal<"KERI_MALFORMED" | "KERI_RULE">;

/** As JSON has it: hexadecimal text, an integer, one clause, or clauses. */
export type ThresholdValue = string | number | readonly ClauseEntryValue[] | readonly (readonly ClauseEntryValue[])[];
type ClauseEntryValue = string | Readonly<Record<string, readonly string[]>>;

/** Nobody lists so many keys: an event of 64 KiB holds fewer than 1,500. */
const KEYS_MAX = 4096;
/** Twelve digits: a trillion; what is multiplied exactly stays small. */
const WEIGHT = /^(0|[1-9][0-9]{0,11})(?:\/([1-9][0-9]{0,11}))?$/;
const NUMBER = /^(0|[1-9a-f][0-9a-f]{0,7})$/;

const broken = (message: string) => refuse("KERI_RULE", message, "peer");

/** A threshold as it stands in an event's kt or nt. Refuses: KERI_MALFORMED for what is no such value, KERI_RULE for weights that cannot suffice. */
export function parseThreshold(value: unknown): Result<Threshold, ThresholdRefusal> {
  if (typeof value === "string") {
    return NUMBER.test(value)
      ? bounded(Number.parseInt(value, 16))
      : malformed("A threshold is a hexadecimal number without leading zeros.");
  }
  if (typeof value === "number") {
    return Number.isSafeInteger(value) && value >= 0
      ? bounded(value)
      : malformed("A threshold is a whole number of keys.");
  }
  if (!Array.isArray(value)) return malformed("A threshold is a number or lists of weights.");
  const lists: readonly unknown[] = value.length > 0 && value.every((item) => Array.isArray(item)) ? value : [value];
  const clauses: (readonly WeightEntry[])[] = [];
  for (const list of lists) {
    const clause = parseClause(list as readonly unknown[]);
    if (!clause.ok) return clause;
    clauses.push(clause.value);
  }
  return ok({ clauses });
}

/** A threshold as a person or another tool writes it: a hexadecimal number, or lists of weights as JSON. */
export function parseThresholdText(text: string): Result<Threshold, ThresholdRefusal> {
  if (!text.startsWith("[")) return parseThreshold(text);
  try {
    return parseThreshold(JSON.parse(text));
  } catch {
    return malformed("The threshold begins like a JSON list and is none.");
  }
}

/** As events write it: hexadecimal text; weights in lowest terms, a single clause without a list around it. */
export function writeThreshold(threshold: Threshold): ThresholdValue {
  if (typeof threshold === "number") return threshold.toString(16);
  const clauses = threshold.clauses.map((clause) =>
    clause.map((entry): ClauseEntryValue => {
      const weight = writeWeight(entry.weight);
      return entry.kind === "key" ? weight : { [weight]: entry.members.map(writeWeight) };
    }),
  );
  const [only] = clauses;
  return clauses.length === 1 && only !== undefined ? only : clauses;
}

/** Characters for / and between clauses, weights, a group and its members, members. Source: keripy, Tholder ("limen"). */
const LIMEN = { slash: "s", clause: "a", entry: "c", group: "k", member: "v" } as const;
/** Bytes of the shortest numbers, and the codes that carry them. */
const NUMBER_CODES = [
  ["M", 2],
  ["0H", 4],
  ["R", 5],
  ["N", 8],
] as const;
/** Groups of four characters that a small code of variable size can count. */
const QUADLETS_MAX = 4095;

/** CESR text: a number by its shortest code, weights as a Base64 string. Throws: Defect for more weights than one string holds. */
export function writeLimen(threshold: Threshold): string {
  if (typeof threshold === "number") {
    const size = NUMBER_CODES.find(([, bytes]) => threshold < 256 ** bytes);
    assert(size !== undefined, "a threshold is a safe integer");
    const [code, length] = size;
    return encodeMatter(code, Uint8Array.from(Buffer.from(threshold.toString(16).padStart(2 * length, "0"), "hex")));
  }
  const weight = (value: Weight): string => writeWeight(value).replace("/", LIMEN.slash);
  const text = threshold.clauses
    .map((clause) =>
      clause
        .map((entry) =>
          entry.kind === "key"
            ? weight(entry.weight)
            : weight(entry.weight) + LIMEN.group + entry.members.map(weight).join(LIMEN.member),
        )
        .join(LIMEN.entry),
    )
    .join(LIMEN.clause);
  const pad = (4 - (text.length % 4)) % 4;
  const quadlets = (pad + text.length) / 4;
  assert(quadlets <= QUADLETS_MAX, "weights fit a string of the small code");
  const lead = pad === 0 ? 0 : pad - 1;
  return `${4 + lead}A${base64Pair(quadlets)}${"A".repeat(pad)}${text}`;
}

/** The threshold that CESR text stands for. Refuses: see parseThreshold. */
export function parseLimen(limen: string): Result<Threshold, ThresholdRefusal> {
  const string = /^([456])A([A-Za-z0-9_-]{2})([A-Za-z0-9_-]*)$/.exec(limen);
  if (string === null) return parseNumberLimen(limen);
  const [, digit = "", size = "", padded = ""] = string;
  if (size !== base64Pair(padded.length / 4)) return malformed("A threshold's text has not the length that it states.");
  const lead = Number(digit) - 4;
  const pad = lead === 0 ? (padded.startsWith("A") ? 1 : 0) : lead + 1;
  if (padded.slice(0, pad) !== "A".repeat(pad))
    return malformed("A threshold's text has lead bytes that are not zero.");
  const fraction = (text: string): string => text.replace(LIMEN.slash, "/");
  const clauses = padded
    .slice(pad)
    .split(LIMEN.clause)
    .map((clause) =>
      clause.split(LIMEN.entry).map((entry) => {
        const [weight = "", members, ...more] = entry.split(LIMEN.group);
        if (members === undefined) return fraction(weight);
        return more.length > 0 ? undefined : { [fraction(weight)]: members.split(LIMEN.member).map(fraction) };
      }),
    );
  return parseThreshold(clauses);
}

function parseNumberLimen(limen: string): Result<Threshold, ThresholdRefusal> {
  const number = decodeMatter(limen);
  if (!number.ok) return number;
  if (!NUMBER_CODES.some(([code]) => code === number.value.code))
    return malformed("A threshold's text is neither a number nor weights.");
  return bounded(Number.parseInt(Buffer.from(number.value.raw).toString("hex"), 16));
}

const bounded = (keys: number): Result<Threshold, ThresholdRefusal> =>
  keys <= KEYS_MAX ? ok(keys) : broken(`A threshold of ${keys} keys is more than an event can list.`);

function parseClause(list: readonly unknown[]): Result<readonly WeightEntry[], ThresholdRefusal> {
  if (list.length === 0) return broken("A clause of weights is empty.");
  if (list.length > KEYS_MAX) return broken("A clause has more weights than an event can list keys.");
  const clause: WeightEntry[] = [];
  for (const item of list) {
    const entry = typeof item === "string" ? parseKeyWeight(item) : parseGroup(item);
    if (!entry.ok) return entry;
    clause.push(entry.value);
  }
  return reachesOne(clause.map((entry) => entry.weight))
    ? ok(clause)
    : broken("The weights of a clause sum to less than 1: nobody could ever sign.");
}

function parseKeyWeight(text: string): Result<WeightEntry, ThresholdRefusal> {
  const weight = parseWeight(text);
  return weight.ok ? ok({ kind: "key", weight: weight.value }) : weight;
}

/** {weight: [weights]}: keys that count with one weight once their own sum to 1. */
function parseGroup(item: unknown): Result<WeightEntry, ThresholdRefusal> {
  const entries = typeof item === "object" && item !== null && !Array.isArray(item) ? Object.entries(item) : [];
  const [entry] = entries;
  if (entries.length !== 1 || entry === undefined || !Array.isArray(entry[1]))
    return malformed("A weight is text such as 1/2, or one weight with the list of weights of its keys.");
  const weight = parseWeight(entry[0]);
  if (!weight.ok) return weight;
  const members: Weight[] = [];
  for (const text of entry[1] as readonly unknown[]) {
    const member =
      typeof text === "string" ? parseWeight(text) : malformed("A weight within a group is text such as 1/2.");
    if (!member.ok) return member;
    members.push(member.value);
  }
  if (members.length > KEYS_MAX) return broken("A group has more weights than an event can list keys.");
  return reachesOne(members)
    ? ok({ kind: "group", weight: weight.value, members })
    : broken("The weights of a group sum to less than 1: it could never count.");
}

function parseWeight(text: string): Result<Weight, ThresholdRefusal> {
  const found = WEIGHT.exec(text);
  if (found === null) return malformed(`"${text.slice(0, 32)}" is no weight: write 0, 1 or a fraction such as 1/2.`);
  const numerator = BigInt(found[1] ?? "0");
  const denominator = BigInt(found[2] ?? "1");
  if (numerator > denominator) return broken("A weight is more than 1.");
  const divisor = greatestCommonDivisor(numerator, denominator);
  return ok({ numerator: numerator / divisor, denominator: denominator / divisor });
}

const greatestCommonDivisor = (a: bigint, b: bigint): bigint => {
  let [x, y] = [a, b];
  while (y > 0n) [x, y] = [y, x % y];
  return x;
};

const writeWeight = ({ numerator, denominator }: Weight): string =>
  denominator === 1n ? `${numerator}` : `${numerator}/${denominator}`;

const base64Pair = (value: number): string => numberToBase64(value, 2);
