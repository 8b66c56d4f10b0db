/**
 * Who has given what in the unseal ceremony of each node, at one moment: from the ceremony machine's steps. Pure.
 *
 * No share, key or passphrase is in any entry; what is told here is who gave one and how it was judged. Source: docs/protocol/ceremony.md.
 */
import type { Entry, Summary } from "../../../../src/host/inspector/contract.ts";

export const PHASES = ["sealed", "collecting", "verifying", "unwrapping", "unsealed", "draining"] as const;

export interface Gift {
  /** Name of the operator. */
  readonly operator: string;
  readonly accepted: boolean;
  /** Stable code of what was wrong: a wrong share names its giver. */
  readonly fault: string | null;
  readonly at: number;
  readonly position: number;
}

export interface Chapter {
  readonly at: number;
  readonly position: number;
  readonly sentence: string;
  readonly tone: "good" | "bad" | "plain";
}

/** Where a ceremony machine stands. */
export interface CeremonyStory {
  readonly node: string;
  /** Of its chart, without the machine's name; null when nothing was heard of it. */
  readonly phase: string | null;
  readonly opened: { readonly by: string; readonly at: number } | null;
  readonly gifts: readonly Gift[];
  readonly blamed: readonly string[];
  readonly chapters: readonly Chapter[];
  /** The last entry of this machine: its context says operators and threshold. */
  readonly last: Extract<Entry, { kind: "stepped" }> | null;
}

/** Chapters told; older ones are in the timeline. */
const CHAPTERS_MAX = 40;

const nothing = (node: string): CeremonyStory => ({
  node,
  phase: null,
  opened: null,
  gifts: [],
  blamed: [],
  chapters: [],
  last: null,
});

function text(summary: Summary, ...fields: readonly string[]): string {
  for (const field of fields) {
    const value = summary[field];
    if (typeof value === "string") return value;
    if (Array.isArray(value) && value.length > 0) return value.join(", ");
  }
  return "somebody";
}

const list = (summary: Summary, field: string): readonly string[] => {
  const value = summary[field];
  return Array.isArray(value) ? value.map(String) : typeof value === "string" && value !== "" ? value.split(", ") : [];
};

/** What is journalled is what happened. */
function recordKind(effect: Summary): string | null {
  const kind = effect["record"];
  return effect.type === "record" && typeof kind === "string" ? kind : null;
}

const SENTENCES: Readonly<Record<string, (record: Summary) => readonly [string, Chapter["tone"]]>> = {
  opened: (record) => [`${text(record, "by")} opened a ceremony.`, "plain"],
  replaced: (record) => [`${text(record, "by")} opened another one in its place; what was given is erased.`, "plain"],
  accepted: (record) => [`The share of ${text(record, "operator")} is in: it fits the commitments.`, "good"],
  rejected: (record) => [
    `The share that ${text(record, "operator")} gave was refused: ${text(record, "code")}.`,
    "bad",
  ],
  dealt: () => ["The node drew its root, dealt it in shares and keeps the commitments.", "plain"],
  initialised: (record) => [`The node has its root and is unsealed, asked by ${text(record, "by")}.`, "good"],
  unsealed: (record) => [`Unsealed with the shares of ${text(record, "by")}.`, "good"],
  failed: (record) => [
    `Opening failed; everything collected is erased.${list(record, "blamed").length === 0 ? "" : ` To blame: ${text(record, "blamed")}.`}`,
    "bad",
  ],
  expired: () => ["Nobody finished the ceremony in time; what was given is erased.", "bad"],
  cancelVoted: (record) => [`${text(record, "operator")} asks to cancel it.`, "plain"],
  cancelled: (record) => [`Cancelled by ${text(record, "by")}; what was given is erased.`, "bad"],
  sealVoted: (record) => [`${text(record, "operator")} asks to seal the node.`, "plain"],
  sealing: (record) => [`The node is sealing, asked by ${text(record, "by")}.`, "plain"],
  sealed: () => ["Sealed: keys are erased.", "plain"],
  acknowledged: (record) => [`${text(record, "operator")} holds its share and has signed for it.`, "good"],
};

function told(story: CeremonyStory, record: Summary, kind: string, at: number, position: number): CeremonyStory {
  const sentence = SENTENCES[kind]?.(record);
  const chapters =
    sentence === undefined
      ? story.chapters
      : [...story.chapters, { at, position, sentence: sentence[0], tone: sentence[1] }].slice(-CHAPTERS_MAX);
  const operator = text(record, "operator");
  switch (kind) {
    case "opened":
      return { ...story, chapters, opened: { by: text(record, "by"), at }, gifts: [], blamed: [] };
    case "accepted":
      return { ...story, chapters, gifts: [...story.gifts, { operator, accepted: true, fault: null, at, position }] };
    case "rejected": {
      const gift = { operator, accepted: false, fault: text(record, "code"), at, position };
      return { ...story, chapters, gifts: [...story.gifts, gift] };
    }
    case "failed":
      return { ...story, chapters, blamed: list(record, "blamed"), gifts: [] };
    case "replaced":
    case "expired":
    case "cancelled":
      return { ...story, chapters, gifts: [], opened: null };
    default:
      return { ...story, chapters };
  }
}

/** The stories of these nodes after one more entry; those of other nodes stay the same objects. */
export function storiesAfter(
  stories: ReadonlyMap<string, CeremonyStory>,
  entry: Entry,
  position: number,
): ReadonlyMap<string, CeremonyStory> {
  const before = stories.get(entry.node) ?? nothing(entry.node);
  const after = storyAfter(before, entry, position);
  return after === before ? stories : new Map(stories).set(entry.node, after);
}

const phaseOf = (states: readonly string[] | undefined): string | null => states?.[0]?.split(".").at(-1) ?? null;

function storyAfter(story: CeremonyStory, entry: Entry, position: number): CeremonyStory {
  if (entry.kind === "booted") {
    // A process starts sealed. A life that begins otherwise is of the same process, which serves from now on: its story goes on.
    const phase = phaseOf(entry.states.ceremony);
    const fresh = phase === PHASES[0] || story.phase === null ? nothing(entry.node) : story;
    return { ...fresh, phase: phase ?? fresh.phase };
  }
  if (entry.kind === "ended") {
    const chapter: Chapter = { at: entry.at, position, sentence: `The node ended: ${entry.reason}`, tone: "bad" };
    return { ...story, phase: null, chapters: [...story.chapters, chapter].slice(-CHAPTERS_MAX) };
  }
  if (entry.kind !== "stepped" || entry.machine !== "ceremony") return story;
  let next: CeremonyStory = { ...story, phase: phaseOf(entry.states), last: entry };
  for (const effect of entry.effects) {
    const kind = recordKind(effect);
    if (kind !== null) next = told(next, effect, kind, entry.at, position);
  }
  return next;
}

type Held = { readonly length: number; at(position: number): Entry | undefined };

const isTold = (entry: Entry): boolean =>
  entry.kind === "booted" || entry.kind === "ended" || (entry.kind === "stepped" && entry.machine === "ceremony");

/** The stories of all nodes at any position. Looks at each entry of a growing history once, and folds the few that tell something. */
export class Stories {
  readonly #history: Held;
  #places: number[] = [];
  #seen = 0;
  #first: Entry | undefined;
  #last: Entry | undefined;

  constructor(history: Held) {
    this.#history = history;
  }

  at(position: number, names: readonly string[]): ReadonlyMap<string, CeremonyStory> {
    this.#look();
    let stories: ReadonlyMap<string, CeremonyStory> = new Map(names.map((name) => [name, nothing(name)]));
    for (const place of this.#places) {
      if (place > position) break;
      const entry = this.#history.at(place);
      if (entry !== undefined) stories = storiesAfter(stories, entry, place);
    }
    return stories;
  }

  #look(): void {
    const { length } = this.#history;
    if (this.#history.at(0) !== this.#first || this.#history.at(this.#seen - 1) !== this.#last) {
      this.#places = [];
      this.#seen = 0;
    }
    for (; this.#seen < length; this.#seen++) {
      const entry = this.#history.at(this.#seen);
      if (entry !== undefined && isTold(entry)) this.#places.push(this.#seen);
    }
    this.#first = this.#history.at(0);
    this.#last = this.#history.at(this.#seen - 1);
  }
}
