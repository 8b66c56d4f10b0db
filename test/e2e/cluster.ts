/**
 * A cluster as its users run it: `sky dev` as a child process, its nodes as processes of their own, everything under one
 * temporary directory. Waits are for conditions, never for time; whatever happens, `clean` leaves no process and no file.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { type IncomingMessage, get } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

export const root = path.resolve(import.meta.dirname, "../..");
const SKY = path.join(root, "bin/sky.js");
/** Between two looks at a condition. Units: ms. */
const LOOK_MS = 25;
/**
 * What never comes is given up after this long: longer than any start, catch-up or stop on a machine whose every core is wanted by
 * ten others. Less than a test may take (vitest.config.ts), so that what was waited for is told. Units: ms.
 */
export const PATIENCE_MS = 300_000;
/** A node that is stopped takes connections and says nothing; one that is only busy answers within this. Units: ms. */
const PAGE_MS = 15_000;

export interface NodeEntry {
  readonly name: string;
  readonly aid: string;
  readonly pid: number | null;
  readonly dir: string;
  readonly ports: Readonly<Record<"api" | "approach" | "cluster" | "service" | "health" | "identity", number>>;
}

export interface CommandEnd {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Waits until the condition gives something other than false or undefined. Throws when it does not in time, with what it waited for. */
export async function until<T>(
  what: string,
  condition: () => T | false | undefined | Promise<T | false | undefined>,
  timeoutMs = PATIENCE_MS,
): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const found = await condition();
    if (found !== false && found !== undefined) return found;
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms in vain for: ${what}`);
    await pause(LOOK_MS);
  }
}

/** Whether it still does anything: who ended and was not asked for yet, as where a container's first process asks for nobody, does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return !["Z", "X"].includes(statOf(pid)?.state ?? "");
}

/** A shell that ends a process group when this process ends, however it ends: its standard input is closed then. */
function watch(group: number): ChildProcess {
  const watchdog = spawn("sh", ["-c", `cat; kill -9 -${group}`], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  watchdog.unref();
  return watchdog;
}

/** Ends a process group, and waits until nobody of it can write any more. */
async function endGroup(group: number): Promise<void> {
  try {
    process.kill(-group, "SIGKILL");
  } catch {
    return; // nothing of it is left
  }
  await until(`the processes of group ${group} end`, () => !membersOf(group).some(isAlive));
}

/** Process ids of a group, by /proc; where there is none the group counts as ended. */
function membersOf(group: number): readonly number[] {
  const entries = existsSync("/proc/self/stat") ? readdirSync("/proc") : [];
  return entries
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => statOf(pid)?.group === group);
}

/** State and group of a process; undefined when there is none, or no /proc. */
function statOf(pid: number): { readonly state: string; readonly group: number } | undefined {
  try {
    const [state = "", , group = ""] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
    return { state, group: Number(group) };
  } catch {
    return undefined;
  }
}

/** Runs `sky` to its end. Never rejects: how it ended is the answer. */
export function sky(...args: readonly string[]): Promise<CommandEnd> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [SKY, ...args], { timeout: PATIENCE_MS }, (_error, out, err) =>
      resolve({ code: child.exitCode, out, err }),
    );
  });
}

/** A page over a connection of its own: none that the node gives up while this process is about to use it again. */
async function pageOf(url: string): Promise<{ readonly status: number; readonly body: string }> {
  const asked = get(url, { agent: false, signal: AbortSignal.timeout(PAGE_MS) });
  asked.on("error", () => {}); // told below, or by what was asked for
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  return { status: response.statusCode ?? 0, body: Buffer.concat(await response.toArray()).toString() };
}

export class Cluster {
  readonly directory: string;
  /** What `sky dev` said, of all its starts. */
  readonly said: string[] = [];
  #process: ChildProcess | undefined;
  #watchdog: ChildProcess | undefined;
  #exit: Promise<number | null> = Promise.resolve(null);

  readonly #flags: readonly string[];

  private constructor(directory: string, flags: readonly string[]) {
    this.directory = directory;
    this.#flags = flags;
  }

  /** Founds a cluster and waits until every node serves; `flags` of `sky dev` besides. */
  static async start(...flags: readonly string[]): Promise<Cluster> {
    const cluster = new Cluster(mkdtempSync(path.join(tmpdir(), "sky-e2e-")), flags);
    try {
      await cluster.run();
    } catch (error) {
      await cluster.clean();
      throw error;
    }
    return cluster;
  }

  /** Starts `sky dev` on the directory and waits until these nodes serve, all unless given. */
  async run(names?: readonly string[]): Promise<void> {
    const child = spawn(process.execPath, [SKY, "dev", "--dir", this.directory, ...this.#flags], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own: a dead `sky dev` must not leave nodes behind when the tests end.
      detached: true,
    });
    const { pid } = child;
    if (pid === undefined) throw new Error("sky dev cannot be started");
    this.#process = child;
    this.#watchdog = watch(pid);
    let ended = false;
    this.#exit = new Promise((resolve) =>
      child.once("exit", (code) => {
        ended = true;
        resolve(code);
      }),
    );
    const first = this.said.length;
    for (const stream of [child.stdout, child.stderr])
      createInterface(stream).on("line", (line) => void this.said.push(line));
    await until("sky dev says that its nodes serve", () => {
      if (ended) throw new Error(`sky dev ended: ${this.said.slice(first).join("\n")}\n${this.logs()}`);
      return this.said.slice(first).some((line) => line.startsWith("Running;"));
    });
    await Promise.all((names ?? this.names).map((name) => this.ready(name)));
  }

  /** Process id of `sky dev` itself. */
  get pid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error("sky dev does not run");
    return pid;
  }

  /** What cluster.json says now. */
  get nodes(): readonly NodeEntry[] {
    const file = readFileSync(path.join(this.directory, "cluster.json"), "utf8");
    return (JSON.parse(file) as { readonly nodes: readonly NodeEntry[] }).nodes;
  }

  get names(): readonly string[] {
    return this.nodes.map(({ name }) => name);
  }

  node(name: string): NodeEntry {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`there is no node ${name}`);
    return found;
  }

  /** A path under the cluster's directory. */
  path(...parts: readonly string[]): string {
    return path.join(this.directory, ...parts);
  }

  signal(name: string, signal: NodeJS.Signals): void {
    const { pid } = this.node(name);
    if (pid === null) throw new Error(`node ${name} does not run`);
    process.kill(pid, signal);
  }

  /** kill -9, and waits until cluster.json says so. */
  async kill(...names: readonly string[]): Promise<void> {
    for (const name of names) this.signal(name, "SIGKILL");
    for (const name of names) await this.dead(name);
  }

  async dead(name: string): Promise<void> {
    await until(`cluster.json says that ${name} is dead`, () => this.node(name).pid === null);
  }

  /** `sky dev --revive`, and waits until the node serves. */
  async revive(name: string): Promise<CommandEnd> {
    const end = await sky("dev", "--dir", this.directory, "--revive", name);
    if (end.code !== 0) throw new Error(`cannot revive ${name}: ${end.out}${end.err}`);
    await this.serving(name);
    return end;
  }

  /** Waits until the node is unsealed and serves, whether or not a quorum is there. */
  async serving(name: string): Promise<void> {
    await until(`${name} serves`, async () => {
      if (this.node(name).pid === null) throw new Error(`node ${name} ended`);
      return (await this.metric(name, "sealed")) === 0;
    });
  }

  async sealed(name: string): Promise<void> {
    await until(`${name} is sealed`, async () => (await this.metric(name, "sealed")) === 1);
  }

  /** Waits until the node is unsealed and sees a quorum. */
  async ready(name: string): Promise<void> {
    await until(`${name} is ready`, async () => (await this.health(name, "/readyz"))?.status === 200);
  }

  async health(name: string, page: string): Promise<{ readonly status: number; readonly body: string } | undefined> {
    const { health } = this.node(name).ports;
    return pageOf(`http://127.0.0.1:${health}${page}`).catch(() => undefined); // dead, stopped or starting
  }

  /** A gauge or counter of /metrics without labels; undefined while the node does not answer. */
  async metric(name: string, metric: string): Promise<number | undefined> {
    const page = await this.health(name, "/metrics");
    const value = page?.body.match(new RegExp(`^sky_${metric} (\\S+)$`, "m"))?.[1];
    return value === undefined ? undefined : Number(value);
  }

  /** The node's log, one record a line. */
  log(name: string): string {
    return readFileSync(this.path("nodes", name, "node.log"), "utf8");
  }

  /** Empty while there are no nodes yet. */
  logs(): string {
    if (!existsSync(this.path("cluster.json"))) return "";
    return this.names.map((name) => `--- ${name}\n${this.log(name)}`).join("\n");
  }

  /** Ctrl-C: the exit code of `sky dev`, which ends when all its nodes have. */
  async stop(): Promise<number | null> {
    this.#process?.kill("SIGINT");
    return this.ended();
  }

  /** kill -9 of `sky dev` and every node at once. */
  async killEverything(): Promise<void> {
    await endGroup(this.pid);
    await this.ended();
  }

  /** Waits for the end of `sky dev`; what it left running ends too. */
  async ended(): Promise<number | null> {
    const pid = this.#process?.pid;
    const code = await this.#exit;
    this.#process = undefined;
    if (pid !== undefined) {
      await endGroup(pid);
      this.#watchdog?.kill("SIGKILL");
    }
    return code;
  }

  /** Ends what runs and removes the directory. */
  async clean(): Promise<void> {
    const pid = this.#process?.pid;
    if (pid !== undefined) await endGroup(pid);
    await this.ended();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
