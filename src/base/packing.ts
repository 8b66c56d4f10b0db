/**
 * MessagePack by msgpackr, as our wire format uses it (ADR 0004): what shapes make of values becomes bytes, and bytes that the
 * structure walk let pass become what shapes judge.
 *
 * `msgpackr/pack` is msgpackr without its native string extraction: that one is optional, reads a byte order mark otherwise than
 * the rest, and its strings are slices that keep whole messages in memory.
 */
import { Packr, RESERVE_START_SPACE, RESET_BUFFER_MODE, REUSE_BUFFER_MODE, addExtension } from "msgpackr/pack";
import { concatBytes } from "./bytes.ts";
import { type MarkedText, checkStructure } from "./messagepack-structure.ts";
import { ShapeError } from "./shape-error.ts";

/** What shapes write. Integers beyond 32 bits are bigints: msgpackr would make a float64 of such a number. */
export type Wire = number | bigint | string | boolean | null | Octets | readonly Wire[];

/** Bytes to be written, as they are or in hex; hex becomes bytes where it is packed, and nowhere before. */
export class Octets {
  readonly given: Uint8Array | string;

  constructor(given: Uint8Array | string) {
    this.given = given;
  }
}

const packr = new Packr({
  useRecords: false,
  variableMapSize: true,
  encodeUndefinedAsNil: false,
  int64AsType: "number",
  mapsAsObjects: false,
});

/** Room that msgpackr has made, from `position` on. */
interface Room {
  readonly target: Buffer;
  readonly position: number;
}

/**
 * Has msgpackr pack `Octets` as it packs bytes. Those it would ask after six classes before, which takes four times as long as the
 * packing. A type must be given and is never written.
 */
function packOctets({ given }: Octets, allocate: (bytes: number) => Room): void {
  const isHex = typeof given === "string";
  const length = isHex ? given.length >> 1 : given.length;
  const width = length < 0x100 ? 1 : length < 0x1_0000 ? 2 : 4;
  const { target, position } = allocate(1 + width + length);
  target[position] = width === 1 ? 0xc4 : width === 2 ? 0xc5 : 0xc6;
  if (width === 1) target[position + 1] = length;
  else target.writeUIntBE(length, position + 1, width);
  const start = position + 1 + width;
  if (!isHex) target.set(given, start);
  else if (target.write(given, start, length, "hex") !== length) throw new ShapeError("hex: expected hex digits");
}
addExtension({ Class: Octets, type: 1, pack: packOctets } as unknown as Parameters<typeof addExtension>[0]);

/** Where msgpackr writes before the bytes are copied out. What a large value needed is given back afterwards. */
const ROOM_BYTES = 64 * 1024;
const ROOM_KEPT_BYTES = 1024 * 1024;
packr.useBuffer(Buffer.allocUnsafeSlow(ROOM_BYTES));

/** msgpackr's buffer, with a value packed into it. */
interface Packed extends Buffer {
  readonly start: number;
  readonly end: number;
}

const keepNoMoreThanAsked = ({ length }: Packed): void => {
  if (length > ROOM_KEPT_BYTES) packr.useBuffer(Buffer.allocUnsafeSlow(ROOM_BYTES));
};

/** The value where msgpackr packed it; what is packed next is written over it. */
function packed(wire: Wire): Packed {
  const target = packr.pack(wire, REUSE_BUFFER_MODE | RESET_BUFFER_MODE) as Packed;
  keepNoMoreThanAsked(target);
  return target;
}

/** The value's bytes, in a buffer of their own. */
export function pack(wire: Wire): Uint8Array {
  const target = packed(wire);
  return new Uint8Array(target.subarray(target.start, target.end));
}

/** msgpackr reserves no more before a value. */
const PREFIX_BYTES_MAX = 255;

/** What `use` makes of prefix ‖ value: bytes that it may only look at, and only until it returns. */
export function withPacked<R>(prefix: Uint8Array, wire: Wire, use: (bytes: Uint8Array) => R): R {
  if (prefix.length > PREFIX_BYTES_MAX) return use(concatBytes(prefix, pack(wire)));
  const target = packr.pack(wire, REUSE_BUFFER_MODE | RESERVE_START_SPACE | prefix.length) as Packed;
  const { start, end } = target;
  try {
    target.set(prefix, start);
    return use(target.subarray(start, end)); // what is packed meanwhile comes behind it
  } finally {
    packr.position = start;
    keepNoMoreThanAsked(target);
  }
}

/** Values packed one after the other. */
export class PackedSequence {
  #room = Buffer.allocUnsafeSlow(0);
  #at = 0;

  add(wire: Wire): void {
    const target = packed(wire);
    const end = this.#at + target.end - target.start;
    if (end > this.#room.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(2 * end, ROOM_BYTES));
      this.#room.copy(larger, 0, 0, this.#at);
      this.#room = larger;
    }
    target.copy(this.#room, this.#at, target.start, target.end);
    this.#at = end;
  }

  /** All that were added since the last time. */
  take(): Uint8Array {
    const bytes = new Uint8Array(this.#room.subarray(0, this.#at));
    this.#at = 0;
    if (this.#room.length > ROOM_KEPT_BYTES) this.#room = Buffer.allocUnsafeSlow(0);
    return bytes;
  }
}

/**
 * Small inputs are read from here: msgpackr keeps a DataView with a buffer that it reads from, and to make one for each takes as
 * long as to read ten values. 4 KiB: beyond that the copy costs as much.
 */
const small = new Uint8Array(4096);
let smallIsInUse = false;

/**
 * What `read` makes of the value that fills the input. Bytes among it lie in a buffer that the next call writes over.
 * Throws: ShapeError when the structure is not ours or has more than so many values, before msgpackr sees it.
 */
export function unpack<T>(input: Uint8Array, valuesMax: number, read: (wire: unknown) => T): T {
  if (input.length > small.length || smallIsInUse) return read(unpackFrom(viewOf(input), input.length, valuesMax));
  smallIsInUse = true;
  try {
    small.set(input);
    return read(unpackFrom(small, input.length, valuesMax));
  } finally {
    smallIsInUse = false;
  }
}

/** The same bytes: msgpackr leaves a property on what it is given, and a Buffer's slices would be Buffers. */
const viewOf = (input: Uint8Array): Uint8Array => new Uint8Array(input.buffer, input.byteOffset, input.length);

function unpackFrom(bytes: Uint8Array, end: number, valuesMax: number): unknown {
  const marked = checkStructure(bytes, end, valuesMax);
  const wire: unknown = packr.unpack(bytes, end);
  return marked.length === 0 ? wire : withMarks(wire, marked);
}

const MARK = "\ufeff";

/** Gives `each` the values that stand one after the other, as `PackedSequence` packed them: they are not walked over first. */
export function unpackSequence(input: Uint8Array, each: (wire: unknown) => void): void {
  if (input.length === 0) return;
  const bytes = viewOf(input);
  const mayHoldMarks = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(MARK);
  packr.unpackMultiple(bytes, (wire: unknown, start = 0, end = 0) => {
    each(mayHoldMarks ? withMarks(wire, checkStructure(bytes.subarray(start, end), end - start, Infinity)) : wire);
  });
}

/**
 * The value with the byte order marks at the beginning of its texts: msgpackr drops them from long ones, so that two encodings
 * would mean one value.
 */
function withMarks(wire: unknown, marked: readonly MarkedText[]): unknown {
  let texts = 0;
  let next = 0;
  const restore = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(restore);
    if (typeof value !== "string") return value;
    const text = marked[next];
    if (text?.place !== texts++) return value;
    next += 1;
    return Buffer.byteLength(value) < text.bytes ? MARK + value : value;
  };
  return restore(wire);
}
