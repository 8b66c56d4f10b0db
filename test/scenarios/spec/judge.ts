/** The judge of traces: spec/traces.qnt, one question for each cast. */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { recordOf, Specification, textOf, type Question } from "./quint.ts";
import type { Cast, Trace } from "./recorder.ts";

const SPEC = fileURLToPath(new URL("../../../spec/", import.meta.url));

export const specification = (name: string): Specification => new Specification(`${SPEC}${name}.qnt`);

export interface Verdict {
  /** Steps that the model allowed, and after which the member stood where the model says. */
  readonly steps: number;
  /** The rule that forbids the next step, what was owed, or what differs; empty when nothing does. */
  readonly refusal: string;
}

export class Judge {
  readonly #questions: ReadonlyMap<Cast["module"], Question>;

  constructor() {
    const traces = specification("traces");
    const modules: Cast["module"][] = ["honest4", "faulty4", "faulty7"];
    this.#questions = new Map(
      modules.map((module) => [module, traces.question(module, "traces::trace", "verdictOnTrace")] as const),
    );
  }

  judge({ cast, steps }: Trace): Verdict {
    const question = this.#questions.get(cast.module);
    if (question === undefined) throw new Error(`no instance is called ${cast.module}`);
    const { steps: allowed, refusal } = recordOf(question.ask(steps.map(({ value }) => value)));
    return { steps: Number(allowed), refusal: String(refusal) };
  }
}

/** Writes the specification with the first steps of a trace as text of its own, and a run that holds when all of them are allowed. */
export function writeRecorded(directory: string, { steps }: Trace, count: number): string {
  const recorded = steps.slice(0, count).map(({ value }) => textOf(value));
  const file = path.join(directory, "traces.qnt");
  const lines = [
    `  pure val recorded: List[Step] = [${recorded.join(",\n    ")}]`,
    `  run recordedTest = assert(judge(recorded) == { ...judge(recorded), refusal: "", steps: ${recorded.length} })`,
    "  val verdictOnTrace",
  ];
  const text = readFileSync(`${SPEC}traces.qnt`, "utf8");
  writeFileSync(
    file,
    text.replace("  val verdictOnTrace", () => lines.join("\n")),
  );
  copyFileSync(`${SPEC}consensus.qnt`, path.join(directory, "consensus.qnt"));
  return file;
}
