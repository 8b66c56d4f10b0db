/** Changes of a stream as an attacker, or a bad line, would make them. */
import { concatBytes, utf8 } from "../../src/base/bytes.ts";
import type { Random } from "../sim/random.ts";

/** Bytes that begin things, align things, or end ranges. */
const TELLING = Array.from(utf8('-AV_0GHFC{}"\n4z9#+=')).concat([0, 0x80, 0xa1, 0xff, 0xf8, 0xfb]);

const splice = (bytes: Uint8Array, at: number, removed: number, inserted: Uint8Array): Uint8Array =>
  concatBytes(bytes.subarray(0, at), inserted, bytes.subarray(at + removed));

/** A counter by chance: any letter, any count, any form. */
function counter(random: Random): string {
  const digit = () => random.pick(Array.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabz09-_"));
  const letter = random.pick(Array.from("ABCDEFGHIJKLMNOPQRSTUVWXYZaz0-_"));
  const small = `-${letter}${random.chance(0.5) ? "A" : digit()}${digit()}`;
  return random.chance(0.8) ? small : `-${random.pick(["-", "0", "_"])}${letter}AA${digit()}${digit()}${digit()}`;
}

/** Where a hyphen stands, often a counter; anywhere when there is none. */
function counterPlace(bytes: Uint8Array, random: Random): number {
  const from = random.below(bytes.length + 1);
  const at = bytes.indexOf(0x2d, from);
  return at < 0 ? Math.min(from, Math.max(bytes.length - 1, 0)) : at;
}

/** What stands in a version string as the size, by another number. */
function otherSize(bytes: Uint8Array, random: Random): Uint8Array {
  const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(
    "JSON",
    random.below(bytes.length + 1),
  );
  if (at < 0) return bytes;
  const size = random.pick(["000000", "000001", "00001a", "ffffff", "00ffff", "0000zz", 'AAAA."', '____."', "7fffff"]);
  return splice(bytes, at + 4, 6, utf8(size));
}

type Change = (bytes: Uint8Array, random: Random, other: Uint8Array) => Uint8Array;

const CHANGES: readonly Change[] = [
  // One bit, one byte.
  (bytes, random) => {
    const at = random.below(bytes.length);
    return splice(bytes, at, 1, Uint8Array.of((bytes[at] ?? 0) ^ (1 << random.below(8))));
  },
  (bytes, random) => splice(bytes, random.below(bytes.length), 1, Uint8Array.of(random.below(256))),
  (bytes, random) => splice(bytes, random.below(bytes.length), 1, Uint8Array.of(random.pick(TELLING))),
  // One character of Base64 for another: what keeps the form and changes the value.
  (bytes, random) => splice(bytes, random.below(bytes.length), 1, utf8(random.pick(Array.from("ABCDEFghij0123-_")))),
  // Less, more.
  (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1)),
  (bytes, random) =>
    splice(bytes, random.below(bytes.length), 1 + random.below(random.chance(0.5) ? 4 : 200), new Uint8Array(0)),
  (bytes, random) => splice(bytes, random.below(bytes.length + 1), 0, Uint8Array.of(random.pick(TELLING))),
  (bytes, random) => {
    const from = random.below(bytes.length);
    return splice(bytes, random.below(bytes.length + 1), 0, bytes.slice(from, from + 1 + random.below(200)));
  },
  // Counters: another one, one more, many around all that follows.
  (bytes, random) => splice(bytes, counterPlace(bytes, random), 4, utf8(counter(random))),
  (bytes, random) => splice(bytes, counterPlace(bytes, random), 0, utf8(counter(random))),
  (bytes, random) =>
    splice(
      bytes,
      counterPlace(bytes, random),
      0,
      utf8(counter(random).repeat(1 + random.below(random.chance(0.05) ? 10_000 : 8))),
    ),
  otherSize,
  // Two streams in one.
  (bytes, random, other) =>
    concatBytes(bytes.subarray(0, random.below(bytes.length + 1)), other.subarray(random.below(other.length + 1))),
  (bytes, _random, other) => concatBytes(bytes, other),
];

/** The stream with up to four changes, rarely with none. Deterministic in `random`. */
export function mutate(stream: Uint8Array, random: Random, other: Uint8Array): Uint8Array {
  let bytes = stream;
  const changes = random.chance(0.02) ? 0 : 1 + random.below(random.chance(0.7) ? 1 : 4);
  for (let i = 0; i < changes && bytes.length > 0; i++) bytes = random.pick(CHANGES)(bytes, random, other);
  return bytes;
}
