/** A log with real signatures of four members, made as a committee would, and a notary over it. */
import { type Digest, type Height, epoch, height, logTime, memberIndex, view } from "../../../src/base/brands.ts";
import { ZERO_DIGEST } from "../../../src/base/bytes.ts";
import { decode, encode } from "../../../src/base/codec.ts";
import { present } from "../../../src/base/errors.ts";
import { verify } from "../../../src/crypto/ed25519.ts";
import { EMPTY_ROOT, MerkleFrontier, inclusionProof, subtreesOf } from "../../../src/crypto/merkle.ts";
import {
  BODY_BYTES_MAX,
  type Certificate,
  type CertificateKind,
  type LogEvent,
  bodyShape,
  headerShape,
} from "../../../src/events/facts/block.ts";
import { bundleBodyShape, bundleShape } from "../../../src/events/facts/bundle.ts";
import type { Electorate } from "../../../src/events/facts/finality.ts";
import { VOTE_OF, blockHash, bodyHash, bundleDigest, voteBytes } from "../../../src/events/facts/hashing.ts";
import { ExecutedLog } from "../../../src/host/proofs/executed-log.ts";
import { Notary, type NotaryProgress } from "../../../src/host/proofs/notary.ts";
import type { ProvableLog, Wanted } from "../../../src/host/proofs/prover.ts";
import { LedgerWorld, authorOf } from "../kerl/ledger-world.ts";
import { Key, Life } from "../kerl/lives.ts";

export interface SealOptions {
  readonly members?: readonly number[];
  readonly kind?: CertificateKind;
  readonly cluster?: Digest;
}

/** The last value of a generator. */
export function ended<T>(work: Generator<unknown, T>): T {
  let step = work.next();
  while (step.done !== true) step = work.next();
  return step.value;
}

export class ProofWorld implements ProvableLog {
  readonly path = "memory";
  readonly ledgers: LedgerWorld;
  readonly keys = [0, 1, 2, 3].map((i) => new Key(`epoch ${i}`));
  readonly chain: LogEvent[] = [];
  readonly #bundles = new Map<Digest, Uint8Array>();
  readonly #roots: Digest[] = [];
  readonly #executed: ExecutedLog;
  #tree = MerkleFrontier.empty;

  /** `name` makes another cluster. */
  constructor(name = "client") {
    this.ledgers = new LedgerWorld(false, name === "client" ? [] : [new Life(name)]);
    this.#executed = new ExecutedLog(this, this.ledgers.cluster);
    this.#genesis();
  }

  get members(): Electorate {
    return {
      cluster: this.ledgers.cluster,
      epoch: epoch(0),
      keys: this.keys.map(({ publicKey }) => publicKey),
      verify,
    };
  }

  get client() {
    return authorOf(this.ledgers.client);
  }

  get admin() {
    return authorOf(this.ledgers.admin);
  }

  head = (): { height: Height; hash: Digest } => {
    const { height: at, hash } = present(this.chain.at(-1), "genesis");
    return { height: at, hash };
  };
  event = (at: Height): LogEvent | undefined => this.chain[at];
  events = (from: Height, { limit }: { readonly limit: number }): readonly LogEvent[] =>
    this.chain.slice(from, from + limit);
  hashAt = (at: Height): Digest | undefined => this.chain[at]?.hash;
  bundle = (digest: Digest) => {
    const bytes = this.#bundles.get(digest);
    return bytes && { digest, bytes };
  };

  #genesis(): void {
    const body = encode(bodyShape, { kind: "genesis", document: this.ledgers.document });
    this.#append(
      body,
      0,
      EMPTY_ROOT,
      ZERO_DIGEST,
      { height: 0, root: ZERO_DIGEST },
      {
        kind: "genesis",
        signatures: new Uint8Array([0]),
      },
    );
  }

  /** A block of these batches; `proven: false` leaves its finality to a later one. */
  block(batches: readonly Uint8Array[] = [], { proven = true, lag = 1 } = {}): Height {
    const bundles = batches.length === 0 ? [] : [this.#bundle(batches)];
    const body = encode(bodyShape, { kind: "executions", bundles });
    const at = this.chain.length;
    const executed = Math.max(0, at - lag);
    const root = present(this.#roots[executed], "executed before");
    this.#append(
      body,
      at,
      this.#tree.root(),
      present(this.chain.at(-1), "genesis").hash,
      { height: executed, root },
      proven ? "seal" : { kind: "none" },
    );
    return height(at);
  }

  #bundle(signed: readonly Uint8Array[]): Digest {
    const body = encode(bundleBodyShape, {
      cluster: this.ledgers.cluster,
      epoch: epoch(0),
      member: memberIndex(0),
      signed,
    });
    const bytes = encode(bundleShape, { body, signature: new Uint8Array(64) });
    this.#bundles.set(bundleDigest(bytes), bytes);
    return bundleDigest(bytes);
  }

  #append(
    body: Uint8Array,
    at: number,
    logRoot: Digest,
    parent: Digest,
    executed: { readonly height: number; readonly root: Digest },
    proof: LogEvent["proof"] | "seal",
  ): void {
    const header = encode(headerShape, {
      height: height(at),
      epoch: epoch(0),
      view: view(at),
      parentView: view(Math.max(0, at - 1)),
      parent,
      bodyHash: bodyHash(body),
      logRoot,
      lastReconfigure: height(0),
      lastCheckpoint: height(0),
      time: logTime(at === 0 ? 0 : 1_000 + at),
      executed: { height: height(executed.height), root: executed.root },
    });
    const hash = blockHash(header);
    const sealed = proof === "seal" ? this.finalization(at, hash) : proof;
    this.chain.push({ height: height(at), hash, block: { header, body }, proof: sealed });
    this.#tree = this.#tree.appended(hash);
    this.#roots.push(ended(this.#executed.next()).root);
  }

  /** Signatures of members, the first three unless told otherwise, under the bitmap of as many. */
  finalization(
    at: number,
    hash: Digest,
    options: SealOptions = {},
  ): Extract<LogEvent["proof"], { kind: "finalization" }> {
    const { members = [0, 1, 2], kind = "finalization", cluster = this.ledgers.cluster } = options;
    const message = voteBytes(cluster, VOTE_OF[kind], epoch(0), view(at), hash);
    const certificate: Certificate = {
      kind,
      epoch: epoch(0),
      view: view(at),
      blockHash: hash,
      signers: Uint8Array.of(members.reduce((bits, member) => bits | (1 << member), 0)),
      signatures: members.map((member) => present(this.keys[member], "a member").sign(message)),
    };
    return { kind: "finalization", certificate, headers: [] };
  }

  /** Bundles that a block names, in its order. */
  bundlesOf({ block }: LogEvent): readonly Uint8Array[] {
    const body = decode(bodyShape, block.body, BODY_BYTES_MAX);
    const named = body.ok && body.value.kind === "executions" ? body.value.bundles : [];
    return named.map((digest) => present(this.#bundles.get(digest), "a bundle"));
  }

  /** The Merkle path from a block to the root of a head. */
  pathTo(at: Height, head: number): readonly Digest[] {
    return inclusionProof(
      subtreesOf((index) => present(this.hashAt(height(index)), "a block")),
      at,
      head,
    );
  }

  /** A notary's answer. */
  prove(wanted: Wanted, progress: NotaryProgress[] = []) {
    const notary = new Notary(this, this.members);
    const work = notary.prove(wanted);
    let step = work.next();
    for (; step.done !== true; step = work.next()) progress.push(step.value);
    notary.close();
    return step.value;
  }

  /** A proof that there is. */
  file(wanted: Wanted): Uint8Array {
    const proof = this.prove(wanted);
    if (!proof.ok) throw new Error(`${proof.refusal.code}: ${proof.refusal.message}`);
    return proof.value;
  }
}
