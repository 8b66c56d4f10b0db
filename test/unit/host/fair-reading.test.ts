/** What members send, read by turns: nothing is lost, nobody waits for another's flood. */
import { PassThrough } from "node:stream";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { type MemberIndex, memberIndex } from "../../../src/base/brands.ts";
import { FairReading } from "../../../src/host/cluster/fair-reading.ts";
import { FrameReader, framed } from "../../../src/host/cluster/frames.ts";

const [LIAR, OTHER] = [memberIndex(3), memberIndex(1)];
/** Far more than a tenth of a core could ever read in a turn. */
const FLOOD = 2000;

const open: FairReading[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

interface Seen {
  readonly from: MemberIndex;
  readonly frame: Uint8Array;
}

interface Given {
  readonly isOfUse: boolean;
  readonly onRead?: () => void;
  readonly now?: () => number;
}

function reading(options: Given) {
  const seen: Seen[] = [];
  const held: MemberIndex[] = [];
  const waiting = new Set<() => void>();
  let refused = 0;
  const fair = new FairReading({
    onFrame: (from, frame) => {
      seen.push({ from, frame });
      options.onRead?.();
      for (const look of waiting) look();
      return options.isOfUse;
    },
    onHeld: (member) => held.push(member),
    onRefused: () => {
      refused += 1;
    },
    now: options.now ?? (() => performance.now()),
  });
  open.push(fair);
  const connect = (member: MemberIndex): PassThrough => {
    const socket = new PassThrough();
    fair.add(member, socket);
    return socket;
  };
  const until = (count: number): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (seen.length < count) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  return { connect, seen, held, until, refused: () => refused };
}

const numbered = (n: number): Buffer => {
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(n, 0);
  return framed(frame);
};
const numberOf = ({ frame }: Seen): number => Buffer.from(frame).readUInt32BE(0);
const flood = (count: number): Buffer => Buffer.concat(Array.from({ length: count }, (_, i) => numbered(i)));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe("members that are read by turns", () => {
  it("are heard before the rest of what a member sent that came first", async () => {
    const spin = (): void => {
      for (const start = performance.now(); performance.now() - start < 0.1; );
    };
    const { connect, seen, until } = reading({ isOfUse: true, onRead: spin });
    const [liar, other] = [connect(LIAR), connect(OTHER)];
    liar.write(flood(FLOOD));
    other.write(numbered(7));
    await until(FLOOD + 1);
    expect(seen.findIndex(({ from }) => from === OTHER)).toBeLessThan(FLOOD / 10);
    expect(seen.filter(({ from }) => from === LIAR).map(numberOf)).toEqual(upTo(FLOOD));
  });

  it("are held back while they send what is of no use, the others are not, and nothing of it is lost", async () => {
    let now = 0;
    const { connect, seen, held, until } = reading({ isOfUse: false, now: () => now });
    const [liar, other] = [connect(LIAR), connect(OTHER)];
    liar.write(flood(20_500));
    other.write(numbered(7));
    await until(19_900);
    await new Promise((resolve) => setImmediate(resolve));
    expect(seen.filter(({ from }) => from === OTHER)).toHaveLength(1);
    expect(held.length).toBeGreaterThan(0);
    expect(new Set(held)).toEqual(new Set([LIAR]));
    expect(seen.length).toBeLessThan(20_501);
    now = 1000;
    await until(20_501);
    expect(seen.filter(({ from }) => from === LIAR).map(numberOf)).toEqual(upTo(20_500));
  });

  it("are not held back, however much they send that is of use", async () => {
    const { connect, seen, held, until } = reading({ isOfUse: true });
    connect(OTHER).write(flood(50_000));
    await until(50_000);
    expect(held).toEqual([]);
    expect(seen.map(numberOf)).toEqual(upTo(50_000));
  });

  it("have one allowance for all of their connections", async () => {
    const { connect, held, seen, until } = reading({ isOfUse: false, now: () => 0 });
    connect(LIAR).write(flood(15_000));
    await until(15_000);
    connect(LIAR).write(flood(15_000));
    await until(19_900);
    await new Promise((resolve) => setImmediate(resolve));
    expect(held.length).toBeGreaterThan(0);
    expect(seen.length).toBeLessThan(20_100);
  });

  it("lose their connection for what is no frame", async () => {
    const { connect, seen, refused } = reading({ isOfUse: true });
    const liar = connect(LIAR);
    const closed = new Promise((resolve) => liar.once("close", resolve));
    liar.write(Buffer.concat([numbered(1), Buffer.from([255, 255, 255, 255]), numbered(2)]));
    await closed;
    expect(seen.map(numberOf)).toEqual([1]);
    expect(refused()).toBe(1);
  });
});

describe("frames in pieces", () => {
  const read = (reader: FrameReader): Uint8Array[] => {
    const frames: Uint8Array[] = [];
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) frames.push(frame);
    return frames;
  };

  it("are the same however they are cut", () => {
    const frames = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 8 });
    fc.assert(
      fc.property(frames, fc.array(fc.nat(400), { maxLength: 20 }), (given, cuts) => {
        const stream = Buffer.concat(given.map(framed));
        const reader = new FrameReader();
        const found: Uint8Array[] = [];
        let from = 0;
        for (const to of [...cuts.toSorted((a, b) => a - b), stream.length]) {
          reader.push(Buffer.from(stream.subarray(from, to)));
          found.push(...read(reader));
          from = Math.max(from, to);
        }
        expect(found.map((one) => [...one])).toEqual(given.map((one) => [...one]));
        expect(reader.held).toBe(0);
      }),
    );
  });

  it("keep no piece: a frame that comes byte by byte takes no more room than it has bytes, twice", () => {
    const reader = new FrameReader();
    reader.push(framed(Buffer.alloc(5000, 1)).subarray(0, 4));
    const piece = Buffer.alloc(1);
    for (let i = 0; i < 4999; i++) {
      piece[0] = i & 0xff;
      reader.push(piece);
      expect(reader.next()).toBeUndefined();
    }
    reader.push(piece.fill(9));
    const [frame] = read(reader);
    expect([...(frame ?? [])]).toEqual([...Array.from({ length: 4999 }, (_, i) => i & 0xff), 9]);
  });
});
