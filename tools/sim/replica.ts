/** A machine of the simulation: its disk, its clock, and the process that runs on it, if one does. */
import type { MemberIndex } from "../../src/base/brands.ts";
import type { Committee } from "../../src/actors/consensus/ports.ts";
import { epoch } from "../../src/base/brands.ts";
import { Fault } from "../../src/base/errors.ts";
import { LogDamage } from "../../src/events/store/damage.ts";
import { LogDatabase } from "../../src/events/store/log-database.ts";
import type { Behaviour } from "./byzantine/behaviour.ts";
import { type Disk, MemoryDisk, type PlannedFate } from "./disk.ts";
import type { Observed } from "./invariants.ts";
import { PowerCut } from "./power-cut.ts";
import type { Endpoint } from "./network.ts";
import type { Random } from "./random.ts";
import { SqliteDisk } from "./sqlite-disk.ts";
import { NodeProcess } from "./process.ts";
import { Projection } from "./service.ts";
import { EPOCH_MS, type World, countFault } from "./world.ts";
import { Violation } from "./violation.ts";

/** How long a process takes to start. Units: ms. */
const BOOT_MS = 50;

export class Replica implements Endpoint, Observed {
  readonly id: number;
  readonly name: string;
  readonly member: MemberIndex;
  readonly committee: Committee;
  readonly behaviour: Behaviour | undefined;
  readonly world: World;
  durableVotes = new Set<string>();
  servedHeight = 0;
  process: NodeProcess | undefined;
  disk: Disk;
  projection: Projection | undefined;
  /** Until then its processor is not its own: it syncs, or is stopped. */
  busyUntil = 0;
  /** Of its clock against the simulation's. Units: ms; a factor. */
  clockOffset = 0;
  clockRate = 1;
  /** Extra time for each sync, and for each block's execution. Units: ms. */
  syncTime = 0;
  executionTime = 0;
  /** Its first disk is gone, and its journal with it. */
  isJournalLost = false;
  /** Part of what it wrote cannot be read, or is gone, and it has not caught up since. */
  #wound: "none" | "unseen" | "lost" = "none";
  /** All of its log is to be read again, and healed, before it takes part. */
  isMarkedDamaged = false;
  /** It stays down until it is released. */
  isHeldDown = false;
  #heightAtLoss = 0;
  /** Of what its disk does to checkpoints. */
  #diskRandom: Random;
  #disks = 0;
  #boots = 0;

  constructor(world: World, id: number, name: string, member: MemberIndex, behaviour: Behaviour | undefined) {
    this.world = world;
    this.id = id;
    this.name = name;
    this.member = member;
    this.behaviour = behaviour;
    const { founding, scheme, profile } = world;
    const { cluster, epochKeys: keys } = founding;
    this.committee = { cluster, epoch: epoch(0), self: member, keys, verify: scheme.verify, timings: profile.timings };
    this.#diskRandom = world.random;
    this.disk = this.#newDisk();
  }

  get isHonest(): boolean {
    return this.behaviour === undefined;
  }

  #newDisk(): Disk {
    this.projection?.close();
    this.projection = this.world.profile.projector ? new Projection() : undefined;
    this.#disks += 1;
    const random = this.world.random.fork(`disk ${this.id}.${this.#disks}`);
    this.#diskRandom = random.fork("checkpoints");
    return this.world.profile.sqlite ? new SqliteDisk(random) : new MemoryDisk(random);
  }

  /** Its clock. Units: ms since 1970. */
  now(): number {
    return Math.floor(EPOCH_MS + this.world.scheduler.now * this.clockRate + this.clockOffset);
  }

  durableFinalView(): number {
    return this.process?.durableFinalView() ?? 0;
  }

  /** Height of the last block on its disk. */
  get height(): number {
    return this.disk.height;
  }

  /** Starts a process, unless one runs or it is held down. */
  boot(): void {
    if (this.process !== undefined || this.isHeldDown) return;
    const { world } = this;
    this.#boots += 1;
    this.busyUntil = Math.max(this.busyUntil, world.scheduler.now);
    this.#mark("B", `boot ${this.#boots}`);
    const process = new NodeProcess(this, this.#boots);
    this.process = process;
    process.attempt(() => process.start());
  }

  bootLater(ms: number): void {
    this.world.scheduler.at(this.world.scheduler.now + BOOT_MS + ms, () => this.boot());
  }

  /** Ends the process at once: what it had not made durable is gone. */
  kill(why: string): void {
    const { process } = this;
    if (process === undefined) return;
    this.#mark("K", why);
    this.world.record?.({ kind: "ended", at: this.world.scheduler.now, node: this.name, why });
    process.kill();
    this.process = undefined;
  }

  /** A step of its process threw. Environment and planned crashes end it, it starts again; anything else breaks a rule. */
  failed(error: unknown): void {
    if (error instanceof Violation) throw error;
    if (error instanceof LogDamage) return this.#damaged(error);
    if (error instanceof PowerCut) this.losePower();
    if (error instanceof PowerCut || error instanceof Fault) {
      this.kill(error instanceof Fault ? error.code : `power cut ${error.message}`);
      return this.bootLater(this.world.random.exponential(500));
    }
    if (this.isHonest) {
      const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      throw new Violation("no member meets a defect", `${this.name}: ${message}`, error);
    }
    this.kill("defect of a Byzantine member");
    this.bootLater(1000);
  }

  /** A record cannot be read. The real database heals from peers at the next start; a disk in memory is replaced by a new one. */
  #damaged(damage: LogDamage): void {
    countFault(this.world, "damage found");
    this.kill(`LOG_DAMAGED: ${damage.reason}`);
    if (this.disk instanceof SqliteDisk) this.isMarkedDamaged = true;
    else this.loseDisk();
    this.bootLater(this.world.random.exponential(1000));
  }

  /** Service starts anew from the disk, as soon as a process can. */
  startAnew(why: string): void {
    this.kill(why);
    this.bootLater(0);
  }

  /** Whatever was not synced may be gone. */
  losePower(): void {
    const suffered = this.disk.checkpoints.losePower(this.#diskRandom);
    if (suffered > 0) countFault(this.world, "segments torn");
  }

  /** Its journal was given up. */
  votesLost(reason: string): void {
    this.#mark("L", `journal given up: ${reason}`);
    this.durableVotes = new Set();
    this.isJournalLost = true;
    this.#wound = "lost";
  }

  /** A start read all that is on the disk: no damage is unseen. */
  everythingWasRead(): void {
    if (this.#wound === "unseen") this.#wound = "none";
  }

  loseDisk(): void {
    this.kill("disk lost");
    this.#mark("L", "disk lost");
    this.#heightAtLoss = Math.max(this.#heightAtLoss, this.disk.height);
    this.disk.close();
    this.disk = this.#newDisk();
    this.durableVotes = new Set();
    this.servedHeight = 0;
    this.isJournalLost = true;
    this.isMarkedDamaged = false;
    this.#wound = "lost";
  }

  /** Lets the write that comes this many writes from now end so. */
  planWrite(ahead: number, fate: PlannedFate): void {
    this.disk.plan(this.disk.writes + ahead, fate);
  }

  flipBit(): string | undefined {
    const { log } = this.process ?? {};
    const begins = log instanceof LogDatabase ? (log.gap()?.begins ?? null) : null;
    const isUp = this.process !== undefined; // else nobody says which segments a log may rest on
    if (isUp && this.world.profile.checkpoints && this.#diskRandom.chance(0.2))
      return this.disk.checkpoints.flipBit(this.#diskRandom, begins) ? "segment" : undefined;
    const hit = this.disk.flipBit();
    if (hit === undefined) return undefined;
    this.#wound = "unseen";
    this.#heightAtLoss = Math.max(this.#heightAtLoss, this.disk.height);
    return hit;
  }

  /** Whether whatever it lost is replaced: it votes again and holds what it held. */
  hasRecovered(): boolean {
    if (this.#wound === "none") return true;
    const context = this.process?.context;
    if (this.#wound === "unseen" || context === undefined || typeof context.votesAbove !== "number") return false;
    if (context.view <= context.votesAbove || this.disk.height < this.#heightAtLoss) return false;
    this.#wound = "none";
    return true;
  }

  /** The simulation is over. */
  end(): void {
    this.projection?.close();
    this.disk.close();
  }

  #mark(kind: string, text: string): void {
    this.world.trace.event(kind, this.world.scheduler.now, this.id);
    this.world.trace.text(text);
  }
}
