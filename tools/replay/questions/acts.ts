/** Everything that an identifier did, or tried: commands, batches, and what its keys signed into its key event log. */
import type { Aid } from "../../../src/base/brands.ts";
import type { Fact } from "../../../src/events/facts/fact.ts";
import type { ReplayedBatch, ReplayedBlock, ReplayedCommand } from "../replayed.ts";
import { type Origin, type Place, originsOf } from "./origin.ts";

/** As what: it signed the command itself, signed it as a gateway for somebody, or had a gateway sign it. */
export type Capacity = "author" | "gateway" | "principal";

export type ActOf =
  | { readonly kind: "command"; readonly place: Place; readonly capacity: Capacity; readonly command: ReplayedCommand }
  /** The batch did not hold, so that nothing proves that the identifier signed it: its bytes say so. */
  | { readonly kind: "batchRefused"; readonly place: Place; readonly capacity: Capacity; readonly batch: ReplayedBatch }
  /** Its keys signed a key event, a receipt of its own or a reply; whoever handed it in. */
  | { readonly kind: "keyEvent"; readonly place: Place; readonly fact: Fact; readonly origin: Origin };

/** In the order of the log. */
export function actsIn(block: ReplayedBlock, aid: Aid): readonly ActOf[] {
  const acts: ActOf[] = [];
  for (const command of block.commands) {
    const capacity = capacityOf(command, aid);
    if (capacity !== undefined) acts.push({ kind: "command", place: placeOf(block, command.index), capacity, command });
  }
  for (const batch of block.batches) {
    const capacity = batch.refused === null ? undefined : capacityOf(batch, aid);
    if (capacity !== undefined)
      acts.push({ kind: "batchRefused", place: placeOf(block, batch.index), capacity, batch });
  }
  let originAt: ((index: number) => Origin) | undefined;
  for (const fact of block.facts) {
    if (!isSignedBy(fact, aid)) continue;
    originAt ??= originsOf(block);
    acts.push({ kind: "keyEvent", place: placeOf(block, fact.index), fact, origin: originAt(fact.index) });
  }
  return acts.sort((a, b) => a.place.index - b.place.index);
}

const placeOf = ({ height, time }: ReplayedBlock, index: number): Place => ({ height, index, time });

function capacityOf(
  { author, principal }: { readonly author: Aid | null; readonly principal: Aid | null },
  aid: Aid,
): Capacity | undefined {
  if (principal === aid) return "principal";
  if (author !== aid) return undefined;
  return principal === null ? "author" : "gateway";
}

/** What waits in an escrow may not be signed at all, and receipts are others': neither is an act of the identifier. */
function isSignedBy({ data }: Fact, aid: Aid): boolean {
  switch (data.kind) {
    case "identifierIncepted":
    case "keyEventAccepted":
    case "keyEventForked":
    case "keriReplyAccepted":
      return data.aid === aid;
    default:
      return false;
  }
}
