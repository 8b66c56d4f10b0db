/**
 * A second certificate of the SERVICE port, by an issuer that strangers' programs trust, shown to whoever asks for one of its names (TLS
 * server name). Sky's own programs ask for other names and see the node's own chain, so nothing of the cluster rests on it: while it
 * cannot be had, service goes on without it.
 */
import { generateKeyPairSync } from "node:crypto";
import { Fault } from "../../base/errors.ts";
import { certificateRequest } from "../../crypto/certificate-request.ts";
import { earliestEnd } from "../../crypto/requested-certificate.ts";
import { privateKeyPem } from "../../crypto/x509.ts";
import type { TlsIdentity } from "../listeners/grpc-listener.ts";
import type { Logger } from "../logging/logger.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { chainPem } from "../node/listener-certificate.ts";
import type { Issuer } from "./issuer.ts";
import type { IssuerWatch } from "./issuer-watch.ts";

export interface ExternalCertificateOptions {
  readonly issuer: Issuer;
  /** DNS names. */
  readonly names: readonly string[];
  readonly ttlMs: number;
  readonly watch: Pick<IssuerWatch, "watch">;
  /** Units: ms since 1970. */
  readonly now: () => number;
  readonly logger: Pick<Logger, "info" | "warn" | "error">;
  readonly metrics: Pick<Metrics, "certificate" | "count">;
  /** How often it looks. Units: ms; a minute unless given. */
  readonly lookMs?: number;
}

/** Shows a certificate for these names from now on. */
export type Show = (names: readonly string[], tls: TlsIdentity) => void;

const LOOK_MS = 60_000;
/** Renewed at this part of its life. */
const RENEW_AT = 2 / 3;

export class ExternalCertificate {
  readonly #options: ExternalCertificateOptions;
  readonly #timer: NodeJS.Timeout;
  #tls: TlsIdentity | undefined;
  #issuedAt = 0;
  #notAfter = 0;
  #working: Promise<void> | undefined;
  #failing = false;
  #show: Show | undefined;

  constructor(options: ExternalCertificateOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.look(), options.lookMs ?? LOOK_MS);
    this.#timer.unref();
    void this.look();
  }

  /** The listener that shows it; the returned function says that it is gone. */
  serve(show: Show): () => void {
    this.#show = show;
    if (this.#tls !== undefined) show(this.#options.names, this.#tls);
    return () => {
      if (this.#show === show) this.#show = undefined;
    };
  }

  /** Has it issued or renewed when that is due. Never rejects. */
  look(): Promise<void> {
    const due = this.#issuedAt + (this.#notAfter - this.#issuedAt) * RENEW_AT;
    if (this.#options.now() < due) return Promise.resolve();
    this.#working ??= this.#renew().finally(() => {
      this.#working = undefined;
    });
    return this.#working;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#options.issuer.close();
  }

  async #renew(): Promise<void> {
    const { issuer, names, ttlMs, watch, now, logger, metrics } = this.#options;
    try {
      const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const csr = certificateRequest({ keys, subject: names[0] ?? "", sans: names.map((name) => `DNS:${name}`) });
      const signed = await issuer.sign(csr, { kind: "external", hosts: names }, ttlMs);
      if (!signed.ok) return this.#failed(signed.refusal.code, signed.refusal.message);
      this.#tls = { key: privateKeyPem(keys.privateKey), cert: chainPem(signed.value) };
      this.#issuedAt = now();
      this.#notAfter = earliestEnd(signed.value.slice(0, 1));
      this.#show?.(names, this.#tls);
      metrics.certificate("external", this.#notAfter);
      if (this.#failing) logger.info("The external issuer's certificate is there again");
      this.#failing = false;
      const { expiresAt } = await issuer.health();
      if (expiresAt !== null) watch.watch("external", expiresAt);
    } catch (error) {
      this.#failed(
        error instanceof Fault ? error.code : "ISSUER_FAILED",
        error instanceof Error ? error.message : String(error),
      );
    }
  }

  #failed(code: string, reason: string): void {
    const { logger, metrics, now } = this.#options;
    this.#failing = true;
    metrics.count("certificate_renewal_failures");
    const isOver = this.#notAfter <= now();
    if (isOver) logger.error("There is no certificate of the external issuer; it is tried again", { code, reason });
    else logger.warn("The external issuer's certificate cannot be renewed; it is tried again", { code, reason });
  }
}
