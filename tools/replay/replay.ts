/** Verifies a log from genesis and executes it again: every block judged, every command decided anew, every root compared. */
import { setImmediate } from "node:timers/promises";
import type { Digest, Height } from "../../src/base/brands.ts";
import { height as heightOf } from "../../src/base/brands.ts";
import { decode } from "../../src/base/codec.ts";
import { present } from "../../src/base/errors.ts";
import { BODY_BYTES_MAX, bodyShape } from "../../src/events/facts/block.ts";
import { Chain, type CheckedBlock, type OpenedEvent } from "./chain.ts";
import { Execution, type Replayed } from "./execution.ts";
import { ReplayFailure } from "./failure.ts";
import type { ReplayOptions } from "./replayed.ts";
import { SignatureThreads } from "./signature-threads.ts";
import type { LogSource, SourceBundle, SourceGap } from "./source.ts";

/** What is read ahead of the execution, so that threads have signatures to check. */
const AHEAD_BYTES = 16 * 1024 * 1024;
const AHEAD_BLOCKS = 64;
/** Work between two turns of the event loop: signals, and whoever else lives in this process, are heard. Units: ms. */
const SLICE_MS = 20;
/** What waits to be checked takes some 2 KB each. */
const AHEAD_SIGNATURES = 4_096;

interface Prepared {
  readonly checked: CheckedBlock;
  readonly bytes: number;
  readonly checks: number;
  /** Resolved when the signatures that were shipped are checked. */
  readonly signatures: Promise<void>;
}

/** `Replay`, as replayed.ts says it. */
export async function* replay(source: LogSource, options: ReplayOptions = {}): AsyncGenerator<Replayed, void> {
  const threads = new SignatureThreads(options.threads ?? 0);
  const reading = new Reading(source, options, threads);
  let began = performance.now();
  try {
    for (;;) {
      if (performance.now() - began > SLICE_MS) {
        await setImmediate();
        began = performance.now();
      }
      options.signal?.throwIfAborted();
      const prepared = await reading.take();
      if (prepared === undefined) return;
      const { checked } = prepared;
      await prepared.signatures;
      const replayed = reading.execution.execute(checked);
      await expectSameRoot(source, replayed);
      yield replayed;
    }
  } finally {
    await threads.close();
  }
}

/** Reads and judges ahead of the execution, within bounds; what does not hold is told when everything before it was executed. */
class Reading {
  readonly #options: ReplayOptions;
  readonly #threads: SignatureThreads;
  readonly #chain = new Chain();
  readonly #checked: AsyncGenerator<CheckedBlock, void>;
  readonly #ahead: Prepared[] = [];
  #execution: Execution | undefined;
  #bytes = 0;
  #checks = 0;
  #ended: { readonly failure: unknown } | "end" | undefined;

  constructor(source: LogSource, options: ReplayOptions, threads: SignatureThreads) {
    this.#options = options;
    this.#threads = threads;
    this.#checked = checkedBlocks(source, this.#chain, options);
  }

  get execution(): Execution {
    return present(this.#execution, "genesis comes first");
  }

  async take(): Promise<Prepared | undefined> {
    while (this.#ended === undefined && this.#wantsMore()) await this.#read();
    const prepared = this.#ahead.shift();
    if (prepared === undefined && this.#ended !== undefined && this.#ended !== "end") throw this.#ended.failure;
    this.#bytes -= prepared?.bytes ?? 0;
    this.#checks -= prepared?.checks ?? 0;
    return prepared;
  }

  #wantsMore(): boolean {
    const count = this.#ahead.length;
    if (count === 0 || (this.#options.threads ?? 0) === 0) return count === 0;
    if (this.execution.ledger.height < 0) return false; // whose keys to check with, genesis says
    return count < AHEAD_BLOCKS && this.#bytes < AHEAD_BYTES && this.#checks < AHEAD_SIGNATURES;
  }

  async #read(): Promise<void> {
    try {
      const next = await this.#checked.next();
      if (next.done === true) this.#ended = "end";
      else this.#prepare(next.value);
    } catch (failure) {
      this.#ended = { failure };
    }
  }

  #prepare(checked: CheckedBlock): void {
    this.#execution ??= new Execution(present(this.#chain.founding, "genesis was read").cluster);
    const { pool, ledger } = this.#execution;
    const isShipped = (this.#options.threads ?? 0) > 0;
    const checks = isShipped
      ? checked.bundles.flatMap((bundle) => pool.checksOf(bundle, (aid) => ledger.keyState(aid)))
      : [];
    const signatures = this.#threads.check(checks);
    signatures.catch(() => {}); // told when the block's turn comes
    const bytes = checked.bundles.reduce((sum, bundle) => sum + bundle.length, checked.event.block.body.length);
    this.#ahead.push({ checked, bytes, checks: checks.length, signatures });
    this.#bytes += bytes;
    this.#checks += checks.length;
  }
}

/** Blocks that hold, up to where the replay stops; at its end all of them are final. */
async function* checkedBlocks(
  source: LogSource,
  chain: Chain,
  options: ReplayOptions,
): AsyncGenerator<CheckedBlock, void> {
  const committed = await source.committedHeight();
  const gap = await source.gap();
  const last = gap?.below ?? (await source.lastHeight());
  if (last === undefined)
    throw new ReplayFailure("LOG_EMPTY", null, { part: "file" }, "the log has no events, not even genesis");
  let stop: Height | undefined;
  for await (const event of source.events(heightOf(0), last)) {
    const opened = chain.open(event);
    const at = chain.next;
    if (stop === undefined && isBeyond(opened, options)) stop = at;
    if (stop !== undefined && (chain.unproven === undefined || chain.unproven >= stop)) return;
    const checked = chain.extend(opened, await bundlesOf(source, at, opened));
    if (at === 0) expectCluster(chain, options.cluster);
    if (stop === undefined) yield checked;
  }
  const isAsked = stop !== undefined || isReached(chain, options);
  if (chain.next <= last) throw missing(chain.next, `the log goes on to ${last}`);
  if (!isAsked && gap === undefined && committed !== undefined && committed > last)
    throw missing(heightOf(last + 1), `the log was written up to ${committed}`);
  expectFinal(chain, stop);
  if (!isAsked) await expectWhole(source, gap);
}

/** Nothing is left out of what was read to its end, and nothing noted for what there is not. */
async function expectWhole(source: LogSource, gap: SourceGap | undefined): Promise<void> {
  if (gap !== undefined) {
    const reason = `the blocks from ${gap.below + 1} to ${gap.begins - 1} are still to be fetched by this node, which began with a checkpoint; everything before them holds`;
    throw new ReplayFailure("LOG_INCOMPLETE", gap.below + 1, { part: "event" }, reason);
  }
  const stray = await source.strayRoot(); // others are compared as their heights are executed
  if (stray === undefined) return;
  const reason = "a root is noted there that stands out of order, or beyond the log's end";
  throw new ReplayFailure("RECORD_DIFFERS", stray, { part: "root" }, reason);
}

const missing = (at: Height, but: string): ReplayFailure =>
  new ReplayFailure("EVENT_MISSING", at, { part: "event" }, `the event is missing; ${but}`);

const isBeyond = ({ opened }: OpenedEvent, { to, until }: ReplayOptions): boolean =>
  (to !== undefined && opened.header.height > to) || (until !== undefined && opened.header.time > until);

const isReached = (chain: Chain, { to }: ReplayOptions): boolean => to !== undefined && chain.next > to;

/** Every block that was asked for is final. */
function expectFinal(chain: Chain, stop: Height | undefined): void {
  const { unproven } = chain;
  if (unproven === undefined || (stop !== undefined && unproven >= stop)) return;
  const reason = "no certificate, its own or a later event's, makes the block final";
  throw new ReplayFailure("PROOF_MISSING", unproven, { part: "proof" }, reason);
}

function expectCluster(chain: Chain, cluster: Digest | undefined): void {
  const found = chain.founding?.cluster;
  if (cluster === undefined || found === cluster) return;
  const reason = `it founds cluster ${found ?? "none"}, and the founding document given is that of ${cluster}`;
  throw new ReplayFailure("GENESIS_FOREIGN", 0, { part: "body" }, reason);
}

/** What the source has of the bundles that a body names; where it says that they were ordered first must be true. */
async function bundlesOf(
  source: LogSource,
  at: Height,
  { opened }: OpenedEvent,
): Promise<readonly (SourceBundle | undefined)[]> {
  if (opened.bundles.length === 0) return [];
  const bundles = await source.bundles(opened.bundles).catch((error: unknown) => {
    if (!(error instanceof ReplayFailure) || error.height !== null) throw error;
    throw new ReplayFailure(error.code, at, error.where, error.reason); // the source does not know who asks
  });
  for (const [i, digest] of opened.bundles.entries()) {
    const misplaced = bundles[i]?.misplaced;
    if (misplaced !== undefined) throw new ReplayFailure("RECORD_DIFFERS", at, { part: "bundle", digest }, misplaced);
    const said = bundles[i]?.height;
    if (said === undefined || said === at || (said !== null && (await isNamedAt(source, said, at, digest)))) continue;
    const reason = `the height beside it is ${said ?? "none"}, and no block of that height orders it`;
    throw new ReplayFailure("RECORD_DIFFERS", at, { part: "bundle", digest }, reason);
  }
  return bundles;
}

/** Whether an earlier block named the bundle, too: two leaders may order one. */
async function isNamedAt(source: LogSource, said: number, before: Height, digest: Digest): Promise<boolean> {
  if (!Number.isSafeInteger(said) || said < 0 || said >= before) return false;
  for await (const event of source.events(heightOf(said), heightOf(said))) {
    const body = decode(bodyShape, event.body, BODY_BYTES_MAX);
    return body.ok && body.value.kind === "executions" && body.value.bundles.includes(digest);
  }
  return false;
}

/** The root that a node noted for itself is no part of the log, but must be the one that follows from it. */
async function expectSameRoot(source: LogSource, { height, root }: Replayed): Promise<void> {
  const noted = await source.executedRoot(height);
  if (noted === undefined || noted === root) return;
  const where = { part: "root" } as const;
  if (noted === null)
    throw new ReplayFailure("RECORD_DIFFERS", height, where, "the root that was noted is not what was written");
  throw new ReplayFailure("ROOT_DIFFERS", height, where, `root ${noted} was noted, and the block executes to ${root}`);
}
