/**
 * What clients did and what they were told: the calls of a run, as seen from outside.
 *
 * A recorder notes when a call was made, when its answer came, and the answer. It never guesses: a write whose outcome nobody told
 * is `unknown`, whatever the client's last error was called, unless the error says that the write has no effect and never will.
 */

/** Grants (adds the assertion) or revokes (deletes it) one edge. Retries with the same id are one call, from the first to the last. */
export interface WriteCall {
  readonly kind: "write";
  /** The command's id: whoever sends it again means the same write. */
  readonly id: string;
  readonly change: "grant" | "revoke";
  /** The assertion, subject and object, as text: equal texts are the same edge. Absent before the history begins. */
  readonly edge: string;
}

/** Asks whether the edge is there. Its subject and object take part in no map, so that no other edge can answer. */
export interface CheckCall {
  readonly kind: "check";
  readonly edge: string;
  /**
   * Height that it demanded; null for a plain check. A check that carries the newest acknowledged receipt sees every acknowledged
   * write; to be ordered with other such checks too, it carries the newest height that any of their answers has named.
   */
  readonly atLeast: number | null;
}

export type Call = WriteCall | CheckCall;

/** Where a command was settled. */
export interface Place {
  readonly height: number;
  /** Index of the command in its block. */
  readonly index: number;
  readonly blockHash: string;
}

export type CallOutcome =
  /** A write that was executed. `changed`: false when the edge was (for a revocation: was not) there already. */
  | { readonly kind: "written"; readonly receipt: Place; readonly changed: boolean }
  | { readonly kind: "checked"; readonly result: boolean; readonly height: number }
  /** No effect, now or ever: a write that was judged and refused, a check that nobody answered. */
  | { readonly kind: "refused"; readonly code: string }
  /** Nobody told. The write may have taken effect, may yet, or never will. */
  | { readonly kind: "unknown" };

export interface HistoryEntry {
  /** Its calls follow one another; calls of different sessions overlap. */
  readonly session: string;
  /** The node that answered, or was asked last. */
  readonly node: string;
  readonly call: Call;
  /** Units: ms of one clock for the whole history, fractions allowed; one that never jumps. */
  readonly startMs: number;
  /** When the answer came, or the client gave up; null when neither happened before the history ended. */
  readonly endMs: number | null;
  readonly outcome: CallOutcome;
}

/** In any order. */
export type History = readonly HistoryEntry[];
