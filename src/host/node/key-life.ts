/**
 * The life of the node's key while it serves: rotated on request and by age, brought into force by the log, settled in the keystore.
 * What has to survive is in the keystore (src/actors/enclave/rotation.ts); here is what is done about it.
 */
import type { Aid } from "../../base/brands.ts";
import { present } from "../../base/errors.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import type { NodeKeyStatus } from "../../actors/enclave/ports.ts";
import type { KeyStateRef } from "../../events/facts/command.ts";
import type { KeyState } from "../../keri/key-state.ts";
import type { CommandOutcome } from "../../wire/outcome.ts";
import { demand } from "../enclave/node-files.ts";
import type { EnclaveControl } from "../enclave/worker-protocol.ts";
import type { Logger } from "../logging/logger.ts";
import type { Metrics } from "../metrics/metrics.ts";

export interface KeyLifeOptions {
  readonly aid: Aid;
  readonly enclave: Pick<EnclaveControl, "keys" | "prepareRotation" | "settleRotation">;
  /** The node's key state in the log, as far as this replica executed it. */
  readonly inForce: () => KeyState | undefined;
  /** Orders a CESR stream, signed by the node, and waits for its outcome. */
  readonly append: (stream: Uint8Array, deadlineMs: number) => Promise<Result<CommandOutcome>>;
  /** Certificates under the keystore's newest key; rejects when one could not be had. */
  readonly renewCertificates: () => Promise<void>;
  /** The node signs by another key from now on. */
  readonly onSettled: () => void;
  /** The log has keys that the keystore knows nothing of. */
  readonly onFatal: (code: string, reason: string) => void;
  /** Rotates by itself at this age; 0: never. Units: ms. */
  readonly everyMs: number;
  /** Units: ms since 1970. */
  readonly now: () => number;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** How long one attempt to order a rotation may take, and the pause after one that failed. Units: ms. */
const APPEND_MS = 30_000;
const AGAIN_MS = 2_000;
/** How often the key's age is looked at, at most. Units: ms. */
const LOOK_MS = 60_000;

export class KeyLife {
  readonly #options: KeyLifeOptions;
  readonly #timer: NodeJS.Timeout | undefined;
  #status: NodeKeyStatus;
  #settling: Promise<void> = Promise.resolve();
  #rotating: Promise<Result<KeyStateRef>> | undefined;
  /** Woken when the keystore was settled, or the node stops. */
  readonly #waiting = new Set<() => void>();
  #stopped = false;

  /** Throws: Fault of what the enclave refused. */
  static async open(options: KeyLifeOptions): Promise<KeyLife> {
    return new KeyLife(options, demand(await options.enclave.keys()));
  }

  private constructor(options: KeyLifeOptions, status: NodeKeyStatus) {
    this.#options = options;
    this.#status = status;
    if (options.everyMs > 0) {
      this.#timer = setInterval(() => this.#look(), Math.min(LOOK_MS, options.everyMs / 10));
      this.#timer.unref();
    }
    this.#show();
  }

  /** Under which the node signs. */
  get keyState(): KeyStateRef {
    return this.#status.keyState;
  }

  get status(): NodeKeyStatus {
    return this.#status;
  }

  /**
   * The log up to its head is executed: what a death interrupted is settled, or goes on.
   * Throws: Fault KEYS_ELSEWHERE: the keystore is not the newest; SEALED.
   */
  async resume(): Promise<void> {
    const inForce = present(this.#options.inForce(), "a founder has a key state");
    this.#status = demand(await this.#options.enclave.settleRotation(refOf(inForce)));
    this.#show();
    if (this.#status.pending === null) return this.#look();
    this.#options.logger.info("A rotation of the node's key goes on that was begun before", {
      digest: this.#status.pending.said,
    });
    void this.rotate();
  }

  /** Blocks were executed that changed the node's key state. */
  executed(): void {
    this.#settling = this.#settling.then(() => this.#settle());
  }

  /** Rotates, or joins the rotation that is under way; resolves when the new key is in force. Refuses: SEALED, what the log refused. */
  rotate(): Promise<Result<KeyStateRef>> {
    this.#rotating ??= this.#rotate()
      .catch((error: unknown) => refuse("DEFECT", error instanceof Error ? error.message : String(error), "none"))
      .then((result) => {
        this.#rotating = undefined;
        if (!result.ok && !this.#stopped) this.#failed(result.refusal.code, result.refusal.message);
        return result;
      });
    return this.#rotating;
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#wake();
  }

  async #rotate(): Promise<Result<KeyStateRef>> {
    const { enclave, inForce } = this.#options;
    const known = present(inForce(), "a founder has a key state");
    if (known.nextDigests.length === 0)
      return refuse("KERI_RULE", "The node's identifier was abandoned; it rotates no more.", "none");
    const prepared = await enclave.prepareRotation(known.latest);
    if (!prepared.ok) return prepared;
    this.#status = prepared.value;
    this.#show();
    const { pending } = prepared.value;
    if (pending === null) return ok(this.keyState);
    return this.#order(pending);
  }

  /** Again and again until the log has it: what went wrong may pass, and there is no way back. */
  async #order(pending: NonNullable<NodeKeyStatus["pending"]>): Promise<Result<KeyStateRef>> {
    this.#options.logger.info("A rotation of the node's key is submitted", { digest: pending.said });
    for (;;) {
      if (this.#stopped) return refuse("STOPPED", "The node stops; the rotation goes on when it serves again.", "none");
      const refusal = this.#isSettled(pending) ? undefined : await this.#attempt(pending);
      if (this.#isSettled(pending)) return ok(refOf(pending));
      if (this.#stopped || refusal === undefined) continue;
      this.#failed(refusal.code, refusal.message);
      if (!PASSING.has(refusal.code)) return { ok: false, refusal };
      await this.#pause(AGAIN_MS);
    }
  }

  /** Why the rotation is not in force yet; undefined when the node stops. */
  async #attempt(pending: NonNullable<NodeKeyStatus["pending"]>): Promise<Refusal | undefined> {
    const { append, renewCertificates, now } = this.#options;
    try {
      // Whoever executes the rotation refuses the old key's certificates at once: new ones are in use before it is ordered.
      await renewCertificates();
    } catch (error) {
      return {
        code: "CERTIFICATE_FAILED",
        message: error instanceof Error ? error.message : String(error),
        blame: "none",
      };
    }
    const outcome = await append(pending.stream, now() + APPEND_MS);
    const refusal = refusalOf(outcome);
    if (refusal !== undefined) return refusal;
    await this.#untilSettled(pending, APPEND_MS);
    return { code: "NOT_IN_FORCE", message: "The log has it, and it is not in force.", blame: "none" };
  }

  #isSettled({ said }: KeyStateRef): boolean {
    return this.#status.keyState.said === said;
  }

  async #settle(): Promise<void> {
    const { enclave, inForce, onSettled, onFatal, logger, metrics } = this.#options;
    const state = inForce();
    if (this.#stopped || state === undefined || this.#isSettled(state)) return;
    const settled = await enclave.settleRotation(refOf(state));
    if (!settled.ok) {
      if (settled.refusal.code === "KEYS_ELSEWHERE") onFatal(settled.refusal.code, settled.refusal.message);
      return; // sealed meanwhile: the next unsealing settles it
    }
    this.#status = settled.value;
    this.#show();
    metrics.count("key_rotations");
    metrics.set("rotation_failing", 0);
    logger.info("The node's key was rotated", { aid: this.#options.aid, count: state.sn, digest: state.said });
    onSettled();
    this.#wake();
  }

  #look(): void {
    const { everyMs, now } = this.#options;
    if (everyMs > 0 && !this.#stopped && now() - this.#status.since >= everyMs) void this.rotate();
  }

  #failed(code: string, reason: string): void {
    const { logger, metrics } = this.#options;
    metrics.count("key_rotation_failures");
    metrics.set("rotation_failing", 1);
    logger.error("A rotation of the node's key does not come into force", { code, reason });
  }

  #show(): void {
    const { metrics } = this.#options;
    metrics.set("key_sequence_number", this.#status.keyState.sn);
    metrics.set("rotation_pending", this.#status.pending === null ? 0 : 1);
  }

  async #untilSettled(pending: KeyStateRef, ms: number): Promise<void> {
    const end = this.#options.now() + ms;
    while (!this.#stopped && !this.#isSettled(pending) && this.#options.now() < end)
      await this.#pause(Math.max(1, end - this.#options.now()));
  }

  #pause(ms: number): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#waiting.add(wake);
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

/** Refusals that pass by themselves. */
const PASSING: ReadonlySet<string> = new Set([
  "CERTIFICATE_FAILED",
  "EXPIRED",
  "NOT_IN_FORCE",
  "OUTCOME_UNKNOWN",
  "OVERLOADED",
  "STALE_KEY_STATE",
]);

const refOf = ({ sn, said }: KeyStateRef): KeyStateRef => ({ sn, said });

function refusalOf(outcome: Result<CommandOutcome>): Refusal | undefined {
  if (!outcome.ok) return outcome.refusal;
  const { result } = outcome.value;
  return result.kind === "refused" ? { code: result.code, message: result.message, blame: "none" } : undefined;
}
