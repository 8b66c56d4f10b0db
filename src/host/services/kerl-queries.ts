/** What services ask of key event receipt logs. The host implements it over the live logs and the projector (src/host/node/kerl.ts). */
import type { Aid, Height } from "../../base/brands.ts";
import type { Result } from "../../base/result.ts";
import type { KerlEscrow } from "../../keri/kerl.ts";
import type { KeyState } from "../../keri/key-state.ts";
import type {
  ExportPage,
  KerlChange,
  LogPage,
  StoredFork,
  StoredKeyEvent,
  StoredReceipt,
  StoredReply,
} from "../../projections/kerl/history.ts";

/**
 * Questions without a height are answered from memory, as of the newest whole block. Those with one take any height up to
 * `height()`; the newest is waited for until the projector holds it. Answers are pages: `after` goes on where one ended.
 * Refuses: HEIGHT_UNKNOWN, HISTORY_LAGGING when the projector does not catch up in time, OVERLOADED, UNAVAILABLE.
 */
export interface KerlQueries {
  /** Height of the live logs. Never falls. */
  height(): Height;
  /** The newest key state: some microseconds. */
  keyState(aid: Aid): KeyState | undefined;
  /** How many identifiers there are. */
  count(): number;
  /** What waits under the name of this identifier, in the order it came. Bounds: 32. */
  escrows(aid: Aid): readonly KerlEscrow[];
  /** Who needs receipts: events that wait for their witnesses, of everybody. Bounds: ESCROWS_MAX. */
  partiallyWitnessed(): readonly KerlEscrow[];
  /** Called after each block that has facts about this identifier (null: about any); returns how to stop. */
  watch(aid: Aid | null, changed: (height: Height) => void): () => void;

  /** Undefined when it had none at the height, or no event with that number was in force. */
  keyStateAt(aid: Aid, height: Height, sn?: number): Promise<Result<KeyState | undefined>>;
  /** Events in the order in which the log admitted them, superseded ones too. */
  log(aid: Aid, height: Height, after?: number): Promise<Result<LogPage>>;
  /** The same as a CESR stream, whole messages a page. */
  export(aid: Aid, height: Height, after?: number): Promise<Result<ExportPage>>;
  /** The event in force at a sequence number. */
  event(aid: Aid, height: Height, sn: number): Promise<Result<StoredKeyEvent | undefined>>;
  receipts(aid: Aid, height: Height, sn: number): Promise<Result<readonly StoredReceipt[]>>;
  /** Newest replies /end/role/… of a controller, cuts too. */
  roles(controller: Aid, height: Height): Promise<Result<readonly StoredReply[]>>;
  /** Newest replies /loc/scheme of an endpoint, those without an address (which unbind) too. */
  locations(endpoint: Aid, height: Height): Promise<Result<readonly StoredReply[]>>;
  forks(aid: Aid, height: Height): Promise<Result<readonly StoredFork[]>>;
  /** In blocks after one height up to another, in the order of the log, but for the first `skip`. Bounds: PAGE_ROWS_MAX. */
  changes(aid: Aid, after: Height | -1, height: Height, skip?: number): Promise<Result<readonly KerlChange[]>>;
}
