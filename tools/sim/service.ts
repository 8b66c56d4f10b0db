/**
 * The host thread of a simulated node: executes final blocks with the real ledger, folds their facts into the projector's tables, and
 * answers clients. What the node's own host does with workers and promises (src/host/executor), in virtual time.
 */
import Database from "better-sqlite3";
import type { Aid, CommandId, Digest, Height, LogTime, Said } from "../../src/base/brands.ts";
import { height as heightOf, logTime } from "../../src/base/brands.ts";
import { decode } from "../../src/base/codec.ts";
import { Fault, assert } from "../../src/base/errors.ts";
import { signingBytes } from "../../src/crypto/hash.ts";
import type { Delivery } from "../../src/actors/consensus/ports.ts";
import type { Projector } from "../../src/actors/projector/projector.ts";
import { BODY_BYTES_MAX, HEADER_BYTES_MAX, bodyShape, headerShape } from "../../src/events/facts/block.ts";
import { SIGNED_BYTES_MAX, signedShape } from "../../src/events/facts/command.ts";
import type { GraphNode } from "../../src/events/facts/graph.ts";
import { commandDigest } from "../../src/events/facts/hashing.ts";
import { SignedPool } from "../../src/host/executor/signed-pool.ts";
import { LiveKerl } from "../../src/projections/kerl/live-kerl.ts";
import { loadLiveKerl } from "../../src/projections/kerl/load-live-kerl.ts";
import { loadSegments } from "../../src/projections/checkpoint/checkpoint.ts";
import { type Segment, decodeSegment } from "../../src/projections/checkpoint/segment.ts";
import type { SettledCommand } from "../../src/projections/ledger/duplicates.ts";
import {
  type ExecutableBlock,
  type ExecutedBlock,
  Ledger,
  type LedgerPorts,
  emptyLedger,
} from "../../src/projections/ledger/ledger.ts";
import { mayWrite } from "../../src/projections/ledger/policy.ts";
import { LiveGraph } from "../../src/projections/rebac/live-graph.ts";
import { loadLiveGraph } from "../../src/projections/rebac/load-live-graph.ts";
import type { Checkpointing } from "./checkpoint-store.ts";
import { Folding, type WritesCheckpoints } from "./folding.ts";
import type { Random } from "./random.ts";
import type { Scheme } from "./scheme.ts";
import { contentOf } from "../../src/projections/ledger/content.ts";

/** The projection database of a member: it outlives the process, but for what was not applied yet. */
export class Projection {
  readonly db = new Database(":memory:");

  /** Fills empty tables with the state of a checkpoint. Throws: Fault CHECKPOINT_DAMAGED, CHECKPOINT_UNREADABLE. */
  fill(store: Checkpointing, height: Height): { readonly height: Height; readonly root: Digest } {
    const loaded = this.db.transaction(() => loadSegments(this.db, segmentsIn(store.read(height))))();
    if (!loaded.ok) throw new Fault(loaded.refusal.code, loaded.refusal.message);
    return loaded.value;
  }

  close(): void {
    this.db.close();
  }
}

function* segmentsIn(bytes: Iterable<Uint8Array>): Generator<Segment> {
  for (const one of bytes) {
    const segment = decodeSegment(one);
    if (!segment.ok) throw new Fault("CHECKPOINT_UNREADABLE", segment.refusal.message);
    yield segment.value;
  }
}

export type WriteAnswer =
  | { readonly kind: "settled"; readonly command: SettledCommand }
  /** Not taken, or given up: sending it again is safe. */
  | { readonly kind: "no"; readonly code: string };

export type CheckAnswer =
  | { readonly kind: "checked"; readonly result: boolean; readonly height: number }
  | { readonly kind: "no"; readonly code: string };

export interface ServiceOptions {
  readonly cluster: Digest;
  readonly scheme: Scheme;
  readonly random: Random;
  readonly projection: Projection | undefined;
  /** Runs within this life of the node, later. Units: ms. */
  readonly later: (ms: number, run: () => void) => void;
  /** How long the next block takes to execute. Units: ms. */
  readonly executionTime: () => number;
  readonly executed: (block: ExecutedBlock, delivery: Delivery) => void;
  /** The tables hold more blocks. */
  readonly projected: (projector: Projector) => void;
  /** Absent where nobody writes checkpoints. */
  readonly checkpoints: WritesCheckpoints | undefined;
  readonly submit: (signed: Uint8Array) => boolean;
  readonly defect: (error: unknown) => void;
}

/** Roots that a start reports from the tables, as a node's host does. */
const ROOTS_REPORTED = 64;

const keyOf = (author: Aid, id: CommandId, digest: Digest): string => `${author}${id}${digest}`;

export class Service {
  readonly ledger: Ledger;
  readonly #options: ServiceOptions;
  readonly folding: Folding | undefined;
  readonly #pool: SignedPool;
  /** By batch, with the establishment event by whose keys it was judged. */
  readonly #verdicts = new Map<Digest, { readonly said: Said; readonly holds: boolean }>();
  readonly #deliveries: Delivery[] = [];
  readonly #waiting = new Map<string, ((answer: WriteAnswer) => void)[]>();
  /** The command of a batch that was handed on, by the digest of its bytes. */
  readonly #batches = new Map<Digest, string>();
  readonly #heights: { readonly height: number; readonly run: () => void }[] = [];
  #running = false;
  /** It answers from this height on: what the log held when it started. */
  #servesFrom = Number.POSITIVE_INFINITY;

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.#pool = new SignedPool(options.cluster);
    const { projection } = options;
    const projected = (projector: Projector): void => {
      this.ledger.kerl.archived(projector.height);
      options.projected(projector);
    };
    this.folding = projection && new Folding({ ...options, projected, db: projection.db });
    const projector = this.folding?.projector;
    if (projector !== undefined && projection !== undefined && projector.height >= 0) {
      const verified = projector.verify();
      assert(verified.ok, verified.ok ? "" : verified.refusal.message);
      const state = { cluster: options.cluster, graph: loadLiveGraph(projection.db), ...projector.ledger.load() };
      this.ledger = new Ledger(state, this.#ports());
    } else {
      const kerl = projection === undefined ? new LiveKerl() : loadLiveKerl(projection.db);
      this.ledger = new Ledger(emptyLedger(options.cluster, new LiveGraph(), kerl), this.#ports());
    }
  }

  /** Roots of the newest heights that the tables know. */
  knownRoots(): readonly { readonly height: Height; readonly root: Digest }[] {
    const known: { height: Height; root: Digest }[] = [];
    const { height } = this.ledger;
    for (let at = Math.max(0, height - ROOTS_REPORTED + 1); at <= height; at++) {
      const root = this.folding?.projector.ledger.blockAt(heightOf(at))?.root;
      if (root !== undefined) known.push({ height: heightOf(at), root });
    }
    return known;
  }

  #ports(): LedgerPorts {
    const { cluster, scheme, defect } = this.#options;
    return {
      open: (signed) => this.#pool.openFinal(signed),
      isSigned: ({ digest }, signed, keyState) => {
        let verdict = this.#verdicts.get(digest);
        if (verdict?.said !== keyState.said) {
          const outer = decode(signedShape, signed, SIGNED_BYTES_MAX);
          const holds =
            outer.ok &&
            scheme.isSignedBy(keyState, signingBytes("signed", cluster, outer.value.body), outer.value.signatures);
          verdict = { said: keyState.said, holds };
          this.#verdicts.set(digest, verdict);
        }
        return verdict.holds;
      },
      defect,
    };
  }

  /** Clients are answered once everything up to this height is executed. */
  serveFrom(height: number): void {
    this.#servesFrom = height;
  }

  get serves(): boolean {
    return this.ledger.height >= this.#servesFrom;
  }

  deliver(delivery: Delivery): void {
    this.#deliveries.push(delivery);
    if (this.#running) return;
    this.#running = true;
    this.#options.later(this.#options.executionTime(), () => this.#next());
  }

  #next(): void {
    let delivery = this.#deliveries.shift();
    while (delivery !== undefined && delivery.height <= this.ledger.height) delivery = this.#deliveries.shift();
    if (delivery === undefined) {
      this.#running = false;
      return;
    }
    this.#slice(delivery, this.ledger.execute(executableOf(delivery)));
  }

  /** Reads may pass between two commands. */
  #slice(delivery: Delivery, work: Generator<void, ExecutedBlock>): void {
    for (;;) {
      const step = work.next();
      if (step.done === true) return this.#executed(delivery, step.value);
      if (this.#options.random.chance(0.05)) return this.#options.later(1, () => this.#slice(delivery, work));
    }
  }

  #executed(delivery: Delivery, block: ExecutedBlock): void {
    const { height, hash, root, time, facts } = block;
    this.#pool.executed();
    this.folding?.add({ height, hash, root, time, facts, block: delivery.block });
    this.#options.executed(block, delivery);
    for (const { digest, code } of block.refusedBatches) {
      const key = this.#batches.get(digest);
      this.#batches.delete(digest);
      if (key !== undefined) this.#settle(key, { kind: "no", code });
    }
    for (const command of block.settled) {
      const { author, id, outcome } = command;
      this.#settle(keyOf(author, id, outcome.digest), { kind: "settled", command });
    }
    const due = this.#heights.filter(({ height }) => height <= block.height);
    for (const one of due) this.#heights.splice(this.#heights.indexOf(one), 1);
    for (const { run } of due) run();
    if (this.#deliveries.length === 0) this.#running = false;
    else this.#options.later(this.#options.executionTime(), () => this.#next());
  }

  #settle(key: string, answer: WriteAnswer): void {
    const waiting = this.#waiting.get(key) ?? [];
    this.#waiting.delete(key);
    for (const done of waiting) done(answer);
  }

  /** A batch of one command. Answers when it is settled; who waits too long asks again. */
  write(signed: Uint8Array, done: (answer: WriteAnswer) => void): void {
    const no = (code: string): void => done({ kind: "no", code });
    if (!this.serves) return no("UNAVAILABLE");
    const opened = this.#pool.open(signed);
    if (!opened.ok) return no(opened.refusal.code);
    const { body } = opened.value;
    const [command] = body.commands;
    const keyState = this.ledger.keyState(body.author);
    if (command === undefined || keyState === undefined) return no("UNKNOWN_IDENTIFIER");
    if (keyState.said !== body.keyState.said) return no("STALE_KEY_STATE");
    if (!this.#ports().isSigned(opened.value, signed, keyState)) return no("BAD_SIGNATURE");
    if (command.kind === "graph.write" && !mayWrite(this.ledger.graph, body.author)) return no("PERMISSION_DENIED");
    const digest = commandDigest(command);
    const known = this.ledger.settled(body.author, command.id);
    if (known?.outcome.digest === digest) return done({ kind: "settled", command: known });
    const key = keyOf(body.author, command.id, digest);
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined && this.#batches.get(opened.value.digest) === key) return void waiting.push(done);
    if (!this.#options.submit(signed)) return no("OVERLOADED");
    this.#waiting.set(key, [...(waiting ?? []), done]);
    this.#batches.set(opened.value.digest, key);
  }

  /** Answers once the height is reached; never before this node serves. */
  check(subject: GraphNode, object: GraphNode, atLeast: number, done: (answer: CheckAnswer) => void): void {
    if (!this.serves) return done({ kind: "no", code: "UNAVAILABLE" });
    const answer = (): void =>
      done({
        kind: "checked",
        result: this.ledger.graph.check(subject, object),
        height: Math.max(0, this.ledger.height),
      });
    if (this.ledger.height >= atLeast) return answer();
    this.#heights.push({ height: atLeast, run: answer });
  }
}

function executableOf({ height, hash, block, bundles }: Delivery): ExecutableBlock {
  const header = decode(headerShape, block.header, HEADER_BYTES_MAX);
  const body = decode(bodyShape, block.body, BODY_BYTES_MAX);
  assert(header.ok && body.ok, "a final block was judged before");
  return { height, hash, time: logTime(header.value.time) as LogTime, content: contentOf(body.value, bundles) };
}
