/** Single fields of bodies, read strictly; what each may hold wherever it stands. */
import type { Aid, Said } from "../base/brands.ts";
import { type Refusal, type Result, ok, refuse } from "../base/result.ts";
import type { Threshold } from "../crypto/threshold.ts";
import { thresholdSize } from "../crypto/threshold.ts";
import type { VerificationKey } from "../crypto/verification-key.ts";
import type { EventFields } from "./event-json.ts";
import { isKeyCode, parseKeyText } from "./key-text.ts";
import { decodeMatter } from "./cesr/matter.ts";
import type { EventSeal, Trait } from "./messages.ts";
import { digestCode } from "./said.ts";
import { parseThreshold } from "./threshold.ts";
import { malformed } from "./malformed.ts";

export type FieldRefusal = Refusal<"KERI_MALFORMED" | "KERI_UNSUPPORTED" | "KERI_RULE">;

export const unsupported = (message: string) => refuse("KERI_UNSUPPORTED", message, "peer");
export const broken = (message: string) => refuse("KERI_RULE", message, "peer");

const TRAITS: readonly string[] = ["EO", "DND", "RB", "NB", "NRB", "DID"] satisfies readonly Trait[];
const INCEPTION_TRAITS: readonly Trait[] = ["EO", "DND", "DID"];
/** Numbers as hex without leading zeros; thirteen digits stay exact. */
const HEX_NUMBER = /^(0|[1-9a-f][0-9a-f]{0,12})$/;

type Values<Results> = { readonly [Name in keyof Results]: Results[Name] extends Result<infer Value> ? Value : never };
type RefusalOf<Results> = Results[keyof Results] extends infer One
  ? One extends { readonly ok: false; readonly refusal: infer R extends Refusal }
    ? R
    : never
  : never;

/** All of the values, or the first refusal in the order of the names. */
export function all<Results extends Readonly<Record<string, Result<unknown>>>>(
  results: Results,
): Result<Values<Results>, RefusalOf<Results>> {
  const values: Record<string, unknown> = {};
  for (const [name, result] of Object.entries(results)) {
    if (!result.ok) return result as { readonly ok: false; readonly refusal: RefusalOf<Results> };
    values[name] = result.value;
  }
  return ok(values as Values<Results>);
}

export const isTextList = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((item) => typeof item === "string");

export const isFields = (value: unknown): value is EventFields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether a text is listed twice. */
export const repeats = (texts: readonly string[]): boolean => new Set(texts).size !== texts.length;

/** A sequence number: hex without leading zeros. Bounds: below 2^52, as counters that never wrap. */
export function readSn(value: unknown): Result<number, FieldRefusal> {
  return typeof value === "string" && HEX_NUMBER.test(value)
    ? ok(Number.parseInt(value, 16))
    : malformed("Sequence number s is not a hexadecimal number without leading zeros.");
}

export function readSaid(name: string, value: unknown): Result<Said, FieldRefusal> {
  if (typeof value !== "string") return malformed(`Field ${name} is a digest's text.`);
  const code = digestCode(value);
  return code.ok ? ok(value as Said) : code;
}

/** An identifier: the digest of its inception, or its only key. */
export function readAid(name: string, value: unknown): Result<Aid, FieldRefusal> {
  if (typeof value !== "string") return malformed(`Field ${name} is an identifier's text.`);
  const digest = digestCode(value);
  if (digest.ok) return ok(value as Aid);
  const key = parseKeyText(value);
  return key.ok ? ok(value as Aid) : key;
}

/** An identifier that a seal speaks of: events have a thousand seals, so whether a key is a point of its curve is left to its own events. */
function readSealed(name: string, value: unknown): Result<Aid, FieldRefusal> {
  if (typeof value !== "string") return malformed(`Field ${name} is an identifier's text.`);
  const matter = decodeMatter(value);
  if (!matter.ok) return matter;
  return isKeyCode(matter.value.code) ? ok(value as Aid) : readAid(name, value);
}

/** Whether an identifier is a key that can never be rotated away from. Other texts are not. */
export function isNonTransferable(aid: string): boolean {
  const key = parseKeyText(aid);
  return key.ok && !key.value.transferable;
}

export interface Keys {
  readonly keys: readonly string[];
  readonly verificationKeys: readonly VerificationKey[];
  readonly threshold: Threshold;
}

/**
 * Keys, digests of next keys, and witnesses of one event: as many as an index of one character can name (CESR, "Indexed codes").
 * Every check of such an event costs so many times what one key does.
 */
export const LISTED_MAX = 64;
const tooMany = (name: string, { length }: readonly string[]) =>
  unsupported(`Field ${name} lists ${length}; events that list more than ${LISTED_MAX} are not read here.`);

/** k and kt: at least one key, and a threshold that they can meet. */
export function readKeys(fields: EventFields): Result<Keys, FieldRefusal> {
  const keys = fields["k"];
  if (!isTextList(keys) || keys.length === 0) return malformed("Field k is a list of at least one key.");
  if (keys.length > LISTED_MAX) return tooMany("k", keys);
  const verificationKeys: VerificationKey[] = [];
  for (const text of keys) {
    const key = parseKeyText(text);
    if (!key.ok) return key;
    verificationKeys.push({ algorithm: key.value.algorithm, bytes: key.value.bytes });
  }
  const threshold = parseThreshold(fields["kt"]);
  if (!threshold.ok) return threshold;
  const size = thresholdSize(threshold.value);
  if (size < 1 || size > keys.length) return broken(`Threshold kt is not within 1 and the ${keys.length} keys.`);
  return ok({ keys, verificationKeys, threshold: threshold.value });
}

export interface NextKeys {
  readonly nextDigests: readonly string[];
  readonly nextThreshold: Threshold;
}

/** n and nt: digests of the next keys with the threshold over them, or none and 0. */
export function readNext(fields: EventFields): Result<NextKeys, FieldRefusal> {
  const nextDigests = fields["n"];
  if (!isTextList(nextDigests)) return malformed("Field n is a list of digests.");
  if (nextDigests.length > LISTED_MAX) return tooMany("n", nextDigests);
  for (const text of nextDigests) {
    const digest = digestCode(text);
    if (!digest.ok) return digest;
  }
  const threshold = parseThreshold(fields["nt"]);
  if (!threshold.ok) return threshold;
  const size = thresholdSize(threshold.value);
  if (size > nextDigests.length || (size < 1 && nextDigests.length > 0))
    return broken(`Threshold nt is not within 1 and the ${nextDigests.length} next keys (0 when there are none).`);
  return ok({ nextDigests, nextThreshold: threshold.value });
}

/** A list of witnesses (b, br, ba): non-transferable identifiers, none of them twice. */
export function readWitnesses(name: string, value: unknown): Result<readonly string[], FieldRefusal> {
  if (!isTextList(value)) return malformed(`Field ${name} is a list of witness identifiers.`);
  if (value.length > LISTED_MAX) return tooMany(name, value);
  for (const text of value) {
    const matter = decodeMatter(text);
    if (!matter.ok) return matter;
    if (!isNonTransferable(text)) return broken(`A witness in ${name} is not a non-transferable identifier.`);
  }
  return repeats(value) ? broken(`A witness is listed twice in ${name}.`) : ok(value);
}

/** bt: how many witnesses must receipt. Against which list, the rules judge. */
export function readWitnessThreshold(value: unknown): Result<number, FieldRefusal> {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return ok(value);
  if (typeof value === "string" && HEX_NUMBER.test(value)) return ok(Number.parseInt(value, 16));
  return malformed("Threshold bt is a hexadecimal number without leading zeros.");
}

export function readTraits(value: unknown): Result<readonly Trait[], FieldRefusal> {
  return isTextList(value) && value.every((trait) => TRAITS.includes(trait))
    ? ok(value as readonly Trait[])
    : malformed(`Field c is a list of traits out of ${TRAITS.join(" ")}.`);
}

/** Traits of a rotation: those that may change. Source: ToIP KERI specification, "Configuration traits field". */
export function readRotationTraits(value: unknown): Result<readonly Trait[], FieldRefusal> {
  const traits = readTraits(value);
  if (!traits.ok || !traits.value.some((trait) => INCEPTION_TRAITS.includes(trait))) return traits;
  return broken(`Traits ${INCEPTION_TRAITS.join(", ")} stand in an inception or nowhere.`);
}

/** Fields of the seals that the specification names, in their order; the checks of what they hold. */
const SEALS: Readonly<Record<string, (seal: EventFields) => Result<unknown, FieldRefusal>>> = {
  d: ({ d }) => readSaid("d of a seal", d),
  rd: ({ rd }) => readSaid("rd of a seal", rd),
  i: ({ i }) => readSealed("i of a seal", i),
  "s d": ({ s, d }) => all({ s: readSn(s), d: readSaid("d of a seal", d) }),
  "i s d": ({ i, s, d }) => all({ i: readSealed("i of a seal", i), s: readSn(s), d: readSaid("d of a seal", d) }),
  "bi d": ({ bi, d }) => all({ bi: readSealed("bi of a seal", bi), d: readSaid("d of a seal", d) }),
  "t d": ({ t, d }) =>
    typeof t === "string" ? readSaid("d of a seal", d) : malformed("Field t of a seal is its type's text."),
};

/**
 * a: seals. Those of the specification are judged; other maps are anchored data of whoever made the event (signify anchors any)
 * and mean nothing to the rules. Returns: the event seals, {i, s, d} in this order.
 */
export function readEventSeals(value: unknown): Result<readonly EventSeal[], FieldRefusal> {
  if (!Array.isArray(value) || !value.every(isFields)) return malformed("Field a is a list of seals.");
  const seals: EventSeal[] = [];
  for (const seal of value) {
    const names = Object.keys(seal).join(" ");
    const judge = Object.hasOwn(SEALS, names) ? SEALS[names] : undefined;
    const judged = judge?.(seal);
    if (judged !== undefined && !judged.ok) return judged;
    if (names === "i s d")
      seals.push({ aid: seal["i"] as Aid, sn: Number.parseInt(String(seal["s"]), 16), said: seal["d"] as Said });
  }
  return ok(seals);
}
