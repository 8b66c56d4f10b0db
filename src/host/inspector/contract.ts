/**
 * What the inspector's page and its servers say to each other: entries of what happened, and questions about a moment.
 *
 * Everything here is JSON, bounded and redacted before it leaves the server: no secret, share, key, token or passphrase is in any field;
 * digests are lower-case hex. Times (`at`) are ms: since 1970 on real nodes, of its own clock in a simulation.
 */

/** Machines whose steps are shown. The names are those of their definitions (`consensusMachine.id`, …). */
export type MachineName = "consensus" | "ceremony";

/**
 * Identifies an entry: `n` counts the entries of one life of one node from 0. `life` grows with each start of the node: recordings count
 * from 0; a live node says when it began (s since 1970), so that links and cursors of an earlier life never name a later one.
 */
export interface EntryKey {
  readonly node: string;
  readonly life: number;
  readonly n: number;
}

/** An event, effect or peer message in short: its type and the scalar fields that tell it apart (view, height, hash, member, code, …). */
export interface Summary {
  readonly type: string;
  readonly [field: string]: string | number | boolean | null | readonly (string | number)[];
}

/** A transition that an event took. `source` and `targets` are state ids as in the chart (`consensus.voting`). */
export interface TakenTransition {
  readonly source: string;
  readonly targets: readonly string[];
  /** Name of the guard that let it pass. */
  readonly guard: string | null;
}

/** A final block, as the timeline shows it. */
export interface BlockRow {
  readonly height: number;
  readonly epoch: number;
  readonly view: number;
  readonly parentView: number;
  readonly hash: string;
  readonly parent: string;
  /** Log time. Units: ms. */
  readonly time: number;
  /** Name of the member that led its view; null for genesis. */
  readonly leader: string | null;
  readonly body: "genesis" | "executions" | "assemble" | "reconfigure" | "checkpoint";
  readonly commands: number;
  /** Null where it is not known: not executed yet, or so long ago that only a replay tells. */
  readonly refused: number | null;
  /** Root after it, where it has been executed. */
  readonly root: string | null;
  /** Members whose signatures prove it final, by name; empty when a later block's proof covers it. */
  readonly signers: readonly string[];
}

export type Entry = EntryKey & { readonly at: number } & (
    | {
        readonly kind: "booted";
        /** Active states by machine when the life began. */
        readonly states: Readonly<Partial<Record<MachineName, readonly string[]>>>;
      }
    | {
        readonly kind: "stepped";
        readonly machine: MachineName;
        readonly event: Summary;
        readonly transitions: readonly TakenTransition[];
        readonly effects: readonly Summary[];
        /** Ids of the active states after it (`consensus.voting`), leaves only. */
        readonly states: readonly string[];
        /** Of consensus: where it stands after it. */
        readonly epoch?: number;
        readonly view?: number;
        readonly finalHeight?: number;
        /** Why the event had no meaning. */
        readonly refused?: string;
      }
    | {
        /** A message between members: `sent` and `delivered` are two entries, of two nodes; `dropped` was never sent, or lost on purpose (simulation). */
        readonly kind: "sent" | "delivered" | "dropped";
        /** The other side. */
        readonly peer: string;
        readonly message: Summary;
        /** Why it was dropped. */
        readonly reason?: string;
      }
    | { readonly kind: "finalised"; readonly block: BlockRow }
    | { readonly kind: "executed"; readonly height: number; readonly root: string }
    | { readonly kind: "evidence"; readonly evidence: string; readonly member: string; readonly view: number }
    | { readonly kind: "fault"; readonly fault: Summary }
    /** The process ended, or cannot be reached any more: why, as far as is known. */
    | { readonly kind: "ended"; readonly reason: string }
  );

/** What can be inspected. */
export interface SourceDescription {
  readonly kind: "node" | "cluster" | "simulation" | "directory";
  /** For the page's title. */
  readonly title: string;
  readonly dev: boolean;
  /** Whether entries keep coming. */
  readonly live: boolean;
  readonly cluster: string;
  readonly nodes: readonly {
    readonly name: string;
    readonly aid: string;
    /** Its place in the committee: it leads views v with v mod size = index. */
    readonly index: number;
    /** "honest", or the Byzantine kind of a simulated member. */
    readonly role: string;
  }[];
  /** Kinds of views for which this source has nothing, with a sentence why: shown instead of an empty view. */
  readonly absent: Readonly<Record<string, string>>;
}

/** `event: gap` of the stream: entries from `from` to before `to` of this node's life are not held any more. */
export interface Gap {
  readonly node: string;
  readonly life: number;
  readonly from: number;
  /** Null: how many there were is not known, since that life is over. */
  readonly to: number | null;
  readonly reason: string;
}

/** A node of the graph: an object, subject or relation of the ReBAC vocabulary. */
export interface GraphPoint {
  /** Its kind, a space, and the node as the command line writes it: `subject my-org:Ali#flag`. */
  readonly id: string;
  readonly kind: "object" | "subject" | "relation";
  readonly namespace: string;
  readonly name: string;
  /** Relation that an object or subject carries; empty when none. */
  readonly relation: string;
}

export interface GraphLink {
  readonly from: string;
  readonly to: string;
  /** "assertion": subject → object; the mapped ones as `map` writes them, the way a check climbs: member → its group. */
  readonly kind: "assertion" | "objectMapped" | "subjectMapped" | "relationMapped";
}

export interface GraphPicture {
  readonly height: number;
  readonly points: readonly GraphPoint[];
  readonly links: readonly GraphLink[];
  /** True when there is more than what is shown; `focus` narrows it. */
  readonly truncated: boolean;
}

/** One member as a node sees it now; the ring draws these. */
export interface MemberRow {
  readonly name: string;
  readonly aid: string;
  readonly index: number;
  readonly endpoint: string;
  /** "self", "connected", "suspected" (no connection, or silent), "ended". */
  readonly standing: string;
  readonly keySn: number;
  /** View in which it was last heard; null when never. */
  readonly lastHeard: number | null;
}

export type Difference =
  | {
      readonly kind: "assertion" | "edge" | "object" | "subject" | "relation" | "namespace";
      readonly side: "left" | "right";
      readonly text: string;
    }
  | { readonly kind: "keyState"; readonly side: "left" | "right" | "both"; readonly text: string };

export interface DifferencePage {
  readonly left: { readonly node: string; readonly height: number; readonly root: string | null };
  readonly right: { readonly node: string; readonly height: number; readonly root: string | null };
  readonly differences: readonly Difference[];
  readonly truncated: boolean;
}

/** Lowest height at which two nodes part, and how; null while they agree as far as both have come. */
export interface DivergencePage {
  readonly agreedTo: number;
  readonly first: {
    readonly height: number;
    readonly what: "block" | "root";
    readonly left: string;
    readonly right: string;
  } | null;
}

/** Every refusal of the inspector's server. */
export interface InspectorRefusal {
  readonly code: string;
  readonly message: string;
}

/** Header of a question whose asker takes a refusal for an answer: it comes with status 200, and its own in this other header. */
export const AS_ANSWERS = "sky-refusals-as-answers";
export const REFUSAL_STATUS = "sky-refusal-status";
