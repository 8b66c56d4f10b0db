import { BinaryReader } from "@bufbuild/protobuf/wire";

/** A message that is not what its type says. Thrown within decoding only, caught by `decodeStrict`. */
export class UndecodableError extends Error {
  override readonly name = "UndecodableError";
}

/** 65,536 bytes hold at most 32,768 empty items, some 3 MB of objects: below that nothing needs counting. */
const COUNTED_FROM_BYTES = 65_536;
/** Tags and lengths of the largest request we allow: 10,000 nodes, each of at most 7 fields, nested. */
const VARINTS_MAX = 200_000;

/** For large messages: stops when a message holds more fields than any allowed request, before memory grows by them. */
class CountingReader extends BinaryReader {
  constructor(bytes: Uint8Array) {
    super(bytes);
    const read = this.uint32.bind(this);
    let left = VARINTS_MAX;
    this.uint32 = () => {
      left -= 1;
      if (left < 0) throw new UndecodableError("more fields than any request may have");
      return read();
    };
  }
}

/**
 * Decodes a message with a generated decoder (tools/proto makes those strict), or says why not.
 * Bounds: a message beyond 64 KiB may hold 200,000 tags and lengths.
 * Refuses: ill-formed UTF-8, truncated or malformed fields, lengths that do not agree.
 */
export function decodeStrict<T>(decode: (reader: BinaryReader) => T, bytes: Uint8Array): T | UndecodableError {
  const reader = bytes.length < COUNTED_FROM_BYTES ? new BinaryReader(bytes) : new CountingReader(bytes);
  try {
    return decode(reader);
  } catch (error) {
    return new UndecodableError(error instanceof Error ? error.message : "unreadable");
  }
}
