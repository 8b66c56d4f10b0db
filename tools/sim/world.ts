/** What everything in one simulation shares. */
import type { MemberIndex } from "../../src/base/brands.ts";
import type { LogHashing } from "../../src/events/store/damage.ts";
import { blockHash, bodyHash, bundleDigest } from "../../src/events/facts/hashing.ts";
import type { Controller } from "./controller.ts";
import type { SimulatedFounding } from "./founding.ts";
import type { Invariants } from "./invariants.ts";
import type { Network } from "./network.ts";
import type { Profile } from "./profile.ts";
import type { Random } from "./random.ts";
import type { RecordEntry } from "./record.ts";
import type { Replica } from "./replica.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Keys, Scheme } from "./scheme.ts";
import type { Trace } from "./trace.ts";

/** The moment at which every simulation begins. Units: ms since 1970. */
export const EPOCH_MS = 1_700_000_000_000;

export const hashing: LogHashing = { header: blockHash, body: bodyHash, bundle: bundleDigest };

export interface World {
  readonly profile: Profile;
  readonly founding: SimulatedFounding;
  readonly scheme: Scheme;
  /** Those of the founding, and what this run added. */
  readonly keys: Keys;
  /** Who all clients write as; its keys rotate where identifiers live. */
  readonly client: Controller;
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly trace: Trace;
  readonly invariants: Invariants;
  /** One for each member, and for twins a second one at the end. */
  readonly replicas: readonly Replica[];
  /** How often each kind of fault struck. */
  readonly faults: Record<string, number>;
  readonly record: ((entry: RecordEntry) => void) | undefined;
  /** Blocks, by height and root, whose facts are in the record. */
  readonly recordedFacts: Set<string>;
}

export const replicasOf = (world: World, member: MemberIndex): readonly Replica[] =>
  world.replicas.filter((replica) => replica.member === member);

export function countFault(world: World, kind: string): void {
  world.faults[kind] = (world.faults[kind] ?? 0) + 1;
}
