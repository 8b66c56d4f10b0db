/** Strikes machines, disks, clocks and links, by seed; heals all of it on request. */
import { faultsTolerated } from "../../src/machines/consensus/committee.ts";
import type { FaultKind } from "./profile.ts";
import type { Random } from "./random.ts";
import type { Replica } from "./replica.ts";
import { type World, countFault } from "./world.ts";

export class Nemesis {
  readonly #world: World;
  readonly #random: Random;
  /** The few whose clocks may be wrong in liveness mode: log time must not run ahead of the rest. */
  readonly #badClocks: readonly Replica[];
  #stopped = false;

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random.fork("nemesis");
    const { mode, nodes, byzantine } = world.profile;
    const honest = world.replicas.filter((replica) => replica.isHonest);
    const spared = mode === "safety" ? honest.length : faultsTolerated(nodes) - byzantine.length;
    this.#badClocks = this.#random.shuffled(honest).slice(0, spared);
  }

  start(): void {
    if (this.#world.profile.faults.length > 0) this.#next();
  }

  #next(): void {
    const { scheduler, profile } = this.#world;
    scheduler.at(scheduler.now + this.#random.exponential(profile.faultEvery), () => {
      if (this.#stopped) return;
      this.#strike(this.#random.pick(profile.faults));
      this.#next();
    });
  }

  #lasting(): number {
    return this.#random.exponential(this.#world.profile.faultLasts);
  }

  /** Undoes something later, unless everything is healed before. */
  #after(ms: number, undo: () => void): void {
    const { scheduler } = this.#world;
    scheduler.at(scheduler.now + ms, () => {
      if (!this.#stopped) undo();
    });
  }

  #strike(kind: FaultKind): void {
    const { world } = this;
    const struck = STRIKES[kind].call(undefined, this, this.#random.pick(world.replicas));
    if (struck === undefined) return;
    countFault(world, kind);
    world.trace.event("F", world.scheduler.now, 0);
    world.trace.text(`${kind} ${struck}`);
    world.record?.({ kind: "fault", at: world.scheduler.now, fault: kind, what: struck });
  }

  get world(): World {
    return this.#world;
  }

  get random(): Random {
    return this.#random;
  }

  crash(target: Replica): string {
    const ms = this.#lasting();
    target.kill("crash");
    target.isHeldDown = true;
    this.#after(ms, () => {
      target.isHeldDown = false;
      target.boot();
    });
    return `${target.name} for ${Math.round(ms)} ms`;
  }

  cutPower(target: Replica): string {
    const how = this.crash(target);
    target.losePower();
    return how;
  }

  pause(target: Replica): string {
    const ms = this.#lasting();
    target.busyUntil = Math.max(target.busyUntil, this.#world.scheduler.now) + ms;
    return `${target.name} for ${Math.round(ms)} ms`;
  }

  /** Between two groups, in both directions or one. */
  partition(left: readonly Replica[], right: readonly Replica[], bothWays: boolean): string | undefined {
    if (left.length === 0 || right.length === 0) return undefined;
    const noticed = this.#random.chance(0.5);
    const ms = this.#lasting();
    const pairs = left.flatMap((one) => right.map((other) => [one, other] as const));
    for (const [one, other] of pairs) {
      this.#world.network.cut(one.id, other.id, noticed);
      if (bothWays) this.#world.network.cut(other.id, one.id, noticed);
    }
    this.#after(ms, () => {
      for (const [one, other] of pairs) this.#join(one, other);
    });
    const names = (group: readonly Replica[]): string => group.map(({ name }) => name).join(" ");
    return `${names(left)} ${bothWays ? "|" : "to"} ${names(right)} for ${Math.round(ms)} ms`;
  }

  #join(one: Replica, other: Replica): void {
    const { network } = this.#world;
    const isNew = [network.join(one.id, other.id), network.join(other.id, one.id)].includes(true);
    if (!isNew) return;
    if (other.process !== undefined) one.process?.peerConnected(other.member);
    if (one.process !== undefined) other.process?.peerConnected(one.member);
  }

  halves(): readonly [readonly Replica[], readonly Replica[]] {
    const shuffled = this.#random.shuffled(this.#world.replicas);
    const at = 1 + this.#random.below(shuffled.length - 1);
    return [shuffled.slice(0, at), shuffled.slice(at)];
  }

  lasting(set: () => void, unset: () => void): string {
    const ms = this.#lasting();
    set();
    this.#after(ms, unset);
    return `for ${Math.round(ms)} ms`;
  }

  badClock(): Replica | undefined {
    return this.#badClocks.length === 0 ? undefined : this.#random.pick(this.#badClocks);
  }

  /** Whether one more member may lose what it wrote: at most f at a time, the Byzantine ones counted. */
  mayWound(target: Replica): boolean {
    const { profile, replicas } = this.#world;
    const wounded = replicas.filter((replica) => !replica.hasRecovered()).length;
    return target.isHonest && profile.byzantine.length + wounded < faultsTolerated(profile.nodes);
  }

  /** Everything works again, but for those that stay down and those that are Byzantine. */
  heal(): void {
    this.#stopped = true;
    const { world } = this;
    const { network, replicas, profile } = world;
    network.profile = { ...network.profile, loss: 0, duplication: 0, corruption: 0 };
    for (const replica of replicas) {
      replica.disk.isFull = false;
      replica.clockOffset = 0;
      replica.clockRate = 1;
      replica.syncTime = 0;
      replica.executionTime = 0;
      replica.isHeldDown = false;
    }
    const whole = replicas.filter((replica) => replica.isHonest && replica.hasRecovered());
    const wounded = replicas.filter((replica) => replica.isHonest && !replica.hasRecovered());
    const down = wounded.length > 0 ? [] : this.#random.shuffled(whole).slice(0, profile.leftDown);
    for (const replica of down) {
      replica.kill("left down");
      replica.isHeldDown = true;
    }
    for (const one of replicas)
      for (const other of replicas) {
        network.slow(one.id, other.id, 0);
        if (one.id < other.id) this.#join(one, other);
      }
    for (const replica of replicas) replica.boot();
  }
}

type Strike = (nemesis: Nemesis, target: Replica) => string | undefined;

const STRIKES: { readonly [K in FaultKind]: Strike } = {
  crash: (nemesis, target) => nemesis.crash(target),
  crashInWrite: ({ random }, target) => {
    const fate = random.pick(["crashBefore", "torn", "crashAfter"] as const);
    const ahead = 1 + random.below(6);
    target.planWrite(ahead, fate);
    return `${target.name}: ${fate}, in ${ahead} writes`;
  },
  powerCut: (nemesis) => nemesis.world.replicas.map((replica) => nemesis.cutPower(replica)).join(", "),
  pause: (nemesis, target) => nemesis.pause(target),
  partition: (nemesis) => nemesis.partition(...nemesis.halves(), true),
  oneWayPartition: (nemesis) => nemesis.partition(...nemesis.halves(), false),
  isolation: (nemesis, target) =>
    nemesis.partition(
      [target],
      nemesis.world.replicas.filter((replica) => replica !== target),
      true,
    ),
  slowLink: (nemesis, target) => {
    const { network, replicas } = nemesis.world;
    const extra = nemesis.random.pick([50, 300, 1500]);
    const peer = nemesis.random.pick(replicas);
    const how = nemesis.lasting(
      () => network.slow(target.id, peer.id, extra),
      () => network.slow(target.id, peer.id, 0),
    );
    return `${target.name} to ${peer.name}: ${extra} ms ${how}`;
  },
  burstOfLoss: (nemesis) => {
    const { network } = nemesis.world;
    const { loss } = nemesis.world.profile.network;
    const burst = nemesis.random.between(0.1, 0.6);
    const how = nemesis.lasting(
      () => (network.profile = { ...network.profile, loss: burst }),
      () => (network.profile = { ...network.profile, loss }),
    );
    return `${burst.toFixed(2)} ${how}`;
  },
  clockJump: (nemesis) => {
    const target = nemesis.badClock();
    if (target === undefined) return undefined;
    const ms = nemesis.random.between(-1, 1) * nemesis.random.pick([200, 2000, 20_000]);
    target.clockOffset += ms;
    return `${target.name} by ${Math.round(ms)} ms`;
  },
  clockSkew: (nemesis) => {
    const target = nemesis.badClock();
    if (target === undefined) return undefined;
    target.clockRate = nemesis.random.between(0.9, 1.1);
    return `${target.name} at ${target.clockRate.toFixed(3)}`;
  },
  diskFull: (nemesis, target) => {
    const how = nemesis.lasting(
      () => (target.disk.isFull = true),
      () => (target.disk.isFull = false),
    );
    return `${target.name} ${how}`;
  },
  syncFailure: ({ random }, target) => {
    target.planWrite(1 + random.below(6), "syncFailed");
    return target.name;
  },
  bitFlip: (nemesis, target) => {
    const hit = nemesis.mayWound(target) ? target.flipBit() : undefined;
    if (hit === undefined) return undefined;
    // What a disk spoils is found when it is read: at the next start, all of it.
    const restarted = nemesis.random.chance(0.5) ? `, restarts: ${nemesis.crash(target)}` : "";
    return `${target.name}: ${hit}${restarted}`;
  },
  diskLost: (nemesis, target) => {
    if (!nemesis.mayWound(target)) return undefined;
    target.loseDisk();
    target.bootLater(nemesis.random.exponential(500));
    return target.name;
  },
  slowDisk: (nemesis, target) => {
    const ms = nemesis.random.pick([2, 20, 100]);
    const how = nemesis.lasting(
      () => (target.syncTime = ms),
      () => (target.syncTime = 0),
    );
    return `${target.name}: ${ms} ms a sync ${how}`;
  },
  slowExecutor: (nemesis, target) => {
    const ms = nemesis.random.pick([50, 500, 3000]);
    const how = nemesis.lasting(
      () => (target.executionTime = ms),
      () => (target.executionTime = 0),
    );
    return `${target.name}: ${ms} ms a block ${how}`;
  },
};
