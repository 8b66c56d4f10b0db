/**
 * What must hold after every step, of honest members only. Each check costs as much as the step that it looks at: registries of what
 * was seen first stand for comparing everybody with everybody.
 */
import type { Digest, MemberIndex } from "../../src/base/brands.ts";
import type { PeerMessage } from "../../src/events/facts/peer-message.ts";
import { decode } from "../../src/base/codec.ts";
import { type CertificateKind, HEADER_BYTES_MAX, headerShape } from "../../src/events/facts/block.ts";
import { blockHash } from "../../src/events/facts/hashing.ts";
import type { ConsensusEffect } from "../../src/machines/consensus/types.ts";
import type { SettledCommand } from "../../src/projections/ledger/duplicates.ts";
import type { ExecutedBlock } from "../../src/projections/ledger/ledger.ts";
import type { Durable } from "./disk.ts";
import { CertificateInvariants } from "./invariants-certificates.ts";
import { ChainInvariants } from "./invariants-chain.ts";
import { CheckpointInvariants } from "./invariants-checkpoints.ts";
import { DurableCertificates } from "./invariants-durable.ts";
import { GraphInvariants } from "./invariants-graph.ts";
import { KeyInvariants } from "./invariants-keys.ts";
import { Random } from "./random.ts";
import { Keys, ed25519Scheme } from "./scheme.ts";
import { Violation } from "./violation.ts";

/** Refusals that say of a frame what no honest member's frame is. */
const FAULT_CODES: ReadonlySet<string> = new Set([
  "MALFORMED",
  "TOO_LARGE",
  "BODY_MISMATCH",
  "NOT_GENESIS",
  "BAD_SIGNATURE",
  "BAD_CERTIFICATE",
  "FOREIGN_BUNDLE",
  "BAD_CHECKPOINT",
  "BAD_SEGMENT",
  "FOREIGN_STATEMENT",
  "CHECKPOINT_EQUIVOCATION",
]);

/** What the invariants ask of a replica. */
export interface Observed {
  readonly name: string;
  readonly member: MemberIndex;
  /** Its clock. Units: ms since 1970. */
  readonly now: () => number;
  /** View of the last final block that its disk holds. */
  readonly durableFinalView: () => number;
  /** Votes that its present disk holds or has settled. */
  readonly durableVotes: Set<string>;
  /** Highest height it told a client, as long as it has this disk. */
  servedHeight: number;
}

const voteKey = (kind: string, view: number, hash: string | null): string => `${view}/${kind}/${hash ?? ""}`;

export class Invariants {
  /** Hash of the final block of each height, as the first member appended it. */
  readonly final: (Digest | undefined)[] = [];
  readonly #roots: (Digest | undefined)[] = [];
  readonly #certificates = new Map<string, string>();
  /** Own votes of each member over all its lives, by member and view. */
  readonly #votes = new Map<string, { notarize?: string; nullify?: true; finalize?: string }>();
  readonly #acted = new Map<string, string>();
  readonly #acknowledged = new Map<string, { readonly height: number; readonly blockHash: Digest }>();
  readonly #isHonest: (member: MemberIndex) => boolean;
  readonly #decided = new Set<number>();
  readonly #chain: ChainInvariants;
  readonly #standing: CertificateInvariants;
  readonly #durable = new DurableCertificates();
  readonly checkpoints = new CheckpointInvariants((height) => this.#roots[height]);
  /** What the graph's writers and the answers of nodes are held against. */
  readonly graph: GraphInvariants;
  readonly keys: KeyInvariants;
  #nullified = 0;
  #latestClock = 0;

  /** `random` chooses what nodes are asked about the graph; `isMade` says whether a bundle is signed by the member that it names. */
  constructor(
    isHonest: (member: MemberIndex) => boolean,
    size = 4,
    random = new Random("graph questions"),
    isMade: (bundle: Uint8Array) => boolean = () => true,
    keys = new KeyInvariants(new Random("key questions"), () => ed25519Scheme(new Keys())),
  ) {
    this.#isHonest = isHonest;
    this.#chain = new ChainInvariants({
      size,
      isMade,
      checkpoints: this.checkpoints,
      root: (height) => this.#roots[height],
      latestClock: () => this.#latestClock,
    });
    this.#standing = new CertificateInvariants(size, isHonest);
    this.graph = new GraphInvariants(random);
    this.keys = keys;
  }

  /** Views of which some honest member holds a certificate. */
  get viewsDecided(): number {
    return this.#decided.size;
  }

  get viewsNullified(): number {
    return this.#nullified;
  }

  /** Final blocks above genesis. */
  get blocks(): number {
    return Math.max(0, this.final.length - 1);
  }

  get acknowledged(): number {
    return this.#acknowledged.size;
  }

  stepped(who: Observed, effects: readonly ConsensusEffect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case "recordCertificate":
          this.#certificate(who, effect.kind, effect.view, effect.hash);
          break;
        case "recordEvidence":
          this.evidence(who, effect.evidence.kind, effect.evidence.member, effect.evidence.view);
          break;
        default:
      }
    }
  }

  /** One certificate of each kind in a view, and never both a nullification and a finalization. */
  #certificate(who: Observed, kind: CertificateKind, view: number, hash: string | null): void {
    this.#standing.adopted(who.name, kind, view, hash ?? "");
    this.#durable.adopted(who.durableVotes, kind, view);
    if (!this.#decided.has(view)) this.#decided.add(view);
    const said = hash ?? "";
    const key = `${kind}/${view}`;
    const known = this.#certificates.get(key);
    if (known === undefined) {
      this.#certificates.set(key, said);
      if (kind === "nullification") this.#nullified += 1;
    } else if (known !== said)
      throw new Violation("certificates are unique", `${who.name}: two ${kind}s of view ${view}: ${known} and ${said}`);
    const opposite = kind === "nullification" ? "finalization" : kind === "finalization" ? "nullification" : undefined;
    if (opposite !== undefined && this.#certificates.has(`${opposite}/${view}`))
      throw new Violation(
        "certificates are unique",
        `${who.name}: view ${view} has a nullification and a finalization`,
      );
  }

  /** A write is durable: what it appends is agreed, what it votes obeys rule 8 over all lives of the member. */
  written(who: Observed, write: Durable): void {
    if (write.kind === "repair") return this.#repaired(who, write);
    if (write.kind === "begin") {
      this.#durable.written(who.durableVotes, write.batch);
      return this.#repaired(who, { events: [write.event], bundles: [] });
    }
    if (write.kind !== "commit") return;
    this.#durable.written(who.durableVotes, write.batch);
    this.#latestClock = Math.max(this.#latestClock, who.now());
    for (const { height, hash } of write.batch.append?.events ?? []) {
      const known = this.final[height];
      if (known === undefined) this.final[height] = hash;
      else if (known !== hash)
        throw new Violation("agreement", `${who.name}: final block ${height} is ${hash}, elsewhere ${known}`);
    }
    for (const { kind, key, view, epoch } of write.batch.journal ?? []) {
      if (kind !== "vote" || epoch !== 0) continue;
      const [vote = "", hash = ""] = key.split("/");
      who.durableVotes.add(voteKey(vote, view, hash));
      this.#vote(who, vote, view, hash);
      this.#standing.voted(who.member, vote, view, hash);
    }
    for (const { height, root } of write.batch.executed ?? []) this.#root(who, height, root);
    this.#chain.written(who.name, who.durableVotes, write.batch);
  }

  /** Blocks that peers gave for what was damaged, or older than a checkpoint, or the checkpoint's own: final ones all of them. */
  #repaired(
    who: Observed,
    { events, bundles }: Pick<Extract<Durable, { kind: "repair" }>, "events" | "bundles">,
  ): void {
    for (const { height, hash } of events)
      if (this.final[height] !== hash)
        throw new Violation(
          "agreement",
          `${who.name}: puts ${hash} at ${height}, elsewhere ${this.final[height] ?? "none"}`,
        );
    this.#chain.given(who.durableVotes, bundles);
  }

  /** A process starts: what its last one had adopted and not written is forgotten, and was never acted on. */
  starts(who: Observed): void {
    this.#durable.starts(who.durableVotes);
  }

  /** A life of a member begins with these certificates above its last final block. */
  booted(
    who: Observed,
    final: number,
    certificates: readonly { readonly kind: CertificateKind; readonly view: number }[],
  ): void {
    this.#durable.booted(who.name, who.durableVotes, final, certificates);
  }

  /** Rule 8. */
  #vote(who: Observed, kind: string, view: number, hash: string): void {
    const key = `${who.member}/${view}`;
    const votes = this.#votes.get(key) ?? {};
    const broken = (what: string): never => {
      throw new Violation("rule 8", `${who.name} ${what} in view ${view}`);
    };
    if (kind === "notarize") {
      if (votes.notarize !== undefined && votes.notarize !== hash) broken("notarized two blocks");
      if (votes.notarize === undefined && votes.nullify === true) broken("notarized after it had nullified");
      votes.notarize = hash;
    } else if (kind === "nullify") {
      if (votes.finalize !== undefined) broken("nullified after it had finalised");
      votes.nullify = true;
    } else {
      if (votes.finalize !== undefined && votes.finalize !== hash) broken("finalised two blocks");
      if (votes.nullify === true) broken("finalised after it had nullified");
      votes.finalize = hash;
    }
    this.#votes.set(key, votes);
  }

  #root(who: Observed, height: number, root: Digest): void {
    const known = this.#roots[height];
    if (known === undefined) this.#roots[height] = root;
    else if (known !== root)
      throw new Violation("executed roots are equal", `${who.name}: height ${height} has root ${root}, not ${known}`);
  }

  /** Nothing is said before it is durable. */
  sent(who: Observed, message: PeerMessage): void {
    this.#durable.speaks(who.name, who.durableVotes, () => who.durableFinalView());
    if (message.kind === "vote") this.#saidVote(who, message.vote, message.view, message.hash);
    if (message.kind !== "proposal") return;
    const header = decode(headerShape, message.block.header, HEADER_BYTES_MAX);
    if (header.ok) this.#saidVote(who, "notarize", header.value.view, blockHash(message.block.header));
  }

  #saidVote(who: Observed, kind: string, view: number, hash: Digest | null): void {
    if (who.durableVotes.has(voteKey(kind, view, hash)) || view <= who.durableFinalView()) return;
    throw new Violation("durable before sending", `${who.name} sent ${kind} of view ${view} before it was durable`);
  }

  executed(who: Observed, { height, hash, root, settled }: ExecutedBlock): void {
    if (this.final[height] !== undefined && this.final[height] !== hash)
      throw new Violation("agreement", `${who.name} executed ${hash} at ${height}, which is ${this.final[height]}`);
    this.#root(who, height, root);
    for (const { author, id, outcome, height: at, index } of settled) {
      if (at !== height || outcome.kind !== "commandExecuted") continue;
      const key = `${author}/${id}`;
      const where = `${height}/${index}`;
      const earlier = this.#acted.get(key);
      if (earlier !== undefined && earlier !== where)
        throw new Violation("duplicates never act twice", `command ${id} acted at ${earlier} and at ${where}`);
      this.#acted.set(key, where);
    }
  }

  /** A client was told that its command is settled. */
  acknowledgedWrite(who: Observed, { author, id, height, blockHash: hash }: SettledCommand): void {
    if (this.final[height] !== hash)
      throw new Violation(
        "acknowledged writes are never lost",
        `${who.name} acknowledged command ${id} in block ${hash}, but ${height} is ${this.final[height] ?? "not final"}`,
      );
    const key = `${author}/${id}`;
    const earlier = this.#acknowledged.get(key);
    if (earlier !== undefined && earlier.blockHash !== hash)
      throw new Violation("acknowledged writes are never lost", `command ${id} was acknowledged in two blocks`);
    this.#acknowledged.set(key, { height, blockHash: hash });
  }

  /** Heights that one node tells never fall, as long as it has its disk. */
  served(who: Observed, height: number): void {
    if (height < who.servedHeight)
      throw new Violation("heights never fall", `${who.name} answered at ${height} after ${who.servedHeight}`);
    who.servedHeight = height;
  }

  /** An honest member's frame came as it was sent, and was refused as no honest member's frame may be. */
  refused(who: Observed, reason: string, from: MemberIndex): void {
    if (FAULT_CODES.has(reason) || reason.startsWith("Event "))
      throw new Violation("honest frames are taken", `${who.name} refused a frame of honest member ${from}: ${reason}`);
  }

  halted(who: Observed, height: number): void {
    throw new Violation("honest members never part", `${who.name} halted: its root at ${height} is not that of others`);
  }

  evidence(who: Observed, kind: string, member: MemberIndex, view: number): void {
    if (this.#isHonest(member))
      throw new Violation("no honest member is accused", `${who.name} holds ${kind} of member ${member}, view ${view}`);
  }

  /** At the end: everything acknowledged stands in some log. */
  kept(longest: number): void {
    for (const [key, { height }] of this.#acknowledged)
      if (height > longest)
        throw new Violation(
          "acknowledged writes are never lost",
          `command ${key} of height ${height} is in no log; the longest ends at ${longest}`,
        );
  }
}
