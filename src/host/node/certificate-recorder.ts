/** A node's certificates on their way into the log: what is issued while service starts waits until commands can be ordered. */
import type { Aid } from "../../base/brands.ts";
import { encode } from "../../base/codec.ts";
import type { Result } from "../../base/result.ts";
import type { CommandKind } from "../../events/facts/command.ts";
import {
  type CertificateRecord,
  RECORDS_PER_COMMAND_MAX,
  certificateIssueShape,
} from "../../events/facts/certificate.ts";
import { certificateRecordOf } from "../../crypto/certificate-record.ts";
import type { CommandOutcome } from "../../wire/outcome.ts";
import type { Logger } from "../logging/logger.ts";
import type { Metrics } from "../metrics/metrics.ts";

export interface RecorderOptions {
  readonly aid: Aid;
  /** Orders a command of the node and waits for its outcome. */
  readonly submit: (kind: CommandKind, payload: Uint8Array, deadlineMs: number) => Promise<Result<CommandOutcome>>;
  /** Units: ms since 1970. */
  readonly now: () => number;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Certificates of one start come within this, and are one command. Units: ms. */
const GATHER_MS = 250;
const SUBMIT_MS = 30_000;
const AGAIN_MS = 5_000;
/** A node without a quorum forgets the oldest: they are renewed before long, and service does not rest on the record. */
const WAITING_MAX = 64;

export class CertificateRecorder {
  readonly #options: RecorderOptions;
  #waiting: CertificateRecord[] = [];
  #timer: NodeJS.Timeout | undefined;
  #open = false;
  #stopped = false;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** A chain was issued, leaf first. */
  issued(chain: readonly Uint8Array[]): void {
    const record = certificateRecordOf(chain, this.#options.aid, "node");
    if (record === undefined) return;
    this.#waiting = [...this.#waiting, record].slice(-WAITING_MAX);
    this.#arm(GATHER_MS);
  }

  /** Commands can be ordered from now on. */
  open(): void {
    this.#open = true;
    if (this.#waiting.length > 0) this.#arm(GATHER_MS);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #arm(ms: number): void {
    if (!this.#open || this.#stopped || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => void this.#record(), ms);
    this.#timer.unref();
  }

  async #record(): Promise<void> {
    const { submit, now, logger, metrics } = this.#options;
    const records = this.#waiting.slice(0, RECORDS_PER_COMMAND_MAX);
    const outcome = await submit("certificate.issue", encode(certificateIssueShape, { records }), now() + SUBMIT_MS);
    this.#timer = undefined;
    const code = outcome.ok
      ? outcome.value.result.kind === "refused"
        ? outcome.value.result.code
        : undefined
      : outcome.refusal.code;
    if (this.#stopped) return;
    if (code !== undefined) {
      metrics.count("certificate_record_failures");
      logger.warn("Certificates that this node issued are not in the log; it is tried again if that can help", {
        code,
      });
    }
    // What the log judged it judges again alike.
    if (outcome.ok) this.#waiting = this.#waiting.filter((record) => !records.includes(record));
    if (this.#waiting.length > 0) this.#arm(outcome.ok ? GATHER_MS : AGAIN_MS);
  }
}
