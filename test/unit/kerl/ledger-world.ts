/** A ledger founded by identifiers that live, with the projector's tables beside it. */
import Database from "better-sqlite3";
import { type ProjectedBlock, Projector } from "../../../src/actors/projector/projector.ts";
import { type CommandId, epoch, height, logTime, memberIndex, view } from "../../../src/base/brands.ts";
import { ZERO_DIGEST, concatBytes } from "../../../src/base/bytes.ts";
import { decodeSequence, encode } from "../../../src/base/codec.ts";
import { sha256Digest, signingBytes } from "../../../src/crypto/hash.ts";
import { headerShape } from "../../../src/events/facts/block.ts";
import { bundleBodyShape, bundleShape } from "../../../src/events/facts/bundle.ts";
import { type CommandKind, type KeyStateRef, signedBodyShape, signedShape } from "../../../src/events/facts/command.ts";
import { type Fact, factShape } from "../../../src/events/facts/fact.ts";
import { foundingDocumentShape } from "../../../src/events/facts/founding.ts";
import { graphWriteShape } from "../../../src/events/facts/graph.ts";
import { blockHash, clusterOf } from "../../../src/events/facts/hashing.ts";
import { SignedPool } from "../../../src/host/executor/signed-pool.ts";
import { loadSegments } from "../../../src/projections/checkpoint/checkpoint.ts";
import { decodeSegment } from "../../../src/projections/checkpoint/segment.ts";
import { LiveKerl } from "../../../src/projections/kerl/live-kerl.ts";
import { loadLiveKerl } from "../../../src/projections/kerl/load-live-kerl.ts";
import {
  type ExecutableBlock,
  type ExecutedBlock,
  Ledger,
  type LedgerState,
  emptyLedger,
} from "../../../src/projections/ledger/ledger.ts";
import { LiveGraph } from "../../../src/projections/rebac/live-graph.ts";
import { loadLiveGraph } from "../../../src/projections/rebac/load-live-graph.ts";
import { Key, Life } from "./lives.ts";

/** Who signs: its keys now, under the establishment event that it names. */
export interface Author {
  readonly aid: Life["aid"];
  readonly keyState: KeyStateRef;
  readonly sign: (message: Uint8Array) => readonly { readonly index: number; readonly sig: Uint8Array }[];
}

/** As it stands now: rotations of the life do not change it. */
export const authorOf = (life: Life): Author => {
  const { keys, establishment, aid } = life;
  return {
    aid,
    keyState: establishment,
    sign: (message) => keys.map((key, index) => ({ index, sig: key.sign(message) })),
  };
};

export interface Outcome {
  readonly executed: ExecutedBlock;
  readonly facts: readonly Fact[];
  /** Of facts: their kinds, with codes where there are some. */
  readonly kinds: readonly string[];
}

export class LedgerWorld {
  readonly founders = ["n0", "n1", "n2", "n3"].map((name) => new Life(name));
  readonly operator = new Life("ann");
  readonly admin = new Life("admin");
  readonly client = new Life("client");
  readonly defects: unknown[] = [];
  readonly blocks: ExecutedBlock[] = [];
  db = new Database(":memory:");
  projector: Projector;
  readonly cluster;
  /** The founding document. */
  readonly document: Uint8Array;
  ledger: Ledger;
  /** Between two commands of a block: what the node's other threads do. */
  meanwhile = (): void => {};
  #ids = 0;
  readonly #headers: Uint8Array[] = [];
  readonly #executable: ExecutableBlock[] = [];

  /** `archives`: the past is read from the tables, not kept in memory. */
  constructor(archives = true, others: readonly Life[] = []) {
    const card = ({ aid, inception }: Life) => ({ aid, icp: inception.event });
    const document = encode(foundingDocumentShape, {
      name: "test",
      dev: true,
      founders: this.founders.map((life, i) => ({
        ...card(life),
        name: `n${i}`,
        epochKey: new Key(`epoch ${i}`).publicKey,
        bootKey: new Key(`boot ${i}`).publicKey,
        issuer: new Uint8Array([0]),
        endpoints: { api: "a:1", approach: "a:2", cluster: "a:3", service: "a:4" },
      })),
      operators: [{ ...card(this.operator), name: "ann", hpkeKey: new Key("hpke").publicKey }],
      threshold: 1,
      admins: [card(this.admin)],
      gateways: this.founders.slice(0, 1).map(({ aid }) => aid),
      clients: [this.client, ...others].map(card),
    });
    this.document = document;
    this.cluster = clusterOf(document);
    this.projector = new Projector(this.db);
    const kerl = archives ? loadLiveKerl(this.db, 7) : new LiveKerl();
    this.ledger = this.#open(emptyLedger(this.cluster, new LiveGraph(), kerl));
    this.#execute(0, 0, { kind: "genesis", document });
  }

  #open(state: LedgerState): Ledger {
    const pool = new SignedPool(this.cluster);
    return new Ledger(state, {
      open: (bytes) => pool.open(bytes),
      isSigned: (opened, bytes, keyState) => pool.isSigned(opened, bytes, keyState),
      defect: (error) => this.defects.push(error),
    });
  }

  #execute(at: number, time: number, content: ExecutableBlock["content"]): Outcome {
    const bytes = content.kind === "bundles" ? concatBytes(...content.bundles) : new Uint8Array(0);
    const header = encode(headerShape, {
      height: height(at),
      epoch: epoch(0),
      view: view(at),
      parentView: view(Math.max(0, at - 1)),
      parent: ZERO_DIGEST,
      bodyHash: sha256Digest(bytes),
      logRoot: ZERO_DIGEST,
      lastReconfigure: height(0),
      lastCheckpoint: height(0),
      time: logTime(time),
      executed: { height: height(Math.max(0, at - 1)), root: this.ledger.root },
    });
    this.#headers.push(header);
    const block: ExecutableBlock = { height: height(at), hash: blockHash(header), time: logTime(time), content };
    this.#executable.push(block);
    const executed = this.#run(block);
    this.blocks.push(executed);
    const facts = decodeSequence(factShape, executed.facts);
    if (!facts.ok) throw new Error(facts.refusal.message);
    const kinds = facts.value.map(({ data }) => ("code" in data ? `${data.kind} ${data.code}` : data.kind));
    return { executed, facts: facts.value, kinds };
  }

  #run(block: ExecutableBlock): ExecutedBlock {
    const work = this.ledger.execute(block);
    let step = work.next();
    while (step.done !== true) {
      this.meanwhile();
      step = work.next();
    }
    return step.value;
  }

  /** Applies what was executed to the tables, so many blocks in one batch, and tells the live logs so. */
  project(most = Number.POSITIVE_INFINITY, tells = true): void {
    const body = new Uint8Array([0]);
    const from = this.projector.height + 1;
    const blocks = this.blocks
      .slice(from, from + most)
      .map((block): ProjectedBlock => ({ ...block, block: { header: this.#headers[block.height] ?? body, body } }));
    if (blocks.length > 0) this.projector.apply(blocks);
    if (tells) this.ledger.kerl.archived(this.projector.height);
  }

  /** Goes on from what the tables say, as a node does that starts again. */
  restart(): void {
    this.project();
    this.restartBehind();
  }

  /** The same with tables that lag: what they lack is executed anew, as read from the log. Returns what that made of it. */
  restartBehind(): readonly ExecutedBlock[] {
    const verified = this.projector.verify();
    if (!verified.ok) throw new Error(verified.refusal.message);
    this.ledger = this.#open({
      cluster: this.cluster,
      graph: loadLiveGraph(this.db),
      ...this.projector.ledger.load(7),
    });
    return this.#executable.slice(this.projector.height + 1).map((block) => this.#run(block));
  }

  /** Begins with these segments of a checkpoint, as a node does that catches up, and executes what came after it. */
  restore(segments: Iterable<Uint8Array>): void {
    const opened = [...segments].map((bytes) => {
      const segment = decodeSegment(bytes);
      if (!segment.ok) throw new Error(segment.refusal.message);
      return segment.value;
    });
    this.db.close();
    this.db = new Database(":memory:");
    const loaded = loadSegments(this.db, opened);
    if (!loaded.ok) throw new Error(loaded.refusal.message);
    this.projector = new Projector(this.db);
    this.restartBehind();
  }

  signed(
    author: Author,
    commands: readonly {
      readonly kind: CommandKind;
      readonly payload: Uint8Array;
      readonly id?: number;
      readonly notAfter?: number;
    }[],
    principal: Life["aid"] | null = null,
  ): Uint8Array {
    const body = encode(signedBodyShape, {
      cluster: this.cluster,
      author: author.aid,
      principal,
      keyState: author.keyState,
      commands: commands.map(({ kind, payload, id, notAfter }) => ({
        id: (id ?? ++this.#ids).toString(16).padStart(32, "0") as CommandId,
        kind,
        payload,
        notAfter: logTime(notAfter ?? 3_000_000),
      })),
    });
    return encode(signedShape, { body, signatures: author.sign(signingBytes("signed", this.cluster, body)) });
  }

  /** One command of these messages. */
  append(author: Author, ...messages: readonly Uint8Array[]): Uint8Array {
    return this.signed(author, [{ kind: "kerl.append", payload: concatBytes(...messages) }]);
  }

  write(author: Author, name: string, id?: number): Uint8Array {
    return this.writes(author, [name, id]);
  }

  /** Several commands in one batch, each of which adds a subject. */
  writes(author: Author, ...added: readonly (readonly [name: string, id?: number | undefined])[]): Uint8Array {
    return this.signed(
      author,
      added.map(([name, id]) => {
        const subject = { namespace: "org", name, relation: { namespace: "", name: "" } };
        const payload = encode(graphWriteShape, { changes: [{ kind: "addSubject", subject }], preconditions: [] });
        return { kind: "graph.write" as const, payload, ...(id === undefined ? {} : { id }) };
      }),
    );
  }

  block(...batches: readonly Uint8Array[]): Outcome {
    return this.blockAt(10_001 + this.ledger.height, batches);
  }

  /** Orders what q members said of the block before it. */
  checkpointAt(time: number): Outcome {
    const { height: at, root } = this.ledger;
    const statement = { epoch: epoch(0), height: height(Math.max(0, at)), root, segments: ZERO_DIGEST };
    return this.#execute(at + 1, time, { kind: "checkpoint", statement });
  }

  blockAt(time: number, batches: readonly Uint8Array[]): Outcome {
    const body = encode(bundleBodyShape, {
      cluster: this.cluster,
      epoch: epoch(0),
      member: memberIndex(0),
      signed: batches,
    });
    const bundles = batches.length === 0 ? [] : [encode(bundleShape, { body, signature: new Uint8Array(64) })];
    return this.#execute(this.ledger.height + 1, time, { kind: "bundles", bundles });
  }
}
