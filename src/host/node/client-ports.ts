/** The ports for clients and newcomers, SERVICE and APPROACH: opened when the node serves, certified as its key and time go on. */
import { Server } from "@grpc/grpc-js";
import type { Aid, Digest } from "../../base/brands.ts";
import { present } from "../../base/errors.ts";
import { type PeerIdentity, verifyPeerCertificate } from "../../crypto/peer-certificate.ts";
import type { KeyState } from "../../keri/key-state.ts";
import { keyTrust } from "../cluster/key-trust.ts";
import type { CertificateRequest } from "../enclave/certificates.ts";
import type { Founding } from "../founding/document.ts";
import { type GrpcListener, type TlsIdentity, openGrpcListener } from "../listeners/grpc-listener.ts";
import type { ExternalCertificate } from "../issuers/external-certificate.ts";
import type { Logger } from "../logging/logger.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { type AuditPort, audit, auditService } from "../services/audit.ts";
import type { ServiceContext } from "../services/call.ts";
import { compatibleOracle, compatibleOracleService } from "../services/compatible-oracle.ts";
import { type CertificatePort, certificate, certificateService } from "../services/certificate.ts";
import { addHealth } from "../services/health.ts";
import { kerl, kerlService } from "../services/kerl.ts";
import type { KerlPort } from "../services/kerl-port.ts";
import type { CallerOf, OraclePort } from "../services/oracle-port.ts";
import { addReflection } from "../services/reflection.ts";
import { serverOptions } from "../services/server-options.ts";
import { skyOracle, skyOracleService } from "../services/sky-oracle.ts";
import { CallerCertificates } from "./caller-certificates.ts";
import type { Certificates } from "./certificates.ts";
import { freshIdentity, hostsOf } from "./listener-certificate.ts";
import { isOutOfForce } from "./retiring.ts";

export interface ClientPortsOptions {
  readonly founding: Founding;
  readonly aid: Aid;
  readonly bind: { readonly host: string; readonly service: number; readonly approach: number };
  readonly connectionsMax: number;
  readonly connectionMaxAgeMs: number;
  readonly certificates: Certificates;
  readonly certificateLifetimeMs: number;
  readonly issue: (request: CertificateRequest) => Promise<readonly Uint8Array[]>;
  readonly keyStateOf: (aid: Aid) => KeyState | undefined;
  readonly isRevoked: (aid: Aid, spkiHash: Digest) => boolean;
  readonly oracle: OraclePort;
  readonly listed: CertificatePort;
  readonly external: ExternalCertificate | undefined;
  readonly kerl: KerlPort;
  readonly audit: AuditPort;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export interface ClientPorts {
  /**
   * Ends connections whose certificate names a key that is in force no more, gracefully; with `mine` those too that were made under an
   * older certificate of this node.
   */
  readonly retire: (mine: boolean) => void;
  /** Ends connections whose certificate was revoked, almost at once. */
  readonly revoked: () => void;
  readonly close: (graceMs: number) => Promise<void>;
}

const SERVICES = [
  "com.hellblazer.delphi.v1.Oracle_",
  "sky.oracle.v1.OracleService",
  "sky.kerl.v1.KerlService",
  "sky.certificate.v1.CertificateService",
  "sky.audit.v1.AuditService",
];

/** What a call in flight has to end when a key behind its connection is in force no more. Units: ms. */
export const RETIRE_GRACE_MS = 5_000;
/** Whoever revoked the certificate that it calls by gets its answer; a thief has no more time than that. Units: ms. */
export const REVOKED_GRACE_MS = 200;

/** Opens both, or none. Throws: Fault LISTEN_FAILED, and what the enclave refused. */
export async function openClientPorts(options: ClientPortsOptions): Promise<ClientPorts> {
  const ports = new Ports(options);
  try {
    await ports.open();
  } catch (error) {
    await ports.close(0);
    throw error;
  }
  return ports;
}

class Ports implements ClientPorts {
  readonly #options: ClientPortsOptions;
  readonly #issuers: ReadonlyMap<Aid, Uint8Array>;
  readonly #callers: CallerCertificates;
  readonly #listeners: GrpcListener<PeerIdentity>[] = [];
  readonly #forget: (() => void)[] = [];

  constructor(options: ClientPortsOptions) {
    this.#options = options;
    const { logger, metrics, connectionMaxAgeMs } = options;
    this.#callers = new CallerCertificates({ logger, metrics, connectionMaxAgeMs, now: () => Date.now() });
    this.#forget.push(() => this.#callers.close());
    this.#issuers = new Map(options.founding.document.founders.map((founder) => [founder.aid, founder.issuer]));
  }

  async open(): Promise<void> {
    await this.#openService();
    await this.#openApproach();
  }

  retire(mine: boolean): void {
    const { keyStateOf, metrics } = this.#options;
    for (const listener of this.#listeners) {
      const retired = listener.retireWhere(
        (caller, isNew) => (mine && !isNew) || isOutOfForce(caller, keyStateOf),
        RETIRE_GRACE_MS,
      );
      metrics.count("connections_retired", retired);
    }
  }

  revoked(): void {
    const { isRevoked, metrics } = this.#options;
    for (const listener of this.#listeners)
      metrics.count(
        "connections_retired",
        listener.retireWhere(({ aid, spkiHash }) => isRevoked(aid, spkiHash), REVOKED_GRACE_MS),
      );
  }

  async close(graceMs: number): Promise<void> {
    for (const forget of this.#forget) forget();
    await Promise.all(this.#listeners.map((listener) => listener.close(graceMs)));
  }

  async #openService(): Promise<void> {
    const { oracle, kerl: port, metrics, logger } = this.#options;
    const server = this.#server();
    let callerOf: CallerOf = () => ({
      ok: false,
      refusal: { code: "UNAVAILABLE", message: "The port is opening; try again.", blame: "none" },
    });
    const context: ServiceContext = {
      port: oracle,
      callerOf: (call) => callerOf(call),
      onDefect: (error: unknown) => {
        metrics.count("defects");
        logger.error("A call met a defect", { error });
      },
    };
    server.addService(compatibleOracleService, compatibleOracle(context));
    server.addService(skyOracleService, skyOracle(context));
    server.addService(kerlService, kerl({ ...context, kerl: port }));
    server.addService(auditService, audit({ ...context, audit: this.#options.audit }));
    server.addService(certificateService, certificate({ ...context, certificates: this.#options.listed }));
    const health = await addHealth(server, SERVICES);
    addReflection(server, [...SERVICES, "grpc.health.v1.Health"]);
    const listener = await this.#listen("service", server);
    callerOf = listener.callerOf;
    const forget = this.#options.external?.serve(listener.certifyNames);
    if (forget !== undefined) this.#forget.push(forget);
    for (const name of ["", ...SERVICES]) health.setServing(name, true);
  }

  async #openApproach(): Promise<void> {
    const server = this.#server();
    const admission = await addHealth(server, []);
    await this.#listen("approach", server);
    admission.setServing("", true);
  }

  #server(): Server {
    return new Server(serverOptions(this.#options.connectionMaxAgeMs));
  }

  async #listen(name: "service" | "approach", server: Server): Promise<GrpcListener<PeerIdentity>> {
    const { founding, aid, bind, certificates, certificateLifetimeMs, issue, keyStateOf } = this.#options;
    const { endpoints } = present(
      founding.document.founders.find((founder) => founder.aid === aid),
      "the node is a founder",
    );
    const identity = () =>
      freshIdentity(hostsOf([endpoints[name]]), certificateLifetimeMs, (request) =>
        certificates.issue(name, request, issue),
      );
    let renew = (_tls: TlsIdentity): void => {};
    this.#forget.push(certificates.track(name, async () => renew(await identity())));
    const listener = await openGrpcListener({
      host: bind.host,
      port: bind[name],
      tls: await identity(),
      authenticate: (certificate) => {
        const judged = verifyPeerCertificate(certificate, {
          cluster: founding.cluster,
          now: Date.now(),
          ...keyTrust(keyStateOf),
          isRevoked: this.#options.isRevoked,
          issuerOf: (who) => this.#issuers.get(who),
        });
        if (judged.ok) this.#callers.seen(judged.value);
        return judged;
      },
      server,
      onRefused: (reason) => this.#options.metrics.refused(name, reason),
      limits: { connectionsMax: this.#options.connectionsMax },
    });
    renew = listener.renew;
    this.#listeners.push(listener);
    return listener;
  }
}
