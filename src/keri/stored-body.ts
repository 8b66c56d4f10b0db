/** Bodies that were judged once: read again from their bytes, which say by themselves what they are. */
import { assert } from "../base/errors.ts";
import { type EventRefusal, parseBody } from "./event.ts";
import type { KeriMessage, KeyEvent, ParsedBody } from "./messages.ts";
import type { Result } from "../base/result.ts";
import { parseVersion } from "./version.ts";

/** The version string stands within the first field; in CBOR and MessagePack after a few bytes of structure. */
const SNIFFED_BYTES = 32;
const VERSION = /KERI(?:10(?:JSON|CBOR|MGPK)[0-9a-f]{6}_|CAACAA(?:JSON|CBOR|MGPK)[A-Za-z0-9_-]{4}\.)/;

/**
 * What these very bytes (the array, which nobody changes) were read as: judging and folding in one go read a body once. Its digest
 * is half of what an event costs.
 */
const parsed = new WeakMap<Uint8Array, ParsedBody>();

/** The body of a message. Bounds, refuses: see parseBody. */
export function bodyOf({ body, bodyKind, version }: KeriMessage): Result<ParsedBody, EventRefusal> {
  const known = parsed.get(body);
  if (known !== undefined) return { ok: true, value: known };
  const read = parseBody(body, bodyKind, version);
  if (read.ok) parsed.set(body, read.value);
  return read;
}

/** A body that was accepted, or kept, after it had been judged. Throws: Defect for other bytes. */
export function storedBody(bytes: Uint8Array): ParsedBody {
  const known = parsed.get(bytes);
  if (known !== undefined) return known;
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, SNIFFED_BYTES)).toString("latin1");
  const stated = parseVersion(VERSION.exec(head)?.[0]);
  assert(stated !== undefined, "what was kept begins with a version string");
  const read = parseBody(bytes, stated.kind, stated.version);
  assert(read.ok, "what was kept was judged before");
  parsed.set(bytes, read.value);
  return read.value;
}

/** As storedBody, for key events. Throws: Defect for other bytes. */
export function storedEvent(bytes: Uint8Array): KeyEvent {
  const body = storedBody(bytes);
  assert(body.type !== "rct" && body.type !== "rpy", "what was kept is a key event");
  return body;
}
