/** Every wire type with a generator of its values, for property tests, goldens and pinned digests. */
import fc, { type Arbitrary } from "fast-check";
import type {
  Aid,
  CommandId,
  Digest,
  Epoch,
  Height,
  LogTime,
  MemberIndex,
  Said,
  View,
} from "../../../src/base/brands.ts";
import { toHex } from "../../../src/base/bytes.ts";
import type { Shape } from "../../../src/base/codec.ts";
import {
  type Block,
  type Body,
  type Certificate,
  type Checkpoint,
  type FinalityProof,
  type Header,
  CERTIFICATE_KINDS,
  blockShape,
  bodyShape,
  certificateShape,
  finalityProofShape,
  headerShape,
} from "../../../src/events/facts/block.ts";
import { type Bundle, type BundleBody, bundleBodyShape, bundleShape } from "../../../src/events/facts/bundle.ts";
import { type CertificateRecord, RECORDED_ROLES, REVOCATION_REASONS } from "../../../src/events/facts/certificate.ts";
import type { CheckpointStatement } from "../../../src/events/facts/checkpoint.ts";
import {
  COMMAND_KINDS,
  type Command,
  type Signed,
  type SignedBody,
  commandShape,
  signedBodyShape,
  signedShape,
} from "../../../src/events/facts/command.ts";
import { type Fact, type FactData, factShape } from "../../../src/events/facts/fact.ts";
import {
  type FoundingDocument,
  type SignedFounding,
  foundingDocumentShape,
  signedFoundingShape,
} from "../../../src/events/facts/founding.ts";
import { type GraphChange, type GraphWrite, graphWriteShape } from "../../../src/events/facts/graph.ts";
import { type PeerMessage, peerMessageShape } from "../../../src/events/facts/peer-message.ts";

export interface WireType<T> {
  readonly name: string;
  readonly shape: Shape<T>;
  readonly values: Arbitrary<T>;
}

const natural = <T extends number>(): Arbitrary<T> =>
  fc.oneof(
    fc.nat({ max: 300 }),
    fc.constantFrom(127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
    fc.maxSafeNat(),
  ) as Arbitrary<number> as Arbitrary<T>;
const raw = (min: number, max = min): Arbitrary<Uint8Array> => fc.uint8Array({ minLength: min, maxLength: max });
const hexText = <T extends string>(length: number): Arbitrary<T> => raw(length).map((bytes) => toHex(bytes) as T);
const digest = hexText<Digest>(32);
const name = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.constantFrom("", "é".repeat(16), "a".repeat(255), "€".repeat(86)),
);
const cesr = <T extends string>(): Arbitrary<T> =>
  fc
    .string({ unit: fc.constantFrom(...Array.from("ABCXYZabcxyz0189-_")), minLength: 43, maxLength: 43 })
    .map((text) => `E${text}` as T);
const aid = cesr<Aid>();
const some = (max: number, min = 1): Arbitrary<Uint8Array> => raw(min, max);
const few = <T>(item: Arbitrary<T>, min = 0, max = 3): Arbitrary<T[]> =>
  fc.array(item, { minLength: min, maxLength: max });
const kinds = <const K extends string, V extends object>(
  names: readonly K[],
  fields: Arbitrary<V>,
): Arbitrary<{ kind: K } & V> =>
  fc.tuple(fc.constantFrom(...names), fields).map(([kind, value]) => ({ kind, ...value }));

const relation = fc.record({ namespace: name, name });
const node = fc.record({ namespace: name, name, relation });
const assertion = fc.record({ subject: node, object: node });
const nodeEdge = fc.record({ parent: node, child: node });
const relationEdge = fc.record({ parent: relation, child: relation });

const change: Arbitrary<GraphChange> = fc.oneof(
  kinds(["addNamespace", "deleteNamespace"], fc.record({ namespace: name })),
  kinds(["addRelation", "deleteRelation"], fc.record({ relation })),
  kinds(["addSubject", "deleteSubject"], fc.record({ subject: node })),
  kinds(["addObject", "deleteObject"], fc.record({ object: node })),
  kinds(["addAssertion", "deleteAssertion"], fc.record({ assertion })),
  kinds(["mapRelation", "unmapRelation"], fc.record({ edge: relationEdge })),
  kinds(["mapSubject", "unmapSubject", "mapObject", "unmapObject"], fc.record({ edge: nodeEdge })),
);
const graphWrite: Arbitrary<GraphWrite> = fc.record({
  changes: few(change, 1),
  preconditions: few(kinds(["mustExist", "mustNotExist"], fc.record({ assertion })), 0, 2),
});

/** Of version 2: those that version 1 can say are "graph-write" still. */
const notedWrite: Arbitrary<GraphWrite> = fc
  .tuple(graphWrite, name)
  .map(([write, note]) => ({ ...write, note: note === "" ? "?" : note }));

const principal = fc.option(aid);
const id = hexText<CommandId>(16);
const escrowReason = fc.constantFrom(
  "out-of-order" as const,
  "partially-signed" as const,
  "partially-witnessed" as const,
  "awaiting-anchor" as const,
  "unverified-receipt" as const,
);
const keyEvent = { aid, sn: natural<number>(), said: cesr<Said>() };
const certificateRecord: Arbitrary<CertificateRecord> = fc.record({
  issuer: digest,
  serial: hexText<string>(20),
  aid,
  role: fc.constantFrom(...RECORDED_ROLES),
  spkiHash: digest,
  notBefore: natural<number>(),
  notAfter: natural<number>(),
});
const factData: Arbitrary<FactData> = fc.oneof(
  kinds(["namespaceAdded", "namespaceDeleted"], fc.record({ namespace: name })),
  kinds(["relationAdded", "relationDeleted"], fc.record({ relation })),
  kinds(["subjectAdded", "subjectDeleted"], fc.record({ subject: node })),
  kinds(["objectAdded", "objectDeleted"], fc.record({ object: node })),
  kinds(["assertionAdded", "assertionDeleted"], fc.record({ assertion })),
  kinds(["relationMapped", "relationUnmapped"], fc.record({ edge: relationEdge })),
  kinds(["subjectMapped", "subjectUnmapped", "objectMapped", "objectUnmapped"], fc.record({ edge: nodeEdge })),
  kinds(
    ["commandExecuted"],
    fc.record({ author: aid, principal, id, digest, notAfter: natural<LogTime>(), changed: few(fc.boolean()) }),
  ),
  kinds(
    ["commandRefused"],
    fc.record({
      author: aid,
      principal,
      id,
      digest,
      notAfter: natural<LogTime>(),
      code: fc.constantFrom("EXPIRED", "DEFECT"),
      message: name,
    }),
  ),
  kinds(["identifierIncepted"], fc.record({ aid, icp: some(400) })),
  kinds(
    ["batchRefused"],
    fc.record({ author: fc.option(aid), code: fc.constantFrom("KEY_STATE", "SIGNATURE"), message: name }),
  ),
  kinds(["checkpointOrdered"], fc.record({ checkpoint: natural<Height>(), root: digest, segments: digest })),
  kinds(
    ["keyEventAccepted"],
    fc.record({
      ...keyEvent,
      event: some(300),
      attached: some(200, 0),
      superseded: few(cesr<Said>()),
      anchor: fc.option(fc.record({ sn: natural<number>(), said: cesr<Said>() })),
      signers: few(cesr<string>()),
    }),
  ),
  kinds(
    ["keyEventEscrowed"],
    fc.record({
      ...keyEvent,
      reason: escrowReason,
      waitsFor: aid,
      event: some(300),
      attached: some(200, 0),
    }),
  ),
  kinds(
    ["keyEventDropped"],
    fc.record({
      ...keyEvent,
      reason: escrowReason,
      waitsFor: aid,
      code: fc.constantFrom("KERI_EXPIRED", "KERI_RULE"),
    }),
  ),
  kinds(["keriReceiptAdded"], fc.record({ ...keyEvent, attached: some(300), signers: few(cesr<string>()) })),
  kinds(["keyEventForked"], fc.record({ ...keyEvent, event: some(300), attached: some(200, 0) })),
  kinds(
    ["keriReplyAccepted"],
    fc.record({
      aid,
      said: cesr<Said>(),
      signedAt: natural<number>(),
      reply: some(300),
      attached: some(200, 0),
    }),
  ),
  kinds(["certificateIssued"], fc.record({ record: certificateRecord })),
  kinds(
    ["certificateRevoked"],
    fc.record({ record: certificateRecord, reason: fc.constantFrom(...REVOCATION_REASONS) }),
  ),
);
const fact: Arbitrary<Fact> = fc.record({
  height: natural<Height>(),
  index: natural<number>(),
  n: natural<number>(),
  data: factData,
});

const header: Arbitrary<Header> = fc.record({
  height: natural<Height>(),
  epoch: natural<Epoch>(),
  view: natural<View>(),
  parentView: natural<View>(),
  parent: digest,
  bodyHash: digest,
  logRoot: digest,
  lastReconfigure: natural<Height>(),
  lastCheckpoint: natural<Height>(),
  time: natural<LogTime>(),
  executed: fc.record({ height: natural<Height>(), root: digest }),
});
const statement: Arbitrary<CheckpointStatement> = fc.record({
  epoch: natural<Epoch>(),
  height: natural<Height>().map((height) => Math.max(1, height) as Height),
  root: digest,
  segments: digest,
});
const checkpoint: Arbitrary<Checkpoint> = fc.record({ statement, signers: some(3), signatures: few(raw(64), 1, 17) });
const body: Arbitrary<Body> = fc.oneof(
  kinds(["genesis"], fc.record({ document: some(200) })),
  kinds(["executions"], fc.record({ bundles: few(digest, 0, 20) })),
  kinds(["checkpoint"], fc.record({ checkpoint })),
);
const block: Arbitrary<Block> = fc.record({ header: some(300), body: some(300) });
const certificate: Arbitrary<Certificate> = fc.record({
  kind: fc.constantFrom(...CERTIFICATE_KINDS),
  epoch: natural<Epoch>(),
  view: natural<View>(),
  blockHash: fc.option(digest),
  signers: some(3),
  signatures: few(raw(64), 1, 17),
});
const proof: Arbitrary<FinalityProof> = fc.oneof(
  kinds(["none"], fc.constant({})),
  kinds(["genesis"], fc.record({ signatures: some(300) })),
  kinds(["finalization"], fc.record({ certificate, headers: few(some(300)) })),
);

const command: Arbitrary<Command> = fc.record({
  id,
  kind: fc.constantFrom(...COMMAND_KINDS),
  payload: some(300),
  notAfter: natural<LogTime>(),
});
const signedBody: Arbitrary<SignedBody> = fc.record({
  cluster: digest,
  author: aid,
  principal,
  keyState: fc.record({ sn: natural<number>(), said: cesr<Said>() }),
  commands: few(command, 1, 18),
});
const signed: Arbitrary<Signed> = fc.record({
  body: some(300),
  signatures: few(fc.record({ index: fc.nat({ max: 63 }), sig: raw(64) }), 1),
});
const member = fc.nat({ max: 255 }) as Arbitrary<number> as Arbitrary<MemberIndex>;
const bundleBody: Arbitrary<BundleBody> = fc.record({
  cluster: digest,
  epoch: natural<Epoch>(),
  member,
  signed: few(some(300), 1),
});
const bundle: Arbitrary<Bundle> = fc.record({ body: some(70_000), signature: raw(64) });

const identifier = fc.record({ aid, icp: some(400) });
const endpoints = fc.record({ api: name, approach: name, cluster: name, service: name });
const founding: Arbitrary<FoundingDocument> = fc.record({
  name: fc.string({ maxLength: 30 }),
  dev: fc.boolean(),
  founders: few(
    fc.record({
      aid,
      icp: some(400),
      name: fc.string({ maxLength: 30 }),
      epochKey: raw(32),
      bootKey: raw(32),
      issuer: some(600),
      endpoints,
    }),
    4,
    5,
  ),
  operators: few(fc.record({ aid, icp: some(400), name: fc.string({ maxLength: 30 }), hpkeKey: raw(32) }), 1),
  threshold: fc.integer({ min: 1, max: 100 }),
  admins: few(identifier, 1),
  gateways: few(aid),
  clients: few(identifier),
});
const signedFounding: Arbitrary<SignedFounding> = fc.record({
  document: some(300),
  signatures: few(fc.record({ aid, sig: raw(64) })),
});

const peerMessage: Arbitrary<PeerMessage> = fc.oneof(
  kinds(["proposal"], fc.record({ block, signature: raw(64) })),
  kinds(
    ["vote"],
    fc.record({
      vote: fc.constantFrom("notarize" as const, "nullify" as const, "finalize" as const),
      epoch: natural<Epoch>(),
      view: natural<View>(),
      hash: fc.option(digest),
      member,
      signature: raw(64),
    }),
  ),
  kinds(["certificate"], fc.record({ certificate })),
  kinds(["bundle"], fc.record({ bundle: some(300) })),
  kinds(["bundleRequest"], fc.record({ digests: few(digest, 1) })),
  kinds(["blockRequest"], fc.record({ hash: digest })),
  kinds(["block"], fc.record({ block })),
  kinds(["ancestryRequest"], fc.record({ epoch: natural<Epoch>(), view: natural<View>() })),
  kinds(["eventsRequest"], fc.record({ from: natural<Height>() })),
  kinds(
    ["events"],
    fc.record({ from: natural<Height>(), events: few(fc.record({ block, proof, bundles: few(some(300)) })) }),
  ),
  kinds(["root"], fc.record({ height: natural<Height>(), root: digest, member, signature: raw(64) })),
  kinds(["surveyRequest"], fc.record({ nonce: raw(16) })),
  kinds(["survey"], fc.record({ nonce: raw(16), view: natural<View>() })),
  kinds(["statement"], fc.record({ statement, member, signature: raw(64) })),
  kinds(["checkpointRequest"], fc.record({ from: natural<Height>(), above: natural<Height>() })),
  kinds(["checkpoint"], fc.record({ block, proof, segments: few(digest, 1, 20) })),
  kinds(["segmentRequest"], fc.record({ digest })),
  kinds(["segment"], fc.record({ segment: some(300) })),
);

/** A wire type whose value type is forgotten: generator and shape still belong together. */
const wireType = <T>(name_: string, shape: Shape<T>, values: Arbitrary<T>): WireType<unknown> => ({
  name: name_,
  shape: shape as Shape<unknown>,
  values,
});

export const WIRE_TYPES: readonly WireType<unknown>[] = [
  wireType("header", headerShape, header),
  wireType("body", bodyShape, body),
  wireType("block", blockShape, block),
  wireType("certificate", certificateShape, certificate),
  wireType("finality-proof", finalityProofShape, proof),
  wireType("command", commandShape, command),
  wireType("signed-body", signedBodyShape, signedBody),
  wireType("signed", signedShape, signed),
  wireType("bundle-body", bundleBodyShape, bundleBody),
  wireType("bundle", bundleShape, bundle),
  wireType("graph-write", graphWriteShape, graphWrite),
  wireType("noted-write", graphWriteShape, notedWrite),
  wireType("fact", factShape, fact),
  wireType("founding-document", foundingDocumentShape, founding),
  wireType("signed-founding", signedFoundingShape, signedFounding),
  wireType("peer-message", peerMessageShape, peerMessage),
];
