/** The permanent link to a moment, in the page's fragment: `#view=states&at=n3:0:42&focus=n3/consensus&theme=dark`. */
import type { EntryKey } from "../../../../src/host/inspector/contract.ts";
import { nameOfKey, parseKey } from "./entries.ts";

export type Theme = "light" | "dark" | "system";

/** Where every view stands: at the newest entry for as long as it comes, at an entry, or where a height became final. */
export type Cursor =
  | { readonly kind: "now" }
  | { readonly kind: "entry"; readonly key: EntryKey }
  | { readonly kind: "height"; readonly height: number };

export interface Link {
  /** Name of the view; null: the first. */
  readonly view: string | null;
  readonly cursor: Cursor;
  /** What the view looks at: its own language. */
  readonly focus: string | null;
  readonly theme: Theme | null;
}

/** Longer texts in a link are not ours. */
const FOCUS_MAX = 512;

/** The fragment without its `#`; what is at its default is left out. */
export function writeLink({ view, cursor, focus, theme }: Link): string {
  const fields = new URLSearchParams();
  if (view !== null) fields.set("view", view);
  if (cursor.kind === "entry") fields.set("at", nameOfKey(cursor.key));
  if (cursor.kind === "height") fields.set("height", String(cursor.height));
  if (focus !== null && focus !== "") fields.set("focus", focus);
  if (theme !== null && theme !== "system") fields.set("theme", theme);
  return fields.toString().replaceAll("%3A", ":").replaceAll("%2F", "/");
}

function cursorOf(at: string | null, height: string | null): Cursor {
  const key = at === null ? null : parseKey(at);
  if (key !== null) return { kind: "entry", key };
  if (height !== null && /^\d{1,15}$/.test(height)) return { kind: "height", height: Number(height) };
  return { kind: "now" };
}

/** Reads a fragment, with or without `#`. What is not understood counts as not said. */
export function readLink(fragment: string): Link {
  const fields = new URLSearchParams(fragment.replace(/^#/, ""));
  const focus = fields.get("focus");
  const theme = fields.get("theme");
  return {
    view: fields.get("view"),
    cursor: cursorOf(fields.get("at"), fields.get("height")),
    focus: focus === null || focus.length > FOCUS_MAX ? null : focus,
    theme: theme === "light" || theme === "dark" ? theme : null,
  };
}

/** The one-time token of a fragment, if it brings one: it must not stay in the address. */
export function tokenIn(fragment: string): string | null {
  const token = new URLSearchParams(fragment.replace(/^#/, "")).get("token");
  return token === null || token === "" ? null : token;
}

/** The fragment without the token. */
export function withoutToken(fragment: string): string {
  const fields = new URLSearchParams(fragment.replace(/^#/, ""));
  fields.delete("token");
  return fields.toString().replaceAll("%3A", ":").replaceAll("%2F", "/");
}
