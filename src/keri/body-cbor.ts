/** Bodies in CBOR: definite lengths in their shortest form, text, whole numbers, lists and maps. Source: RFC 8949 §3 and §4.2.1. */
import { utf8 } from "../base/bytes.ts";
import { BodyReader, type BodyValue, BodyWriter } from "./body-bytes.ts";

/** Major types. */
const NUMBER = 0;
const TEXT = 3;
const LIST = 4;
const MAP = 5;
const SIMPLE = 7;
/** Simple values. */
const FALSE = 20;
const TRUE = 21;
const NULL = 22;

/** What the bytes hold; undefined for everything else. Not yet known: whether lengths are shortest and names unique. */
export function decodeCbor(bytes: Uint8Array, depthMax: number): BodyValue | undefined {
  const reader = new BodyReader(bytes);
  const value = readValue(reader, depthMax);
  return reader.done ? value : undefined;
}

function readValue(reader: BodyReader, depth: number): BodyValue {
  const head = reader.number(1);
  const major = head >> 5;
  const info = head & 31;
  if (major === SIMPLE) return info === FALSE || info === TRUE ? info === TRUE : info === NULL ? null : reader.fail();
  const argument = info < 24 ? info : info < 28 ? reader.number(2 ** (info - 24)) : reader.fail();
  if (argument === null || reader.failed) return null;
  if (major === NUMBER) return argument;
  if (major === TEXT) return reader.text(argument);
  if ((major !== LIST && major !== MAP) || depth === 0) return reader.fail();
  const item = (): BodyValue => readValue(reader, depth - 1);
  return major === LIST ? reader.list(argument, item) : reader.map(argument, item);
}

/** The shortest encoding, names in the order that they stand in. */
export function encodeCbor(value: BodyValue): Uint8Array {
  const writer = new BodyWriter();
  writeValue(writer, value);
  return writer.finish();
}

function writeValue(writer: BodyWriter, value: BodyValue): void {
  if (typeof value === "number") writeHead(writer, NUMBER, value);
  else if (typeof value === "boolean") writer.number((SIMPLE << 5) | (value ? TRUE : FALSE), 1);
  else if (value === null) writer.number((SIMPLE << 5) | NULL, 1);
  else if (typeof value === "string") {
    const text = utf8(value);
    writeHead(writer, TEXT, text.length);
    writer.text(text);
  } else if (isList(value)) {
    writeHead(writer, LIST, value.length);
    for (const item of value) writeValue(writer, item);
  } else {
    const entries = Object.entries(value);
    writeHead(writer, MAP, entries.length);
    for (const [name, item] of entries) {
      writeValue(writer, name);
      writeValue(writer, item);
    }
  }
}

const isList = (value: BodyValue): value is readonly BodyValue[] => Array.isArray(value);

function writeHead(writer: BodyWriter, major: number, argument: number): void {
  if (argument < 24) {
    writer.number((major << 5) | argument, 1);
    return;
  }
  const size = argument < 2 ** 8 ? 0 : argument < 2 ** 16 ? 1 : argument < 2 ** 32 ? 2 : 3;
  writer.number((major << 5) | (24 + size), 1).number(argument, 2 ** size);
}
