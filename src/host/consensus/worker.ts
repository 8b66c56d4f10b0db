/** Entry of the consensus worker: real disk, real sockets, real clock around the consensus actor. */
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { workerData } from "node:worker_threads";
import { ConsensusActor } from "../../actors/consensus/actor.ts";
import type { Committee } from "../../actors/consensus/ports.ts";
import { ensureGenesis, loadStart } from "../../actors/consensus/start.ts";
import { type MemberIndex, epoch, height as heightOf } from "../../base/brands.ts";
import { assert } from "../../base/errors.ts";
import { verifyPeerCertificate } from "../../crypto/peer-certificate.ts";
import { privateKeyPem, spkiOf } from "../../crypto/x509.ts";
import { blockHash, bodyHash, bundleDigest, genesisEvent } from "../../events/facts/hashing.ts";
import { LogDamage } from "../../events/store/damage.ts";
import { openLogDatabase } from "../../events/store/log-database.ts";
import { type PeerNetwork, openPeerNetwork } from "../cluster/peer-network.ts";
import { signerClient } from "../enclave/signer-client.ts";
import { type Founding, openFounding } from "../founding/document.ts";
import { isJournalLost } from "./journal-id.ts";
import { checkAtStart, checkInBackground, writeMark } from "./log-check.ts";
import { Outbox } from "./outbox.ts";
import type { ConsensusWorkerData, FromConsensus, ToConsensus } from "./worker-protocol.ts";

/** Positions are reported at most this often; they feed gauges, not decisions. Units: ms. */
const POSITION_EVERY_MS = 100;

const data = workerData as ConsensusWorkerData;
const host = new Outbox<FromConsensus>(data.port);

/** A damaged record stops service with its height and reason; everything else is a fault or defect that ends the worker. */
function guarded(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof LogDamage)) throw error;
    host.post({ kind: "damaged", height: error.height ?? -1, reason: error.reason });
    stopServing();
  }
}

let stopServing = (): void => {};

async function start(): Promise<void> {
  const founding = openFounding(data.founding);
  assert(founding.ok, "the host opened the founding document before");
  const { cluster, document } = founding.value;
  const committee: Committee = {
    cluster,
    epoch: epoch(0),
    self: data.self,
    keys: document.founders.map(({ epochKey }) => epochKey),
    timings: data.timings,
  };
  const hashing = { header: blockHash, body: bodyHash, bundle: bundleDigest };
  const log = openLogDatabase(join(data.directory, "log.db"), hashing);
  ensureGenesis(log, genesisEvent({ document: founding.value.bytes, signatures: founding.value.signatures }));
  const signer = signerClient(data.signer);
  const authenticate = async (bytes: Uint8Array): Promise<Uint8Array> => {
    const tag = await signer.mark(bytes);
    if (!tag.ok) throw new Error(tag.refusal.message);
    return tag.value;
  };
  const { verified, unread } = await checkAtStart(log, authenticate);
  const actorStart = loadStart(log, committee, verified.tree, isJournalLost(log, data.directory));

  let running: ConsensusActor | undefined;
  const network = await openNetwork(founding.value, () => running);
  let reported = 0;
  const actor: ConsensusActor = new ConsensusActor(
    committee,
    {
      log,
      peers: network,
      clock: {
        now: () => Date.now(),
        set: (ms, run) => setTimeout(() => guarded(run), ms),
        clear: (handle) => clearTimeout(handle as NodeJS.Timeout),
      },
      schedule: (run) => void setImmediate(() => guarded(run)),
      random: Math.random,
      sign: batchedSigner(signer),
      executor: {
        deliver: (delivery) => host.post({ kind: "deliver", delivery }),
        bundleHeld: (_digest, bundle) => host.post({ kind: "bundle", bundle }),
      },
      observer: {
        refused: (reason) => host.post({ kind: "refused", reason, port: "consensus" }),
        advanced: (position) => {
          const now = performance.now();
          if (now - reported < POSITION_EVERY_MS && position.state !== "quiet") return;
          reported = now;
          host.post({ kind: "position", position, connected: network.connected().length });
        },
        halted: (height, root, theirs) => host.post({ kind: "halted", height, root, theirs }),
        evidence: (evidence, member, view) => host.post({ kind: "evidence", evidence, member, view }),
      },
    },
    actorStart,
  );
  running = actor;
  for (const member of network.connected()) actor.post({ type: "peerConnected", member });
  const stopCheck = checkInBackground(log, unread, (damage) =>
    guarded(() => {
      throw damage;
    }),
  );

  stopServing = () => {
    stopCheck();
    actor.stop();
    void network.close();
  };
  const head = log.head();
  assert(head !== undefined, "the log begins with genesis");
  host.post({ kind: "started", head: head.height, hash: head.hash });

  data.port.on("message", (messages: readonly ToConsensus[]) =>
    guarded(() => messages.forEach((message) => take(message))),
  );

  function take(message: ToConsensus): void {
    switch (message.kind) {
      case "submit":
        if (!actor.submit(message.signed)) host.post({ kind: "refusedBatch", signed: message.signed });
        return;
      case "startDelivery":
        return actor.startDelivery(message.from);
      case "executed":
        return actor.executed(message.height, message.root);
      case "stop":
        void stop();
        return;
      case "certificate":
        return; // taken while the listener opened
    }
  }

  async function stop(): Promise<void> {
    stopCheck();
    actor.stop();
    await network.close();
    const { height, hash } = log.head() ?? { height: heightOf(0), hash: verified.parent };
    const tree = actor.blocks.frontierAfter(hash);
    if (tree !== undefined) {
      await writeMark(log, { next: heightOf(height + 1), tree, parent: hash }, authenticate).catch(() => {
        // Sealed meanwhile: the next start checks from the mark before.
      });
    }
    log.close();
    signer.close();
    host.post({ kind: "stopped" });
    host.flush();
    data.port.close();
  }
}

async function openNetwork(founding: Founding, actor: () => ConsensusActor | undefined): Promise<PeerNetwork> {
  const { cluster, document } = founding;
  const issuers = new Map(document.founders.map(({ aid, issuer }) => [aid, issuer]));
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const cert = await new Promise<string>((resolve) => {
    const take = (messages: readonly ToConsensus[]): void => {
      for (const message of messages) {
        if (message.kind !== "certificate") continue;
        data.port.off("message", take);
        resolve(message.chain);
      }
    };
    data.port.on("message", take);
    host.post({ kind: "certify", spki: spkiOf(keys.publicKey) });
  });
  return openPeerNetwork({
    self: data.self,
    endpoints: document.founders.map(({ endpoints }) => endpoints.cluster),
    listen: data.listen,
    tls: { key: privateKeyPem(keys.privateKey), cert },
    authenticate: (certificate) => {
      const judged = verifyPeerCertificate(certificate, {
        cluster,
        now: Date.now(),
        keyStateOf: (aid) => founding.identifiers.get(aid),
        issuerOf: (aid) => issuers.get(aid),
      });
      if (!judged.ok) return judged;
      const member = document.founders.findIndex(({ aid }) => aid === judged.value.aid);
      if (judged.value.role === "node" && member >= 0) return { ok: true, value: member as MemberIndex };
      return {
        ok: false,
        refusal: { code: "NOT_A_MEMBER", message: "The certificate is not of a member of this epoch.", blame: "peer" },
      };
    },
    onFrame: (from, frame) => guarded(() => actor()?.receive(from, frame)),
    onConnected: (member) => actor()?.post({ type: "peerConnected", member }),
    onRefused: (reason) => host.post({ kind: "refused", reason, port: "cluster" }),
  });
}

/** Everything asked for in one turn travels to the enclave in one message. */
function batchedSigner(
  signer: ReturnType<typeof signerClient>,
): (message: Uint8Array, done: (signature: Uint8Array) => void) => void {
  let batch: { message: Uint8Array; done: (signature: Uint8Array) => void }[] = [];
  const flush = async (): Promise<void> => {
    const asked = batch;
    batch = [];
    const signed = await signer.sign(
      "epoch",
      asked.map(({ message }) => message),
    );
    if (!signed.ok) return; // sealed: the node is stopping
    guarded(() => asked.forEach(({ done }, i) => signed.value[i] !== undefined && done(signed.value[i])));
  };
  return (message, done) => {
    batch.push({ message, done });
    if (batch.length === 1) queueMicrotask(() => void flush());
  };
}

await start().catch((error: unknown) => {
  if (!(error instanceof LogDamage)) throw error;
  host.post({ kind: "damaged", height: error.height ?? -1, reason: error.reason });
});
