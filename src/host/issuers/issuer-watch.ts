/** Issuers' own certificates: their ends are a metric always, a warning long before, and an error when there is little time left. */
import type { Logger } from "../logging/logger.ts";
import type { Metrics, WatchedIssuer } from "../metrics/metrics.ts";

export interface IssuerWatchOptions {
  readonly logger: Pick<Logger, "warn" | "error">;
  readonly metrics: Pick<Metrics, "issuer">;
  /** Units: ms since 1970. */
  readonly now: () => number;
}

const DAY_MS = 86_400_000;
/** A founder's issuer lasts for years, and a new one has to be agreed: a quarter of a year is not too early to say so. Units: ms. */
export const WARN_BEFORE_MS = 90 * DAY_MS;
export const ALARM_BEFORE_MS = 14 * DAY_MS;
/** How often it looks; each look may say it once more. Units: ms. */
const LOOK_MS = DAY_MS;

export class IssuerWatch {
  readonly #options: IssuerWatchOptions;
  readonly #ends = new Map<WatchedIssuer, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: IssuerWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.look(), LOOK_MS);
    this.#timer.unref();
  }

  /** Units: ms since 1970. */
  watch(issuer: WatchedIssuer, notAfter: number): void {
    if (this.#ends.get(issuer) === notAfter) return;
    this.#ends.set(issuer, notAfter);
    this.#options.metrics.issuer(issuer, notAfter);
    this.#say(issuer, notAfter);
  }

  look(): void {
    for (const [issuer, notAfter] of this.#ends) this.#say(issuer, notAfter);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #say(issuer: WatchedIssuer, notAfter: number): void {
    const { logger, now } = this.#options;
    const left = notAfter - now();
    if (left > WARN_BEFORE_MS) return;
    const days = Math.floor(left / DAY_MS);
    const fields = { kind: issuer, count: days };
    if (left <= 0) logger.error("An issuer's certificate has ended; what it issued is refused", fields);
    else if (left <= ALARM_BEFORE_MS) logger.error("An issuer's certificate ends within days", fields);
    else logger.warn("An issuer's certificate ends; have it replaced in time", fields);
  }
}
