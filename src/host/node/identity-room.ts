/** What a serving node does for identifiers beside executing their events: answers about them, introduces them, witnesses them. */
import { join } from "node:path";
import type { Aid, Digest, Height } from "../../base/brands.ts";
import type { SqlDatabase } from "../../projections/rebac/sql-database.ts";
import type { ExecutedBlock, Ledger } from "../../projections/ledger/ledger.ts";
import type { SignerClient } from "../enclave/signer-client.ts";
import type { Submission } from "../executor/submission.ts";
import type { HeightWaiters } from "../executor/waiting.ts";
import { didRoute } from "../identity/did-routes.ts";
import { oobiRoute } from "../identity/oobi-routes.ts";
import { type IdentityListener, type IdentityRoute, listenIdentity } from "../listeners/identity-http.ts";
import type { ProjectorHost } from "../projector/projector-host.ts";
import type { KerlPort } from "../services/kerl-port.ts";
import { NodeKerl } from "./kerl.ts";
import { kerlPort } from "./kerl-port.ts";
import type { KeyLife } from "./key-life.ts";
import type { ServingOptions } from "./serving-options.ts";
import { Witness } from "./witness.ts";
import { announce } from "./witness-endpoint.ts";
import { WitnessJournal } from "./witness-journal.ts";

export interface IdentityParts {
  readonly ledger: Ledger;
  readonly submission: Submission;
  readonly heights: HeightWaiters;
  readonly keyLife: Pick<KeyLife, "keyState" | "status">;
  readonly signer: SignerClient;
  /** The one that runs: its worker may be restarted. */
  readonly projector: () => ProjectorHost;
  /** Last height that it holds. */
  readonly projected: () => number;
  /** The projection database, for queries. */
  readonly past: SqlDatabase;
  /** What else the identity port serves; asked before its own. */
  readonly routes: readonly IdentityRoute[];
  readonly proveKeyState: KerlPort["proveKeyState"];
  readonly onFatal: (code: string, error: unknown) => void;
}

/** Hashes of blocks that the projector may not hold yet: it is mostly one behind. */
const HASHES_MAX = 64;
/** First pause before the node says again where its witness is, and the longest. Units: ms. */
const AGAIN_MS = { first: 2_000, longest: 60_000 } as const;

export class IdentityRoom {
  readonly port: KerlPort;
  readonly #options: ServingOptions;
  readonly #parts: IdentityParts;
  readonly #queries: NodeKerl;
  readonly #hashes = new Map<Height, Digest>();
  readonly #journal: WitnessJournal;
  readonly #witness: Witness;
  #listener: IdentityListener | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  /** Throws: Fault WITNESS_OPEN_FAILED and the like. */
  constructor(options: ServingOptions, parts: IdentityParts) {
    this.#options = options;
    this.#parts = parts;
    this.#queries = new NodeKerl(parts);
    this.port = kerlPort({
      ...parts,
      queries: this.#queries,
      recentHash: (height) => this.#hashes.get(height),
      db: parts.past,
      members: options.founding.document.founders.map(({ aid }) => aid),
    });
    this.#journal = new WitnessJournal(join(options.directory, "witness.db"));
    this.#witness = new Witness({
      publicKey: parts.keyLife.status.witness,
      queries: this.#queries,
      view: () => parts.ledger.kerl.view,
      sign: (key, messages) => parts.signer.sign(key, messages),
      append: (stream, deadlineMs) => parts.submission.submitOwn("kerl.append", stream, deadlineMs),
      journal: this.#journal,
      now: () => Date.now(),
      onFatal: (error) => parts.onFatal("WITNESS_FAILED", error),
      logger: options.logger,
      metrics: options.metrics,
    });
  }

  /** A block was executed. */
  executed(block: ExecutedBlock): void {
    this.#hashes.set(block.height, block.hash);
    if (this.#hashes.size > HASHES_MAX) {
      const [oldest] = this.#hashes.keys();
      if (oldest !== undefined) this.#hashes.delete(oldest);
    }
    this.#queries.executed(block);
  }

  /** The projector holds everything up to this height. */
  projected(height: Height): void {
    this.#queries.projected(height);
  }

  /** The node serves: opens the port, and witnesses from now on. Throws: Fault IDENTITY_LISTEN. */
  async open(): Promise<void> {
    const { bind, metrics, logger } = this.#options;
    const { routes } = this.#parts;
    // Which port was taken is known once it listens: nobody asks before that.
    const publicUrl = (): URL => new URL(this.#announcedUrl() ?? this.#localUrl());
    this.#listener = await listenIdentity({
      ...bind.identity,
      routes: [...routes, oobiRoute(this.#queries), didRoute({ queries: this.#queries, publicUrl })],
      onRefused: (code) => metrics.refused("identity", code),
      onAnswered: () => metrics.count("identity_requests"),
      onDefect: (error) => {
        metrics.count("defects");
        logger.error("A request to the identity port met a defect", { error });
      },
    });
    this.#witness.start();
    void this.#announce(AGAIN_MS.first);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#witness.stop();
    this.#queries.stop();
    await this.#listener?.close();
    this.#journal.close();
  }

  #localUrl(): string {
    const { host, port } = this.#options.bind.identity;
    return `http://${host.includes(":") ? `[${host}]` : host}:${this.#listener?.port ?? port}/`;
  }

  /** Null where the port is for this machine alone: nobody is told of it. */
  #announcedUrl(): string | null {
    const { identityUrl, founding } = this.#options;
    return identityUrl ?? (founding.document.dev ? this.#localUrl() : null);
  }

  async #announce(pauseMs: number): Promise<void> {
    const { aid, logger } = this.#options;
    const { keyLife, signer, submission } = this.#parts;
    const said = await announce({
      node: aid satisfies Aid,
      keyState: () => keyLife.keyState,
      witness: this.#witness.aid,
      url: this.#announcedUrl(),
      queries: this.#queries,
      sign: (key, messages) => signer.sign(key, messages),
      append: (stream, deadlineMs) => submission.submitOwn("kerl.append", stream, deadlineMs),
      now: () => Date.now(),
    });
    const refusal = !said.ok ? said.refusal : said.value?.result.kind === "refused" ? said.value.result : undefined;
    if (this.#isStopped || refusal === undefined) return;
    logger.warn("The witness' endpoint is not bound yet", { code: refusal.code, reason: refusal.message });
    this.#timer = setTimeout(() => void this.#announce(Math.min(2 * pauseMs, AGAIN_MS.longest)), pauseMs);
    this.#timer.unref();
  }
}
