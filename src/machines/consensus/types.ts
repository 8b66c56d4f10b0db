/**
 * Simplex consensus of one epoch, as a pure machine.
 *
 * Protocol: shared/protocols/consensus.md, rules 1 to 10 (after Chan and Pass, "Simplex Consensus", eprint 2023/463).
 * What stands here decides; its shell (src/actors/consensus) verifies signatures, keeps bytes and clocks, and performs effects.
 * The machine sees digests only: every vote and certificate that reaches it has been verified.
 *
 * Deviates: a proposal carries its leader's notarize signature instead of one of its own, since "the proposal is its notarize
 * vote" (rule 2); a member keeps proposals for its current view and the next one, certificates of any view.
 */
import type { Digest, Epoch, Height, LogTime, MemberIndex, View } from "../../base/brands.ts";
import type { CertificateKind } from "../../events/facts/block.ts";
import type { VoteKind } from "../../events/facts/hashing.ts";

export type { VoteKind };

/** Waiting times before back-off. Units: ms. */
export interface Timings {
  /** Δ: how long a leader without work waits for an outstanding finalization. */
  readonly delta: number;
  /** t_l: until the leader's proposal. */
  readonly leader: number;
  /** t_a: until the view is left. */
  readonly advance: number;
  /** t_r: between repetitions of a nullify vote. */
  readonly repeat: number;
  /** t_s: without progress before a member sends what it holds. */
  readonly standstill: number;
  /** α: growth per consecutive nullified view. */
  readonly growth: number;
  readonly cap: number;
}

export const DEFAULT_TIMINGS: Timings = {
  delta: 250,
  leader: 500,
  advance: 750,
  repeat: 500,
  standstill: 1000,
  growth: 1.5,
  cap: 10_000,
};

/** What the machine knows of a block: its header's fields and the digests of its bundles. */
export interface BlockSummary {
  readonly hash: Digest;
  readonly view: View;
  readonly parentView: View;
  readonly parent: Digest;
  readonly height: Height;
  readonly time: LogTime;
  readonly executedHeight: Height;
  readonly executedRoot: Digest;
  readonly bundles: readonly Digest[];
  /** Height of the newest checkpoint block before it, as its header says. */
  readonly lastCheckpoint: Height;
  /** Height of the newest checkpoint block up to itself: what its children must name. */
  readonly checkpoint: Height;
}

/** Whether the body, its bundles and its logRoot were judged (rule 3, "valid"): open until the shell has all of it. */
export type BodyState = "unasked" | "asked" | "valid" | "invalid";

export interface Candidate extends BlockSummary {
  readonly body: BodyState;
}

export type Verdict = "certified" | "refused";

export interface OwnVotes {
  readonly notarize?: Digest;
  readonly nullify?: true;
  readonly finalize?: Digest;
}

/** Verified votes of one view by member. */
export interface Tally {
  readonly notarize: Readonly<Record<number, Digest>>;
  readonly nullify: Readonly<Record<number, true>>;
  readonly finalize: Readonly<Record<number, Digest>>;
  /** Evidence kept already, by kind and member. */
  readonly accused: Readonly<Record<string, true>>;
}

/** The last block that is final here, with all its ancestors. */
export interface FinalBlock {
  readonly hash: Digest;
  readonly height: Height;
  /** View of the block itself; 0 for genesis. */
  readonly view: View;
  readonly time: LogTime;
  readonly executedHeight: Height;
  /** Height of the newest checkpoint block up to itself: what its children must name. */
  readonly checkpoint: Height;
}

/** Where this replica parted from f+1 others: they have another root for a height that it has executed. */
export interface Divergence {
  readonly height: Height;
  readonly root: Digest;
  readonly theirs: Digest;
}

export interface Context {
  readonly epoch: Epoch;
  readonly self: MemberIndex;
  /** Members of the committee; member i leads the views v with v mod size = i. */
  readonly size: number;
  readonly timings: Timings;

  readonly view: View;
  readonly final: FinalBlock;
  /** A finalization held whose chain of blocks is not complete here yet. */
  readonly pendingFinal: { readonly view: View; readonly hash: Digest } | null;

  /** Blocks above the final one, by hash. */
  readonly candidates: Readonly<Record<Digest, Candidate>>;
  /** First proposal of each view's leader. */
  readonly proposals: Readonly<Record<number, Digest>>;
  readonly notarizations: Readonly<Record<number, Digest>>;
  readonly nullifications: Readonly<Record<number, true>>;
  readonly verdicts: Readonly<Record<number, Verdict>>;
  readonly own: Readonly<Record<number, OwnVotes>>;
  readonly tallies: Readonly<Record<number, Tally>>;
  /** Views whose leader was seen to propose two blocks. */
  readonly equivocated: Readonly<Record<number, true>>;

  /** Highest block executed here. */
  readonly executed: Height;
  /** Roots of executed heights that a live proposal may still name. */
  readonly roots: Readonly<Record<number, Digest>>;
  /** Highest height for whose state q equal signed statements are held; 0 while there is none. */
  readonly provable: Height;
  /** Bundles held that are in no final block, oldest first. */
  readonly mempool: readonly Digest[];

  /** Views in which a quorum spoke, counted. */
  readonly spokenViews: number;
  /** Count of spoken views when each member last voted (rule 1, silent leaders). */
  readonly lastHeard: readonly number[];
  /** Consecutive nullified views (rule 9, back-off). */
  readonly nullified: number;

  /** What this member is doing about the current view's proposal of its own. */
  readonly proposing: "no" | "forFinalization" | "forParent" | "due" | "building";
  /** Of the current and the next view: how long a proposal whose time lies more than 500 ms ahead must wait (rule 3, time). Units: ms. */
  readonly awaitsClock: Readonly<Record<number, number>>;
  readonly timersArmed: boolean;
  /** Ancestry already asked for in this view, so that one missing thing is one request. */
  readonly asked: View | null;
  /** The finalization whose chain was asked for already; the shell goes on asking until it is complete. */
  readonly synchronising: Digest | null;
  /** Set when the journal was lost: votes only in views above this, once known (consensus.md, lost journal). */
  readonly votesAbove: View | "unknown" | null;
  /** Highest certificates that others sent while the journal is lost, by member. */
  readonly survey: Readonly<Record<number, View>>;
  readonly halted: Divergence | null;
  /** Roots that others attest, by member: the newest of each. */
  readonly attested: Readonly<Record<number, { readonly height: Height; readonly root: Digest }>>;
}

export type ConsensusEvent =
  | { readonly type: "started" }
  | { readonly type: "bundleHeld"; readonly digest: Digest }
  /** The leader's signature over the block holds, and body and bodyHash fit. `aheadMs`: header time minus this node's clock. */
  | {
      readonly type: "proposalVerified";
      readonly from: MemberIndex;
      readonly block: BlockSummary;
      readonly aheadMs: number;
    }
  /** A block that was asked for by hash or by view; its certificate comes as an event of its own. */
  | { readonly type: "blockFetched"; readonly block: BlockSummary }
  | { readonly type: "bodyJudged"; readonly hash: Digest; readonly valid: boolean }
  | {
      readonly type: "voteVerified";
      readonly kind: VoteKind;
      readonly view: View;
      readonly hash: Digest | null;
      readonly member: MemberIndex;
    }
  /** A member voted for what is already certified: its vote was not checked, but it is alive. */
  | { readonly type: "memberHeard"; readonly member: MemberIndex }
  | {
      readonly type: "certificateVerified";
      readonly kind: CertificateKind;
      readonly view: View;
      readonly hash: Digest | null;
      readonly signers: readonly MemberIndex[];
    }
  | { readonly type: "voteSigned"; readonly kind: VoteKind; readonly view: View; readonly hash: Digest | null }
  | { readonly type: "proposalBuilt"; readonly block: BlockSummary }
  | { readonly type: "proposalFailed"; readonly view: View }
  | { readonly type: "executionReached"; readonly height: Height; readonly root: Digest }
  | { readonly type: "rootAttested"; readonly member: MemberIndex; readonly height: Height; readonly root: Digest }
  /** q members signed the same statement of the state at this height: a leader may order a checkpoint block of it. */
  | { readonly type: "checkpointProvable"; readonly height: Height }
  /** Blocks fetched with their proofs were appended to the log: this one is final now. */
  | {
      readonly type: "logSynchronised";
      readonly final: FinalBlock;
      readonly finalizedView: View;
      readonly bundles: readonly Digest[];
    }
  | { readonly type: "peerConnected"; readonly member: MemberIndex }
  /** While the journal is lost: the highest certificate another member sent for this survey. */
  | { readonly type: "highestCertificateReported"; readonly member: MemberIndex; readonly view: View }
  | { readonly type: "timerFired"; readonly timer: TimerId };

export type TimerId = "leader" | "advance" | "repeat" | "standstill" | "propose" | "clock";

/** Evidence of misbehaviour that stands by itself once the shell adds the signed messages. */
export interface Evidence {
  readonly kind: "twoNotarizeVotes" | "nullifyAndFinalize" | "twoFinalizeVotes" | "twoProposals";
  readonly member: MemberIndex;
  readonly view: View;
}

export type PeerNotice =
  | { readonly kind: "vote"; readonly vote: VoteKind; readonly view: View; readonly hash: Digest | null }
  | { readonly kind: "proposal"; readonly hash: Digest }
  | {
      readonly kind: "certificate";
      readonly certificate: CertificateKind;
      readonly view: View;
      readonly hash: Digest | null;
    }
  | { readonly kind: "bundles"; readonly digests: readonly Digest[] }
  | { readonly kind: "root"; readonly height: Height; readonly root: Digest }
  /** Ask for the certificate that ends a view (and its block, if it was notarized). */
  | { readonly kind: "ancestryRequest"; readonly view: View }
  | { readonly kind: "surveyRequest" };

export type ConsensusEffect =
  // 1. durable before anything is sent
  | { readonly type: "recordVote"; readonly kind: VoteKind; readonly view: View; readonly hash: Digest | null }
  | { readonly type: "recordProposal"; readonly view: View; readonly hash: Digest }
  | { readonly type: "recordCandidate"; readonly hash: Digest }
  /** The shell assembles it from the signatures it holds when `signers` is given; else it holds it already. */
  | {
      readonly type: "recordCertificate";
      readonly kind: CertificateKind;
      readonly view: View;
      readonly hash: Digest | null;
      readonly signers: readonly MemberIndex[] | null;
    }
  | { readonly type: "recordVerdict"; readonly view: View; readonly hash: Digest; readonly verdict: Verdict }
  /** The bound that a member without journal found: durable before its first vote (lost journal). */
  | { readonly type: "recordVotesAbove"; readonly view: View }
  /** Appends the blocks, oldest first, with the finalization of the last one; the shell hands them to the executor. */
  | { readonly type: "recordFinal"; readonly hashes: readonly Digest[]; readonly view: View }
  | { readonly type: "recordEvidence"; readonly evidence: Evidence }
  // 2. messages
  | { readonly type: "send"; readonly to: MemberIndex; readonly notice: PeerNotice }
  | { readonly type: "broadcast"; readonly notice: PeerNotice }
  /** To the peers that are not seen to hold it; the shell may wait Δ/5 for them to show that they do (rules 4 and 6). */
  | {
      readonly type: "passOn";
      readonly certificate: Exclude<CertificateKind, "nullification">;
      readonly view: View;
      readonly hash: Digest | null;
    }
  // 3. timers
  | { readonly type: "setTimer"; readonly timer: TimerId; readonly ms: number }
  | { readonly type: "clearTimer"; readonly timer: TimerId }
  // 4. requests, answered by events
  | { readonly type: "requestSignature"; readonly kind: VoteKind; readonly view: View; readonly hash: Digest | null }
  | { readonly type: "requestJudgement"; readonly hash: Digest }
  | { readonly type: "requestBlock"; readonly hash: Digest; readonly view: View }
  | {
      readonly type: "requestProposal";
      readonly view: View;
      readonly parent: Digest;
      readonly parentView: View;
      readonly parentHeight: Height;
      readonly parentTime: LogTime;
      readonly executedHeight: Height;
      readonly executedRoot: Digest;
      readonly bundles: readonly Digest[];
      /** What the header names. */
      readonly lastCheckpoint: Height;
      /** The state that a checkpoint block is to prove instead of ordering bundles. */
      readonly checkpoint: Height | null;
    }
  | { readonly type: "requestSynchronisation"; readonly view: View; readonly hash: Digest }
  /** This replica executed something else than f+1 others: recorded first, it stops voting and serving for good (DESIGN §4). */
  | ({ readonly type: "halt" } & Divergence)
  /** Counted and logged: what arrived and why it was not taken. */
  | { readonly type: "refuseInput"; readonly reason: string; readonly member: MemberIndex | null };
