/** The definitions themselves, by trying everything: too slow for more than a few calls, and too short to be wrong in the same way. */
import type { Timed } from "../../../tools/linearizability/search.ts";
import type { Loose, Sighting } from "../../../tools/linearizability/timeline.ts";

/** Whether some order of these calls, those of unknown outcome in or out, keeps to time and explains every answer. */
export function hasOrder(calls: readonly Timed[], present = false): boolean {
  if (calls.every(({ endMs }) => endMs === Number.POSITIVE_INFINITY)) return true;
  return calls.some((call) => {
    const others = calls.filter((other) => other !== call);
    if (others.some(({ endMs }) => endMs < call.startMs)) return false;
    if (call.found !== undefined && call.found !== present) return false;
    return hasOrder(others, call.makes ?? present);
  });
}

/** Whether some place in the log for each loose write, or none, explains every sighting. Heights up to `top`. */
export function hasPlaces(sightings: readonly Seen[], loose: readonly Loose[], top: number): boolean {
  const [first, ...rest] = loose;
  if (first === undefined) return explains(sightings);
  if (hasPlaces(sightings, rest, top)) return true;
  for (let height = first.above + 1; height <= top; height++)
    for (let index = 0; index < PLACES_PER_BLOCK; index++) {
      if (sightings.some((seen) => seen.height === height && seen.index === index)) continue;
      const { makes } = first;
      if (hasPlaces([...sightings, { ...ghost, height, index, makes }], rest, top)) return true;
    }
  return false;
}

/** More than there are calls in a test, so that there is always room after a block's last command. */
const PLACES_PER_BLOCK = 6;

const ghost = {
  entry: {
    session: "",
    node: "",
    call: { kind: "check", edge: "", atLeast: null },
    startMs: 0,
    endMs: 0,
    outcome: { kind: "unknown" },
  },
  found: false,
  leaves: false,
} as const;

type Seen = Sighting & { readonly makes?: boolean };

function explains(sightings: readonly Seen[]): boolean {
  let present = false;
  for (const { found, leaves, makes } of sightings.toSorted((a, b) => a.height - b.height || order(a.index, b.index))) {
    if (makes !== undefined) present = makes;
    else if (found !== present) return false;
    else present = leaves;
  }
  return true;
}

const order = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1);
