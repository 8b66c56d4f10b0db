/**
 * What a seed's run is like. Each seed draws which faults it has and how hard they strike (swarm testing: a run with few kinds of
 * faults goes deeper than one with all of them).
 */
import { faultsTolerated } from "../../src/machines/consensus/committee.ts";
import { DEFAULT_TIMINGS, type Timings } from "../../src/machines/consensus/types.ts";
import type { Random } from "./random.ts";

export const BYZANTINE_KINDS = [
  "equivocator",
  "silentLeader",
  "doubleVoter",
  "withholder",
  "forger",
  "replayer",
  "slow",
  "liarInSync",
  "twins",
] as const;
export type ByzantineKind = (typeof BYZANTINE_KINDS)[number];

/** What the nemesis does to machines, disks and links. */
export const FAULT_KINDS = [
  "crash",
  "crashInWrite",
  "powerCut",
  "pause",
  "partition",
  "oneWayPartition",
  "isolation",
  "slowLink",
  "burstOfLoss",
  "clockJump",
  "clockSkew",
  "diskFull",
  "syncFailure",
  "bitFlip",
  "diskLost",
  "slowDisk",
  "slowExecutor",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** What a run may have besides, by the names of its fields below. */
export const EXTRAS = ["ed25519", "projector", "sqlite", "graph", "otherEpoch", "checkpoints", "keys"] as const;
export type Extra = (typeof EXTRAS)[number];

export type Mode = "safety" | "liveness";

export interface NetworkProfile {
  /** Units: ms. */
  readonly delay: number;
  readonly jitter: number;
  readonly loss: number;
  readonly duplication: number;
  /** Frames with a flipped bit. */
  readonly corruption: number;
}

export interface Profile {
  readonly mode: Mode;
  readonly nodes: number;
  /** Members that misbehave, at most f. */
  readonly byzantine: readonly ByzantineKind[];
  readonly timings: Timings;
  readonly network: NetworkProfile;
  readonly faults: readonly FaultKind[];
  /** Mean time between faults. Units: ms. */
  readonly faultEvery: number;
  /** How long most faults last on average. Units: ms. */
  readonly faultLasts: number;
  /** Members that stay down when the rest is healed. */
  readonly leftDown: number;
  readonly sessions: number;
  /** Mean pause between two calls of a session. Units: ms. */
  readonly thinkTime: number;
  readonly edges: number;
  /** How long faults strike. Units: ms. */
  readonly duration: number;
  readonly ed25519: boolean;
  /** Whether members fold facts into tables, and start again from them. */
  readonly projector: boolean;
  /** Whether logs are the real LogDatabase, on SQLite in memory. */
  readonly sqlite: boolean;
  /** Whether some clients write whatever the graph can be asked for (graph-writers.ts). */
  readonly graph: boolean;
  /** Whether journals hold records of another epoch as well. */
  readonly otherEpoch: boolean;
  /** Whether members write checkpoints, and come back by one; then they have tables, and the real log. */
  readonly checkpoints: boolean;
  /** Whether identifiers live while the cluster runs, the clients' own among them (key-writers.ts). */
  readonly keys: boolean;
  /** C: blocks from one checkpoint to the next. */
  readonly checkpointEvery: number;
}

export interface ProfileOptions {
  readonly seed: number;
  readonly nodes?: number;
  readonly byzantine?: number;
  readonly byzantineKinds?: readonly ByzantineKind[];
  readonly faults?: readonly FaultKind[];
  readonly minutes?: number;
  readonly mode?: Mode;
  /** Had whatever the seed draws. */
  readonly extras?: readonly Extra[];
}

const DEFAULT_MINUTES = 1;
/** Share of the seeds whose members write checkpoints: such a run costs about twice as much. */
const CHECKPOINTED = 0.25;
/** Share of the seeds whose identifiers live: such a run costs about half as much again. */
const KEYED = 0.25;
const SIZES = [4, 4, 4, 4, 4, 4, 4, 5, 6, 7] as const;

function timingsOf(random: Random): Timings {
  const scale = random.pick([1, 1, 0.5, 0.25]);
  const { delta, leader, advance, repeat, standstill, growth, cap } = DEFAULT_TIMINGS;
  const scaled = (ms: number): number => Math.round(ms * scale);
  return {
    delta: scaled(delta),
    leader: scaled(leader),
    advance: scaled(advance),
    repeat: scaled(repeat),
    standstill: scaled(standstill),
    growth,
    cap: scaled(cap),
  };
}

function networkOf(random: Random): NetworkProfile {
  const delay = random.pick([0.2, 1, 5, 20]);
  return {
    delay,
    jitter: delay * random.pick([0.1, 1, 5]),
    loss: random.pick([0, 0, 0.002, 0.02, 0.1]),
    duplication: random.pick([0, 0, 0.02, 0.1]),
    corruption: random.pick([0, 0, 0, 0.002, 0.02]),
  };
}

function extrasOf({ extras }: ProfileOptions, drawn: Pick<Profile, Extra>): Pick<Profile, Extra> {
  const had = { ...drawn };
  for (const extra of extras ?? []) had[extra] = true;
  return had;
}

/** How many Byzantine members were asked for; those beyond the kinds that were named draw theirs. */
function askedLiars({ byzantine, byzantineKinds }: ProfileOptions): number | undefined {
  if (byzantine === undefined) return byzantineKinds?.length;
  return Math.max(byzantine, byzantineKinds?.length ?? 0);
}

export function profileOf(options: ProfileOptions, random: Random): Profile {
  const { seed } = options;
  const asked = askedLiars(options);
  const nodes = options.nodes ?? Math.max(random.pick(SIZES), 3 * (asked ?? 0) + 1);
  const f = faultsTolerated(nodes);
  const wanted = asked ?? (random.chance(0.5) ? 1 + random.below(f) : 0);
  const byzantine = Array.from(
    { length: Math.min(wanted, f) },
    (_, i) => options.byzantineKinds?.[i] ?? random.pick(BYZANTINE_KINDS),
  );
  const drawn = FAULT_KINDS.filter(() => random.chance(0.35));
  const mode = options.mode ?? (random.chance(0.5) ? "liveness" : "safety");
  const timings = timingsOf(random);
  const network = networkOf(random);
  const profile = {
    mode,
    nodes,
    byzantine,
    // Rest and progress are promised where messages arrive within Δ.
    timings: mode === "liveness" && timings.delta < network.delay + network.jitter ? DEFAULT_TIMINGS : timings,
    network,
    faults: options.faults ?? drawn,
    faultEvery: random.pick([800, 2000, 5000]),
    faultLasts: random.pick([300, 1500, 6000]),
    leftDown: random.chance(0.4) ? random.below(f - byzantine.length + 1) : 0,
    sessions: 1 + random.below(4),
    thinkTime: random.pick([100, 500, 2000]),
    edges: 2 + random.below(6),
    duration: (options.minutes ?? DEFAULT_MINUTES) * 60_000,
    ...extrasOf(options, {
      ed25519: seed % 100 === 0,
      projector: random.chance(0.15),
      sqlite: random.chance(0.1),
      graph: random.chance(0.25),
      otherEpoch: seed % 20 === 13,
      checkpoints: false,
      keys: false,
    }),
    checkpointEvery: 0,
  };
  // Drawn apart, so that a run without them is what it was before there were any.
  const keys = random.fork("keys").chance(KEYED) || profile.keys;
  return withCheckpoints({ ...profile, keys }, options, random.fork("checkpoints"));
}

/** Drawn apart, too. */
function withCheckpoints(profile: Profile, options: ProfileOptions, random: Random): Profile {
  if (!random.chance(CHECKPOINTED) && !profile.checkpoints) return profile;
  const [, ...others] = profile.byzantine;
  const lies = profile.byzantine.length > 0 && random.chance(0.4) && options.byzantineKinds === undefined;
  const losesDisks = random.chance(0.5) && options.faults === undefined && !profile.faults.includes("diskLost");
  return {
    ...profile,
    checkpoints: true,
    checkpointEvery: random.pick([3, 5, 8, 16]),
    sqlite: true,
    projector: true,
    ...(lies && { byzantine: ["liarInSync", ...others] }),
    ...(losesDisks && { faults: [...profile.faults, "diskLost"] }),
  };
}
