/**
 * A simulated cluster that commands drive: nothing happens by chance but what they say, and the delays that a schedule lists.
 * Everything else is the simulator's: real actors, machines and ledgers, its disks, its invariants after every step.
 */
import type { CommandId, LogTime } from "../../../src/base/brands.ts";
import { memberIndex } from "../../../src/base/brands.ts";
import { encode } from "../../../src/base/codec.ts";
import { present } from "../../../src/base/errors.ts";
import { signingBytes } from "../../../src/crypto/hash.ts";
import { signedBodyShape, signedShape } from "../../../src/events/facts/command.ts";
import { type Assertion, graphWriteShape } from "../../../src/events/facts/graph.ts";
import { DEFAULT_TIMINGS } from "../../../src/machines/consensus/types.ts";
import { clientController } from "../../../tools/sim/controller.ts";
import type { Disk, PlannedFate } from "../../../tools/sim/disk.ts";
import { foundingOf } from "../../../tools/sim/founding.ts";
import { Invariants } from "../../../tools/sim/invariants.ts";
import { Network } from "../../../tools/sim/network.ts";
import { type Profile, profileOf } from "../../../tools/sim/profile.ts";
import { Random } from "../../../tools/sim/random.ts";
import { Replica } from "../../../tools/sim/replica.ts";
import { Scheduler } from "../../../tools/sim/scheduler.ts";
import { keyedHashScheme } from "../../../tools/sim/scheme.ts";
import type { WriteAnswer } from "../../../tools/sim/service.ts";
import { Trace } from "../../../tools/sim/trace.ts";
import { Violation } from "../../../tools/sim/violation.ts";
import { EPOCH_MS, type World } from "../../../tools/sim/world.ts";
import { Oracle } from "./oracle.ts";
import { CORRUPTION, DUPLICATION, LOSS, Schedule } from "./schedule.ts";

export const NODES = 4;
/** A fourth of the defaults: the same rules in less virtual time. Units: ms. */
const TIMINGS = { ...DEFAULT_TIMINGS, delta: 60, leader: 120, advance: 180, repeat: 120, standstill: 240, cap: 2400 };
const NETWORK = { delay: 1, jitter: 1, loss: LOSS, duplication: DUPLICATION, corruption: CORRUPTION };
/** Everything by which a run of the simulator differs from another, as commands need it. */
const PLAIN = {
  timings: TIMINGS,
  network: NETWORK,
  ed25519: false,
  projector: false,
  sqlite: false,
  graph: false,
  otherEpoch: false,
  checkpoints: false,
} satisfies Partial<Profile>;
/** Commands outlive every run. Units: ms. */
const COMMAND_LIFETIME_MS = 50 * 60_000;
/** After healing everything is settled by then; who got no answer asks again this often. Units: ms. */
const SETTLE_MS = 60_000;
const AGAIN_MS = 1000;

const NO_RELATION = { namespace: "", name: "" };
const edgeOf = (n: number): Assertion => ({
  subject: { namespace: "sim", name: `user ${n}`, relation: NO_RELATION },
  object: { namespace: "sim", name: `document ${n}`, relation: NO_RELATION },
});

interface Write {
  readonly id: CommandId;
  readonly change: "grant" | "revoke";
  readonly edge: number;
  readonly signed: Uint8Array;
}

export interface ClusterOptions {
  /** Delays of the first frames; see Schedule. */
  readonly delays?: readonly number[];
  /** Disks other than the simulator's: broken ones. */
  readonly diskOf?: (random: Random) => Disk;
}

export class Cluster {
  readonly oracle = new Oracle();
  readonly #world: World;
  readonly #schedule: Schedule;
  readonly #writes: Write[] = [];

  constructor({ delays = [], diskOf }: ClusterOptions = {}) {
    const founding = foundingOf(NODES);
    const scheduler = new Scheduler();
    const random = new Random("commands");
    const faults: Record<string, number> = {};
    const replicas: Replica[] = [];
    this.#schedule = new Schedule(delays);
    this.#world = {
      profile: { ...profileOf({ seed: 1, nodes: NODES, byzantine: 0, faults: [] }, random), ...PLAIN },
      founding,
      keys: founding.keys,
      client: clientController(founding.keys, keyedHashScheme(founding.keys)),
      scheme: keyedHashScheme(founding.keys),
      random,
      scheduler,
      network: new Network(NODES, NETWORK, this.#schedule, scheduler, faults),
      trace: new Trace(),
      invariants: new Invariants(() => true),
      replicas,
      faults,
      record: undefined,
      recordedFacts: new Set(),
    };
    for (let seat = 0; seat < NODES; seat++) {
      const replica = new Replica(this.#world, seat, `n${seat}`, memberIndex(seat), undefined);
      if (diskOf !== undefined) replica.disk = diskOf(random.fork(`disk ${seat}`));
      replicas.push(replica);
      replica.boot();
    }
    this.wait(20);
  }

  #node(at: number): Replica {
    return present(this.#world.replicas[at], "a node of the cluster");
  }

  /** Lets virtual time pass. Throws: Violation, when an invariant breaks. Units: ms. */
  wait(ms: number): void {
    const { scheduler } = this.#world;
    const end = scheduler.now + ms;
    while (scheduler.step(end));
  }

  write(at: number, change: "grant" | "revoke", edge: number): void {
    const { founding, scheme, scheduler } = this.#world;
    const { cluster, client } = founding;
    const id = (this.#writes.length + 1).toString(16).padStart(32, "0") as CommandId;
    const kind = change === "grant" ? "addAssertion" : "deleteAssertion";
    const payload = encode(graphWriteShape, { changes: [{ kind, assertion: edgeOf(edge) }], preconditions: [] });
    const notAfter = Math.floor(EPOCH_MS + scheduler.now + COMMAND_LIFETIME_MS) as LogTime;
    const body = encode(signedBodyShape, {
      cluster,
      author: client.aid,
      principal: null,
      keyState: client.keyState,
      commands: [{ id, kind: "graph.write", payload, notAfter }],
    });
    const sig = scheme.sign(client.key, signingBytes("signed", cluster, body));
    const write = { id, change, edge, signed: encode(signedShape, { body, signatures: [{ index: 0, sig }] }) };
    this.#writes.push(write);
    this.#ask(at, write);
  }

  /** Without an answer, or with a no, the write stays open: `finish` asks again. */
  #ask(at: number, write: Write): void {
    const { process } = this.#node(at);
    process?.step(() =>
      process.service?.write(write.signed, (answer) => this.#answered(this.#node(at), write, answer)),
    );
  }

  #answered(replica: Replica, { id, change, edge }: Write, answer: WriteAnswer): void {
    if (answer.kind === "no") return;
    const { height, index, blockHash, outcome } = answer.command;
    if (outcome.kind === "commandRefused") throw new Violation("writes are taken", `${id}: ${outcome.code}`);
    this.#world.invariants.acknowledgedWrite(replica, answer.command);
    const changed = outcome.changed[0] === true;
    this.#say(
      "writes keep their place",
      this.oracle.acknowledge({ id, change, edge, height, index, blockHash, changed }),
    );
  }

  #say(invariant: string, fault: string | undefined): void {
    if (fault !== undefined) throw new Violation(invariant, fault);
  }

  /** Asks a node for an edge; `fresh`: at the newest height that was acknowledged to anybody. */
  check(at: number, edge: number, fresh: boolean): void {
    const replica = this.#node(at);
    const { process } = replica;
    const atLeast = fresh ? this.oracle.newest : 0;
    const { subject, object } = edgeOf(edge);
    process?.step(() =>
      process.service?.check(subject, object, atLeast, (answer) => {
        if (answer.kind === "no") return;
        const { height, result } = answer;
        this.#world.invariants.served(replica, height);
        this.oracle.checks.push({ node: replica.name, edge, height, result, atLeast });
      }),
    );
  }

  crash(at: number): void {
    this.#node(at).kill("command");
  }

  start(at: number): void {
    this.#node(at).boot();
  }

  crashInWrite(at: number, ahead: number, fate: PlannedFate): void {
    this.#node(at).planWrite(ahead, fate);
  }

  loseDisk(at: number): void {
    this.#node(at).loseDisk();
  }

  /** A bit of something that is stored turns over; the node finds out when it reads it. */
  flipBit(at: number): void {
    this.#node(at).flipBit();
  }

  fill(at: number, isFull: boolean): void {
    this.#node(at).disk.isFull = isFull;
  }

  /** Cuts some nodes off the others, both ways; both ends see their connections close. */
  part(nodes: readonly number[]): void {
    const { network, replicas } = this.#world;
    for (const { id: one } of replicas)
      for (const { id: other } of replicas)
        if (nodes.includes(one) !== nodes.includes(other)) network.cut(one, other, true);
  }

  heal(): void {
    const { network, replicas } = this.#world;
    for (const one of replicas)
      for (const other of replicas) {
        if (one.id >= other.id) continue;
        if (![network.join(one.id, other.id), network.join(other.id, one.id)].includes(true)) continue;
        if (other.process !== undefined) one.process?.peerConnected(other.member);
        if (one.process !== undefined) other.process?.peerConnected(one.member);
      }
  }

  /** The next frames are lost, doubled or damaged. */
  strike(what: number, frames: number): void {
    this.#schedule.strikes[what] = frames;
  }

  /** Heals everything; then every write is acknowledged, all logs are one, and every answer was right. Throws: Violation. */
  finish(): void {
    const { replicas, scheduler } = this.#world;
    for (const what of [LOSS, DUPLICATION, CORRUPTION]) this.strike(what, 0);
    for (const { id } of replicas) this.fill(id, false);
    this.heal();
    const end = scheduler.now + SETTLE_MS;
    for (let turn = 0; !this.#isSettled(); turn++) {
      if (scheduler.now >= end) throw new Violation("progress", this.#stuck());
      for (const replica of replicas) replica.boot();
      this.wait(AGAIN_MS / 2);
      for (const write of this.#writes) if (!this.oracle.acknowledged.has(write.id)) this.#ask(turn % NODES, write);
      this.wait(AGAIN_MS / 2);
    }
    // Everything is known to everybody: asking again changes nothing, and all graphs are the one that the writes give.
    for (const replica of replicas) for (const write of this.#writes) this.#ask(replica.id, write);
    for (const { edge } of this.#writes) for (const { id } of replicas) this.check(id, edge, true);
    this.wait(AGAIN_MS);
    this.#say("answers are those of the acknowledged writes", this.oracle.disagreement());
    this.#world.invariants.kept(Math.max(...replicas.map(({ height }) => height)));
  }

  #isSettled(): boolean {
    const { replicas } = this.#world;
    return (
      this.#writes.every(({ id }) => this.oracle.acknowledged.has(id)) &&
      replicas.every(({ process, height }) => {
        const context = process?.context;
        return context?.mempool.length === 0 && context.executed === height && height === replicas[0]?.height;
      })
    );
  }

  #stuck(): string {
    const open = this.#writes.filter(({ id }) => !this.oracle.acknowledged.has(id)).length;
    const where = this.#world.replicas.map(
      ({ name, process, height }) => `${name} at ${height} in view ${process?.context?.view ?? "none"}`,
    );
    return `not settled in ${SETTLE_MS} ms, ${open} writes open: ${where.join(", ")}`;
  }
}
