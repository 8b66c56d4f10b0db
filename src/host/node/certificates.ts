/**
 * Certificates of a node's listeners, for as long as it runs: renewed with fresh TLS keys at two thirds of their life, tried again while
 * that fails, with a warning long before one ends and an alarm when renewing fails.
 */
import type { HealthCheck } from "../listeners/health-http.ts";
import type { Logger } from "../logging/logger.ts";
import type { CertifiedListener, Metrics } from "../metrics/metrics.ts";
import type { CertificateRequest } from "../enclave/certificates.ts";

export interface CertificatesOptions {
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Units: ms since 1970. */
  readonly now: () => number;
  /** How often it looks. Units: ms. */
  readonly everyMs: number;
}

/** Renewed at this part of its life, warned about while renewing fails at that one. */
const RENEW_AT = 2 / 3;
const WARN_AT = 3 / 4;

interface Certified {
  /** Takes a fresh key and asks `issue` for its certificate. */
  readonly renew: () => Promise<void>;
  /** 0 before the first. Units: ms since 1970. */
  issuedAt: number;
  notAfter: number;
  /** Why the last attempt failed; null after a good one. */
  failure: string | null;
  warned: boolean;
  renewing: Promise<void> | null;
}

/** What an operator is told of a listener's certificate. */
export interface CertificateStatus {
  readonly listener: CertifiedListener;
  /** Units: ms since 1970. */
  readonly notAfter: number;
  readonly failure: string | null;
}

export class Certificates {
  readonly #options: CertificatesOptions;
  readonly #all = new Map<CertifiedListener, Certified>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: CertificatesOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.look(), options.everyMs);
    this.#timer.unref();
  }

  /** A listener whose first certificate is still to be issued. The returned function forgets it, unless another one took its place. */
  track(listener: CertifiedListener, renew: () => Promise<void>): () => void {
    const certified: Certified = { renew, issuedAt: 0, notAfter: 0, failure: null, warned: false, renewing: null };
    this.#all.set(listener, certified);
    return () => {
      if (this.#all.get(listener) !== certified) return;
      this.#all.delete(listener);
      this.#options.metrics.certificate(listener, null);
    };
  }

  /** Issues a certificate for a listener's fresh key, and remembers how that went. Throws: what `issue` throws. */
  async issue(
    listener: CertifiedListener,
    request: CertificateRequest,
    issue: (request: CertificateRequest) => Promise<readonly Uint8Array[]>,
  ): Promise<readonly Uint8Array[]> {
    try {
      const chain = await issue(request);
      this.#issued(listener, request);
      return chain;
    } catch (error) {
      this.#failed(listener, error);
      throw error;
    }
  }

  /** Renews all at once, whatever their age: the keys behind them change. Rejects with the first failure, when all were tried. */
  async renewAll(): Promise<void> {
    const attempts = await Promise.allSettled([...this.#all].map(([listener]) => this.#renew(listener)));
    const failed = attempts.find((attempt) => attempt.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  /** Renews what is due, warns of what should have been renewed long ago. */
  look(): void {
    const now = this.#options.now();
    for (const [listener, certified] of this.#all) {
      const { issuedAt, notAfter, renewing } = certified;
      if (notAfter === 0) continue;
      const life = (now - issuedAt) / (notAfter - issuedAt);
      if (life >= WARN_AT && !certified.warned) {
        certified.warned = true;
        this.#options.logger.warn("A certificate is not renewed although it should be by now; it ends soon", {
          port: listener,
          reason: certified.failure ?? "",
          ms: Math.max(0, notAfter - now),
        });
      }
      if (life >= RENEW_AT && renewing === null) void this.#renew(listener).catch(() => {}); // counted and told by `issue`
    }
  }

  status(): readonly CertificateStatus[] {
    return [...this.#all].map(([listener, { notAfter, failure }]) => ({ listener, notAfter, failure }));
  }

  /** For probes: fails when a certificate has ended; renewing that fails before is told, but service goes on. */
  check(): HealthCheck {
    const now = this.#options.now();
    const of = (chosen: (certified: Certified) => boolean): string =>
      [...this.#all].flatMap(([listener, certified]) => (chosen(certified) ? [listener] : [])).join(", ");
    const ended = of(({ notAfter }) => notAfter > 0 && notAfter <= now);
    const failing = of(({ failure }) => failure !== null);
    const detail = ended !== "" ? `ended: ${ended}` : failing === "" ? undefined : `renewing fails: ${failing}`;
    return { name: "certificates", ok: ended === "", ...(detail === undefined ? {} : { detail }) };
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** One attempt at a time for each listener; whoever asks meanwhile gets one of its own afterwards, since keys may have changed. */
  #renew(listener: CertifiedListener): Promise<void> {
    const certified = this.#all.get(listener);
    if (certified === undefined) return Promise.resolve();
    const attempt = (certified.renewing ?? Promise.resolve()).catch(() => {}).then(() => certified.renew());
    certified.renewing = attempt;
    const done = (): void => {
      if (certified.renewing === attempt) certified.renewing = null;
    };
    attempt.then(done, done);
    return attempt;
  }

  #issued(listener: CertifiedListener, { notAfter }: CertificateRequest): void {
    const { metrics, logger } = this.#options;
    const certified = this.#all.get(listener);
    metrics.certificate(listener, notAfter);
    if (certified === undefined) return;
    if (certified.notAfter > 0) {
      metrics.count("certificate_renewals");
      logger.debug("A certificate was renewed", { port: listener });
    }
    Object.assign(certified, { issuedAt: this.#options.now(), notAfter, failure: null, warned: false });
    this.#alarm();
  }

  #failed(listener: CertifiedListener, error: unknown): void {
    const { metrics, logger } = this.#options;
    const reason = error instanceof Error ? error.message : String(error);
    const certified = this.#all.get(listener);
    metrics.count("certificate_renewal_failures");
    logger.error("A certificate could not be issued; it is tried again", { port: listener, reason });
    if (certified !== undefined) certified.failure = reason;
    this.#alarm();
  }

  #alarm(): void {
    const failing = [...this.#all.values()].filter(({ failure }) => failure !== null).length;
    this.#options.metrics.set("certificates_failing", failing);
  }
}
