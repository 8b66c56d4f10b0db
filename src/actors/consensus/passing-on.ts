/**
 * Certificates on their way to the peers (rules 4 and 6: "to peers not yet seen to hold it"). As a rule every member makes the
 * same certificate of the same votes at the same time, so each waits a little: for whoever shows meanwhile that it holds it, and
 * for a newer finalization, which says all that the older one did (ADR 0016).
 */
import type { MemberIndex, View } from "../../base/brands.ts";
import type { CertificateKind } from "../../events/facts/block.ts";
import type { ConsensusPorts } from "./ports.ts";

/** Nullifications never wait. */
export type Waiting = Exclude<CertificateKind, "nullification">;

interface Pending {
  readonly kind: Waiting;
  readonly view: View;
  /** Waits since the tick before the last one. */
  ripe: boolean;
}

export class PassingOn {
  readonly #clock: ConsensusPorts["clock"];
  readonly #patienceMs: number;
  readonly #peers: readonly MemberIndex[];
  readonly #send: (to: MemberIndex, kind: Waiting, view: View) => void;
  /** Views whose notarization each peer is seen to hold, above the final one. */
  readonly #notarized = new Map<View, Set<MemberIndex>>();
  /** Highest view whose finalization each peer is seen to hold. */
  readonly #finalized = new Map<MemberIndex, View>();
  #pending: Pending[] = [];
  #timer: unknown;
  #stopped = false;

  /** A certificate waits `patienceMs`, and at most twice that. */
  constructor(
    clock: ConsensusPorts["clock"],
    patienceMs: number,
    peers: readonly MemberIndex[],
    send: (to: MemberIndex, kind: Waiting, view: View) => void,
  ) {
    this.#clock = clock;
    this.#patienceMs = patienceMs;
    this.#peers = peers;
    this.#send = send;
  }

  /** This member holds a certificate that it has not passed on. */
  add(kind: Waiting, view: View): void {
    if (this.#stopped) return;
    if (kind === "finalization") this.#pending = this.#pending.filter((other) => other.view > view);
    this.#pending.push({ kind, view, ripe: false });
    this.#timer ??= this.#clock.set(this.#patienceMs, () => this.#tick());
  }

  /** The peer sent it, or what only its holder sends; checked or not. */
  seen(peer: MemberIndex, kind: Waiting, view: View): void {
    if (kind === "finalization") {
      if (view > (this.#finalized.get(peer) ?? 0)) this.#finalized.set(peer, view);
      return;
    }
    const holders = this.#notarized.get(view);
    if (holders === undefined) this.#notarized.set(view, new Set([peer]));
    else holders.add(peer);
  }

  /** What lies at or below the final view needs no notarization any more. */
  prune(final: View): void {
    for (const view of this.#notarized.keys()) if (view <= final) this.#notarized.delete(view);
  }

  stop(): void {
    this.#stopped = true;
    this.#pending = [];
    if (this.#timer !== undefined) this.#clock.clear(this.#timer);
  }

  #tick(): void {
    this.#timer = undefined;
    const ripe = this.#pending.filter((one) => one.ripe);
    this.#pending = this.#pending.filter((one) => !one.ripe);
    for (const one of this.#pending) one.ripe = true;
    for (const { kind, view } of ripe)
      for (const peer of this.#peers) if (!this.#holds(peer, kind, view)) this.#send(peer, kind, view);
    if (this.#pending.length > 0) this.#timer = this.#clock.set(this.#patienceMs, () => this.#tick());
  }

  #holds(peer: MemberIndex, kind: Waiting, view: View): boolean {
    if ((this.#finalized.get(peer) ?? 0) >= view) return true;
    return kind === "notarization" && this.#notarized.get(view)?.has(peer) === true;
  }
}
