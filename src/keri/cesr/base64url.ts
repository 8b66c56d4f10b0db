/** Characters in order of their value. Source: RFC 4648 §5. */
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Base64 with the URL alphabet, without padding. */
export const toBase64Url = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url");

/** Bytes of whole groups of four characters; undefined for other lengths and characters (Node's decoder skips what it does not know). */
export function fromBase64Url(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9_-]*$/.test(text)) return undefined;
  return new Uint8Array(Buffer.from(text, "base64url"));
}

/** A number as `length` characters, most significant first. The caller has checked that it fits. */
export function numberToBase64(value: number, length: number): string {
  let text = "";
  for (let rest = value, i = 0; i < length; i++, rest = Math.floor(rest / 64)) text = ALPHABET.charAt(rest % 64) + text;
  return text;
}

/** The number that up to eight characters stand for; undefined when one is not of the alphabet. */
export function base64ToNumber(text: string): number | undefined {
  let value = 0;
  for (const character of text) {
    const digit = ALPHABET.indexOf(character);
    if (digit < 0) return undefined;
    value = value * 64 + digit;
  }
  return value;
}

/** Whether the first `length` bytes, which only align a value, are zero. */
export function beginsWithZeros(bytes: Uint8Array, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[i] !== 0) return false;
  return true;
}
