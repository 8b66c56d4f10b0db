/**
 * Whether the answers on one edge are true at the heights they name: the log is one order of the writes, so that an acknowledged
 * write stands where its receipt says, and a check saw the edge as it was after its height's last command. A write of unknown
 * outcome may stand anywhere above what was already there when it was first sent, once, or nowhere.
 */
import type { HistoryEntry } from "./history.ts";

/** What an answer says of the edge at a place in the log. */
export interface Sighting {
  readonly entry: HistoryEntry;
  readonly height: number;
  /** Index of the command that found it so; Infinity: after the block's last command. */
  readonly index: number;
  /** What the edge was there. */
  readonly found: boolean;
  /** What it is after it. */
  readonly leaves: boolean;
}

/** A write of unknown outcome. */
export interface Loose {
  readonly makes: boolean;
  /** It stands above this height, which was reached before it was sent. */
  readonly above: number;
}

/** The first sighting, in log order, that no placing of the loose writes explains; undefined when all are explained. */
export function firstUntrue(sightings: readonly Sighting[], loose: readonly Loose[]): Sighting | undefined {
  const free = { grants: new Spring(loose, true), revocations: new Spring(loose, false) };
  let present = false;
  let last: LogPlace = { height: -1, index: Number.POSITIVE_INFINITY };
  for (const sighting of sightings.toSorted(inLogOrder)) {
    if (sighting.found !== present) {
      const latest = placeBefore(sighting);
      const spring = sighting.found ? free.grants : free.revocations;
      if (inLogOrder(latest, last) <= 0 || !spring.take(latest.height)) return sighting;
    }
    present = sighting.leaves;
    last = sighting;
  }
  return undefined;
}

interface LogPlace {
  readonly height: number;
  readonly index: number;
}

const inLogOrder = (a: LogPlace, b: LogPlace): number =>
  a.height - b.height || (a.index === b.index ? 0 : a.index < b.index ? -1 : 1);

/** The last place where a write can stand that the sighting sees: the later it stands, the fewer reasons against it. */
function placeBefore({ height, index }: LogPlace): LogPlace {
  if (index === Number.POSITIVE_INFINITY) return { height, index: Number.MAX_SAFE_INTEGER };
  return index > 0 ? { height, index: index - 1 } : { height: height - 1, index: Number.MAX_SAFE_INTEGER };
}

/** Loose writes of one kind. Whoever may stand at a height may stand at every later one: any of them serves. */
class Spring {
  readonly #above: readonly number[];
  #taken = 0;

  constructor(loose: readonly Loose[], makes: boolean) {
    this.#above = loose
      .filter((write) => write.makes === makes)
      .map(({ above }) => above)
      .sort((a, b) => a - b);
  }

  take(height: number): boolean {
    const above = this.#above[this.#taken];
    if (above === undefined || above >= height) return false;
    this.#taken += 1;
    return true;
  }
}
