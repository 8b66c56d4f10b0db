/** Records of another epoch in a member's journal: whoever took them for its own would vote as that epoch's member did. */
import { epoch, view } from "../../src/base/brands.ts";
import type { Log } from "../../src/events/store/log.ts";
import type { LogBatch } from "../../src/events/store/log-batch.ts";

/** The simulation's own epoch is 0. */
const OTHER = epoch(1);
/** It nullified every third of its views. */
const VIEWS = 300;

/** Writes them, unless they are there. */
export function plantOtherEpoch(log: Log): void {
  if (log.journal(OTHER).length > 0) return;
  const journal: NonNullable<LogBatch["journal"]>[number][] = [];
  for (let at = 1; at <= VIEWS; at += 3)
    journal.push({ epoch: OTHER, view: view(at), kind: "vote", key: "nullify/", bytes: new Uint8Array(0) });
  log.commit({ journal });
}
