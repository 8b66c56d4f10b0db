/** Members that vote as no honest member does. */
import type { Digest, MemberIndex, View } from "../../../src/base/brands.ts";
import { logTime } from "../../../src/base/brands.ts";
import { sha256Digest } from "../../../src/crypto/hash.ts";
import { utf8 } from "../../../src/base/bytes.ts";
import { blockHash } from "../../../src/events/facts/hashing.ts";
import type { PeerMessage } from "../../../src/events/facts/peer-message.ts";
import { messageOf } from "../process.ts";
import { Behaviour, type Of, viewOf } from "./behaviour.ts";

/** Proposes two blocks in each view that it leads, one to some members and one to the others, and votes for both. */
export class Equivocator extends Behaviour {
  override readonly kind = "equivocator";
  readonly #second = new Map<View, Of<"proposal">>();
  readonly #side = new Map<string, boolean>();

  override send(to: MemberIndex, frame: Uint8Array, message: PeerMessage): void {
    if (message.kind === "proposal") return this.#propose(to, frame, message);
    const second = message.kind === "vote" ? this.#second.get(message.view) : undefined;
    if (
      message.kind !== "vote" ||
      message.vote === "nullify" ||
      second === undefined ||
      !this.#hearsSecond(to, message.view)
    )
      return this.pass(to, frame);
    this.say(to, this.vote(message.vote, message.view, blockHash(second.block.header)));
    if (this.random.chance(0.3)) this.pass(to, frame);
  }

  #propose(to: MemberIndex, frame: Uint8Array, { block }: Of<"proposal">): void {
    const view = viewOf(block);
    if (view === undefined) return;
    let second = this.#second.get(view);
    if (second === undefined) {
      second = this.proposalLike(block, ({ time }) => ({ time: logTime(time + 1) }));
      if (second === undefined) return;
      this.#second.set(view, second);
    }
    const both = this.random.chance(0.2);
    if (this.#hearsSecond(to, view)) this.say(to, second);
    if (both || !this.#hearsSecond(to, view)) this.pass(to, frame);
  }

  #hearsSecond(to: MemberIndex, view: View): boolean {
    const key = `${to}/${view}`;
    let side = this.#side.get(key);
    if (side === undefined) {
      side = this.random.chance(0.5);
      this.#side.set(key, side);
    }
    return side;
  }
}

/** Votes for everything at once: other blocks, nullify beside finalize, differently to different members. */
export class DoubleVoter extends Behaviour {
  override readonly kind = "doubleVoter";
  readonly #seen = new Map<View, Digest>();

  override received(_from: MemberIndex, frame: Uint8Array): void {
    const message = messageOf(frame);
    if (message?.kind !== "proposal") return;
    const view = viewOf(message.block);
    if (view !== undefined) this.#seen.set(view, blockHash(message.block.header));
  }

  override send(to: MemberIndex, frame: Uint8Array, message: PeerMessage): void {
    if (message.kind !== "vote" || !this.random.chance(0.9)) this.pass(to, frame);
    if (message.kind !== "vote") return;
    const { view } = message;
    const hash = this.#seen.get(view) ?? message.hash ?? sha256Digest(utf8(`no block of view ${view}`));
    const none = sha256Digest(utf8(`another block of view ${view}`));
    for (const vote of [
      this.vote("notarize", view, hash),
      this.vote("nullify", view, null),
      this.vote("finalize", view, hash),
      this.vote("notarize", view, none),
      this.vote("finalize", view, none),
    ])
      if (this.random.chance(0.4)) this.say(to, vote);
  }
}

/** Leads no view: proposes nothing, and in its own views it votes nothing. Some are silent for good. */
export class SilentLeader extends Behaviour {
  override readonly kind = "silentLeader";
  readonly #forGood = this.random.chance(0.3);

  override send(to: MemberIndex, frame: Uint8Array, message: PeerMessage): void {
    if (this.#forGood || message.kind === "proposal") return;
    if (message.kind === "vote" && message.view % this.size === this.replica.member) return;
    this.pass(to, frame);
  }
}

/** Says everything, too late: around the moment when others give up waiting. */
export class Slow extends Behaviour {
  override readonly kind = "slow";
  readonly #waits = this.replicaWaits();

  private replicaWaits(): number {
    return this.random.pick([100, 400, 800, 3000]);
  }

  override send(to: MemberIndex, frame: Uint8Array): void {
    const { scheduler } = this.replica.world;
    const { process } = this.replica;
    scheduler.at(scheduler.now + this.random.exponential(this.#waits), () => {
      if (this.replica.process === process) this.pass(to, frame);
    });
  }
}

/** One of two actors with one key and one seat: each is honest by itself, and each hears and is heard by others. */
export class Twin extends Behaviour {
  override readonly kind = "twins";
  #heard: readonly MemberIndex[] = [];

  override send(to: MemberIndex, frame: Uint8Array): void {
    if (this.#heard.includes(to)) this.pass(to, frame);
  }

  override tick(): void {
    if (this.#heard.length === 0 || this.random.chance(0.1))
      this.#heard = this.others.filter(() => this.random.chance(0.7));
  }
}
