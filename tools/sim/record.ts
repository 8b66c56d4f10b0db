/**
 * What a recorded run holds, one entry to a line of JSON. All times are `at`, in ms of the simulation's own clock; `node` is the
 * name of a replica: `n2`, or `n2'` for the other of two twins; `n` numbers the entries.
 *
 * - `began`: the options that repeat the run, its profile, the members with what they are ("honest" or a Byzantine kind), the cluster's
 *   id and the identifiers of its seats.
 * - `booted`: a process started; `state` and `context` are the machine's snapshot, whole.
 * - `stepped`: the machine took `event` and emitted `effects`; `state` is the state it is in now, and `changed` holds every field of
 *   its context that this event replaced: laid over the context of `booted`, one after the other, they give every snapshot.
 * - `sent`, `delivered`: a frame of a peer, decoded; `delivered` says `isPristine: false` when a bit of it was flipped on its way.
 * - `carried`: what a Byzantine member really gave to the network; its `sent` is what the honest actor within it said.
 * - `dropped`: a frame that was sent and does not arrive, with the reason.
 * - `evidence`: the node holds signed proof that the member misbehaved in that view.
 * - `written`: a write of the log is durable; `write` counts all writes of this disk.
 * - `executed`: a final block was executed, to `root`; `facts` is what it did, where no line before has the same height and root.
 * - `fault`: what the nemesis did, and `ended`: why a process ended.
 * - `client`: a call of a client ended, as its history says.
 * - `healed`: from here on no more faults (liveness mode); `violation`: the rule that was broken; `ended`, without node: the outcome.
 *
 * Bytes are hex; records with millions of lines are normal for long runs.
 */
import { toHex } from "../../src/base/bytes.ts";

export interface RecordEntry {
  readonly kind: string;
  readonly at: number;
  readonly node?: string;
  readonly [field: string]: unknown;
}

/** An entry as its line, without the line's end. */
export const lineOf = (entry: RecordEntry, n: number): string =>
  JSON.stringify({ n, ...entry }, (_key, value: unknown) => (value instanceof Uint8Array ? toHex(value) : value));

/** Fields of a context that are not the same objects as before. */
export function changedFields<T extends object>(before: T, after: T): Partial<T> {
  const changed: Partial<T> = {};
  for (const key of Object.keys(after) as (keyof T)[]) if (before[key] !== after[key]) changed[key] = after[key];
  return changed;
}
