/**
 * The blocks before the checkpoint that a log began with, fetched page by page in the background (consensus.md, "Catch-up"). Each page
 * is proven like one of a catch-up, from genesis up; the last one must lead to the checkpoint's own block.
 */
import type { Digest, Height, MemberIndex } from "../../base/brands.ts";
import { height as heightOf } from "../../base/brands.ts";
import { present } from "../../base/errors.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { MerkleFrontier } from "../../crypto/merkle.ts";
import type { PeerMessage } from "../../events/facts/peer-message.ts";
import type { BeginningLog } from "../../events/store/log.ts";
import type { ConsensusEvent } from "../../machines/consensus/types.ts";
import { finalOf } from "./blocks.ts";
import type { Fetching } from "./fetching.ts";
import type { Outgoing } from "./outgoing.ts";
import type { Committee, ConsensusPorts } from "./ports.ts";
import { checkPage } from "./synchronisation.ts";

const OLDER = "older";
/** Between two pages: a page of 4 MiB takes some 20 ms of the worker, which serves others first. Units: ms. */
const PAUSE_MS = 100;
/** Leaves hashed in one go. */
const LEAVES_AT_ONCE = 1000;

export interface OlderBlocksStores {
  readonly committee: Committee;
  readonly ports: ConsensusPorts;
  readonly fetching: Fetching;
  readonly outgoing: Outgoing;
  /** These bundles stand in older blocks: whoever still holds them as unordered is done with them. */
  readonly ordered: (page: Synchronised) => void;
  /** The log is whole. */
  readonly joined: () => void;
}

type Synchronised = Extract<ConsensusEvent, { type: "logSynchronised" }>;

/** Where the older part of the log ends. */
interface End {
  readonly height: Height;
  readonly hash: Digest;
  readonly tree: MerkleFrontier;
}

export class OlderBlocks {
  readonly #stores: OlderBlocksStores;
  readonly #log: BeginningLog | undefined;
  #begins: Height | undefined;
  #end: End | undefined;
  #pause: unknown;
  #stopped = false;

  constructor(stores: OlderBlocksStores) {
    this.#stores = stores;
    this.#log = stores.ports.checkpoints?.log;
    this.#begins = this.#log?.gap()?.begins;
  }

  /** Lowest height from which the log is whole. */
  get vouchesFrom(): number {
    return this.#begins === undefined ? 0 : this.#begins + 1;
  }

  start(): void {
    const below = this.#log?.gap()?.below;
    if (below !== undefined) this.#count(MerkleFrontier.empty, below);
  }

  stop(): void {
    this.#stopped = true;
    this.#stores.ports.clock.clear(this.#pause);
  }

  /** The tree over the older part, a slice of leaves at a time; then the first page is asked for. */
  #count(from: MerkleFrontier, below: Height): void {
    const log = present(this.#log, "a log with a gap");
    let tree = from;
    const end = Math.min(below + 1, from.size + LEAVES_AT_ONCE);
    while (tree.size < end) tree = tree.appended(this.#hash(log, heightOf(tree.size)));
    if (tree.size > below) {
      this.#end = { height: below, hash: this.#hash(log, below), tree };
      return this.#ask(null);
    }
    this.#stores.ports.schedule(() => {
      if (!this.#stopped) this.#count(tree, below);
    });
  }

  #hash(log: BeginningLog, height: Height): Digest {
    return present(log.hashAt(height), `event ${height} is in the older part of the log`);
  }

  #ask(first: MemberIndex | null): void {
    const { fetching, outgoing } = this.#stores;
    fetching.want(OLDER, first, (peer) => {
      if (this.#end === undefined) fetching.done(OLDER);
      else outgoing.send(peer, { kind: "eventsRequest", from: heightOf(this.#end.height + 1) });
    });
  }

  /**
   * Takes a page if it is the one that was asked for, of whom it was asked; undefined when it is another. After one that does not hold
   * the next peer is asked when the wait is over. Refuses: BAD_EVENT, and as `checkPage` and `repair`.
   */
  take(from: MemberIndex, message: Extract<PeerMessage, { kind: "events" }>): Result<void> | undefined {
    const { committee, fetching } = this.#stores;
    const [end, begins, log] = [this.#end, this.#begins, this.#log];
    if (end === undefined || begins === undefined || log === undefined || !fetching.has(OLDER)) return undefined;
    if (message.from !== end.height + 1 || message.events.length === 0) return undefined;
    if (!fetching.isAnswered(OLDER, from)) return ok(undefined); // it came late, or twice
    const page = checkPage(committee, end, end.tree, message.events);
    if (!page.ok) return page;
    const events = page.value.events.filter(({ height }) => height <= begins);
    const last = present(events.at(-1), "a page begins below the checkpoint");
    if (last.height === begins && last.hash !== log.hashAt(begins))
      return refuse("BAD_EVENT", `Event ${begins} of a peer is not the checkpoint's block.`, "peer");
    const bundles = page.value.bundles.filter(({ height }) => height <= begins);
    const put = log.repair({ events, bundles });
    if (!put.ok) return put;
    this.#stores.ordered({
      type: "logSynchronised",
      final: finalOf(present(page.value.opened[events.length - 1], "of the last event")),
      finalizedView: page.value.finalization.view,
      bundles: bundles.map(({ digest }) => digest),
    });
    fetching.done(OLDER);
    this.#advance({ height: last.height, hash: last.hash, tree: treeAfter(end.tree, events) }, from);
    return ok(undefined);
  }

  #advance(end: End, from: MemberIndex): void {
    this.#end = end;
    if (end.height !== this.#begins) {
      this.#pause = this.#stores.ports.clock.set(PAUSE_MS, () => this.#ask(from));
      return;
    }
    this.#log?.join();
    this.#begins = undefined;
    this.#end = undefined;
    this.#stores.joined();
  }
}

const treeAfter = (tree: MerkleFrontier, events: readonly { readonly hash: Digest }[]): MerkleFrontier =>
  events.reduce((grown, { hash }) => grown.appended(hash), tree);
