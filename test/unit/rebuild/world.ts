/** A node's projection and log as they are on a node, with their real workers; blocks come from a log that is made as a cluster would. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { height } from "../../../src/base/brands.ts";
import { decode } from "../../../src/base/codec.ts";
import { present } from "../../../src/base/errors.ts";
import type { ProjectionRoots } from "../../../src/actors/projector/projector.ts";
import { BODY_BYTES_MAX, type LogEvent, bodyShape } from "../../../src/events/facts/block.ts";
import { openSound } from "../../../src/host/projector/database.ts";
import type { GraphChange, GraphNode } from "../../../src/events/facts/graph.ts";
import type { LogDatabase } from "../../../src/events/store/log-database.ts";
import { executableOf } from "../../../src/host/executor/executor.ts";
import { SignedPool } from "../../../src/host/executor/signed-pool.ts";
import { createLogger } from "../../../src/host/logging/logger.ts";
import { createMetrics } from "../../../src/host/metrics/metrics.ts";
import { openLiveLedger } from "../../../src/host/node/live-ledger.ts";
import { ProjectionRoom } from "../../../src/host/node/projection-room.ts";
import type { MovableDatabase } from "../../../src/host/projector/movable-database.ts";
import type { RebuildPhase, RebuildStatus } from "../../../src/host/projector/rebuild.ts";
import type { Ledger } from "../../../src/projections/ledger/ledger.ts";
import { MadeLog, appendTo, openMadeLog } from "../../../tools/replay/made-log.ts";

export const node = (name: string): GraphNode => ({ namespace: "my-org", name, relation: { namespace: "", name: "" } });
export const assertionOf = (i: number) => ({ subject: node(`s${i}`), object: node("users") });

export interface WorldOptions {
  readonly checkpointEvery?: number;
  readonly reserveBytes?: number;
}

export class World {
  readonly directory = mkdtempSync(join(tmpdir(), "sky-rebuild-"));
  readonly made = new MadeLog();
  readonly log: LogDatabase = openMadeLog(join(this.directory, "log.db"));
  room: ProjectionRoom;
  readonly fatal: string[] = [];
  readonly metrics = createMetrics();
  others = 0;
  deaths = 0;
  #past: MovableDatabase | undefined;
  #ledger: Ledger | undefined;

  readonly #options: WorldOptions;

  constructor(options: WorldOptions = {}) {
    this.#options = options;
    this.room = this.#makeRoom();
  }

  #makeRoom(): ProjectionRoom {
    const { checkpointEvery = 1_000_000, reserveBytes = 0 } = this.#options;
    return new ProjectionRoom({
      directory: this.directory,
      cluster: this.made.cluster,
      checkpointEvery,
      members: [{ aid: this.made.founding.client.aid, key: new Uint8Array(32) }],
      begins: () => null,
      past: () => this.#past,
      onProjected: (at) => this.#ledger?.kerl.archived(at),
      onCheckpoint: () => {},
      onDeath: () => {
        this.deaths += 1;
      },
      onOther: () => {
        this.others += 1;
      },
      onDamaged: () => this.fatal.push("PROJECTION_DAMAGED"),
      onFatal: (code) => this.fatal.push(code),
      logger: createLogger({ level: "silent" }),
      metrics: this.metrics,
      rebuild: { reserveBytes, share: 1 },
    });
  }

  async open(): Promise<void> {
    const projector = await this.room.start();
    const pool = new SignedPool(this.made.cluster);
    const ports = {
      open: (signed: Uint8Array) => pool.open(signed),
      isSigned: pool.isSigned.bind(pool),
      defect: (error: unknown) => this.fatal.push(String(error)),
    };
    const live = openLiveLedger(
      { path: this.room.path, cluster: this.made.cluster, projected: projector.opened.height, rootsMax: 0 },
      ports,
    );
    this.#past = live.past;
    this.#ledger = live.ledger;
  }

  /** As after a restart of the node. */
  async reopen(): Promise<void> {
    this.#past?.close();
    this.room = this.#makeRoom();
    await this.open();
  }

  get past(): MovableDatabase {
    return present(this.#past, "opened");
  }

  get ledger(): Ledger {
    return present(this.#ledger, "opened");
  }

  /** The next blocks, each with one batch that grants the next subject; the first is genesis. */
  write(blocks: number): void {
    for (let i = 0; i < blocks; i++) this.#commit();
  }

  #commit(): void {
    const { made, ledger } = this;
    const at = ledger.height + 1;
    const changes: GraphChange[] = [{ kind: "addAssertion", assertion: assertionOf(at) }];
    const block = at === 0 ? made.genesis() : made.executions([made.bundle([made.batch([made.command(changes)])])]);
    appendTo(this.log, block, made.root);
    const { event, bundles } = block;
    this.#execute(
      event,
      bundles.map(({ bytes }) => bytes),
    );
  }

  #execute(event: LogEvent, bundles: readonly Uint8Array[]): void {
    const work = this.ledger.execute(
      executableOf({ height: event.height, hash: event.hash, block: event.block, bundles }),
    );
    let step = work.next();
    while (step.done !== true) step = work.next();
    const { hash, root, time, facts } = step.value;
    present(this.room.current, "started").project({
      height: event.height,
      hash,
      root,
      time,
      facts,
      block: event.block,
    });
  }

  /** Executes what the log holds beyond the projection, as after a start. */
  catchUp(): void {
    for (let at = this.ledger.height + 1; ; at++) {
      const event = this.log.event(height(at));
      if (event === undefined) return;
      const body = decode(bodyShape, event.block.body, BODY_BYTES_MAX);
      if (!body.ok) throw new Error(body.refusal.message);
      const named = body.value.kind === "executions" ? body.value.bundles : [];
      this.#execute(
        event,
        named.map((digest) => present(this.log.bundle(digest), "a bundle").bytes),
      );
    }
  }

  /** Of what the serving file holds, once everything is applied. Closes it. */
  async roots(): Promise<ProjectionRoots> {
    await present(this.room.current, "started").stop();
    const { db, projector } = openSound(this.room.path);
    const roots = projector.roots();
    db.close();
    return roots;
  }

  /** Resolves when the rebuild is in one of these phases. */
  phase(...wanted: readonly RebuildPhase[]): Promise<RebuildStatus> {
    const { rebuild } = this.room;
    if (wanted.includes(rebuild.status.phase)) return Promise.resolve(rebuild.status);
    return new Promise((resolve) => {
      const end = rebuild.watch((status) => {
        if (!wanted.includes(status.phase)) return;
        end();
        resolve(status);
      });
    });
  }

  /** What the projector says of a height, once it holds it. */
  async granted(at: number): Promise<boolean> {
    const projector = present(this.room.current, "started");
    const answer = await projector.checkAt(height(at), [assertionOf(at)]);
    if (!answer.ok) throw new Error(`${answer.refusal.code}: ${answer.refusal.message}`);
    return answer.value[0] === true;
  }

  async close(): Promise<void> {
    await this.room.stop();
    this.#past?.close();
    this.log.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
