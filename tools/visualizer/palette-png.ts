/** Makes a screenshot small: a PNG of 8 bits a channel becomes one with a palette. Pages have few colours, so little is lost. */
import { deflateSync, inflateSync } from "node:zlib";

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const COLOURS_MAX = 256;
/** Of each channel, so many bits tell colours apart where there are too many of them. */
const COARSE_BITS = 5;

interface Picture {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue of each pixel. */
  readonly pixels: Uint8Array;
}

const CRC = Uint32Array.from({ length: 256 }, (_none, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = (c & 1) === 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  let crc = 0xffffffff;
  for (const byte of body) crc = (CRC[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE((crc ^ 0xffffffff) >>> 0);
  return Buffer.concat([length, body, sum]);
}

/** The predictor of filter 4 (PNG, section 9.4). */
function paeth(a: number, b: number, c: number): number {
  const [da, db, dc] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
  return da <= db && da <= dc ? a : db <= dc ? b : c;
}

function unfilter(raw: Uint8Array, width: number, height: number, channels: number): Uint8Array {
  const stride = width * channels;
  const out = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)] ?? 0;
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x;
      const a = x >= channels ? (out[at - channels] ?? 0) : 0;
      const b = y > 0 ? (out[at - stride] ?? 0) : 0;
      const c = x >= channels && y > 0 ? (out[at - stride - channels] ?? 0) : 0;
      const guess = [0, a, b, (a + b) >> 1, paeth(a, b, c)][filter] ?? 0;
      out[at] = (raw[y * (stride + 1) + 1 + x] ?? 0) + guess;
    }
  }
  return out;
}

/** Reads an RGB or RGBA picture of 8 bits, not interlaced, as browsers write them. Throws: on any other. */
function decode(png: Buffer): Picture {
  if (!png.subarray(0, 8).equals(SIGNATURE)) throw new Error("no PNG");
  const parts: Buffer[] = [];
  let [width, height, channels] = [0, 0, 0];
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const type = png.toString("latin1", at + 4, at + 8);
    const data = png.subarray(at + 8, at + 8 + length);
    if (type === "IHDR") {
      width = data.readUInt32BE(0);
      height = data.readUInt32BE(4);
      channels = data[9] === 2 ? 3 : 4;
      if (data[8] !== 8 || (data[9] !== 2 && data[9] !== 6) || data[12] !== 0) throw new Error("another kind of PNG");
    }
    if (type === "IDAT") parts.push(data);
    at += length + 12;
  }
  const bytes = unfilter(inflateSync(Buffer.concat(parts)), width, height, channels);
  const pixels = new Uint8Array(width * height * 3);
  for (let at = 0; at < width * height; at++)
    for (let one = 0; one < 3; one++) pixels[at * 3 + one] = bytes[at * channels + one] ?? 0;
  return { width, height, pixels };
}

/** The colours that stand for those of a picture: all of them, or the commonest of each coarse kind. */
function paletteOf(pixels: Uint8Array): readonly number[] {
  const counts = new Map<number, number>();
  for (let at = 0; at < pixels.length; at += 3) {
    const colour = ((pixels[at] ?? 0) << 16) | ((pixels[at + 1] ?? 0) << 8) | (pixels[at + 2] ?? 0);
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  const common = [...counts].toSorted((a, b) => b[1] - a[1] || a[0] - b[0]);
  if (common.length <= COLOURS_MAX) return common.map(([colour]) => colour);
  const kept = new Map<number, number>();
  for (const [colour] of common) {
    const shift = 8 - COARSE_BITS;
    const coarse = [16, 8, 0].reduce((sum, at) => (sum << COARSE_BITS) | (((colour >> at) & 0xff) >> shift), 0);
    if (!kept.has(coarse)) kept.set(coarse, colour);
    if (kept.size === COLOURS_MAX) break;
  }
  return [...kept.values()];
}

function nearest(palette: readonly number[], colour: number): number {
  let [best, least] = [0, Infinity];
  for (const [index, one] of palette.entries()) {
    const distance = [16, 8, 0].reduce((sum, at) => sum + (((one >> at) & 0xff) - ((colour >> at) & 0xff)) ** 2, 0);
    if (distance < least) [best, least] = [index, distance];
  }
  return best;
}

/** The same picture with at most 256 colours. Throws: on what is no PNG as browsers write them. */
export function withPalette(png: Buffer): Buffer {
  const { width, height, pixels } = decode(png);
  const palette = paletteOf(pixels);
  const known = new Map(palette.map((colour, index) => [colour, index]));
  const rows = Buffer.alloc((width + 1) * height);
  for (let at = 0; at < width * height; at++) {
    const colour = ((pixels[at * 3] ?? 0) << 16) | ((pixels[at * 3 + 1] ?? 0) << 8) | (pixels[at * 3 + 2] ?? 0);
    const index = known.get(colour) ?? nearest(palette, colour);
    known.set(colour, index);
    rows[at + Math.floor(at / width) + 1] = index;
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 0], 8);
  const colours = Buffer.from(palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 0xff, colour & 0xff]));
  return Buffer.concat([
    SIGNATURE,
    chunk("IHDR", header),
    chunk("PLTE", colours),
    chunk("IDAT", deflateSync(rows, { level: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}
