/** One life of a node: the real consensus actor and the real ledger, from their start on this disk until the process ends. */
import { ConsensusActor } from "../../src/actors/consensus/actor.ts";
import type { ConsensusPorts, Delivery, FetchedCheckpoint } from "../../src/actors/consensus/ports.ts";
import { Healing, type HealingReport } from "../../src/actors/consensus/healing.ts";
import { type Start, ensureGenesis, loadStart } from "../../src/actors/consensus/start.ts";
import { type Height, type MemberIndex, height as heightOf, memberIndex } from "../../src/base/brands.ts";
import { decode } from "../../src/base/codec.ts";
import { present } from "../../src/base/errors.ts";
import type { MerkleFrontier } from "../../src/crypto/merkle.ts";
import { FRAME_BYTES_MAX, type PeerMessage, peerMessageShape } from "../../src/events/facts/peer-message.ts";
import { LogDamage } from "../../src/events/store/damage.ts";
import { LogDatabase } from "../../src/events/store/log-database.ts";
import type { Verified } from "../../src/events/store/log-verify.ts";
import type { Log } from "../../src/events/store/log.ts";
import { loseJournal } from "../../src/host/consensus/journal-id.ts";
import { standingOf } from "../../src/machines/consensus/consensus.machine.ts";
import type { ConsensusEffect, ConsensusEvent, Context } from "../../src/machines/consensus/types.ts";
import type { ExecutedBlock } from "../../src/projections/ledger/ledger.ts";
import { checkpointsOf, fillFromCheckpoint, writesCheckpoints } from "./checkpoints.ts";
import type { Durable } from "./disk.ts";
import { keyOfMember } from "./founding.ts";
import type { Endpoint, Receiver } from "./network.ts";
import type { Random } from "./random.ts";
import { changedFields } from "./record.ts";
import { plantOtherEpoch } from "./other-epoch.ts";
import type { Replica } from "./replica.ts";
import type { Task } from "./scheduler.ts";
import { Projection, Service } from "./service.ts";
import { START, verified, verifiedMark } from "./verified-log.ts";
import { Violation } from "./violation.ts";
import { type World, countFault, hashing, replicasOf } from "./world.ts";

/** What a signature of the enclave takes. Units: ms. */
const SIGNING_MS = 0.1;
/** Until the enclave sealed the mark of an adopted checkpoint. Units: ms. */
const SEALING_MS = 1;
/** Between an event in the mailbox and its drain, at most. Units: ms. */
const DRAIN_MS_MAX = 0.3;

/** Frames decoded last, by the frame itself: a broadcast is one frame for all. */
let decodedFrame: Uint8Array | undefined;
let decodedMessage: PeerMessage | undefined;

export function messageOf(frame: Uint8Array): PeerMessage | undefined {
  if (decodedFrame === frame) return decodedMessage;
  const message = decode(peerMessageShape, frame, FRAME_BYTES_MAX);
  decodedFrame = frame;
  decodedMessage = message.ok ? message.value : undefined;
  return decodedMessage;
}

export class NodeProcess implements Receiver {
  readonly replica: Replica;
  readonly #world: World;
  readonly #random: Random;
  #alive = true;
  #log: Log | undefined;
  #actor: ConsensusActor | undefined;
  #service: Service | undefined;
  /** It runs instead of the actor. */
  #healing: Healing | undefined;
  #timers = 0;
  /** Of this life. */
  #view = 0;
  /** Who sent the frame in work, and whether it came as it was sent. */
  #receiving: { readonly from: Endpoint; readonly isPristine: boolean } | undefined;
  #context: Context | undefined;

  constructor(replica: Replica, life: number) {
    this.replica = replica;
    this.#world = replica.world;
    this.#random = replica.world.random.fork(`process ${replica.id}.${life}`);
  }

  get context(): Context | undefined {
    return this.#actor?.context;
  }

  get service(): Service | undefined {
    return this.#service;
  }

  get actor(): ConsensusActor | undefined {
    return this.#actor;
  }

  get log(): Log | undefined {
    return this.#log;
  }

  /** Timers set and neither fired nor cleared. */
  get timers(): number {
    return this.#timers;
  }

  /** As a node starts: the log is verified, or healed first, and the flags are loaded before any message. */
  start(): void {
    const { replica } = this;
    if (replica.isHonest) this.#world.invariants.starts(replica);
    const log = replica.disk.open(replica.name, hashing, (write) => this.#written(write));
    this.#log = log;
    if (!(log instanceof LogDatabase)) {
      ensureGenesis(log, this.#world.founding.genesis);
      return this.#begin(log, verified(log));
    }
    const defect = log.defect();
    if (defect !== undefined) this.#loseJournal(log, defect);
    this.#heal(log, (tree) => this.#begin(log, tree));
  }

  /** Goes on at once when the log holds; else when peers have given what does not (ADR 0017). */
  #heal(log: LogDatabase, goOn: (tree: MerkleFrontier) => void): void {
    const { replica } = this;
    const { genesis } = this.#world.founding;
    try {
      ensureGenesis(log, genesis);
      if (!replica.isMarkedDamaged) return goOn(verified(log));
    } catch (error) {
      if (!(error instanceof LogDamage)) throw error;
    }
    replica.isMarkedDamaged = true;
    countFault(this.#world, "log healed from peers");
    const { peers, clock, schedule, random, observer } = this.#ports(log);
    const healed = (sound: Verified<MerkleFrontier>): void => {
      this.#healing = undefined;
      replica.isMarkedDamaged = false;
      if (this.#world.profile.checkpoints) log.commit({ marks: [verifiedMark(sound)] });
      goOn(sound.tree);
    };
    const told = (report: HealingReport): void => {
      const { record, scheduler } = this.#world;
      record?.({ kind: "healing", at: scheduler.now, node: replica.name, report });
      if (report.kind === "stuck") throw new Violation("damage is healed", `${replica.name}: ${report.reason}`);
    };
    const ports = { log, peers, clock, schedule, random, observer: { ...observer, told, healed } };
    this.#healing = new Healing(replica.committee, ports, genesis, START);
    this.#healing.start();
  }

  /** What its votes rest on is damaged: they count as lost. */
  #loseJournal(log: LogDatabase, reason: string): void {
    countFault(this.#world, "journal given up");
    loseJournal(log);
    this.replica.votesLost(reason);
  }

  #loadStart(log: Log, tree: MerkleFrontier): Start {
    const { committee } = this.replica;
    try {
      return loadStart(log, committee, tree, this.replica.isJournalLost);
    } catch (error) {
      if (!(error instanceof LogDamage) || !(log instanceof LogDatabase)) throw error;
      this.#loseJournal(log, error.reason);
      return loadStart(log, committee, tree, true);
    }
  }

  #begin(log: Log, tree: MerkleFrontier): void {
    const { replica } = this;
    if (this.#world.profile.otherEpoch) plantOtherEpoch(log);
    const start = this.#loadStart(log, tree);
    if (replica.isHonest) this.#world.invariants.booted(replica, start.context.final.view, start.certificates);
    const actor = new ConsensusActor(replica.committee, this.#ports(log), start);
    this.#actor = actor;
    const head = present(log.head(), "the log begins with genesis").height;
    const service = this.#startService(actor, head);
    this.#service = service;
    const written = service.folding?.newest();
    if (written !== undefined) actor.checkpointWritten(written.height, written.root, written.segments);
    for (const { height, root } of service.knownRoots()) actor.executed(height, root);
    actor.startDelivery(heightOf(service.ledger.height + 1));
    service.serveFrom(head);
    if (log instanceof LogDatabase) replica.everythingWasRead();
    this.#context = actor.context;
    const { record, scheduler, network, replicas } = this.#world;
    const { context } = actor;
    record?.({ kind: "booted", at: scheduler.now, node: replica.name, state: standingOf(context), context });
    for (const peer of replicas) {
      if (peer === replica || peer.process === undefined || !network.isConnected(replica.id, peer.id)) continue;
      this.peerConnected(peer.member);
      peer.process.peerConnected(replica.member);
    }
  }

  #startService(actor: ConsensusActor, head: number): Service {
    const { replica } = this;
    const { founding, scheme } = this.#world;
    const open = (): Service =>
      new Service({
        cluster: founding.cluster,
        scheme,
        random: this.#random.fork("service"),
        projection: replica.projection,
        later: (ms, run) => void this.#later(ms, run),
        executionTime: () => this.#random.exponential(0.5) + replica.executionTime,
        executed: (block, delivery) => this.#executed(actor, block, delivery),
        projected: (projector) => {
          if (replica.isHonest) this.#world.invariants.graph.projected(replica.name, projector);
        },
        checkpoints: writesCheckpoints(replica, actor, () => this.#begins()),
        submit: (signed) => actor.submit(signed),
        defect: (error) => {
          throw error;
        },
      });
    const service = open();
    const begins = this.#begins();
    if (service.ledger.height <= head && service.ledger.height >= (begins ?? -1)) return service;
    // The tables are ahead of a log that was lost, or below where it begins: they are derived, so they go.
    replica.projection?.close();
    const projection = new Projection();
    replica.projection = projection;
    if (begins !== null) fillFromCheckpoint(replica, projection, begins);
    return open();
  }

  /** The checkpoint that the log begins with, while older blocks are still to come. */
  #begins(): Height | null {
    return this.#log instanceof LogDatabase ? (this.#log.gap()?.begins ?? null) : null;
  }

  /** The actor has stopped. Segments first, then the log, then this life ends. */
  #adopt(log: LogDatabase, { statement, segments, event, tree, pruneBelow }: FetchedCheckpoint): void {
    const { replica } = this;
    const { invariants } = this.#world;
    if (replica.isHonest) invariants.checkpoints.adoptedBy(replica.name, statement);
    replica.disk.checkpoints.complete("fetched", statement.height, segments);
    const mark = verifiedMark({ next: heightOf(event.height + 1), tree, parent: event.hash });
    log.beginAt(event, pruneBelow, [mark]);
    countFault(this.#world, "checkpoint adopted");
    replica.startAnew("adopted a checkpoint");
  }

  #ports(log: Log): ConsensusPorts {
    const { replica } = this;
    const { scheme, founding, network, replicas } = this.#world;
    const key = keyOfMember(founding, replica.member);
    const checkpoints = checkpointsOf(replica, log, (kept, found) =>
      this.#later(SEALING_MS, () => this.#adopt(kept, found)),
    );
    return {
      log,
      ...(checkpoints !== undefined && { checkpoints }),
      peers: {
        send: (to, frame) => this.#send(to, frame),
        connected: () => {
          const peers = new Set<MemberIndex>();
          for (const peer of replicas)
            if (
              peer.member !== replica.member &&
              peer.process !== undefined &&
              network.isConnected(replica.id, peer.id)
            )
              peers.add(peer.member);
          return [...peers];
        },
      },
      clock: {
        now: () => replica.now(),
        set: (ms, run) => this.#setTimer(ms, run),
        clear: (handle) => this.#clearTimer(handle),
      },
      schedule: (run) => void this.#later(this.#random.next() * DRAIN_MS_MAX, run),
      random: this.#random.next,
      sign: (message, done) => {
        this.#later(SIGNING_MS * (0.5 + this.#random.next()), () => done(scheme.sign(key, message)));
      },
      executor: {
        deliver: (delivery) => {
          if (this.#service === undefined) this.#later(0, () => this.#service?.deliver(delivery));
          else this.#service.deliver(delivery);
        },
        bundleHeld: () => {},
      },
      observer: {
        refused: (reason, member) => this.#refused(reason, member),
        advanced: () => {},
        halted: ({ height }) => {
          if (replica.isHonest) this.#world.invariants.halted(replica, height);
        },
        evidence: (kind, member, view) => {
          const { record, scheduler } = this.#world;
          const entry = { kind: "evidence", at: scheduler.now, node: replica.name, evidence: kind };
          record?.({ ...entry, member: `n${member}`, view });
          if (replica.isHonest) this.#world.invariants.evidence(replica, kind, member, view);
        },
        stepped: (event, effects) => this.#stepped(event, effects),
      },
    };
  }

  /** Runs a step of this process; whatever it throws, the machine deals with. Returns false when it threw. */
  attempt(step: () => void): boolean {
    if (!this.#alive) return false;
    try {
      step();
      return true;
    } catch (error) {
      this.replica.failed(error);
      return false;
    }
  }

  /** Within this life, when the processor is free. */
  #later(ms: number, run: () => void): Task {
    const { scheduler } = this.#world;
    const step = (): void => {
      if (!this.#alive) return;
      if (this.replica.busyUntil > scheduler.now) scheduler.at(this.replica.busyUntil, step);
      else this.attempt(run);
    };
    return scheduler.at(Math.max(scheduler.now, this.replica.busyUntil) + ms, step);
  }

  #setTimer(ms: number, run: () => void): { task: Task | undefined } {
    this.#timers += 1;
    const { trace, scheduler } = this.#world;
    const handle: { task: Task | undefined } = { task: undefined };
    const fire = (): void => {
      if (handle.task === undefined) return; // cleared while the processor was busy
      handle.task = undefined;
      this.#timers -= 1;
      trace.event("T", scheduler.now, this.replica.id);
      run();
    };
    handle.task = this.#later(ms / this.replica.clockRate, fire);
    return handle;
  }

  #clearTimer(given: unknown): void {
    const handle = given as { task: Task | undefined } | undefined;
    if (handle?.task === undefined) return;
    this.#world.scheduler.cancel(handle.task);
    handle.task = undefined;
    this.#timers -= 1;
  }

  /** A step that something outside the node asks for. */
  step(run: () => void): void {
    this.#later(0, run);
  }

  peerConnected(member: MemberIndex): void {
    this.#actor?.post({ type: "peerConnected", member });
  }

  #send(to: MemberIndex, frame: Uint8Array): void {
    if (!this.#alive) return;
    const { replica } = this;
    const { behaviour } = replica;
    const { invariants, record, scheduler, trace } = this.#world;
    trace.event("S", scheduler.now, replica.id);
    trace.number(to);
    trace.number(frame.length);
    const message = messageOf(frame);
    record?.({ kind: "sent", at: scheduler.now, node: replica.name, to: `n${to}`, message });
    if (behaviour === undefined) {
      if (message !== undefined) invariants.sent(replica, message);
      this.carry(to, frame);
    } else if (message !== undefined) behaviour.send(to, frame, message);
  }

  /** Gives a frame to the network. */
  carry(to: MemberIndex, frame: Uint8Array): void {
    const { record, scheduler } = this.#world;
    const { name, isHonest } = this.replica;
    if (!isHonest)
      record?.({ kind: "carried", at: scheduler.now, node: name, to: `n${to}`, message: messageOf(frame) });
    for (const peer of replicasOf(this.#world, to))
      if (peer !== this.replica) this.#world.network.carry(this.replica, peer, frame);
  }

  receive(from: Endpoint, frame: Uint8Array, isPristine: boolean): void {
    if (!this.#alive) return;
    const { scheduler, trace, record } = this.#world;
    const { replica } = this;
    if (replica.busyUntil > scheduler.now) {
      scheduler.at(replica.busyUntil, () => this.receive(from, frame, isPristine));
      return;
    }
    trace.event("D", scheduler.now, replica.id);
    trace.number(from.id);
    trace.bytes(frame);
    if (record !== undefined) {
      const message = messageOf(frame);
      record({
        kind: "delivered",
        at: scheduler.now,
        node: replica.name,
        from: this.#world.replicas[from.id]?.name,
        isPristine,
        message,
      });
    }
    this.attempt(() => {
      this.#receiving = { from, isPristine };
      this.replica.behaviour?.received(from.member, frame);
      (this.#actor ?? this.#healing)?.receive(from.member, frame);
      this.#receiving = undefined;
    });
  }

  #refused(reason: string, member: MemberIndex | null): void {
    const { from, isPristine } = this.#receiving ?? {};
    if (member === null || !this.replica.isHonest || isPristine !== true || from?.member !== member) return;
    const sender = this.#world.replicas[from.id];
    if (sender?.isHonest === true) this.#world.invariants.refused(this.replica, reason, member);
  }

  #stepped(event: ConsensusEvent, effects: readonly ConsensusEffect[]): void {
    const { trace, scheduler, invariants, record } = this.#world;
    const { replica } = this;
    trace.event("E", scheduler.now, replica.id);
    trace.text(event.type);
    for (const effect of effects) trace.text(effect.type);
    if (replica.isHonest) invariants.stepped(replica, effects);
    const context = this.#actor?.context;
    if (context !== undefined && replica.isHonest) {
      if (context.view < this.#view)
        throw new Violation("views only grow", `${replica.name} went back from view ${this.#view} to ${context.view}`);
      this.#view = context.view;
    }
    if (record === undefined || context === undefined) return;
    const changed = changedFields(this.#context ?? context, context);
    this.#context = context;
    const state = standingOf(context);
    record({ kind: "stepped", at: scheduler.now, node: replica.name, state, event, effects, changed });
  }

  #written(write: Durable): void {
    const { replica } = this;
    const { trace, scheduler, invariants, record } = this.#world;
    trace.event("W", scheduler.now, replica.id);
    trace.number(replica.disk.writes);
    if (write.kind === "commit") {
      for (const { view, kind, key } of write.batch.journal ?? []) {
        trace.number(view);
        trace.text(kind);
        trace.text(key);
      }
      for (const { hash } of write.batch.append?.events ?? []) trace.text(hash);
      for (const { hash } of write.batch.candidates ?? []) trace.text(hash);
      for (const { root } of write.batch.executed ?? []) trace.text(root);
    }
    if (write.kind === "begin") trace.text(`begin ${write.event.hash}`);
    if (write.kind === "repair") for (const { hash } of write.events) trace.text(`repair ${hash}`);
    replica.busyUntil = Math.max(replica.busyUntil, scheduler.now) + 0.05 + replica.syncTime;
    if (replica.isHonest) invariants.written(replica, write);
    record?.({ kind: "written", at: scheduler.now, node: replica.name, write: replica.disk.writes, what: write });
  }

  #executed(actor: ConsensusActor, block: ExecutedBlock, delivery: Delivery): void {
    const { replica } = this;
    const { invariants, record, scheduler } = this.#world;
    if (replica.isHonest) {
      invariants.executed(replica, block);
      const ledger = this.#service?.ledger;
      if (ledger !== undefined) {
        invariants.graph.executed(replica.name, block, ledger.graph);
        invariants.keys.executed(replica.name, block, delivery, ledger.kerl.view);
      }
    }
    const { height, hash, root, time, facts } = block;
    const known = `${height} ${root}`;
    const news = this.#world.recordedFacts.has(known) ? {} : { facts };
    if (record !== undefined) this.#world.recordedFacts.add(known);
    record?.({ kind: "executed", at: scheduler.now, node: replica.name, height, hash, root, time, ...news });
    actor.executed(height, root);
  }

  /** View of the last final block, if the disk holds it. */
  durableFinalView(): number {
    const final = this.context?.final;
    if (final === undefined || this.#log?.hashAt(final.height) !== final.hash) return 0;
    return final.view;
  }

  kill(): void {
    this.#alive = false;
    this.#log?.close();
  }
}

export const allMembers = (size: number): readonly MemberIndex[] =>
  Array.from({ length: size }, (_, i) => memberIndex(i));
