/** What a simulated node does about checkpoints: ports of its actor, what its folding writes, and how its tables begin with one. */
import type { ConsensusActor } from "../../src/actors/consensus/actor.ts";
import type { Checkpoints, FetchedCheckpoint } from "../../src/actors/consensus/ports.ts";
import type { Height } from "../../src/base/brands.ts";
import { Fault } from "../../src/base/errors.ts";
import { LogDatabase } from "../../src/events/store/log-database.ts";
import type { Log } from "../../src/events/store/log.ts";
import type { WritesCheckpoints } from "./folding.ts";
import type { Replica } from "./replica.ts";
import type { Projection } from "./service.ts";
import { Violation } from "./violation.ts";
import { countFault } from "./world.ts";

/** Its log begins with this checkpoint: empty tables get the state from its segments. */
export function fillFromCheckpoint(replica: Replica, projection: Projection, begins: Height): void {
  try {
    const { height, root } = projection.fill(replica.disk.checkpoints, begins);
    if (replica.isHonest) replica.world.invariants.checkpoints.filled(replica.name, height, root);
  } catch (error) {
    if (!(error instanceof Fault) || !replica.isHonest) throw error;
    throw new Violation("a log begins with a checkpoint that is there", `${replica.name}: ${error.message}`);
  }
}

/** Undefined where nobody writes checkpoints. `begins`: the one that the log begins with now. */
export function writesCheckpoints(
  replica: Replica,
  actor: ConsensusActor,
  begins: () => Height | null,
): WritesCheckpoints | undefined {
  const { profile, invariants, founding, record, scheduler } = replica.world;
  if (!profile.checkpoints) return undefined;
  return {
    every: profile.checkpointEvery,
    store: replica.disk.checkpoints,
    members: founding.members,
    begins,
    written: (written) => {
      record?.({ kind: "checkpoint", at: scheduler.now, node: replica.name, ...written });
      if (replica.isHonest) invariants.checkpoints.wrote(replica.name, written);
      countFault(replica.world, "checkpoint written");
      actor.checkpointWritten(written.height, written.root, written.segments);
    },
  };
}

/** The actor's port; undefined where nobody writes checkpoints. */
export function checkpointsOf(
  { world, disk }: Replica,
  log: Log,
  adopt: (log: LogDatabase, found: FetchedCheckpoint) => void,
): Checkpoints | undefined {
  const { profile } = world;
  if (!profile.checkpoints || !(log instanceof LogDatabase)) return undefined;
  const store = disk.checkpoints;
  return {
    distance: profile.checkpointEvery,
    log,
    segmentsOf: (height) => store.segmentsOf(height),
    segment: (digest) => store.segment(digest),
    fetched: (height, digest) => store.fetched(height, digest),
    keep: (height, digest, segment) => store.keep("fetched", height, digest, segment),
    discardFetched: (isKept) => store.discardUnfinished("fetched", isKept),
    adopt: (found) => adopt(log, found),
  };
}
