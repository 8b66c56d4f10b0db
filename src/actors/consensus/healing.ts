/**
 * Heals a damaged log from peers (ADR 0017). It runs instead of the consensus actor, never beside it: nobody votes with a log
 * that is not what was written. It reads the whole log; at the first record that does not hold it asks one peer after another for
 * the events from there on, judges them as a member that catches up would (parent, logRoot, bundles, finality proofs), puts the
 * proven ones in place, reads them again and goes on. It believes no peer, and answers peers as far as its own records hold.
 */
import { type Height, type MemberIndex, height as heightOf } from "../../base/brands.ts";
import { decode, encode } from "../../base/codec.ts";
import type { MerkleFrontier } from "../../crypto/merkle.ts";
import { type FinalityProof, type LogEvent, PROOF_HEADERS_MAX } from "../../events/facts/block.ts";
import {
  type EventWithBundles,
  FRAME_BYTES_MAX,
  type PeerMessage,
  peerMessageShape,
} from "../../events/facts/peer-message.ts";
import { LogDamage } from "../../events/store/damage.ts";
import type { BeginningLog, HealableLog, Repair } from "../../events/store/log.ts";
import { type Verified, verifyRange } from "../../events/store/log-verify.ts";
import { Allowance, FAULTS } from "./allowance.ts";
import { Answering } from "./answering.ts";
import { Fetching } from "./fetching.ts";
import type { Committee, ConsensusPorts } from "./ports.ts";
import { type CheckedPage, checkPage, proofDefect } from "./synchronisation.ts";

export type HealingReport =
  /** A record does not hold; peers are asked for it. */
  | { readonly kind: "damaged"; readonly height: Height; readonly reason: string }
  /** Nobody gave what could be proven, so far; `peers` are connected. */
  | { readonly kind: "waiting"; readonly height: Height; readonly peers: number }
  /** Events were put in place, from this height on; null: from the founding document. */
  | { readonly kind: "mended"; readonly height: Height; readonly count: number; readonly from: MemberIndex | null }
  /** It cannot be healed: an operator must look. */
  | { readonly kind: "stuck"; readonly height: Height; readonly reason: string };

export interface HealingPorts extends Pick<ConsensusPorts, "peers" | "clock" | "schedule" | "random"> {
  readonly log: HealableLog & Partial<Pick<BeginningLog, "gap" | "join">>;
  readonly observer: {
    readonly refused: (reason: string, member: MemberIndex | null) => void;
    readonly told: (report: HealingReport) => void;
    /** The whole log holds. */
    readonly healed: (verified: Verified<MerkleFrontier>) => void;
  };
}

const ASKED = "damaged events";
/** A record that was mended this often and is damaged again will not be kept by this disk. */
const MENDED_MAX = 2;
/** Until the first word that nobody has given it; it doubles up to the cap. Units: ms. */
const WAITING_FIRST_MS = 5_000;
const WAITING_CAP_MS = 60_000;

export class Healing {
  readonly #committee: Committee;
  readonly #ports: HealingPorts;
  readonly #genesis: LogEvent;
  readonly #fetching: Fetching;
  readonly #answering: Answering;
  readonly #faults = new Allowance(FAULTS);
  /** How often each was mended that has not been read again since. */
  readonly #mended = new Map<Height, number>();
  /** What holds, from genesis on. */
  #sound: Verified<MerkleFrontier>;
  #damagedAt: Height | undefined;
  #waiting: unknown;
  #stopped = false;

  constructor(committee: Committee, ports: HealingPorts, genesis: LogEvent, start: Verified<MerkleFrontier>) {
    this.#committee = committee;
    this.#ports = ports;
    this.#genesis = genesis;
    this.#sound = start;
    this.#fetching = new Fetching(ports);
    this.#answering = new Answering(ports, { block: () => undefined, bundle: () => undefined });
  }

  start(): void {
    this.#soon(() => this.#scan());
  }

  stop(): void {
    this.#stopped = true;
    this.#settle();
    this.#fetching.stop();
  }

  /** A frame of an authenticated peer. */
  receive(from: MemberIndex, frame: Uint8Array): void {
    const { clock, observer } = this.#ports;
    if (this.#stopped) return;
    if (!this.#faults.has(from, clock.now())) return observer.refused("PEER_SENDS_FAULTS", from);
    const message = decode(peerMessageShape, frame, FRAME_BYTES_MAX);
    if (!message.ok) {
      this.#faults.spend(from, 1, clock.now());
      return observer.refused(message.refusal.code, from);
    }
    this.#take(from, message.value);
  }

  #take(from: MemberIndex, message: PeerMessage): void {
    switch (message.kind) {
      case "events":
        return this.#events(from, message);
      case "eventsRequest":
        return this.#page(from, message.from);
      case "blockRequest":
        return void this.#answer(() => this.#answering.block(from, message.hash));
      case "bundleRequest":
        return void this.#answer(() => this.#answering.bundles(from, message.digests));
      default:
        return this.#ports.observer.refused("a member that heals its log takes no part", from);
    }
  }

  /** What is damaged here, too, is not given; returns the damage that kept it from being given. */
  #answer(give: () => void): LogDamage | undefined {
    try {
      give();
      return undefined;
    } catch (error) {
      if (error instanceof LogDamage) return error;
      throw error;
    }
  }

  /** As far as it holds: members that are damaged in different places heal each other. */
  #page(from: MemberIndex, height: Height): void {
    const damage = this.#answer(() => this.#answering.events(from, height));
    const sound = (damage?.height ?? 0) - height;
    if (sound > 0) this.#answer(() => this.#answering.events(from, height, sound));
  }

  #soon(work: () => void): void {
    this.#ports.schedule(() => {
      if (!this.#stopped) work();
    });
  }

  /** One slice; then the worker's other messages have their turn. */
  #scan(): void {
    const last = this.#ports.log.lastHeight();
    if (last === undefined || this.#sound.next > last) {
      this.#stopped = true;
      return this.#ports.observer.healed(this.#sound);
    }
    const slice = verifyRange(this.#ports.log, this.#rangeTo(last)).next();
    if (slice.done !== true) this.#sound = slice.value;
    else if (slice.value.kind === "sound") this.#sound = slice.value;
    else return this.#damaged(this.#firstDamage(last) ?? slice.value);
    this.#soon(() => this.#scan());
  }

  #rangeTo(to: Height) {
    const { next, tree, parent } = this.#sound;
    return { from: next, to, tree, parent, proofDefect: (event: LogEvent) => proofDefect(this.#committee, event) };
  }

  /** Goes on one event at a time to the first that does not hold: a slice may have met a later one first. */
  #firstDamage(last: Height): { readonly height: Height; readonly reason: string } | undefined {
    const steps = verifyRange(this.#ports.log, this.#rangeTo(last), { limit: 1, bytesMax: 1 });
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value.kind === "damaged" ? step.value : undefined;
      this.#sound = step.value;
    }
  }

  #damaged({ height, reason }: { readonly height: Height; readonly reason: string }): void {
    const { observer, peers } = this.#ports;
    observer.told({ kind: "damaged", height, reason });
    if ((this.#mended.get(height) ?? 0) >= MENDED_MAX)
      return observer.told({ kind: "stuck", height, reason: "it was mended, and is damaged again: replace the disk" });
    this.#damagedAt = height;
    if (height === 0) return this.#put([this.#genesis], [], null);
    this.#wait(height, WAITING_FIRST_MS);
    this.#fetching.want(ASKED, null, (peer) => {
      peers.send(peer, encode(peerMessageShape, { kind: "eventsRequest", from: height }));
    });
  }

  #wait(height: Height, ms: number): void {
    const { clock, observer, peers } = this.#ports;
    this.#waiting = clock.set(ms, () => {
      observer.told({ kind: "waiting", height, peers: peers.connected().length });
      this.#wait(height, Math.min(WAITING_CAP_MS, 2 * ms));
    });
  }

  /** Nothing is asked for any more. */
  #settle(): void {
    this.#damagedAt = undefined;
    this.#fetching.done(ASKED);
    this.#ports.clock.clear(this.#waiting);
    this.#waiting = undefined;
  }

  #events(from: MemberIndex, { from: height, events }: Extract<PeerMessage, { kind: "events" }>): void {
    const { observer } = this.#ports;
    if (height !== this.#damagedAt || !this.#fetching.isAnswered(ASKED, from) || events.length === 0)
      return observer.refused("events that were not asked for", from);
    const head = { height: heightOf(height - 1), hash: this.#sound.parent };
    const page = checkPage(this.#committee, head, this.#sound.tree, events);
    // Left: the next peer is asked when the wait is over.
    if (!page.ok) return observer.refused(page.refusal.message, from);
    const conflict = this.#conflict(page.value);
    if (conflict === undefined) return this.#put(this.#missing(page.value, events), page.value.bundles, from);
    this.#settle();
    observer.told({ kind: "stuck", ...conflict });
  }

  /**
   * Two proofs for one height: more members than the protocol bears have lied, or somebody else's log lies here. Nothing is
   * overwritten then.
   */
  #conflict({ events }: CheckedPage): { readonly height: Height; readonly reason: string } | undefined {
    const committed = this.#ports.log.committedHead();
    for (const { height, hash } of events) {
      const own = this.#read(height);
      const proven = own?.proof.kind === "finalization" && proofDefect(this.#committee, own) === undefined;
      if ((proven && own.hash !== hash) || (committed?.height === height && committed.hash !== hash))
        return {
          height,
          reason: "peers prove another block than this node has proof of; keep the directory and report it",
        };
    }
    return undefined;
  }

  /** Undefined where it is missing or damaged. */
  #read(height: Height): LogEvent | undefined {
    try {
      return this.#ports.log.event(height);
    } catch (error) {
      if (error instanceof LogDamage) return undefined;
      throw error;
    }
  }

  /** Of the page, what does not stand in the log: the first event always, and nothing beyond the log's end. */
  #missing({ events, opened }: CheckedPage, page: readonly EventWithBundles[]): readonly LogEvent[] {
    const { log } = this.#ports;
    const last = log.lastHeight() ?? -1;
    return events.flatMap((event, i) => {
      if (event.height > last) return [];
      const holds = i > 0 && this.#read(event.height)?.hash === event.hash;
      if (holds && (opened[i]?.bundles ?? []).every((digest) => this.#holdsBundle(digest))) return [];
      return [event.height === last ? { ...event, proof: proofAt(page, i) } : event];
    });
  }

  #holdsBundle(digest: Parameters<HealableLog["bundle"]>[0]): boolean {
    try {
      return this.#ports.log.bundle(digest) !== undefined;
    } catch (error) {
      if (error instanceof LogDamage) return false;
      throw error;
    }
  }

  /** Writes the events, run by run of neighbours, and reads on from the first. */
  #put(events: readonly LogEvent[], bundles: Repair["bundles"], from: MemberIndex | null): void {
    const { log, observer } = this.#ports;
    this.#settle();
    for (const run of runsOf(events)) {
      const heights = new Set(run.map(({ height }) => height));
      const repaired = log.repair({ events: run, bundles: bundles.filter(({ height }) => heights.has(height)) });
      if (repaired.ok) continue;
      const { height, message } = { height: run[0]?.height ?? heightOf(0), message: repaired.refusal.message };
      return observer.told({ kind: "stuck", height, reason: message });
    }
    const gap = log.gap?.();
    if (gap !== undefined && gap.below === gap.begins - 1 && events.some(({ height }) => height === gap.begins))
      log.join?.(); // what a checkpoint stood in for is all here now
    for (const height of this.#mended.keys()) if (height < this.#sound.next) this.#mended.delete(height);
    for (const { height } of events) this.#mended.set(height, (this.#mended.get(height) ?? 0) + 1);
    const [first] = events;
    if (first !== undefined) observer.told({ kind: "mended", height: first.height, count: events.length, from });
    this.#soon(() => this.#scan());
  }
}

/** The proof of an event of a checked page, taken from a later one if it has none of its own: the log's last event needs one. */
function proofAt(page: readonly EventWithBundles[], at: number): FinalityProof {
  const headers: Uint8Array[] = [];
  for (const [i, { block, proof }] of page.entries()) {
    if (i < at) continue;
    if (i > at) headers.push(block.header);
    if (proof.kind !== "finalization") continue;
    const all = [...headers, ...proof.headers];
    return all.length > PROOF_HEADERS_MAX ? { kind: "none" } : { ...proof, headers: all };
  }
  return { kind: "none" };
}

function runsOf(events: readonly LogEvent[]): readonly (readonly LogEvent[])[] {
  const runs: LogEvent[][] = [];
  for (const event of events) {
    const run = runs.at(-1);
    if (run !== undefined && run.at(-1)?.height === event.height - 1) run.push(event);
    else runs.push([event]);
  }
  return runs;
}
