/** What members say of the state at checkpoint heights: q equal signed statements make a checkpoint block (consensus.md, "Checkpoint"). */
import type { Height, MemberIndex } from "../../base/brands.ts";
import { equalBytes } from "../../base/bytes.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import type { Checkpoint, Header } from "../../events/facts/block.ts";
import { type CheckpointStatement, checkpointBytes, sameStatement } from "../../events/facts/checkpoint.ts";
import type { PeerMessage } from "../../events/facts/peer-message.ts";
import { quorumOf } from "../../machines/consensus/committee.ts";
import type { Committee, ConsensusPorts } from "./ports.ts";
import { isSignedByQuorum, quorumSigned } from "./signatures.ts";

/** Heights that a member's statements are kept for, the newest: members reach a checkpoint at different times, not this far apart. */
const KEPT_MAX = 4;

interface Stated {
  readonly statement: CheckpointStatement;
  readonly signature: Uint8Array;
}

export type StatementMessage = Extract<PeerMessage, { kind: "statement" }>;

export class Statements {
  readonly #committee: Committee;
  readonly #sign: ConsensusPorts["sign"];
  readonly #said: (message: StatementMessage) => void;
  readonly #provable: (height: Height) => void;
  /** By member, oldest height first; the first statement of a height stays. */
  readonly #stated: Stated[][];
  /** The newest statements that q members signed, oldest first. */
  #proofs: Checkpoint[] = [];

  /** `said` takes one's own signed statement, `provable` each height for which q equal ones are held. */
  constructor(
    committee: Committee,
    sign: ConsensusPorts["sign"],
    said: (message: StatementMessage) => void,
    provable: (height: Height) => void,
  ) {
    this.#committee = committee;
    this.#sign = sign;
    this.#said = said;
    this.#provable = provable;
    this.#stated = committee.keys.map(() => []);
  }

  /** This member's projector wrote the state's segments: says so, signed. */
  state(statement: CheckpointStatement): void {
    const { cluster, self } = this.#committee;
    this.#sign(checkpointBytes(cluster, statement), (signature) => {
      this.#add(self, { statement, signature });
      this.#said({ kind: "statement", statement, member: self, signature });
    });
  }

  /** What a peer that just connected has not heard: this member's newest statement. */
  own(): StatementMessage | undefined {
    const { self } = this.#committee;
    const newest = this.#stated[self]?.at(-1);
    return newest === undefined ? undefined : { kind: "statement", member: self, ...newest };
  }

  /** Refuses: FOREIGN_STATEMENT, CHECKPOINT_EQUIVOCATION, BAD_SIGNATURE. */
  take(from: MemberIndex, { statement, member, signature }: StatementMessage): Result<void> {
    const { epoch, cluster, keys, verify } = this.#committee;
    const key = keys[from];
    if (member !== from || key === undefined || statement.epoch !== epoch)
      return refuse("FOREIGN_STATEMENT", "A checkpoint statement of another member or epoch.", "peer");
    const earlier = this.#stated[from]?.find((stated) => stated.statement.height === statement.height);
    if (earlier !== undefined) {
      if (sameStatement(earlier.statement, statement)) return ok(undefined);
      return refuse("CHECKPOINT_EQUIVOCATION", "A second, different statement of one height.", "peer");
    }
    if (!verify(key, checkpointBytes(cluster, statement), signature))
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
    kept.push(stated);
    kept.sort((a, b) => a.statement.height - b.statement.height);
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
    this.#provable(statement.height);
  }
}
