/** Final blocks as the timeline shows them, from the log that holds them. */
import type { Digest, Height } from "../../base/brands.ts";
import { decode } from "../../base/codec.ts";
import type { LogEvent } from "../../events/facts/block.ts";
import { BODY_BYTES_MAX, HEADER_BYTES_MAX, bodyShape, headerShape } from "../../events/facts/block.ts";
import { BUNDLE_BYTES_MAX, bundleBodyShape, bundleShape } from "../../events/facts/bundle.ts";
import { SIGNED_BYTES_MAX, signedBodyShape, signedShape } from "../../events/facts/command.ts";
import { leaderOf } from "../../machines/consensus/committee.ts";
import type { ReadableLog } from "../../events/store/log.ts";
import type { ExecutedBlock } from "../../projections/ledger/ledger.ts";
import type { BlockRow } from "./contract.ts";

/** What executing a block came to. */
export interface Outcome {
  readonly root: Digest;
  readonly commands: number;
  readonly refused: number;
}

export function outcomeOf({ root, settled }: Pick<ExecutedBlock, "root" | "settled">): Outcome {
  const refused = settled.reduce((sum, { outcome }) => sum + (outcome.kind === "commandRefused" ? 1 : 0), 0);
  return { root, commands: settled.length, refused };
}

export interface RowSource {
  readonly log: Pick<ReadableLog, "event" | "events" | "bundle" | "executedRoot">;
  /** Members' names in the committee's order. */
  readonly names: readonly string[];
  /** Of recently executed blocks. */
  readonly outcome: (height: Height) => Outcome | undefined;
}

/** Bundles that one page of rows is read from: some 10 ms of decoding. Units: bytes. */
const PAGE_BUNDLE_BYTES = 1024 * 1024;

/** Consecutive rows from a height on; fewer than `limit` where their commands took as much reading as one page may. */
export function blockRows(source: RowSource, from: Height, limit: number): readonly BlockRow[] {
  const rows: BlockRow[] = [];
  const budget = { bytes: PAGE_BUNDLE_BYTES };
  for (const event of source.log.events(from, { limit, bytesMax: 4 * PAGE_BUNDLE_BYTES })) {
    rows.push(rowOf(source, event, budget));
    if (budget.bytes <= 0) break;
  }
  return rows;
}

/** `budget`: what is read to count commands is taken off it. Throws: LogDamage. */
export function rowOf(source: RowSource, event: LogEvent, budget = { bytes: PAGE_BUNDLE_BYTES }): BlockRow {
  const { names, log } = source;
  const header = decode(headerShape, event.block.header, HEADER_BYTES_MAX);
  const body = decode(bodyShape, event.block.body, BODY_BYTES_MAX);
  if (!header.ok) throw new TypeError(header.refusal.message); // the log gives whole events
  const { height, epoch, view, parentView, parent, time } = header.value;
  const outcome = source.outcome(height);
  const bundles = body.ok && body.value.kind === "executions" ? body.value.bundles : [];
  return {
    height,
    epoch,
    view,
    parentView,
    hash: event.hash,
    parent,
    time,
    leader: height === 0 ? null : (names[leaderOf(view, names.length)] ?? null),
    body: body.ok ? body.value.kind : "executions",
    commands: outcome?.commands ?? bundles.reduce((sum, digest) => sum + commandsIn(log, digest, budget), 0),
    refused: outcome?.refused ?? null,
    root: outcome?.root ?? log.executedRoot(height) ?? null,
    signers: signersOf(event, names),
  };
}

function signersOf({ proof }: LogEvent, names: readonly string[]): readonly string[] {
  if (proof.kind !== "finalization") return [];
  const { signers } = proof.certificate;
  return names.filter((_, i) => (((signers[i >> 3] ?? 0) >> (i & 7)) & 1) === 1);
}

/** Commands that a bundle holds; a batch that cannot be read holds none. */
function commandsIn(log: RowSource["log"], digest: Digest, budget: { bytes: number }): number {
  const bytes = log.bundle(digest)?.bytes;
  if (bytes === undefined) return 0;
  budget.bytes -= bytes.length;
  const bundle = decode(bundleShape, bytes, BUNDLE_BYTES_MAX + 128);
  const body = bundle.ok ? decode(bundleBodyShape, bundle.value.body, BUNDLE_BYTES_MAX) : bundle;
  if (!body.ok) return 0;
  let commands = 0;
  for (const batch of body.value.signed) {
    const signed = decode(signedShape, batch, SIGNED_BYTES_MAX);
    const inner = signed.ok ? decode(signedBodyShape, signed.value.body, SIGNED_BYTES_MAX) : signed;
    if (inner.ok) commands += inner.value.commands.length;
  }
  return commands;
}
