/**
 * Executes the log once more into a projection of its own, beside the one that serves: signatures, rules and facts as if for the first
 * time. What it comes to is compared with what the headers of the log say, of which a quorum signed every one.
 */
import { randomBytes } from "node:crypto";
import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { type Digest, type Height, height as heightOf } from "../../base/brands.ts";
import { ZERO_DIGEST } from "../../base/bytes.ts";
import { decode } from "../../base/codec.ts";
import { Fault, assert } from "../../base/errors.ts";
import type { ProjectedBlock, ProjectionRoots, Projector } from "../../actors/projector/projector.ts";
import { BODY_BYTES_MAX, HEADER_BYTES_MAX, type LogEvent, bodyShape, headerShape } from "../../events/facts/block.ts";
import { blockHash, bodyHash, bundleDigest } from "../../events/facts/hashing.ts";
import { type LogReader, openLogReader } from "../../events/store/log-reader.ts";
import type { Sqlite } from "../../events/store/sqlite.ts";
import { loadLiveKerl } from "../../projections/kerl/load-live-kerl.ts";
import { Ledger, emptyLedger } from "../../projections/ledger/ledger.ts";
import { LiveGraph } from "../../projections/rebac/live-graph.ts";
import { loadLiveGraph } from "../../projections/rebac/load-live-graph.ts";
import { executableOf } from "../executor/executor.ts";
import { SignedPool } from "../executor/signed-pool.ts";
import { type ProjectionFloor, openProjection, openSound } from "./database.ts";
import { syncFile } from "./exchange.ts";

/** One transaction: some tens of milliseconds of work. */
const PAGE = { limit: 32, bytesMax: 1024 * 1024 } as const;

export interface RebuilderOptions {
  /** The copy. */
  readonly path: string;
  /** nothing: from where the log begins. itself: from the height that it has; one that is damaged is refused and kept as it is. */
  readonly from: "nothing" | "itself";
  readonly log: string;
  readonly cluster: Digest;
  /** Checkpoints: with one of them a log begins whose older blocks are still to come. */
  readonly checkpoints: ProjectionFloor["store"];
  /** Left free on the disk, so that it is not the copy that stops the node. Units: bytes. */
  readonly reserveBytes: number;
}

export class Rebuilder {
  readonly db: Sqlite;
  readonly #options: RebuilderOptions;
  readonly #projector: Projector;
  readonly #log: LogReader;
  readonly #pool: SignedPool;
  readonly #ledger: Ledger;

  /** Throws: Faults of the log, of the projection's file, and CHECKPOINT_* of its beginning. */
  constructor(options: RebuilderOptions) {
    this.#options = options;
    this.#pool = new SignedPool(options.cluster);
    this.#log = openLogReader(options.log, { header: blockHash, body: bodyHash, bundle: bundleDigest });
    try {
      const { db, projector } = this.#openCopy(options);
      this.db = db;
      this.#projector = projector;
    } catch (error) {
      this.#log.close();
      throw error;
    }
    this.#ledger = this.#open();
  }

  #openCopy({ path, from, checkpoints }: RebuilderOptions): ReturnType<typeof openSound> {
    const begins = this.#log.gap()?.begins;
    const floor = begins === undefined ? null : { store: checkpoints, begins };
    if (from === "nothing") return openProjection(path, floor);
    const opened = openSound(path);
    const { height } = opened.projector;
    if (floor === null || height >= floor.begins) return opened;
    opened.db.close();
    throw new Fault(
      "PREVIOUS_TOO_OLD",
      `The previous projection ends at height ${height}, and the log begins with ${floor.begins} meanwhile; rebuild instead.`,
    );
  }

  #open(): Ledger {
    const pool = this.#pool;
    const ports = {
      open: (signed: Uint8Array) => pool.openFinal(signed),
      isSigned: pool.isSigned.bind(pool),
      defect: () => {}, // it is a fact, and roots tell whether the others had it too
    };
    const seed = randomBytes(4).readUInt32LE();
    const state =
      this.#projector.height < 0
        ? emptyLedger(this.#options.cluster, new LiveGraph(), loadLiveKerl(this.db, seed))
        : { cluster: this.#options.cluster, graph: loadLiveGraph(this.db), ...this.#projector.ledger.load(seed) };
    return new Ledger(state, ports);
  }

  /** Last block in the copy; −1 before genesis. */
  get height(): number {
    return this.#projector.height;
  }

  roots(): ProjectionRoots {
    return this.#projector.roots();
  }

  /** Refuses (as a Fault): PROJECTION_DAMAGED when what was written is not what is there. Reads every row. */
  verify(): void {
    const judged = this.#projector.verify();
    if (!judged.ok) throw new Fault(judged.refusal.code, judged.refusal.message);
  }

  /**
   * The next blocks, up to a height that is in the log; one transaction.
   * Throws: Fault REBUILD_DIVERGED, REBUILD_NO_ROOM; those of log and file.
   */
  step(target: number): void {
    this.#expectRoom();
    const limit = Math.min(PAGE.limit, target - this.height);
    const events = this.#log.events(heightOf(this.height + 1), { ...PAGE, limit });
    if (events.length === 0)
      throw new Fault("LOG_GAP", `The log has no block ${this.height + 1} yet; ask again when it is whole.`);
    const roots = new Map<Height, Digest>();
    const blocks = events.map((event) => this.#execute(event, roots));
    this.#projector.apply(blocks);
    this.#ledger.kerl.archived(this.height);
  }

  #execute(event: LogEvent, roots: Map<Height, Digest>): ProjectedBlock {
    const { height, hash, block } = event;
    this.#expectCertified(event, roots);
    const work = this.#ledger.execute(executableOf({ height, hash, block, bundles: this.#bundlesOf(event) }));
    let step = work.next();
    while (step.done !== true) step = work.next();
    this.#pool.executed();
    const { root, time, facts } = step.value;
    roots.set(height, root);
    return { height, hash, root, time, facts, block };
  }

  #bundlesOf({ height, block }: LogEvent): readonly Uint8Array[] {
    const body = decode(bodyShape, block.body, BODY_BYTES_MAX);
    assert(body.ok, "a final block was judged before");
    if (body.value.kind !== "executions") return [];
    return body.value.bundles.map((digest) => {
      const bundle = this.#log.bundle(digest);
      if (bundle === undefined) throw new Fault("LOG_DAMAGED", `The log lacks a bundle of block ${height}.`);
      return bundle.bytes;
    });
  }

  /** A quorum signed the header, with the root that its leader had executed. */
  #expectCertified({ height, block }: LogEvent, roots: ReadonlyMap<Height, Digest>): void {
    const header = decode(headerShape, block.header, HEADER_BYTES_MAX);
    assert(header.ok, "a final block was judged before");
    const { executed } = header.value;
    if (height === 0 || executed.root === ZERO_DIGEST) return;
    const own = roots.get(executed.height) ?? this.#projector.ledger.blockAt(executed.height)?.root;
    if (own === undefined || own === executed.root) return;
    throw new Fault(
      "REBUILD_DIVERGED",
      `This version executes block ${executed.height} to root ${own}, but block ${height} of the log says ${executed.root}; report it, and run the version that ran before.`,
    );
  }

  #expectRoom(): void {
    const { bsize, bavail } = statfsSync(dirname(this.#options.path));
    if (bsize * bavail >= this.#options.reserveBytes) return;
    throw new Fault(
      "REBUILD_NO_ROOM",
      `Less than ${Math.ceil(this.#options.reserveBytes / 1024 / 1024)} MiB are free beside the projection; free as much as it takes once more, then ask again.`,
    );
  }

  /** The copy is whole on the disk, and nobody has it open. */
  close(): void {
    this.#log.close();
    this.db.close();
    syncFile(this.#options.path);
  }

  /** Without a word: the copy goes. */
  abandon(): void {
    this.#log.close();
    this.db.close();
  }
}
