/** Everything that runs between a node's unsealing and its sealing: projector, executor, consensus, and the ports for clients. */
import { randomBytes } from "node:crypto";
import type { Aid, Digest, Height } from "../../base/brands.ts";
import { height as heightOf, memberIndex } from "../../base/brands.ts";
import { Fault, present } from "../../base/errors.ts";
import type { Result } from "../../base/result.ts";
import type { NodeKeyStatus } from "../../actors/enclave/ports.ts";
import type { Position } from "../../actors/consensus/ports.ts";
import type { KeyStateRef } from "../../events/facts/command.ts";
import type { KeyState } from "../../keri/key-state.ts";
import type { ExecutedBlock, Ledger } from "../../projections/ledger/ledger.ts";
import type { WrittenCheckpoint } from "../checkpoints/checkpoint-writer.ts";
import { faultAcross } from "./disk-fault.ts";
import { type ConsensusHost, startConsensus } from "../consensus/consensus-host.ts";
import { logPath } from "../consensus/set-aside.ts";
import type { EnclaveHost } from "../enclave/enclave-host.ts";
import { demand } from "../enclave/node-files.ts";
import { type SignerClient, signerClient } from "../enclave/signer-client.ts";
import { CheckAhead } from "../executor/check-ahead.ts";
import { NotaryHost } from "../proofs/notary-host.ts";
import { Executor } from "../executor/executor.ts";
import { SignedPool } from "../executor/signed-pool.ts";
import { Submission } from "../executor/submission.ts";
import type { Rebuild } from "../projector/rebuild.ts";
import { outcomeOf } from "../inspector/block-rows.ts";
import type { StateQuestion } from "../inspector/state-questions.ts";
import { HeightWaiters } from "../executor/waiting.ts";
import type { MovableDatabase } from "../projector/movable-database.ts";
import type { ProjectorHost } from "../projector/projector-host.ts";
import type { CertificateRequest } from "../enclave/certificates.ts";
import { hasRole } from "../../projections/ledger/policy.ts";
import { auditPort } from "./audit.ts";
import { CertificateRoom } from "./certificate-room.ts";
import { type ClientPorts, openClientPorts } from "./client-ports.ts";
import { IdentityRoom } from "./identity-room.ts";
import { KeyLife } from "./key-life.ts";
import { openLiveLedger } from "./live-ledger.ts";
import { certificateRequest, chainPem, hostsOf } from "./listener-certificate.ts";
import { oraclePort } from "./oracle.ts";
import { ProjectionRoom } from "./projection-room.ts";
import type { Serving, ServingOptions } from "./serving-options.ts";
import { Supervision } from "./supervision.ts";

export type { Serving, ServingOptions } from "./serving-options.ts";

/** Roots of executed heights that consensus may still be asked for. */
const ROOTS_REPORTED = 64;
const CLOSE_GRACE_MS = 500;

/** Starts everything in order; what was started is stopped again when a later step fails. */
export async function startServing(options: ServingOptions): Promise<Serving> {
  const parts = new Parts(options);
  try {
    await parts.start();
  } catch (error) {
    await parts.stop();
    throw error;
  }
  return parts;
}

class Parts implements Serving {
  readonly #options: ServingOptions;
  readonly #pool: SignedPool;
  readonly #ahead = new CheckAhead();
  readonly #heights = new HeightWaiters();
  #ledger: Ledger | undefined;
  #executor: Executor | undefined;
  #consensus: ConsensusHost | undefined;
  #submission: Submission | undefined;
  #signer: SignerClient | undefined;
  #clientPorts: ClientPorts | undefined;
  #keyLife: KeyLife | undefined;
  #forgetCertificate = (): void => {};
  #position: Position | undefined;
  #connected = 0;
  #overdue = 0;
  /** What the key event rules ask of the past. */
  #past: MovableDatabase | undefined;
  #identity: IdentityRoom | undefined;
  /** Proofs, and the log as a stream; its worker runs only while somebody asks. */
  readonly #notary: NotaryHost;
  /** The newest checkpoint on this disk. */
  #written: WrittenCheckpoint | undefined;
  #stopping = false;
  /** Roots executed last: a restarted consensus worker may not have written them. */
  readonly #recent: { readonly height: Height; readonly root: Digest }[] = [];
  readonly #supervision: Supervision;
  readonly #room: CertificateRoom;
  readonly #projection: ProjectionRoom;

  constructor(options: ServingOptions) {
    this.#options = options;
    this.#supervision = new Supervision(options);
    this.#pool = new SignedPool(options.founding.cluster);
    this.#projection = this.#projectionRoom();
    this.#notary = new NotaryHost({
      log: logPath(options.directory),
      founding: options.foundingFile,
      onDeath: (error) =>
        options.logger.error("The worker that makes proofs died; the next question starts it", { error }),
    });
    this.#room = new CertificateRoom(options, {
      ledger: () => present(this.#ledger, "opened before the identity port"),
      submit: (kind, payload, deadlineMs) =>
        present(this.#submission, "opened before").submitOwn(kind, payload, deadlineMs),
      consensus: () => this.#consensus,
      clientPorts: () => this.#clientPorts,
    });
  }

  position = (): Position | undefined => this.#position;
  connected = (): number => this.#connected;
  height = (): number => Math.max(0, this.#ledger?.height ?? 0);
  projected = (): number => this.#projection.projected();
  rebuild = (): Rebuild => this.#projection.rebuild;
  keyState = (aid: Aid): KeyState | undefined => this.#ledger?.keyState(aid) ?? this.#options.keyStateOf(aid);
  keys = (): NodeKeyStatus => present(this.#keyLife, "opened at the start").status;
  rotateKeys = (): Promise<Result<KeyStateRef>> => present(this.#keyLife, "opened at the start").rotate();

  async start(): Promise<void> {
    const { enclave, certificates } = this.#options;
    this.#forgetCertificate = certificates.track("cluster", async () => this.#consensus?.renewCertificate());
    const [consensusSigner, gatewaySigner] = await Promise.all([enclave.signerPort(), enclave.signerPort()]);
    this.#signer = signerClient(gatewaySigner);
    // The log is checked while the projection is: neither needs the other before the executor starts.
    const [consensus, projector] = await this.#startWorkers(consensusSigner);
    const { height: head, begins } = consensus.head;
    const isElsewhere = projector.opened.height > head || projector.opened.height < (begins ?? -1);
    const projection = isElsewhere ? await this.#projection.startOver() : projector;
    if (begins !== null) projection.keepCheckpoint(begins);
    const ledger = this.#openLedger(projection);
    this.#keyLife = await this.#openKeyLife(ledger);
    this.#submission = this.#openSubmission(ledger);
    this.#identity = this.#openIdentity(ledger, this.#keyLife, this.#submission);
    this.#executor = new Executor({
      ledger,
      project: (block) => this.#projection.current?.project(block),
      backlogBytes: () => this.#projection.current?.backlogBytes() ?? 0,
      onExecuted: (block, ms) => this.#executed(block, ms),
      onFailure: (error) => this.#fatal("EXECUTION_FAILED", error),
    });
    if (this.#written !== undefined) consensus.checkpointWritten(this.#written);
    consensus.startDelivery(heightOf(ledger.height + 1));
    if (consensus.head.height > ledger.height && !(await this.#reached(consensus.head.height)))
      throw new Fault("STOPPED", "The node stops before it has executed its log.");
    const { operators, admins } = this.#options.founding.document;
    const named = [...this.#members(), ...[...operators, ...admins].map(({ aid }) => aid)];
    this.#keyStatesChanged(named.flatMap((aid) => ledger.keyState(aid) ?? []));
    this.#room.revoked(ledger.certificates.revokedKeys());
    await this.#keyLife.resume();
    this.#clientPorts = await this.#openClientPorts(ledger, this.#identity);
    await this.#identity.open();
    this.#room.open();
  }

  #reached(height: Height): Promise<boolean> {
    const { signal } = this.#options;
    if (signal.aborted) return Promise.resolve(false);
    signal.addEventListener("abort", () => this.#heights.stop(), { once: true });
    return this.#heights.wait(height, 2 ** 30);
  }

  /** Both, or neither: what did start is stopped with the rest when the other could not. */
  async #startWorkers(signer: Awaited<ReturnType<EnclaveHost["signerPort"]>>): Promise<[ConsensusHost, ProjectorHost]> {
    const [consensus, projector] = await Promise.allSettled([this.#startConsensus(signer), this.#projection.start()]);
    if (consensus.status === "fulfilled") this.#consensus = consensus.value;
    if (consensus.status === "rejected") throw consensus.reason;
    if (projector.status === "rejected") throw projector.reason;
    return [consensus.value, projector.value];
  }

  readonly askState = (question: StateQuestion): Promise<Result<unknown>> =>
    present(this.#projection.current, "opened before").askState(question);

  readonly mayAudit = (who: Aid): boolean => {
    const graph = this.#ledger?.graph;
    return graph !== undefined && (hasRole(graph, who, "audit") || hasRole(graph, who, "admin"));
  };

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#keyLife?.stop();
    this.#room.stop();
    this.#forgetCertificate();
    await this.#consensus?.stop();
    this.#options.entries?.endWorker("STOPPED");
    this.#executor?.stop();
    this.#submission?.stop();
    this.#heights.stop();
    await this.#identity?.stop();
    await this.#notary.stop();
    await this.#clientPorts?.close(CLOSE_GRACE_MS);
    await this.#ahead.stop();
    await this.#projection.stop();
    this.#past?.close();
    this.#signer?.close();
  }

  #fatal(code: string, error: unknown): void {
    if (!this.#stopping) this.#options.onFatal(code, error instanceof Error ? error.message : String(error));
  }

  /** A worker that dies is restarted from its journal and the log; dying again at the same height stops the node (DESIGN §3). */
  async #died(thread: "consensus" | "projector", error: Error, restart: () => Promise<void>): Promise<void> {
    if (this.#stopping) return;
    const code = thread === "consensus" ? "CONSENSUS_DIED" : "PROJECTOR_DIED";
    if (thread === "consensus") this.#options.entries?.endWorker(code);
    // A failed write or sync is never retried, not by a new worker either (DESIGN §7).
    const fault = faultAcross(error);
    if (fault !== undefined) return this.#fatal(fault.code, fault);
    if (this.#ledger === undefined || !this.#supervision.mayRestart(thread, this.height(), error))
      return this.#fatal(code, error);
    await restart().catch((failure: unknown) => this.#fatal(code, failure));
  }

  async #restartConsensus(): Promise<void> {
    const consensus = await this.#startConsensus(await this.#options.enclave.signerPort());
    this.#consensus = consensus;
    for (const { height, root } of this.#recent) consensus.executed(height, root);
    if (this.#written !== undefined) consensus.checkpointWritten(this.#written);
    consensus.startDelivery(heightOf(this.height() + 1));
    this.#submission?.resubmit();
  }

  #startConsensus(signer: Awaited<ReturnType<EnclaveHost["signerPort"]>>): Promise<ConsensusHost> {
    const { directory, foundingFile, founding, aid, timings, bind, logger, metrics } = this.#options;
    const self = founding.document.founders.findIndex((founder) => founder.aid === aid);
    const endpoints = present(founding.document.founders[self], "the node is a founder").endpoints;
    return startConsensus({
      directory,
      founding: foundingFile,
      self: memberIndex(self),
      timings,
      checkpointEvery: this.#options.checkpointEvery,
      listen: { host: bind.host, port: bind.cluster },
      connectionMaxAgeMs: this.#options.connectionMaxAgeMs,
      keyStates: this.#members().flatMap((member) => this.keyState(member) ?? []),
      revokedKeys: this.#options.revokedKeys().filter(({ aid: of }) => this.#members().includes(of)),
      recording: this.#options.entries?.beginWorker() ?? null,
      signer,
      certify: (spki) => this.#certify(spki, endpoints.cluster),
      onDelivery: (delivery) => this.#executor?.deliver(delivery),
      onBundle: (bundle) => {
        const ledger = this.#ledger;
        if (ledger !== undefined) this.#ahead.add(this.#pool.checksOf(bundle, (author) => ledger.keyState(author)));
      },
      onEvent: (event) => {
        switch (event.kind) {
          case "position":
            return this.#moved(event.position);
          case "peers":
            this.#connected = event.connected;
            metrics.set("peers", event.connected);
            metrics.set("peer_streams_overdue", event.overdue);
            if (event.overdue > this.#overdue) logger.warn("Streams to members stay old", { count: event.overdue });
            this.#overdue = event.overdue;
            return;
          case "migration":
            return metrics.count(event.isDone ? "peer_streams_renewed" : "peer_stream_renewal_failures");
          case "refused":
            metrics.refused(event.port === "cluster" ? "cluster" : "machine", event.reason);
            logger.debug("A peer's input was refused", { reason: event.reason });
            return;
          case "refusedBatch":
            metrics.refused("mempool", "OVERLOADED");
            this.#submission?.refused(event.signed);
            return;
          case "evidence":
            logger.warn("A member misbehaved; the evidence is kept in the log database", {
              kind: event.evidence,
              view: event.view,
              count: event.member,
            });
            return;
          case "halted":
            if (!this.#stopping) this.#options.onDiverged(event.divergence);
            return;
          case "adopted":
            return this.#adopted(event.height);
          case "damaged":
            if (!this.#stopping) this.#options.onDamaged(event.height, event.reason);
            return;
          case "healing":
            // Found by a worker that was restarted while clients were served: they are not served meanwhile.
            if (event.report.kind === "damaged" && this.#clientPorts !== undefined && !this.#stopping)
              this.#options.onDamaged(event.report.height, event.report.reason);
            return this.#options.onLogReport(event.report);
          case "notes":
            return this.#options.onLogNotes(event.notes);
        }
      },
      signal: this.#options.signal,
      onDeath: (error) => void this.#died("consensus", error, () => this.#restartConsensus()),
    });
  }

  #projectionRoom(): ProjectionRoom {
    const { directory, founding, checkpointEvery, logger, metrics } = this.#options;
    return new ProjectionRoom({
      directory,
      cluster: founding.cluster,
      checkpointEvery,
      members: founding.document.founders.map(({ aid, epochKey }) => ({ aid, key: epochKey })),
      begins: () => this.#consensus?.head.begins ?? null,
      past: () => this.#past,
      onCheckpoint: (written) => {
        this.#written = written;
        this.#consensus?.checkpointWritten(written);
      },
      onProjected: (height) => {
        this.#ledger?.kerl.archived(height);
        this.#identity?.projected(height);
        this.#executor?.resume();
      },
      onDeath: (error) => void this.#died("projector", error, () => this.#projection.restart()),
      onOther: () => {
        if (this.#stopping) return;
        logger.info("Other rows serve from now on; service starts anew from them");
        this.#options.onAdopted();
      },
      onDamaged: () => {
        if (!this.#stopping) this.#options.onAdopted();
      },
      onFatal: (code, error) => this.#fatal(code, error),
      logger,
      metrics,
    });
  }

  #adopted(height: Height): void {
    if (this.#stopping) return;
    this.#options.logger.info("A checkpoint was fetched; service starts anew from there", { height });
    this.#options.onAdopted();
  }

  #moved(position: Position): void {
    const { metrics } = this.#options;
    metrics.count("views_nullified", Math.max(0, position.nullified - (this.#position?.nullified ?? 0)));
    this.#position = position;
    metrics.set("height", Math.max(position.finalHeight, this.height()));
    metrics.set("view", position.view);
    metrics.set("vouched_from_height", position.vouchesFrom);
    metrics.mailbox("consensus", position.mempool);
    metrics.mailbox("host", this.#submission?.waiting ?? 0);
    metrics.mailbox("projector", this.#projection.current?.backlog().length ?? 0);
  }

  #openLedger(projector: ProjectorHost): Ledger {
    const { founding, logger, metrics } = this.#options;
    const ports = {
      open: (signed: Uint8Array) => this.#pool.openFinal(signed),
      isSigned: this.#pool.isSigned.bind(this.#pool),
      defect: (error: unknown) => {
        metrics.count("defects");
        logger.error("A command met a defect and was refused", { error });
      },
    };
    const { path } = this.#projection;
    const projected = projector.opened.height;
    const live = openLiveLedger({ path, cluster: founding.cluster, projected, rootsMax: ROOTS_REPORTED }, ports);
    this.#past = live.past;
    for (const { height, root } of live.roots) {
      this.#recent.push({ height, root });
      this.#consensus?.executed(height, root);
    }
    this.#ledger = live.ledger;
    metrics.set("executed_height", Math.max(0, live.ledger.height));
    this.#countIdentifiers(live.ledger);
    return live.ledger;
  }

  #countIdentifiers({ kerl }: Ledger): void {
    const { metrics } = this.#options;
    metrics.set("identifiers", kerl.size);
    metrics.set("key_events_escrowed", kerl.view.escrowCount());
  }

  #openSubmission(ledger: Ledger): Submission {
    const { founding, aid } = this.#options;
    return new Submission({
      cluster: founding.cluster,
      ledger,
      pool: this.#pool,
      submit: (signed) => this.#consensus?.submit(signed),
      gateway: { aid, keyState: () => present(this.#keyLife, "opened before").keyState },
      sign: (messages) => present(this.#signer, "opened before").sign("identifier", messages),
      now: () => Date.now(),
      randomBytes: (length) => new Uint8Array(randomBytes(length)),
    });
  }

  #executed(block: ExecutedBlock, ms: number): void {
    const { metrics } = this.#options;
    this.#pool.executed();
    this.#consensus?.executed(block.height, block.root, outcomeOf(block));
    this.#submission?.settled(block);
    this.#recent.push({ height: block.height, root: block.root });
    if (this.#recent.length > ROOTS_REPORTED) this.#recent.shift();
    this.#heights.reached(block.height);
    this.#identity?.executed(block);
    if (block.keyStates.length > 0) this.#keyStatesChanged(block.keyStates);
    if (block.revokedKeys.length > 0) this.#room.revoked(block.revokedKeys);
    metrics.set("executed_height", block.height);
    if (this.#ledger !== undefined && block.identifiers.size + block.keyStates.length > 0)
      this.#countIdentifiers(this.#ledger);
    // Blocks that were fetched are final too, and no position tells of them.
    metrics.set("height", Math.max(block.height, this.#position?.finalHeight ?? 0));
    metrics.count("blocks");
    metrics.count("commands", block.settled.length);
    metrics.observe("execute", ms / 1000);
  }

  #members(): readonly Aid[] {
    return this.#options.founding.document.founders.map(({ aid }) => aid);
  }

  async #certify(spki: Uint8Array, endpoint: string): Promise<string> {
    const { certificates, certificateLifetimeMs } = this.#options;
    const request = {
      ...certificateRequest(spki, hostsOf([endpoint]), Date.now(), certificateLifetimeMs),
      bringsRotations: true,
    };
    return chainPem(await certificates.issue("cluster", request, this.#issue));
  }

  readonly #issue = async (request: CertificateRequest): Promise<readonly Uint8Array[]> => {
    const chain = demand(await this.#options.enclave.issueCertificate(request));
    this.#room.issued(chain);
    return chain;
  };

  /** From the height on at which keys went out of force, what rests on them ends. */
  #keyStatesChanged(keyStates: readonly KeyState[]): void {
    const members = new Set(this.#members());
    const ofMembers = keyStates.filter(({ aid }) => members.has(aid));
    if (ofMembers.length > 0) this.#consensus?.keyStates(ofMembers);
    this.#clientPorts?.retire(false);
    this.#options.onKeyStates(keyStates);
    if (ofMembers.some(({ aid }) => aid === this.#options.aid)) this.#keyLife?.executed();
  }

  async #openKeyLife(ledger: Ledger): Promise<KeyLife> {
    const { aid, enclave, certificates, rotateKeysEveryMs, logger, metrics } = this.#options;
    return KeyLife.open({
      aid,
      enclave,
      inForce: () => ledger.keyState(aid),
      append: (stream, deadlineMs) =>
        present(this.#submission, "opened before").submitOwn("kerl.append", stream, deadlineMs),
      renewCertificates: () => certificates.renewAll(),
      onSettled: () => {
        this.#submission?.rekeyed();
        this.#clientPorts?.retire(true);
      },
      onFatal: (code, reason) => this.#fatal(code, new Error(reason)),
      everyMs: rotateKeysEveryMs,
      now: () => Date.now(),
      logger,
      metrics,
    });
  }

  #openIdentity(ledger: Ledger, keyLife: KeyLife, submission: Submission): IdentityRoom {
    return new IdentityRoom(this.#options, {
      ledger,
      keyLife,
      submission,
      heights: this.#heights,
      signer: present(this.#signer, "opened before"),
      projector: () => present(this.#projection.current, "opened before"),
      projected: this.#projection.projected,
      past: present(this.#past, "opened with the ledger"),
      routes: [this.#room.route],
      proveKeyState: (who, through, untilMs) => this.#notary.prove({ kind: "keyState", aid: who, through }, untilMs),
      onFatal: (code, error) => this.#fatal(code, error),
    });
  }

  #openClientPorts(ledger: Ledger, { port }: IdentityRoom): Promise<ClientPorts> {
    return openClientPorts({
      ...this.#options,
      issue: this.#issue,
      keyStateOf: (who) => ledger.keyState(who),
      isRevoked: (who, spkiHash) => ledger.certificates.isRevoked(who, spkiHash),
      listed: { list: (who) => ledger.certificates.list(who), mayAudit: this.mayAudit },
      oracle: oraclePort({
        ledger,
        submission: present(this.#submission, "opened before"),
        heights: this.#heights,
        projector: () => present(this.#projection.current, "opened before"),
        onWrite: (seconds) => this.#options.metrics.observe("write", seconds),
      }),
      kerl: port,
      audit: auditPort(this.#notary, this),
    });
  }
}
