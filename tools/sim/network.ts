/** The network of a simulation: every frame may be late, lost, doubled, damaged or overtaken; links may be cut one way or both. */
import type { MemberIndex } from "../../src/base/brands.ts";
import type { NetworkProfile } from "./profile.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

/** An end of links. */
export interface Endpoint {
  readonly id: number;
  readonly member: MemberIndex;
  /** What runs there now; frames reach only the process that they were sent to. */
  readonly process: Receiver | undefined;
  /** Frames leave when what runs there has come so far. */
  readonly busyUntil: number;
}

export interface Receiver {
  readonly receive: (from: Endpoint, frame: Uint8Array, isPristine: boolean) => void;
}

interface Link {
  blocked: boolean;
  /** The ends know that it is cut. */
  noticed: boolean;
  extraDelay: number;
  /** When the last frame of this link arrives, to count those that are overtaken. */
  last: number;
}

export class Network {
  /** Changed by bursts and by healing. */
  profile: NetworkProfile;
  readonly faults: Record<string, number>;
  /** Hears of each frame that was given to it and does not arrive. */
  onDropped: ((from: Endpoint, to: Endpoint, frame: Uint8Array, reason: string) => void) | undefined;
  readonly #random: Random;
  readonly #scheduler: Scheduler;
  readonly #links: Link[][];
  #frames = 0;

  constructor(
    ends: number,
    profile: NetworkProfile,
    random: Random,
    scheduler: Scheduler,
    faults: Record<string, number>,
  ) {
    this.profile = profile;
    this.faults = faults;
    this.#random = random;
    this.#scheduler = scheduler;
    this.#links = Array.from({ length: ends }, () =>
      Array.from({ length: ends }, () => ({ blocked: false, noticed: false, extraDelay: 0, last: 0 })),
    );
  }

  /** Frames carried. */
  get frames(): number {
    return this.#frames;
  }

  #link(from: number, to: number): Link {
    const link = this.#links[from]?.[to];
    if (link === undefined) throw new RangeError(`no link ${from} to ${to}`);
    return link;
  }

  /** Cuts one direction; `noticed`: as a closed connection, else frames just vanish. */
  cut(from: number, to: number, noticed: boolean): void {
    const link = this.#link(from, to);
    link.blocked = true;
    link.noticed = noticed;
  }

  /** Returns whether the ends see a new connection. */
  join(from: number, to: number): boolean {
    const link = this.#link(from, to);
    const isNew = link.blocked && link.noticed;
    link.blocked = false;
    link.noticed = false;
    return isNew;
  }

  slow(from: number, to: number, extraDelay: number): void {
    this.#link(from, to).extraDelay = extraDelay;
  }

  isConnected(from: number, to: number): boolean {
    return !this.#link(from, to).noticed && !this.#link(to, from).noticed;
  }

  carry(from: Endpoint, to: Endpoint, frame: Uint8Array): void {
    const { process } = to;
    if (process === undefined) return this.onDropped?.(from, to, frame, "the peer is down");
    const link = this.#link(from.id, to.id);
    const { loss, duplication } = this.profile;
    this.#frames += 1;
    if (link.blocked) {
      this.#count("frames stopped by a cut");
      return this.onDropped?.(from, to, frame, "the link is cut");
    }
    if (this.#random.chance(loss)) {
      this.#count("frames lost");
      return this.onDropped?.(from, to, frame, "lost by the network");
    }
    this.#deliver(from, to, process, frame, link);
    if (!this.#random.chance(duplication)) return;
    this.#count("frames doubled");
    this.#deliver(from, to, process, frame, link);
  }

  #deliver(from: Endpoint, to: Endpoint, process: Receiver, frame: Uint8Array, link: Link): void {
    const { delay, jitter, corruption } = this.profile;
    const leaves = Math.max(this.#scheduler.now, from.busyUntil);
    const arrives = leaves + delay + this.#random.exponential(jitter) + link.extraDelay;
    if (arrives < link.last) this.#count("frames overtaken");
    else link.last = arrives;
    const damaged = this.#random.chance(corruption) && !isUnsigned(frame);
    const bytes = damaged ? this.#flipped(frame) : frame;
    if (damaged) this.#count("frames damaged");
    this.#scheduler.at(arrives, () => {
      if (to.process === process) process.receive(from, bytes, !damaged);
      else this.onDropped?.(from, to, frame, "the peer ended meanwhile");
    });
  }

  #flipped(frame: Uint8Array): Uint8Array {
    const copy = new Uint8Array(frame);
    for (let flips = 1 + this.#random.below(3); flips > 0; flips--) {
      const at = this.#random.below(copy.length);
      copy[at] = (copy[at] ?? 0) ^ (1 << this.#random.below(8));
    }
    return copy;
  }

  #count(what: string): void {
    this.faults[what] = (this.faults[what] ?? 0) + 1;
  }
}

/**
 * What nothing but the connection (TLS) protects: a survey's answer has no signature, and that of a statement is looked at when its
 * height is final, long after the frame.
 */
const SURVEY_TAG = 12;
const STATEMENT_TAG = 13;
const isUnsigned = (frame: Uint8Array): boolean => frame[1] === SURVEY_TAG || frame[1] === STATEMENT_TAG;
