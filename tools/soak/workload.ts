/** Clients that never rest: grants, revocations and checks of few edges, through every node, whatever becomes of it. */
import { setTimeout as pause } from "node:timers/promises";
import type { Random } from "../sim/random.ts";
import type { SoakCluster } from "./cluster.ts";
import type { Door, Recorder, Session } from "./recorder.ts";

const SESSIONS = 8;
/** Few, so that sessions meet on them. */
const EDGES = 8;
/** After this time calls go to new edges: writes of unknown outcome leave less and less to find on the old ones. Units: ms. */
const EDGES_LAST_MS = 15_000;
/** Between a session's calls, on average. Units: ms. */
const THINK_MS = 60;
const WRITE_MS = 2_000;
const CHECK_MS = 1_500;
/** Edges asked about in one call at the end. */
const SWEEP = 500;

export class Workload {
  readonly #cluster: SoakCluster;
  readonly #recorder: Recorder;
  readonly #edges = new Set<string>();
  readonly #began = performance.now();
  readonly #sessions: readonly Promise<void>[];
  #stopping = false;

  constructor(cluster: SoakCluster, recorder: Recorder, random: Random) {
    this.#cluster = cluster;
    this.#recorder = recorder;
    this.#sessions = Array.from({ length: SESSIONS }, (_, i) =>
      this.#session(recorder.session(`session ${i}`), i, random.fork(`session ${i}`)),
    );
  }

  /** Ends when every call that was begun has ended. Throws: what a session met that is no answer. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#sessions);
  }

  /** Asks every node for every edge that was ever written, each answer fresher than all before. */
  async sweep(): Promise<void> {
    const session = this.#recorder.session("sweep");
    const edges = [...this.#edges];
    for (const node of this.#cluster.nodes) {
      const client = this.#cluster.client(node);
      for (let from = 0; from < edges.length; from += SWEEP)
        await session.check(edges.slice(from, from + SWEEP), true, { node: node.name, client }, SWEEP_MS);
      client.close();
    }
  }

  async #session(session: Session, home: number, random: Random): Promise<void> {
    const doors = this.#cluster.nodes.map((node): Door => ({ node: node.name, client: this.#cluster.client(node) }));
    while (!this.#stopping) {
      const ordered = random.chance(0.7) ? rotated(doors, home) : random.shuffled(doors);
      await this.#call(session, ordered, random);
      await pause(random.exponential(THINK_MS));
    }
    for (const { client } of doors) client.close();
  }

  async #call(session: Session, doors: readonly Door[], random: Random): Promise<void> {
    const [first] = doors;
    if (first === undefined) return;
    const dice = random.next();
    const edge = this.#edge(random);
    // Half of the writers ask elsewhere when a node does not say; the others leave it at that.
    const tried = random.chance(0.5) ? doors.slice(0, 3) : [first];
    if (dice < 0.25) await session.write(edge, "grant", tried, WRITE_MS);
    else if (dice < 0.5) await session.write(edge, "revoke", tried, WRITE_MS);
    else if (dice < 0.6)
      await session.check([...new Set([edge, this.#edge(random)])], random.chance(0.5), first, CHECK_MS);
    else await session.check([edge], dice < 0.85, first, CHECK_MS);
  }

  #edge(random: Random): string {
    const age = Math.floor((performance.now() - this.#began) / EDGES_LAST_MS);
    const edge = `${random.chance(0.8) ? age : Math.max(age - 1, 0)}/${random.below(EDGES)}`;
    this.#edges.add(edge);
    return edge;
  }
}

/** Nothing else goes on then. Units: ms. */
const SWEEP_MS = 30_000;

const rotated = <T>(list: readonly T[], by: number): readonly T[] => list.map((_, i) => at(list, i + by));

function at<T>(list: readonly T[], i: number): T {
  const found = list[i % list.length];
  if (found === undefined) throw new RangeError("an empty list has no elements");
  return found;
}
