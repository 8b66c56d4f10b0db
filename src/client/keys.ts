/**
 * A client's keys while it lives: who signs now, how they rotate, and which certificate its connections show.
 *
 * A rotation is kept before anybody sees it; connections move to a certificate of its keys; then it is appended, signed by the keys in force,
 * and it is in force once a batch is taken that the new keys signed. Whoever dies in between left the rotation pending: the next use submits
 * the same event again, under either keys, and learns so which hold. Source: ADR 20.
 */
import { TimeoutStrategy, timeout } from "cockatiel";
import type { Digest } from "../base/brands.ts";
import { concatBytes } from "../base/bytes.ts";
import { present } from "../base/errors.ts";
import type { Result } from "../base/result.ts";
import type { Command, KeyStateRef } from "../events/facts/command.ts";
import {
  type Controller,
  type ControllerRefusal,
  type PendingEvent,
  isShowable,
  keyStateAfterPending,
  keyStateOf,
  prepareInteraction,
  prepareRotation,
  promoted,
} from "../keri/controller.ts";
import type { EventFields } from "../keri/event-json.ts";
import type { CommandOutcome, Receipt } from "../wire/outcome.ts";
import { type IssuedTls, issueTls } from "./certificate.ts";
import { SkyError, errorOfRefusal } from "./errors.ts";
import { type IdentityStore, type KeptIdentity, signerOf } from "./identity.ts";
import { type ClientPorts, type Signer, appendCommandOf } from "./signing.ts";

/** When a client rotates its keys by itself. */
export interface RotationPolicy {
  /**
   * At its first call once the keys in force are older, while calls go on; keys of unknown age count as older. Whoever makes no call rotates
   * nothing. Units: ms. Bounds: an hour at least.
   */
  readonly rotateEveryMs?: number;
  /** Told what became of each such rotation; one that failed is tried again after a minute. */
  readonly onRotation?: (event: RotationEvent) => void;
}

export type RotationEvent =
  | { readonly kind: "rotated"; readonly keyState: KeyStateRef }
  | {
      readonly kind: "failed";
      /** A SkyError, or what the store threw. */
      readonly error: unknown;
      /** Units: ms since 1970. */
      readonly retryAtMs: number;
    };

export interface KeysOptions {
  readonly policy: RotationPolicy;
  readonly store: IdentityStore;
  readonly cluster: Digest;
  /** Of each certificate. Units: ms. */
  readonly lifetimeMs: number;
  readonly ports: ClientPorts;
  /** Delivers a command, at each attempt under this signer, until its outcome is known, or it is stale and that is final. Throws: SkyError. */
  readonly deliver: (
    command: Command,
    signer: () => Signer,
    isFinal: () => boolean,
    deadlineMs: number,
  ) => Promise<CommandOutcome>;
  /** Which event of the own log is in force at a sequence number, as of this receipt or later; undefined: none. Throws: SkyError. */
  readonly inForceAt: (sn: number, atLeast: Receipt, deadlineMs: number) => Promise<string | undefined>;
  /** Connections go on with this certificate: new ones first, then old ones end. False: nobody took it in time, and nothing changed. */
  readonly move: (tls: IssuedTls, deadlineMs: number) => Promise<boolean>;
}

/** A change of the own key event log, and which key state it left. */
export interface Changed extends KeyStateRef {
  readonly kept: KeptIdentity;
}

export type Prepare = (kept: KeptIdentity) => Result<Controller, ControllerRefusal>;

/** Part of a certificate's life after which a new one is made. */
const RENEW_AT = 2 / 3;
/** 3 s: a node that is behind knows the newest keys within it; who still refuses them then, knows others. */
const NEWS_MS = 3_000;
/** How long connections may take to move; whatever failed then is tried again with the next certificate. */
const MOVE_MS = 5_000;
const ROTATE_MS = 30_000;
/** Keys that are changed more often would fill the folder's file within a year. */
const ROTATE_EVERY_MIN_MS = 3_600_000;
/** After a rotation by age that failed. */
const ROTATE_AGAIN_MS = 60_000;
/** Between two looks for newer keys while no node answers. */
const READ_AGAIN_MS = 500;

export class Keys {
  readonly #options: KeysOptions;
  #kept: KeptIdentity;
  #signer: Signer;
  /** When the keys in use became ours. */
  #since: number;
  #tls: IssuedTls;
  #wasFinished = false;
  /** When the store was asked last because nobody answered. */
  #readAt = 0;
  #renewing: Promise<void> | undefined;
  #settling: Promise<Changed> | undefined;
  /** No rotation by age before. */
  #rotateAt = 0;

  private constructor(options: KeysOptions, kept: KeptIdentity, tls: IssuedTls) {
    this.#options = options;
    this.#kept = kept;
    this.#signer = signerOf(kept);
    this.#since = options.ports.now();
    this.#tls = tls;
  }

  /** The first certificate is what `move` has had already. Throws: SkyError MALFORMED. */
  static of(options: KeysOptions, kept: KeptIdentity, tls: IssuedTls): Keys {
    const { rotateEveryMs = ROTATE_EVERY_MIN_MS } = options.policy;
    if (!(rotateEveryMs >= ROTATE_EVERY_MIN_MS))
      throw new SkyError("MALFORMED", `rotateEveryMs is at least ${ROTATE_EVERY_MIN_MS}, an hour.`);
    return new Keys(options, kept, tls);
  }

  get signer(): Signer {
    return this.#signer;
  }

  /**
   * Makes an event, keeps it, submits it and waits until it is in force. One that is pending already is finished instead, and nothing is made.
   * Throws: SkyError; whatever it says, the event stays pending until the cluster has said what became of it.
   */
  change(prepare: Prepare, timeoutMs = ROTATE_MS): Promise<Changed> {
    const deadlineMs = this.#options.ports.now() + timeoutMs;
    // Not before it is noted: the calls that it makes ask whether one is under way.
    this.#settling ??= Promise.resolve()
      .then(() => this.#change(prepare, deadlineMs))
      .finally(() => {
        this.#settling = undefined;
      });
    return this.#settling;
  }

  rotate(after: number | undefined, timeoutMs?: number): Promise<Changed> {
    return this.change((kept) => this.#rotation(kept, after), timeoutMs);
  }

  interact(seals: readonly EventFields[], timeoutMs?: number): Promise<Changed> {
    return this.change((kept) => prepareInteraction(kept, seals), timeoutMs);
  }

  /** Finishes what is pending, if anything is. */
  finish(timeoutMs?: number): Promise<Changed> {
    return this.change((kept) => ({ ok: true, value: kept }), timeoutMs);
  }

  /**
   * A batch was refused as stale that these keys signed: resolves once it may be signed again, under newer keys or, on another node, the same.
   * Throws: SkyError STALE_KEY_STATE when nobody here knows the keys in force.
   */
  async stale(used: KeyStateRef, deadlineMs: number): Promise<void> {
    if (this.#signer.keyState.said !== used.said) return;
    const { ports, store } = this.#options;
    if (this.#settling === undefined) {
      const kept = store.read();
      if (keyStateOf(kept).said !== used.said) return this.#adopt(kept, deadlineMs);
      this.#kept = kept;
      if (kept.pending === null) {
        if (ports.now() - this.#since < NEWS_MS) return;
        throw new SkyError(
          "STALE_KEY_STATE",
          "The cluster has newer keys of this identity than are kept here; use the newest copy of its folder or file.",
          { retryable: false },
        );
      }
    }
    const settling = this.#settling ?? this.finish();
    await timeout(Math.max(1, deadlineMs - ports.now()), TimeoutStrategy.Aggressive)
      .execute(() => settling)
      .catch(() => {}); // told to whoever rotates; the batch is tried again while time is left
  }

  /**
   * No node answered, or they refuse the certificate: if another process has rotated the keys since, connections go on with a certificate of
   * those; if others brought the pending rotation into force, with one of its keys, which nobody takes sooner.
   */
  async unanswered(deadlineMs: number): Promise<void> {
    const { ports, store } = this.#options;
    const now = ports.now();
    if (now - this.#readAt < READ_AGAIN_MS) return;
    this.#readAt = now;
    if (this.#settling === undefined) {
      const kept = store.read();
      if (shownSaid(kept) !== shownSaid(this.#kept)) return this.#adopt(kept, deadlineMs, false, true);
    }
    const { pending } = this.#kept;
    if (pending !== null && pending.next !== null && !isShowable(this.#kept))
      await this.#certify(this.#kept, this.#within(deadlineMs), true);
  }

  /** Before a call: what an earlier life began is finished, once; a certificate that ended is renewed first, one that is old meanwhile. */
  async fresh(deadlineMs: number): Promise<void> {
    if (this.#kept.pending !== null && !this.#wasFinished) {
      this.#wasFinished = true;
      this.finish().catch(() => {}); // it stays pending: whoever meets stale keys, or rotates, finishes it
    }
    const { issuedAt, notAfter } = this.#tls;
    const now = this.#options.ports.now();
    this.#rotateOld(now);
    if (now - issuedAt < RENEW_AT * (notAfter - issuedAt)) return;
    this.#renewing ??= this.#certify(this.#kept, now + MOVE_MS)
      .then(
        () => {},
        () => {}, // the next call tries again
      )
      .finally(() => {
        this.#renewing = undefined;
      });
    if (now >= notAfter && now < deadlineMs) await this.#renewing;
  }

  /** Rotates meanwhile, if the keys are older than the policy says and no other process has done it. */
  #rotateOld(now: number): void {
    const { policy, ports } = this.#options;
    const { rotateEveryMs, onRotation } = policy;
    const isOld = ({ since = 0 }: KeptIdentity): boolean => rotateEveryMs !== undefined && now - since >= rotateEveryMs;
    if (this.#settling !== undefined || now < this.#rotateAt || !isOld(this.#kept)) return;
    const { said } = this.#signer.keyState;
    let isDoneElsewhere = false;
    this.change((kept) => {
      isDoneElsewhere = !isOld(kept);
      return isDoneElsewhere ? { ok: true, value: kept } : this.#rotation(kept);
    }).then(
      (changed) => {
        if (changed.said !== said && !isDoneElsewhere)
          onRotation?.({ kind: "rotated", keyState: { sn: changed.sn, said: changed.said } });
      },
      (error: unknown) => {
        this.#rotateAt = ports.now() + ROTATE_AGAIN_MS;
        onRotation?.({ kind: "failed", error, retryAtMs: this.#rotateAt });
      },
    );
  }

  #rotation(kept: KeptIdentity, count = kept.next.length): Result<Controller, ControllerRefusal> {
    const { ports } = this.#options;
    return prepareRotation(kept, { after: Array.from({ length: count }, () => ports.randomBytes(32)) });
  }

  async #change(prepare: Prepare, deadlineMs: number): Promise<Changed> {
    this.#wasFinished = true;
    const { store } = this.#options;
    const before = this.#kept;
    const kept = store.update((now) => {
      if (now.pending !== null) return now;
      const prepared = prepare(now);
      if (!prepared.ok) throw errorOfRefusal(prepared.refusal);
      return prepared.value;
    });
    if (keyStateOf(kept).said !== keyStateOf(before).said) await this.#adopt(kept, deadlineMs);
    this.#kept = kept;
    if (kept.pending === null) return { ...refOf(kept), kept };
    const moves = kept.pending.next !== null && isShowable(kept);
    // Whoever executes the rotation refuses the old keys' certificates at once: new ones are in use before it is ordered.
    const moved = moves && (await this.#certify(kept, this.#within(deadlineMs)));
    const { sn, said } = kept.pending;
    await this.#append(kept, submitted(kept, kept.pending), deadlineMs).catch((error: unknown) => {
      throw isRefusedForGood(error) ? stuck(sn, error) : error;
    });
    const settled = store.update((now) => (now.pending?.said === said ? promoted(now) : now));
    await this.#adopt(settled, deadlineMs, moved);
    return { ...refOf(settled), kept: settled };
  }

  /** Until it is in force: a rotation when, and no sooner, a batch is taken that the new keys signed; others when the log names them. */
  async #append(kept: KeptIdentity, stream: Uint8Array, deadlineMs: number): Promise<void> {
    const { deliver, ports } = this.#options;
    const [before, after] = [signerOf(kept), signerOf(promoted(kept))];
    const rotates = before.keyState.said !== after.keyState.said;
    const { delegator, witnesses } = keyStateAfterPending(kept);
    const waitsForOthers = delegator !== null || witnesses.length > 0;
    const command = appendCommandOf(stream, ports);
    let used = before;
    let isTaken = false;
    let turn = 0;
    let staleSince: number | undefined;
    // An earlier life may have submitted it: either keys may be those in force.
    const sign = (): Signer => {
      used = rotates && (isTaken || turn++ % 2 === 1) ? after : before;
      return used;
    };
    // Neither keys have been in force for as long as a node may be behind: others are.
    const isFinal = (): boolean => {
      staleSince ??= ports.now();
      return !isTaken && !waitsForOthers && ports.now() - staleSince >= NEWS_MS;
    };
    try {
      for (;;) {
        const { receipt } = executed(await deliver(command, sign, isFinal, deadlineMs));
        if (!rotates) return await this.#confirmed(kept, receipt, deadlineMs);
        if (used === after) return;
        isTaken = true;
      }
    } catch (error) {
      // Whatever the last attempt met: the log has it, and so far it was not in force.
      const stillWaits = isTaken && waitsForOthers && error instanceof SkyError && error.retryable;
      if (!isStale(error) && !stillWaits) throw error;
      const sentence = waiting("rotation", delegator !== null, witnesses.length > 0);
      throw new SkyError("NOT_IN_FORCE", sentence, { retryable: waitsForOthers, cause: error });
    }
  }

  /** The log has an event that changes no keys: whether it has its place, too. Throws: SkyError NOT_IN_FORCE, KERI_DUPLICITOUS. */
  async #confirmed(kept: KeptIdentity, receipt: Receipt, deadlineMs: number): Promise<void> {
    const pending = present(kept.pending, "what is pending was submitted");
    const said = await this.#options.inForceAt(pending.sn, receipt, deadlineMs);
    if (said === pending.said) return;
    if (said !== undefined) throw new SkyError("KERI_DUPLICITOUS", `${said} has its place.`, { retryable: false });
    const sentence = waiting("event", false, keyStateAfterPending(kept).witnesses.length > 0);
    throw new SkyError("NOT_IN_FORCE", sentence, { retryable: true });
  }

  async #adopt(kept: KeptIdentity, deadlineMs: number, moved = false, isShownAnew = false): Promise<void> {
    const signer = signerOf(kept);
    const rotated = isShownAnew || signer.keyState.said !== this.#signer.keyState.said;
    this.#kept = kept;
    this.#signer = signer;
    this.#since = this.#options.ports.now();
    if (rotated && !moved) await this.#certify(kept, this.#within(deadlineMs));
  }

  /** False: no node took the new certificate in time, and the old one is still in use. */
  async #certify(kept: KeptIdentity, deadlineMs: number, pendingToo = isShowable(kept)): Promise<boolean> {
    const { cluster, lifetimeMs, ports, store, move } = this.#options;
    const tls = await issueTls({
      controller: kept,
      cluster,
      role: store.role,
      pendingToo,
      random: (length) => ports.randomBytes(length),
      now: ports.now(),
      lifetimeMs,
    });
    const moved = await move(tls, deadlineMs);
    if (moved) {
      this.#tls = tls;
      store.certified?.(tls);
    }
    return moved;
  }

  #within(deadlineMs: number): number {
    return Math.min(deadlineMs, this.#options.ports.now() + MOVE_MS);
  }
}

export const isStale = (error: unknown): error is SkyError =>
  error instanceof SkyError && error.code === "STALE_KEY_STATE";

/** Codes by which the log says that it will not have an event, however often it is submitted. */
const FOR_GOOD: ReadonlySet<string> = new Set([
  "KERI_MALFORMED",
  "KERI_UNSUPPORTED",
  "KERI_SAID_MISMATCH",
  "KERI_RULE",
  "KERI_BAD_SIGNATURE",
  "KERI_DUPLICITOUS",
  "TOO_LARGE",
  "TOO_MANY",
]);

/** Whether a change of the own key event log failed because the log refuses the event itself: it stays pending, and in the way. */
export const isRefusedForGood = (error: unknown): error is SkyError =>
  error instanceof SkyError && !error.retryable && FOR_GOOD.has(error.code);

const stuck = (sn: number, error: SkyError): SkyError =>
  new SkyError(
    error.code,
    `The cluster refuses event ${sn} of this identity, which is pending: ${error.message} \`sky kel discard\` drops it.`,
    { retryable: false, cause: error },
  );

/**
 * The first event brings the inception along: the founding document has it without the signatures that strangers ask for, and the log adds
 * those.
 */
const submitted = ({ kel }: Controller, { sn, stream }: PendingEvent): Uint8Array =>
  sn === 1 ? concatBytes(kel, stream) : stream;

/** Whose keys a certificate made now would show. */
const shownSaid = (kept: Controller): string => keyStateOf(isShowable(kept) ? promoted(kept) : kept).said;

const refOf = (kept: Controller): KeyStateRef => {
  const { sn, said } = keyStateOf(kept);
  return { sn, said };
};

function executed(outcome: CommandOutcome): CommandOutcome {
  const { result } = outcome;
  if (result.kind === "refused") throw new SkyError(result.code, result.message, { retryable: false });
  return outcome;
}

function waiting(what: "rotation" | "event", isDelegated: boolean, isWitnessed: boolean): string {
  if (isDelegated) return `The log has the ${what}, and its delegator is still to anchor it; then finish it.`;
  if (isWitnessed) return `The log has the ${what}, and its witnesses are still to sign receipts; then finish it.`;
  return `The ${what} is not in force: another one is. Use the newest copy of this identity's folder or file.`;
}
