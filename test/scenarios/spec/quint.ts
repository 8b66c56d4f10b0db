/**
 * Quint in this process: loads a specification once, sets its variables, evaluates its definitions.
 *
 * The evaluator is Quint's own TypeScript backend, the one behind `quint run --backend=typescript`; its package exports the parser
 * and the analyser, the evaluator only by path (the version is pinned). Nothing is downloaded and no process is started.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import quint from "@informalsystems/quint";
import evaluating from "@informalsystems/quint/dist/src/runtime/impl/evaluator.js";
import recording from "@informalsystems/quint/dist/src/runtime/trace.js";
import random from "@informalsystems/quint/dist/src/rng.js";

const { analyzeModules, fileSourceResolver, newIdGenerator, parse, parseExpressionOrDeclaration, walkExpression } =
  quint;

type Evaluator = InstanceType<typeof evaluating.Evaluator>;

/** What Quint calls an expression: here always a value that stands for itself. */
type QuintEx = Parameters<Evaluator["evaluate"]>[0];

/** Plain data that has a form in Quint. Lists are Quint's lists; sets, maps and tuples are wrapped, since JSON has no word for them. */
export type Value =
  | string
  | number
  | boolean
  | readonly Value[]
  | { readonly set: readonly Value[] }
  | { readonly tuple: readonly Value[] }
  | { readonly act: string; readonly of: Value }
  | { readonly record: Readonly<Record<string, Value>> };

const application = (opcode: string, args: QuintEx[]): QuintEx => ({ id: 0n, kind: "app", opcode, args });

/** A value as a Quint expression. */
function expressionOf(value: Value): QuintEx {
  switch (typeof value) {
    case "string":
      return { id: 0n, kind: "str", value };
    case "number":
      return { id: 0n, kind: "int", value: BigInt(value) };
    case "boolean":
      return { id: 0n, kind: "bool", value };
    default:
      break;
  }
  if (isList(value)) return application("List", value.map(expressionOf));
  if ("set" in value) return application("Set", value.set.map(expressionOf));
  if ("tuple" in value) return application("Tup", value.tuple.map(expressionOf));
  if ("act" in value) return application("variant", [expressionOf(value.act), expressionOf(value.of)]);
  return application(
    "Rec",
    Object.entries(value.record).flatMap(([name, field]) => [expressionOf(name), expressionOf(field)]),
  );
}

/** The same value as Quint's text. */
export function textOf(value: Value): string {
  const list = (values: readonly Value[]): string => values.map(textOf).join(", ");
  if (typeof value !== "object") return typeof value === "string" ? `"${value}"` : String(value);
  if (isList(value)) return `[${list(value)}]`;
  if ("set" in value) return `Set(${list(value.set)})`;
  if ("tuple" in value) return `(${list(value.tuple)})`;
  if ("act" in value) return `${value.act}(${textOf(value.of)})`;
  return `{ ${Object.entries(value.record)
    .map(([name, field]) => `${name}: ${textOf(field)}`)
    .join(", ")} }`;
}

const isList = (value: Exclude<Value, string | number | boolean>): value is readonly Value[] => Array.isArray(value);

/** A specification that parses and type-checks; its modules can be asked. */
export class Specification {
  readonly #analysed: ReturnType<typeof parse>;
  readonly #ids = newIdGenerator();

  /** Throws: Error, when the text does not parse or type-check. */
  constructor(file: string) {
    const place = fileSourceResolver(new Map()).lookupPath(path.dirname(file), path.basename(file));
    this.#analysed = parse(this.#ids, file, place, readFileSync(file, "utf8"));
    const { errors, modules, table } = this.#analysed;
    const [problem] = errors.length > 0 ? errors : analyzeModules(table, modules)[0];
    if (problem !== undefined) throw new Error(`${path.basename(file)}: ${problem.message} (${problem.code})`);
  }

  /** One question to a module: a definition that reads one variable. Throws: Error, when the module has no such definition. */
  question(module: string, variable: string, definition: string): Question {
    const expression = this.#expression(module, definition);
    return new Question(this.#evaluator(0n), expression, `${module}::${variable}`);
  }

  /** What `quint run` does: random walks, the invariant checked after each step. Throws: Error, on a runtime error of the text. */
  walk(module: string, options: WalkOptions): Walk {
    const { seed, samples, steps, init = "init", step = "step", invariant, witnesses = [] } = options;
    const outcome = this.#evaluator(BigInt(seed)).simulate(
      this.#expression(module, init),
      this.#expression(module, step),
      this.#expression(module, invariant),
      witnesses.map((name) => this.#expression(module, name)),
      samples,
      steps,
      1,
    );
    const [error] = outcome.errors;
    if (error !== undefined) throw new Error(`${module}: ${error.message} (${error.code})`);
    return {
      violated: outcome.status === "violation",
      samples: outcome.samples,
      witnessed: Object.fromEntries(witnesses.map((name, i) => [name, outcome.witnessingTraces[i] ?? 0])),
    };
  }

  /** An evaluator for each module: instances of one text keep their constants apart only so. */
  #evaluator(seed: bigint): Evaluator {
    const rng = random.newRng(seed);
    return new evaluating.Evaluator(this.#analysed.table, recording.newTraceRecorder(0, rng, 1), rng);
  }

  #expression(module: string, definition: string): QuintEx {
    const { resolver, sourceMap } = this.#analysed;
    const parsed = parseExpressionOrDeclaration(definition, "<question>", this.#ids, sourceMap);
    if (parsed.kind !== "expr") throw new Error(`${definition} is no expression`);
    resolver.switchToModule(module);
    walkExpression(resolver, parsed.expr);
    const [unknown] = resolver.errors;
    if (unknown !== undefined) throw new Error(`${module}: ${unknown.message} (${unknown.code})`);
    return parsed.expr;
  }
}

export interface WalkOptions {
  readonly seed: number;
  readonly samples: number;
  readonly steps: number;
  readonly init?: string;
  readonly step?: string;
  readonly invariant: string;
  readonly witnesses?: readonly string[];
}

export interface Walk {
  readonly violated: boolean;
  /** Walks taken: fewer than asked for when one broke the invariant. */
  readonly samples: number;
  /** By witness: in how many walks it came true. */
  readonly witnessed: Readonly<Record<string, number>>;
}

export class Question {
  readonly #evaluator: Evaluator;
  readonly #expression: QuintEx;
  readonly #variable: string;

  constructor(evaluator: Evaluator, expression: QuintEx, variable: string) {
    this.#evaluator = evaluator;
    this.#expression = expression;
    this.#variable = variable;
    evaluator.evaluate(expression); // the evaluator learns of its variables from what it evaluates; this one has no value yet
    if (!evaluator.varNames().includes(variable))
      throw new Error(`the question reads ${evaluator.varNames().join(", ")}, not ${variable}`);
  }

  /** The definition's value where the variable has this one. Throws: Error, with Quint's message. */
  ask(value: Value): QuintEx {
    this.#evaluator.updateState(expressionOf({ record: { [this.#variable]: value } }));
    const answer = this.#evaluator.evaluate(this.#expression);
    if (answer.isLeft()) throw new Error(`${answer.value.message} (${answer.value.code})`);
    return answer.unwrap();
  }
}

/** A record of ints and strings as plain data. Throws: Error, for anything else. */
export function recordOf(expression: QuintEx): Readonly<Record<string, string | number>> {
  if (expression.kind !== "app" || expression.opcode !== "Rec") throw new Error("not a record");
  const record: Record<string, string | number> = {};
  for (let i = 0; i + 1 < expression.args.length; i += 2) {
    const [name, value] = [expression.args[i], expression.args[i + 1]];
    if (name?.kind !== "str" || (value?.kind !== "int" && value?.kind !== "str")) throw new Error("not a plain record");
    record[name.value] = value.kind === "int" ? Number(value.value) : value.value;
  }
  return record;
}
