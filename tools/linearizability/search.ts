/**
 * Whether calls on one edge have an order that explains their answers and in which no call comes before one that ended before it
 * began.
 *
 * The search of Wing and Gong, with the two ideas of Lowe: two partial orders that have placed the same calls and left the same
 * state are one configuration, and calls are placed just in time. So the history is walked once, from answer to answer, with the
 * set of configurations that are still possible; the first answer that leaves none ends the smallest prefix without an order.
 * Sources: Wing and Gong, "Testing and verifying concurrent objects" (1993); Lowe, "Testing for linearizability" (2017), sections 4
 * and 5. Edges are searched one by one: linearizability is local (Herlihy and Wing), and P-compositional (Horn and Kroening).
 *
 * What keeps it small, beyond the papers: a call that fits and changes nothing is placed at once (that can only help); calls of
 * unknown outcome are alike, so that the number spent stands for which; and the fewest spent serve best.
 */
import type { HistoryEntry } from "./history.ts";

/** One call on the edge. */
export interface Timed {
  readonly entry: HistoryEntry;
  readonly startMs: number;
  /** Infinity: it may take effect at any later time, or never. */
  readonly endMs: number;
  /** What the edge must be before it; undefined when nobody knows what it found. */
  readonly found: boolean | undefined;
  /** What it makes of the edge; undefined for a check. */
  readonly makes: boolean | undefined;
}

interface Configuration {
  readonly present: boolean;
  /** Slots of calls that have begun, have not ended, and are placed already. */
  readonly placed: bigint;
  /** Calls of unknown outcome that took effect, by what they made of the edge. */
  readonly spent: { readonly grants: number; readonly revocations: number };
}

/** The answer that no order explains; undefined when there is an order. Calls that end as another begins overlap it. */
export function firstWithoutPlace(calls: readonly Timed[]): Timed | undefined {
  const walk = new Walk();
  for (const { call, ends } of turnsOf(calls)) {
    if (!ends) walk.begin(call);
    else if (!walk.end(call)) return call;
  }
  return undefined;
}

interface Turn {
  readonly atMs: number;
  readonly call: Timed;
  readonly ends: boolean;
}

function turnsOf(calls: readonly Timed[]): readonly Turn[] {
  const turns = calls.flatMap((call): readonly Turn[] => {
    const begins = { atMs: call.startMs, call, ends: false };
    return call.endMs === Number.POSITIVE_INFINITY ? [begins] : [begins, { atMs: call.endMs, call, ends: true }];
  });
  return turns.sort((a, b) => a.atMs - b.atMs || Number(a.ends) - Number(b.ends));
}

class Walk {
  readonly #slots = new Map<Timed, bigint>();
  /** Calls of unknown outcome that have begun. */
  readonly #unknown = { grants: 0, revocations: 0 };
  #configurations: readonly Configuration[] = [{ present: false, placed: 0n, spent: { grants: 0, revocations: 0 } }];

  begin(call: Timed): void {
    if (call.endMs === Number.POSITIVE_INFINITY) {
      if (call.makes === true) this.#unknown.grants += 1;
      if (call.makes === false) this.#unknown.revocations += 1;
      return;
    }
    const taken = new Set(this.#slots.values());
    let slot = 1n;
    while (taken.has(slot)) slot <<= 1n;
    this.#slots.set(call, slot);
  }

  /** Whether a configuration is left in which the call has its place. */
  end(call: Timed): boolean {
    const slot = this.#slots.get(call);
    if (slot === undefined) return false;
    const left = new Configurations();
    const seen = new Configurations();
    const open = this.#configurations.map((configuration) => this.#settle(configuration));
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (!seen.add(next)) continue;
      if ((next.placed & slot) !== 0n) left.add({ ...next, placed: next.placed & ~slot });
      else open.push(...this.#successors(next));
    }
    this.#slots.delete(call);
    this.#configurations = left.all();
    return this.#configurations.length > 0;
  }

  /** Places every call that fits and changes nothing. */
  #settle(configuration: Configuration): Configuration {
    let { placed } = configuration;
    const { present } = configuration;
    for (const [{ found, makes }, slot] of this.#slots)
      if (found === present && (makes === undefined || makes === present)) placed |= slot;
    return { ...configuration, placed };
  }

  /** Every way to change the edge next. */
  #successors({ present, placed, spent }: Configuration): readonly Configuration[] {
    const next: Configuration[] = [];
    for (const [{ found, makes }, slot] of this.#slots)
      if ((placed & slot) === 0n && found === present && makes === !present)
        next.push(this.#settle({ present: makes, placed: placed | slot, spent }));
    if (!present && spent.grants < this.#unknown.grants)
      next.push(this.#settle({ present: true, placed, spent: { ...spent, grants: spent.grants + 1 } }));
    if (present && spent.revocations < this.#unknown.revocations)
      next.push(this.#settle({ present: false, placed, spent: { ...spent, revocations: spent.revocations + 1 } }));
    return next;
  }
}

/**
 * The configurations worth keeping: of those with the same state and the same calls placed, the one that spent least. Changes take
 * turns, so that grants and revocations spent differ by the same number in all of them: the least is the least of both.
 */
class Configurations {
  readonly #kept = new Map<string, Configuration>();

  /** Whether it is better than what was known. */
  add(configuration: Configuration): boolean {
    const key = `${configuration.present ? "+" : "-"}${configuration.placed.toString(36)}`;
    const known = this.#kept.get(key);
    if (known !== undefined && known.spent.grants <= configuration.spent.grants) return false;
    this.#kept.set(key, configuration);
    return true;
  }

  all(): readonly Configuration[] {
    return [...this.#kept.values()];
  }
}
