/** Times, digests and entries in words. */
import type { Entry, MachineName, SourceDescription, Summary } from "../../../../src/host/inspector/contract.ts";
import { nameOfEvidence } from "./marks.ts";

/** Whether `at` counts from the beginning of a simulation. */
const isSimulated = (source: SourceDescription | null): boolean => source?.kind === "simulation";

const two = (value: number): string => String(value).padStart(2, "0");

/** A moment on the clock of the source: `12:03:05.042`, or `12.345 s` of a simulation. */
export function timeOf(at: number | null, source: SourceDescription | null, withMs = true): string {
  if (at === null) return "–";
  if (isSimulated(source)) return `${(at / 1000).toFixed(3)} s`;
  const date = new Date(at);
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return withMs ? `${time}.${String(date.getMilliseconds()).padStart(3, "0")}` : time;
}

/** The day too, for what may be long ago. */
export function dayAndTimeOf(at: number | null, source: SourceDescription | null): string {
  if (at === null || isSimulated(source)) return timeOf(at, source);
  const date = new Date(at);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${timeOf(at, source)}`;
}

/** How long: `0.3 s`, `42 s`, `5 min`, `3 h`. */
export function spanOf(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 0.1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

/** A name in so many letters: identifiers and hosts differ at their ends, so the middle is what goes. Bounds: `letters` from 3. */
export function shortened(text: string, letters: number): string {
  if (text.length <= letters) return text;
  const half = Math.floor((letters - 1) / 2);
  return `${text.slice(0, letters - 1 - half)}…${text.slice(-half)}`;
}

/** A digest short enough to read and long enough to tell apart. */
export const shortHash = (hash: string | null): string => (hash === null ? "none" : hash.slice(0, 8));

/** Hex that is longer than what `shortHash` leaves. */
const isDigest = (text: string): boolean => text.length > 16 && /^[0-9a-f]+$/.test(text);

const valueOf = (value: Summary[string]): string => {
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.join(" ");
  const text = String(value);
  return isDigest(text) ? shortHash(text) : text;
};

/** The fields of an event, effect or message in one line: `view 812, kind notarize`. */
export const fieldsOf = ({ type: _type, ...fields }: Summary): string =>
  Object.entries(fields)
    .flatMap(([name, value]) => (value === null ? [] : `${name} ${valueOf(value)}`))
    .join(", ");

/** `consensus.collectingVotes` → `collectingVotes`. */
export const nameOfState = (state: string): string => state.slice(state.lastIndexOf(".") + 1);

/** `collectingVotes` → `collecting votes`. */
export const spoken = (name: string): string => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

export const MACHINES: readonly MachineName[] = ["consensus", "ceremony"];

export interface Line {
  /** What happened, in a word or two. */
  readonly what: string;
  readonly detail: string;
}

/** An entry in one line. */
export function lineOf(entry: Entry): Line {
  switch (entry.kind) {
    case "booted":
      return { what: "started", detail: Object.values(entry.states).flat().map(nameOfState).join(", ") };
    case "stepped":
      return { what: entry.event.type, detail: fieldsOf(entry.event) };
    case "sent":
      return { what: `sent ${entry.message.type}`, detail: `to ${entry.peer}: ${fieldsOf(entry.message)}` };
    case "delivered":
      return { what: `received ${entry.message.type}`, detail: `from ${entry.peer}: ${fieldsOf(entry.message)}` };
    case "dropped": {
      const why = entry.reason === undefined ? "" : ` (${entry.reason})`;
      return { what: `dropped ${entry.message.type}`, detail: `for ${entry.peer}${why}: ${fieldsOf(entry.message)}` };
    }
    case "finalised": {
      const { height, view, hash, commands } = entry.block;
      return {
        what: "block final",
        detail: `height ${height}, view ${view}, ${commands} commands, ${shortHash(hash)}`,
      };
    }
    case "executed":
      return { what: "block executed", detail: `height ${entry.height}, root ${shortHash(entry.root)}` };
    case "evidence":
      return {
        what: "evidence",
        detail: `${entry.member} ${nameOfEvidence(entry.evidence)} in view ${entry.view}`,
      };
    case "fault":
      return { what: entry.fault.type, detail: fieldsOf(entry.fault) };
    case "ended":
      return { what: "ended", detail: entry.reason };
  }
}
