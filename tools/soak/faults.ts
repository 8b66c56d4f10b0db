/** What is done to a cluster of real processes. Each fault strikes, lasts, and is healed. */
import { setTimeout as pause } from "node:timers/promises";
import type { Random } from "../sim/random.ts";
import type { SoakCluster } from "./cluster.ts";
import type { SoakNode } from "./node.ts";

export interface Fault {
  readonly kind: FaultKind;
  /** What and to whom, for people. */
  readonly what: string;
  /** Nodes that no other fault should touch meanwhile. */
  readonly nodes: readonly string[];
  /** How long it lasts. Units: ms. */
  readonly lastsMs: number;
  /** Whether no write can be acknowledged while it lasts. */
  readonly stopsWrites: boolean;
  strike(): Promise<void>;
  heal(): Promise<void>;
}

export const FAULT_KINDS = [
  "kill",
  "pause",
  "clock",
  "full disk",
  "isolate",
  "split",
  "one way",
  "flap",
  "blackout",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** Why a kind of fault cannot be had on this machine; undefined when it can. */
export function unavailable(kind: FaultKind, cluster: SoakCluster): string | undefined {
  switch (kind) {
    case "isolate":
    case "split":
    case "one way":
    case "flap":
      return cluster.network.uncuttable;
    case "full disk":
      return cluster.undisked;
    case "kill":
    case "pause":
    case "clock":
    case "blackout":
      return undefined;
    default:
      return kind satisfies never;
  }
}

/** Draws a fault of this kind for nodes that are well; undefined when too few are. */
export function drawFault(
  kind: FaultKind,
  cluster: SoakCluster,
  well: readonly SoakNode[],
  random: Random,
  pace: number,
): Fault | undefined {
  const [node, other] = random.shuffled(well);
  if (node === undefined || other === undefined) return undefined;
  const make = new Faults(cluster, random, pace);
  switch (kind) {
    case "kill":
      return make.kill([node], "kill", `kill -9 ${node.name}`);
    case "blackout":
      return well.length < cluster.nodes.length
        ? undefined
        : make.kill(well, "blackout", "kill -9 of every node at once");
    case "pause":
      return make.pause(node);
    case "clock":
      return make.clock(node);
    case "full disk":
      return make.fullDisk(node);
    case "isolate":
      return make.cut("isolate", `${node.name} cut off`, [node.name], make.bothWays([node.name]));
    case "split":
      return make.cut(
        "split",
        `${node.name} and ${other.name} cut off from the others`,
        [node.name, other.name],
        make.bothWays([node.name, other.name]),
      );
    case "one way":
      return make.cut("one way", `nobody hears ${node.name}, which hears all`, [node.name], make.from(node.name));
    case "flap":
      return make.flap(node);
    default:
      return kind satisfies never;
  }
}

type Link = readonly [from: string, to: string];

/** A quarter of these lengths to all of it. Units: ms. */
const LASTS_MS = { kill: 5_000, blackout: 1_500, pause: 8_000, clock: 8_000, disk: 10_000, cut: 10_000 } as const;
/** From what consensus tolerates (500 ms) to what nobody should believe. Units: ms. */
const JUMPS_MS = [-3_600_000, -30_000, -400, 400, 2_000, 30_000, 3_600_000];
/** A node that ends, ends within this time. Units: ms. */
const ENDING_MS = 2_000;
/** A flapping link is down and up for at most so long. Units: ms. */
const FLAP_MS = 400;

class Faults {
  readonly #cluster: SoakCluster;
  readonly #random: Random;
  readonly #pace: number;

  constructor(cluster: SoakCluster, random: Random, pace: number) {
    this.#cluster = cluster;
    this.#random = random;
    this.#pace = pace;
  }

  #lasts(longest: number): number {
    return this.#random.between(longest / 4, longest) * this.#pace;
  }

  kill(nodes: readonly SoakNode[], kind: "kill" | "blackout", what: string): Fault {
    return {
      kind,
      what,
      nodes: nodes.map(({ name }) => name),
      lastsMs: this.#lasts(LASTS_MS[kind]),
      stopsWrites: kind === "blackout",
      strike: async () => void (await Promise.all(nodes.map((node) => node.kill("SIGKILL")))),
      heal: async () => void (await Promise.all(nodes.map((node) => this.#cluster.revive(node)))),
    };
  }

  pause(node: SoakNode): Fault {
    return {
      kind: "pause",
      what: `SIGSTOP ${node.name}`,
      nodes: [node.name],
      lastsMs: this.#lasts(LASTS_MS.pause),
      stopsWrites: false,
      strike: async () => node.signal("SIGSTOP"),
      heal: async () => node.signal("SIGCONT"),
    };
  }

  clock(node: SoakNode): Fault {
    const jump = this.#random.pick(JUMPS_MS);
    return {
      kind: "clock",
      what: `the clock of ${node.name} jumps by ${jump} ms`,
      nodes: [node.name],
      lastsMs: this.#lasts(LASTS_MS.clock),
      stopsWrites: false,
      strike: async () => node.shiftClock(jump),
      heal: async () => node.shiftClock(0),
    };
  }

  fullDisk(node: SoakNode): Fault {
    const disk = this.#cluster.disks.get(node.name);
    return {
      kind: "full disk",
      what: `the disk of ${node.name} is full`,
      nodes: [node.name],
      lastsMs: this.#lasts(LASTS_MS.disk),
      stopsWrites: false,
      strike: async () => {
        node.mayEnd(); // nothing was acknowledged that is not on disk; it may stop instead
        await disk?.fill();
      },
      heal: async () => {
        disk?.free();
        await pause(ENDING_MS); // it may have met the full disk a moment ago
        if (!node.isRunning) await this.#cluster.revive(node);
        node.mustNotEnd();
      },
    };
  }

  /** Every link between these nodes and the others, in both directions. */
  bothWays(group: readonly string[]): readonly Link[] {
    const others = this.#cluster.nodes.map(({ name }) => name).filter((name) => !group.includes(name));
    return group.flatMap((a) =>
      others.flatMap((b): readonly Link[] => [
        [a, b],
        [b, a],
      ]),
    );
  }

  /** What a node sends to the others. */
  from(name: string): readonly Link[] {
    return this.bothWays([name]).filter(([from]) => from === name);
  }

  cut(kind: "isolate" | "split" | "one way", what: string, nodes: readonly string[], links: readonly Link[]): Fault {
    return {
      kind,
      what,
      nodes,
      lastsMs: this.#lasts(LASTS_MS.cut),
      stopsWrites: kind === "split",
      strike: () => this.#cut(links),
      heal: () => this.#mend(links),
    };
  }

  flap(node: SoakNode): Fault {
    const links = this.bothWays([node.name]);
    const lastsMs = this.#lasts(LASTS_MS.cut);
    let flapping: Promise<void> | undefined;
    return {
      kind: "flap",
      what: `${node.name} is cut off and back, again and again`,
      nodes: [node.name],
      lastsMs,
      stopsWrites: false,
      strike: async () => {
        flapping = this.#flap(links, performance.now() + lastsMs);
      },
      heal: async () => flapping,
    };
  }

  async #flap(links: readonly Link[], untilMs: number): Promise<void> {
    while (performance.now() < untilMs) {
      await this.#cut(links);
      await pause(this.#random.between(0, FLAP_MS));
      await this.#mend(links);
      await pause(this.#random.between(0, FLAP_MS));
    }
  }

  async #cut(links: readonly Link[]): Promise<void> {
    await Promise.all(links.map(([from, to]) => this.#cluster.network.cut(from, to)));
  }

  async #mend(links: readonly Link[]): Promise<void> {
    await Promise.all(links.map(([from, to]) => this.#cluster.network.mend(from, to)));
  }
}
