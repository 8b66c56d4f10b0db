/**
 * Judges proofs (proof.ts) with nothing but the keys of the founding document. Pure; what is proven comes back as data, and only that.
 *
 * What q members' signatures mean: at least one honest member among any f + 1 of them has checked the block, holds every block before it,
 * and has executed it up to `executed.height` with that root (consensus rules 3 and 4). Everything else here is hashing.
 */
import type { Aid, CommandId, Digest, Height, LogTime, MemberIndex } from "../../base/brands.ts";
import { height as heightOf } from "../../base/brands.ts";
import { digestBytes } from "../../base/bytes.ts";
import { decode, decodeSequence } from "../../base/codec.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import { domainDigest, sha256 } from "../../crypto/hash.ts";
import { verifyConsistency, verifyInclusion } from "../../crypto/merkle.ts";
import { BODY_BYTES_MAX, type Body, HEADER_BYTES_MAX, type Header, bodyShape, headerShape } from "./block.ts";
import { BUNDLE_BYTES_MAX, bundleBodyShape, bundleShape } from "./bundle.ts";
import { type Command, SIGNED_BYTES_MAX, type SignedBody, signedBodyShape, signedShape } from "./command.ts";
import { type Fact, type OutcomeFact, factShape } from "./fact.ts";
import { type Electorate, finalises, signersOf } from "./finality.ts";
import { blockHash, bodyHash, bundleDigest, clusterOf, commandDigest, signedDigest } from "./hashing.ts";
import {
  type CertifiedHeader,
  type ConsistencyProof,
  type Execution,
  type Inclusion,
  type InclusionProof,
  type KeyStateProof,
  type Proof,
  type ProofFileRefusal,
  decodeProof,
} from "./proof.ts";

/** A header that q members of the epoch made final. */
export interface ProvenHead {
  readonly height: Height;
  readonly hash: Digest;
  /** Root over all blocks before it. */
  readonly logRoot: Digest;
  readonly time: LogTime;
  readonly executed: Header["executed"];
  /** Whose signatures the certificate holds, by their place in the founding document. */
  readonly signers: readonly MemberIndex[];
}

/** A block that is in the log. */
export interface ProvenBlock {
  readonly height: Height;
  readonly hash: Digest;
  readonly time: LogTime;
  readonly body: Body;
  /** By which it was proven; its own, or a later one. */
  readonly head: ProvenHead;
}

/** A command as its author signed it, within a block that is in the log. */
export interface ProvenCommand {
  readonly author: Aid;
  readonly principal: Aid | null;
  readonly keyState: SignedBody["keyState"];
  readonly command: Command;
  /** By which receipts of batches know it. */
  readonly batch: Digest;
  /**
   * Whether the log accepted this batch, so that its signature held under the key state that it names. False where what the block did is
   * not proven, or tells no more than that some batch of the author was refused in it: members may order batches that nobody signed.
   */
  readonly isAccepted: boolean;
}

/** What the block did, as q members' executed root says. */
export interface ProvenEffects {
  /** Every fact of the block, in order. */
  readonly facts: readonly Fact[];
  /** Root after the block. */
  readonly root: Digest;
}

export interface ProvenInclusion {
  readonly kind: "inclusion";
  readonly block: ProvenBlock;
  readonly subject: InclusionProof["subject"];
  /** Of the subject "command". */
  readonly command: ProvenCommand | null;
  /** How the command was settled, if that is proven; a duplicate is settled by its first result and has none here. */
  readonly outcome: Fact | null;
  /** Facts of the subject: all of the block, the one named, or those of the command. Null where only the place in the log is proven. */
  readonly facts: readonly Fact[] | null;
}
export interface ProvenConsistency {
  readonly kind: "consistency";
  readonly older: ProvenHead;
  readonly newer: ProvenHead;
}
/** The last event of an identifier up to a height, as the log accepted it; what the events say, keri judges (client/key-state-proof.ts). */
export interface ProvenKeyEvents {
  readonly kind: "keyState";
  readonly aid: Aid;
  /** No later event of the identifier was accepted up to this height. */
  readonly through: Height;
  /** The block that accepted the last event, and the fact that says so. */
  readonly block: ProvenBlock;
  readonly accepted: Fact;
  /** Null for an inception of the founding document, whose bytes alone are known. */
  readonly last: { readonly sn: number; readonly said: string } | null;
  /** The last event's exact bytes. */
  readonly event: Uint8Array;
  /** Events up to the last one, not judged here. */
  readonly kel: Uint8Array;
}
export interface ProvenHeadAlone {
  readonly kind: "head";
  readonly head: ProvenHead;
}
export type Proven = ProvenHeadAlone | ProvenInclusion | ProvenConsistency | ProvenKeyEvents;

export type ProofRefusal =
  | ProofFileRefusal
  | Refusal<
      | "PROOF_FOREIGN"
      | "PROOF_UNCERTIFIED"
      | "PROOF_BLOCK"
      | "PROOF_PATH"
      | "PROOF_SUBJECT"
      | "PROOF_ROOT"
      | "PROOF_STALE"
      | "PROOF_SUPERSEDED"
    >;
type Judged<T> = Result<T, ProofRefusal>;

/** Judges a proof file. Bounds: PROOF_BYTES_MAX. Refuses: see ProofRefusal; never throws for any bytes. */
export function verifyProof(file: Uint8Array, members: Electorate): Judged<Proven> {
  const opened = decodeProof(file);
  if (!opened.ok) return opened;
  if (opened.value.cluster !== members.cluster)
    return refuse(
      "PROOF_FOREIGN",
      `The proof is about cluster ${opened.value.cluster}; the founding document is that of ${members.cluster}.`,
      "peer",
    );
  return judge(opened.value.proof, members);
}

function judge(proof: Proof, members: Electorate): Judged<Proven> {
  switch (proof.kind) {
    case "head": {
      const head = judgeHead(proof.head, members);
      return head.ok ? ok({ kind: "head", head: head.value }) : head;
    }
    case "inclusion":
      return judgeInclusionProof(proof, members);
    case "consistency":
      return judgeConsistency(proof, members);
    case "keyState":
      return judgeKeyState(proof, members);
  }
}

const uncertified = (why: string) => refuse("PROOF_UNCERTIFIED", `No certificate makes it final: ${why}.`, "peer");
const wrongSubject = (why: string) => refuse("PROOF_SUBJECT", `What the proof names is not there: ${why}.`, "peer");
const wrongRoot = (why: string) => refuse("PROOF_ROOT", `What was done is not proven: ${why}.`, "peer");

function judgeHead(certified: CertifiedHeader, members: Electorate): Judged<ProvenHead> {
  const header = decode(headerShape, certified.header, HEADER_BYTES_MAX);
  if (!header.ok) return header;
  const { height, epoch, logRoot, time, executed } = header.value;
  const hash = blockHash(certified.header);
  if (epoch !== members.epoch)
    return uncertified(`its header is of epoch ${epoch}, whose keys the founding document does not hold`);
  if (!finalises(members, hash, { kind: "finalization", ...certified }))
    return uncertified("the certificate is not one of enough distinct members of its epoch over this header");
  const signers = signersOf(certified.certificate, members.keys.length) ?? [];
  return ok({ height, hash, logRoot, time, executed, signers });
}

function judgeInclusion({ block, path, head }: Inclusion, members: Electorate): Judged<ProvenBlock> {
  const proven = judgeHead(head, members);
  if (!proven.ok) return proven;
  const header = decode(headerShape, block.header, HEADER_BYTES_MAX);
  if (!header.ok) return header;
  const hash = blockHash(block.header);
  const { height, time } = header.value;
  const isHead = hash === proven.value.hash && path.length === 0;
  if (!isHead && !verifyInclusion(hash, height, proven.value.height, proven.value.logRoot, path))
    return refuse(
      "PROOF_PATH",
      `The Merkle path does not lead from block ${height} to the log's root at height ${proven.value.height}.`,
      "peer",
    );
  if (bodyHash(block.body) !== header.value.bodyHash)
    return refuse("PROOF_BLOCK", `The body is not the one that the header of block ${height} names.`, "peer");
  const body = decode(bodyShape, block.body, BODY_BYTES_MAX);
  if (!body.ok) return body;
  if (body.value.kind === "genesis" && clusterOf(body.value.document) !== members.cluster)
    return refuse("PROOF_FOREIGN", "The genesis block holds another founding document.", "peer");
  return ok({ height, hash, time, body: body.value, head: proven.value });
}

/** Roots from the one before the block up to the one that the certified header names. */
function judgeExecution(
  { before, steps }: Execution,
  { height, hash, head }: ProvenBlock,
): Judged<{ readonly factsOf: readonly Uint8Array[]; readonly root: Digest }> {
  if (steps[0]?.hash !== hash) return wrongRoot(`its facts are not those of block ${height}`);
  if (height + steps.length - 1 !== head.executed.height)
    return wrongRoot(`its ${steps.length} steps do not end at height ${head.executed.height}, which the header names`);
  const factsOf: Uint8Array[] = [];
  let root = before;
  let first: Digest | undefined;
  for (const [i, step] of steps.entries()) {
    if (step.kind === "facts" && factsOf.length !== i) return wrongRoot("facts stand behind digests");
    if (step.kind === "facts") factsOf.push(step.facts);
    const digest = step.kind === "facts" ? sha256(step.facts) : digestBytes(step.digest);
    root = domainDigest("root", digestBytes(root), digestBytes(step.hash), digest);
    first ??= root;
  }
  if (root !== head.executed.root)
    return wrongRoot(`the facts do not lead to the root that the header of height ${head.height} names`);
  if (factsOf.length === 0 || first === undefined) return wrongRoot("it holds no facts");
  return ok({ factsOf, root: first });
}

function openFacts(bytes: Uint8Array, height: Height): Judged<readonly Fact[]> {
  const facts = decodeSequence(factShape, bytes);
  if (!facts.ok) return facts;
  return facts.value.every((fact) => fact.height === height)
    ? facts
    : wrongRoot(`facts of another height stand among those of block ${height}`);
}

function judgeInclusionProof(proof: InclusionProof, members: Electorate): Judged<ProvenInclusion> {
  const block = judgeInclusion(proof.inclusion, members);
  if (!block.ok) return block;
  const effects = proof.execution === null ? undefined : judgeEffects(proof.execution, block.value);
  if (effects?.ok === false) return effects;
  const facts = effects?.value.facts ?? null;
  const given = { kind: "inclusion", block: block.value, subject: proof.subject } as const;
  const { subject, bundle } = proof;
  if (subject.kind === "command") return judgeCommand(subject, bundle, given, facts);
  if (bundle !== null) return wrongSubject("a bundle belongs to the proof of a command alone");
  if (subject.kind === "block") return ok({ ...given, command: null, outcome: null, facts });
  if (facts === null) return wrongSubject("a fact is proven by what its block did, which is missing");
  const fact = facts.find(({ index, n }) => index === subject.index && n === subject.n);
  if (fact === undefined)
    return wrongSubject(`block ${block.value.height} has no fact ${subject.n} of command ${subject.index}`);
  const outcome = facts.find(({ index, data }) => index === subject.index && isOutcome(data)) ?? null;
  return ok({ ...given, command: null, outcome, facts: [fact] });
}

function judgeEffects(execution: Execution, block: ProvenBlock): Judged<ProvenEffects> {
  const judged = judgeExecution(execution, block);
  if (!judged.ok) return judged;
  const [bytes, more] = judged.value.factsOf;
  if (bytes === undefined || more !== undefined) return wrongRoot("it holds facts of other blocks");
  const facts = openFacts(bytes, block.height);
  return facts.ok ? ok({ facts: facts.value, root: judged.value.root }) : facts;
}

const isOutcome = (data: Fact["data"]): data is OutcomeFact =>
  data.kind === "commandExecuted" || data.kind === "commandRefused";

function judgeCommand(
  subject: { readonly author: Aid; readonly id: CommandId },
  bundle: Uint8Array | null,
  given: Pick<ProvenInclusion, "kind" | "block" | "subject">,
  facts: readonly Fact[] | null,
): Judged<ProvenInclusion> {
  const { body, height } = given.block;
  if (bundle === null) return wrongSubject("the bundle that carries the command is missing");
  if (body.kind !== "executions" || !body.bundles.includes(bundleDigest(bundle)))
    return wrongSubject(`block ${height} does not name the bundle`);
  const found = findCommand(bundle, subject);
  if (found === undefined) return wrongSubject(`the bundle carries no command ${subject.id} of ${subject.author}`);
  if (facts === null) return ok({ ...given, command: { ...found, isAccepted: false }, outcome: null, facts: null });
  const { author, principal } = found;
  // Where facts place a batch depends on all bundles before it, so any refused one of the author's may be this one.
  const isAccepted = !facts.some(({ data }) => data.kind === "batchRefused" && data.author === author);
  const command = { ...found, isAccepted };
  const digest = commandDigest(found.command);
  const outcome = facts.find(
    ({ data }) =>
      isOutcome(data) &&
      data.author === author &&
      data.principal === principal &&
      data.id === subject.id &&
      data.digest === digest,
  );
  // Of a duplicate, and of a batch that was refused as a whole, the block has no outcome: it is shown as ordered, and all facts beside it.
  if (outcome === undefined) return ok({ ...given, command, outcome: null, facts: [] });
  return ok({ ...given, command, outcome, facts: facts.filter(({ index }) => index === outcome.index) });
}

/** The first command of this author and id among the batches of a bundle, whoever made them. */
export function findCommand(
  bundle: Uint8Array,
  { author, id }: { readonly author: Aid; readonly id: CommandId },
): Omit<ProvenCommand, "isAccepted"> | undefined {
  const opened = decode(bundleShape, bundle, BUNDLE_BYTES_MAX + 128);
  const body = opened.ok ? decode(bundleBodyShape, opened.value.body, BUNDLE_BYTES_MAX) : opened;
  if (!body.ok) return undefined;
  for (const bytes of body.value.signed) {
    const signed = decode(signedShape, bytes, SIGNED_BYTES_MAX);
    const batch = signed.ok ? decode(signedBodyShape, signed.value.body, SIGNED_BYTES_MAX) : signed;
    if (!batch.ok || batch.value.author !== author) continue;
    const command = batch.value.commands.find((one) => one.id === id);
    if (command === undefined) continue;
    const { principal, keyState } = batch.value;
    return { author, principal, keyState, command, batch: signedDigest(bytes) };
  }
  return undefined;
}

function judgeConsistency(proof: ConsistencyProof, members: Electorate): Judged<ProvenConsistency> {
  const older = judgeHead(proof.older, members);
  if (!older.ok) return older;
  const newer = judgeHead(proof.newer, members);
  if (!newer.ok) return newer;
  const [before, after] = [older.value, newer.value];
  if (before.height > after.height)
    return refuse(
      "PROOF_STALE",
      `The newer head is of height ${after.height}, before the older one of ${before.height}: it is stale.`,
      "peer",
    );
  const isSame = before.hash === after.hash && proof.inclusion.length === 0;
  const isPrefix = verifyConsistency(
    { size: before.height, root: before.logRoot },
    { size: after.height, root: after.logRoot },
    proof.consistency,
  );
  if (!isPrefix)
    return refuse("PROOF_PATH", "The log of the older head is not shown to be a prefix of the newer one.", "peer");
  if (!isSame && !verifyInclusion(before.hash, before.height, after.height, after.logRoot, proof.inclusion))
    return refuse("PROOF_PATH", "The older head's own block is not shown to be in the newer log.", "peer");
  return ok({ kind: "consistency", older: before, newer: after });
}

/** The fact that puts an event of this identifier in force. */
function acceptedOf(facts: readonly Fact[], aid: Aid): Fact | undefined {
  return facts.findLast(
    ({ data }) => (data.kind === "keyEventAccepted" || data.kind === "identifierIncepted") && data.aid === aid,
  );
}

function judgeKeyState(proof: KeyStateProof, members: Electorate): Judged<ProvenKeyEvents> {
  const block = judgeInclusion(proof.inclusion, members);
  if (!block.ok) return block;
  const executed = judgeExecution(proof.execution, block.value);
  if (!executed.ok) return executed;
  const { aid, kel } = proof;
  const { height } = block.value;
  let accepted: Fact | undefined;
  for (const [i, bytes] of executed.value.factsOf.entries()) {
    const facts = openFacts(bytes, heightOf(height + i));
    if (!facts.ok) return facts;
    const found = acceptedOf(facts.value, aid);
    if (i > 0 && found !== undefined)
      return refuse(
        "PROOF_SUPERSEDED",
        `Block ${height + i} accepted a newer event of ${aid} than the one that is shown.`,
        "peer",
      );
    accepted ??= found;
  }
  if (accepted === undefined) return wrongSubject(`block ${height} accepted no event of ${aid}`);
  const through = heightOf(height + executed.value.factsOf.length - 1);
  const { data } = accepted;
  const given = { kind: "keyState", aid, kel, through, block: block.value, accepted } as const;
  if (data.kind === "keyEventAccepted")
    return ok({ ...given, last: { sn: data.sn, said: data.said }, event: data.event });
  if (data.kind === "identifierIncepted") return ok({ ...given, last: null, event: data.icp });
  return wrongSubject("the fact puts no event in force");
}
