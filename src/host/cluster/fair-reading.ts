/**
 * What members send is read by turns, so that one of them cannot keep the thread from the others: a member is read for a slice of each
 * turn of the event loop, and one that sends what is of no use is not read until that has been paid for. Nothing is dropped: what is not
 * read waits in the connection, whose sender then waits, too.
 */
import type { Readable } from "node:stream";
import type { MemberIndex } from "../../base/brands.ts";
import { Allowance } from "../../actors/consensus/allowance.ts";
import { FrameReader } from "./frames.ts";

/** Units: ms of one turn of the event loop. One frame may take longer. */
const SLICE_MS = 2;
/**
 * What frames of no use may cost: repeated, late, refused ones. To read and drop one takes some 20 µs, and as much for every 8 KiB of it:
 * a tenth of a core. A cluster under full load sends some hundred a second.
 */
const USELESS = { burst: 20_000, perSecond: 4000 };
const COST_BYTES = 8 * 1024;
/** A piece this small that completes no frame costs as much as a quarter of a frame. */
const CRUMB_BYTES = 1024;
const CRUMB_COST = 0.25;
/** How long a member that has used up its allowance is not read. */
const HOLD_MS = 20;

export interface FairReadingOptions {
  /** Whether the frame was of use. */
  readonly onFrame: (from: MemberIndex, frame: Uint8Array) => boolean;
  /** A member has used up its allowance and is not read for a while. */
  readonly onHeld: (member: MemberIndex) => void;
  /** What it sends is no frame: its stream ends. */
  readonly onRefused: () => void;
  /** A clock that is never set back. Units: ms. */
  readonly now: () => number;
}

interface Stream {
  readonly socket: Readable;
  readonly reader: FrameReader;
}

interface Lane {
  readonly member: MemberIndex;
  /** Streams with something to read when its next turn comes, oldest first; they are paused. */
  readonly waiting: Set<Stream>;
  /** When its slice of this turn ends; undefined before it began. Units: ms. */
  until: number | undefined;
  held: NodeJS.Timeout | undefined;
}

export class FairReading {
  readonly #options: FairReadingOptions;
  readonly #lanes = new Map<MemberIndex, Lane>();
  readonly #useless = new Allowance(USELESS);

  constructor(options: FairReadingOptions) {
    this.#options = options;
  }

  /** From now on what comes on this connection is read as this member's. */
  add(member: MemberIndex, socket: Readable): void {
    const lane = this.#lanes.get(member) ?? { member, waiting: new Set(), until: undefined, held: undefined };
    this.#lanes.set(member, lane);
    const stream = { socket, reader: new FrameReader() };
    socket.on("data", (chunk: Buffer) => {
      stream.reader.push(chunk);
      const frames = this.#read(lane, stream);
      if (frames === 0 && chunk.length < CRUMB_BYTES) this.#spend(member, CRUMB_COST);
    });
    socket.once("close", () => {
      lane.waiting.delete(stream);
      this.#spend(member, stream.reader.held / COST_BYTES);
    });
  }

  close(): void {
    for (const { held } of this.#lanes.values()) clearTimeout(held);
    this.#lanes.clear();
  }

  /** Reads while it is the member's turn; what is left waits for the next one. Returns how many frames were read. */
  #read(lane: Lane, stream: Stream): number {
    const { socket, reader } = stream;
    for (let frames = 0; ; frames++) {
      if (!this.#isTurn(lane)) {
        socket.pause();
        lane.waiting.add(stream);
        return frames;
      }
      const frame = reader.next();
      if (reader.isRefused) {
        this.#options.onRefused();
        socket.destroy();
      }
      if (frame === undefined) {
        if (lane.waiting.delete(stream)) socket.resume();
        return frames;
      }
      if (!this.#options.onFrame(lane.member, frame)) this.#spend(lane.member, 1 + frame.length / COST_BYTES);
    }
  }

  #spend(member: MemberIndex, cost: number): void {
    this.#useless.spend(member, cost, this.#options.now());
  }

  #isTurn(lane: Lane): boolean {
    if (lane.held !== undefined) return false;
    const now = this.#options.now();
    if (!this.#useless.has(lane.member, now)) {
      this.#options.onHeld(lane.member);
      lane.held = setTimeout(() => {
        lane.held = undefined;
        this.#next(lane);
      }, HOLD_MS);
      return false;
    }
    if (lane.until === undefined) {
      lane.until = now + SLICE_MS;
      setImmediate(() => {
        lane.until = undefined;
        this.#next(lane);
      });
    }
    return now < lane.until;
  }

  #next(lane: Lane): void {
    for (const stream of [...lane.waiting]) {
      lane.waiting.delete(stream); // to the end of the row, if it has more than this turn is long
      lane.waiting.add(stream);
      this.#read(lane, stream);
    }
  }
}
