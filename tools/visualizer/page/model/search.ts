/** Finds entries by words and by `node:`, `type:`, `kind:`, `view:` and `height:`; every term must hold. */
import type { Entry } from "../../../../src/host/inspector/contract.ts";
import { heightsOf, nameOfKey, typesOf, viewsOf } from "./entries.ts";
import type { History } from "./history.ts";

type Test = (entry: Entry) => boolean;

export interface Query {
  readonly tests: readonly Test[];
  /** Why a term cannot hold, as a sentence; null when all are well-formed. */
  readonly problem: string | null;
}

/** Found entries listed; more are counted only. */
export const FOUND_MAX = 200;

export interface Found {
  /** Entries, not their places: those change while one reads. */
  readonly newest: readonly Entry[];
  readonly total: number;
}

const texts = new WeakMap<Entry, string>();

function textOf(entry: Entry): string {
  let text = texts.get(entry);
  if (text === undefined) {
    text = `${nameOfKey(entry)} ${JSON.stringify(entry)}`.toLowerCase();
    texts.set(entry, text);
  }
  return text;
}

/** A number or a range `800-820`. */
function rangeOf(text: string): ((value: number) => boolean) | null {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  if (match === null) return null;
  const low = Number(match[1]);
  const high = match[2] === undefined ? low : Number(match[2]);
  return (value) => value >= low && value <= high;
}

function testOf(term: string): Test | string {
  const colon = term.indexOf(":");
  const field = term.slice(0, Math.max(0, colon));
  const wanted = term.slice(colon + 1);
  const lower = wanted.toLowerCase();
  switch (field) {
    case "node":
      return (entry) => entry.node.toLowerCase() === lower;
    case "kind":
      return (entry) => entry.kind.toLowerCase() === lower;
    case "type":
      return (entry) => typesOf(entry).some((type) => type.toLowerCase().includes(lower));
    case "view":
    case "height": {
      const holds = rangeOf(wanted);
      if (holds === null) return `${field}: takes a number or a range such as 800-820, not “${wanted}”.`;
      const values = field === "view" ? viewsOf : heightsOf;
      return (entry) => values(entry).some(holds);
    }
    default: {
      const word = term.toLowerCase();
      return (entry) => textOf(entry).includes(word);
    }
  }
}

export function parseQuery(text: string): Query {
  const tests: Test[] = [];
  for (const term of text.trim().split(/\s+/)) {
    if (term === "") continue;
    const test = testOf(term);
    if (typeof test === "string") return { tests: [], problem: test };
    tests.push(test);
  }
  return { tests, problem: null };
}

/** Entries that match, newest first. */
export function find(history: History, { tests }: Query): Found {
  const newest: Entry[] = [];
  let total = 0;
  if (tests.length === 0) return { newest, total };
  for (let position = history.length - 1; position >= 0; position -= 1) {
    const entry = history.at(position);
    if (entry === undefined || !tests.every((test) => test(entry))) continue;
    total += 1;
    if (newest.length < FOUND_MAX) newest.push(entry);
  }
  return { newest, total };
}
