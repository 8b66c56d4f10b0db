/** Bodies of messages in the serialisations that are read: fields out of exact bytes, and those bytes out of the fields again. */
import { equalBytes, utf8 } from "../base/bytes.ts";
import { type Result, ok, refuse } from "../base/result.ts";
import type { BodyValue } from "./body-bytes.ts";
import { decodeCbor, encodeCbor } from "./body-cbor.ts";
import { decodeMessagePack, encodeMessagePack } from "./body-msgpack.ts";
import { BODY_DEPTH_MAX, EVENT_BYTES_MAX, type EventFields, type JsonRefusal, parseEventJson } from "./event-json.ts";
import type { BodyKind } from "./messages.ts";
import { malformed } from "./malformed.ts";

export type BodyRefusal = JsonRefusal;

/**
 * The fields of a body, in order. Accepted is only what `encodeBody` of them writes again byte for byte: no repeated names, no
 * other spelling of a number, a length or a text. Bounds: 64 KiB, 16 levels. Refuses: KERI_MALFORMED, TOO_LARGE.
 */
export function decodeBody(bytes: Uint8Array, kind: BodyKind): Result<EventFields, BodyRefusal> {
  if (kind === "JSON") return parseEventJson(bytes);
  if (bytes.length > EVENT_BYTES_MAX)
    return refuse("TOO_LARGE", `The event has ${bytes.length} bytes; at most ${EVENT_BYTES_MAX} are read.`, "peer");
  const value = (kind === "CBOR" ? decodeCbor : decodeMessagePack)(bytes, BODY_DEPTH_MAX);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return malformed(
      `The event is not one ${kind} map of text, whole numbers, lists and maps, at most ${BODY_DEPTH_MAX} deep.`,
    );
  const fields = value as EventFields;
  return equalBytes(encodeBody(fields, kind), bytes)
    ? ok(fields)
    : malformed(
        `The event is not canonical ${kind}: write it without repeated names, every length in its shortest form.`,
      );
}

/** The one serialisation of these fields, which `decodeBody` gave (in binary ones all values are what those can hold). */
export function encodeBody(fields: EventFields, kind: BodyKind): Uint8Array {
  switch (kind) {
    case "JSON":
      return utf8(JSON.stringify(fields));
    case "CBOR":
      return encodeCbor(fields as BodyValue);
    case "MGPK":
      return encodeMessagePack(fields as BodyValue);
    default:
      return kind satisfies never;
  }
}
