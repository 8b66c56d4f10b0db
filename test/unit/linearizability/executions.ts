/** Runs of a correct cluster: writes settled one after the other in blocks, and everybody's view of it blurred by overlapping calls. */
import fc from "fast-check";
import type { HistoryEntry } from "../../../tools/linearizability/history.ts";

interface Planned {
  readonly edge: number;
  readonly kind: "grant" | "revoke" | "fresh" | "plain";
  /** Blocks since the call before it. */
  readonly blocks: number;
  /** How long before its moment it was sent, and how long after it the answer came. Units: ms. */
  readonly before: number;
  readonly after: number;
  /** Blocks that the node lags behind, where the call allows it. */
  readonly lag: number;
  /** Writes only: whether nobody told the outcome, and what it was. */
  readonly fate: "told" | "lost, done" | "lost, not done";
}

const plan: fc.Arbitrary<Planned> = fc.record({
  edge: fc.nat(2),
  kind: fc.constantFrom("grant", "revoke", "fresh", "plain"),
  blocks: fc.nat(2),
  before: fc.integer({ min: 1, max: 40 }),
  after: fc.integer({ min: 1, max: 40 }),
  lag: fc.nat(3),
  fate: fc.constantFrom("told", "told", "told", "lost, done", "lost, not done"),
});

const BLOCK_MS = 10;

type Moment = Planned & { readonly height: number; readonly id: string };

/** Histories of correct runs. */
export const executions = (maxLength: number): fc.Arbitrary<readonly HistoryEntry[]> =>
  fc.array(plan, { maxLength, size: "max" }).map((planned) => {
    let height = 1;
    return historyOf(planned.map((one, i) => ({ ...one, height: (height += one.blocks), id: `w${i}` })));
  });

function historyOf(moments: readonly Moment[]): readonly HistoryEntry[] {
  const sessions = new Sessions();
  const changes: { readonly edge: number; readonly height: number; readonly present: boolean }[] = [];
  const settled = new Map<Moment, { readonly index: number; readonly changed: boolean }>();
  const presentAt = (edge: number, height: number): boolean =>
    changes.findLast((change) => change.edge === edge && change.height <= height)?.present ?? false;
  const inBlock = new Map<number, number>();
  for (const moment of moments) {
    const { kind, edge, height, fate } = moment;
    if ((kind !== "grant" && kind !== "revoke") || fate === "lost, not done") continue;
    const index = inBlock.get(height) ?? 0;
    inBlock.set(height, index + 1);
    const present = kind === "grant";
    settled.set(moment, { index, changed: presentAt(edge, height) !== present });
    changes.push({ edge, height, present });
  }
  const entries: HistoryEntry[] = [];
  for (const moment of moments.toSorted((a, b) => startOf(a) - startOf(b))) {
    const { kind, edge, height, fate, lag, id } = moment;
    const span = { startMs: startOf(moment), endMs: height * BLOCK_MS + 1 + moment.after };
    const { session, floor } = sessions.of(span);
    const where = { session, node: `node of ${session}`, ...span };
    if (kind === "grant" || kind === "revoke") {
      const told = fate === "told" ? settled.get(moment) : undefined;
      entries.push({
        ...where,
        call: { kind: "write", id, change: kind, edge: `edge ${edge}` },
        outcome:
          told === undefined
            ? { kind: "unknown" }
            : {
                kind: "written",
                receipt: { height, index: told.index, blockHash: `block ${height}` },
                changed: told.changed,
              },
      });
      if (told !== undefined) sessions.named(session, height);
    } else {
      const atLeast = kind === "fresh" ? shownBefore(entries, span.startMs) : null;
      const answered = Math.max(atLeast ?? 0, floor, height - lag);
      entries.push({
        ...where,
        call: { kind: "check", edge: `edge ${edge}`, atLeast },
        outcome: { kind: "checked", result: presentAt(edge, answered), height: answered },
      });
      sessions.named(session, answered);
    }
  }
  return entries;
}

const startOf = ({ height, before }: Moment): number => height * BLOCK_MS - before;

/** The newest height that an ended call has named. */
const shownBefore = (entries: readonly HistoryEntry[], ms: number): number =>
  entries.reduce((highest, { endMs, outcome }) => {
    if (endMs === null || endMs >= ms) return highest;
    if (outcome.kind === "written") return Math.max(highest, outcome.receipt.height);
    return outcome.kind === "checked" ? Math.max(highest, outcome.height) : highest;
  }, 0);

/** Gives each call to a session that is free, and remembers what each was told. */
class Sessions {
  readonly #freeAt: number[] = [];
  readonly #floors = new Map<string, number>();

  of({ startMs, endMs }: { readonly startMs: number; readonly endMs: number }): { session: string; floor: number } {
    const free = this.#freeAt.findIndex((ms) => ms < startMs);
    const at = free < 0 ? this.#freeAt.length : free;
    this.#freeAt[at] = endMs;
    const session = `session ${at}`;
    return { session, floor: this.#floors.get(session) ?? 0 };
  }

  named(session: string, height: number): void {
    this.#floors.set(session, height);
  }
}
