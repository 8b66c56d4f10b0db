/** One run: a cluster, clients that never rest, faults by seed; at the end equal roots and a history that has an order. */
import { setTimeout as pause } from "node:timers/promises";
import { type Judged, type Violation, checkHistory } from "../linearizability/check.ts";
import type { History } from "../linearizability/history.ts";
import { Random } from "../sim/random.ts";
import { differences, settledHeight } from "./agreement.ts";
import { SoakCluster } from "./cluster.ts";
import { FAULT_KINDS, type Fault, type FaultKind, drawFault, unavailable } from "./faults.ts";
import { Recorder } from "./recorder.ts";
import { Workload } from "./workload.ts";

export interface SoakOptions {
  readonly seed: number;
  /** Ends when the time is up, or after so many rounds in each of which every kind of fault strikes once. */
  readonly until: { readonly minutes: number } | { readonly rounds: number };
  /** Faults last so many times as long as they would, and the calm between them too. */
  readonly pace: number;
  readonly directory: string;
  /** Why this process has no network and mount namespaces of its own; undefined when it has. */
  readonly notIsolated: string | undefined;
  readonly say: (line: string) => void;
}

export interface SoakReport {
  readonly seed: number;
  readonly seconds: number;
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  /** Kinds that could not be had, and why. */
  readonly skipped: Readonly<Partial<Record<FaultKind, string>>>;
  readonly disks: string;
  readonly height: number;
  readonly judged: Judged;
  /** What went wrong, in words; empty when all is well. */
  readonly failures: readonly string[];
  readonly violation: Violation | undefined;
  readonly history: History;
}

/** Between faults. Units: ms. */
const CALM_MS = 4_000;
/** How often a second fault joins the first. */
const TOGETHER = 0.35;
/** How often progress is told. Units: ms. */
const PROGRESS_MS = 10_000;

export async function soak(options: SoakOptions): Promise<SoakReport> {
  const { seed, say } = options;
  const began = performance.now();
  const random = new Random(`soak ${seed}`);
  const cluster = await SoakCluster.start(options);
  const recorder = new Recorder(`soak-${seed}`);
  const run = new Run(cluster, recorder, options, random);
  const failures: string[] = [];
  let height = 0;
  try {
    const workload = new Workload(cluster, recorder, random.fork("calls"));
    const progress = setInterval(() => say(run.progress()), PROGRESS_MS);
    try {
      await run.strikeUntilDone();
      height = await settledHeight(cluster.nodes);
    } finally {
      clearInterval(progress);
      await workload.stop();
    }
    await workload.sweep();
    height = await settledHeight(cluster.nodes);
    failures.push(...differences(cluster.directories, height));
    for (const node of cluster.nodes)
      if ((await node.metric("defects_total")) !== 0) failures.push(`${node.name} counts defects; its log says which`);
  } catch (error) {
    failures.push(error instanceof Error ? error.message : String(error));
  } finally {
    await cluster.stop();
  }
  for (const node of cluster.nodes)
    for (const surprise of node.surprises) failures.push(`${node.name} ended by itself (${surprise})`);
  for (const what of run.withoutEffect()) failures.push(`a write was sent and acknowledged while this lasted: ${what}`);
  for (const code of new Set(recorder.unexpected)) failures.push(`a client was told ${code}`);
  const verdict = checkHistory(recorder.entries);
  if (!verdict.ok) failures.push(`the history breaks "${verdict.violation.rule}": ${verdict.violation.message}`);
  return {
    seed,
    seconds: (performance.now() - began) / 1000,
    faults: run.struck,
    skipped: run.skipped,
    disks: cluster.undisked ?? [...new Set([...cluster.disks.values()].map(({ kind }) => kind))].join(", "),
    height,
    judged: verdict.judged,
    failures,
    violation: verdict.ok ? undefined : verdict.violation,
    history: recorder.entries,
  };
}

class Run {
  readonly struck: Partial<Record<FaultKind, number>> = {};
  readonly skipped: Partial<Record<FaultKind, string>> = {};
  readonly #cluster: SoakCluster;
  readonly #recorder: Recorder;
  readonly #options: SoakOptions;
  readonly #random: Random;
  readonly #kinds: readonly FaultKind[];
  readonly #ongoing = new Set<Fault>();
  readonly #standstills: { readonly fault: Fault; readonly fromMs: number; readonly toMs: number }[] = [];
  readonly #began = performance.now();

  constructor(cluster: SoakCluster, recorder: Recorder, options: SoakOptions, random: Random) {
    this.#cluster = cluster;
    this.#recorder = recorder;
    this.#options = options;
    this.#random = random.fork("faults");
    for (const kind of FAULT_KINDS) {
      const why = unavailable(kind, cluster);
      if (why === undefined) continue;
      this.skipped[kind] = why;
      options.say(`no fault "${kind}": ${why}`);
    }
    this.#kinds = FAULT_KINDS.filter((kind) => this.skipped[kind] === undefined);
  }

  progress(): string {
    const { entries } = this.#recorder;
    const unknown = entries.filter(({ call, outcome }) => call.kind === "write" && outcome.kind === "unknown").length;
    const now = this.#ongoing.size === 0 ? "calm" : [...this.#ongoing].map(({ what }) => what).join("; ");
    return `${this.#seconds()} s  ${entries.length} calls, ${unknown} of unknown outcome, height ${this.#recorder.newest}; ${now}`;
  }

  #seconds(): string {
    return ((performance.now() - this.#began) / 1000).toFixed(0).padStart(4);
  }

  /** Faults that should have stopped writes and did not: they were none. */
  withoutEffect(): readonly string[] {
    return this.#standstills
      .filter(({ fromMs, toMs }) =>
        this.#recorder.entries.some(
          ({ startMs, endMs, outcome }) =>
            outcome.kind === "written" && startMs > fromMs && endMs !== null && endMs < toMs,
        ),
      )
      .map(({ fault }) => fault.what);
  }

  /** Every kind once in each round, in any order, now and then two at a time. When it returns, everything is healed. */
  async strikeUntilDone(): Promise<void> {
    const { until } = this.#options;
    for (let round = 0; ; round++) {
      if ("rounds" in until && round >= until.rounds) return;
      const kinds = this.#random.shuffled(this.#kinds);
      for (let kind = kinds.pop(); kind !== undefined; kind = kinds.pop()) {
        if ("minutes" in until && performance.now() - this.#began > until.minutes * 60_000) return;
        await pause(this.#random.between(CALM_MS / 8, CALM_MS) * this.#options.pace);
        const alone = kind === "blackout" || kinds.at(-1) === "blackout" || !this.#random.chance(TOGETHER);
        const second = alone ? undefined : kinds.pop();
        const label = `${round} ${kind}`;
        await Promise.all([
          this.#strike(kind, this.#random.fork(label)),
          second === undefined ? undefined : this.#joining(second, this.#random.fork(`${label} joined`)),
        ]);
      }
    }
  }

  async #joining(kind: FaultKind, random: Random): Promise<void> {
    await pause(random.between(0, CALM_MS / 2) * this.#options.pace);
    await this.#strike(kind, random);
  }

  /** From the blow to the cure. A kind that needs more nodes than are well waits for nothing: it is left out. */
  async #strike(kind: FaultKind, random: Random): Promise<void> {
    const struck = new Set([...this.#ongoing].flatMap(({ nodes }) => nodes));
    const well = this.#cluster.nodes.filter(({ name, isRunning }) => isRunning && !struck.has(name));
    const fault = drawFault(kind, this.#cluster, well, random, this.#options.pace);
    if (fault === undefined) return;
    this.#ongoing.add(fault);
    this.struck[kind] = (this.struck[kind] ?? 0) + 1;
    this.#options.say(`${this.#seconds()} s  ${fault.what}`);
    try {
      await fault.strike();
      const fromMs = performance.now();
      await pause(fault.lastsMs);
      if (fault.stopsWrites) this.#standstills.push({ fault, fromMs, toMs: performance.now() });
    } finally {
      await fault.heal();
      this.#ongoing.delete(fault);
    }
    this.#options.say(`${this.#seconds()} s  healed: ${fault.what}`);
  }
}
