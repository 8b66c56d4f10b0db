/** A running node as a source: what it answers to ReadLog is judged like anything else, so that it need not be believed. */
import type { Digest, Height } from "../../src/base/brands.ts";
import { height as heightOf } from "../../src/base/brands.ts";
import type { AuditClient } from "../../src/client/audit-client.ts";
import { BLOCK_BUNDLE_BYTES_MAX } from "../../src/actors/consensus/bundles.ts";
import { BUNDLES_PER_BLOCK_MAX } from "../../src/events/facts/block.ts";
import { ReplayFailure } from "./failure.ts";
import type { LogSource, SourceBundle, SourceEvent, SourceGap } from "./source.ts";

/** Heights of one call: a long log is read by several, each with a deadline of its own. */
const HEIGHTS_PER_CALL = 2_000;
/** Units: ms. */
const CALL_MS = 600_000;
/** Where the log ends, a node says at once; whoever waits longer asked nobody. Units: ms. */
const HEAD_MS = 10_000;

/** Bundles come behind their block, so that only those of the newest event given are here. */
export class NodeSource implements LogSource {
  readonly name = "the node";
  readonly #client: Pick<AuditClient, "readLog" | "head" | "close">;
  #bundles: readonly Uint8Array[] = [];

  constructor(client: Pick<AuditClient, "readLog" | "head" | "close">) {
    this.#client = client;
  }

  /** Of the newest block with a certificate: everything up to it can be proven. Throws: SkyError. */
  async lastHeight(): Promise<Height | undefined> {
    return (await this.#client.head({ timeoutMs: HEAD_MS })).proven.head.height;
  }

  async committedHeight(): Promise<Height | undefined> {
    return undefined;
  }

  /** Throws: SkyError. */
  async *events(from: Height, to: Height): AsyncGenerator<SourceEvent> {
    for (let next: number = from; next <= to; ) {
      let given = 0;
      for await (const event of this.#call(heightOf(next), heightOf(Math.min(to, next + HEIGHTS_PER_CALL - 1)))) {
        yield event;
        given += 1;
      }
      if (given === 0) return; // the node lacks what follows
      next += given;
    }
  }

  /** Each event when the bundles behind it are here, too. Throws: ReplayFailure for more of them than any block may name. */
  async *#call(from: Height, to: Height): AsyncGenerator<SourceEvent> {
    let held: SourceEvent | undefined;
    let bundles: Uint8Array[] = [];
    let bytes = 0;
    for await (const { item } of this.#client.readLog(from, to, { timeoutMs: CALL_MS })) {
      if (item?.$case === "bundle") {
        bundles.push(item.bundle);
        bytes += item.bundle.length;
        if (bundles.length > BUNDLES_PER_BLOCK_MAX || bytes > BLOCK_BUNDLE_BYTES_MAX) tooMany(held?.height ?? from);
      }
      if (item?.$case !== "block") continue;
      if (held !== undefined) yield this.#with(held, bundles);
      [bundles, bytes] = [[], 0];
      const { height, header, body, finality } = item.block;
      held = { height: Number(height), header, body, proof: finality };
    }
    if (held !== undefined) yield this.#with(held, bundles);
  }

  #with(event: SourceEvent, bundles: readonly Uint8Array[]): SourceEvent {
    this.#bundles = bundles;
    return event;
  }

  /** Of the newest event given, in the order of its body. */
  async bundles(digests: readonly Digest[]): Promise<readonly (SourceBundle | undefined)[]> {
    return digests.map((_, i) => {
      const bytes = this.#bundles[i];
      return bytes && { bytes };
    });
  }

  async executedRoot(): Promise<undefined> {
    return undefined;
  }

  async strayRoot(): Promise<undefined> {
    return undefined;
  }

  async gap(): Promise<SourceGap | undefined> {
    return undefined;
  }

  async close(): Promise<void> {
    this.#client.close();
  }
}

function tooMany(height: number): never {
  const reason = "more bundles follow it than a block may name";
  throw new ReplayFailure("BODY_INVALID", height, { part: "event" }, reason);
}
