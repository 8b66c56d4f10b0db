/**
 * Writes logs as a cluster of four would, without running one: real founding document, batches, bundles, executed roots, certificates and
 * checkpoints, all signed with Ed25519. For tests that damage logs, and for measurements. One seed gives one log, to the byte.
 */
import {
  type CommandId,
  type Digest,
  type MemberIndex,
  epoch,
  height,
  logTime,
  memberIndex,
  view,
} from "../../src/base/brands.ts";
import { encode } from "../../src/base/codec.ts";
import { present } from "../../src/base/errors.ts";
import { signingBytes } from "../../src/crypto/hash.ts";
import { MerkleFrontier } from "../../src/crypto/merkle.ts";
import {
  type Body,
  type Certificate,
  type FinalityProof,
  type Header,
  type LogEvent,
  bodyShape,
  headerShape,
} from "../../src/events/facts/block.ts";
import { bundleBodyShape, bundleShape } from "../../src/events/facts/bundle.ts";
import { type CheckpointStatement, checkpointBytes } from "../../src/events/facts/checkpoint.ts";
import { type Command, signedBodyShape, signedShape } from "../../src/events/facts/command.ts";
import { type GraphChange, graphWriteShape } from "../../src/events/facts/graph.ts";
import { VOTE_OF, blockHash, bodyHash, bundleDigest, voteBytes } from "../../src/events/facts/hashing.ts";
import type { LogHashing } from "../../src/events/store/damage.ts";
import type { StoredBundle } from "../../src/events/store/log-batch.ts";
import { type LogDatabase, openLogDatabase } from "../../src/events/store/log-database.ts";
import { quorumOf } from "../../src/base/quorum.ts";
import { foundingOf, keyOfMember, type SimulatedFounding } from "../sim/founding.ts";
import { Execution } from "./execution.ts";

const hashing: LogHashing = { header: blockHash, body: bodyHash, bundle: bundleDigest };
const MEMBERS = 4;
/** Log time of the first block. Units: ms since 1970. */
const BEGAN_MS = 1_760_000_000_000;

/** Which certificate makes a block final: its own, or that of a later one. */
export type Proving = "own" | "later";

export interface MadeBlock {
  readonly event: LogEvent;
  readonly header: Header;
  readonly bundles: readonly StoredBundle[];
  /** What it did: facts' encodings, one after the other. */
  readonly facts: Uint8Array;
}

export class MadeLog {
  readonly founding: SimulatedFounding = foundingOf(MEMBERS);
  readonly #execution: Execution;
  #tree = MerkleFrontier.empty;
  #last: MadeBlock | undefined;
  #lastCheckpoint = height(0);
  #ids = 0;
  /** Log time of the next block, at least. */
  #earliest = BEGAN_MS;

  constructor() {
    this.#execution = new Execution(this.founding.cluster);
  }

  get cluster(): Digest {
    return this.founding.cluster;
  }

  get root(): Digest {
    return this.#execution.ledger.root;
  }

  /** Log time of the newest block. Units: ms. */
  get time(): number {
    return this.#time();
  }

  /** Log time passes until then. Units: ms since 1970. */
  passUntil(time: number): void {
    this.#earliest = time;
  }

  /** The founding document's block. */
  genesis(): MadeBlock {
    const body: Body = { kind: "genesis", document: this.founding.document };
    const { genesis } = this.founding;
    return this.#take(genesis, { ...this.#header(), bodyHash: bodyHash(genesis.block.body) }, body, []);
  }

  /** A command of the founding's client, of these changes. */
  command(changes: readonly GraphChange[], lifeMs = 60_000): Command {
    this.#ids += 1;
    return {
      id: this.#ids.toString(16).padStart(32, "0") as CommandId,
      kind: "graph.write",
      payload: encode(graphWriteShape, { changes, preconditions: [] }),
      notAfter: logTime(this.#time() + lifeMs),
    };
  }

  /** A batch that the founding's client signed. */
  batch(commands: readonly Command[]): Uint8Array {
    const { client, keys, cluster } = this.founding;
    const body = encode(signedBodyShape, {
      cluster,
      author: client.aid,
      principal: null,
      keyState: client.keyState,
      commands,
    });
    const sig = keys.signerOf(client.key)(signingBytes("signed", cluster, body));
    return encode(signedShape, { body, signatures: [{ index: 0, sig }] });
  }

  /** A bundle of these batches that a member made. */
  bundle(signed: readonly Uint8Array[], member: MemberIndex = memberIndex(0), signer = member): StoredBundle {
    const body = encode(bundleBodyShape, { cluster: this.cluster, epoch: epoch(0), member, signed });
    const signature = this.#sign(signer, signingBytes("bundle", this.cluster, body));
    const bytes = encode(bundleShape, { body, signature });
    return { digest: bundleDigest(bytes), bytes };
  }

  /** The next block, of these bundles; `forged` are fields of its header that no honest quorum would sign. */
  executions(bundles: readonly StoredBundle[], proving: Proving = "own", forged: Partial<Header> = {}): MadeBlock {
    return this.#next({ kind: "executions", bundles: bundles.map(({ digest }) => digest) }, bundles, proving, forged);
  }

  /** A checkpoint block about the newest height; signed by the lowest members, as many as it is told. */
  checkpoint(statement: Partial<CheckpointStatement> = {}, signers = quorumOf(MEMBERS)): MadeBlock {
    const at = present(this.#last, "genesis comes first").header;
    const said = { epoch: epoch(0), height: at.height, root: this.root, segments: at.logRoot, ...statement };
    const message = checkpointBytes(this.cluster, said);
    const signed = lowest(signers, (member) => this.#sign(member, message));
    return this.#next({ kind: "checkpoint", checkpoint: { statement: said, ...signed } }, [], "own");
  }

  /** A certificate of a block, by the lowest members, as many as it is told. */
  certificate(
    event: Pick<LogEvent, "hash">,
    inView: number,
    kind: Certificate["kind"] = "finalization",
    signers = quorumOf(MEMBERS),
  ): Certificate {
    const message = voteBytes(this.cluster, VOTE_OF[kind], epoch(0), view(inView), event.hash);
    return {
      kind,
      epoch: epoch(0),
      view: view(inView),
      blockHash: event.hash,
      ...lowest(signers, (member) => this.#sign(member, message)),
    };
  }

  #next(body: Body, bundles: readonly StoredBundle[], proving: Proving, forged: Partial<Header> = {}): MadeBlock {
    const bytes = encode(bodyShape, body);
    const header: Header = { ...this.#header(), bodyHash: bodyHash(bytes), ...forged };
    const encoded = encode(headerShape, header);
    const hash = blockHash(encoded);
    const proof: FinalityProof =
      proving === "later"
        ? { kind: "none" }
        : { kind: "finalization", certificate: this.certificate({ hash }, header.view), headers: [] };
    const event: LogEvent = { height: header.height, hash, block: { header: encoded, body: bytes }, proof };
    return this.#take(event, header, body, bundles);
  }

  #take(event: LogEvent, header: Header, body: Body, bundles: readonly StoredBundle[]): MadeBlock {
    const { factBytes } = this.#execution.run({ event, header, body, bundles: bundles.map(({ bytes }) => bytes) });
    this.#tree = this.#tree.appended(event.hash);
    if (body.kind === "checkpoint") this.#lastCheckpoint = header.height;
    this.#last = { event, header, bundles, facts: factBytes };
    return this.#last;
  }

  /** What the next header says, but for its body. */
  #header(): Omit<Header, "bodyHash"> {
    const before = this.#last;
    const at = height(this.#tree.size);
    return {
      height: at,
      epoch: epoch(0),
      view: view(at),
      parentView: view(before?.header.view ?? 0),
      parent: before?.event.hash ?? ("0".repeat(64) as Digest),
      logRoot: this.#tree.root(),
      lastReconfigure: height(0),
      lastCheckpoint: this.#lastCheckpoint,
      time: logTime(at === 0 ? 0 : this.#time() + 1),
      executed: { height: height(Math.max(0, at - 1)), root: at === 0 ? ("0".repeat(64) as Digest) : this.root },
    };
  }

  #time(): number {
    return Math.max(this.#earliest, this.#last?.header.time ?? 0);
  }

  #sign(member: MemberIndex, message: Uint8Array): Uint8Array {
    return this.founding.keys.signerOf(keyOfMember(this.founding, member))(message);
  }
}

function lowest(count: number, sign: (member: MemberIndex) => Uint8Array) {
  const members = Array.from({ length: count }, (_, i) => memberIndex(i));
  const signers = new Uint8Array(Math.ceil(MEMBERS / 8));
  for (const member of members) signers[member >> 3] = (signers[member >> 3] ?? 0) | (1 << (member & 7));
  return { signers, signatures: members.map(sign) };
}

/** Writes blocks as a node's consensus worker does. */
export function appendTo(log: LogDatabase, { event, bundles }: MadeBlock, root: Digest): void {
  log.commit({
    bundles,
    append: { expected: event.height, events: [event] },
    bundleHeights: bundles.map(({ digest }) => ({ digest, height: event.height })),
    executed: [{ height: event.height, root }],
  });
}

export const openMadeLog = (path: string): LogDatabase => openLogDatabase(path, hashing);
