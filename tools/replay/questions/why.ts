/** Whether a subject has an object, since when, through which chain, and by whose signed act each link of it came. */
import type { Assertion } from "../../../src/events/facts/graph.ts";
import { type ChainLink, type Explanation, linksOf } from "../../../src/events/facts/explanation.ts";
import { evolve } from "../../../src/projections/rebac/evolve.ts";
import type { ExplainBounds } from "../../../src/projections/rebac/explain.ts";
import { LiveGraph } from "../../../src/projections/rebac/live-graph.ts";
import type { ReplayedBlock } from "../replayed.ts";
import { EdgeOrigins } from "./edge-origins.ts";
import { graphFactsOf } from "./graph-facts.ts";
import { type Origin, originsOf } from "./origin.ts";

/** A moment at which the answer changed. */
export interface Turn {
  readonly result: boolean;
  /** The act that turned it. */
  readonly origin: Origin;
}

export interface WhyAnswer {
  readonly explanation: Explanation;
  /** Links of the chain in order, each with the act that brought it; none when the result is false. */
  readonly links: readonly { readonly link: ChainLink; readonly origin: Origin }[];
  /** The act since which the answer is what it is; null when it was never true. */
  readonly since: Turn | null;
  /** Every time that it changed, oldest first. Bounds: the newest TURNS_MAX. */
  readonly turns: readonly Turn[];
  /** Turns before those. */
  readonly turnsOmitted: number;
}

/** 1,000: whoever was granted and denied something more often has a log to read, not an answer. */
export const TURNS_MAX = 1000;

/** An auditor's process does nothing else: 100,000 edges take a second at most. */
const BOUNDS: ExplainBounds = { visits: 100_000, listed: 1000 };

/** Bounds: the memory of the graph, and of EdgeOrigins. */
export class Why {
  readonly #question: Assertion;
  readonly #graph = new LiveGraph();
  readonly #origins = new EdgeOrigins(this.#graph);
  readonly #turns: Turn[] = [];
  #turnsOmitted = 0;

  constructor(question: Assertion) {
    this.#question = question;
  }

  /** Command by command, so that the one that turns the answer is known. */
  take(block: ReplayedBlock): void {
    const commands = graphFactsOf(block);
    if (commands.length === 0) return;
    const originAt = originsOf(block);
    for (const { index, facts } of commands) {
      const origin = originAt(index);
      evolve(this.#graph, facts);
      this.#origins.note(facts, origin);
      const { subject, object } = this.#question;
      this.#turn({ result: this.#graph.check(subject, object), origin });
    }
  }

  /** As of the last block taken. */
  answer(): WhyAnswer {
    const explanation = this.#graph.explain(this.#question, BOUNDS);
    const links = explanation.path === null ? [] : linksOf(explanation.path);
    return {
      explanation,
      links: links.map((link) => ({ link, origin: this.#origins.of(link) })),
      since: this.#turns.at(-1) ?? null,
      turns: this.#turns,
      turnsOmitted: this.#turnsOmitted,
    };
  }

  #turn(turn: Turn): void {
    if (turn.result === (this.#turns.at(-1)?.result ?? false)) return;
    this.#turns.push(turn);
    if (this.#turns.length <= TURNS_MAX) return;
    this.#turns.shift();
    this.#turnsOmitted += 1;
  }
}
