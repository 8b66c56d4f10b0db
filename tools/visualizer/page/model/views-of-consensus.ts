/**
 * What was seen of each view of consensus, gathered from the entries as they come: proposals, votes, certificates, the block that
 * became final, and evidence. The block timeline draws it; marks and sentences count on it.
 */
import type { BlockRow, Entry, SourceDescription, Summary } from "../../../../src/host/inspector/contract.ts";
import { type EntryOf, type Stepped, numberIn, textIn } from "./entries.ts";
import { leaderOf } from "./moment.ts";

export type VoteKind = "notarize" | "nullify" | "finalize";
export type CertificateKind = "notarization" | "nullification" | "finalization";

/** Something that was seen, with the earliest entry that shows it. */
export interface Proposal {
  readonly hash: string;
  readonly from: string | null;
  readonly height: number | null;
  readonly entry: Entry;
}

export interface Vote {
  readonly member: string;
  readonly kind: VoteKind;
  /** Of the block; null for nullify. */
  readonly hash: string | null;
  readonly entry: Entry;
}

export interface SeenCertificate {
  readonly kind: CertificateKind;
  readonly hash: string | null;
  /** Empty when no entry names them. */
  readonly signers: readonly string[];
  readonly entry: Entry;
}

export interface ViewRow {
  readonly view: number;
  readonly epoch: number | null;
  readonly leader: string | null;
  readonly proposals: readonly Proposal[];
  readonly votes: readonly Vote[];
  readonly certificates: readonly SeenCertificate[];
  readonly evidence: readonly EntryOf<"evidence">[];
  /** The block of this view, once it is final somewhere. */
  readonly block: BlockRow | null;
  /** The first entry that says so. */
  readonly finalEntry: Entry | null;
}

const VOTES: ReadonlySet<string> = new Set(["notarize", "nullify", "finalize"]);
const CERTIFICATES: ReadonlySet<string> = new Set(["notarization", "nullification", "finalization"]);
const isVote = (kind: string | null): kind is VoteKind => kind !== null && VOTES.has(kind);
const isCertificate = (kind: string | null): kind is CertificateKind => kind !== null && CERTIFICATES.has(kind);

/** Adds `item` unless one that is the same is there already; the earlier entry stays. */
function including<T>(items: readonly T[], item: T, isSame: (one: T) => boolean): readonly T[] {
  return items.some(isSame) ? items : [...items, item];
}

/** Views remembered; beyond it the first that came are dropped. As many as ENTRIES_MAX entries can speak of. */
const ROWS_MAX = 20_000;

export class ConsensusViews {
  readonly #rows = new Map<number, ViewRow>();
  readonly #source: SourceDescription | null;
  #sorted: readonly ViewRow[] | null = null;

  constructor(source: SourceDescription | null) {
    this.#source = source;
  }

  /** All views that were seen, lowest first. */
  all(): readonly ViewRow[] {
    this.#sorted ??= [...this.#rows.values()].sort((a, b) => a.view - b.view);
    return this.#sorted;
  }

  of(view: number): ViewRow | null {
    return this.#rows.get(view) ?? null;
  }

  add(entry: Entry): void {
    switch (entry.kind) {
      case "finalised":
        return this.#change(entry.block.view, entry.block.epoch, (row) =>
          row.finalEntry === null || entry.at < row.finalEntry.at
            ? { ...row, block: entry.block, finalEntry: entry }
            : row,
        );
      case "evidence":
        return this.#change(entry.view, null, (row) => ({
          ...row,
          evidence: including(
            row.evidence,
            entry,
            (one) => one.evidence === entry.evidence && one.member === entry.member,
          ),
        }));
      case "stepped":
        if (entry.machine === "consensus") this.#addStep(entry);
        return;
      default:
    }
  }

  /** Name of a member that an entry gives by its index or by name. */
  #member(summary: Summary, ...fields: readonly string[]): string | null {
    const index = numberIn(summary, ...fields);
    if (index === null) return textIn(summary, ...fields);
    return this.#source?.nodes.find((node) => node.index === index)?.name ?? String(index);
  }

  #signers(summary: Summary): readonly string[] {
    const signers = summary["signers"];
    if (!Array.isArray(signers)) return [];
    return signers.map((one: string | number) =>
      typeof one === "string" ? one : (this.#source?.nodes.find(({ index }) => index === one)?.name ?? String(one)),
    );
  }

  #addStep(step: Stepped): void {
    this.#addEvent(step, step.event);
    for (const effect of step.effects) this.#addEffect(step, effect);
  }

  #addEvent(step: Stepped, event: Summary): void {
    switch (event.type) {
      case "proposalVerified":
        this.#addProposal(step, event, this.#member(event, "from", "member"));
        // A proposal is its leader's notarize vote.
        return this.#addVote(step, { ...event, kind: "notarize" }, this.#member(event, "from", "member"));
      case "proposalBuilt":
        return this.#addProposal(step, event, step.node);
      case "voteVerified":
        return this.#addVote(step, event, this.#member(event, "member", "from"));
      case "certificateVerified":
        return this.#addCertificate(step, event);
      default:
    }
  }

  #addEffect(step: Stepped, effect: Summary): void {
    if (effect.type === "recordVote") this.#addVote(step, effect, step.node);
    if (effect.type === "recordCertificate") this.#addCertificate(step, effect);
  }

  #addProposal(step: Stepped, event: Summary, from: string | null): void {
    const view = numberIn(event, "view");
    const hash = textIn(event, "hash");
    if (view === null || hash === null) return;
    const proposal = { hash, from, height: numberIn(event, "height"), entry: step };
    this.#change(view, step.epoch ?? null, (row) => ({
      ...row,
      proposals: including(row.proposals, proposal, (one) => one.hash === hash),
    }));
  }

  #addVote(step: Stepped, summary: Summary, member: string | null): void {
    const view = numberIn(summary, "view");
    const kind = textIn(summary, "kind", "vote");
    if (view === null || member === null || !isVote(kind)) return;
    const hash = textIn(summary, "hash");
    const vote = { member, kind, hash, entry: step };
    this.#change(view, step.epoch ?? null, (row) => ({
      ...row,
      votes: including(row.votes, vote, (one) => one.member === member && one.kind === kind && one.hash === hash),
    }));
  }

  #addCertificate(step: Stepped, summary: Summary): void {
    const view = numberIn(summary, "view");
    const kind = textIn(summary, "kind", "certificate");
    if (view === null || !isCertificate(kind)) return;
    const hash = textIn(summary, "hash");
    const certificate = { kind, hash, signers: this.#signers(summary), entry: step };
    this.#change(view, step.epoch ?? null, (row) => {
      const isSame = (one: SeenCertificate): boolean => one.kind === kind && one.hash === hash;
      const known = row.certificates.find(isSame);
      if (known === undefined) return { ...row, certificates: [...row.certificates, certificate] };
      if (known.signers.length > 0 || certificate.signers.length === 0) return row;
      const named = { ...known, signers: certificate.signers };
      return { ...row, certificates: row.certificates.map((one) => (one === known ? named : one)) };
    });
  }

  #change(view: number, epoch: number | null, change: (row: ViewRow) => ViewRow): void {
    const before = this.#rows.get(view) ?? emptyRow(view, leaderOf(view, this.#source));
    const after = change(before.epoch === null && epoch !== null ? { ...before, epoch } : before);
    if (after === before) return;
    this.#rows.set(view, after);
    this.#sorted = null;
    const [oldest] = this.#rows.keys();
    if (this.#rows.size > ROWS_MAX && oldest !== undefined) this.#rows.delete(oldest);
  }
}

const emptyRow = (view: number, leader: string | null): ViewRow => ({
  view,
  epoch: null,
  leader,
  proposals: [],
  votes: [],
  certificates: [],
  evidence: [],
  block: null,
  finalEntry: null,
});

/** What became of a view, as far as was seen. */
export type Outcome = "final" | "finalized" | "nullified" | "notarized" | "open";

export function outcomeOf(row: ViewRow): Outcome {
  if (row.block !== null) return "final";
  const has = (wanted: CertificateKind): boolean => row.certificates.some(({ kind }) => kind === wanted);
  if (has("finalization")) return "finalized";
  if (has("nullification")) return "nullified";
  return has("notarization") ? "notarized" : "open";
}
