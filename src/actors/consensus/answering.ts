/** What a member gives peers that ask for what it holds: bounded for each of them, and only as its log can prove it. */
import type { Digest, Height, MemberIndex } from "../../base/brands.ts";
import { encode } from "../../base/codec.ts";
import type { Block } from "../../events/facts/block.ts";
import { EVENTS_PAGE_MAX, type PeerMessage, peerMessageShape } from "../../events/facts/peer-message.ts";
import { Allowance } from "./allowance.ts";
import { BLOCK_BUNDLE_BYTES_MAX } from "./bundles.ts";
import { openBlock } from "./blocks.ts";
import type { Checkpoints, ConsensusPorts } from "./ports.ts";
import { pageOf, provenEvent } from "./synchronisation.ts";

/** What a peer may have sent by asking. A page of a short log costs its share of a disk, too. Units: bytes. */
const SERVED = { burst: 32 * 1024 * 1024, perSecond: 64 * 1024 * 1024 };
const ASKING_BYTES = 256 * 1024;
/**
 * To read an event of a page takes some 60 µs, however few bytes it has: 512 of them 30 ms, of which a peer gets two a second. Whoever
 * catches up takes longer to check them, and asks the others meanwhile.
 */
const EVENT_BYTES = 64 * 1024;

export interface AnsweringPorts {
  readonly log: Pick<ConsensusPorts["log"], "path" | "event" | "events" | "eventByHash" | "bundle">;
  readonly peers: Pick<ConsensusPorts["peers"], "send">;
  readonly clock: Pick<ConsensusPorts["clock"], "now">;
  readonly observer: Pick<ConsensusPorts["observer"], "refused" | "sent">;
  readonly checkpoints?: Pick<Checkpoints, "segmentsOf" | "segment">;
}

type CheckpointRequest = Extract<PeerMessage, { kind: "checkpointRequest" }>;

/** What is not in the log yet. */
export interface Unsettled {
  readonly block: (hash: Digest) => Block | undefined;
  readonly bundle: (digest: Digest) => Uint8Array | undefined;
}

export class Answering {
  readonly #ports: AnsweringPorts;
  readonly #unsettled: Unsettled;
  readonly #served = new Allowance(SERVED);

  constructor(ports: AnsweringPorts, unsettled: Unsettled) {
    this.#ports = ports;
    this.#unsettled = unsettled;
  }

  /** Whether the peer has not asked for more than its share; what it asks now is counted. */
  mayAsk(from: MemberIndex): boolean {
    const now = this.#ports.clock.now();
    if (!this.#served.has(from, now)) {
      this.#ports.observer.refused("PEER_ASKS_TOO_MUCH", from);
      return false;
    }
    this.#served.spend(from, ASKING_BYTES, now);
    return true;
  }

  reply(to: MemberIndex, message: PeerMessage): void {
    const frame = encode(peerMessageShape, message);
    this.#served.spend(to, frame.length, this.#ports.clock.now());
    this.#ports.peers.send(to, frame);
    this.#ports.observer.sent?.(to, message);
  }

  /** Throws: LogDamage where the answer is damaged. */
  block(from: MemberIndex, hash: Digest): void {
    if (!this.mayAsk(from)) return;
    const block = this.#unsettled.block(hash) ?? this.#ports.log.eventByHash(hash)?.block;
    if (block !== undefined) this.reply(from, { kind: "block", block });
  }

  /** Answers with as much as one block may name: who needs more asks again. Throws: LogDamage. */
  bundles(from: MemberIndex, digests: readonly Digest[]): void {
    if (!this.mayAsk(from)) return;
    let size = 0;
    for (const digest of new Set(digests)) {
      const bundle = this.#unsettled.bundle(digest) ?? this.#ports.log.bundle(digest)?.bytes;
      if (bundle === undefined) continue;
      size += bundle.length;
      if (size > BLOCK_BUNDLE_BYTES_MAX) return;
      this.reply(from, { kind: "bundle", bundle });
    }
  }

  /**
   * A member that is behind gets the newest checkpoint above `above` whose segments are here, with its proof; else a page of events.
   * Throws: LogDamage.
   */
  checkpoint(from: MemberIndex, { from: next, above }: CheckpointRequest, newest: Height): void {
    if (!this.mayAsk(from)) return;
    const { checkpoints, log } = this.#ports;
    const proven = checkpoints !== undefined && newest > above ? provenEvent(log, newest) : undefined;
    const opened = proven && openBlock(proven.event.block);
    const statement = opened?.ok ? opened.value.checkpoint?.statement : undefined;
    const segments = statement && statement.height > above ? checkpoints?.segmentsOf(statement.height) : undefined;
    if (proven === undefined || segments === undefined) return this.#page(from, next, EVENTS_PAGE_MAX);
    this.reply(from, { kind: "checkpoint", block: proven.event.block, proof: proven.proof, segments });
  }

  segment(from: MemberIndex, digest: Digest): void {
    if (!this.mayAsk(from)) return;
    const segment = this.#ports.checkpoints?.segment(digest);
    if (segment !== undefined) this.reply(from, { kind: "segment", segment });
  }

  /** A page of at most so many events. Throws: LogDamage. */
  events(from: MemberIndex, height: Height, countMax: number = EVENTS_PAGE_MAX): void {
    if (this.mayAsk(from)) this.#page(from, height, countMax);
  }

  #page(from: MemberIndex, height: Height, countMax: number): void {
    const events = pageOf(this.#ports.log, height, countMax);
    this.#served.spend(from, events.length * EVENT_BYTES, this.#ports.clock.now());
    if (events.length > 0) this.reply(from, { kind: "events", from: height, events });
  }
}
