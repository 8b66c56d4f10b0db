/**
 * What each block of a log did, computed again from genesis: facts are derived and stored nowhere (DESIGN §4). A second ledger beside the
 * node's own, so that proofs about the past touch nothing that serves; it goes on from where it stopped.
 */
import type { Digest, Height } from "../../base/brands.ts";
import { height as heightOf } from "../../base/brands.ts";
import { decode } from "../../base/codec.ts";
import { assert } from "../../base/errors.ts";
import { BODY_BYTES_MAX, type LogEvent, bodyShape } from "../../events/facts/block.ts";
import { LogDamage } from "../../events/store/damage.ts";
import type { ReadableLog } from "../../events/store/log.ts";
import { type ExecutedBlock, Ledger, emptyLedger } from "../../projections/ledger/ledger.ts";
import { LiveGraph } from "../../projections/rebac/live-graph.ts";
import { executableOf } from "../executor/executor.ts";
import { SignedPool } from "../executor/signed-pool.ts";

export type ExecutableLog = Pick<ReadableLog, "path" | "event" | "bundle">;

/** What a block did, and the roots before and after it. */
export interface ExecutedAt {
  readonly height: Height;
  readonly hash: Digest;
  readonly before: Digest;
  readonly root: Digest;
  readonly facts: Uint8Array;
}

/** As it was just executed. */
export interface JustExecuted extends ExecutedAt {
  /** Whether facts of key events, or inceptions of genesis, are among its facts. */
  readonly hasKeyEvents: boolean;
}

export class ExecutedLog {
  readonly #log: ExecutableLog;
  readonly #pool: SignedPool;
  readonly #ledger: Ledger;
  #commands = 0;

  constructor(log: ExecutableLog, cluster: Digest) {
    this.#log = log;
    this.#pool = new SignedPool(cluster);
    this.#ledger = new Ledger(emptyLedger(cluster, new LiveGraph()), {
      open: (signed) => this.#pool.openFinal(signed),
      isSigned: (opened, signed, keyState) => this.#pool.isSigned(opened, signed, keyState),
      defect: () => {}, // the command's outcome says DEFECT, as it did on the replicas
    });
  }

  /** Last height executed; −1 before genesis. */
  get height(): number {
    return this.#ledger.height;
  }

  /** Commands that were judged. */
  get commands(): number {
    return this.#commands;
  }

  /** Executes the next block; yields within large ones. Throws: LogDamage where the log has no next block that holds. */
  *next(): Generator<void, JustExecuted> {
    const height = heightOf(this.#ledger.height + 1);
    const event = this.#log.event(height);
    if (event === undefined) throw new LogDamage(this.#log.path, height, "the event is missing");
    const before = this.#ledger.root;
    const work = this.#ledger.execute(executableOf({ ...event, bundles: this.#bundlesOf(event) }));
    let step = work.next();
    for (; step.done !== true; step = work.next()) yield;
    this.#pool.executed();
    this.#commands += step.value.settled.length;
    return executedAt(step.value, before);
  }

  #bundlesOf({ height, block }: LogEvent): readonly Uint8Array[] {
    const body = decode(bodyShape, block.body, BODY_BYTES_MAX);
    assert(body.ok, "a final block was judged before");
    const digests = body.value.kind === "executions" ? body.value.bundles : [];
    return digests.map(
      (digest) => this.#log.bundle(digest)?.bytes ?? missing(this.#log.path, height, `bundle ${digest} is missing`),
    );
  }
}

const executedAt = (
  { height, hash, root, facts, identifiers, keyStates }: ExecutedBlock,
  before: Digest,
): JustExecuted => ({
  height,
  hash,
  before,
  root,
  facts,
  hasKeyEvents: height === 0 || identifiers.size > 0 || keyStates.length > 0,
});

function missing(path: string, height: Height, reason: string): never {
  throw new LogDamage(path, height, reason);
}
