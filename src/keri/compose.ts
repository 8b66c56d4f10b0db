/**
 * Writes events, receipts and replies of version 1 in JSON, byte for byte as keripy and signify write them.
 * Source: ToIP KERI specification, field lists of each message and "SAID fields". Whoever composes has chosen lawful values:
 * everything made here is read again before it is handed out, and what would be refused is a defect.
 */
import type { Aid, Said } from "../base/brands.ts";
import { utf8 } from "../base/bytes.ts";
import { assert } from "../base/errors.ts";
import type { Threshold } from "../crypto/threshold.ts";
import { parseBody } from "./event.ts";
import type { EventFields } from "./event-json.ts";
import { keyText } from "./key-text.ts";
import type { Trait } from "./messages.ts";
import { SAID_PLACEHOLDER, blake3Digest, nextKeyDigest } from "./said.ts";
import { writeThreshold } from "./threshold.ts";
import { versionString } from "./version.ts";

/** A message that was made: its name, and the exact bytes to sign. */
export interface Composed {
  readonly said: Said;
  readonly event: Uint8Array;
}

/** Keys in force, and the digests of those that may follow. */
export interface KeysInput {
  /** CESR texts of keys; `keyText` makes one of an Ed25519 key. */
  readonly keys: readonly string[];
  /** Default: 1 for one key; must be given for more. */
  readonly threshold?: Threshold;
  /** Digests of the next keys' texts (`nextKeyDigest`); none: never rotates again. */
  readonly nextDigests: readonly string[];
  /** Default: 1 for one digest, 0 for none; must be given for more. */
  readonly nextThreshold?: Threshold;
  /** Seals, such as {i, s, d}; anchored as they are. */
  readonly seals?: readonly EventFields[];
}

export interface InceptionInput extends KeysInput {
  /** CESR texts of witnesses (code B). */
  readonly witnesses?: readonly string[];
  /** Default: as many as keripy asks for, `ampleWitnesses`. */
  readonly witnessThreshold?: number;
  readonly traits?: readonly Trait[];
}

export interface RotationInput extends KeysInput {
  readonly aid: Aid;
  readonly sn: number;
  readonly prior: Said;
  /** How many of the witnesses that result must receipt. */
  readonly witnessThreshold: number;
  readonly witnessesRemoved?: readonly string[];
  readonly witnessesAdded?: readonly string[];
}

export interface InteractionInput {
  readonly aid: Aid;
  readonly sn: number;
  readonly prior: Said;
  readonly seals: readonly EventFields[];
}

export interface ReplyInput {
  readonly route: "/end/role/add" | "/end/role/cut" | "/loc/scheme";
  /** ISO 8601 with microseconds and offset: 2024-01-01T00:00:00.000000+00:00. */
  readonly date: string;
  /** cid, role, eid; or eid, scheme, url: in this order. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** Inception of a self-addressing identifier. Throws: Defect for values that would be refused. */
export function incept(input: InceptionInput): Composed & { readonly aid: Aid } {
  const made = finish(inceptionFields("icp", input), ["d", "i"]);
  return { ...made, aid: made.said as string as Aid };
}

/** Inception of an identifier with one Ed25519 key and one to follow, 32 bytes each. Throws: see incept. */
export const inceptSingle = (input: {
  readonly publicKey: Uint8Array;
  /** Only the digest of its text enters the event. */
  readonly nextPublicKey: Uint8Array;
  readonly traits?: readonly Trait[];
}): Composed & { readonly aid: Aid } =>
  incept({
    keys: [keyText(input.publicKey)],
    nextDigests: [nextKeyDigest(keyText(input.nextPublicKey))],
    traits: input.traits ?? [],
  });

/** Inception of a non-transferable identifier, which is its own key (CESR text, code B). Throws: see incept. */
export function inceptNonTransferable(key: string): Composed & { readonly aid: Aid } {
  const fields = inceptionFields("icp", { keys: [key], nextDigests: [] });
  return { ...finish({ ...fields, i: key }, ["d"]), aid: key as Aid };
}

/** Inception of an identifier that another one delegates; in force once the delegator anchors {i, s, d} of it. */
export function delegatedIncept(input: InceptionInput & { readonly delegator: Aid }): Composed & { readonly aid: Aid } {
  const made = finish({ ...inceptionFields("dip", input), di: input.delegator }, ["d", "i"]);
  return { ...made, aid: made.said as string as Aid };
}

export const rotate = (input: RotationInput): Composed => finish(rotationFields("rot", input), ["d"]);

/** Rotation of a delegated identifier; in force once the delegator anchors it. */
export const delegatedRotate = (input: RotationInput): Composed => finish(rotationFields("drt", input), ["d"]);

export const interact = ({ aid, sn, prior, seals }: InteractionInput): Composed =>
  finish({ v: "", t: "ixn", d: "", i: aid, s: sn.toString(16), p: prior, a: seals }, ["d"]);

/** A receipt names the event that the signatures attached to it are for. */
export const receipt = (event: { readonly aid: Aid; readonly sn: number; readonly said: Said }): Composed =>
  finish({ v: "", t: "rct", d: event.said, i: event.aid, s: event.sn.toString(16) }, []);

export const reply = ({ route, date, attributes }: ReplyInput): Composed =>
  finish({ v: "", t: "rpy", d: "", dt: date, r: route, a: attributes }, ["d"]);

function inceptionFields(type: "icp" | "dip", input: InceptionInput): EventFields {
  const { witnesses = [], traits = [] } = input;
  const { kt, k, nt, n } = keyFields(input);
  const bt = hex(input.witnessThreshold ?? ampleWitnesses(witnesses.length));
  return { v: "", t: type, d: "", i: "", s: "0", kt, k, nt, n, bt, b: witnesses, c: traits, a: input.seals ?? [] };
}

function rotationFields(type: "rot" | "drt", input: RotationInput): EventFields {
  const { aid, sn, prior, witnessThreshold, witnessesRemoved: br = [], witnessesAdded: ba = [], seals: a = [] } = input;
  const { kt, k, nt, n } = keyFields(input);
  return { v: "", t: type, d: "", i: aid, s: hex(sn), p: prior, kt, k, nt, n, bt: hex(witnessThreshold), br, ba, a };
}

function keyFields({ keys, threshold, nextDigests, nextThreshold }: KeysInput): EventFields {
  return {
    kt: writeThreshold(thresholdFor(keys.length, threshold)),
    k: keys,
    nt: writeThreshold(thresholdFor(nextDigests.length, nextThreshold)),
    n: nextDigests,
  };
}

function thresholdFor(count: number, given: Threshold | undefined): Threshold {
  assert(given !== undefined || count <= 1, "the threshold over several keys is somebody's decision");
  return given ?? count;
}

/**
 * Receipts that keep an event safe while f witnesses are faulty: the least sufficient majority that n witnesses can always give.
 * Source: KERI's agreement algorithm (KAACE), as keripy's `ample` computes it by default.
 */
export function ampleWitnesses(witnesses: number): number {
  if (witnesses === 0) return 0;
  const faults = Math.max(1, Math.floor((witnesses - 1) / 3));
  return Math.min(witnesses, Math.ceil((witnesses + faults + 1) / 2));
}

const hex = (value: number): string => value.toString(16);

/** States the size, then fills the named fields with the digest of it all. */
function finish(fields: EventFields, named: readonly string[]): Composed {
  const blank: Record<string, unknown> = { ...fields, v: versionString(0) };
  for (const name of named) blank[name] = SAID_PLACEHOLDER;
  blank["v"] = versionString(utf8(JSON.stringify(blank)).length);
  const said = named.length > 0 ? blake3Digest(utf8(JSON.stringify(blank))) : (fields["d"] as Said);
  for (const name of named) blank[name] = said;
  const event = utf8(JSON.stringify(blank));
  const read = parseBody(event, "JSON", { major: 1, minor: 0 });
  assert(read.ok, read.ok ? "" : `what is composed can be read: ${read.refusal.message}`);
  return { said, event };
}
