/** Bodies in MessagePack: text, whole numbers, lists and maps in their shortest form. Source: MessagePack specification, "Formats". */
import { utf8 } from "../base/bytes.ts";
import { BodyReader, type BodyValue, BodyWriter } from "./body-bytes.ts";

const NIL = 0xc0;
const FALSE = 0xc2;
const TRUE = 0xc3;
/** First of the formats whose length or value stands in 1, 2, 4 (numbers: 8) bytes; lists and maps have none of 1 byte. */
const NUMBER = 0xcc;
const TEXT = 0xd9;
const LIST = 0xdc;
const MAP = 0xde;
/** Formats with the length in their low bits, and the first one that is too long for them. */
const FIX_MAP = 0x80;
const FIX_LIST = 0x90;
const FIX_TEXT = 0xa0;
const FIX_TEXT_END = 0xc0;
const FIX_ITEMS_END = 16;
const FIX_TEXT_LENGTH_END = 32;

/** What the bytes hold; undefined for everything else. Not yet known: whether lengths are shortest and names unique. */
export function decodeMessagePack(bytes: Uint8Array, depthMax: number): BodyValue | undefined {
  const reader = new BodyReader(bytes);
  const value = readValue(reader, depthMax);
  return reader.done ? value : undefined;
}

function readValue(reader: BodyReader, depth: number): BodyValue {
  const head = reader.number(1);
  if (reader.failed) return null;
  if (head < FIX_MAP) return head;
  if (head === NIL) return null;
  if (head === FALSE || head === TRUE) return head === TRUE;
  if (head >= NUMBER && head < NUMBER + 4) return reader.number(2 ** (head - NUMBER));
  if (head >= FIX_TEXT && head < FIX_TEXT_END) return reader.text(head - FIX_TEXT);
  if (head >= TEXT && head < TEXT + 3) return reader.text(reader.number(2 ** (head - TEXT)));
  if (depth === 0) return reader.fail();
  const item = (): BodyValue => readValue(reader, depth - 1);
  if (head < FIX_LIST) return reader.map(head - FIX_MAP, item);
  if (head < FIX_TEXT) return reader.list(head - FIX_LIST, item);
  if (head === LIST || head === LIST + 1) return reader.list(reader.number(2 ** (head - LIST + 1)), item);
  if (head === MAP || head === MAP + 1) return reader.map(reader.number(2 ** (head - MAP + 1)), item);
  return reader.fail();
}

/** The shortest encoding, names in the order that they stand in. */
export function encodeMessagePack(value: BodyValue): Uint8Array {
  const writer = new BodyWriter();
  writeValue(writer, value);
  return writer.finish();
}

function writeValue(writer: BodyWriter, value: BodyValue): void {
  if (typeof value === "number") {
    if (value < FIX_MAP) writer.number(value, 1);
    else writeLength(writer, NUMBER, 0, value);
  } else if (typeof value === "boolean") writer.number(value ? TRUE : FALSE, 1);
  else if (value === null) writer.number(NIL, 1);
  else if (typeof value === "string") {
    const text = utf8(value);
    if (text.length < FIX_TEXT_LENGTH_END) writer.number(FIX_TEXT + text.length, 1);
    else writeLength(writer, TEXT, 0, text.length);
    writer.text(text);
  } else if (isList(value)) {
    writeCount(writer, FIX_LIST, LIST, value.length);
    for (const item of value) writeValue(writer, item);
  } else {
    const entries = Object.entries(value);
    writeCount(writer, FIX_MAP, MAP, entries.length);
    for (const [name, item] of entries) {
      writeValue(writer, name);
      writeValue(writer, item);
    }
  }
}

const isList = (value: BodyValue): value is readonly BodyValue[] => Array.isArray(value);

function writeCount(writer: BodyWriter, fix: number, first: number, count: number): void {
  if (count < FIX_ITEMS_END) writer.number(fix + count, 1);
  else writeLength(writer, first, 1, count);
}

/** The format of the fewest bytes that hold the value; `first` is that of 2 ** `smallest` bytes. */
function writeLength(writer: BodyWriter, first: number, smallest: number, value: number): void {
  const fitting = value < 2 ** 8 ? 0 : value < 2 ** 16 ? 1 : value < 2 ** 32 ? 2 : 3;
  const size = Math.max(smallest, fitting);
  writer.number(first + size - smallest, 1).number(value, 2 ** size);
}
