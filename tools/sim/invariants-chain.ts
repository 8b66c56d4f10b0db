/**
 * What every final block must be, whoever proposed it and whatever members forgot to judge: rule 3's "valid", seen from the log's end,
 * and that a member's disk holds what it votes for and what it appends.
 */
import type { Digest } from "../../src/base/brands.ts";
import { decode } from "../../src/base/codec.ts";
import { MerkleFrontier } from "../../src/crypto/merkle.ts";
import {
  BODY_BYTES_MAX,
  HEADER_BYTES_MAX,
  type Header,
  type LogEvent,
  bodyShape,
  headerShape,
} from "../../src/events/facts/block.ts";
import { bodyHash } from "../../src/events/facts/hashing.ts";
import type { LogBatch } from "../../src/events/store/log-batch.ts";
import { type CheckpointInvariants, type Ordered, orderedAfter } from "./invariants-checkpoints.ts";
import { Violation } from "./violation.ts";

/** How far a block's time may be ahead of those that notarized it (consensus.md, Time), and by how much their timers err. Units: ms. */
const CLOCK_AHEAD_MAX_MS = 500 + 1500;

interface Final {
  readonly hash: Digest;
  readonly header: Header;
  /** Tree over the log up to this block. */
  readonly tree: MerkleFrontier;
  readonly ordered: Ordered;
}

const NONE_ORDERED: Ordered = { block: 0, of: 0 };

/** What one disk of a member has been given. */
interface Given {
  readonly candidates: Set<string>;
  readonly bundles: Set<string>;
}

export interface ChainQuestions {
  /** Members of the cluster. */
  readonly size: number;
  /** Whether the member that a bundle names signed it. */
  readonly isMade: (bundle: Uint8Array) => boolean;
  readonly checkpoints: CheckpointInvariants;
  /** Root that honest members found at a height; undefined while none has executed it. */
  readonly root: (height: number) => Digest | undefined;
  /** The latest that any honest member's clock has said when it voted. Units: ms since 1970. */
  readonly latestClock: () => number;
}

export class ChainInvariants {
  readonly #questions: ChainQuestions;
  readonly #final: Final[] = [];
  /** By the identity of whatever stands for one disk. */
  readonly #given = new WeakMap<object, Given>();

  constructor(questions: ChainQuestions) {
    this.#questions = questions;
  }

  /** A member's batch is durable. `disk` is the same object as long as the member has this disk. */
  written(name: string, disk: object, batch: LogBatch): void {
    const given = this.#givenOf(disk);
    for (const { hash } of batch.candidates ?? []) given.candidates.add(hash);
    for (const { digest } of batch.bundles ?? []) given.bundles.add(digest);
    this.#judgeVotes(name, batch, given);
    const events = batch.append?.events ?? [];
    for (const event of events) {
      if (this.#final[event.height] === undefined) this.#append(name, event, batch.bundles ?? []);
      this.#judgeBundles("disks hold what is final", name, event.block.body, given);
    }
    const last = events.at(-1);
    if (last !== undefined && last.height > 0) this.#judgeProof(name, last);
  }

  /** Before a notarize vote the block is there, and every bundle that it names. */
  #judgeVotes(name: string, { journal, candidates }: LogBatch, given: Given): void {
    for (const { kind, key, view, epoch } of journal ?? []) {
      const [vote, hash = ""] = key.split("/");
      if (epoch === 0 && kind === "vote" && vote === "notarize" && !given.candidates.has(hash))
        this.#broken(
          "disks hold what is voted for",
          `${name} notarized ${hash} of view ${view}, which it does not hold`,
        );
    }
    for (const { block } of candidates ?? [])
      this.#judgeBundles("disks hold what is voted for", name, block.body, given);
  }

  #judgeBundles(invariant: string, name: string, body: Uint8Array, given: Given): void {
    for (const digest of bundlesOf(body))
      if (!given.bundles.has(digest)) this.#broken(invariant, `${name} keeps a block without its bundle ${digest}`);
  }

  /** Bundles that peers gave for blocks in the log. */
  given(disk: object, bundles: readonly { readonly digest: Digest }[]): void {
    const given = this.#givenOf(disk);
    for (const { digest } of bundles) given.bundles.add(digest);
  }

  #givenOf(disk: object): Given {
    let given = this.#given.get(disk);
    if (given === undefined) {
      given = { candidates: new Set(), bundles: new Set() };
      this.#given.set(disk, given);
    }
    return given;
  }

  #broken(invariant: string, message: string): never {
    throw new Violation(invariant, message);
  }

  /** Written out, not asked of the product: it is what is judged here. */
  get #quorum(): number {
    const { size } = this.#questions;
    return size - Math.floor((size - 1) / 3);
  }

  /** A batch ends with a finalization of its last block, by q members. */
  #judgeProof(name: string, { height, proof, hash }: LogEvent): void {
    const quorum = this.#quorum;
    if (proof.kind !== "finalization") this.#broken("final blocks are proven", `${name}: ${height} has no proof`);
    const { kind, signers, blockHash } = proof.certificate;
    const count = signers.reduce((sum, byte) => sum + bitsOf(byte), 0);
    const finalises = kind === "finalization" && (blockHash === hash || proof.headers.length > 0);
    if (count < quorum || !finalises)
      this.#broken("final blocks are proven", `${name}: ${height} has a ${kind} of ${count} members, of ${blockHash}`);
  }

  /** The first member to append a height shows what is there. */
  #append(name: string, { height, hash, block }: LogEvent, given: NonNullable<LogBatch["bundles"]>): void {
    const header = decode(headerShape, block.header, HEADER_BYTES_MAX);
    if (!header.ok) this.#broken("final blocks are valid", `${name}: header ${height}: ${header.refusal.message}`);
    const parent = this.#final[height - 1];
    const tree = parent === undefined ? MerkleFrontier.empty : parent.tree;
    const defect =
      height === 0
        ? undefined
        : parent === undefined
          ? "nothing before it"
          : (this.#defect(header.value, parent, block.body) ??
            this.#questions.checkpoints.defect(header.value, block.body, parent.ordered, this.#quorum));
    if (defect !== undefined) this.#broken("final blocks are valid", `${name}: block ${height}: ${defect}`);
    const bundles = bundlesOf(block.body);
    if (new Set(bundles).size !== bundles.length)
      this.#broken("final blocks are valid", `${name}: block ${height} names a bundle twice`);
    for (const { digest, bytes } of given)
      if (bundles.includes(digest) && !this.#questions.isMade(bytes))
        this.#broken(
          "final blocks are valid",
          `${name}: block ${height} orders bundle ${digest}, which its member did not sign`,
        );
    const ordered = orderedAfter(parent?.ordered ?? NONE_ORDERED, height, block.body);
    this.#final[height] = { hash, header: header.value, tree: tree.appended(hash), ordered };
  }

  #defect(header: Header, { hash, header: parent, tree }: Final, body: Uint8Array): string | undefined {
    const { executed } = header;
    if (header.parent !== hash || header.height !== parent.height + 1) return "it does not follow its parent";
    if (header.parentView !== parent.view || header.view <= parent.view) return "its views do not follow its parent's";
    if (header.bodyHash !== bodyHash(body)) return "its body is another";
    if (header.logRoot !== tree.root()) return "its logRoot is not the tree over the log before it";
    if (header.time <= parent.time) return "its time does not grow";
    if (header.time > this.#questions.latestClock() + CLOCK_AHEAD_MAX_MS) return "its time is ahead of every clock";
    if (executed.height < parent.executed.height) return "its executed height falls";
    if (executed.height > parent.height) return "it claims execution of a block that is not its ancestor";
    const root = this.#questions.root(executed.height);
    return root === executed.root ? undefined : `its root of height ${executed.height} is not ${root ?? "known yet"}`;
  }
}

const bitsOf = (byte: number): number => {
  let bits = 0;
  for (let left = byte; left > 0; left >>= 1) bits += left & 1;
  return bits;
};

function bundlesOf(bytes: Uint8Array): readonly Digest[] {
  const body = decode(bodyShape, bytes, BODY_BYTES_MAX);
  return body.ok && body.value.kind === "executions" ? body.value.bundles : [];
}
