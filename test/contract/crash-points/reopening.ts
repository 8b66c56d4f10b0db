/** What a member finds when it opens its files again, with the real code of a start, and what must hold of it. */
import { copyFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Start, ensureGenesis, loadStart } from "../../../src/actors/consensus/start.ts";
import { type Digest, type MemberIndex, epoch, height, memberIndex } from "../../../src/base/brands.ts";
import { fromUtf8 } from "../../../src/base/bytes.ts";
import { decode } from "../../../src/base/codec.ts";
import { present } from "../../../src/base/errors.ts";
import { verify } from "../../../src/crypto/ed25519.ts";
import { MerkleFrontier } from "../../../src/crypto/merkle.ts";
import { HEADER_BYTES_MAX, headerShape } from "../../../src/events/facts/block.ts";
import { type VoteKind, blockHash } from "../../../src/events/facts/hashing.ts";
import type { PeerMessage } from "../../../src/events/facts/peer-message.ts";
import { LogDamage } from "../../../src/events/store/damage.ts";
import { LOST_COMMITS_MARK, type LogDatabase, openLogDatabase } from "../../../src/events/store/log-database.ts";
import { fromGenesis, verifyRange } from "../../../src/events/store/log-verify.ts";
import { DEFAULT_TIMINGS } from "../../../src/machines/consensus/types.ts";
import { cluster, genesis, hashing, keys } from "../../unit/actors/world.ts";
import type { Commit, Life } from "./life.ts";
import { StateReader } from "./numbered-log.ts";
import { scratch } from "./scratch.ts";

const committeeOf = (self: MemberIndex) => ({ cluster, epoch: epoch(0), self, keys, verify, timings: DEFAULT_TIMINGS });

export interface Vote {
  readonly vote: VoteKind;
  readonly view: number;
  readonly hash: Digest | null;
}

export interface Reopened {
  readonly digest: string;
  /** What the file says of commits that it lost. */
  readonly lost: string | undefined;
  readonly start: Start;
  /** Hashes of the log's blocks, by height. */
  readonly hashes: readonly Digest[];
}

/** Opens a member's files where they lie. Throws: what a start throws. */
export function reopenAt(path: string, self: MemberIndex): Reopened {
  const log = openLogDatabase(path, hashing);
  try {
    const states = new StateReader(path);
    const digest = states.digest();
    states.close();
    const defect = log.defect();
    if (defect !== undefined) throw new LogDamage(path, undefined, defect);
    const mark = log.mark(LOST_COMMITS_MARK);
    return { digest, lost: mark && fromUtf8(mark), ...startOf(log, self, mark !== undefined) };
  } finally {
    log.close();
  }
}

/** A directory in which files are put and opened, one set after the other. */
export class Bench {
  readonly #directory = scratch("sky-crash-points-");
  readonly path = join(this.#directory, "log.db");

  /** Throws: what a start throws. */
  reopen(db: Uint8Array, wal: Uint8Array): Reopened {
    rmSync(`${this.path}-shm`, { force: true });
    writeFileSync(this.path, db);
    writeFileSync(`${this.path}-wal`, wal);
    return reopenAt(this.path, memberIndex(1));
  }

  /** Digest of a log without any commit of ours. */
  emptyDigest(): string {
    const path = join(this.#directory, "empty.db");
    const log = openLogDatabase(path, hashing);
    const states = new StateReader(path);
    const digest = states.digest();
    states.close();
    log.close();
    return digest;
  }

  /** The database file that a start makes of these files when it ends in order. */
  settled(db: Uint8Array, wal: Uint8Array): string {
    this.reopen(db, wal);
    const path = join(this.#directory, "settled.db");
    copyFileSync(this.path, path);
    return path;
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true });
  }
}

function startOf(log: LogDatabase, self: MemberIndex, journalLost: boolean): Pick<Reopened, "start" | "hashes"> {
  ensureGenesis(log, genesis);
  const head = present(log.head(), "genesis").height;
  const check = verifyRange(log, fromGenesis(head, MerkleFrontier.empty));
  let step = check.next();
  while (step.done !== true) step = check.next();
  if (step.value.kind === "damaged") throw new LogDamage(log.path, step.value.height, step.value.reason);
  const start = loadStart(log, committeeOf(self), step.value.tree, journalLost);
  return { start, hashes: Array.from({ length: head + 1 }, (_, at) => present(log.hashAt(height(at)), "an event")) };
}

/**
 * Throws unless the files give back exactly the state after a commit: what was delivered by then is in the log, and what was said
 * by then stands, so that this member cannot say otherwise.
 */
export function expectCommit(reopened: Reopened, commit: Commit, life: Life): void {
  if (reopened.digest !== commit.digest) throw new Error(`the state is not the one after commit ${commit.number}`);
  for (const [i, hash] of life.delivered.slice(0, commit.delivered).entries()) {
    if (reopened.hashes[i] !== hash) throw new Error(`block ${i}, which was delivered, is gone`);
  }
  for (const message of life.sent.slice(0, commit.sent)) expectStands(reopened, message);
}

function expectStands({ start }: Reopened, message: PeerMessage): void {
  const { own, proposals, final, candidates } = start.context;
  if (message.kind === "proposal") {
    const hash = blockHash(message.block.header);
    const header = decode(headerShape, message.block.header, HEADER_BYTES_MAX);
    if (!header.ok) throw new Error("an honest proposal has a header");
    const { view } = header.value;
    if (view <= final.view) return;
    if (proposals[view] !== hash || own[view]?.notarize !== hash)
      throw new Error(`the proposal of view ${view} is forgotten`);
    if (candidates[hash]?.body !== "valid") throw new Error(`the body proposed in view ${view} is gone`);
  }
  if (message.kind === "vote") expectVoteStands(start, message);
}

/** Throws unless a member that starts so cannot vote otherwise than it did, and holds what it voted for. */
export function expectVoteStands({ context }: Start, said: Vote): void {
  const { vote, view, hash } = said;
  if (view <= context.final.view) return;
  const stands = context.own[view]?.[vote];
  if (stands !== (hash ?? true)) throw new Error(`the ${vote} vote of view ${view} is forgotten`);
  if (vote === "notarize" && hash !== null && context.candidates[hash]?.body !== "valid")
    throw new Error(`the body of the block notarized in view ${view} is gone`);
}
