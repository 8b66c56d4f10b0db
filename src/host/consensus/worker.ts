/** Entry of the consensus worker: real disk, real sockets, real clock around the consensus actor. */
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { workerData } from "node:worker_threads";
import { ConsensusActor } from "../../actors/consensus/actor.ts";
import type { Committee, ConsensusPorts, Position } from "../../actors/consensus/ports.ts";
import { ensureGenesis, loadStart } from "../../actors/consensus/start.ts";
import { epoch, height as heightOf } from "../../base/brands.ts";
import { Fault, present } from "../../base/errors.ts";
import { verify } from "../../crypto/ed25519.ts";
import { privateKeyPem, spkiOf } from "../../crypto/x509.ts";
import { blockHash, bodyHash, bundleDigest, genesisEvent } from "../../events/facts/hashing.ts";
import { LogDamage } from "../../events/store/damage.ts";
import { type LogDatabase, openLogDatabase } from "../../events/store/log-database.ts";
import type { PeerNetwork } from "../cluster/peer-network.ts";
import { demand } from "../enclave/node-files.ts";
import { type SignerClient, signerClient } from "../enclave/signer-client.ts";
import { type Founding, openFounding } from "../founding/document.ts";
import { batchedSigner } from "./batched-signer.ts";
import { isJournalLost } from "./journal-id.ts";
import { checkAtStart, checkInBackground, dropMark, writeMark } from "./log-check.ts";
import { openMemberNetwork } from "./member-network.ts";
import { Outbox } from "./outbox.ts";
import type { ConsensusWorkerData, FromConsensus, ToConsensus } from "./worker-protocol.ts";
import { reclaimOnce } from "../node/reclaim.ts";

/** Positions are reported at most this often; they feed gauges, not decisions. Units: ms. */
const POSITION_EVERY_MS = 100;

const data = workerData as ConsensusWorkerData;

class ConsensusWorker {
  readonly #host = new Outbox<FromConsensus>(data.port);
  readonly #signer: SignerClient = signerClient(data.signer);
  #certified: (chain: string) => void = () => {};
  #log: LogDatabase | undefined;
  #network: PeerNetwork | undefined;
  #actor: ConsensusActor | undefined;
  #stopCheck = (): void => {};
  #reported = Number.NEGATIVE_INFINITY;
  #reportDue = false;
  #position: Position | undefined;
  #isDamaged = false;

  async start(): Promise<void> {
    data.port.on("message", (messages: readonly ToConsensus[]) =>
      this.#guarded(() => {
        for (const message of messages) this.#take(message);
      }),
    );
    const founding = demand(openFounding(data.founding));
    const log = openLogDatabase(join(data.directory, "log.db"), {
      header: blockHash,
      body: bodyHash,
      bundle: bundleDigest,
    });
    this.#log = log;
    try {
      ensureGenesis(log, genesisEvent({ document: founding.bytes, signatures: founding.signatures }));
      const { verified, unread } = await checkAtStart(log, this.#authenticate);
      const committee = committeeOf(founding);
      const start = loadStart(log, committee, verified.tree, isJournalLost(log, data.directory));
      this.#network = await this.#openNetwork(founding);
      const actor = new ConsensusActor(committee, this.#ports(log, this.#network), start);
      this.#actor = actor;
      for (const member of this.#network.connected()) actor.post({ type: "peerConnected", member });
      this.#tellPeers();
      this.#stopCheck = checkInBackground(log, unread, (damage) => this.#damaged(damage));
    } catch (error) {
      if (!(error instanceof LogDamage)) throw error;
      return this.#damaged(error);
    }
    const head = present(log.head(), "the log begins with genesis");
    this.#host.post({ kind: "started", head: head.height, hash: head.hash });
  }

  /** Authenticates the mark of the verified log under the keystore. Throws: Fault SEALED. */
  readonly #authenticate = async (bytes: Uint8Array): Promise<Uint8Array> => {
    const tag = await this.#signer.mark(bytes);
    if (!tag.ok) throw new Fault(tag.refusal.code, tag.refusal.message);
    return tag.value;
  };

  /** A damaged record stops service with its height and reason; every other throw ends the worker. */
  readonly #guarded = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      if (!(error instanceof LogDamage)) throw error;
      this.#damaged(error);
    }
  };

  #damaged({ height, reason }: LogDamage): void {
    this.#host.post({ kind: "damaged", height: height ?? -1, reason });
    this.#halt();
    this.#isDamaged = true;
    if (this.#log !== undefined) dropMark(this.#log);
  }

  #halt(): void {
    this.#stopCheck();
    this.#actor?.stop();
  }

  async #openNetwork(founding: Founding): Promise<PeerNetwork> {
    const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const cert = await new Promise<string>((resolve) => {
      this.#certified = resolve;
      this.#host.post({ kind: "certify", spki: spkiOf(keys.publicKey) });
    });
    return openMemberNetwork(founding, {
      self: data.self,
      listen: data.listen,
      tls: { key: privateKeyPem(keys.privateKey), cert },
      onFrame: (from, frame) => this.#guarded(() => this.#actor?.receive(from, frame)),
      onConnected: (member) => {
        this.#actor?.post({ type: "peerConnected", member });
        this.#tellPeers();
      },
      onDisconnected: () => this.#tellPeers(),
      onRefused: (reason) => this.#host.post({ kind: "refused", reason, port: "cluster" }),
    });
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
      observer: {
        refused: (reason) => this.#host.post({ kind: "refused", reason, port: "consensus" }),
        advanced: (position) => this.#advanced(position),
        halted: (height, root, theirs) => this.#host.post({ kind: "halted", height, root, theirs }),
        evidence: (evidence, member, view) => this.#host.post({ kind: "evidence", evidence, member, view }),
      },
    };
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
    this.#host.post({ kind: "peers", connected: this.#network?.connected().length ?? 0 });
  }

  #take(message: ToConsensus): void {
    switch (message.kind) {
      case "certificate":
        return this.#certified(message.chain);
      case "submit":
        if (this.#actor?.submit(message.signed) !== true)
          this.#host.post({ kind: "refusedBatch", signed: message.signed });
        return;
      case "startDelivery":
        return this.#actor?.startDelivery(message.from);
      case "executed":
        return this.#actor?.executed(message.height, message.root);
      case "stop":
        void this.#stop();
    }
  }

  async #stop(): Promise<void> {
    this.#halt();
    await this.#network?.close();
    await this.#markVerified().catch(() => {
      // Sealed meanwhile: the next start checks from the mark before.
    });
    this.#log?.close();
    this.#signer.close();
    this.#host.post({ kind: "stopped" });
    this.#host.flush();
    data.port.close();
  }

  /** Everything in the log was checked at start or appended since. */
  async #markVerified(): Promise<void> {
    const head = this.#log?.head();
    const tree = head && this.#actor?.blocks.frontierAfter(head.hash);
    if (this.#log === undefined || head === undefined || tree === undefined || this.#isDamaged) return;
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
