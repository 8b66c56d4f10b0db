/** What members say of the state at checkpoint heights: q equal signed statements make a checkpoint block (consensus.md, "Checkpoint"). */
import type { Height, MemberIndex } from "../../base/brands.ts";
import { equalBytes } from "../../base/bytes.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import type { Checkpoint, Header } from "../../events/facts/block.ts";
import { type CheckpointStatement, checkpointBytes, sameStatement } from "../../events/facts/checkpoint.ts";
import type { PeerMessage } from "../../events/facts/peer-message.ts";
import { quorumOf } from "../../machines/consensus/committee.ts";
import { Allowance } from "./allowance.ts";
import type { Committee, ConsensusPorts } from "./ports.ts";
import { isSignedByQuorum } from "../../events/facts/finality.ts";
import { quorumSigned } from "./signatures.ts";

/** Heights that a member's statements are kept for, the newest: members reach a checkpoint at different times, not this far apart. */
const KEPT_MAX = 4;
/** What one member's statements may cost: a member makes one each C blocks, and a check takes 0.1 ms. Units: signature checks. */
const CHECKED = { burst: 64, perSecond: 32 };

interface Stated {
  readonly statement: CheckpointStatement;
  readonly signature: Uint8Array;
}

export type StatementMessage = Extract<PeerMessage, { kind: "statement" }>;

export interface StatementsStores {
  readonly committee: Committee;
  readonly sign: ConsensusPorts["sign"];
  readonly now: ConsensusPorts["clock"]["now"];
  /** The newest final block: its height, and that of the newest checkpoint block up to it. */
  readonly final: () => { readonly height: Height; readonly checkpoint: Height };
  /** Takes one's own signed statement. */
  readonly said: (message: StatementMessage) => void;
  /** Takes each height for which q equal statements are held. */
  readonly provable: (height: Height) => void;
  /** What became of a statement whose height was not final yet when it came. */
  readonly judgedLate: (from: MemberIndex, taken: Result<void>) => void;
}

export class Statements {
  readonly #stores: StatementsStores;
  readonly #committee: Committee;
  readonly #checked = new Allowance(CHECKED);
  /** By member, oldest height first; the first statement of a height stays. */
  readonly #stated: Stated[][];
  /** By member, oldest height first: of heights that are not final here yet, unchecked. */
  readonly #early: StatementMessage[][];
  /** The newest statements that q members signed, oldest first. */
  #proofs: Checkpoint[] = [];

  constructor(stores: StatementsStores) {
    this.#stores = stores;
    this.#committee = stores.committee;
    this.#stated = stores.committee.keys.map(() => []);
    this.#early = stores.committee.keys.map(() => []);
  }

  /** This member's projector wrote the state's segments: says so, signed. */
  state(statement: CheckpointStatement): void {
    const { cluster, self } = this.#committee;
    this.#stores.sign(checkpointBytes(cluster, statement), (signature) => {
      this.#add(self, { statement, signature });
      this.#stores.said({ kind: "statement", statement, member: self, signature });
    });
  }

  /** What a peer that just connected has not heard: this member's newest statement. */
  own(): StatementMessage | undefined {
    const { self } = this.#committee;
    const newest = this.#stated[self]?.at(-1);
    return newest === undefined ? undefined : { kind: "statement", member: self, ...newest };
  }

  /**
   * What a member says, checked if it can be of use: at or below what is final, above what a checkpoint block has proven. Refuses:
   * FOREIGN_STATEMENT, CHECKPOINT_EQUIVOCATION, STATEMENT_TOO_LATE, STATEMENT_TOO_EARLY, STATEMENTS_TOO_MANY, BAD_SIGNATURE.
   */
  take(from: MemberIndex, message: StatementMessage): Result<void> {
    const { statement, member } = message;
    if (member !== from || statement.epoch !== this.#committee.epoch)
      return refuse("FOREIGN_STATEMENT", "A checkpoint statement of another member or epoch.", "peer");
    const known = [...(this.#stated[from] ?? []), ...(this.#early[from] ?? [])];
    const earlier = known.find((stated) => stated.statement.height === statement.height);
    if (earlier !== undefined) {
      if (sameStatement(earlier.statement, statement)) return ok(undefined);
      return refuse("CHECKPOINT_EQUIVOCATION", "A second, different statement of one height.", "peer");
    }
    const final = this.#stores.final();
    if (statement.height <= final.checkpoint)
      return refuse("STATEMENT_TOO_LATE", "A statement of a height that no block can prove any more.", "none");
    return statement.height > final.height ? this.#hold(from, message) : this.#check(from, message);
  }

  /** More is final: what was said of heights up to it is judged now. */
  reached(): void {
    const { final, judgedLate } = this.#stores;
    for (const [member, early] of this.#early.entries()) {
      if (early.length === 0) continue;
      const { height } = final();
      const ripe = early.filter(({ statement }) => statement.height <= height);
      early.splice(0, ripe.length);
      for (const message of ripe) judgedLate(message.member, this.take(member as MemberIndex, message));
    }
  }

  /** The peer is ahead, or makes heights up: only the newest few are kept, and looked at when they are final here. */
  #hold(from: MemberIndex, message: StatementMessage): Result<void> {
    const early = this.#early[from] ?? [];
    insert(early, message);
    if (early.length <= KEPT_MAX) return ok(undefined);
    early.shift();
    return refuse("STATEMENT_TOO_EARLY", `More than ${KEPT_MAX} statements of heights that are not final.`, "peer");
  }

  #check(from: MemberIndex, { statement, signature }: StatementMessage): Result<void> {
    const { cluster, keys, verify } = this.#committee;
    const key = keys[from];
    const now = this.#stores.now();
    if (!this.#checked.has(from, now))
      return refuse("STATEMENTS_TOO_MANY", "More statements than a member that writes checkpoints makes.", "peer");
    this.#checked.spend(from, 1, now);
    if (key === undefined || !verify(key, checkpointBytes(cluster, statement), signature))
      return refuse("BAD_SIGNATURE", "The statement is not signed by its member.", "peer");
    this.#add(from, { statement, signature });
    return ok(undefined);
  }

  /** q equal statements of a height, to be put in a block. */
  proof(height: Height): Checkpoint | undefined {
    return this.#proofs.find(({ statement }) => statement.height === height);
  }

  /**
   * Whether a checkpoint block is valid: of its epoch, about a state above the last checkpoint block that whoever accepts its header has
   * executed, signed by q distinct members. Whether the state is this member's own is not asked: one honest member among them found it.
   */
  isSound({ statement, signers, signatures }: Checkpoint, header: Header): boolean {
    const { epoch, cluster } = this.#committee;
    return (
      statement.epoch === epoch &&
      statement.height > header.lastCheckpoint &&
      statement.height <= header.executed.height &&
      isSignedByQuorum(
        this.#committee,
        checkpointBytes(cluster, statement),
        { signers, signatures },
        (member, signature) => this.#knows(member, statement, signature),
      )
    );
  }

  #knows(member: MemberIndex, statement: CheckpointStatement, signature: Uint8Array): boolean {
    return (
      this.#stated[member]?.some(
        (stated) => sameStatement(stated.statement, statement) && equalBytes(stated.signature, signature),
      ) === true
    );
  }

  #add(member: MemberIndex, stated: Stated): void {
    const kept = this.#stated[member];
    if (kept === undefined || kept.some(({ statement }) => statement.height === stated.statement.height)) return;
    insert(kept, stated);
    if (kept.length > KEPT_MAX) kept.shift();
    this.#prove(stated.statement);
  }

  #prove(statement: CheckpointStatement): void {
    if (this.proof(statement.height) !== undefined) return;
    const { keys } = this.#committee;
    const equal = new Map<MemberIndex, Uint8Array>();
    for (const [member, kept] of this.#stated.entries())
      for (const stated of kept)
        if (sameStatement(stated.statement, statement)) equal.set(member as MemberIndex, stated.signature);
    if (equal.size < quorumOf(keys.length)) return;
    this.#proofs = [...this.#proofs, { statement, ...quorumSigned(keys.length, equal) }].slice(-KEPT_MAX);
    this.#stores.provable(statement.height);
  }
}

/** Oldest height first. */
function insert<S extends { readonly statement: CheckpointStatement }>(into: S[], one: S): void {
  into.push(one);
  into.sort((a, b) => a.statement.height - b.statement.height);
}
