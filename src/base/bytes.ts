import type { Digest } from "./brands.ts";

/** Lower-case hex. */
export const toHex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");

/** Bytes of lower- or upper-case hex; undefined when the text is not hex of whole bytes. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  return new Uint8Array(Buffer.from(text, "hex"));
}

/** The 32 bytes of a digest, in a buffer of their own. */
export const digestBytes = (digest: Digest): Uint8Array => new Uint8Array(Buffer.from(digest, "hex"));

/** A digest of exactly 32 bytes as text. The caller has checked the length. */
export const digestOf = (bytes: Uint8Array): Digest => toHex(bytes) as Digest;

/** 32 zero bytes: the parent of genesis. */
export const ZERO_DIGEST = "0".repeat(64) as Digest;

/** The parts, one after the other. For a handful: an argument list of more than about 100,000 overflows the stack. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

const encoder = new TextEncoder();
export const utf8 = (text: string): Uint8Array => encoder.encode(text);

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Strict UTF-8; undefined when ill-formed. */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return undefined;
  }
}
