/**
 * What the inspector's server asks of whatever it shows: a live node, the cluster of `sky dev`, a recording, a copied directory.
 * One method for each question of the HTTP API; what a source returns goes to the page as it is, so it is bounded and redacted already.
 */
import type { Refusal, Result } from "../../base/result.ts";
import type {
  BlockRow,
  DifferencePage,
  DivergencePage,
  Entry,
  Gap,
  GraphPicture,
  MachineName,
  MemberRow,
  SourceDescription,
} from "./contract.ts";

/** Stable codes of the inspector's refusals; `statusOf` (refusals.ts) assigns each its HTTP status. */
export type InspectorCode =
  /** A question that is malformed or beyond its bounds. */
  | "INVALID_QUESTION"
  /** This source has no such node, life, entry, height or name. */
  | "NOT_FOUND"
  /** It had it, and has let it go. */
  | "NOT_HELD"
  /** This source cannot answer such questions at all (`SourceDescription.absent` says so too). */
  | "NOT_SHOWN"
  /** Sealed, starting, stopping, or the node cannot be reached. */
  | "NOT_READY"
  /** As many readers, or questions, as there may be. */
  | "TOO_MANY";

export type Answer<T> = Result<T, Refusal<InspectorCode>>;

/** What `entries` yields. `cursor` names everything up to and including this page, over all nodes of the source. */
export type EntryPage =
  /** In order for each node; 1..ENTRIES_PAGE_MAX of them. */
  | { readonly kind: "entries"; readonly entries: readonly Entry[]; readonly cursor: string }
  | { readonly kind: "gap"; readonly gap: Gap; readonly cursor: string }
  /** Nothing more will come: a recording is over. The iterable ends after it. */
  | { readonly kind: "end" };

export const ENTRIES_PAGE_MAX = 500;
export const BLOCKS_PAGE_MAX = 500;
export const GRAPH_POINTS_MAX = 2_000;
/** Of a member's name, an object or subject as the command line writes it, a cursor. Units: characters. */
export const TEXT_MAX = 4_096;

/** `node`: its name; null: the only one, or the first. `height`: null for now (the end, of a recording). */
export interface InspectorSource {
  readonly describe: () => Promise<SourceDescription>;
  /**
   * Entries after this cursor (null: from the oldest that is held), then those that come, until `signal` aborts or an `end`. What is
   * not held any more is a `gap` in its place, never silence; an unknown cursor begins anew with what is held.
   * Pulled: a source produces a page when the reader asks for the next, and never queues pages for one that does not.
   */
  readonly entries: (after: string | null, signal: AbortSignal) => AsyncIterable<EntryPage>;
  /** The machine's whole context after this entry, redacted, as plain data. */
  readonly context: (question: {
    readonly node: string;
    readonly life: number;
    readonly n: number;
    readonly machine: MachineName;
  }) => Promise<Answer<unknown>>;
  /** Upwards from `from`; null: the newest `limit`. Bounds: `limit` 1..BLOCKS_PAGE_MAX. */
  readonly blocks: (question: {
    readonly node: string | null;
    readonly from: number | null;
    readonly limit: number;
  }) => Promise<Answer<readonly BlockRow[]>>;
  /** Around `focus` (`NAMESPACE:NAME#RELATION` or less of it), or the first so many points. Bounds: `limit` 1..GRAPH_POINTS_MAX. */
  readonly graph: (question: {
    readonly node: string | null;
    readonly height: number | null;
    readonly focus: string | null;
    readonly limit: number;
  }) => Promise<Answer<GraphPicture>>;
  /** The Explanation of src/projections/rebac/explain.ts as plain data. */
  readonly check: (question: {
    readonly node: string | null;
    readonly height: number | null;
    readonly subject: string;
    readonly object: string;
  }) => Promise<Answer<unknown>>;
  readonly members: (question: { readonly node: string | null }) => Promise<Answer<readonly MemberRow[]>>;
  readonly difference: (question: {
    readonly left: string;
    readonly leftHeight: number | null;
    readonly right: string;
    readonly rightHeight: number | null;
  }) => Promise<Answer<DifferencePage>>;
  readonly divergence: (question: { readonly left: string; readonly right: string }) => Promise<Answer<DivergencePage>>;
  /** Ends what it holds open: streams end, files close. */
  readonly close: () => Promise<void>;
}
