/** The simulator's command line. */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { faultsTolerated } from "../../src/machines/consensus/committee.ts";
import {
  BYZANTINE_KINDS,
  type ByzantineKind,
  EXTRAS,
  type Extra,
  FAULT_KINDS,
  type FaultKind,
  type Mode,
} from "./profile.ts";
import type { SimOptions } from "./simulation.ts";

export const HELP = `node tools/sim/main.ts [options]: simulates clusters, a seed each

  --seeds N         how many seeds (default 20)
  --from S          the first of them (default 1)
  --nodes N         members; without it each seed draws its own, 4 to 7
  --byzantine B     Byzantine members, at most f of the members; without --nodes there are as many members as bear them
  --actor KIND      what Byzantine members are, repeated for more of them: ${BYZANTINE_KINDS.join(", ")}
  --fault KIND      faults that strike, repeated; without it each seed draws its own: ${FAULT_KINDS.join(", ")}
  --with WHAT       what a run has besides, repeated; without it each seed draws its own: ${EXTRAS.join(", ")}
  --minutes M       simulated minutes of faults, fractions allowed (default 1)
  --mode MODE       safety or liveness; without it each seed draws its own
  --jobs J          processes (default: as many as processors; 1 for 20 seeds or fewer)
  --stop-at-first   ends at the first violation
  --record FILE     with --seeds 1: writes every event, effect and snapshot as lines of JSON (tools/sim/record.ts says what they hold)
  --json            one JSON object a seed, and one for the sum, on standard output

Exit codes: 0 no rule was broken, 1 some rule was: the seed and the command that repeats it are printed, 2 wrong options, 3 the record
cannot be written, 4 the simulator itself failed`;

const OPTIONS = {
  seeds: { type: "string", default: "20" },
  from: { type: "string", default: "1" },
  nodes: { type: "string" },
  byzantine: { type: "string" },
  actor: { type: "string", multiple: true },
  fault: { type: "string", multiple: true },
  with: { type: "string", multiple: true },
  minutes: { type: "string" },
  mode: { type: "string" },
  jobs: { type: "string" },
  "stop-at-first": { type: "boolean", default: false },
  record: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

export class UsageError extends Error {}

/** What a number may be. */
interface Range {
  readonly least: number;
  readonly most?: number;
  readonly isWhole?: boolean;
}

const SEED: Range = { least: 0, most: Number.MAX_SAFE_INTEGER };
const COUNT: Range = { least: 1, most: 1_000_000_000 };
const NODES: Range = { least: 4, most: 100 };
const BYZANTINE: Range = { least: 0, most: 33 };
const MINUTES: Range = { least: 0, most: 10_000, isWhole: false };

function numberOf(name: string, text: string | number, { least, most = Infinity, isWhole = true }: Range): number {
  const value = Number(text);
  if (text !== "" && value >= least && value <= most && (!isWhole || Number.isInteger(value))) return value;
  throw new UsageError(`--${name} ${text}: a ${isWhole ? "whole " : ""}number from ${least} to ${most}.`);
}

function wordsOf<Word extends string>(name: string, given: readonly string[], words: readonly Word[]): readonly Word[] {
  return given.map((text) => {
    const word = words.find((one) => one === text);
    if (word === undefined) throw new UsageError(`--${name} ${text}: one of ${words.join(", ")}.`);
    return word;
  });
}

function assertBearable(nodes?: number, byzantine?: number, kinds: readonly ByzantineKind[] = []): void {
  const wanted = byzantine ?? kinds.length;
  if (wanted < kinds.length)
    throw new UsageError(`--byzantine ${wanted} is less than the ${kinds.length} that --actor names.`);
  if (nodes !== undefined && wanted > faultsTolerated(nodes))
    throw new UsageError(`${nodes} nodes bear ${faultsTolerated(nodes)} Byzantine members, not ${wanted}.`);
}

/** The options of a seed, as a command line gives them. */
export interface GivenOptions {
  readonly nodes?: string | number | undefined;
  readonly byzantine?: string | number | undefined;
  readonly actor?: readonly string[] | undefined;
  readonly fault?: readonly string[] | undefined;
  readonly with?: readonly string[] | undefined;
  readonly minutes?: string | number | undefined;
  readonly mode?: string | undefined;
}

/** Throws: UsageError for what is none of ours or contradicts itself, or more Byzantine members than so many nodes bear. */
export function optionsOf(given: GivenOptions): Omit<SimOptions, "seed"> {
  const minutes = given.minutes === undefined ? undefined : numberOf("minutes", given.minutes, MINUTES);
  const nodes = given.nodes === undefined ? undefined : numberOf("nodes", given.nodes, NODES);
  const byzantine = given.byzantine === undefined ? undefined : numberOf("byzantine", given.byzantine, BYZANTINE);
  const [mode] = given.mode === undefined ? [] : wordsOf<Mode>("mode", [given.mode], ["safety", "liveness"]);
  const kinds = given.actor === undefined ? undefined : wordsOf<ByzantineKind>("actor", given.actor, BYZANTINE_KINDS);
  const faults = given.fault === undefined ? undefined : wordsOf<FaultKind>("fault", given.fault, FAULT_KINDS);
  const extras = given.with === undefined ? undefined : wordsOf<Extra>("with", given.with, EXTRAS);
  assertBearable(nodes, byzantine, kinds);
  return {
    ...(nodes !== undefined && { nodes }),
    ...(byzantine !== undefined && { byzantine }),
    ...(minutes !== undefined && { minutes }),
    ...(mode !== undefined && { mode }),
    ...(kinds !== undefined && { byzantineKinds: kinds }),
    ...(faults !== undefined && { faults }),
    ...(extras !== undefined && { extras }),
  };
}

export interface Plan {
  readonly seeds: number;
  readonly from: number;
  readonly jobs: number;
  readonly stopAtFirst: boolean;
  readonly json: boolean;
  readonly record: string | undefined;
  readonly options: Omit<SimOptions, "seed">;
  /** The options of a seed, as they were given. */
  readonly given: readonly string[];
}

/** Undefined when the help was asked for. Throws: when an option is not one of ours. */
export function planOf(argv: readonly string[]): Plan | undefined {
  const { values } = parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: false });
  if (values.help) return undefined;
  const seeds = numberOf("seeds", values.seeds, COUNT);
  const from = numberOf("from", values.from, SEED);
  numberOf("seeds", seeds, { least: 1, most: Number.MAX_SAFE_INTEGER - from + 1 }); // each of them is an exact number
  if (values.record !== undefined && seeds !== 1)
    throw new UsageError("--record holds one seed: say which with --seeds 1 --from S.");
  const given = (["nodes", "byzantine", "minutes", "mode", "actor", "fault", "with"] as const).flatMap((name) =>
    [values[name] ?? []].flat().flatMap((value) => [`--${name}`, value]),
  );
  return {
    seeds,
    from,
    jobs: values.jobs === undefined ? (seeds <= 20 ? 1 : availableParallelism()) : numberOf("jobs", values.jobs, COUNT),
    stopAtFirst: values["stop-at-first"],
    json: values.json,
    record: values.record,
    given,
    options: optionsOf(values),
  };
}
