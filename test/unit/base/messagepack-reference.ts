/**
 * MessagePack by the letter of its specification, for the tests' second opinion: nothing here knows how src/base reads or writes, and
 * nothing is quick. Source: https://github.com/msgpack/msgpack/blob/master/spec.md.
 */
export type Reference = bigint | string | boolean | null | Uint8Array | readonly Reference[];

/** The one value that fills the bytes. Throws: Error for what our wire format has no use for, and for what is not MessagePack. */
export function readReference(bytes: Uint8Array): Reference {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const uint = (width: number): bigint => {
    let value = 0n;
    for (let i = 0; i < width; i++) value = (value << 8n) | BigInt(view.getUint8(at++));
    return value;
  };
  const take = (length: number | bigint): Uint8Array => {
    const start = at;
    at += Number(length);
    if (at > bytes.length) throw new Error("cut short");
    return bytes.slice(start, at);
  };
  const text = (length: number | bigint): string =>
    new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(take(length));
  const array = (length: number | bigint): Reference => {
    const items: Reference[] = [];
    while (items.length < Number(length)) items.push(value());
    return items;
  };
  function value(): Reference {
    const head = Number(uint(1));
    if (head <= 0x7f) return BigInt(head);
    if (head >= 0x90 && head <= 0x9f) return array(head - 0x90);
    if (head >= 0xa0 && head <= 0xbf) return text(head - 0xa0);
    const formats: Readonly<Record<number, () => Reference>> = {
      0xc0: () => null,
      0xc2: () => false,
      0xc3: () => true,
      0xc4: () => take(uint(1)),
      0xc5: () => take(uint(2)),
      0xc6: () => take(uint(4)),
      0xcc: () => uint(1),
      0xcd: () => uint(2),
      0xce: () => uint(4),
      0xcf: () => uint(8),
      0xd0: () => BigInt.asIntN(8, uint(1)),
      0xd1: () => BigInt.asIntN(16, uint(2)),
      0xd2: () => BigInt.asIntN(32, uint(4)),
      0xd3: () => BigInt.asIntN(64, uint(8)),
      0xd9: () => text(uint(1)),
      0xda: () => text(uint(2)),
      0xdb: () => text(uint(4)),
      0xdc: () => array(uint(2)),
      0xdd: () => array(uint(4)),
    };
    const format = formats[head];
    if (format === undefined)
      throw new Error(`0x${head.toString(16)}: a map, an extension, a float or a small negative number`);
    return format();
  }
  const whole = value();
  if (at !== bytes.length) throw new Error("more behind it");
  return whole;
}

/** The value in the fewest bytes; integers beyond 32 bits as int64 (ADR 0004). Throws: Error for those that we do not have. */
export function writeReference(value: Reference): Uint8Array {
  const bytes: number[] = [];
  const uint = (number: number | bigint, width: number): void => {
    for (let i = width - 1; i >= 0; i--) bytes.push(Number((BigInt(number) >> BigInt(8 * i)) & 0xffn));
  };
  /** A head that carries the number itself, or the first of the given ones that has room for it. */
  const head = (
    number: number | bigint,
    own: readonly [number, number],
    ...others: readonly [number, number][]
  ): void => {
    if (number < own[1]) return void bytes.push(own[0] + Number(number));
    const found = others.find(([, width]) => BigInt(number) < 1n << BigInt(8 * width));
    if (found === undefined) throw new Error(`no head for ${number}`);
    bytes.push(found[0]);
    uint(number, found[1]);
  };
  const write = (one: Reference): void => {
    if (one === null) bytes.push(0xc0);
    else if (typeof one === "boolean") bytes.push(one ? 0xc3 : 0xc2);
    else if (typeof one === "bigint") {
      if (one < 0n || one > 2n ** 53n - 1n) throw new Error(`${one} is not one of our numbers`);
      head(one, [0, 128], [0xcc, 1], [0xcd, 2], [0xce, 4], [0xd3, 8]);
    } else if (typeof one === "string") {
      const encoded = new TextEncoder().encode(one);
      head(encoded.length, [0xa0, 32], [0xd9, 1], [0xda, 2], [0xdb, 4]);
      for (const byte of encoded) bytes.push(byte);
    } else if (one instanceof Uint8Array) {
      head(one.length, [0, 0], [0xc4, 1], [0xc5, 2], [0xc6, 4]);
      for (const byte of one) bytes.push(byte);
    } else {
      head(one.length, [0x90, 16], [0xdc, 2], [0xdd, 4]);
      for (const item of one) write(item);
    }
  };
  write(value);
  return Uint8Array.from(bytes);
}

const depthOf = (value: Reference): number =>
  Array.isArray(value) ? 1 + value.reduce((most: number, item: Reference) => Math.max(most, depthOf(item)), 0) : 0;

/** Lists, and what they hold. */
export const countOf = (value: Reference): number =>
  Array.isArray(value) ? value.reduce((count: number, item: Reference) => count + countOf(item), 1) : 1;

/** Whether the bytes are a value as our wire format has it: the fewest bytes that mean it, nested no deeper than 12. */
export function isOurs(bytes: Uint8Array): boolean {
  try {
    const value = readReference(bytes);
    return depthOf(value) <= 12 && Buffer.compare(writeReference(value), bytes) === 0;
  } catch {
    return false;
  }
}
