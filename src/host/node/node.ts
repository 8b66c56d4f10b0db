/** A node's life: sealed, unsealed by its operators, serving, sealed again or stopped. */
import { join } from "node:path";
import { X509Certificate } from "node:crypto";
import { Server } from "@grpc/grpc-js";
import type { Aid } from "../../base/brands.ts";
import { Fault } from "../../base/errors.ts";
import { refuse } from "../../base/result.ts";
import type { KeyState } from "../../keri/key-state.ts";
import { type PeerIdentity, verifyPeerCertificate } from "../../crypto/peer-certificate.ts";
import { FOUNDING_BYTES_MAX, type FounderCard } from "../../events/facts/founding.ts";
import { quorumOf } from "../../machines/consensus/committee.ts";
import type { Divergence } from "../../machines/consensus/types.ts";
import { RevokedKeys } from "../cluster/revoked-keys.ts";
import type { RevokedKey } from "../../projections/certificates/live-certificates.ts";
import { bindAddress } from "../config/bind-address.ts";
import type { NodeConfig } from "../config/schema.ts";
import { timingsOf } from "../config/timings.ts";
import { beginJournal } from "../consensus/journal-id.ts";
import { type EnclaveHost, startEnclave } from "../enclave/enclave-host.ts";
import { demand, nodeFiles, readBootFile } from "../enclave/node-files.ts";
import type { EnclavePort } from "../enclave/worker-protocol.ts";
import { type Founding, openFounding } from "../founding/document.ts";
import { readPublic } from "../founding/files.ts";
import { enclaveFounding } from "../founding/founder.ts";
import { type GrpcListener, openGrpcListener } from "../listeners/grpc-listener.ts";
import { type HealthListener, type HealthState, listenHealth } from "../listeners/health-http.ts";
import type { Logger } from "../logging/logger.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { ceremony, ceremonyService } from "../services/ceremony.ts";
import { addHealth } from "../services/health.ts";
import type { CallerOf } from "../services/oracle-port.ts";
import { addReflection } from "../services/reflection.ts";
import type { OperatorCalls } from "../services/ceremony-context.ts";
import { type InspectLink, inspect, inspectService } from "../services/inspect.ts";
import { type MemberContext, member, memberService } from "../services/member.ts";
import { type ProjectionContext, projection, projectionService } from "../services/projection.ts";
import { serverOptions } from "../services/server-options.ts";
import { sphinx, sphinxService } from "../services/sphinx.ts";
import { configuredIssuer, issuerNames } from "../issuers/configured.ts";
import { ExternalCertificate } from "../issuers/external-certificate.ts";
import { IssuerWatch } from "../issuers/issuer-watch.ts";
import { Certificates } from "./certificates.ts";
import { REVOKED_GRACE_MS, RETIRE_GRACE_MS } from "./client-ports.ts";
import { isOutOfForce } from "./retiring.ts";
import { faultAcross } from "./disk-fault.ts";
import { freshIdentity, hostsOf } from "./listener-certificate.ts";
import { InspectorRoom } from "./inspector-room.ts";
import { LogHealth } from "./log-health.ts";
import { type Serving, startServing } from "./serving.ts";
import { ownCard } from "./own-card.ts";
import { reclaimOnce } from "./reclaim.ts";
import { ShownKeys } from "./shown-keys.ts";
import { storedKeyStates } from "./stored-key-states.ts";
import { storedRevokedKeys } from "./stored-revoked-keys.ts";

export interface NodeOptions {
  readonly config: NodeConfig;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** `sky dev` only: opens a dev cluster's directory, on loopback. `sky node` refuses one. */
  readonly dev: boolean;
  /** Opens a founder's keystore before `initialise`; erased after use. */
  readonly passphrase?: Uint8Array;
  /** Told when clients can be served. */
  readonly onServing?: () => void;
  /** Told why the node will not serve soon by itself: its log is damaged, and no peer heals it. */
  readonly onLogTrouble?: (trouble: string) => void;
  /** The process should end with this code. */
  readonly onEnd: (exitCode: number, reason?: string) => void;
}

export interface RunningNode {
  readonly aid: Aid;
  /** A fresh one-time link to its inspector, for whoever started it: `sky dev`. */
  readonly inspectLink: () => InspectLink;
  readonly stop: () => Promise<void>;
}

const LOOPBACK = "127.0.0.1";
const CLOSE_GRACE_MS = 500;
const API_SERVICES = [
  "com.hellblazer.nut.internal.v1.Sphinx",
  "sky.ceremony.v1.CeremonyService",
  "sky.member.v1.MemberService",
  "sky.inspect.v1.InspectService",
  "sky.projection.v1.ProjectionService",
];
/** How often certificates are looked at, at most. Units: ms. */
const CERTIFICATES_LOOK_MS = 60_000;

/** Starts a node: sealed, with its API and health ports open. Throws: Fault that says what to do. */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const node = new Node(options);
  try {
    await node.start();
  } catch (error) {
    await node.stop();
    throw error;
  }
  return node;
}

class Node implements RunningNode {
  readonly aid: Aid;
  readonly #options: NodeOptions;
  readonly #founding: Founding;
  readonly #foundingFile: Uint8Array;
  readonly #card: FounderCard;
  readonly #host: string;
  #enclave: EnclaveHost | undefined;
  #health: HealthListener | undefined;
  #api: GrpcListener<PeerIdentity> | undefined;
  readonly #certificates: Certificates;
  readonly #issuerWatch: IssuerWatch;
  #external: ExternalCertificate | undefined;
  /** As the log last said: what a sealed node goes by. */
  readonly #keyStates: Map<Aid, KeyState>;
  readonly #shownKeys = new ShownKeys((aid) => this.#keyStates.get(aid));
  readonly #revoked = new RevokedKeys();
  #serving: Serving | undefined;
  #starting: Promise<void> | undefined;
  /** Ends a start that waits for peers. */
  #giveUp = new AbortController();
  /** Between unsealing and sealing: service that stopped for a damaged log starts again. */
  #mayServe = false;
  readonly #log: LogHealth;
  readonly #inspector: InspectorRoom;
  #started = false;
  #stopping = false;

  constructor(options: NodeOptions) {
    const { config, dev } = options;
    this.#options = options;
    this.#log = new LogHealth(options.logger, options.metrics, options.onLogTrouble ?? (() => {}));
    this.#host = dev ? LOOPBACK : bindAddress(config.bindInterface);
    const path = config.genesis ?? nodeFiles(config.dataDir).founding;
    this.#foundingFile = demand(readPublic(path, 2 * FOUNDING_BYTES_MAX));
    this.#founding = demand(openFounding(this.#foundingFile));
    const projection = join(config.dataDir, "projection.db");
    this.#keyStates = storedKeyStates(this.#founding, projection);
    this.#revoked.add(storedRevokedKeys(projection), Date.now());
    const { certificateLifetimeSeconds } = config;
    this.#issuerWatch = new IssuerWatch({ logger: options.logger, metrics: options.metrics, now: () => Date.now() });
    this.#certificates = new Certificates({
      logger: options.logger,
      metrics: options.metrics,
      now: () => Date.now(),
      everyMs: Math.min(CERTIFICATES_LOOK_MS, (certificateLifetimeSeconds * 1_000) / 20),
    });
    this.aid = demand(readBootFile(config.dataDir)).aid;
    this.#card = ownCard(this.#founding, this.aid, { path, dataDir: config.dataDir, dev });
    this.#inspector = new InspectorRoom({
      ...options,
      founding: this.#founding,
      self: this.aid,
      healthHost: this.#healthHost(),
      keyStateOf: (aid) => this.#keyStates.get(aid),
      serving: () => this.#serving,
    });
  }

  #openExternal(): ExternalCertificate | undefined {
    const { config, logger, metrics } = this.#options;
    const now = (): number => Date.now();
    const issuer = configuredIssuer(config, now);
    if (issuer === undefined) return undefined;
    const endpoints = this.#founding.document.founders.flatMap((founder) => Object.values(founder.endpoints));
    const names = issuerNames(config, hostsOf(endpoints));
    const ttlMs = config.issuerTtlSeconds * 1_000;
    return new ExternalCertificate({ issuer, names, ttlMs, watch: this.#issuerWatch, now, logger, metrics });
  }

  #healthHost(): string {
    return this.#options.dev ? LOOPBACK : bindAddress(this.#options.config.healthInterface);
  }

  #watchIssuers(): void {
    const endOf = ({ issuer }: FounderCard): number => new X509Certificate(issuer).validToDate.getTime();
    this.#issuerWatch.watch("own", endOf(this.#card));
    this.#issuerWatch.watch("anchors", Math.min(...this.#founding.document.founders.map(endOf)));
  }

  async start(): Promise<void> {
    this.#watchIssuers();
    this.#external = this.#openExternal();
    const { config, logger, metrics, passphrase } = this.#options;
    this.#health = await listenHealth({
      host: this.#healthHost(),
      port: config.healthPort,
      state: this.#healthState(),
      metrics,
      inspect: this.#inspector.onHealth,
      onRefused: (code) => metrics.refused("health", code),
    });
    this.#inspector.listening(this.#health.port);
    metrics.set("sealed", 1);
    metrics.set("epoch", 0); // the founders' committee; others follow with reconfiguration
    const founding = enclaveFounding(this.#founding, this.aid);
    if (founding === undefined) throw new Fault("NOT_A_FOUNDER", "The founding document does not name this node.");
    const enclave = await startEnclave({
      directory: config.dataDir,
      founding,
      stopServing: () => {
        this.#mayServe = false;
        return this.#stopServing();
      },
      ...(this.#inspector.entries && { onCeremony: this.#inspector.entries.ceremonyMoved }),
      onSealed: (exit) => {
        logger.info("The node is sealed");
        if (exit) this.#options.onEnd(0);
      },
      onDeath: (error) => {
        const code = error instanceof Fault && error.code !== "ENCLAVE_FAILED" ? error.code : "ENCLAVE_DIED";
        this.#fatal(code, error.message);
      },
    });
    this.#enclave = enclave;
    if (passphrase !== undefined) {
      demand(await enclave.openWithPassphrase(passphrase));
      passphrase.fill(0);
    }
    this.#api = await this.#openApi(enclave);
    this.#started = true;
    const { dev } = this.#founding.document;
    logger.info(dev ? "DEVELOPMENT cluster: throw-away keys, loopback only" : "Node started, sealed", {
      aid: this.aid,
      cluster: this.#founding.cluster,
      node: this.#card.name,
      dev,
      port: String(this.#api.port),
    });
  }

  readonly inspectLink = (): InspectLink => this.#inspector.devLink();

  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#mayServe = false;
    this.#inspector.close();
    await this.#stopServing();
    await this.#api?.close(CLOSE_GRACE_MS);
    await this.#enclave?.stop();
    await this.#health?.close();
    this.#certificates.stop();
    this.#issuerWatch.stop();
    this.#external?.stop();
  }

  #fatal(code: string, reason: string): void {
    if (this.#stopping) return;
    this.#options.logger.error("Service stops", { code, reason });
    void this.stop().finally(() => this.#options.onEnd(1, `${reason} (${code})`));
  }

  /** After unsealing, once; a failure stops the node with its reason. */
  #serve(enclave: EnclaveHost): void {
    this.#mayServe = !this.#stopping;
    if (this.#starting !== undefined || this.#stopping || this.#log.isDiverged) return;
    const { config, logger, metrics } = this.#options;
    const giveUp = new AbortController();
    this.#giveUp = giveUp;
    const began = performance.now();
    const starting = startServing({
      directory: config.dataDir,
      founding: this.#founding,
      foundingFile: this.#foundingFile,
      aid: this.aid,
      enclave,
      timings: timingsOf(config),
      checkpointEvery: config.checkpointBlocks,
      bind: {
        host: this.#host,
        cluster: config.clusterPort,
        service: config.servicePort,
        approach: config.approachPort,
        identity: {
          host: this.#options.dev ? LOOPBACK : bindAddress(config.identityInterface),
          port: config.identityPort,
        },
      },
      identityUrl: config.identityUrl,
      connectionsMax: config.connectionsMax,
      connectionMaxAgeMs: config.connectionMaxAgeSeconds * 1_000,
      certificateLifetimeMs: config.certificateLifetimeSeconds * 1_000,
      rotateKeysEveryMs: config.rotateKeysEverySeconds * 1_000,
      certificates: this.#certificates,
      external: this.#external,
      keyStateOf: (aid) => this.#keyStates.get(aid),
      revokedKeys: () => this.#revoked.all(),
      entries: this.#inspector.entries,
      onKeyStates: (keyStates) => this.#keyStatesChanged(keyStates),
      onRevokedKeys: (keys) => this.#keysRevoked(keys),
      logger,
      metrics,
      signal: giveUp.signal,
      onLogReport: (report) => this.#log.report(report),
      onLogNotes: (notes) => this.#log.note(notes),
      onDamaged: (height, reason) => this.#damaged(enclave, height, reason),
      onDiverged: (divergence) => this.#diverged(divergence),
      onAdopted: () => this.#serveAnew(enclave),
      onFatal: (code, reason) => this.#fatal(code, reason),
    });
    this.#starting = starting.then(
      (serving) => {
        this.#serving = serving;
        metrics.set("sealed", 0);
        this.#options.onServing?.();
        reclaimOnce();
        logger.info("Unsealed and serving", { height: serving.height(), ms: Math.round(performance.now() - began) });
      },
      (error: unknown) => {
        if (giveUp.signal.aborted) return; // stopped, sealed or begun anew meanwhile
        const fault = error instanceof Error ? faultAcross(error) : undefined;
        const reason = error instanceof Error ? error.message : String(error);
        this.#fatal(fault?.code ?? "SERVING_FAILED", fault?.message ?? reason);
      },
    );
  }

  /** Service stops; its next start heals the log, with the keys that are still unsealed. */
  #damaged(enclave: EnclaveHost, height: number | null, reason: string): void {
    if (!this.#log.damaged(height, reason, Date.now()))
      return this.#fatal("LOG_DAMAGED", `${reason}; it was healed within the hour: replace the disk`);
    this.#serveAnew(enclave);
  }

  /** The process stays, to say so: who restarts nodes that end would only hide it. */
  #diverged(divergence: Divergence): void {
    this.#log.diverged(divergence);
    void this.#stopServing();
  }

  /** Of those whom the founding document names; others may not come to the API port. */
  #keyStatesChanged(keyStates: readonly KeyState[]): void {
    for (const keyState of keyStates)
      if (this.#keyStates.has(keyState.aid)) this.#keyStates.set(keyState.aid, keyState);
    this.#retireOlder();
  }

  /** Ends connections to the API port whose keys went out of force. */
  #retireOlder(): void {
    const retired = this.#api?.retireWhere((caller) => isOutOfForce(caller, this.#shownKeys.newest), RETIRE_GRACE_MS);
    this.#options.metrics.count("connections_retired", retired ?? 0);
  }

  #keysRevoked(keys: readonly RevokedKey[]): void {
    this.#revoked.add(keys, Date.now());
    const retired = this.#api?.retireWhere(
      ({ aid, spkiHash }) => this.#revoked.isRevoked(aid, spkiHash),
      REVOKED_GRACE_MS,
    );
    this.#options.metrics.count("connections_retired", retired ?? 0);
  }

  /** From the disk, with the keys that are still unsealed. */
  #serveAnew(enclave: EnclaveHost): void {
    void this.#stopServing().then(() => {
      if (this.#mayServe) this.#serve(enclave);
    });
  }

  async #stopServing(): Promise<void> {
    this.#giveUp.abort();
    await this.#starting;
    this.#starting = undefined;
    await this.#serving?.stop();
    this.#serving = undefined;
    this.#options.metrics.set("sealed", 1);
  }

  /** The ceremony as operators reach it: whichever call unseals the node starts its service. */
  #observed(enclave: EnclaveHost): EnclavePort {
    const watch = async <T extends { readonly status: { readonly state: string } }>(answer: Promise<T>): Promise<T> => {
      const settled = await answer;
      if (settled.status.state === "unsealed") this.#serve(enclave);
      return settled;
    };
    return {
      ...enclave,
      initialise: (caller) => watch(this.#initialised(enclave.initialise(caller))),
      unwrap: (caller, id) => watch(enclave.unwrap(caller, id)),
    };
  }

  /** What made this node what it is also says that it has not voted yet; after a crash in between its journal counts as lost. */
  async #initialised<T extends { readonly ok: boolean }>(answer: Promise<T>): Promise<T> {
    const given = await answer;
    if (given.ok) beginJournal(this.#options.config.dataDir);
    return given;
  }

  async #openApi(enclave: EnclaveHost): Promise<GrpcListener<PeerIdentity>> {
    const { config, logger, metrics } = this.#options;
    const { document, cluster } = this.#founding;
    const identity = () =>
      freshIdentity(hostsOf([this.#card.endpoints.api]), config.certificateLifetimeSeconds * 1_000, (request) =>
        this.#certificates.issue("api", request, (asked) => enclave.bootCertificate(asked)),
      );
    this.#certificates.track("api", async () => this.#api?.renew(await identity()));
    const tls = await identity();
    const server = new Server(serverOptions(config.connectionMaxAgeSeconds * 1_000));
    let callerOf: CallerOf = () => ({
      ok: false,
      refusal: { code: "UNAVAILABLE", message: "The port is opening; try again.", blame: "none" },
    });
    const context = {
      enclave: this.#observed(enclave),
      operatorKey: this.#shownKeys.operatorKey,
      callerOf: ((call) => callerOf(call)) as CallerOf,
      membership: () => ({
        unsealedMembers: this.#serving === undefined ? 1 : this.#serving.connected() + 1,
        quorum: quorumOf(document.founders.length),
      }),
      height: () => this.#serving?.height() ?? 0,
      logNotes: () => this.#log.notes(),
      onDefect: (error: unknown) => {
        metrics.count("defects");
        logger.error("A ceremony call met a defect", { error });
      },
    };
    server.addService(ceremonyService, ceremony(context));
    server.addService(sphinxService, sphinx(context));
    server.addService(memberService, member(this.#memberContext(context)));
    server.addService(projectionService, projection(this.#projectionContext(context)));
    server.addService(inspectService, inspect(context, this.#inspector.link));
    const health = await addHealth(server, API_SERVICES);
    addReflection(server, [...API_SERVICES, "grpc.health.v1.Health"]);
    const admitted = new Set<Aid>([...document.operators, ...document.admins].map(({ aid }) => aid));
    const listener = await openGrpcListener({
      host: this.#host,
      port: config.apiPort,
      tls,
      authenticate: (certificate) => {
        const judged = this.#shownKeys.judge(
          (trust) =>
            verifyPeerCertificate(certificate, {
              cluster,
              now: Date.now(),
              ...trust,
              isRevoked: this.#revoked.isRevoked,
            }),
          () => this.#retireOlder(),
        );
        if (!judged.ok || admitted.has(judged.value.aid)) return judged;
        return refuse("NOT_OPERATOR", "Only operators and administrators may connect to this port.");
      },
      server,
      http: (of) => this.#inspector.onApi(of),
      onRefused: (reason) => metrics.refused("api", reason),
      limits: { connectionsMax: config.connectionsMax },
    });
    callerOf = listener.callerOf;
    for (const name of ["", ...API_SERVICES]) health.setServing(name, true);
    return listener;
  }

  #projectionContext(calls: OperatorCalls): ProjectionContext {
    return {
      ...calls,
      rebuild: () => this.#serving?.rebuild(),
      onAsked: (what, operator) =>
        this.#options.logger.info("An operator asks for another projection", { kind: what, operator }),
    };
  }

  #memberContext(calls: OperatorCalls): MemberContext {
    return {
      ...calls,
      aid: this.aid,
      keys: () => this.#serving?.keys(),
      certificates: () => this.#certificates.status(),
      rotate: (caller) => {
        this.#options.logger.info("An operator rotates the node's key", { operator: caller });
        return (
          this.#serving?.rotateKeys() ??
          Promise.resolve(refuse("SEALED", "The node was sealed; unseal it, then ask again.", "none"))
        );
      },
    };
  }

  #healthState(): HealthState {
    return {
      live: () => [{ name: "process", ok: !this.#stopping }],
      started: () => [{ name: "listening", ok: this.#started }],
      ready: () => [
        { name: "unsealed", ok: this.#serving !== undefined },
        this.#log.check(),
        this.#certificates.check(),
        {
          name: "quorum",
          ok:
            this.#serving !== undefined &&
            this.#serving.connected() + 1 >= quorumOf(this.#founding.document.founders.length),
        },
      ],
    };
  }
}
