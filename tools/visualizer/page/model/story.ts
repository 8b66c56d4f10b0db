/** What a newcomer should know of a moment, in plain sentences: who leads, where the log stands, who is gone and why. */
import type { EntryKey, SourceDescription } from "../../../../src/host/inspector/contract.ts";
import type { EntryOf } from "./entries.ts";
import { type Mark, nameOfEvidence } from "./marks.ts";
import type { Moment, NodeMoment } from "./moment.ts";
import type { Store } from "./store.ts";
import { nameOfState, spanOf, timeOf } from "./words.ts";

export interface Sentence {
  readonly tone: "plain" | "good" | "bad" | "warn" | "evidence";
  readonly text: string;
  /** The entry that it tells of. */
  readonly key: EntryKey | null;
}

/** Marks that are told: the newest before the cursor. */
const TOLD_MAX = 3;
/** Marks that are looked at for them. */
const SEEN_MAX = 100;
const list = (names: readonly string[]): string =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1) ?? ""}`;

function leaderSentence({ leader, view, nodes }: Moment): Sentence | null {
  if (view === null || leader === null) return null;
  const isDead = nodes.get(leader)?.standing === "ended";
  const isQuiet = nodes.get(leader)?.states.consensus?.some((state) => nameOfState(state) === "quiet") === true;
  const text = isDead
    ? `View ${view} belongs to ${leader}, which is not running: the others give it up as soon as there is work`
    : `${leader} leads view ${view}${isQuiet ? ", with nothing to order" : ""}`;
  return { tone: isDead ? "bad" : "plain", text, key: null };
}

function blockSentence({ nodes, height }: Moment, at: number | null): Sentence | null {
  if (height === null) return null;
  const seen = [...nodes.values()].filter(({ block }) => block?.height === height);
  const first = Math.min(...seen.map(({ blockAt }) => blockAt ?? Infinity));
  if (!Number.isFinite(first) || at === null) return { tone: "plain", text: `last block ${height}`, key: null };
  return { tone: "plain", text: `last block ${height}, ${spanOf(at - first)} ago`, key: null };
}

function aliveSentence(nodes: readonly NodeMoment[], source: SourceDescription | null): Sentence | null {
  const known = nodes.filter(({ standing }) => standing !== "unknown");
  // Of a log nobody can say whether its node ran.
  if (source?.kind === "directory") return null;
  const dead = known.filter(({ standing }) => standing === "ended");
  if (known.length === 0) return null;
  const faulty = Math.floor((nodes.length - 1) / 3);
  if (dead.length === 0) {
    const text =
      known.length === nodes.length ? `all ${nodes.length} nodes run` : `${known.length} of ${nodes.length} nodes seen`;
    return { tone: "good", text, key: null };
  }
  const names = list(dead.map(({ name }) => name));
  const isAre = dead.length === 1 ? "is" : "are";
  const text =
    dead.length > faulty
      ? `${names} ${isAre} down: more than ${faulty} of ${nodes.length}, so nothing can be decided`
      : `${names} ${isAre} down; ${nodes.length - dead.length} of ${nodes.length} are enough to go on`;
  return { tone: dead.length > faulty ? "bad" : "warn", text, key: null };
}

/** What is shown is old, and must not pass for now. */
function staleSentence(store: Store, { at }: Moment): Sentence | null {
  const isCut = store.connection === "lost" || store.connection === "refused";
  if (store.source?.live !== true || !store.isFollowing || !isCut || at === null) return null;
  return { tone: "bad", text: `not connected: this is how it was at ${timeOf(at, store.source, false)}`, key: null };
}

function sealedSentence(nodes: readonly NodeMoment[]): Sentence | null {
  const sealed = nodes.filter(({ standing, states }) => {
    const ceremony = states.ceremony?.map(nameOfState)[0];
    return standing === "alive" && states.consensus === undefined && ceremony !== undefined && ceremony !== "unsealed";
  });
  if (sealed.length === 0) return null;
  const names = list(sealed.map(({ name }) => name));
  const text = `${names} ${sealed.length === 1 ? "is" : "are"} sealed until enough operators give their shares`;
  return { tone: "warn", text, key: null };
}

const TONES: Readonly<Record<Mark["kind"], Sentence["tone"]>> = {
  ended: "bad",
  booted: "good",
  nullified: "warn",
  evidence: "evidence",
  fault: "warn",
  halted: "bad",
};

/** What marks are one story: views given up one after the other, all that one member did in one view, a crash and its end. */
function storyline({ kind, entry }: Mark): string {
  if (entry.kind === "evidence") return `evidence ${entry.member} ${entry.view}`;
  if (kind === "ended" || kind === "fault") return `${entry.node} ${entry.at}`;
  return kind === "nullified" ? kind : `${kind} ${entry.node} ${entry.n}`;
}

const evidenceText = (entry: EntryOf<"evidence">, kinds: readonly string[]): string =>
  `${entry.member} lied: it ${list(kinds.map(nameOfEvidence))} in view ${entry.view}, as ${entry.node} can prove`;

/** The newest storylines that are not after the cursor, each told once. */
function told(store: Store, { position, at }: Moment, source: SourceDescription | null): readonly Sentence[] {
  const lines = new Map<string, Mark[]>();
  const marks = store.marks.all();
  let seen = 0;
  for (let index = marks.length - 1; index >= 0 && seen < SEEN_MAX; index -= 1) {
    const mark = marks[index];
    if (mark === undefined || at === null || mark.entry.at > at) continue; // the cheap question first: most are later
    if (store.history.positionOf(mark.entry).position > position) continue;
    seen += 1;
    const line = storyline(mark);
    const known = lines.get(line);
    if (known === undefined && lines.size === TOLD_MAX) break;
    if (known === undefined) lines.set(line, [mark]);
    else known.push(mark);
  }
  return [...lines.values()].flatMap((line) => {
    const mark = line.find(({ kind }) => kind === "ended") ?? line[0];
    if (mark === undefined) return [];
    const { entry, kind } = mark;
    const kinds = line.flatMap((one) => (one.entry.kind === "evidence" ? one.entry.evidence : [])).reverse();
    const text = entry.kind === "evidence" ? evidenceText(entry, kinds) : mark.text;
    const { node, life, n } = entry;
    return { tone: TONES[kind], text: `${timeOf(entry.at, source, false)} ${text}`, key: { node, life, n } };
  });
}

/** Now first, then what came before it, newest first. */
export function storyOf(
  store: Store,
  moment: Moment,
): { readonly now: readonly Sentence[]; readonly before: readonly Sentence[] } {
  const nodes = [...moment.nodes.values()];
  const now = [
    staleSentence(store, moment),
    leaderSentence(moment),
    blockSentence(moment, store.now),
    aliveSentence(nodes, store.source),
    sealedSentence(nodes),
  ];
  return { now: now.filter((sentence) => sentence !== null), before: told(store, moment, store.source) };
}
