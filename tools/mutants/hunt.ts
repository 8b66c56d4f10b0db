/** Runs the simulator on a mutant until some seed breaks a rule, and on the sources as they are, whom the same seed must spare. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { bundleSimulator, removeBundle } from "./bundle.ts";
import type { Mutant } from "./mutant.ts";

export type Found =
  | { readonly kind: "found"; readonly seed: number; readonly invariant: string; readonly message: string }
  /** No seed of those stated broke a rule. */
  | { readonly kind: "survived" }
  /** The program itself ended or hung: no way to be found by a simulator. */
  | { readonly kind: "failed"; readonly message: string };

export interface Hunted {
  readonly mutant: Mutant;
  readonly found: Found;
  /** Seeds that broke a rule in the sources as they are, too: they find nothing. */
  readonly spoilt: readonly number[];
  readonly seconds: number;
}

/** More than any seed takes; a run that says nothing for so long hangs. Units: ms. */
const SILENCE_MS_MAX = 180_000;

interface Told {
  readonly seed: number;
  readonly ok: boolean;
  readonly violation?: { readonly invariant: string; readonly message: string };
}

/** Runs seeds until the first that breaks a rule. */
function simulate(file: string, mutant: Mutant, from: number, seeds: number): Promise<Found> {
  const range = ["--from", String(from), "--seeds", String(seeds), "--jobs", "1"];
  const args = [file, ...range, "--stop-at-first", "--json", ...(mutant.options ?? [])];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let found: Found = { kind: "survived" };
  let errors = "";
  let isHung = false;
  const giveUp = (): void => {
    isHung = true;
    child.kill("SIGKILL");
  };
  let hangs = setTimeout(giveUp, SILENCE_MS_MAX);
  child.stderr.on("data", (text: Buffer) => (errors = `${errors}${text.toString()}`.slice(-2000)));
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => {
    clearTimeout(hangs);
    hangs = setTimeout(giveUp, SILENCE_MS_MAX);
    const { seed, violation } = JSON.parse(line) as Told;
    if (violation !== undefined) found = { kind: "found", seed, ...violation };
  });
  return new Promise((resolve) => {
    child.on("close", (code, signal) => {
      clearTimeout(hangs);
      if (isHung) resolve({ kind: "failed", message: `the simulator said nothing for ${SILENCE_MS_MAX / 1_000} s` });
      else if (code === (found.kind === "found" ? 1 : 0)) resolve(found);
      else resolve({ kind: "failed", message: `the simulator ended with ${code ?? signal}: ${errors}` });
    });
  });
}

/** Hunts one mutant with the bundle of the sources as they are beside it. */
export async function hunt(mutant: Mutant, unmutated: string): Promise<Hunted> {
  const began = process.hrtime.bigint();
  const file = await bundleSimulator(mutant);
  const first = mutant.from ?? 1;
  const spoilt: number[] = [];
  let found: Found = { kind: "survived" };
  try {
    for (let from = first; from < first + mutant.seeds; ) {
      found = await simulate(file, mutant, from, first + mutant.seeds - from);
      if (found.kind !== "found") break;
      const spared = await simulate(unmutated, mutant, found.seed, 1);
      if (spared.kind === "survived") break;
      spoilt.push(found.seed);
      from = found.seed + 1;
      found = { kind: "survived" };
    }
  } finally {
    removeBundle(file);
  }
  return { mutant, found, spoilt, seconds: Number(process.hrtime.bigint() - began) / 1e9 };
}

/** Hunts several, `jobs` at a time; tells of each when it is done. */
export async function huntAll(
  mutants: readonly Mutant[],
  jobs: number,
  tell: (hunted: Hunted) => void,
): Promise<readonly Hunted[]> {
  const unmutated = await bundleSimulator(undefined);
  const waiting = [...mutants];
  const done: Hunted[] = [];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const hunted = await hunt(next, unmutated);
      done.push(hunted);
      tell(hunted);
    }
  };
  try {
    await Promise.all(Array.from({ length: jobs }, work));
  } finally {
    removeBundle(unmutated);
  }
  return done;
}
