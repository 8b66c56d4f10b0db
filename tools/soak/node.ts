/** One `sky node`: a process that can be killed, stopped, misled about the time, and started again. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Place } from "./network.ts";

export interface NodeOptions {
  readonly place: Place;
  readonly directory: string;
  /** Where its log and its clock's offset are kept: not on its disk, which may be full. */
  readonly records: string;
  /** `sky` as a file to run: the same for the whole run, whatever becomes of the sources. */
  readonly program: string;
}

const CLOCK = path.join(import.meta.dirname, "shifted-clock.ts");
/** Between two looks. Units: ms. */
const LOOK_MS = 50;
/** Longer than any start on a busy machine. Units: ms. */
const START_MS = 60_000;

export class SoakNode {
  readonly place: Place;
  readonly #options: NodeOptions;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #endsExpected = false;
  /** How it ended when nobody asked it to; one entry each time. */
  readonly surprises: string[] = [];

  constructor(options: NodeOptions) {
    this.#options = options;
    this.place = options.place;
    this.shiftClock(0);
  }

  get name(): string {
    return this.place.name;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  get logFile(): string {
    return path.join(this.#options.records, `${this.name}.log`);
  }

  get #clockFile(): string {
    return path.join(this.#options.records, `${this.name}.clock`);
  }

  /** Starts it and waits until its operators can come. `passphrase`: before its root is dealt. Throws: Error. */
  async start(passphrase = ""): Promise<void> {
    const { place, directory, program } = this.#options;
    const [api, approach, cluster, service, health] = place.ports.map(String);
    const settings = {
      "--data-dir": directory,
      "--log-file": this.logFile,
      "--bind-interface": place.address,
      "--health-interface": place.address,
      "--api-port": api,
      "--approach-port": approach,
      "--cluster-port": cluster,
      "--service-port": service,
      "--health-port": health,
    };
    const flags = Object.entries(settings).flatMap(([flag, value]) => (value === undefined ? [] : [flag, value]));
    const node = [program, "node", ...flags];
    const [command = process.execPath, ...args] = [...place.enter, process.execPath, ...node];
    const errors = openSync(path.join(this.#options.records, `${this.name}.stderr`), "a", 0o600);
    const child = spawn(command, args, {
      stdio: ["pipe", "ignore", errors],
      env: {
        ...process.env,
        MALLOC_ARENA_MAX: "2",
        NODE_OPTIONS: `--import=${CLOCK} --max-semi-space-size=16`,
        SOAK_CLOCK: this.#clockFile,
      },
    });
    closeSync(errors);
    child.stdin?.on("error", () => undefined); // it may end before it reads
    child.stdin?.end(passphrase === "" ? "" : `${passphrase}\n`);
    this.#child = child;
    this.#endsExpected = false;
    this.#ended = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.#child = undefined;
        if (!this.#endsExpected) this.surprises.push(signal ?? `exit code ${String(code)}`);
        resolve();
      });
    });
    await this.until("opens its API port", async () => (await this.#page("/startupz")) !== undefined);
  }

  /** Waits for a condition of the running node. Throws: Error when it ends, or the time. */
  async until(what: string, condition: () => Promise<boolean>, timeoutMs = START_MS): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!(await condition())) {
      if (!this.isRunning) throw new Error(`${this.name} ended; it should have come to this: ${what}`);
      if (performance.now() > deadline)
        throw new Error(`after ${timeoutMs} ms, ${this.name} has not come to this: ${what}`);
      await pause(LOOK_MS);
    }
  }

  serving(): Promise<void> {
    return this.until("serves clients", async () => (await this.metric("sealed")) === 0);
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#child?.kill(signal);
  }

  /** From now on its end is no surprise. */
  mayEnd(): void {
    this.#endsExpected = true;
  }

  mustNotEnd(): void {
    this.#endsExpected = false;
  }

  /** Ends it and waits for that. */
  async kill(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    this.mayEnd();
    this.#child?.kill(signal);
    await this.#ended;
  }

  /** How far its calendar clock is off. Units: ms. */
  shiftClock(offsetMs: number): void {
    writeFileSync(this.#clockFile, String(offsetMs));
  }

  /** A gauge or counter without labels; undefined while the node does not answer. */
  async metric(name: string): Promise<number | undefined> {
    const value = (await this.#page("/metrics"))?.match(new RegExp(`^sky_${name} (\\S+)$`, "m"))?.[1];
    return value === undefined ? undefined : Number(value);
  }

  async #page(page: string): Promise<string | undefined> {
    const { address, ports } = this.place;
    try {
      const response = await fetch(`http://${address}:${ports[4]}${page}`, { signal: AbortSignal.timeout(2_000) });
      const body = await response.text();
      return response.ok ? body : undefined;
    } catch {
      return undefined; // dead, stopped or starting
    }
  }
}
