/**
 * Judges events one after the other, from genesis: bytes, hashes, links, bundles, certificates and checkpoints. Nothing is trusted but the
 * signatures under the founding document; what commands do and which roots follow is judged by execution (execution.ts).
 */
import type { Digest, Height } from "../../src/base/brands.ts";
import { epoch, height as heightOf } from "../../src/base/brands.ts";
import { equalBytes } from "../../src/base/bytes.ts";
import { decode, encode } from "../../src/base/codec.ts";
import { verify } from "../../src/crypto/ed25519.ts";
import { MerkleFrontier } from "../../src/crypto/merkle.ts";
import { type OpenedBlock, finalOf, openBlock, summaryOf } from "../../src/actors/consensus/blocks.ts";
import { BLOCK_BUNDLE_BYTES_MAX, isBundleSigned, openBundle } from "../../src/actors/consensus/bundles.ts";
import {
  BODY_BYTES_MAX,
  type Body,
  type FinalityProof,
  HEADER_BYTES_MAX,
  type Header,
  type LogEvent,
  bodyShape,
  finalityProofShape,
  headerShape,
} from "../../src/events/facts/block.ts";
import { checkpointBytes } from "../../src/events/facts/checkpoint.ts";
import { type Electorate, finalises, isSignedByQuorum } from "../../src/events/facts/finality.ts";
import { foundingSignatureListShape, signedFoundingShape } from "../../src/events/facts/founding.ts";
import { blockHash, bundleDigest, genesisEvent } from "../../src/events/facts/hashing.ts";
import { PROOF_BYTES_MAX } from "../../src/events/store/event-table.ts";
import { type Founding, openFounding } from "../../src/host/founding/document.ts";
import { headerDefect } from "../../src/machines/consensus/ancestry.ts";
import { type FailureCode, ReplayFailure, type Where } from "./failure.ts";
import type { SourceBundle, SourceEvent } from "./source.ts";

/** An event that holds, as far as it can be said without executing it. */
export interface CheckedBlock {
  readonly event: LogEvent;
  readonly header: Header;
  readonly body: Body;
  /** Bundles that the body names, in its order. */
  readonly bundles: readonly Uint8Array[];
}

/** What an event names that lies beside it. */
export interface OpenedEvent {
  readonly opened: OpenedBlock;
  readonly proof: FinalityProof;
  readonly body: Body;
}

const fail = (code: FailureCode, height: number, where: Where, reason: string): never => {
  throw new ReplayFailure(code, height, where, reason);
};

export class Chain {
  #parent: OpenedBlock | undefined;
  #tree = MerkleFrontier.empty;
  #founding: Founding | undefined;
  #electorate: Electorate | undefined;
  /** First height whose finality nothing read so far proves. */
  #unproven: Height | undefined;

  /** The cluster that genesis founds; undefined before it is read. */
  get founding(): Founding | undefined {
    return this.#founding;
  }

  get next(): Height {
    return heightOf(this.#tree.size);
  }

  get unproven(): Height | undefined {
    return this.#unproven;
  }

  /** Judges the next event's own bytes, and that it follows the one before. Throws: ReplayFailure. */
  open(event: SourceEvent): OpenedEvent {
    const at = this.next;
    if (event.height !== at) {
      const reason =
        event.height > at ? `the event is missing; the next one stands at ${event.height}` : "it stands there twice";
      fail("EVENT_MISSING", at, { part: "event" }, reason);
    }
    const header = decode(headerShape, event.header, HEADER_BYTES_MAX);
    if (!header.ok)
      return fail("HEADER_INVALID", at, { part: "header" }, `it cannot be read (${header.refusal.message})`);
    if (event.hash !== undefined && !equalBytes(event.hash, digestBytesOf(event.header)))
      fail("HEADER_INVALID", at, { part: "header" }, "it does not hash to the hash that stands beside it");
    if (event.time !== undefined && event.time !== header.value.time)
      fail("RECORD_DIFFERS", at, { part: "record" }, "the time beside the header is another");
    if (event.misplaced !== undefined) fail("RECORD_DIFFERS", at, { part: "record" }, event.misplaced);
    const body = decode(bodyShape, event.body, BODY_BYTES_MAX);
    const opened = openBlock({ header: event.header, body: event.body });
    if (!opened.ok) return fail("BODY_INVALID", at, { part: "body" }, clause(opened.refusal.message));
    if (!body.ok) return fail("BODY_INVALID", at, { part: "body" }, clause(body.refusal.message));
    const proof = decode(finalityProofShape, event.proof, PROOF_BYTES_MAX);
    if (!proof.ok) return fail("PROOF_INVALID", at, { part: "proof" }, `it cannot be read (${proof.refusal.message})`);
    if (this.#parent !== undefined) this.#follow(opened.value, this.#parent);
    return { opened: opened.value, proof: proof.value, body: body.value };
  }

  /** Takes the next event, judged with what it names. Throws: ReplayFailure. */
  extend({ opened, proof, body }: OpenedEvent, bundles: readonly (SourceBundle | undefined)[]): CheckedBlock {
    const at = this.next;
    if (this.#parent === undefined) this.#found(opened, proof, body);
    const bytes = this.#bundles(at, opened.bundles, bundles);
    this.#checkpoint(at, opened);
    this.#prove(at, opened.hash, proof);
    this.#parent = opened;
    this.#tree = this.#tree.appended(opened.hash);
    const event = { height: at, hash: opened.hash, block: opened.block, proof };
    return { event, header: opened.header, body, bundles: bytes };
  }

  #found({ hash }: OpenedBlock, proof: FinalityProof, body: Body): void {
    if (body.kind !== "genesis" || proof.kind !== "genesis")
      return fail("GENESIS_INVALID", 0, { part: "proof" }, "it carries no signatures of founders and operators");
    const signatures = decode(foundingSignatureListShape, proof.signatures, BODY_BYTES_MAX);
    if (!signatures.ok)
      return fail(
        "GENESIS_INVALID",
        0,
        { part: "proof" },
        `the signatures cannot be read (${signatures.refusal.message})`,
      );
    const signed = { document: body.document, signatures: signatures.value };
    const founding = openFounding(encode(signedFoundingShape, signed));
    if (!founding.ok) return fail("GENESIS_INVALID", 0, { part: "proof" }, clause(founding.refusal.message));
    if (genesisEvent(signed).hash !== hash)
      return fail(
        "GENESIS_INVALID",
        0,
        { part: "header" },
        "it is not the header that follows from the founding document",
      );
    const { cluster, document } = founding.value;
    this.#founding = founding.value;
    this.#electorate = {
      cluster,
      epoch: epoch(0),
      keys: document.founders.map(({ epochKey }) => epochKey),
      verify,
    };
  }

  #follow(opened: OpenedBlock, parent: OpenedBlock): void {
    const { header } = opened;
    const at = this.next;
    const broken = (reason: string): never => fail("CHAIN_BROKEN", at, { part: "header" }, reason);
    if (header.height !== at) broken(`it says height ${header.height}`);
    if (header.parent !== parent.hash) broken("it names another parent than the event before it");
    if (header.logRoot !== this.#tree.root()) broken("its logRoot is not the root of the blocks before it");
    if (header.epoch !== this.#committee.epoch) broken(`it is of epoch ${header.epoch}, which nothing began`);
    if (header.parentView !== parent.header.view) broken("it names another view for its parent");
    if (header.view <= parent.header.view) broken("its view is not above its parent's");
    if (header.lastReconfigure !== 0) broken("it names a reconfigure block that there is not");
    const defect = headerDefect(summaryOf(opened), finalOf(parent));
    if (defect !== undefined) broken(defect);
  }

  #bundles(at: Height, named: readonly Digest[], given: readonly (SourceBundle | undefined)[]): readonly Uint8Array[] {
    if (new Set(named).size !== named.length) fail("BODY_INVALID", at, { part: "body" }, "it names a bundle twice");
    let size = 0;
    return named.map((digest, i) => {
      const where = { part: "bundle", digest } as const;
      const bytes = given[i]?.bytes;
      if (bytes === undefined) return fail("BUNDLE_MISSING", at, where, "the body names it, and it is not there");
      if (bundleDigest(bytes) !== digest)
        fail("BUNDLE_INVALID", at, where, "it does not hash to the digest that the body names");
      const opened = openBundle(this.#committee, bytes);
      if (!opened.ok) return fail("BUNDLE_INVALID", at, where, clause(opened.refusal.message));
      if (!isBundleSigned(this.#committee, opened.value))
        fail(
          "BUNDLE_INVALID",
          at,
          where,
          `it is not signed by member ${opened.value.member}, who is said to have made it`,
        );
      size += bytes.length;
      if (size > BLOCK_BUNDLE_BYTES_MAX)
        fail("BODY_INVALID", at, { part: "body" }, "its bundles exceed the bound of a block");
      return bytes;
    });
  }

  #checkpoint(at: Height, { checkpoint, header }: OpenedBlock): void {
    if (checkpoint === null) return;
    const { statement } = checkpoint;
    const wrong = (reason: string): never => fail("CHECKPOINT_INVALID", at, { part: "body" }, reason);
    if (statement.epoch !== this.#committee.epoch) wrong("its statement is of another epoch");
    if (statement.height <= header.lastCheckpoint)
      wrong("its statement is not of a later height than the checkpoint before it");
    if (statement.height > header.executed.height) wrong("its statement is of a height that was not executed");
    const message = checkpointBytes(this.#committee.cluster, statement);
    if (!isSignedByQuorum(this.#committee, message, checkpoint))
      wrong("its statement is not signed by a quorum of distinct members");
  }

  #prove(at: Height, hash: Digest, proof: FinalityProof): void {
    const where = { part: "proof" } as const;
    switch (proof.kind) {
      case "genesis":
        if (at !== 0) fail("PROOF_INVALID", at, where, "only genesis is proven by the founding document's signatures");
        return;
      case "none":
        this.#unproven ??= at;
        return;
      case "finalization":
        if (!finalises(this.#committee, hash, proof))
          fail(
            "PROOF_INVALID",
            at,
            where,
            "it is no finalization of this block, or of a descendant, by a quorum of distinct members",
          );
        this.#unproven = undefined;
    }
  }

  get #committee(): Electorate {
    return this.#electorate ?? fail("GENESIS_INVALID", 0, { part: "event" }, "it is missing");
  }
}

const digestBytesOf = (header: Uint8Array): Uint8Array => Buffer.from(blockHash(header), "hex");

/** A refusal's sentence without its full stop: positions and reasons are joined to one. */
export const clause = (sentence: string): string => sentence.replace(/\.$/, "");
