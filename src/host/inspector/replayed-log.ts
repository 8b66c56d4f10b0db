/**
 * One copied log, verified from genesis and executed again in one pass (tools/replay), kept as what the inspector asks: hashes, roots and
 * counts by height, the state at every height in tables of its own, and the blocks themselves where they lie.
 */
import { type Digest, height as heightOf } from "../../base/brands.ts";
import { decode } from "../../base/codec.ts";
import { finalityProofShape } from "../../events/facts/block.ts";
import { FOUNDING_BYTES_MAX, foundingDocumentShape } from "../../events/facts/founding.ts";
import { clusterOf } from "../../events/facts/hashing.ts";
import type { BlockRow } from "./contract.ts";
import { countsOf, finalRow } from "./final-rows.ts";
import { FoldedState } from "./folded-state.ts";
import type { Chain } from "./queries-divergence.ts";

const DIGEST_BYTES = 32;
const HEIGHTS_AT_START = 1024;
const PROOF_BYTES_MAX = 16 * 1024 * 1024;

/** 32 bytes and two counts a height. */
class Heights {
  #digests = Buffer.alloc(HEIGHTS_AT_START * 2 * DIGEST_BYTES);
  #counts = new Uint32Array(HEIGHTS_AT_START * 2);
  length = 0;

  push(hash: Digest, root: Digest, commands: number, refused: number): void {
    const at = this.length;
    if ((at + 1) * 2 > this.#counts.length) {
      this.#digests = Buffer.concat([this.#digests, Buffer.alloc(this.#digests.length)]);
      const counts = new Uint32Array(2 * this.#counts.length);
      counts.set(this.#counts);
      this.#counts = counts;
    }
    this.#digests.write(hash, at * 2 * DIGEST_BYTES, "hex");
    this.#digests.write(root, (at * 2 + 1) * DIGEST_BYTES, "hex");
    this.#counts.set([commands, refused], at * 2);
    this.length += 1;
  }

  hash(at: number): string {
    return this.#digests.toString("hex", at * 2 * DIGEST_BYTES, (at * 2 + 1) * DIGEST_BYTES);
  }

  root(at: number): string {
    return this.#digests.toString("hex", (at * 2 + 1) * DIGEST_BYTES, (at * 2 + 2) * DIGEST_BYTES);
  }

  counts(at: number): { readonly commands: number; readonly refused: number } {
    return { commands: this.#counts[at * 2] ?? 0, refused: this.#counts[at * 2 + 1] ?? 0 };
  }
}

export interface Founder {
  readonly name: string;
  readonly aid: string;
}

export interface Founded {
  readonly cluster: string;
  readonly name: string;
  readonly dev: boolean;
  readonly founders: readonly Founder[];
}

export interface ReplayedLogOptions {
  /** Told how far it is. */
  readonly progress?: (height: number, last: number) => void;
  readonly signal?: AbortSignal;
  readonly threads?: number;
}

type Opened = Awaited<ReturnType<typeof openLog>>;
const openLog = async (path: string) => (await import("../../../tools/replay/directory.ts")).DirectorySource.open(path);

export class ReplayedLog {
  readonly state = new FoldedState();
  /** Undefined where there was no database to open. */
  readonly #source: Opened | undefined;
  readonly #heights = new Heights();
  #founded: Founded | undefined;
  #firstTime = 0;
  /** Why the log does not hold from the next height on; null: it holds to its end. */
  failure: string | null = null;

  private constructor(source: Opened | undefined) {
    this.#source = source;
  }

  /** What does not hold is `failure`. Throws: Fault SOURCE_*, LOG_*. */
  static async open(path: string, options: ReplayedLogOptions = {}): Promise<ReplayedLog> {
    const { ReplayFailure } = await import("../../../tools/replay/failure.ts");
    let log: ReplayedLog | undefined;
    try {
      log = new ReplayedLog(await openLog(path));
      await log.#replay(options);
    } catch (error) {
      log ??= new ReplayedLog(undefined); // not even a database
      if (!(error instanceof ReplayFailure)) {
        await log.close();
        throw error;
      }
      log.failure = error.message;
    }
    log.state.flush();
    return log;
  }

  async #replay({ progress, signal, threads = 0 }: ReplayedLogOptions): Promise<void> {
    const source = this.#source;
    if (source === undefined) return;
    const { replay } = await import("../../../tools/replay/replay.ts");
    const last = (await source.lastHeight()) ?? -1;
    for await (const block of replay(source, { threads, ...(signal !== undefined && { signal }) })) {
      const { height, hash, root, time, body, factBytes, facts } = block;
      if (body.kind === "genesis") this.#founded = foundedBy(body.document);
      const { commands, refused } = countsOf(facts);
      this.#heights.push(hash, root, commands, refused);
      if (height === 1) this.#firstTime = time;
      this.state.add({ height, hash, root, time, facts: factBytes });
      progress?.(height, last);
    }
  }

  get founded(): Founded | undefined {
    return this.#founded;
  }

  /** Last height that holds; −1: none. */
  get height(): number {
    return this.#heights.length - 1;
  }

  rootAt(height: number): string | null {
    return height >= 0 && height <= this.height ? this.#heights.root(height) : null;
  }

  /** As divergences are looked for in it. */
  get chain(): Chain {
    const { height } = this;
    const at = async (asked: number) => {
      if (asked < 0 || asked > height) return undefined;
      return { hash: this.#heights.hash(asked), root: this.#heights.root(asked) };
    };
    return { lowest: 0, highest: height, executed: height, at };
  }

  /** Log time of a block as entries show it: genesis has none of its own. Units: ms since 1970. */
  timeOf(row: BlockRow): number {
    return row.height === 0 ? this.#firstTime : row.time;
  }

  /** Consecutive rows from a height on, read again from the log. */
  async rows(from: number, limit: number): Promise<readonly BlockRow[]> {
    const to = Math.min(this.height, from + limit - 1);
    if (this.#source === undefined || from < 0 || to < from) return [];
    const names = this.founded?.founders.map(({ name }) => name) ?? [];
    const rows: BlockRow[] = [];
    for await (const { height, header, body, proof } of this.#source.events(heightOf(from), heightOf(to))) {
      const decoded = decode(finalityProofShape, proof, PROOF_BYTES_MAX);
      const none = { kind: "none" } as const;
      const hash = this.#heights.hash(height);
      const row = finalRow({ hash, block: { header, body }, proof: decoded.ok ? decoded.value : none, names });
      if (row !== undefined) rows.push({ ...row, ...this.#heights.counts(height), root: this.#heights.root(height) });
    }
    return rows;
  }

  async close(): Promise<void> {
    this.state.close();
    await this.#source?.close();
  }
}

function foundedBy(bytes: Uint8Array): Founded | undefined {
  const document = decode(foundingDocumentShape, bytes, FOUNDING_BYTES_MAX);
  if (!document.ok) return undefined;
  const { name, dev, founders } = document.value;
  return {
    cluster: clusterOf(bytes),
    name,
    dev,
    founders: founders.map((card) => ({ name: card.name, aid: card.aid })),
  };
}
