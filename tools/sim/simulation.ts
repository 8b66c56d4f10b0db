/**
 * A whole cluster in one thread and virtual time: real consensus actors, machines and ledgers over seeded disks, clocks and a seeded
 * network, with Byzantine members and clients. One seed is one run, to the byte: `traceHash` says so.
 *
 * Safety mode: faults strike to the end, and the invariants hold after every step. Liveness mode: after the faults a quorum is healed;
 * from then on every write is settled within a bound, all honest members end with one log, and the cluster falls silent.
 */
import { memberIndex } from "../../src/base/brands.ts";
import { decode } from "../../src/base/codec.ts";
import { signingBytes } from "../../src/crypto/hash.ts";
import { bundleBodyShape, bundleShape } from "../../src/events/facts/bundle.ts";
import { LogDatabase } from "../../src/events/store/log-database.ts";
import { faultsTolerated } from "../../src/machines/consensus/committee.ts";
import type { Context } from "../../src/machines/consensus/types.ts";
import type { HistoryEntry } from "../linearizability/history.ts";
import { behaviourOf } from "./byzantine/index.ts";
import { Clients } from "./clients.ts";
import { clientController } from "./controller.ts";
import { foundingOf } from "./founding.ts";
import { GraphWriters } from "./graph-writers.ts";
import { historyViolation } from "./invariants-history.ts";
import { KeyInvariants } from "./invariants-keys.ts";
import { Invariants } from "./invariants.ts";
import { KeyWriters } from "./key-writers.ts";
import { Nemesis } from "./nemesis.ts";
import { Network } from "./network.ts";
import { type Profile, type ProfileOptions, profileOf } from "./profile.ts";
import { type NodeProcess, messageOf } from "./process.ts";
import { Random } from "./random.ts";
import type { RecordEntry } from "./record.ts";
import { Replica } from "./replica.ts";
import { Scheduler } from "./scheduler.ts";
import { Keys, ed25519Scheme, keyedHashScheme } from "./scheme.ts";
import { Trace } from "./trace.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

export type { RecordEntry } from "./record.ts";
export type { ByzantineKind, FaultKind, Mode, Profile } from "./profile.ts";

export interface SimOptions extends ProfileOptions {
  readonly record?: (entry: RecordEntry) => void;
  /** Ran once everything is set up and before anything runs: for tests that break something. */
  readonly tamper?: (world: World) => void;
}

export interface SimOutcome {
  readonly seed: number;
  readonly ok: boolean;
  readonly violation?: { readonly invariant: string; readonly message: string; readonly atMs: number };
  /** SHA-256 over every event, in order. */
  readonly traceHash: string;
  readonly events: number;
  readonly simulatedMs: number;
  /** How often each kind of fault struck. */
  readonly faults: Readonly<Record<string, number>>;
  readonly viewsDecided: number;
  readonly viewsNullified: number;
  readonly blocks: number;
  readonly acknowledged: number;
  readonly frames: number;
  readonly history: readonly HistoryEntry[];
  readonly profile: Profile;
}

/** Byzantine members act by themselves this often on average. Units: ms. */
const TICK_MS = 300;
/** After healing, in waiting times of the cap that views may have grown to. */
const CLIENTS_GO_ON_MS = 5000;
const SETTLE_CAPS = 6;
const SETTLE_MS = 20_000;
/** A liar may be asked for a checkpoint first, and keep its segments: until the next one is asked. Units: ms. */
const CHECKPOINT_PATIENCE_MS = 35_000;
/** What was under way when the last write was settled may end: views whose messages take longer than their timers. */
const CALM_DOWN_MS = 5000;
/** A member that lost its journal asks one other after the other, whether there is work or not. */
const SURVEY_MS = 60_000;
const isSurveying = ({ process }: Replica): boolean => process?.context?.votesAbove === "unknown";
/** How long a cluster without work is watched. Units: ms. */
const QUIET_MS = 30_000;

/** Whether a bundle is signed by the member that it names. */
function isMade({ founding, scheme }: World, bytes: Uint8Array): boolean {
  const bundle = decode(bundleShape, bytes, bytes.length);
  const body = bundle.ok ? decode(bundleBodyShape, bundle.value.body, bytes.length) : bundle;
  const key = body.ok ? founding.epochKeys[body.value.member] : undefined;
  if (!bundle.ok || key === undefined) return false;
  return scheme.verify(key, signingBytes("bundle", founding.cluster, bundle.value.body), bundle.value.signature);
}

/** A frame that the network lost goes into the record, by the names of its ends. */
const recordDrops =
  ({ record, replicas, scheduler }: World): Network["onDropped"] =>
  (from, to, frame, reason) => {
    const [node, peer] = [replicas[from.id]?.name, replicas[to.id]?.name];
    if (node === undefined) return;
    record?.({ kind: "dropped", at: scheduler.now, node, to: peer, reason, message: messageOf(frame) });
  };

export function runSeed(options: SimOptions): SimOutcome {
  return new Simulation(options).run();
}

/** Whether a member has votes above its last final view. */
const hasOwnVotes = (context: Context | undefined): boolean =>
  context !== undefined && Object.keys(context.own).some((view) => Number(view) > context.final.view);

/** Whether blocks before a checkpoint are still to come. */
const hasGap = (process: NodeProcess | undefined): boolean =>
  process?.log instanceof LogDatabase && process.log.gap() !== undefined;

class Simulation {
  readonly #options: SimOptions;
  readonly #world: World;
  readonly #clients: Clients;
  readonly #nemesis: Nemesis;
  readonly #writers: GraphWriters | undefined;
  readonly #keyWriters: KeyWriters | undefined;

  constructor(options: SimOptions) {
    this.#options = options;
    const random = new Random(`seed ${options.seed}`);
    const profile = profileOf(options, random.fork("profile"));
    const founding = foundingOf(profile.nodes);
    const scheduler = new Scheduler();
    const faults: Record<string, number> = {};
    const twins = profile.byzantine.filter((kind) => kind === "twins").length;
    const replicas: Replica[] = [];
    const keys = new Keys(founding.keys);
    const scheme = profile.ed25519 ? ed25519Scheme(keys) : keyedHashScheme(keys);
    const world: World = {
      profile,
      founding,
      scheme,
      keys,
      client: clientController(keys, scheme),
      random,
      scheduler,
      network: new Network(profile.nodes + twins, profile.network, random.fork("network"), scheduler, faults),
      trace: new Trace(),
      invariants: new Invariants(
        (member) => replicas.find((replica) => replica.member === member)?.isHonest === true,
        profile.nodes,
        random.fork("graph questions"),
        (bundle) => isMade(world, bundle),
        new KeyInvariants(random.fork("key questions"), () => scheme),
      ),
      replicas,
      faults,
      record: options.record,
      recordedFacts: new Set(),
    };
    this.#world = world;
    if (options.record !== undefined) world.network.onDropped = recordDrops(world);
    this.#addReplicas(replicas);
    this.#nemesis = new Nemesis(world);
    this.#clients = new Clients(world);
    this.#keyWriters = profile.keys ? new KeyWriters(world) : undefined;
    this.#writers = profile.graph ? new GraphWriters(world, world.invariants.graph) : undefined;
  }

  #addReplicas(replicas: Replica[]): void {
    const { profile, random } = this.#world;
    const seats = random.fork("seats").shuffled(Array.from({ length: profile.nodes }, (_, i) => i));
    const kindOf = new Map(profile.byzantine.map((kind, i) => [seats[i], kind]));
    const add = (seat: number, name: string): void => {
      const kind = kindOf.get(seat);
      const behaviour = kind && behaviourOf(kind, random.fork(`behaviour ${replicas.length}`));
      const replica = new Replica(this.#world, replicas.length, name, memberIndex(seat), behaviour);
      behaviour?.attach(replica);
      replicas.push(replica);
    };
    for (let seat = 0; seat < profile.nodes; seat++) add(seat, `n${seat}`);
    for (const [seat, kind] of kindOf) if (kind === "twins" && seat !== undefined) add(seat, `n${seat}'`);
  }

  run(): SimOutcome {
    let violation: Violation | undefined;
    try {
      this.#begin();
      this.#strike();
      if (this.#world.profile.mode === "liveness") this.#heal();
      this.#world.invariants.kept(Math.max(...this.#honest().map(({ height }) => height)));
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      violation = error;
    }
    return this.#end(violation);
  }

  #honest(): readonly Replica[] {
    return this.#world.replicas.filter(({ isHonest }) => isHonest);
  }

  #begin(): void {
    const { profile, replicas, record, scheduler } = this.#world;
    const { seed } = this.#options;
    const members = replicas.map(({ name, behaviour }) => ({ name, is: behaviour?.kind ?? "honest" }));
    const { cluster, founders } = this.#world.founding;
    const aids = founders.map(({ aid }) => aid);
    record?.({ kind: "began", at: scheduler.now, seed, profile, members, cluster, aids });
    this.#options.tamper?.(this.#world);
    for (const replica of replicas) {
      replica.bootLater(0);
      if (replica.behaviour !== undefined) this.#tick(replica);
    }
    this.#clients.start();
    this.#writers?.start();
    this.#keyWriters?.start();
    this.#nemesis.start();
  }

  #tick(replica: Replica): void {
    const { scheduler, random } = this.#world;
    const chance = random.fork(`ticks ${replica.id}`);
    const next = (): void => {
      if (replica.process !== undefined) replica.behaviour?.tick();
      scheduler.at(scheduler.now + chance.exponential(TICK_MS), next);
    };
    next();
  }

  #runUntil(end: number, condition: () => boolean = () => false): boolean {
    const { scheduler } = this.#world;
    while (scheduler.step(end)) if (condition()) return true;
    return condition();
  }

  #strike(): void {
    const { profile } = this.#world;
    this.#runUntil(profile.duration);
  }

  #heal(): void {
    const { scheduler, profile, record } = this.#world;
    this.#nemesis.heal();
    record?.({ kind: "healed", at: scheduler.now });
    const healed = scheduler.now;
    this.#runUntil(scheduler.now + CLIENTS_GO_ON_MS);
    this.#settle(healed);
    if (profile.byzantine.length > 0) return;
    this.#watchQuiet();
    this.#clients.goOn();
    this.#runUntil(scheduler.now + 4 * profile.thinkTime);
    this.#settle(healed);
  }

  /** Clients stop; within the bound everything is settled, alike on all members, and every write since has its outcome. */
  #settle(healed: number): void {
    const { scheduler, profile } = this.#world;
    this.#clients.stop();
    this.#writers?.stop();
    this.#keyWriters?.stop();
    const patience = profile.checkpoints && profile.byzantine.length > 0 ? CHECKPOINT_PATIENCE_MS : 0;
    const bound = scheduler.now + SETTLE_MS + SETTLE_CAPS * profile.timings.cap + patience;
    const isIdle = (): boolean => this.#clients.idle && this.#keyWriters?.idle !== false;
    const isSettled = (): boolean => isIdle() && this.#isSettled();
    if (!this.#runUntil(bound, isSettled)) throw this.#stuck(`${Math.round(scheduler.now - healed)} ms after healing`);
    this.#keyWriters?.judgeEnd();
    const unknown = this.#clients.history.find(
      ({ call, startMs, outcome }) => call.kind === "write" && startMs >= healed && outcome.kind === "unknown",
    );
    if (unknown !== undefined)
      throw new Violation(
        "progress",
        `a write that began ${Math.round(unknown.startMs - healed)} ms after healing has no outcome`,
      );
  }

  /** Members that run hold one log, all of it executed, and nothing waits. */
  #isSettled(): boolean {
    const running = this.#honest().filter(({ isHeldDown }) => !isHeldDown);
    const [first] = running;
    return running.every(({ process, height }) => {
      const context = process?.context;
      return (
        context !== undefined &&
        height === first?.height &&
        context.mempool.length === 0 &&
        context.executed === context.final.height &&
        context.final.height === height &&
        !hasGap(process)
      );
    });
  }

  #stuck(when: string): Violation {
    const where = this.#honest().map(({ name, process, height, isHeldDown }) => {
      const context = process?.context;
      if (context === undefined) return `${name} ${isHeldDown ? "left down" : "down"} at ${height}`;
      const { view, final, executed, mempool, votesAbove, pendingFinal } = context;
      const more = [
        ...(mempool.length > 0 ? [`${mempool.length} bundles`] : []),
        ...(votesAbove === null ? [] : [`votes above ${votesAbove}`]),
        ...(hasGap(process) ? ["older blocks are missing"] : []),
        ...(pendingFinal === null ? [] : [`waits for block of view ${pendingFinal.view}`]),
      ];
      return `${name} in view ${view}, final ${final.height}, executed ${executed}${more.length > 0 ? `, ${more.join(", ")}` : ""}`;
    });
    return new Violation("progress", `not settled ${when}: ${where.join("; ")}`);
  }

  /**
   * Rule 1, quiet: no blocks, no messages, no timers. Up to f members may have nullified a view that the others never ended being quiet
   * for: they go on repeating their vote, as rule 7 says, and everybody else stays silent.
   */
  #watchQuiet(): void {
    const { scheduler, network, invariants, profile } = this.#world;
    const rests = (): boolean => this.#timers(this.#honest()) === 0 && !this.#honest().some(isSurveying);
    this.#runUntil(scheduler.now + 4 * profile.timings.cap + SURVEY_MS, rests);
    this.#runUntil(scheduler.now + CALM_DOWN_MS);
    const { frames } = network;
    const { blocks } = invariants;
    this.#runUntil(scheduler.now + QUIET_MS);
    const restless = this.#honest().filter(({ process }) => process !== undefined && hasOwnVotes(process.context));
    const silent = this.#honest().filter((replica) => !restless.includes(replica));
    const timers = this.#timers(silent);
    const mayTalk = restless.length > 0 && restless.length <= faultsTolerated(profile.nodes);
    if ((mayTalk || network.frames === frames) && invariants.blocks === blocks && timers === 0) return;
    const said = `${network.frames - frames} frames, ${invariants.blocks - blocks} blocks, ${timers} timers`;
    const who = restless.length > 0 ? ` (${restless.map(({ name }) => name).join(", ")} have votes open)` : "";
    throw new Violation("quiet", `a cluster without work does not fall silent: ${said} in ${QUIET_MS} ms${who}`);
  }

  #timers(replicas: readonly Replica[]): number {
    return replicas.reduce((sum, { process }) => sum + (process?.timers ?? 0), 0);
  }

  #end(broken: Violation | undefined): SimOutcome {
    const { scheduler, faults, invariants, network, trace, profile, record, replicas } = this.#world;
    const history = this.#clients.end();
    const mayLoseDisks = profile.faults.some((kind) => kind === "diskLost" || kind === "bitFlip");
    const violation = broken ?? historyViolation(history, mayLoseDisks);
    for (const replica of replicas) replica.end();
    if (invariants.keys.stale > 0) faults["batches by old keys"] = invariants.keys.stale;
    const atMs = scheduler.now;
    if (violation !== undefined) {
      const { invariant, message } = violation;
      record?.({ kind: "violation", at: atMs, invariant, message });
    }
    const { events } = trace;
    const outcome: SimOutcome = {
      seed: this.#options.seed,
      ok: violation === undefined,
      ...(violation !== undefined && {
        violation: { invariant: violation.invariant, message: violation.message, atMs },
      }),
      traceHash: trace.end(),
      events,
      simulatedMs: atMs,
      faults,
      viewsDecided: invariants.viewsDecided,
      viewsNullified: invariants.viewsNullified,
      blocks: invariants.blocks,
      acknowledged: invariants.acknowledged,
      frames: network.frames,
      history,
      profile,
    };
    const { history: _history, profile: _profile, ...result } = outcome;
    record?.({ kind: "ended", at: atMs, ...result });
    return outcome;
  }
}
