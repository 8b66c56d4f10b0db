/** A `sky dev` of our own: started as a user would, watched from outside, stopped in order. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { SkyClient } from "../../src/client/sky-client.ts";
import { signerOf } from "../../src/client/identity.ts";
import { clientFiles, readClientIdentity } from "../../src/host/founding/client-folder.ts";
import { demand } from "../../src/host/enclave/node-files.ts";

const LAUNCHER = fileURLToPath(new URL("../../bin/sky.js", import.meta.url));
const SERVING = "every node is unsealed and serves";
/** Far beyond any start that can be called one. */
const START_TIMEOUT_MS = 120_000;
/** Clock ticks of /proc/PID/stat in a second: fixed in Linux's interface to programs. */
const TICKS_PER_SECOND = 100;

export interface ClientCredentials {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface NodeProcess {
  readonly name: string;
  readonly pid: number;
  readonly endpoint: string;
  readonly health: string;
}

export interface Memory {
  /** Units: bytes. VmRSS. */
  readonly resident: number;
  /** Units: bytes. RssAnon: what the process shares with nobody. */
  readonly anonymous: number;
}

export class RunningCluster {
  readonly directory: string;
  /** performance.now() when it was spawned. */
  readonly spawnedAt: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;

  private constructor(directory: string, child: ChildProcess, spawnedAt: number) {
    this.directory = directory;
    this.#child = child;
    this.spawnedAt = spawnedAt;
    this.#exited = new Promise((resolve) => {
      child.once("exit", () => resolve());
    });
  }

  static newDirectory(): string {
    return mkdtempSync(join(tmpdir(), "sky-bench-"));
  }

  /** Resolves when every node serves. Throws when it ends before or takes longer than any start should. */
  static async start(directory: string, env: Readonly<Record<string, string>> = {}): Promise<RunningCluster> {
    const spawnedAt = performance.now();
    const child = spawn(process.execPath, [LAUNCHER, "dev", "--dir", directory, "--json"], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    const cluster = new RunningCluster(directory, child, spawnedAt);
    const said: string[] = [];
    child.stderr?.on("data", (chunk: Buffer) => said.push(chunk.toString("utf8")));
    const lines = createInterface({ input: child.stdout ?? process.stdin });
    const serving = new Promise<void>((resolve) => {
      lines.on("line", (line) => {
        said.push(`${line}\n`);
        if (line.includes(SERVING)) resolve();
      });
    });
    const ended = cluster.#exited.then(() => {
      throw new Error(`sky dev ended before every node served:\n${said.join("")}`);
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`sky dev took too long:\n${said.join("")}`)), START_TIMEOUT_MS);
    });
    try {
      await Promise.race([serving, ended, late]);
    } catch (error) {
      await cluster.stop();
      throw error;
    } finally {
      clearTimeout(timer);
      ended.catch(() => undefined);
    }
    return cluster;
  }

  /** Ctrl-C, and waits for the end. */
  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGINT");
    await this.#exited;
  }

  removeDirectory(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  nodes(): readonly NodeProcess[] {
    const { nodes } = JSON.parse(readFileSync(join(this.directory, "cluster.json"), "utf8")) as {
      readonly nodes: readonly {
        readonly name: string;
        readonly pid: number;
        readonly ports: { service: number; health: number };
      }[];
    };
    return nodes.map(({ name, pid, ports }) => ({
      name,
      pid,
      endpoint: `127.0.0.1:${ports.service}`,
      health: `http://127.0.0.1:${ports.health}`,
    }));
  }

  credentials(): ClientCredentials {
    const { anchors, certificate, key } = clientFiles(join(this.directory, "clients/default"));
    return { ca: readFileSync(anchors), cert: readFileSync(certificate), key: readFileSync(key) };
  }

  /** The default client, on a connection of its own, preferring the node with this number (modulo the number of nodes). */
  client(preferred = 0): SkyClient {
    const identity = demand(readClientIdentity(join(this.directory, "clients/default")));
    if (identity.cluster === null) throw new Error("the default client has no cluster");
    const endpoints = this.nodes().map(({ endpoint }) => endpoint);
    const first = preferred % endpoints.length;
    return SkyClient.connect({
      endpoints: [...endpoints.slice(first), ...endpoints.slice(0, first)],
      ...this.credentials(),
      serverName: "localhost",
      cluster: identity.cluster,
      signer: signerOf(identity),
    });
  }
}

/** A counter or gauge of a node's metrics page. */
export async function metricOf({ health }: NodeProcess, name: string): Promise<number> {
  const page = await (await fetch(`${health}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(page)?.[1] ?? 0);
}

export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) * 1024;
  return { resident: field("VmRSS"), anonymous: field("RssAnon") };
}

/** CPU time of a process's threads by their names. Units: s. */
export function threadSecondsOf(pid: number): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const read = (file: string): string => readFileSync(`/proc/${pid}/task/${task}/${file}`, "utf8");
    try {
      const name = read("comm").trim();
      const [ran = "0"] = read("schedstat").split(" "); // ns on a CPU; stat counts in ticks of 10 ms
      found.set(name, (found.get(name) ?? 0) + Number(ran) / 1e9);
    } catch {
      // The thread ended meanwhile.
    }
  }
  return found;
}

/** CPU time that a process has used, user and system. Units: s. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // After the command's name, which may hold anything: state is the first field, utime and stime the 12th and 13th.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
