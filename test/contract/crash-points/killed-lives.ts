/** What the process that is killed and the one that opens its files again agree on. */
import { ZERO_DIGEST, utf8 } from "../../../src/base/bytes.ts";
import { epoch, view } from "../../../src/base/brands.ts";
import type { LogBatch } from "../../../src/events/store/log-batch.ts";
import { Chain, bundleOf } from "../chain.ts";
import type { World } from "../../unit/actors/world.ts";
import type { Vote } from "./reopening.ts";

export type Announcement =
  | { readonly kind: "begun"; readonly writer: number; readonly number: number }
  | { readonly kind: "done"; readonly writer: number; readonly number: number; readonly digest: string }
  | ({ readonly kind: "said"; readonly writer: number } & Vote)
  | { readonly kind: "ended" };

export const SEED = 3;
export const ROUNDS = 24;

/** Batches of a log writer, small and large in turn: the large ones take the disk some milliseconds. */
export function* batchesOf(rounds: number): Generator<LogBatch> {
  const chain = new Chain("killed");
  for (let round = 0; round < rounds; round++) {
    const bundle = bundleOf(`round ${round} ${"x".repeat(round % 4 === 3 ? 600_000 : 500 * round)}`);
    const event = chain.next(round === 0 ? [] : [bundle.digest]);
    yield {
      bundles: [bundle],
      append: { expected: event.height, events: [event] },
      bundleHeights: [{ digest: bundle.digest, height: event.height }],
      executed: [{ height: event.height, root: ZERO_DIGEST }],
      journal: [{ epoch: epoch(0), view: view(round), kind: "vote", key: "nullify/", bytes: utf8(String(round)) }],
      pruneBelow: { epoch: epoch(0), view: view(Math.max(0, round - 5)) },
      marks: [{ name: "round", value: utf8(String(round)) }],
    };
  }
}

/** Client batches of a committee's life. */
export function submissions(world: World): void {
  for (let i = 0; i < 8; i++) world.at(i * 7, () => void world.submit(i % 4));
}
