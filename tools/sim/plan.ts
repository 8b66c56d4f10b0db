/** The simulator's command line. */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
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

const HELP = `node tools/sim/main.ts [options]: simulates clusters, a seed each

  --seeds N         how many seeds (default 20)
  --from S          the first of them (default 1)
  --nodes N         members; without it each seed draws its own, 4 to 7
  --byzantine B     Byzantine members, at most f; without it each seed draws its own
  --actor KIND      what Byzantine members are, repeated for more of them: ${BYZANTINE_KINDS.join(", ")}
  --fault KIND      faults that strike, repeated; without it each seed draws its own: ${FAULT_KINDS.join(", ")}
  --with WHAT       what a run has besides, repeated; without it each seed draws its own: ${EXTRAS.join(", ")}
  --minutes M       simulated minutes of faults (default 1)
  --mode MODE       safety or liveness; without it each seed draws its own
  --jobs J          processes (default: as many as processors; 1 for 20 seeds or fewer)
  --stop-at-first   ends at the first violation
  --record FILE     writes every event, effect and snapshot of one seed as lines of JSON (tools/sim/record.ts says what they hold)
  --json            one JSON object a seed, and one for the sum, on standard output

Exit codes: 0 no rule was broken, 1 some rule was: the seed and the command that repeats it are printed, 2 wrong options`;

const OPTIONS = {
  seeds: { type: "string", default: "20" },
  from: { type: "string", default: "1" },
  step: { type: "string", default: "1" },
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

class UsageError extends Error {}

const numberOf = (name: string, text: string, least: number): number => {
  const value = Number(text);
  if (text === "" || !Number.isFinite(value) || value < least)
    throw new UsageError(`--${name} ${text}: a number from ${least} on.`);
  return value;
};

function wordsOf<Word extends string>(name: string, given: readonly string[], words: readonly Word[]): readonly Word[] {
  return given.map((text) => {
    const word = words.find((one) => one === text);
    if (word === undefined) throw new UsageError(`--${name} ${text}: one of ${words.join(", ")}.`);
    return word;
  });
}

export interface Plan {
  readonly seeds: number;
  readonly from: number;
  readonly step: number;
  readonly jobs: number;
  readonly stopAtFirst: boolean;
  readonly json: boolean;
  readonly record: string | undefined;
  readonly options: Omit<SimOptions, "seed">;
  /** The options of a seed, as they were given. */
  readonly given: readonly string[];
}

/** Throws: when an option is not one of ours, and the help when that was asked for. */
export function planOf(argv: readonly string[]): Plan {
  const { values } = parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: false });
  if (values.help) throw new UsageError(HELP);
  const seeds = numberOf("seeds", values.seeds, 1);
  const minutes = values.minutes === undefined ? undefined : numberOf("minutes", values.minutes, 0);
  const nodes = values.nodes === undefined ? undefined : numberOf("nodes", values.nodes, 4);
  const byzantine = values.byzantine === undefined ? undefined : numberOf("byzantine", values.byzantine, 0);
  const [mode] = values.mode === undefined ? [] : wordsOf<Mode>("mode", [values.mode], ["safety", "liveness"]);
  const kinds = values.actor === undefined ? undefined : wordsOf<ByzantineKind>("actor", values.actor, BYZANTINE_KINDS);
  const faults = values.fault === undefined ? undefined : wordsOf<FaultKind>("fault", values.fault, FAULT_KINDS);
  const extras = values.with === undefined ? undefined : wordsOf<Extra>("with", values.with, EXTRAS);
  const given = (["nodes", "byzantine", "minutes", "mode", "actor", "fault", "with"] as const).flatMap((name) =>
    [values[name] ?? []].flat().flatMap((value) => [`--${name}`, value]),
  );
  return {
    seeds,
    from: numberOf("from", values.from, 0),
    step: numberOf("step", values.step, 1),
    jobs: values.jobs === undefined ? (seeds <= 20 ? 1 : availableParallelism()) : numberOf("jobs", values.jobs, 1),
    stopAtFirst: values["stop-at-first"],
    json: values.json,
    record: values.record,
    given,
    options: {
      ...(nodes !== undefined && { nodes }),
      ...(byzantine !== undefined && { byzantine }),
      ...(minutes !== undefined && { minutes }),
      ...(mode !== undefined && { mode }),
      ...(kinds !== undefined && { byzantineKinds: kinds }),
      ...(faults !== undefined && { faults }),
      ...(extras !== undefined && { extras }),
    },
  };
}
