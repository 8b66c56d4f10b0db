/** Bodies being judged: rule 3, "valid", as far as it needs bytes. What is missing is fetched; until then the body is open. */
import type { Digest } from "../../base/brands.ts";
import { present } from "../../base/errors.ts";
import type { ReadableLog } from "../../events/store/log.ts";
import { leaderOf } from "../../machines/consensus/committee.ts";
import type { Blocks, OpenedBlock } from "./blocks.ts";
import { BLOCK_BUNDLE_BYTES_MAX, type Bundles } from "./bundles.ts";
import type { Fetching } from "./fetching.ts";
import type { Outgoing } from "./outgoing.ts";
import type { Statements } from "./statements.ts";

export interface JudgingStores {
  readonly size: number;
  readonly log: ReadableLog;
  readonly blocks: Blocks;
  readonly bundles: Bundles;
  readonly fetching: Fetching;
  readonly outgoing: Outgoing;
  readonly statements: Statements;
  readonly judged: (hash: Digest, valid: boolean) => void;
}

export class Judging {
  readonly #stores: JudgingStores;
  /** Bundles still missing, by block. */
  readonly #open = new Map<Digest, Set<Digest>>();

  constructor(stores: JudgingStores) {
    this.#stores = stores;
  }

  /** Judges a body whose parent is certified or final; answers once, perhaps much later. */
  judge(hash: Digest): void {
    const { blocks, fetching, outgoing, size } = this.#stores;
    const opened = blocks.get(hash);
    const before = opened && blocks.frontierAfter(opened.header.parent);
    // Gone when the drain that asked has also settled its view.
    if (opened === undefined || before === undefined || this.#open.has(hash)) return;
    if (before.root() !== opened.header.logRoot || !this.#isBodySound(opened)) return this.#stores.judged(hash, false);
    const missing = this.#restoreAll(opened.bundles);
    this.#open.set(hash, missing);
    if (this.#isDecided(opened, missing)) return this.#end(opened);
    fetching.want(`bundles/${hash}`, leaderOf(opened.header.view, size), (peer) => {
      if (this.#open.has(hash)) outgoing.send(peer, { kind: "bundleRequest", digests: [...missing] });
      else fetching.done(`bundles/${hash}`);
    });
  }

  /** A bundle came: the bodies that waited for it may be judged now. */
  held(digest: Digest): void {
    for (const [hash, missing] of this.#open) {
      if (!missing.delete(digest)) continue;
      const opened = this.#stores.blocks.get(hash);
      if (opened !== undefined && this.#isDecided(opened, missing)) this.#end(opened);
    }
  }

  isWanted(digest: Digest): boolean {
    for (const missing of this.#open.values()) if (missing.has(digest)) return true;
    return false;
  }

  /** Bytes of a bundle that a judged body names. */
  bundleBytes(digest: Digest): Uint8Array {
    const { bundles, log } = this.#stores;
    return present(bundles.get(digest) ?? log.bundle(digest)?.bytes, "a judged body has its bundles");
  }

  /** Forgets the bodies of blocks that are gone. */
  settle(): void {
    for (const hash of this.#open.keys()) if (this.#stores.blocks.get(hash) === undefined) this.#open.delete(hash);
  }

  /** No bundle twice; q signatures under a checkpoint; and no reconfigure block as long as there are none. */
  #isBodySound({ bundles, header, checkpoint }: OpenedBlock): boolean {
    return (
      new Set(bundles).size === bundles.length &&
      header.lastReconfigure === 0 &&
      (checkpoint === null || this.#stores.statements.isSound(checkpoint, header))
    );
  }

  /** Returns those that are missing. No more is read back than one block may name: a liar's block may name hundreds of large ones. */
  #restoreAll(digests: readonly Digest[]): Set<Digest> {
    const missing = new Set<Digest>();
    let size = 0;
    for (const digest of digests) {
      if (size > BLOCK_BUNDLE_BYTES_MAX) break;
      if (this.#restore(digest)) size += this.#stores.bundles.get(digest)?.length ?? 0;
      else missing.add(digest);
    }
    return missing;
  }

  /** A bundle may be ordered twice by different leaders: then it is read back from the log. */
  #restore(digest: Digest): boolean {
    const { bundles, log } = this.#stores;
    if (bundles.has(digest)) return true;
    const stored = log.bundle(digest);
    if (stored !== undefined) bundles.add(digest, stored.bytes, null);
    return stored !== undefined;
  }

  /** All here, or more than a block may name: then the rest of them is not taken. */
  #isDecided(opened: OpenedBlock, missing: ReadonlySet<Digest>): boolean {
    return missing.size === 0 || this.#bytes(opened) > BLOCK_BUNDLE_BYTES_MAX;
  }

  #end(opened: OpenedBlock): void {
    this.#open.delete(opened.hash);
    this.#stores.fetching.done(`bundles/${opened.hash}`);
    this.#stores.judged(opened.hash, this.#bytes(opened) <= BLOCK_BUNDLE_BYTES_MAX);
  }

  /** Of the bundles that a block names and that are here. */
  #bytes(opened: OpenedBlock): number {
    return opened.bundles.reduce((sum, digest) => sum + (this.#stores.bundles.get(digest)?.length ?? 0), 0);
  }
}
