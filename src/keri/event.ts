/**
 * Bodies of messages, judged by their raw bytes and by nothing else: exact fields in order, canonical values, the SAID
 * recomputed. What other events or signatures must say is for the rules.
 * Source: ToIP KERI specification, "KERI data structures and labels" and the field lists of each message.
 */
import type { Said } from "../base/brands.ts";
import { type Refusal, type Result, ok, refuse } from "../base/result.ts";
import { type BodyRefusal, decodeBody, encodeBody } from "./bodies.ts";
import {
  type FieldRefusal,
  all,
  broken,
  isFields,
  isNonTransferable,
  readAid,
  readEventSeals,
  readKeys,
  readNext,
  readRotationTraits,
  readSaid,
  readSn,
  readTraits,
  readWitnessThreshold,
  readWitnesses,
  unsupported,
} from "./event-fields.ts";
import { type EventFields, hasFields } from "./event-json.ts";
import type {
  BodyKind,
  InceptionEvent,
  InteractionEvent,
  KeyEvent,
  ParsedBody,
  ProtocolVersion,
  ReceiptMessage,
  ReplyMessage,
  RotationEvent,
} from "./messages.ts";
import { digestCode, digestText, placeholderOf } from "./said.ts";
import { parseVersion } from "./version.ts";
import { malformed } from "./malformed.ts";

export type EventRefusal = BodyRefusal | FieldRefusal | Refusal<"KERI_SAID_MISMATCH">;

type MessageType = ParsedBody["type"];

const ICP = ["v", "t", "d", "i", "s", "kt", "k", "nt", "n", "bt", "b", "c", "a"] as const;
const ROT = ["v", "t", "d", "i", "s", "p", "kt", "k", "nt", "n", "bt", "br", "ba", "a"] as const;
const ROT_2 = ["v", "t", "d", "i", "s", "p", "kt", "k", "nt", "n", "bt", "br", "ba", "c", "a"] as const;

/** Fields of each type, in order; rotations carry traits from version 2 on, replies their author. */
const FIELDS: Readonly<Record<1 | 2, Readonly<Record<MessageType, readonly string[]>>>> = {
  1: {
    icp: ICP,
    dip: [...ICP, "di"],
    rot: ROT,
    drt: ROT,
    ixn: ["v", "t", "d", "i", "s", "p", "a"],
    rct: ["v", "t", "d", "i", "s"],
    rpy: ["v", "t", "d", "dt", "r", "a"],
  },
  2: {
    icp: ICP,
    dip: [...ICP, "di"],
    rot: ROT_2,
    drt: ROT_2,
    ixn: ["v", "t", "d", "i", "s", "p", "a"],
    rct: ["v", "t", "d", "i", "s"],
    rpy: ["v", "t", "d", "i", "dt", "r", "a"],
  },
};

/** What a body is before its fields are read. */
interface Opened {
  readonly fields: EventFields;
  readonly bytes: Uint8Array;
  readonly bodyKind: BodyKind;
  readonly version: ProtocolVersion;
}

/** The message that a body is. Bounds: 64 KiB. Refuses: see EventRefusal; other message types are KERI_UNSUPPORTED. */
export function parseBody(
  bytes: Uint8Array,
  kind: BodyKind,
  version: ProtocolVersion,
): Result<ParsedBody, EventRefusal> {
  const decoded = decodeBody(bytes, kind);
  if (!decoded.ok) return decoded;
  const fields = decoded.value;
  const stated = parseVersion(fields["v"]);
  if (stated === undefined) return unsupported("The version string is none of KERI 1.0 or 2.0.");
  if (stated.kind !== kind || stated.version.major !== version.major || stated.version.minor !== version.minor)
    return malformed("The version string states another version or serialisation than the message is read as.");
  if (stated.size !== bytes.length)
    return malformed(`The version string states ${stated.size} bytes; the event has ${bytes.length}.`);
  const type = fields["t"];
  if (!isMessageType(type))
    return unsupported(`Messages are of type ${Object.keys(FIELDS[1]).join(" ")}; this one is not.`);
  const names = FIELDS[version.major][type];
  if (!hasFields(fields, names)) return malformed(`The fields of ${type} are ${names.join(" ")}, in this order.`);
  const opened: Opened = { fields, bytes, bodyKind: kind, version };
  switch (type) {
    case "icp":
    case "dip":
      return readInception(opened, type);
    case "rot":
    case "drt":
      return readRotation(opened, type);
    case "ixn":
      return readInteraction(opened);
    case "rct":
      return readReceipt(opened);
    case "rpy":
      return readReply(opened);
    default:
      return type satisfies never;
  }
}

/** The key event that a body is. Refuses: see parseBody; receipts and replies are KERI_UNSUPPORTED. */
export function parseKeyEvent(
  bytes: Uint8Array,
  kind: BodyKind,
  version: ProtocolVersion,
): Result<KeyEvent, EventRefusal> {
  const parsed = parseBody(bytes, kind, version);
  if (!parsed.ok) return parsed;
  return parsed.value.type === "rct" || parsed.value.type === "rpy"
    ? unsupported("A receipt or a reply stands where a key event is read.")
    : ok(parsed.value);
}

/** The inception (icp) that a version 1 JSON body is. Refuses: see parseBody; other types are KERI_UNSUPPORTED. */
export function parseInception(bytes: Uint8Array): Result<InceptionEvent, EventRefusal> {
  const parsed = parseBody(bytes, "JSON", { major: 1, minor: 0 });
  if (!parsed.ok) return parsed;
  return parsed.value.type === "icp" ? ok(parsed.value) : unsupported("The event is not an inception (t is not icp).");
}

const isMessageType = (type: unknown): type is MessageType =>
  typeof type === "string" && Object.hasOwn(FIELDS[1], type);

const common = ({ bytes, bodyKind, version }: Opened) => ({ bytes, bodyKind, version });

/** d, when it is the digest of the body with these fields blanked out. */
function readOwnSaid({ fields, bodyKind }: Opened, blanked: readonly string[]): Result<Said, EventRefusal> {
  const said = fields["d"];
  if (typeof said !== "string") return malformed("Field d is a digest's text.");
  const code = digestCode(said);
  if (!code.ok) return code;
  const blank = { ...fields };
  for (const name of blanked) blank[name] = placeholderOf(code.value);
  return digestText(code.value, encodeBody(blank, bodyKind)) === said
    ? ok(said as Said)
    : refuse(
        "KERI_SAID_MISMATCH",
        "The digest d is not that of the message's bytes; send it exactly as its author made it.",
        "peer",
      );
}

function readInception(opened: Opened, type: "icp" | "dip"): Result<InceptionEvent, EventRefusal> {
  const { fields } = opened;
  if (fields["s"] !== "0") return malformed("An inception has sequence number 0.");
  const selfAddressing = fields["i"] === fields["d"];
  const read = all({
    keys: readKeys(fields),
    next: readNext(fields),
    witnesses: readWitnesses("b", fields["b"]),
    witnessThreshold: readWitnessThreshold(fields["bt"]),
    traits: readTraits(fields["c"]),
    eventSeals: readEventSeals(fields["a"]),
    delegator: type === "dip" ? readAid("di", fields["di"]) : ok(null),
    said: readOwnSaid(opened, selfAddressing ? ["d", "i"] : ["d"]),
    aid: readAid("i", fields["i"]),
  });
  if (!read.ok) return read;
  const { keys, next, ...rest } = read.value;
  const { witnesses, witnessThreshold, aid } = rest;
  if (witnessThreshold > witnesses.length || (witnessThreshold < 1 && witnesses.length > 0))
    return broken(`Threshold bt is not within 1 and the ${witnesses.length} witnesses (0 when there are none).`);
  if (!selfAddressing) {
    if (type === "dip") return broken("A delegated identifier is the digest of its inception.");
    if (keys.keys.length !== 1 || keys.keys[0] !== aid)
      return broken("The identifier is neither the event's digest nor its only key.");
    if (isNonTransferable(aid) && (next.nextDigests.length > 0 || witnesses.length > 0 || !isEmptyList(fields["a"])))
      return broken("A non-transferable identifier commits to no next key, names no witness and anchors nothing.");
  }
  return ok({ ...common(opened), type, sn: 0, ...rest, ...keys, ...next });
}

const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

/** i, s and p of an event that is not the first; its SAID. */
function readFollower(opened: Opened) {
  const { fields } = opened;
  const read = all({
    aid: readAid("i", fields["i"]),
    sn: readSn(fields["s"]),
    prior: readSaid("p", fields["p"]),
    said: readOwnSaid(opened, ["d"]),
  });
  if (!read.ok) return read;
  if (read.value.sn < 1) return malformed("Only an inception has sequence number 0.");
  if (isNonTransferable(read.value.aid))
    return broken("A non-transferable identifier has no event after its inception.");
  return read;
}

function readRotation(opened: Opened, type: "rot" | "drt"): Result<RotationEvent, EventRefusal> {
  const { fields, version } = opened;
  const read = all({
    keys: readKeys(fields),
    next: readNext(fields),
    witnessesRemoved: readWitnesses("br", fields["br"]),
    witnessesAdded: readWitnesses("ba", fields["ba"]),
    witnessThreshold: readWitnessThreshold(fields["bt"]),
    traits: version.major === 2 ? readRotationTraits(fields["c"]) : ok([]),
    eventSeals: readEventSeals(fields["a"]),
    follower: readFollower(opened),
  });
  if (!read.ok) return read;
  const { keys, next, follower, ...rest } = read.value;
  if (rest.witnessesRemoved.some((witness) => rest.witnessesAdded.includes(witness)))
    return broken("A witness is both removed (br) and added (ba).");
  return ok({ ...common(opened), type, ...follower, ...rest, ...keys, ...next });
}

function readInteraction(opened: Opened): Result<InteractionEvent, EventRefusal> {
  const read = all({ eventSeals: readEventSeals(opened.fields["a"]), follower: readFollower(opened) });
  if (!read.ok) return read;
  return ok({ ...common(opened), type: "ixn", ...read.value.follower, eventSeals: read.value.eventSeals });
}

/** A receipt has no SAID of its own: d is that of the event. */
function readReceipt(opened: Opened): Result<ReceiptMessage, EventRefusal> {
  const { i, s, d } = opened.fields;
  const read = all({ aid: readAid("i", i), sn: readSn(s), said: readSaid("d", d) });
  return read.ok ? ok({ ...common(opened), type: "rct", ...read.value }) : read;
}

/** ISO 8601 with microseconds and offset, as keripy and signify write it. */
const DATE =
  /^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}[+-]([01][0-9]|2[0-3]):[0-5][0-9]$/;
/** 1 KiB: longer than any URL that others open. */
const ATTRIBUTE_CHARACTERS_MAX = 1024;

/** What each route's attributes are, in order; those that name identifiers must be some. */
const ROUTES: Readonly<Record<string, readonly string[]>> = {
  "/end/role/add": ["cid", "role", "eid"],
  "/end/role/cut": ["cid", "role", "eid"],
  "/loc/scheme": ["eid", "scheme", "url"],
};

function readReply(opened: Opened): Result<ReplyMessage, EventRefusal> {
  const { dt, r, a } = opened.fields;
  if (typeof dt !== "string" || !DATE.test(dt))
    return malformed("Field dt is a date and time with microseconds and offset.");
  if (typeof r !== "string") return malformed("Field r is a route's text.");
  const names = Object.hasOwn(ROUTES, r) ? ROUTES[r] : undefined;
  if (names === undefined) return unsupported(`Replies on the route ${r.slice(0, 64)} are not read here.`);
  if (!isFields(a) || !hasFields(a, names))
    return malformed(`The attributes of ${r} are ${names.join(" ")}, in this order.`);
  const attributes: Record<string, string> = {};
  for (const name of names) {
    const value = a[name];
    if (typeof value !== "string" || value.length > ATTRIBUTE_CHARACTERS_MAX)
      return malformed(`Attribute ${name} is a text of at most ${ATTRIBUTE_CHARACTERS_MAX} characters.`);
    const aid = name === "cid" || name === "eid" ? readAid(name, value) : ok(value);
    if (!aid.ok) return aid;
    attributes[name] = value;
  }
  // From version 2 on a reply names its author; whose signatures count is for the rules.
  const author = opened.version.major === 2 ? readAid("i", opened.fields["i"]) : ok(null);
  if (!author.ok) return author;
  const said = readOwnSaid(opened, ["d"]);
  return said.ok
    ? ok({ ...common(opened), type: "rpy", said: said.value, author: author.value, date: dt, route: r, attributes })
    : said;
}
