/** The judge of traces: spec/traces.qnt, one question for each cast. */
import { fileURLToPath } from "node:url";
import { recordOf, Specification, type Question } from "./quint.ts";
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
