/** Clients of the simulation: sessions that write and check, retry under the same id, and keep the history of what they were told. */
import type { CommandId, LogTime } from "../../src/base/brands.ts";
import { encode } from "../../src/base/codec.ts";
import type { Command, KeyStateRef } from "../../src/events/facts/command.ts";
import { type Assertion, type GraphNode, graphWriteShape } from "../../src/events/facts/graph.ts";
import type { Call, CallOutcome, HistoryEntry, WriteCall } from "../linearizability/history.ts";
import { signedBy } from "./controller.ts";
import type { Random } from "./random.ts";
import type { Replica } from "./replica.ts";
import type { CheckAnswer, WriteAnswer } from "./service.ts";
import { EPOCH_MS, type World } from "./world.ts";

/** Units: ms. */
const WRITE_ATTEMPT_MS = 3000;
const WRITE_DEADLINE_MS = 25_000;
const CHECK_DEADLINE_MS = 5000;
const COMMAND_LIFETIME_MS = 60_000;
const DELAY_MS_MAX = 2;

const NO_RELATION = { namespace: "", name: "" };
const node = (name: string): GraphNode => ({ namespace: "sim", name, relation: NO_RELATION });
const edgeOf = (n: number): Assertion => ({ subject: node(`user ${n}`), object: node(`document ${n}`) });
const textOf = (n: number): string => `sim:user ${n} sim:document ${n}`;

interface Pending {
  readonly call: Call;
  readonly startMs: number;
  readonly finish: Finish;
}

/** One process of a node, as long as it runs. Heights may begin anew with the next, so it is another session. */
interface Connection {
  readonly session: string;
  readonly node: Replica;
}

/** Ends a call, once, as that connection answered it; without one, as nobody did. */
type Finish = (outcome: CallOutcome, by?: Connection) => void;

/** What all sessions of a run share. */
export class Clients {
  readonly world: World;
  readonly history: HistoryEntry[] = [];
  readonly #sessions: readonly Session[];
  /** Newest height that any answer named. */
  newest = 0;
  #commands = 0;

  constructor(world: World) {
    this.world = world;
    const { sessions } = world.profile;
    this.#sessions = Array.from(
      { length: sessions },
      (_, i) => new Session(this, i, world.random.fork(`session ${i}`)),
    );
  }

  start(): void {
    for (const session of this.#sessions) session.rest();
  }

  /** Lets calls that are under way end, begins no more. */
  stop(): void {
    for (const session of this.#sessions) session.isStopped = true;
  }

  /** Begins calls again. */
  goOn(): void {
    for (const session of this.#sessions) {
      session.isStopped = false;
      session.rest();
    }
  }

  get idle(): boolean {
    return this.#sessions.every(({ isBusy }) => !isBusy);
  }

  nextId(): CommandId {
    this.#commands += 1;
    return this.#commands.toString(16).padStart(32, "0") as CommandId;
  }

  /** The whole history; what is under way has no end. */
  end(): readonly HistoryEntry[] {
    for (const session of this.#sessions) session.end();
    return this.history;
  }
}

class Session {
  readonly #clients: Clients;
  readonly #index: number;
  readonly #random: Random;
  isStopped = false;
  #connection: Connection | undefined;
  #process: Replica["process"];
  #connections = 0;
  #rests = 0;
  #pending: Pending | undefined;

  constructor(clients: Clients, index: number, random: Random) {
    this.#clients = clients;
    this.#index = index;
    this.#random = random;
  }

  get isBusy(): boolean {
    return this.#pending !== undefined;
  }

  get #world(): World {
    return this.#clients.world;
  }

  #later(ms: number, run: () => void): void {
    const { scheduler } = this.#world;
    scheduler.at(scheduler.now + ms, run);
  }

  rest(): void {
    this.#rests += 1;
    const mine = this.#rests;
    this.#later(this.#random.exponential(this.#world.profile.thinkTime), () => {
      if (this.isStopped || mine !== this.#rests) return;
      if (this.#random.chance(0.6)) this.#write();
      else this.#check();
    });
  }

  /** Honest nodes only: a liar may tell its clients anything. */
  #connect(): Connection {
    this.#connections += 1;
    const node = this.#random.pick(this.#world.replicas.filter((replica) => replica.isHonest));
    this.#process = node.process;
    this.#connection = { session: `c${this.#index}.${this.#connections}`, node };
    return this.#connection;
  }

  /** The connection that stands; another one when its process is gone. */
  #connected(): Connection {
    const connection = this.#connection;
    if (connection === undefined || this.#process === undefined || connection.node.process !== this.#process)
      return this.#connect();
    return connection;
  }

  #begin(call: Call): Finish {
    const startMs = this.#world.scheduler.now;
    const finish: Finish = (outcome, by) => {
      if (this.#pending?.finish !== finish) return;
      this.#pending = undefined;
      this.#remember(call, startMs, this.#world.scheduler.now, outcome, by);
      this.rest();
    };
    this.#pending = { call, startMs, finish };
    return finish;
  }

  #remember(call: Call, startMs: number, endMs: number | null, outcome: CallOutcome, by = this.#connection): void {
    const { trace, scheduler, record } = this.#world;
    const entry = { session: by?.session ?? "", node: by?.node.name ?? "", call, startMs, endMs, outcome };
    this.#clients.history.push(entry);
    trace.event("C", scheduler.now, this.#index);
    trace.text(call.kind);
    trace.text(outcome.kind);
    record?.({ kind: "client", at: scheduler.now, ...entry });
  }

  end(): void {
    if (this.#pending === undefined) return;
    const { call, startMs } = this.#pending;
    this.#pending = undefined;
    const outcome: CallOutcome =
      call.kind === "write" ? { kind: "unknown" } : { kind: "refused", code: "NOT_ANSWERED" };
    this.#remember(call, startMs, null, outcome);
  }

  #write(): void {
    const { scheduler, profile } = this.#world;
    const edge = this.#random.below(profile.edges);
    const change = this.#random.chance(0.55) ? "grant" : "revoke";
    const call: WriteCall = { kind: "write", id: this.#clients.nextId(), change, edge: textOf(edge) };
    const sign = this.#signing(call, edge);
    const finish = this.#begin(call);
    const deadline = scheduler.now + WRITE_DEADLINE_MS;
    let attempts = 0;
    const attempt = (by: Connection): void => {
      attempts += 1;
      const target = by.node;
      const mine = attempts;
      const signed = sign();
      const again = (ms: number): void =>
        this.#later(ms, () => {
          if (this.#pending?.finish !== finish || mine !== attempts) return;
          if (scheduler.now >= deadline) finish({ kind: "unknown" });
          else attempt(this.#connect());
        });
      again(WRITE_ATTEMPT_MS);
      this.#ask<WriteAnswer>(
        target,
        (answer) => target.process?.service?.write(signed, answer),
        (answer) => {
          if (answer.kind === "settled") finish(this.#settled(target, answer, attempts > 1), by);
          else again(this.#random.between(20, 200));
        },
      );
    };
    attempt(this.#connected());
  }

  #settled(target: Replica, { command }: Extract<WriteAnswer, { kind: "settled" }>, isRetried: boolean): CallOutcome {
    const { height, index, blockHash, outcome } = command;
    // An expired command that was sent before may have acted then, whatever is remembered of it.
    if (outcome.kind === "commandRefused")
      return isRetried && outcome.code === "EXPIRED" ? { kind: "unknown" } : { kind: "refused", code: outcome.code };
    this.#world.invariants.acknowledgedWrite(target, command);
    this.#clients.newest = Math.max(this.#clients.newest, height);
    return { kind: "written", receipt: { height, index, blockHash }, changed: outcome.changed[0] === true };
  }

  /** The same command each time it is sent, signed by the keys that are in force as far as the client knows. */
  #signing({ id, change }: WriteCall, edge: number): () => Uint8Array {
    const { founding, client, scheduler } = this.#world;
    const kind = change === "grant" ? "addAssertion" : "deleteAssertion";
    const payload = encode(graphWriteShape, { changes: [{ kind, assertion: edgeOf(edge) }], preconditions: [] });
    const notAfter = Math.floor(EPOCH_MS + scheduler.now + COMMAND_LIFETIME_MS) as LogTime;
    const command: Command = { id: id as CommandId, kind: "graph.write", payload, notAfter };
    let last: { readonly by: KeyStateRef; readonly signed: Uint8Array } | undefined;
    return () => {
      if (last?.by !== client.keyState)
        last = { by: client.keyState, signed: signedBy(client, founding.cluster, command) };
      return last.signed;
    };
  }

  #check(): void {
    const edge = this.#random.below(this.#world.profile.edges);
    const { newest } = this.#clients;
    const atLeast = this.#random.chance(0.5) ? newest : null;
    const finish = this.#begin({ kind: "check", edge: textOf(edge), atLeast });
    const by = this.#connected();
    const target = by.node;
    const { subject, object } = edgeOf(edge);
    this.#later(CHECK_DEADLINE_MS, () => {
      if (this.#pending?.finish !== finish) return;
      finish({ kind: "refused", code: "DEADLINE" });
      this.#connect();
    });
    this.#ask<CheckAnswer>(
      target,
      (answer) => target.process?.service?.check(subject, object, atLeast ?? 0, answer),
      (answer) => {
        if (answer.kind === "no") {
          finish({ kind: "refused", code: answer.code });
          this.#connect();
          return;
        }
        this.#clients.newest = Math.max(this.#clients.newest, answer.height);
        finish(answer, by);
      },
    );
  }

  /** There and back; nothing comes back from a process that ended meanwhile. */
  #ask<Answer extends WriteAnswer | CheckAnswer>(
    target: Replica,
    call: (answer: (answer: Answer) => void) => void,
    answered: (answer: Answer) => void,
  ): void {
    const delay = (): number => this.#random.next() * DELAY_MS_MAX;
    const { scheduler, invariants } = this.#world;
    this.#later(delay(), () => {
      const { process } = target;
      if (process === undefined || target.busyUntil > scheduler.now + WRITE_ATTEMPT_MS) return;
      process.step(() =>
        call((answer) => {
          if (answer.kind === "checked") invariants.served(target, answer.height);
          const leaves = Math.max(scheduler.now, target.busyUntil);
          scheduler.at(leaves + delay(), () => answered(answer));
        }),
      );
    });
  }
}
