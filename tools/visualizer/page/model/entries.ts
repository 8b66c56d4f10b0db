/** What the page calls an entry, and the few things that every reader of entries asks: its name, its order, its view and height. */
import type { Entry, EntryKey, Summary } from "../../../../src/host/inspector/contract.ts";

export type EntryOf<Kind extends Entry["kind"]> = Extract<Entry, { readonly kind: Kind }>;
export type Stepped = EntryOf<"stepped">;

/** `n3:0:42`: how a permanent link and the search write an entry. */
export const nameOfKey = ({ node, life, n }: EntryKey): string => `${node}:${life}:${n}`;

/** Reads what `nameOfKey` wrote. Refuses: null for anything else. */
export function parseKey(text: string): EntryKey | null {
  const match = /^([^:]{1,64}):(\d{1,15}):(\d{1,15})$/.exec(text);
  if (match === null) return null;
  const [, node = "", life, n] = match;
  return { node, life: Number(life), n: Number(n) };
}

/** A field of a summary when it is a number. */
export function numberIn(summary: Summary, ...names: readonly string[]): number | null {
  for (const name of names) {
    const value = summary[name];
    if (typeof value === "number") return value;
  }
  return null;
}

/** A field of a summary when it is a text. */
export function textIn(summary: Summary, ...names: readonly string[]): string | null {
  for (const name of names) {
    const value = summary[name];
    if (typeof value === "string") return value;
  }
  return null;
}

/** The parts of an entry that carry fields of their own. */
export function summariesOf(entry: Entry): readonly Summary[] {
  switch (entry.kind) {
    case "stepped":
      return [entry.event, ...entry.effects];
    case "sent":
    case "delivered":
    case "dropped":
      return [entry.message];
    case "fault":
      return [entry.fault];
    default:
      return [];
  }
}

/** Every view that an entry speaks of. */
export function viewsOf(entry: Entry): readonly number[] {
  if (entry.kind === "evidence") return [entry.view];
  if (entry.kind === "finalised") return [entry.block.view];
  const views = summariesOf(entry).flatMap((summary) => numberIn(summary, "view") ?? []);
  return entry.kind === "stepped" && entry.view !== undefined ? [entry.view, ...views] : views;
}

/** Every height that an entry speaks of. */
export function heightsOf(entry: Entry): readonly number[] {
  if (entry.kind === "finalised") return [entry.block.height];
  if (entry.kind === "executed") return [entry.height];
  return summariesOf(entry).flatMap((summary) => numberIn(summary, "height") ?? []);
}

/** Names that `type:` finds an entry by: its kind, and the types of its event, effects or message. */
export function typesOf(entry: Entry): readonly string[] {
  const own = entry.kind === "evidence" ? [entry.kind, entry.evidence] : [entry.kind];
  return [...own, ...summariesOf(entry).map((summary) => summary.type)];
}
