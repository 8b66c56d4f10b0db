/** What stands out of the history: the slider marks it, the strip of sentences tells it. */
import type { Entry } from "../../../../src/host/inspector/contract.ts";
import { type EntryOf, type Stepped, numberIn, textIn } from "./entries.ts";

export type MarkKind = "ended" | "booted" | "nullified" | "evidence" | "fault" | "halted";

export interface Mark {
  readonly kind: MarkKind;
  readonly entry: Entry;
  /** A sentence without time. */
  readonly text: string;
}

/** Beyond it the oldest are dropped: more cannot be told apart on a slider. */
const MARKS_MAX = 2000;

/** What is remembered of a node's newest life. */
interface LastLife {
  readonly life: number;
  readonly hasEnded: boolean;
  /** Whether it took part in consensus; a sealed node does not. */
  readonly voted: boolean;
}

export class Marks {
  readonly #all: Mark[] = [];
  readonly #nullified = new Set<number>();
  readonly #accused = new Set<string>();
  readonly #lives = new Map<string, LastLife>();
  /** The newest life of each node that ended with its process, and those before it. */
  readonly #ended = new Map<string, number>();

  all(): readonly Mark[] {
    return this.#all;
  }

  /** Whether the process of a node's life is known to have ended; without a life, that of its newest. */
  hasEnded(node: string, life?: number): boolean {
    return life === undefined ? this.#lives.get(node)?.hasEnded === true : life <= (this.#ended.get(node) ?? -1);
  }

  add(entry: Entry): void {
    const mark = this.#markOf(entry);
    if (mark === null) return;
    this.#all.push(mark);
    if (this.#all.length > MARKS_MAX) this.#all.shift();
  }

  #markOf(entry: Entry): Mark | null {
    switch (entry.kind) {
      case "ended":
        this.#lives.set(entry.node, { life: entry.life, hasEnded: true, voted: false });
        this.#ended.set(entry.node, entry.life);
        return { kind: "ended", entry, text: `${entry.node} ended: ${entry.reason}` };
      case "booted": {
        const text = this.#bootOf(entry);
        return text === null ? null : { kind: "booted", entry, text };
      }
      case "evidence": {
        const name = `${entry.evidence} ${entry.member} ${entry.view}`;
        if (this.#accused.has(name)) return null;
        this.#accused.add(name);
        const text = `${entry.node} holds evidence that ${entry.member} ${nameOfEvidence(entry.evidence)} in view ${entry.view}`;
        return { kind: "evidence", entry, text };
      }
      case "fault":
        return { kind: "fault", entry, text: sentenceOfFault(entry) };
      case "stepped":
        return this.#markOfStep(entry);
      default:
        return null;
    }
  }

  /** What the start of a machine means: of a process that died, a return; of one that was sealed, its part in consensus. */
  #bootOf(entry: EntryOf<"booted">): string | null {
    const { node, life } = entry;
    const before = this.#lives.get(node);
    const votes = entry.states.consensus !== undefined;
    this.#lives.set(node, { life, hasEnded: false, voted: votes || (before?.life === life && before.voted) });
    if (before === undefined) return null;
    if (before.hasEnded) return `${node} came back`;
    if (life === before.life || !votes) return null;
    return before.voted ? `${node} began anew` : `${node} was unsealed and takes part`;
  }

  #markOfStep(step: Stepped): Mark | null {
    if (step.machine !== "consensus") return null;
    for (const effect of step.effects) {
      if (effect.type === "halt")
        return { kind: "halted", entry: step, text: `${step.node} stopped: f+1 others hold another state` };
      if (effect.type !== "recordCertificate" || textIn(effect, "kind", "certificate") !== "nullification") continue;
      const view = numberIn(effect, "view");
      if (view === null || this.#nullified.has(view)) continue;
      this.#nullified.add(view);
      return { kind: "nullified", entry: step, text: `view ${view} was nullified` };
    }
    return null;
  }
}

const EVIDENCE: Readonly<Record<string, string>> = {
  twoProposals: "proposed two blocks",
  twoNotarizeVotes: "voted for two blocks",
  twoFinalizeVotes: "finalized two blocks",
  nullifyAndFinalize: "nullified and finalized",
};

/** What a kind of evidence proves, in words. */
export const nameOfEvidence = (evidence: string): string => EVIDENCE[evidence] ?? evidence;

function sentenceOfFault(entry: Extract<Entry, { kind: "fault" }>): string {
  const { type, what, ...fields } = entry.fault;
  if (typeof what === "string") return `${type}: ${what}`;
  const said = Object.entries(fields).flatMap(([name, value]) => (value === null ? [] : `${name} ${String(value)}`));
  return said.length === 0 ? type : `${type} (${said.join(", ")})`;
}
