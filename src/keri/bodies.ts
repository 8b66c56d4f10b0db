/** Bodies of messages in the serialisations that are read: fields out of exact bytes, and those bytes out of the fields again. */
import { utf8 } from "../base/bytes.ts";
import { type Result, refuse } from "../base/result.ts";
import { type EventFields, type JsonRefusal, parseEventJson } from "./event-json.ts";
import type { BodyKind } from "./messages.ts";

export type BodyRefusal = JsonRefusal | ReturnType<typeof refuse<"KERI_UNSUPPORTED">>["refusal"];

/** The fields of a body, in order; `encodeBody` of them is the very same bytes. Bounds: 64 KiB, 16 levels. Refuses: see BodyRefusal. */
export function decodeBody(bytes: Uint8Array, kind: BodyKind): Result<EventFields, BodyRefusal> {
  if (kind === "JSON") return parseEventJson(bytes);
  return refuse("KERI_UNSUPPORTED", `Bodies in ${kind} are not read; send JSON.`, "peer");
}

/** The one serialisation of these fields. */
export function encodeBody(fields: EventFields, _kind: BodyKind): Uint8Array {
  return utf8(JSON.stringify(fields));
}
