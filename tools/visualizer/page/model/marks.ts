/** What stands out of the history: the slider marks it, the strip of sentences tells it. */
import type { Entry } from "../../../../src/host/inspector/contract.ts";
import { type Stepped, numberIn, textIn } from "./entries.ts";

export type MarkKind = "ended" | "booted" | "nullified" | "evidence" | "fault" | "halted";

export interface Mark {
  readonly kind: MarkKind;
  readonly entry: Entry;
  /** A sentence without time. */
  readonly text: string;
}

/** Beyond it the oldest are dropped: more cannot be told apart on a slider. */
const MARKS_MAX = 2000;

export class Marks {
  readonly #all: Mark[] = [];
  readonly #nullified = new Set<number>();
  readonly #accused = new Set<string>();
  /** The life of each node that was seen last, and whether it ended. */
  readonly #lives = new Map<string, { readonly life: number; readonly hasEnded: boolean }>();

  all(): readonly Mark[] {
    return this.#all;
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
        this.#lives.set(entry.node, { life: entry.life, hasEnded: true });
        return { kind: "ended", entry, text: `${entry.node} ended: ${entry.reason}` };
      case "booted": {
        // One life boots each of its machines: only the first of them is a return.
        const before = this.#lives.get(entry.node);
        this.#lives.set(entry.node, { life: entry.life, hasEnded: false });
        const isBack = before !== undefined && (before.hasEnded || entry.life > before.life);
        return isBack ? { kind: "booted", entry, text: `${entry.node} came back` } : null;
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
