/** Entry of the consensus worker: real disk, real sockets, real clock around the consensus actor. */
import { generateKeyPairSync } from "node:crypto";
import { basename, join } from "node:path";
import { workerData } from "node:worker_threads";
import { ConsensusActor } from "../../actors/consensus/actor.ts";
import type { Committee, ConsensusPorts, FetchedCheckpoint, Position } from "../../actors/consensus/ports.ts";
import { Healing } from "../../actors/consensus/healing.ts";
import { ensureGenesis, loadStart, readDivergence } from "../../actors/consensus/start.ts";
import { proofDefect } from "../../actors/consensus/synchronisation.ts";
import { type Aid, type MemberIndex, epoch, height as heightOf } from "../../base/brands.ts";
import { Fault, present } from "../../base/errors.ts";
import { verify } from "../../crypto/ed25519.ts";
import type { MerkleFrontier } from "../../crypto/merkle.ts";
import { privateKeyPem, spkiOf } from "../../crypto/x509.ts";
import { blockHash, bodyHash, bundleDigest, genesisEvent } from "../../events/facts/hashing.ts";
import type { LogEvent } from "../../events/facts/block.ts";
import type { Divergence } from "../../machines/consensus/types.ts";
import { LogDamage } from "../../events/store/damage.ts";
import { type LogDatabase, openLogDatabase } from "../../events/store/log-database.ts";
import type { Verified } from "../../events/store/log-verify.ts";
import type { KeyState } from "../../keri/key-state.ts";
import type { PeerNetwork } from "../cluster/peer-network.ts";
import type { PeerTls } from "../cluster/peer-tls.ts";
import { demand } from "../enclave/node-files.ts";
import { type SignerClient, signerClient } from "../enclave/signer-client.ts";
import { type Founding, openFounding } from "../founding/document.ts";
import { batchedSigner } from "./batched-signer.ts";
import { CheckpointStore } from "../checkpoints/checkpoint-store.ts";
import { NOTES_MAX, addNotes } from "./heal-notes.ts";
import { closeJournal, isJournalLost, loseJournal } from "./journal-id.ts";
import {
  START,
  checkAtStart,
  checkInBackground,
  isMarkedDamaged,
  markDamaged,
  sealedMark,
  writeMark,
} from "./log-check.ts";
import { RevokedKeys } from "../cluster/revoked-keys.ts";
import { openMemberNetwork } from "./member-network.ts";
import { Outbox } from "./outbox.ts";
import { Recording } from "./recording.ts";
import { isCorrupt, logPath, setAside } from "./set-aside.ts";
import type { ConsensusWorkerData, FromConsensus, LogReport, ToConsensus } from "./worker-protocol.ts";
import { reclaimOnce } from "../node/reclaim.ts";

/** Positions are reported at most this often; they feed gauges, not decisions. Units: ms. */
const POSITION_EVERY_MS = 100;

const data = workerData as ConsensusWorkerData;

class ConsensusWorker {
  readonly #host = new Outbox<FromConsensus>(data.port);
  readonly #signer: SignerClient = signerClient(data.signer);
  #certified: (chain: string | null) => void = () => {};
  /** Of the members, as the host last told them. */
  readonly #revoked = new RevokedKeys();
  readonly #keyStates = new Map<Aid, KeyState>(data.keyStates.map((keyState) => [keyState.aid, keyState]));
  #renewing: Promise<void> = Promise.resolve();
  #log: LogDatabase | undefined;
  #network: PeerNetwork | undefined;
  #actor: ConsensusActor | undefined;
  #stopCheck = (): void => {};
  #reported = Number.NEGATIVE_INFINITY;
  #reportDue = false;
  #position: Position | undefined;
  /** The log is damaged or the disk failed: nothing of consensus is done any more. */
  #isOver = false;
  readonly #checkpoints = new CheckpointStore(join(data.directory, "checkpoints"));
  #isSetAside = false;
  #isSurveying = false;
  #healing: { readonly member: Healing; readonly failed: (error: unknown) => void } | undefined;
  /** What this start did about the log, the newest of it. */
  #notes: readonly string[] = [];
  readonly #recording =
    data.recording === null
      ? undefined
      : new Recording(data.recording, {
          log: () => this.#log,
          actor: () => this.#actor,
          connected: () => this.#network?.connected() ?? [],
          onDamage: (damage) => this.#failed(damage),
        });

  async start(): Promise<void> {
    this.#revoked.add(data.revokedKeys, Date.now());
    data.port.on("message", (messages: readonly ToConsensus[]) =>
      this.#guarded(() => {
        for (const message of messages) this.#take(message);
      }),
    );
    try {
      await this.#begin();
    } catch (error) {
      if (!isCorrupt(error)) return this.#failed(error);
      this.#setAside(error);
      await this.#begin().catch((again: unknown) => this.#failed(again));
    }
  }

  /** From the disk to the first message of consensus: nothing is heard before the flags are loaded, nothing is believed unread. */
  async #begin(): Promise<void> {
    const founding = demand(openFounding(data.founding));
    const committee = committeeOf(founding);
    const genesis = genesisEvent({ document: founding.bytes, signatures: founding.signatures });
    const log = openLogDatabase(logPath(data.directory), { header: blockHash, body: bodyHash, bundle: bundleDigest });
    this.#log = log;
    const defect = this.#isSetAside ? "the log is a new one" : log.defect();
    if (defect !== undefined) this.#loseJournal(log, defect);
    const divergence = readDivergence(log);
    if (divergence !== undefined) return this.#parted(log, divergence);
    const isLost = isJournalLost(log, data.directory);
    const verified = await this.#soundLog(log, founding, committee, genesis);
    const start = this.#loadStart(log, committee, verified, isLost);
    this.#network ??= await this.#openNetwork(founding);
    if (start.context.votesAbove === "unknown")
      this.#tell({ kind: "journalLost", reason: "votes may have been forgotten" });
    this.#host.post({ kind: "notes", notes: addNotes(log, this.#notes, new Date()) });
    const actor = new ConsensusActor(committee, this.#ports(log, this.#network), start);
    this.#actor = actor;
    for (const member of this.#network.connected()) actor.post({ type: "peerConnected", member });
    this.#tellPeers();
    this.#stopCheck = checkInBackground(log, {
      // Above a gap everything was checked when it came; what lies below it can be read from genesis up.
      until: heightOf(Math.min(verified.next, (log.gap()?.below ?? verified.next) + 1)),
      proofDefect: (event) => proofDefect(committee, event),
      guarded: this.#guarded,
    });
    const head = present(log.head(), "the log begins with genesis");
    this.#host.post({
      kind: "started",
      head: head.height,
      hash: head.hash,
      begins: log.gap()?.begins ?? null,
    });
  }

  /** It parted from the others in an earlier life: it neither speaks nor listens to anybody. */
  #parted(log: LogDatabase, divergence: Divergence): void {
    this.#isOver = true;
    this.#host.post({ kind: "notes", notes: addNotes(log, this.#notes, new Date()) });
    this.#host.post({ kind: "halted", divergence });
  }

  /** What holds up to the head; a record that does not is fetched from peers first, however long that takes. */
  async #soundLog(
    log: LogDatabase,
    founding: Founding,
    committee: Committee,
    genesis: LogEvent,
  ): Promise<Verified<MerkleFrontier>> {
    try {
      ensureGenesis(log, genesis);
      if (!isMarkedDamaged(log)) return await checkAtStart(log, this.#authenticate);
    } catch (error) {
      if (!(error instanceof LogDamage)) throw error;
    }
    markDamaged(log); // all of it is read again: a disk that damaged one record may have damaged more
    const network = (this.#network ??= await this.#openNetwork(founding));
    this.#tellPeers();
    const verified = await new Promise<Verified<MerkleFrontier>>((healed, failed) => {
      const { clock, schedule, random, observer } = this.#ports(log, network);
      const told = (report: LogReport): void => this.#tell(report);
      const ports = { log, peers: network, clock, schedule, random, observer: { ...observer, told, healed } };
      this.#healing = { member: new Healing(committee, ports, genesis, START), failed };
      this.#healing.member.start();
    });
    this.#healing = undefined;
    await writeMark(log, verified, this.#authenticate);
    this.#tell({ kind: "healed", height: heightOf(verified.next - 1) });
    return verified;
  }

  /** The flags. What is damaged among what no block holds yet is this member's own word: then its journal counts as lost. */
  #loadStart(
    log: LogDatabase,
    committee: Committee,
    { tree }: Verified<MerkleFrontier>,
    isLost: boolean,
  ): ReturnType<typeof loadStart> {
    try {
      return loadStart(log, committee, tree, isLost);
    } catch (error) {
      if (!(error instanceof LogDamage)) throw error;
      this.#loseJournal(log, error.reason);
      return loadStart(log, committee, tree, true);
    }
  }

  #loseJournal(log: LogDatabase, reason: string): void {
    loseJournal(log);
    this.#note(`its journal was given up: ${reason}`);
    this.#tell({ kind: "journalLost", reason });
  }

  #setAside(fault: Fault): void {
    this.#log?.close();
    this.#log = undefined;
    const path = setAside(data.directory, new Date());
    this.#isSetAside = true;
    this.#note(`log.db could not be read (${fault.message}) and lies beside as ${basename(path)}`);
    this.#tell({ kind: "setAside", path, reason: fault.message });
  }

  #note(what: string): void {
    this.#notes = [...this.#notes, what].slice(-NOTES_MAX);
  }

  #tell(report: LogReport): void {
    if (report.kind === "damaged") this.#note(`height ${report.height} was damaged: ${report.reason}`);
    if (report.kind === "mended")
      this.#note(
        `${report.count === 1 ? "one event" : `${report.count} events`} from height ${report.height} on put in place, from ${report.from === null ? "the founding document" : `member ${report.from}`}`,
      );
    this.#host.post({ kind: "healing", report });
  }

  /** Authenticates the mark of the verified log under the keystore. Throws: Fault SEALED. */
  readonly #authenticate = async (bytes: Uint8Array): Promise<Uint8Array> => {
    const tag = await this.#signer.mark(bytes);
    if (!tag.ok) throw new Fault(tag.refusal.code, tag.refusal.message);
    return tag.value;
  };

  /** Every turn of the worker: what a disk did wrong is told, a defect ends the worker. */
  readonly #guarded = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      this.#failed(error);
    }
  };

  #failed(error: unknown): void {
    const healing = this.#healing;
    if (healing !== undefined) {
      this.#healing = undefined;
      healing.member.stop();
      return healing.failed(error);
    }
    if (error instanceof LogDamage || isCorrupt(error)) return this.#damaged(error);
    if (!(error instanceof Fault)) throw error;
    // A failed write or sync is never retried (DESIGN §7).
    this.#isOver = true;
    this.#halt();
    this.#host.post({ kind: "failed", code: error.code, message: error.message });
  }

  /** The member takes no more part, and the next start heals: it begins with the journal's flags, as after a crash. */
  #damaged(damage: LogDamage | Fault): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#halt();
    if (isCorrupt(damage)) this.#setAside(damage);
    else if (this.#log !== undefined) markDamaged(this.#log);
    const height = damage instanceof LogDamage ? (damage.height ?? null) : null;
    this.#recording?.fault("damaged", height);
    this.#host.post({ kind: "damaged", height, reason: damage instanceof LogDamage ? damage.reason : damage.message });
  }

  #halt(): void {
    this.#stopCheck();
    this.#healing?.member.stop();
    try {
      this.#actor?.stop();
    } catch (error) {
      if (!(error instanceof Fault)) throw error; // its last roots are not written: they are told again
    }
  }

  /** A fresh TLS key with its chain; undefined when the enclave gave none. One question at a time. */
  async #freshTls(): Promise<PeerTls | undefined> {
    const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const cert = await new Promise<string | null>((resolve) => {
      this.#certified = resolve;
      this.#host.post({ kind: "certify", spki: spkiOf(keys.publicKey) });
    });
    return cert === null ? undefined : { key: privateKeyPem(keys.privateKey), cert };
  }

  /** The network goes on with another key and certificate; with those that it has when the enclave gave none. */
  #renewCertificate(): void {
    this.#renewing = this.#renewing.then(async () => {
      const tls = this.#network === undefined ? undefined : await this.#freshTls();
      if (tls !== undefined) this.#network?.renew(tls);
      this.#host.post({ kind: "renewed", isRenewed: tls !== undefined });
    });
  }

  async #openNetwork(founding: Founding): Promise<PeerNetwork> {
    return openMemberNetwork(founding, {
      self: data.self,
      listen: data.listen,
      tls: present(await this.#freshTls(), "the host ends a worker that it cannot certify at its start"),
      connectionMaxAgeMs: data.connectionMaxAgeMs,
      keyStateOf: (aid) => this.#keyStates.get(aid),
      isRevoked: this.#revoked.isRevoked,
      onFrame: (from, frame) => this.#hear(from, frame),
      onConnected: (member) => {
        this.#actor?.post({ type: "peerConnected", member });
        this.#tellPeers();
      },
      onDisconnected: () => this.#tellPeers(),
      onMigration: (_member, isDone) => {
        this.#host.post({ kind: "migration", isDone });
        this.#tellPeers();
      },
      onRefused: (reason) => this.#host.post({ kind: "refused", reason, port: "cluster" }),
    });
  }

  /** Whether it was of use. What comes while the member heals its log, or has none, is not judged. */
  #hear(from: MemberIndex, frame: Uint8Array): boolean {
    let isOfUse = true;
    this.#guarded(() => {
      if (this.#actor !== undefined) isOfUse = this.#actor.receive(from, frame);
      else this.#healing?.member.receive(from, frame);
    });
    return isOfUse;
  }

  #ports(log: LogDatabase, network: PeerNetwork): ConsensusPorts {
    return {
      log,
      peers: network,
      clock: {
        now: () => Date.now(),
        set: (ms, run) => setTimeout(() => this.#guarded(run), ms),
        clear: (handle) => clearTimeout(handle as NodeJS.Timeout),
      },
      schedule: (run) => void setImmediate(() => this.#guarded(run)),
      random: Math.random,
      sign: batchedSigner(this.#signer, this.#guarded),
      executor: {
        deliver: (delivery) => this.#host.post({ kind: "deliver", delivery }),
        bundleHeld: (_digest, bundle) => this.#host.post({ kind: "bundle", bundle }),
      },
      checkpoints: {
        distance: data.checkpointEvery,
        log,
        segmentsOf: (height) => this.#checkpoints.segmentsOf(height),
        segment: (digest) => this.#checkpoints.segment(digest),
        fetched: (height, digest) => this.#checkpoints.fetched(height, digest),
        keep: (height, digest, segment) => this.#checkpoints.keep("fetched", height, digest, segment),
        discardFetched: (isKept) => this.#checkpoints.discardUnfinished("fetched", isKept),
        adopt: (found) => void this.#adopt(log, found),
      },
      observer: {
        refused: (reason) => this.#host.post({ kind: "refused", reason, port: "consensus" }),
        advanced: (position) => {
          this.#watchSurvey();
          this.#advanced(position);
        },
        halted: (divergence) => {
          this.#recording?.fault("halted", divergence.height);
          this.#host.post({ kind: "halted", divergence });
        },
        evidence: (evidence, member, view) => {
          this.#recording?.evidence(evidence, member, view);
          this.#host.post({ kind: "evidence", evidence, member, view });
        },
        ...this.#recording?.observer,
      },
    };
  }

  /** The actor has stopped. Segments first, then the log: whatever starts next finds the one with the other. */
  async #adopt(log: LogDatabase, { statement, segments, event, tree, pruneBelow }: FetchedCheckpoint): Promise<void> {
    this.#stopCheck();
    try {
      const mark = await sealedMark({ next: heightOf(event.height + 1), tree, parent: event.hash }, this.#authenticate);
      if (this.#isOver) return;
      this.#isOver = true;
      this.#checkpoints.complete("fetched", statement.height, segments);
      log.beginAt(event, pruneBelow, [mark]);
      this.#checkpoints.discardUnfinished("fetched");
      this.#host.post({ kind: "adopted", height: event.height });
    } catch (error) {
      this.#isOver = false;
      this.#guarded(() => {
        throw error;
      });
    }
  }

  /** The survey after a lost journal is over: told once, for whoever waits for a member to vote again. */
  #watchSurvey(): void {
    const bound = this.#actor?.context.votesAbove;
    if (this.#isSurveying && typeof bound === "number") this.#tell({ kind: "votesAgain", view: bound });
    this.#isSurveying = bound === "unknown";
  }

  /** Told at once after a pause, else when the next report is due: the newest position is always told in the end. */
  #advanced(position: Position): void {
    this.#position = position;
    if (this.#reportDue) return;
    const wait = this.#reported + POSITION_EVERY_MS - performance.now();
    if (wait <= 0) return this.#report();
    this.#reportDue = true;
    setTimeout(() => this.#report(), wait).unref();
  }

  #report(): void {
    this.#reportDue = false;
    this.#reported = performance.now();
    if (this.#position !== undefined) this.#host.post({ kind: "position", position: this.#position });
  }

  /** At each change, since a quiet cluster has no positions to report: readiness and sealing rest on it. */
  #tellPeers(): void {
    this.#recording?.peersChanged();
    this.#host.post({
      kind: "peers",
      connected: this.#network?.connected().length ?? 0,
      overdue: this.#network?.overdue() ?? 0,
    });
  }

  #take(message: ToConsensus): void {
    if (this.#isOver && message.kind !== "stop") return;
    switch (message.kind) {
      case "certificate":
        return this.#certified(message.chain);
      case "renewCertificate":
        return this.#renewCertificate();
      case "keyStates":
        for (const keyState of message.keyStates) this.#keyStates.set(keyState.aid, keyState);
        return this.#network?.rejudge();
      case "revokedKeys":
        this.#revoked.add(message.keys, Date.now());
        return this.#network?.rejudge();
      case "submit":
        if (this.#actor?.submit(message.signed) !== true)
          this.#host.post({ kind: "refusedBatch", signed: message.signed });
        return;
      case "startDelivery":
        return this.#actor?.startDelivery(message.from);
      case "executed":
        this.#recording?.executed(message.height, message.root, message);
        return this.#actor?.executed(message.height, message.root);
      case "checkpointWritten": {
        const { height, root, segments } = message.written;
        this.#checkpoints.refresh();
        return this.#actor?.checkpointWritten(height, root, segments);
      }
      case "stop":
        void this.#stop();
    }
  }

  async #stop(): Promise<void> {
    this.#halt();
    this.#recording?.end();
    await this.#network?.close();
    await this.#markVerified().catch(() => {
      // Sealed meanwhile: the next start checks from the mark before.
    });
    try {
      if (this.#log !== undefined) closeJournal(this.#log, data.directory);
    } catch (error) {
      if (!(error instanceof Fault)) throw error; // as after a crash
    }
    this.#log?.close();
    this.#signer.close();
    this.#host.post({ kind: "stopped" });
    this.#host.flush();
    data.port.close();
  }

  /** Everything in the log was checked at start or appended since. */
  async #markVerified(): Promise<void> {
    if (this.#isOver) return;
    const head = this.#log?.head();
    const tree = head && this.#actor?.blocks.frontierAfter(head.hash);
    if (this.#log === undefined || head === undefined || tree === undefined) return;
    await writeMark(this.#log, { next: heightOf(head.height + 1), tree, parent: head.hash }, this.#authenticate);
  }
}

const committeeOf = ({ cluster, document }: Founding): Committee => ({
  cluster,
  epoch: epoch(0),
  self: data.self,
  keys: document.founders.map(({ epochKey }) => epochKey),
  verify,
  timings: data.timings,
});

await new ConsensusWorker().start();
reclaimOnce();
