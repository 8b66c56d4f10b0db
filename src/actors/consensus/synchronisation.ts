/** Catch-up of blocks by a member that was away: pages of events, every proof checked before anything is appended. */
import type { Digest, Height } from "../../base/brands.ts";
import { height as heightOf } from "../../base/brands.ts";
import { present } from "../../base/errors.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import type { MerkleFrontier } from "../../crypto/merkle.ts";
import { type Certificate, type FinalityProof, type LogEvent, PROOF_HEADERS_MAX } from "../../events/facts/block.ts";
import { finalises } from "../../events/facts/finality.ts";
import { bundleDigest } from "../../events/facts/hashing.ts";
import { LogDamage } from "../../events/store/damage.ts";
import { EVENTS_PAGE_BYTES, EVENTS_PAGE_MAX, type EventWithBundles } from "../../events/facts/peer-message.ts";
import type { ReadableLog } from "../../events/store/log.ts";
import { type OpenedBlock, openBlock } from "./blocks.ts";
import { BLOCK_BUNDLE_BYTES_MAX } from "./bundles.ts";
import type { Committee } from "./ports.ts";

export interface CheckedPage {
  readonly events: readonly LogEvent[];
  readonly opened: readonly OpenedBlock[];
  readonly bundles: readonly { readonly digest: Digest; readonly bytes: Uint8Array; readonly height: Height }[];
  /** What finalises the last event, directly or by a descendant. */
  readonly finalization: Certificate;
}

type Finalization = Extract<FinalityProof, { kind: "finalization" }>;

const wrong = (height: number, what: string) => refuse("BAD_EVENT", `Event ${height} from a peer: ${what}.`, "peer");

/**
 * Judges a page of events that should continue the log.
 * Refuses: BAD_EVENT (parent, height, logRoot, bundles, or a proof that does not hold), MALFORMED, and a page whose last event has no proof.
 */
export function checkPage(
  committee: Committee,
  head: { readonly height: Height; readonly hash: Digest },
  frontier: MerkleFrontier,
  page: readonly EventWithBundles[],
): Result<CheckedPage> {
  // First, since it costs nothing: no signature is checked for a page that proves nothing in the end.
  if (page.at(-1)?.proof.kind !== "finalization")
    return wrong(head.height + page.length, "the page ends without a finality proof");
  const events: LogEvent[] = [];
  const openedBlocks: OpenedBlock[] = [];
  const bundles: CheckedPage["bundles"][number][] = [];
  let parent = head.hash;
  let tree = frontier;
  let finalization: Certificate | undefined;
  for (const [i, { block, proof, bundles: bytes }] of page.entries()) {
    const height = heightOf(head.height + 1 + i);
    const opened = openBlock(block);
    if (!opened.ok) return opened;
    const { header, hash } = opened.value;
    if (header.height !== height || header.parent !== parent)
      return wrong(height, "it does not follow the event before it");
    if (header.logRoot !== tree.root()) return wrong(height, "its logRoot is not the tree over the log before it");
    const defect = bundleDefect(opened.value.bundles, bytes);
    if (defect !== undefined) return wrong(height, defect);
    if (proof.kind === "finalization" && !finalises(committee, hash, proof))
      return wrong(height, "its finality proof does not hold");
    finalization = proof.kind === "finalization" ? proof.certificate : undefined;
    events.push({ height, hash, block, proof: proof.kind === "finalization" ? proof : { kind: "none" } });
    openedBlocks.push(opened.value);
    for (const [k, digest] of opened.value.bundles.entries())
      bundles.push({ digest, bytes: present(bytes[k], "counted above"), height });
    parent = hash;
    tree = tree.appended(hash);
  }
  return ok({
    events,
    opened: openedBlocks,
    bundles,
    finalization: present(finalization, "the last event has one"),
  });
}

function bundleDefect(named: readonly Digest[], bytes: readonly Uint8Array[]): string | undefined {
  if (named.length !== bytes.length) return "it does not come with the bundles it names";
  let size = 0;
  for (const [i, one] of bytes.entries()) {
    size += one.length;
    if (bundleDigest(one) !== named[i]) return "a bundle is not the one it names";
  }
  return size > BLOCK_BUNDLE_BYTES_MAX ? "its bundles exceed the bound of a block" : undefined;
}

/** Why an event's own finality proof does not hold; undefined when it does, or when it has none. */
export function proofDefect(committee: Committee, { hash, proof }: LogEvent): string | undefined {
  return proof.kind !== "finalization" || finalises(committee, hash, proof)
    ? undefined
    : "the finality proof does not hold";
}

type PagedLog = Pick<ReadableLog, "path" | "event" | "events" | "bundle">;

/** A bundle that a block of the log names. Throws: LogDamage, also when it is missing. */
export function orderedBundle(log: Pick<ReadableLog, "path" | "bundle">, height: Height, digest: Digest): Uint8Array {
  const stored = log.bundle(digest);
  if (stored === undefined) throw new LogDamage(log.path, height, `bundle ${digest} is missing`);
  return stored.bytes;
}

/** A page for a member that asks: events from a height on with their bundles, ending at one that carries a proof. */
export function pageOf(log: PagedLog, from: Height, countMax = EVENTS_PAGE_MAX): readonly EventWithBundles[] {
  const page: EventWithBundles[] = [];
  let bytes = 0;
  let proven = 0;
  for (const event of log.events(from, { limit: countMax, bytesMax: EVENTS_PAGE_BYTES })) {
    const opened = openBlock(event.block);
    const digests = opened.ok ? opened.value.bundles : [];
    const bundles = digests.map((digest) => orderedBundle(log, event.height, digest));
    bytes += event.block.body.length + bundles.reduce((sum, one) => sum + one.length, 0);
    if (page.length > 0 && bytes > EVENTS_PAGE_BYTES) break;
    page.push({ block: event.block, proof: event.proof, bundles });
    if (event.proof.kind === "finalization") proven = page.length;
  }
  const last = page.at(-1);
  if (proven > 0 || last === undefined) return page.slice(0, proven);
  // Blocks that became final together share one proof: too large for one page, they travel with the headers that lead to it.
  const proof = proofFor(log, heightOf(from + page.length));
  return proof === undefined ? [] : [...page.slice(0, -1), { ...last, proof }];
}

/** An event with the proof that it is final, its own or that of a descendant; undefined when the log holds none. Throws: LogDamage. */
export function provenEvent(
  log: PagedLog,
  height: Height,
): { readonly event: LogEvent; readonly proof: Finalization } | undefined {
  const event = log.event(height);
  if (event === undefined) return undefined;
  const proof = event.proof.kind === "finalization" ? event.proof : proofFor(log, heightOf(height + 1));
  return proof && { event, proof };
}

/** The proof of the block before this height, by the first event from here on that has one. */
function proofFor(log: PagedLog, from: Height): Finalization | undefined {
  const headers: Uint8Array[] = [];
  for (let at = from; headers.length < PROOF_HEADERS_MAX; at = heightOf(at + 1)) {
    const event = log.event(at);
    if (event === undefined) return undefined;
    headers.push(event.block.header);
    if (event.proof.kind !== "finalization") continue;
    headers.push(...event.proof.headers);
    return headers.length > PROOF_HEADERS_MAX ? undefined : { ...event.proof, headers };
  }
  return undefined;
}
