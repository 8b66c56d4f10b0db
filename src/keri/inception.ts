/**
 * Inception events of version 1: made for one Ed25519 key, read for any number of them.
 * Source: ToIP KERI specification, inception event. Deviates: read are JSON bodies, Ed25519 keys and numeric thresholds;
 * weighted thresholds and other curves are refused as unsupported, never taken for something else.
 */
import type { Aid, Said } from "../base/brands.ts";
import { utf8 } from "../base/bytes.ts";
import { assert } from "../base/errors.ts";
import { type Refusal, type Result, ok, refuse } from "../base/result.ts";
import { isAcceptablePublicKey } from "../crypto/ed25519.ts";
import { type EventFields, type JsonRefusal, hasFields, parseEventJson } from "./event-json.ts";
import type { KeyState } from "./key-state.ts";
import { decodeMatter, encodeMatter } from "./cesr/matter.ts";
import { SAID_PLACEHOLDER, nextKeyDigest, saidOf } from "./said.ts";
import { statedSize, versionString } from "./version.ts";

const FIELDS = ["v", "t", "d", "i", "s", "kt", "k", "nt", "n", "bt", "b", "c", "a"] as const;
const TRAITS: readonly string[] = ["EO", "DND", "RB", "NB", "NRB", "DID"];

export interface Inception extends KeyState {
  readonly traits: readonly string[];
  /** Seals of `a`, as they stand in the event. */
  readonly anchors: readonly EventFields[];
}

export type InceptionRefusal = JsonRefusal | Refusal<"KERI_UNSUPPORTED" | "KERI_SAID_MISMATCH" | "KERI_RULE">;

const malformed = (message: string) => refuse("KERI_MALFORMED", message, "peer");
const unsupported = (message: string) => refuse("KERI_UNSUPPORTED", message, "peer");
const broken = (message: string) => refuse("KERI_RULE", message, "peer");

export interface InceptionInput {
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The key that the first rotation will expose; only its digest enters the event. */
  readonly nextPublicKey: Uint8Array;
  /** Configuration traits, such as EO or DND. */
  readonly traits?: readonly string[];
}

/** Text of a transferable Ed25519 key (code D). */
export const keyText = (publicKey: Uint8Array): string => encodeMatter("D", publicKey);

/** Inception of a self-addressing identifier with one key. Throws: Defect for keys that are not 32 bytes. */
export function incept({ publicKey, nextPublicKey, traits = [] }: InceptionInput): {
  readonly aid: Aid;
  readonly event: Uint8Array;
} {
  assert(
    traits.every((trait) => TRAITS.includes(trait)),
    "traits are those of the specification",
  );
  const fields = {
    v: versionString(0),
    t: "icp",
    d: SAID_PLACEHOLDER,
    i: SAID_PLACEHOLDER,
    s: "0",
    kt: "1",
    k: [keyText(publicKey)],
    nt: "1",
    n: [nextKeyDigest(keyText(nextPublicKey))],
    bt: "0",
    b: [],
    c: traits,
    a: [],
  };
  fields.v = versionString(utf8(JSON.stringify(fields)).length);
  const said = saidOf(fields, ["d", "i"]);
  const event = utf8(JSON.stringify({ ...fields, d: said, i: said }));
  return { aid: said as string as Aid, event };
}

/** Judges an inception event by its raw bytes. Bounds: 64 KiB. Refuses: see InceptionRefusal. */
export function parseInception(bytes: Uint8Array): Result<Inception, InceptionRefusal> {
  const json = parseEventJson(bytes);
  if (!json.ok) return json;
  const fields = json.value;
  const size = statedSize(fields["v"]);
  if (size === undefined) return unsupported("The event is not of version KERI10JSON; send a version 1 JSON event.");
  if (size !== bytes.length)
    return malformed(`The version string states ${size} bytes; the event has ${bytes.length}.`);
  if (fields["t"] !== "icp") return unsupported("The event is not an inception (t is not icp).");
  if (!hasFields(fields, FIELDS))
    return malformed(`The fields of an inception are ${FIELDS.join(" ")}, in this order.`);
  if (fields["s"] !== "0") return malformed("An inception has sequence number 0.");
  const keys = readKeys(fields);
  if (!keys.ok) return keys;
  const next = readNext(fields);
  if (!next.ok) return next;
  const witnesses = readWitnesses(fields);
  if (!witnesses.ok) return witnesses;
  const config = readConfiguration(fields);
  if (!config.ok) return config;
  const names = readNames(fields, next.value.nextDigests.length);
  if (!names.ok) return names;
  return ok({ ...names.value, sn: 0, ...keys.value, ...next.value, ...witnesses.value, ...config.value });
}

/** The SAID recomputed, and an identifier that is it or the only key. */
function readNames(fields: EventFields, nextKeys: number): Result<Pick<KeyState, "aid" | "said">, InceptionRefusal> {
  const { d, i, k } = fields;
  if (typeof d !== "string" || typeof i !== "string") return malformed("Fields d and i are text.");
  const said = decodeMatter(d);
  if (!said.ok) return said;
  if (said.value.code !== "E") return unsupported("The event's digest is not Blake3-256 (code E).");
  const selfAddressing = i === d;
  if (saidOf(fields, selfAddressing ? ["d", "i"] : ["d"]) !== d) {
    return refuse(
      "KERI_SAID_MISMATCH",
      "The event's digest d is not that of its bytes; send the event exactly as its author made it.",
      "peer",
    );
  }
  if (!selfAddressing) {
    const keys = k as readonly unknown[];
    if (keys.length !== 1 || keys[0] !== i)
      return broken("The identifier is neither the event's digest nor its only key.");
    if (i.startsWith("B") && nextKeys > 0)
      return broken("A non-transferable identifier (code B) commits to no next key.");
  }
  return ok({ aid: i as Aid, said: d as Said });
}

function readKeys(fields: EventFields): Result<Pick<KeyState, "keys" | "threshold">, InceptionRefusal> {
  const texts = textList(fields["k"]);
  if (texts === undefined || texts.length === 0) return malformed("Field k is a list of at least one key.");
  const keys: Uint8Array[] = [];
  for (const text of texts) {
    const key = decodeMatter(text);
    if (!key.ok) return key;
    if (key.value.code !== "D" && key.value.code !== "B") return unsupported("A key is not Ed25519 (code D or B).");
    if (!isAcceptablePublicKey(key.value.raw))
      return broken("A key is no acceptable Ed25519 point (not canonical, or of small order).");
    keys.push(key.value.raw);
  }
  const threshold = readNumber(fields["kt"]);
  if (!threshold.ok) return threshold;
  if (threshold.value < 1 || threshold.value > keys.length)
    return broken(`Threshold kt is not within 1 and the ${keys.length} keys.`);
  return ok({ keys, threshold: threshold.value });
}

function readNext(fields: EventFields): Result<Pick<KeyState, "nextDigests" | "nextThreshold">, InceptionRefusal> {
  const texts = textList(fields["n"]);
  if (texts === undefined) return malformed("Field n is a list of digests.");
  for (const text of texts) {
    const digest = decodeMatter(text);
    if (!digest.ok) return digest;
    if (digest.value.code !== "E") return unsupported("A next-key digest is not Blake3-256 (code E).");
  }
  const threshold = readNumber(fields["nt"]);
  if (!threshold.ok) return threshold;
  if (threshold.value > texts.length || (threshold.value < 1 && texts.length > 0)) {
    return broken(`Threshold nt is not within 1 and the ${texts.length} next keys (0 when there are none).`);
  }
  return ok({ nextDigests: texts as readonly Said[], nextThreshold: threshold.value });
}

function readWitnesses(
  fields: EventFields,
): Result<Pick<KeyState, "witnesses" | "witnessThreshold">, InceptionRefusal> {
  const witnesses = textList(fields["b"]);
  if (witnesses === undefined) return malformed("Field b is a list of witness identifiers.");
  for (const text of witnesses) {
    const witness = decodeMatter(text);
    if (!witness.ok) return witness;
    if (witness.value.code !== "B") return broken("A witness is not a non-transferable Ed25519 identifier (code B).");
  }
  if (new Set(witnesses).size !== witnesses.length) return broken("A witness is listed twice.");
  const threshold = readNumber(fields["bt"]);
  if (!threshold.ok) return threshold;
  if (threshold.value > witnesses.length || (threshold.value < 1 && witnesses.length > 0)) {
    return broken(`Threshold bt is not within 1 and the ${witnesses.length} witnesses (0 when there are none).`);
  }
  return ok({ witnesses, witnessThreshold: threshold.value });
}

function readConfiguration(fields: EventFields): Result<Pick<Inception, "traits" | "anchors">, InceptionRefusal> {
  const traits = textList(fields["c"]);
  if (traits === undefined || !traits.every((trait) => TRAITS.includes(trait)))
    return malformed(`Field c is a list of traits out of ${TRAITS.join(" ")}.`);
  const anchors = fields["a"];
  if (!Array.isArray(anchors) || !anchors.every(isSeal)) return malformed("Field a is a list of seals.");
  return ok({ traits, anchors });
}

const isSeal = (value: unknown): value is EventFields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const textList = (value: unknown): readonly string[] | undefined =>
  Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined;

/** A number as lower-case hex without leading zeros, or as a JSON integer (as signify writes it). */
function readNumber(value: unknown): Result<number, InceptionRefusal> {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return ok(value);
  if (typeof value === "string" && /^(0|[1-9a-f][0-9a-f]{0,7})$/.test(value)) return ok(Number.parseInt(value, 16));
  if (Array.isArray(value))
    return unsupported("A weighted threshold stands where a number is read; use a number of keys.");
  return malformed("A threshold is a hexadecimal number without leading zeros.");
}
