/**
 * What leaves a worker of what consensus heard, said and remembers: for each type the fields that are shown, by name. Whatever is not
 * named here is not shown, so that a field that somebody adds stays inside until somebody decides about it. Never signatures, bundles,
 * commands or their payloads, nor bytes of any kind: digests, numbers and words.
 */
import { decode } from "../../base/codec.ts";
import { BODY_BYTES_MAX, HEADER_BYTES_MAX, bodyShape, headerShape } from "../../events/facts/block.ts";
import { blockHash } from "../../events/facts/hashing.ts";
import type { PeerMessage } from "../../events/facts/peer-message.ts";
import type {
  BlockSummary,
  ConsensusEffect,
  ConsensusEvent,
  Context,
  PeerNotice,
} from "../../machines/consensus/types.ts";
import type { Summary } from "./contract.ts";

type Fields = Omit<Summary, "type">;
type OfType<U extends { readonly type: string }, T> = Extract<U, { readonly type: T }>;
type OfKind<U extends { readonly kind: string }, K> = Extract<U, { readonly kind: K }>;
type ByType<U extends { readonly type: string }> = { readonly [T in U["type"]]: (one: OfType<U, T>) => Fields };
type ByKind<U extends { readonly kind: string }> = { readonly [K in U["kind"]]: (one: OfKind<U, K>) => Fields };

const blockFields = ({ hash, height, view, parentView, parent, time, bundles }: BlockSummary): Fields => ({
  hash,
  height,
  view,
  parentView,
  parent,
  time,
  bundles: bundles.length,
});

const EVENTS: ByType<ConsensusEvent> = {
  started: () => ({}),
  bundleHeld: ({ digest }) => ({ digest }),
  proposalVerified: ({ from, block, aheadMs }) => ({ member: from, ...blockFields(block), aheadMs }),
  blockFetched: ({ block }) => blockFields(block),
  bodyJudged: ({ hash, valid }) => ({ hash, valid }),
  voteVerified: ({ kind, view, hash, member }) => ({ kind, view, hash, member }),
  memberHeard: ({ member }) => ({ member }),
  certificateVerified: ({ kind, view, hash, signers }) => ({ kind, view, hash, signers }),
  voteSigned: ({ kind, view, hash }) => ({ kind, view, hash }),
  proposalBuilt: ({ block }) => blockFields(block),
  proposalFailed: ({ view }) => ({ view }),
  executionReached: ({ height, root }) => ({ height, root }),
  rootAttested: ({ member, height, root }) => ({ member, height, root }),
  checkpointProvable: ({ height }) => ({ height }),
  logSynchronised: ({ final, finalizedView }) => ({ height: final.height, hash: final.hash, view: finalizedView }),
  peerConnected: ({ member }) => ({ member }),
  highestCertificateReported: ({ member, view }) => ({ member, view }),
  timerFired: ({ timer }) => ({ timer }),
};

const NOTICES: ByKind<PeerNotice> = {
  vote: ({ vote, view, hash }) => ({ vote, view, hash }),
  proposal: ({ hash }) => ({ hash }),
  certificate: ({ certificate, view, hash }) => ({ certificate, view, hash }),
  bundles: ({ digests }) => ({ bundles: digests.length }),
  root: ({ height, root }) => ({ height, root }),
  ancestryRequest: ({ view }) => ({ view }),
  surveyRequest: () => ({}),
};

const noticeFields = (notice: PeerNotice): Fields => ({
  message: notice.kind,
  ...(NOTICES[notice.kind] as (notice: PeerNotice) => Fields)(notice),
});

const EFFECTS: ByType<ConsensusEffect> = {
  recordVote: ({ kind, view, hash }) => ({ kind, view, hash }),
  recordProposal: ({ view, hash }) => ({ view, hash }),
  recordCandidate: ({ hash }) => ({ hash }),
  recordCertificate: ({ kind, view, hash, signers }) => ({ kind, view, hash, ...(signers !== null && { signers }) }),
  recordVerdict: ({ view, hash, verdict }) => ({ view, hash, verdict }),
  recordVotesAbove: ({ view }) => ({ view }),
  recordFinal: ({ hashes, view }) => ({ view, blocks: hashes.length, hash: hashes.at(-1) ?? null }),
  recordEvidence: ({ evidence: { kind, member, view } }) => ({ kind, member, view }),
  send: ({ to, notice }) => ({ member: to, ...noticeFields(notice) }),
  broadcast: ({ notice }) => noticeFields(notice),
  passOn: ({ certificate, view, hash }) => ({ certificate, view, hash }),
  setTimer: ({ timer, ms }) => ({ timer, ms }),
  clearTimer: ({ timer }) => ({ timer }),
  requestSignature: ({ kind, view, hash }) => ({ kind, view, hash }),
  requestJudgement: ({ hash }) => ({ hash }),
  requestBlock: ({ hash, view }) => ({ hash, view }),
  requestProposal: ({ view, parent, parentView, parentHeight, bundles, checkpoint }) => ({
    view,
    parent,
    parentView,
    parentHeight,
    bundles: bundles.length,
    ...(checkpoint !== null && { checkpoint }),
  }),
  requestSynchronisation: ({ view, hash }) => ({ view, hash }),
  halt: ({ height, root, theirs }) => ({ height, root, theirs }),
  refuseInput: ({ reason, member }) => ({ reason, member }),
};

/** An event or effect, shown. */
export const eventSummary = (event: ConsensusEvent): Summary => ({
  type: event.type,
  ...(EVENTS[event.type] as (event: ConsensusEvent) => Fields)(event),
});

export const effectSummary = (effect: ConsensusEffect): Summary => ({
  type: effect.type,
  ...(EFFECTS[effect.type] as (effect: ConsensusEffect) => Fields)(effect),
});

/**
 * What is kept of a message until somebody asks: its scalar fields, and of a block its header, which is read then. Never its bytes
 * beyond that, so that what is kept is small whatever was sent.
 */
export type MessageNote = { readonly fields: Summary; readonly header?: Uint8Array; readonly body?: Uint8Array };

const MESSAGES: { readonly [K in PeerMessage["kind"]]: (message: OfKind<PeerMessage, K>) => Fields } = {
  proposal: () => ({}),
  vote: ({ vote, epoch, view, hash, member }) => ({ vote, epoch, view, hash, member }),
  certificate: ({ certificate: { kind, epoch, view, blockHash } }) => ({
    certificate: kind,
    epoch,
    view,
    hash: blockHash,
  }),
  bundle: ({ bundle }) => ({ bytes: bundle.length }),
  bundleRequest: ({ digests }) => ({ bundles: digests.length }),
  blockRequest: ({ hash }) => ({ hash }),
  block: () => ({}),
  ancestryRequest: ({ epoch, view }) => ({ epoch, view }),
  eventsRequest: ({ from }) => ({ from }),
  events: ({ from, events }) => ({ from, events: events.length }),
  root: ({ height, root, member }) => ({ height, root, member }),
  surveyRequest: () => ({}),
  survey: ({ view }) => ({ view }),
  statement: ({ statement: { height, root }, member }) => ({ height, root, member }),
  checkpointRequest: ({ from, above }) => ({ from, above }),
  checkpoint: ({ segments }) => ({ segments: segments.length }),
  segmentRequest: ({ digest }) => ({ digest }),
  segment: ({ segment }) => ({ bytes: segment.length }),
};

export function noteOf(message: PeerMessage): MessageNote {
  const fields = { type: message.kind, ...(MESSAGES[message.kind] as (message: PeerMessage) => Fields)(message) };
  return message.kind === "proposal" || message.kind === "block"
    ? { fields, header: message.block.header, body: message.block.body }
    : { fields };
}

export function messageSummary({ fields, header: bytes, body: bodyBytes }: MessageNote): Summary {
  const header = bytes && decode(headerShape, bytes, HEADER_BYTES_MAX);
  if (bytes === undefined || !header?.ok) return fields;
  const { height, epoch, view, parentView, parent, time } = header.value;
  const body = bodyBytes && decode(bodyShape, bodyBytes, BODY_BYTES_MAX);
  const bundles = body?.ok && body.value.kind === "executions" ? body.value.bundles.length : 0;
  return { ...fields, hash: blockHash(bytes), height, epoch, view, parentView, parent, time, bundles };
}

/** Each value of a record, shown. */
const each = <V>(record: Readonly<Record<string, V>>, show: (value: V) => unknown): unknown =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, show(value)]));

const timingFields = ({ delta, leader, advance, repeat, standstill, growth, cap }: Context["timings"]): unknown => ({
  delta,
  leader,
  advance,
  repeat,
  standstill,
  growth,
  cap,
});

const finalFields = ({ hash, height, view, time, executedHeight, checkpoint }: Context["final"]): unknown => ({
  hash,
  height,
  view,
  time,
  executedHeight,
  checkpoint,
});

/** Of its context: positions, votes and digests; each field by name, and each field of what a field holds. */
export function consensusContext(context: Context): unknown {
  const { epoch, self, size, timings, view, final, pendingFinal, candidates, proposals, notarizations } = context;
  const { nullifications, verdicts, own, tallies, equivocated, executed, roots, provable, spokenViews } = context;
  const { lastHeard, nullified, proposing, awaitsClock, timersArmed, asked, synchronising, votesAbove } = context;
  const { survey, halted, attested, mempool } = context;
  const shown = Object.values(candidates).map((one) => ({
    ...blockFields(one),
    body: one.body,
    checkpoint: one.checkpoint,
  }));
  return {
    epoch,
    self,
    size,
    timings: timingFields(timings),
    view,
    final: finalFields(final),
    pendingFinal: pendingFinal && { view: pendingFinal.view, hash: pendingFinal.hash },
    candidates: shown,
    proposals,
    notarizations,
    nullifications,
    verdicts,
    own: each(own, ({ notarize, nullify, finalize }) => ({ notarize, nullify, finalize })),
    tallies: each(tallies, ({ notarize, nullify, finalize, accused }) => ({ notarize, nullify, finalize, accused })),
    equivocated,
    executed,
    roots,
    provable,
    mempool: { count: mempool.length, oldest: mempool.slice(0, MEMPOOL_SHOWN_MAX) },
    spokenViews,
    lastHeard,
    nullified,
    proposing,
    awaitsClock,
    timersArmed,
    asked,
    synchronising,
    votesAbove,
    survey,
    halted: halted && { height: halted.height, root: halted.root, theirs: halted.theirs },
    attested: each(attested, ({ height, root }) => ({ height, root })),
  };
}

/** Digests, oldest first: enough to recognise them. */
const MEMPOOL_SHOWN_MAX = 64;
