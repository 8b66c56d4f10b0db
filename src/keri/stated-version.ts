/** How a body says what it is: its first field is the version string, at the same place in every serialisation. */
import { type StatedVersion, parseVersion } from "./version.ts";

/** Longest beginning that states a version: {"v":" and 19 characters. No body is shorter. */
export const HEAD_BYTES = 25;

/** A JSON object, a CBOR map of up to 23 fields, a MessagePack map of up to 15. */
export const beginsBody = (byte: number): boolean =>
  byte === 0x7b || (byte >= 0x81 && byte <= 0x8f) || (byte >= 0xa1 && byte <= 0xb7);

/**
 * Version, serialisation and size that a body states; undefined where it is none of KERI 1.0 or 2.0. `head` has HEAD_BYTES.
 * Source: ToIP CESR specification, "Version String field": the first field, so that a reader finds it without parsing.
 */
export function statedVersion(head: Uint8Array): StatedVersion | undefined {
  const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString("latin1");
  if (text.startsWith('{"v":"')) {
    const stated = parseVersion(text.slice(6, 23)) ?? parseVersion(text.slice(6, 25));
    return stated?.kind === "JSON" ? stated : undefined;
  }
  // CBOR: text of one character (61), v, text of 17 or 19 (71, 73). MessagePack: a1, v, b1 or b3.
  const [, label, , string = 0] = head;
  const [kind, length] = label === 0x61 ? ["CBOR", string - 0x60] : ["MGPK", string - 0xa0];
  if (text.charAt(2) !== "v" || (label !== 0x61 && label !== 0xa1) || (length !== 17 && length !== 19))
    return undefined;
  const stated = parseVersion(text.slice(4, 4 + Number(length)));
  return stated?.kind === kind ? stated : undefined;
}
