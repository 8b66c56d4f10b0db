/** What runs say of themselves. */
import type { SimOutcome } from "./simulation.ts";

/** What is told of a seed; its history stays where it ran. */
export type Told = Omit<SimOutcome, "history">;

export const told = ({ history: _history, ...rest }: SimOutcome): Told => rest;

/** One run, for people. */
export function outcomeLines({ seed, violation, traceHash, ...outcome }: SimOutcome): readonly string[] {
  const { profile, faults, simulatedMs, events, viewsDecided, viewsNullified, blocks, acknowledged } = outcome;
  const byzantine = profile.byzantine.length === 0 ? "none" : profile.byzantine.join(", ");
  const struck = Object.entries(faults).map(([kind, count]) => `${kind} ${count}`);
  return [
    `seed ${seed}: ${profile.nodes} nodes, Byzantine: ${byzantine}, ${profile.mode} mode, ${(simulatedMs / 60_000).toFixed(1)} simulated minutes`,
    `faults: ${struck.length === 0 ? "none" : struck.join(", ")}`,
    `${viewsDecided} views decided (${viewsNullified} nullified), ${blocks} blocks, ${acknowledged} writes acknowledged, ${events} events`,
    `traceHash ${traceHash}`,
    violation === undefined
      ? "no rule was broken"
      : `BROKEN: ${violation.invariant}, at ${violation.atMs.toFixed(1)} ms: ${violation.message}`,
  ];
}

/** Figures over many seeds. */
export class Sum {
  seeds = 0;
  simulatedMs = 0;
  views = 0;
  nullified = 0;
  blocks = 0;
  acknowledged = 0;
  frames = 0;
  readonly violations: Told[] = [];
  readonly faults: Record<string, number> = {};

  add(outcome: Told): void {
    this.seeds += 1;
    this.simulatedMs += outcome.simulatedMs;
    this.views += outcome.viewsDecided;
    this.nullified += outcome.viewsNullified;
    this.blocks += outcome.blocks;
    this.acknowledged += outcome.acknowledged;
    this.frames += outcome.frames;
    if (!outcome.ok) this.violations.push(outcome);
    for (const [kind, count] of Object.entries(outcome.faults)) this.faults[kind] = (this.faults[kind] ?? 0) + count;
    for (const kind of outcome.profile.byzantine)
      this.faults[`Byzantine ${kind}`] = (this.faults[`Byzantine ${kind}`] ?? 0) + 1;
  }

  figures() {
    const { seeds, simulatedMs, views, nullified, blocks, acknowledged, frames, faults } = this;
    const violations = this.violations.map(({ seed }) => seed);
    return { seeds, simulatedMs, views, nullified, blocks, acknowledged, frames, faults, violations };
  }

  lines(seconds: number): readonly string[] {
    const faults = Object.entries(this.faults).sort(([a], [b]) => (a < b ? -1 : 1));
    const hours = (this.simulatedMs / 3_600_000).toFixed(1);
    return [
      `${this.seeds} seeds, ${hours} simulated hours in ${seconds.toFixed(0)} s`,
      `${this.views} views decided (${this.nullified} nullified), ${this.blocks} blocks, ${this.acknowledged} writes acknowledged, ${this.frames} frames`,
      `faults: ${faults.map(([kind, count]) => `${kind} ${count}`).join(", ")}`,
      `${this.violations.length} violations${this.violations.length > 0 ? `: seeds ${this.violations.map(({ seed }) => seed).join(", ")}` : ""}`,
    ];
  }
}
