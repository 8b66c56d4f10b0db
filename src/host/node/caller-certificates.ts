/**
 * Certificates that clients connect by though they should have been renewed. `SkyClient` renews its own at two thirds of its life; one
 * that nobody renews is refused one day, so its end is a metric as long as it is in use, and a warning long before.
 */
import type { PeerIdentity } from "../../crypto/peer-certificate.ts";
import type { Logger } from "../logging/logger.ts";
import type { Metrics } from "../metrics/metrics.ts";

export interface CallerCertificatesOptions {
  readonly logger: Pick<Logger, "warn">;
  readonly metrics: Pick<Metrics, "clientCertificates">;
  /** Who is still there connects anew at least so often; 0: perhaps never. Units: ms. */
  readonly connectionMaxAgeMs: number;
  /** Units: ms since 1970. */
  readonly now: () => number;
}

type Shown = Pick<PeerIdentity, "aid" | "role" | "notBefore" | "notAfter" | "spkiHash">;

interface Seen {
  readonly notAfter: number;
  /** When it was last seen, and warned of. Units: ms since 1970. */
  readonly at: number;
  readonly warnedAt: number;
}

/** Part of its life at which whoever renews certificates has long done so. */
const WARN_FROM = 3 / 4;
const DAY_MS = 86_400_000;
/** More clients than a node has connections for. */
const SEEN_MAX = 4_096;

export class CallerCertificates {
  readonly #options: CallerCertificatesOptions;
  /** By the digest of the key, the one seen longest ago first. */
  readonly #seen = new Map<string, Seen>();

  constructor(options: CallerCertificatesOptions) {
    this.#options = options;
    options.metrics.clientCertificates(() => this.#firstEnd());
  }

  /** Somebody was let in by it. Members renew theirs, and operators issue one for each command: those are not watched here. */
  seen({ aid, role, notBefore, notAfter, spkiHash }: Shown): void {
    if (role !== "client") return;
    const now = this.#options.now();
    if (now - notBefore < (notAfter - notBefore) * WARN_FROM) return;
    const warnedAt = this.#seen.get(spkiHash)?.warnedAt ?? 0;
    const warns = now - warnedAt >= DAY_MS;
    if (warns)
      this.#options.logger.warn("A client's certificate ends and was not renewed; its holder must issue another", {
        aid,
        count: Math.floor((notAfter - now) / DAY_MS),
      });
    this.#seen.delete(spkiHash);
    this.#seen.set(spkiHash, { notAfter, at: now, warnedAt: warns ? now : warnedAt });
    const [first] = this.#seen.keys();
    if (this.#seen.size > SEEN_MAX && first !== undefined) this.#seen.delete(first);
  }

  close(): void {
    this.#options.metrics.clientCertificates(() => undefined);
  }

  /** The first end among those in use. Units: ms since 1970. */
  #firstEnd(): number | undefined {
    const now = this.#options.now();
    const { connectionMaxAgeMs } = this.#options;
    const keptMs = connectionMaxAgeMs === 0 ? Infinity : Math.max(2 * connectionMaxAgeMs, DAY_MS);
    let first: number | undefined;
    for (const [key, { notAfter, at }] of this.#seen) {
      if (notAfter <= now || now - at > keptMs) this.#seen.delete(key);
      else first = Math.min(notAfter, first ?? notAfter);
    }
    return first;
  }
}
