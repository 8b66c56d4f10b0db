/** A member of a living committee whose commits are numbered, and the files it leaves behind when its power is cut. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Digest } from "../../../src/base/brands.ts";
import type { PeerMessage } from "../../../src/events/facts/peer-message.ts";
import { type Node, World, watchVotes } from "../../unit/actors/world.ts";
import { StateReader, wrapWrites } from "./numbered-log.ts";
import { framesOf } from "./wal-format.ts";

/** What stands once a commit has returned. */
export interface Commit {
  /** Counted over the whole life; 0 stands for the file before genesis. */
  readonly number: number;
  readonly digest: string;
  /** Where its last frame ends; 0: it is in the database file. */
  readonly walEnd: number;
  /** Messages sent, and blocks delivered to the executor, before the next commit began. */
  readonly sent: number;
  readonly delivered: number;
}

export interface Life {
  readonly db: Buffer;
  readonly wal: Buffer;
  /** Commits that the write-ahead log holds, oldest first; before them what the database file holds. */
  readonly commits: readonly Commit[];
  readonly sent: readonly PeerMessage[];
  readonly delivered: readonly Digest[];
}

/** Leads views 1 and 5. */
const MEMBER = 1;

/** Files as they are while their writer lives. Copied by another process: see lockForWriting on locks and closing files. */
export function filesOf(path: string): { readonly db: Buffer; readonly wal: Buffer } {
  const directory = mkdtempSync(join(tmpdir(), "sky-copy-"));
  const sources = [path, `${path}-wal`].filter((source) => existsSync(source));
  execFileSync("cp", [...sources, directory]);
  const name = path.slice(path.lastIndexOf("/") + 1);
  const wal = join(directory, `${name}-wal`);
  const files = {
    db: readFileSync(join(directory, name)),
    wal: existsSync(wal) ? readFileSync(wal) : Buffer.alloc(0),
  };
  rmSync(directory, { recursive: true });
  return files;
}

interface Numbered {
  readonly digest: string;
  sent: number;
  delivered: number;
}

/** Numbers the commits of a member. */
class Numbering {
  readonly commits: Numbered[] = [];
  readonly sent: PeerMessage[] = [];
  /** So many commits are in the database file. */
  since = 0;
  readonly #node: Node;
  readonly #states: StateReader;

  constructor(world: World, node: Node, checkpointAt: number | undefined) {
    this.#node = node;
    this.#states = new StateReader(world.path(node.self));
    const onSent = world.onSent;
    world.onSent = (from, message) => {
      onSent(from, message);
      if (from === node) this.sent.push(message);
    };
    this.#took();
    wrapWrites(node.log, (doWrite) => {
      this.#count();
      if (this.commits.length === checkpointAt) {
        this.#states.checkpoint();
        this.since = this.commits.length;
      }
      doWrite();
      this.#took();
    });
  }

  /** A transaction that changes nothing leaves no frame: its state has the number of the one before. */
  #took(): void {
    const digest = this.#states.digest();
    if (digest === this.commits.at(-1)?.digest) return;
    this.commits.push({ digest, sent: 0, delivered: 0 });
    this.#count();
  }

  #count(): void {
    const last = this.commits.at(-1);
    if (last === undefined) return;
    last.sent = this.sent.length;
    last.delivered = this.#node.delivered.length;
  }

  end(): void {
    this.#count();
    this.#states.close();
  }
}

export interface LifeOptions {
  readonly seed: number;
  readonly batches: number;
  /** Moves everything into the database file when so many commits are made: the write-ahead log goes on from its beginning. */
  readonly checkpointAt?: number;
  /** State of a file without any commit of ours. */
  readonly empty: string;
}

/** Four members order batches, then all power is cut. */
export function liveAndCut({ seed, batches, checkpointAt, empty }: LifeOptions): Life {
  const world = new World(seed);
  try {
    watchVotes(world);
    for (let i = 0; i < 4; i++) world.boot(i);
    const node = world.node(MEMBER);
    const numbering = new Numbering(world, node, checkpointAt);
    for (let i = 0; i < batches; i++) world.at(i * 7, () => void world.submit(i % 4));
    // In the middle of work, with votes above the last final block: a member that rests has little to forget.
    world.until("enough is final, and a vote waits", () => {
      const { own, final } = node.actor.context;
      return node.delivered.length >= batches / 2 && Object.keys(own).some((view) => Number(view) > final.view);
    });
    numbering.end();
    const files = filesOf(world.path(node.self));
    const all = numbering.commits.map(({ digest, sent, delivered }, i) => ({ number: i + 1, digest, sent, delivered }));
    const base = numbering.since === 0 ? { number: 0, digest: empty, sent: 0, delivered: 0 } : all[numbering.since - 1];
    const ends = framesOf(files.wal).flatMap(({ isCommit, end }) => (isCommit ? [end] : []));
    // The first round through the file begins with the transaction that makes the tables.
    if (numbering.since === 0) ends.shift();
    const held = all.slice(numbering.since);
    if (base === undefined || ends.length !== held.length)
      throw new Error(`${held.length} commits are numbered, and the write-ahead log holds ${ends.length}`);
    return {
      ...files,
      commits: [{ ...base, walEnd: 0 }, ...held.map((commit, i) => ({ ...commit, walEnd: ends[i] ?? 0 }))],
      sent: numbering.sent,
      delivered: node.delivered.map(({ hash }) => hash),
    };
  } finally {
    world.end();
  }
}
