/** What a node tells of its log: in its own log, in metrics, to probes and to operators (ADR 0017). */
import type { LogReport } from "../consensus/worker-protocol.ts";
import type { Divergence } from "../../machines/consensus/types.ts";
import type { HealthCheck } from "../listeners/health-http.ts";
import type { Logger } from "../logging/logger.ts";
import type { Metrics } from "../metrics/metrics.ts";

/** The same record damaged again this soon after it was healed: the disk does not keep what it is given. Units: ms. */
const AGAIN_MS = 3_600_000;

export class LogHealth {
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #onTrouble: (trouble: string) => void;
  /** When the damage at a height was seen while serving; null: at a record that no block holds. */
  readonly #seen = new Map<number | null, number>();
  /** Why the node does not serve; undefined while its log holds. */
  #trouble: string | undefined;
  #notes: readonly string[] = [];
  /** Why the node will never serve with this log, and what to do. */
  #divergence: string | undefined;

  /** `onTrouble` is told when the node will not serve soon by itself. */
  constructor(logger: Logger, metrics: Metrics, onTrouble: (trouble: string) => void) {
    this.#logger = logger;
    this.#metrics = metrics;
    this.#onTrouble = onTrouble;
    metrics.set("log_damaged", 0);
  }

  /** Damage was found while the node served. Returns false when healing it again would be of no use. */
  damaged(height: number | null, reason: string, now: number): boolean {
    const last = this.#seen.get(height);
    this.#seen.set(height, now);
    this.#trouble = `damaged${at(height)}`;
    this.#metrics.set("log_damaged", 1);
    this.#logger.error("The log is damaged: service stops until peers have healed it", {
      code: "LOG_DAMAGED",
      reason,
      ...(height !== null && { height }),
    });
    return last === undefined || now - last > AGAIN_MS;
  }

  /** This replica computed another state than f+1 others: no peer can heal that. */
  diverged({ height, root, theirs }: Divergence): void {
    this.#trouble = `diverged at height ${height}`;
    this.#divergence = `at height ${height} this node computed root ${root}, more others than may lie have ${theirs}: it votes and serves no more, after a restart either. Find out why, then begin it anew without its log (docs/OPERATING.md, "Diverged")`;
    this.#logger.error("This node parted from the others: it votes and serves no more", {
      code: "DIVERGED",
      height,
      reason: this.#divergence,
    });
    this.#onTrouble(this.#trouble);
  }

  get isDiverged(): boolean {
    return this.#divergence !== undefined;
  }

  report(report: LogReport): void {
    switch (report.kind) {
      case "damaged": {
        const { height, reason } = report;
        this.#metrics.count("log_damages");
        this.#unsound(`healing from height ${height}`);
        return this.#logger.error("A record of the log is damaged; peers are asked for it", {
          code: "LOG_DAMAGED",
          height,
          reason,
        });
      }
      case "waiting":
        this.#unsound(`healing from height ${report.height}: no peer has given it, ${report.peers} are connected`);
        this.#onTrouble(this.#trouble ?? "");
        return this.#logger.warn("No peer has given the damaged record so far; they are asked again", {
          height: report.height,
          count: report.peers,
        });
      case "mended":
        this.#metrics.count("log_events_healed", report.count);
        return this.#logger.warn("Records of the log were fetched again from a peer, proven and put in place", {
          height: report.height,
          count: report.count,
          ...(report.from !== null && { peer: `member-${report.from}` }),
        });
      case "stuck":
        this.#unsound(`cannot be healed${at(report.height)}: ${report.reason}`);
        this.#onTrouble(this.#trouble ?? "");
        return this.#logger.error("The log cannot be healed; the node stays out of service", {
          code: "LOG_DAMAGED",
          height: report.height,
          reason: report.reason,
        });
      case "healed":
        this.#sound();
        return this.#logger.warn("The log is healed: all of it was read again and holds", { height: report.height });
      case "setAside":
        this.#metrics.count("log_damages");
        this.#sound(); // what was damaged is no longer the log
        return this.#logger.error(
          "The log's file cannot be read and was put aside; the node begins anew from its peers",
          {
            code: "LOG_CORRUPT",
            path: report.path,
            reason: report.reason,
          },
        );
      case "journalLost":
        return this.#logger.warn(
          "Votes may be forgotten: the node follows without voting until a quorum has reported",
          {
            code: "JOURNAL_LOST",
            reason: report.reason,
          },
        );
      case "votesAgain":
        return this.#logger.info("A quorum has reported: the node votes again above this view", { view: report.view });
    }
  }

  note(notes: readonly string[]): void {
    this.#notes = notes;
  }

  /** For operators: what happened to the log, and what is wrong with it now. */
  notes(): readonly string[] {
    const now = this.#divergence ?? this.#trouble;
    return now === undefined ? this.#notes : [...this.#notes, `now: ${now}`];
  }

  check(): HealthCheck {
    if (this.#trouble === undefined) return { name: "log", ok: true };
    return { name: "log", ok: false, detail: this.#trouble };
  }

  #unsound(trouble: string): void {
    this.#trouble = trouble;
    this.#metrics.set("log_damaged", 1);
  }

  #sound(): void {
    this.#trouble = undefined;
    this.#metrics.set("log_damaged", 0);
  }
}

const at = (height: number | null): string => (height === null ? "" : ` at height ${height}`);
