/** Questions of the HTTP API: from a bounded query to a call of the source. */
import { ok } from "../../base/result.ts";
import type { MachineName } from "./contract.ts";
import { type Judged, no } from "./refusals.ts";
import { type Answer, BLOCKS_PAGE_MAX, GRAPH_POINTS_MAX, type InspectorSource, TEXT_MAX } from "./source.ts";

/** Parameters of a question, each at most once, none but those it knows. */
export class Query {
  readonly #params: URLSearchParams;
  #bad: string | undefined;

  constructor(text: string, known: readonly string[]) {
    this.#params = new URLSearchParams(text);
    for (const name of this.#params.keys()) {
      if (!known.includes(name))
        this.#bad ??= `There is no ${printable(name)} here; it takes ${known.join(", ") || "nothing"}.`;
      else if (this.#params.getAll(name).length > 1) this.#bad ??= `${name} may stand once.`;
    }
  }

  /** A sentence about the first thing that is wrong with it. */
  get bad(): string | undefined {
    return this.#bad;
  }

  text(name: string): string {
    const value = this.optionalText(name);
    if (value === null) this.#bad ??= `${name} is missing.`;
    return value ?? "";
  }

  optionalText(name: string): string | null {
    const value = this.#params.get(name);
    if (value === null) return null;
    if (value.length > TEXT_MAX) this.#bad ??= `${name} is longer than ${TEXT_MAX} characters.`;
    if (value === "") this.#bad ??= `${name} is empty.`;
    return value;
  }

  count(name: string, max: number): number {
    const value = this.optionalCount(name, max);
    if (value === null) this.#bad ??= `${name} is missing.`;
    return value ?? 0;
  }

  optionalCount(name: string, max = Number.MAX_SAFE_INTEGER): number | null {
    const value = this.#params.get(name);
    if (value === null) return null;
    const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
    if (Number.isSafeInteger(number) && number <= max) return number;
    this.#bad ??= `${name} is a whole number up to ${max}.`;
    return null;
  }
}

const printable = (text: string): string => JSON.stringify(text.slice(0, 40));

const MACHINES: readonly MachineName[] = ["consensus", "ceremony"];
const BLOCKS_DEFAULT = 100;
const POINTS_DEFAULT = 200;

interface Question {
  readonly params: readonly string[];
  readonly ask: (source: InspectorSource, query: Query) => () => Promise<Answer<unknown>>;
}

/** `ask` reads everything first; the call is made only when all of it was good. */
const QUESTIONS: Readonly<Record<string, Question>> = {
  source: { params: [], ask: (source) => async () => ok(await source.describe()) },
  context: {
    params: ["node", "life", "n", "machine"],
    ask: (source, query) => {
      const [node, name] = [query.text("node"), query.text("machine")];
      const [life, n] = [query.count("life", Number.MAX_SAFE_INTEGER), query.count("n", Number.MAX_SAFE_INTEGER)];
      const machine = MACHINES.find((one) => one === name);
      return async () =>
        machine === undefined
          ? no("INVALID_QUESTION", `machine is ${MACHINES.join(" or ")}.`)
          : source.context({ node, life, n, machine });
    },
  },
  blocks: {
    params: ["node", "from", "limit"],
    ask: (source, query) => {
      const [node, from] = [query.optionalText("node"), query.optionalCount("from")];
      const limit = query.optionalCount("limit", BLOCKS_PAGE_MAX) ?? BLOCKS_DEFAULT;
      return () => source.blocks({ node, from, limit: Math.max(1, limit) });
    },
  },
  graph: {
    params: ["node", "height", "focus", "limit"],
    ask: (source, query) => {
      const [node, height] = [query.optionalText("node"), query.optionalCount("height")];
      const focus = query.optionalText("focus");
      const limit = query.optionalCount("limit", GRAPH_POINTS_MAX) ?? POINTS_DEFAULT;
      return () => source.graph({ node, height, focus, limit: Math.max(1, limit) });
    },
  },
  check: {
    params: ["node", "height", "subject", "object"],
    ask: (source, query) => {
      const [node, height] = [query.optionalText("node"), query.optionalCount("height")];
      const [subject, object] = [query.text("subject"), query.text("object")];
      return () => source.check({ node, height, subject, object });
    },
  },
  members: {
    params: ["node"],
    ask: (source, query) => {
      const node = query.optionalText("node");
      return () => source.members({ node });
    },
  },
  difference: {
    params: ["left", "leftHeight", "right", "rightHeight"],
    ask: (source, query) => {
      const [left, leftHeight] = [query.text("left"), query.optionalCount("leftHeight")];
      const [right, rightHeight] = [query.text("right"), query.optionalCount("rightHeight")];
      return () => source.difference({ left, leftHeight, right, rightHeight });
    },
  },
  divergence: {
    params: ["left", "right"],
    ask: (source, query) => {
      const [left, right] = [query.text("left"), query.text("right")];
      return () => source.divergence({ left, right });
    },
  },
};

/** The call that answers this question; refuses what is no question. */
export function questionOf(
  source: InspectorSource,
  name: string,
  text: string,
): Judged<() => Promise<Answer<unknown>>> {
  const question = Object.hasOwn(QUESTIONS, name) ? QUESTIONS[name] : undefined;
  if (question === undefined)
    return no("NOT_FOUND", `There are the questions ${Object.keys(QUESTIONS).join(", ")}, and entries.`);
  const query = new Query(text, question.params);
  const call = question.ask(source, query);
  return query.bad === undefined ? ok(call) : no("INVALID_QUESTION", query.bad);
}
