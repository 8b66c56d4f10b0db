/** One seeded run of a committee through loss, duplication, partitions, crashes, lost disks and Byzantine members, into calm. */
import { faultsTolerated } from "../../../src/machines/consensus/committee.ts";
import { standingOf } from "../../../src/machines/consensus/consensus.machine.ts";
import { BYZANTINE, corrupt } from "./byzantine.ts";
import { Cluster, assertSafe } from "./cluster.ts";
import type { Member } from "./member.ts";

const KINDS = Object.keys(BYZANTINE);
const BUNDLES = 60;
const BUNDLE_EVERY_MS = 150;
/** Some views of capped timeouts, each third of them led by a Byzantine member. */
const CALM_MS = 300_000;

export interface Disorder {
  readonly seed: number;
  /** By default a seed chooses: as many as the size tolerates, or fewer. */
  readonly byzantine?: readonly string[];
}

interface Plan {
  readonly size: number;
  readonly kinds: readonly string[];
  /** A member that loses its disk counts as faulty, so not all that are tolerated may be Byzantine then. */
  readonly losesDisk: boolean;
}

function planOf({ seed, byzantine }: Disorder): Plan {
  const size = seed % 3 === 0 ? 7 : 4;
  const tolerated = faultsTolerated(size);
  const chosen = seed % 4 === 0 ? 0 : tolerated - (seed % 5 === 0 ? 1 : 0);
  const kinds = byzantine ?? Array.from({ length: chosen }, (_, i) => KINDS[(seed + i * 5) % KINDS.length] ?? "silent");
  return { size, kinds, losesDisk: kinds.length < tolerated && seed % 2 === 0 };
}

/** Runs a seed. Throws when two honest members part, one breaks rule 8, or they do not agree again once it is calm. */
export function runDisorder(disorder: Disorder): Cluster {
  const { seed } = disorder;
  const plan = planOf(disorder);
  const cluster = new Cluster({ seed, size: plan.size, loss: 0.1, delayMsMax: 40, duplicate: 0.1, lateness: 0.08 });
  for (const member of cluster.members) member.skew = (cluster.random() - 0.5) * 800;
  plan.kinds.forEach((kind, i) => {
    const member = cluster.members[(seed + i * 2) % plan.size];
    if (member !== undefined) corrupt(member, kind);
  });
  trouble(cluster, plan);
  cluster.run(BUNDLES * BUNDLE_EVERY_MS + 6000);
  assertSafe(cluster);
  calm(cluster);
  return cluster;
}

const anyHonest = (cluster: Cluster): Member =>
  cluster.honest[Math.floor(cluster.random() * cluster.honest.length)] as Member;

function trouble(cluster: Cluster, { losesDisk }: Plan): void {
  // A member that loses its disk is a faulty one: it is always the same, however often that happens.
  const unlucky = losesDisk ? anyHonest(cluster) : undefined;
  const crash = (): void => {
    const victim = anyHonest(cluster);
    if (!victim.alive) return;
    victim.crash();
    const loseDisk = victim === unlucky && cluster.random() < 0.5;
    // Mostly back while the view that it voted in still goes on.
    const awayMs = cluster.random() < 0.8 ? cluster.random() * 60 : cluster.random() * 3000;
    cluster.later(awayMs, () => {
      if (!victim.alive) victim.restart({ loseDisk });
    });
  };
  const part = (): void => {
    const side = cluster.members.map(() => cluster.random() < 0.5);
    const oneWay = cluster.random() < 0.3;
    cluster.reaches = (from, to) => side[from] === side[to] || (oneWay && side[from] === true);
    cluster.later(cluster.random() * 1500, () => cluster.join());
  };
  for (let i = 0; i < BUNDLES; i++) {
    const at = i * BUNDLE_EVERY_MS;
    cluster.later(at, () => cluster.submit(`bundle ${i}`, anyHonest(cluster).index));
    for (let k = 0; k < 3; k++) cluster.later(at + cluster.random() * BUNDLE_EVERY_MS, crash);
    if (i % 8 === 5) cluster.later(at, part);
  }
}

/** The network obeys again: everything must become final everywhere, and nobody honest stays busy. */
function calm(cluster: Cluster): void {
  cluster.calm();
  for (const member of cluster.members) if (!member.alive) member.restart();
  const last = cluster.submit("last", anyHonest(cluster).index);
  const holds = (member: Member): boolean => member.disk.log.some(({ block }) => block.bundles.includes(last));
  if (!cluster.run(CALM_MS, () => cluster.honest.every(holds))) throw new Error(stuck(cluster));
  cluster.run(30_000);
  assertSafe(cluster);
  // A nullify vote of up to f members wakes nobody else (rule 1): they repeat it until there is work again.
  if (cluster.members.every(({ byzantine }) => !byzantine)) {
    const awake = cluster.honest.filter(({ context }) => standingOf(context) !== "quiet");
    if (awake.length > faultsTolerated(cluster.size)) throw new Error(`not quiet: ${stuck(cluster)}`);
  }
}

const stuck = (cluster: Cluster): string =>
  cluster.honest
    .map(({ index, context, log }) => `${index} ${standingOf(context)} view ${context.view} log ${log.length}`)
    .join("; ");
