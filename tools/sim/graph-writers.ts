/**
 * Clients that write whatever the graph can be asked for, in names of their own: maps, deletions that take much with them, commands of
 * several changes, preconditions, the same command to several nodes, other bytes under the same id, commands that expire.
 */
import type { CommandId, LogTime } from "../../src/base/brands.ts";
import { decode, encode } from "../../src/base/codec.ts";
import { type Command, PAYLOAD_BYTES_MAX } from "../../src/events/facts/command.ts";
import {
  type GraphChange,
  type GraphNode,
  type GraphWrite,
  type Relation,
  graphWriteShape,
} from "../../src/events/facts/graph.ts";
import { commandDigest } from "../../src/events/facts/hashing.ts";
import { signedBy } from "./controller.ts";
import type { GraphInvariants } from "./invariants-graph.ts";
import type { Random } from "./random.ts";
import { EPOCH_MS, type World } from "./world.ts";

/** Mean pause between two commands. Units: ms. */
const PAUSE_MS = 150;

const NONE: Relation = { namespace: "", name: "" };
const RELATIONS: readonly Relation[] = [
  { namespace: "wild", name: "r" },
  { namespace: "wood", name: "r" },
];
const NODES: readonly GraphNode[] = [
  { namespace: "wild", name: "x", relation: NONE },
  { namespace: "wild", name: "y", relation: NONE },
  { namespace: "wood", name: "x", relation: NONE },
  { namespace: "wood", name: "y", relation: { namespace: "wild", name: "r" } },
  { namespace: "moor", name: "x", relation: { namespace: "wood", name: "r" } },
  { namespace: "moor", name: "x", relation: { namespace: "wild", name: "r" } },
];
const NAMESPACES = ["wild", "wood", "moor"];
const POLICY: GraphNode = { namespace: "sky", name: "cluster", relation: { namespace: "sky", name: "admin" } };

/** By how often each is drawn. */
const CHANGES: readonly (readonly [number, (random: Random) => GraphChange])[] = [
  [8, (random) => ({ kind: "addAssertion", assertion: { subject: random.pick(NODES), object: random.pick(NODES) } })],
  [
    4,
    (random) => ({ kind: "deleteAssertion", assertion: { subject: random.pick(NODES), object: random.pick(NODES) } }),
  ],
  [8, (random) => ({ kind: "mapSubject", edge: { parent: random.pick(NODES), child: random.pick(NODES) } })],
  [3, (random) => ({ kind: "unmapSubject", edge: { parent: random.pick(NODES), child: random.pick(NODES) } })],
  [6, (random) => ({ kind: "mapObject", edge: { parent: random.pick(NODES), child: random.pick(NODES) } })],
  [2, (random) => ({ kind: "unmapObject", edge: { parent: random.pick(NODES), child: random.pick(NODES) } })],
  [2, (random) => ({ kind: "mapRelation", edge: { parent: random.pick(RELATIONS), child: random.pick(RELATIONS) } })],
  [1, (random) => ({ kind: "unmapRelation", edge: { parent: random.pick(RELATIONS), child: random.pick(RELATIONS) } })],
  [1, (random) => ({ kind: "addSubject", subject: random.pick(NODES) })],
  [2, (random) => ({ kind: "deleteSubject", subject: random.pick(NODES) })],
  [1, (random) => ({ kind: "addObject", object: random.pick(NODES) })],
  [2, (random) => ({ kind: "deleteObject", object: random.pick(NODES) })],
  [1, (random) => ({ kind: "deleteRelation", relation: random.pick(RELATIONS) })],
  [1, (random) => ({ kind: "addNamespace", namespace: random.pick(NAMESPACES) })],
  [1, (random) => ({ kind: "deleteNamespace", namespace: random.pick(NAMESPACES) })],
  [1, (random) => ({ kind: "addAssertion", assertion: { subject: random.pick(NODES), object: POLICY } })],
];
const WEIGHT = CHANGES.reduce((sum, [weight]) => sum + weight, 0);

function changeOf(random: Random): GraphChange {
  let left = random.below(WEIGHT);
  for (const [weight, make] of CHANGES) {
    if (left < weight) return make(random);
    left -= weight;
  }
  throw new RangeError("weights sum to what was drawn from");
}

const writeOf = (random: Random): GraphWrite => ({
  changes: Array.from({ length: 1 + random.below(random.chance(0.3) ? 4 : 1) }, () => changeOf(random)),
  preconditions: random.chance(0.15)
    ? [
        {
          kind: random.pick(["mustExist", "mustNotExist"] as const),
          assertion: { subject: random.pick(NODES), object: random.pick(NODES) },
        },
      ]
    : [],
});

export class GraphWriters {
  readonly #world: World;
  readonly #invariants: GraphInvariants;
  readonly #random: Random;
  #commands = 0;
  #stopped = false;

  constructor(world: World, invariants: GraphInvariants) {
    this.#world = world;
    this.#invariants = invariants;
    this.#random = world.random.fork("graph writers");
    invariants.asks(NODES);
  }

  start(): void {
    this.#later(this.#random.exponential(PAUSE_MS), () => {
      if (this.#stopped) return;
      this.#write();
      this.start();
    });
  }

  /** Sends nothing more, not even again. */
  stop(): void {
    this.#stopped = true;
  }

  #later(ms: number, run: () => void): void {
    const { scheduler } = this.#world;
    scheduler.at(scheduler.now + ms, run);
  }

  #write(): void {
    const { scheduler } = this.#world;
    this.#commands += 1;
    const id = `f${this.#commands.toString(16).padStart(31, "0")}` as CommandId;
    const lifetime = this.#random.pick([300, 2000, 8000, 60_000]);
    const notAfter = Math.floor(EPOCH_MS + scheduler.now + lifetime) as LogTime;
    const command = (): Command => ({
      id,
      kind: "graph.write",
      payload: encode(graphWriteShape, writeOf(this.#random)),
      notAfter,
    });
    const first = command();
    this.#send(first);
    // Again, to the same node or others, while it lives and a little longer; now and then with other bytes.
    for (let again = this.#random.pick([0, 0, 1, 2]); again > 0; again--) {
      const other = this.#random.chance(0.2) ? command() : first;
      this.#later(this.#random.next() * lifetime * 1.2, () => {
        if (!this.#stopped) this.#send(other);
      });
    }
  }

  #send(command: Command): void {
    const { founding, client, replicas } = this.#world;
    const { cluster } = founding;
    const write = decode(graphWriteShape, command.payload, PAYLOAD_BYTES_MAX);
    if (write.ok) this.#invariants.signed(commandDigest(command), write.value);
    const signed = signedBy(client, cluster, command);
    const target = this.#random.pick(replicas.filter((replica) => replica.isHonest));
    const { process } = target;
    process?.step(() => process.service?.write(signed, () => {}));
  }
}
