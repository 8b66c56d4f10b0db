/** A cluster on this machine: real node processes, a real unseal ceremony, and `cluster.json` that says what runs. */
import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { assert, Fault, present } from "../../base/errors.ts";
import type { FounderCard } from "../../events/facts/founding.ts";
import { type DevNode, devEndpoints, foundDevCluster } from "../founding/dev-cluster.ts";
import { type DevDirectory, openDevCluster } from "../founding/dev-directory.ts";
import { writeAtomic } from "../founding/files.ts";
import { ClusterSource } from "../inspector/cluster-source.ts";
import { linksOf } from "./links.ts";
import type { DevNodeOrder, DevNodeReport } from "./messages.ts";
import { findPorts } from "./ports.ts";
import { unsealNodes } from "./unsealing.ts";
import { ENTRIES } from "../entries.ts";

/** Ports of one node, five in a row (devEndpoints); the identity ports of all come after them. */
const PORTS_PER_NODE = 5;
/** A node that does not answer in this time will not. Units: ms. */
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 8000;

const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));

interface NodeRun {
  readonly name: string;
  child: ChildProcess | undefined;
  serving: boolean;
  /** Why it does not serve though it runs. */
  waits: string | undefined;
}

/** What `sky dev` sets on all nodes alike, as CONFIGURATION.md has it. */
export interface DevSettings {
  readonly checkpointBlocks?: number | undefined;
  readonly certificateLifetimeSeconds?: number | undefined;
  readonly rotateKeysEverySeconds?: number | undefined;
}

export interface DevOptions {
  readonly directory: string;
  readonly nodes: number;
  /** Of every node; what is not given has its default. */
  readonly settings: DevSettings;
  /** One line of progress. */
  readonly say: (line: string) => void;
}

export class DevCluster {
  readonly #options: DevOptions;
  readonly #runs = new Map<string, NodeRun>();
  /** Passphrases of new nodes, until their roots are dealt; written nowhere. */
  readonly #passphrases = new Map<string, DevNode["passphrase"]>();
  readonly #waiting = new Set<() => void>();
  #layout: DevDirectory | undefined;
  #inspected: ClusterSource | undefined;
  #stopping = false;

  constructor(options: DevOptions) {
    this.#options = options;
  }

  get layout(): DevDirectory {
    return present(this.#layout, "the cluster is founded or opened");
  }

  /** All nodes as one thing to inspect. */
  get inspected(): ClusterSource {
    return present(this.#inspected, "the cluster is founded or opened");
  }

  /**
   * Founds the cluster or opens the one in the directory, starts every node and takes it through the ceremony. A node that cannot
   * serve is told of, and the cluster goes on without it. Returns a sentence. Throws: Fault when none can.
   */
  async start(): Promise<string> {
    const { directory, say } = this.#options;
    if (existsSync(join(directory, "founding.sky"))) {
      this.#layout = openDevCluster(directory);
      say(`opened the cluster in ${directory} (${this.layout.nodes.length} nodes)`);
    } else await this.#found();
    const { cluster, document } = this.layout.founding;
    const nodes = document.founders.map(({ name, aid }) => ({ name, aid }));
    const title = `${document.name}: ${nodes.length} nodes on this machine`;
    this.#inspected = new ClusterSource({ title, cluster, dev: document.dev, nodes, now: () => Date.now() });
    for (const { name } of this.layout.nodes)
      this.#runs.set(name, { name, child: undefined, serving: false, waits: undefined });
    const names = [...this.#runs.keys()];
    const failed = new Map<string, Fault>();
    await Promise.all(
      names.map((name) =>
        this.#spawn(name).catch((error: unknown) => {
          if (!(error instanceof Fault)) throw error;
          failed.set(name, error);
        }),
      ),
    );
    this.#writeClusterFile();
    const started = names.filter((name) => !failed.has(name));
    say(`${started.length} nodes run, sealed`);
    for (const [name, reason] of await this.#unseal(started)) failed.set(name, reason);
    const [any] = failed.values();
    if (any === undefined) return "every node is unsealed and serves";
    if (failed.size === names.length) throw any;
    for (const [name, { message }] of failed) say(`node ${name} does not serve: ${message}`);
    return `${names.length - failed.size} of ${names.length} nodes are unsealed and serve`;
  }

  async #found(): Promise<void> {
    const { directory, nodes, say } = this.#options;
    const base = await findPorts(nodes * (PORTS_PER_NODE + 1), Math.random);
    const made = await foundDevCluster(directory, { endpoints: devEndpoints(nodes, base), random, now: Date.now() });
    for (const { name, passphrase } of made.nodes) this.#passphrases.set(name, passphrase);
    this.#layout = openDevCluster(directory);
    const { operators, threshold } = made.founding.document;
    say(`founded ${nodes} nodes, ${operators.length} operators (any ${threshold} unseal), 2 clients in ${directory}`);
  }

  /** Starts a dead node again and unseals it. Returns a sentence. Throws: Fault. */
  async revive(name: string): Promise<string> {
    const run = this.#runs.get(name);
    if (run === undefined)
      throw new Fault("UNKNOWN_NODE", `There is no node ${name}; there are ${[...this.#runs.keys()].join(", ")}.`);
    if (run.child !== undefined)
      throw new Fault("NODE_RUNS", `Node ${name} runs (pid ${run.child.pid}); nothing to revive.`);
    await this.#spawn(name);
    this.#writeClusterFile();
    const failed = (await this.#unseal([name])).get(name);
    if (failed !== undefined) throw failed;
    return `node ${name} runs again (pid ${run.child === undefined ? "?" : String((run.child as ChildProcess).pid)})`;
  }

  /** Waits until the nodes serve. Returns those that do not, each with its reason. */
  async #unseal(names: readonly string[]): Promise<ReadonlyMap<string, Fault>> {
    const failed = new Map(await unsealNodes(this.layout, names, this.#options.say));
    const unsealed = names.filter((name) => !failed.has(name));
    for (const name of unsealed) {
      this.#passphrases.get(name)?.erase();
      this.#passphrases.delete(name);
    }
    const ended = (name: string): boolean => this.#runs.get(name)?.child === undefined;
    const waits = (name: string): string | undefined => this.#runs.get(name)?.waits;
    const settled = (name: string): boolean => this.#runs.get(name)?.serving !== false || waits(name) !== undefined;
    await this.#until(() => unsealed.every((name) => settled(name) || ended(name)));
    for (const name of unsealed) {
      const reason = waits(name);
      if (reason !== undefined) failed.set(name, new Fault("NODE_WAITS", `Node ${name} runs and waits: ${reason}.`));
    }
    for (const name of unsealed.filter(ended)) {
      const reason = `Node ${name} ended after unsealing; ${this.#logOf(name)} says why.`;
      failed.set(name, new Fault("NODE_FAILED", reason));
    }
    return failed;
  }

  /** Stops every node, in order and at once; a node that does not end is killed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const children = [...this.#runs.values()].flatMap(({ child }) => (child === undefined ? [] : [child]));
    for (const child of children) child.kill("SIGTERM");
    const timer = setTimeout(() => children.forEach((child) => child.kill("SIGKILL")), STOP_TIMEOUT_MS);
    await this.#until(() => [...this.#runs.values()].every(({ child }) => child === undefined));
    clearTimeout(timer);
    await this.#inspected?.close();
  }

  #logOf(name: string): string {
    return join(this.#options.directory, "nodes", name, "node.log");
  }

  async #spawn(name: string): Promise<void> {
    const run = present(this.#runs.get(name), "a node of this cluster");
    const node = present(
      this.layout.nodes.find((one) => one.name === name),
      "a node of this cluster",
    );
    const card = present(
      this.layout.founding.document.founders.find((one) => one.name === name),
      "a founder",
    );
    const log = openSync(this.#logOf(name), "a", 0o600);
    const child = fork(ENTRIES.devNode, [], {
      stdio: ["ignore", log, log, "ipc"],
      execArgv: NODE_FLAGS,
      env: { ...process.env, MALLOC_ARENA_MAX: "2" }, // glibc keeps an arena for every thread otherwise
      serialization: "json",
    });
    closeSync(log);
    run.child = child;
    run.serving = false;
    run.waits = undefined;
    const link = linksOf(child);
    let failure: string | undefined;
    const started = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Fault("NODE_FAILED", `Node ${name} did not start in time; ${this.#logOf(name)} says why.`)),
        START_TIMEOUT_MS,
      );
      child.on("message", (report) => {
        const message = report as DevNodeReport;
        if (message.kind === "started") {
          clearTimeout(timer);
          this.inspected.started(name, link);
          resolve();
        } else if (message.kind === "failed") failure = message.reason;
        else if (message.kind !== "inspectLink") {
          run.serving = message.kind === "serving";
          run.waits = message.kind === "waits" ? message.reason : undefined;
          this.#changed();
        }
      });
      child.once("exit", (code, signal) => {
        clearTimeout(timer);
        reject(
          new Fault(
            "NODE_FAILED",
            failure ?? `Node ${name} ended (${signal ?? String(code)}); ${this.#logOf(name)} says why.`,
          ),
        );
        this.#ended(run, signal ?? `code ${String(code)}`);
      });
    });
    const passphrase = this.#passphrases.get(name);
    child.send({
      settings: {
        ...settingsOf(node.directory, card, this.#options.settings),
        identityPort: String(identityPortOf(this.layout.founding.document.founders, card)),
      },
      passphrase: passphrase === undefined ? null : Buffer.from(passphrase.reveal()).toString("base64"),
    } satisfies DevNodeOrder);
    await started;
  }

  /** A dead node stays dead: the cluster goes on without it, and `cluster.json` says so. */
  #ended(run: NodeRun, how: string): void {
    run.child = undefined;
    run.serving = false;
    this.inspected.ended(run.name, `its process ended (${how})`);
    this.#writeClusterFile();
    this.#changed();
    if (!this.#stopping) {
      const { directory, say } = this.#options;
      say(
        `node ${run.name} ended (${how}); the cluster goes on without it. Start it again: npx sky dev --dir ${directory} --revive ${run.name}`,
      );
    }
  }

  #writeClusterFile(): void {
    const nodes = this.layout.founding.document.founders.map((card) => {
      const ports = { ...portsOf(card), identity: identityPortOf(this.layout.founding.document.founders, card) };
      const pid = this.#runs.get(card.name)?.child?.pid ?? null;
      return { name: card.name, aid: card.aid, pid, dir: join(this.#options.directory, "nodes", card.name), ports };
    });
    writeAtomic(join(this.#options.directory, "cluster.json"), `${JSON.stringify({ nodes }, undefined, 2)}\n`, 0o644);
  }

  #changed(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  #until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!condition()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }
}

/** A young generation of one size from the start: growing it step by step costs a quarter of a node's start-up. Units: MB. */
const NODE_FLAGS = ["--disable-warning=ExperimentalWarning", "--min-semi-space-size=16", "--max-semi-space-size=16"];

const portOf = (endpoint: string): number => Number(endpoint.slice(endpoint.lastIndexOf(":") + 1));

export function portsOf({ endpoints }: FounderCard): {
  api: number;
  approach: number;
  cluster: number;
  service: number;
  health: number;
} {
  const api = portOf(endpoints.api);
  assert(portOf(endpoints.service) === api + 3, "devEndpoints gives five ports in a row");
  return {
    api,
    approach: portOf(endpoints.approach),
    cluster: portOf(endpoints.cluster),
    service: portOf(endpoints.service),
    health: api + 4,
  };
}

/** After those of all nodes, since a founding document gives each of them five in a row. */
function identityPortOf(founders: readonly FounderCard[], { aid }: FounderCard): number {
  const first = Math.min(...founders.map((card) => portsOf(card).api));
  return first + PORTS_PER_NODE * founders.length + founders.findIndex((card) => card.aid === aid);
}

function settingsOf(directory: string, card: FounderCard, settings: DevSettings): Record<string, string> {
  const ports = portsOf(card);
  return {
    dataDir: directory,
    apiPort: String(ports.api),
    approachPort: String(ports.approach),
    clusterPort: String(ports.cluster),
    servicePort: String(ports.service),
    healthPort: String(ports.health),
    ...Object.fromEntries(
      Object.entries(settings).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
    ),
  };
}
