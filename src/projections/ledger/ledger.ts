/**
 * What final blocks do: commands judged in log order, each from the state that the one before it left (DESIGN §4).
 *
 * Deterministic: the same log gives the same facts, roots and state on every replica. The only clock is the header's time.
 */
import type { Aid, Digest, Height, LogTime } from "../../base/brands.ts";

import { ZERO_DIGEST, digestBytes } from "../../base/bytes.ts";
import { EncodedSequence, decode } from "../../base/codec.ts";
import { Fault, assert, unreachable } from "../../base/errors.ts";
import { type Result, refuse } from "../../base/result.ts";
import { domainDigest, sha256 } from "../../crypto/hash.ts";
import { BUNDLE_BYTES_MAX, bundleBodyShape, bundleShape } from "../../events/facts/bundle.ts";
import type { CheckpointStatement } from "../../events/facts/checkpoint.ts";
import {
  type Command,
  NOT_AFTER_AHEAD_MAX_MS,
  PAYLOAD_BYTES_MAX,
  type SignedBody,
} from "../../events/facts/command.ts";
import { type Fact, type FactData, type OutcomeFact, factShape } from "../../events/facts/fact.ts";
import { FOUNDING_BYTES_MAX, foundingDocumentShape } from "../../events/facts/founding.ts";
import { graphWriteShapeAt } from "../../events/facts/graph.ts";
import { commandDigest, signedDigest } from "../../events/facts/hashing.ts";
import { applyKerlFact } from "../../keri/kerl-fold.ts";
import type { KeyState } from "../../keri/key-state.ts";
import { decideCertificate } from "../certificates/decide.ts";
import { CertificateLayer, LiveCertificates, type RevokedKey } from "../certificates/live-certificates.ts";
import { appendStream, expiredAt } from "../kerl/append.ts";
import { factOfInception } from "../kerl/genesis.ts";
import { KerlLayer } from "../kerl/layer.ts";
import { LiveKerl } from "../kerl/live-kerl.ts";
import { BlockOverlay } from "../rebac/block-overlay.ts";
import { decide } from "../rebac/decide.ts";
import type { LiveGraph } from "../rebac/live-graph.ts";
import { DuplicateWindow, type SettledCommand, type UnrememberedCode } from "./duplicates.ts";
import { isExhaustion } from "./exhaustion.ts";
import { foundingPolicy, hasRole, mayWrite } from "./policy.ts";

/** A batch of commands, decoded; the host keeps it from when the bundle arrived. */
export interface OpenedSigned {
  readonly digest: Digest;
  readonly body: SignedBody;
}

export interface LedgerPorts {
  /** Decodes a batch within its bounds; may remember. Refuses: MALFORMED, TOO_LARGE. */
  readonly open: (signed: Uint8Array) => Result<OpenedSigned>;
  /** Whether enough keys of the key state signed the batch; a pure function of its arguments that may remember. */
  readonly isSigned: (opened: OpenedSigned, signed: Uint8Array, keyState: KeyState) => boolean;
  /** A throw inside `decide`, counted and loud. */
  readonly defect: (error: unknown) => void;
}

/** A final block to execute. */
export interface ExecutableBlock {
  readonly height: Height;
  readonly hash: Digest;
  readonly time: LogTime;
  readonly content:
    | { readonly kind: "genesis"; readonly document: Uint8Array }
    | { readonly kind: "bundles"; readonly bundles: readonly Uint8Array[] }
    | { readonly kind: "checkpoint"; readonly statement: CheckpointStatement };
}

export interface ExecutedBlock {
  readonly height: Height;
  readonly hash: Digest;
  readonly time: LogTime;
  readonly root: Digest;
  /** The facts' encodings, one after the other: what was hashed, and what the projector folds. */
  readonly facts: Uint8Array;
  readonly settled: readonly SettledCommand[];
  /** Batches that were refused as a whole, by digest of their bytes. */
  readonly refusedBatches: readonly RefusedBatch[];
  /** Of identifiers that it brought, or whose keys are others from it on: as they are after it. */
  readonly keyStates: readonly KeyState[];
  /** Identifiers about which it has key event facts: watchers of these look again. */
  readonly identifiers: ReadonlySet<Aid>;
  /** Keys of certificates that it revoked. */
  readonly revokedKeys: readonly RevokedKey[];
}

export interface RefusedBatch {
  readonly digest: Digest;
  readonly code: string;
  readonly message: string;
}

/** State that is rebuilt from the log, or loaded from the projection database at some height. */
export interface LedgerState {
  readonly cluster: Digest;
  readonly graph: LiveGraph;
  readonly height: Height | -1;
  readonly root: Digest;
  readonly kerl: LiveKerl;
  readonly certificates: LiveCertificates;
  readonly settled: readonly SettledCommand[];
}

interface Work {
  readonly block: ExecutableBlock;
  readonly overlay: BlockOverlay;
  readonly kerl: KerlLayer;
  readonly certificates: CertificateLayer;
  readonly settled: SettledCommand[];
  readonly refusedBatches: RefusedBatch[];
  readonly identifiers: Set<Aid>;
  /** Of the current batch's author; dropped when a command may have changed the policy. */
  readonly roles: Map<Aid, boolean>;
  index: number;
}

export class Ledger {
  readonly graph: LiveGraph;
  readonly kerl: LiveKerl;
  readonly certificates: LiveCertificates;
  readonly cluster: Digest;
  readonly #ports: LedgerPorts;
  readonly #window = new DuplicateWindow();
  /** Of the block in work. */
  readonly #facts = new EncodedSequence(factShape);
  #height: Height | -1;
  #root: Digest;

  constructor(state: LedgerState, ports: LedgerPorts) {
    this.cluster = state.cluster;
    this.graph = state.graph;
    this.kerl = state.kerl;
    this.certificates = state.certificates;
    this.#ports = ports;
    this.#height = state.height;
    this.#root = state.root;
    for (const command of state.settled) this.#window.add(command);
  }

  /** Last block executed; −1 before genesis. */
  get height(): Height | -1 {
    return this.#height;
  }

  get root(): Digest {
    return this.#root;
  }

  keyState(aid: Aid): KeyState | undefined {
    return this.kerl.keyState(aid);
  }

  /** How a command was settled, while it is remembered. */
  settled(author: Aid, id: Command["id"]): SettledCommand | undefined {
    return this.#window.find(author, id);
  }

  /**
   * Executes the next block; yields between commands so that the caller may do other work meanwhile. Readers of `graph`, `kerl` and `certificates` see
   * nothing of the block before it returns, and then all of it.
   */
  *execute(block: ExecutableBlock): Generator<void, ExecutedBlock> {
    assert(block.height === this.#height + 1, `block ${block.height} follows ${this.#height}`);
    this.#facts.take(); // of a block whose execution was given up
    this.#window.forgetBefore(block.time);
    this.certificates.forgetBefore(block.time);
    const work: Work = {
      block,
      overlay: new BlockOverlay(this.graph),
      kerl: this.kerl.layer(),
      certificates: new CertificateLayer(this.certificates),
      settled: [],
      refusedBatches: [],
      identifiers: new Set(),
      roles: new Map(),
      index: 0,
    };
    assert((block.content.kind === "genesis") === (block.height === 0), "only height 0 founds the cluster");
    this.#expire(work);
    if (block.content.kind === "genesis") this.#genesis(work, block.content.document);
    else if (block.content.kind === "checkpoint") this.#checkpoint(work, block.content.statement);
    else for (const bundle of block.content.bundles) yield* this.#bundle(work, bundle);
    work.overlay.merge();
    const keyStates = this.kerl.merge(block.height, work.kerl);
    const revokedKeys = work.certificates.merge();
    const facts = this.#facts.take();
    this.#root = domainDigest("root", digestBytes(this.#root), digestBytes(block.hash), sha256(facts));
    this.#height = block.height;
    return {
      height: block.height,
      hash: block.hash,
      time: block.time,
      root: this.#root,
      facts,
      settled: work.settled,
      refusedBatches: work.refusedBatches,
      keyStates,
      revokedKeys,
      identifiers: work.identifiers,
    };
  }

  #emit(work: Work, n: number, data: FactData): void {
    const fact: Fact = { height: work.block.height, index: work.index, n, data };
    this.#facts.add(fact);
  }

  #genesis(work: Work, bytes: Uint8Array): void {
    const document = decode(foundingDocumentShape, bytes, FOUNDING_BYTES_MAX);
    assert(document.ok, "genesis holds a founding document");
    const { founders, operators, admins, clients } = document.value;
    const seen = new Set<Aid>();
    for (const { aid, icp } of [...founders, ...operators, ...admins, ...clients]) {
      if (seen.has(aid)) continue;
      seen.add(aid);
      const accepted = factOfInception({ aid, icp });
      assert(accepted.aid === aid, "a founding document's inceptions were judged when it was opened");
      applyKerlFact(work.kerl, accepted, work.block.height);
      this.#emit(work, 0, { kind: "identifierIncepted", aid, icp });
      work.index += 1;
    }
    const decision = decide(
      work.overlay,
      { changes: foundingPolicy(document.value), preconditions: [] },
      { mayChangePolicy: true },
    );
    assert(decision.ok, "the founding policy can be made");
    work.overlay.keepCommand();
    decision.value.facts.forEach((fact, n) => this.#emit(work, n, fact));
  }

  /** Escrows live for so many heights: the log has no other clock. They go before anything else, as the block's first command. */
  #expire(work: Work): void {
    const dropped = expiredAt(work.kerl, work.block.height);
    for (const [n, fact] of dropped.entries()) {
      applyKerlFact(work.kerl, fact, work.block.height);
      this.#emit(work, n, fact);
      work.identifiers.add(fact.aid);
    }
    if (dropped.length > 0) work.index += 1;
  }

  /** q members signed it: at least one of them is honest, and says what this replica found itself at that height. */
  #checkpoint(work: Work, { height, root, segments }: CheckpointStatement): void {
    this.#emit(work, 0, { kind: "checkpointOrdered", checkpoint: height, root, segments });
  }

  *#bundle(work: Work, bytes: Uint8Array): Generator<void> {
    const bundle = decode(bundleShape, bytes, BUNDLE_BYTES_MAX + 128);
    const body = bundle.ok ? decode(bundleBodyShape, bundle.value.body, BUNDLE_BYTES_MAX) : bundle;
    assert(body.ok, "bundles are judged before they are ordered");
    for (const signed of body.value.signed) yield* this.#signed(work, signed);
  }

  *#signed(work: Work, signed: Uint8Array): Generator<void> {
    const opened = this.#ports.open(signed);
    if (!opened.ok) return this.#refuseBatch(work, signed, null, opened.refusal);
    const refusal = this.#judgeBatch(work, opened.value, signed);
    if (refusal !== undefined) return this.#refuseBatch(work, signed, opened.value.body.author, refusal);
    for (const command of opened.value.body.commands) {
      yield* this.#command(work, opened.value.body, command);
      work.index += 1;
      yield;
    }
  }

  #refuseBatch(
    work: Work,
    signed: Uint8Array,
    author: Aid | null,
    { code, message }: Omit<RefusedBatch, "digest">,
  ): void {
    this.#emit(work, 0, { kind: "batchRefused", author, code, message });
    work.refusedBatches.push({ digest: signedDigest(signed), code, message });
    work.index += 1;
  }

  /** Signature, key state and gateway: what holds or fails for a batch as a whole. */
  #judgeBatch(
    work: Work,
    opened: OpenedSigned,
    signed: Uint8Array,
  ): { readonly code: string; readonly message: string } | undefined {
    const { body } = opened;
    const keyState = work.kerl.keyState(body.author);
    if (body.cluster !== this.cluster)
      return { code: "FOREIGN_CLUSTER", message: "The batch was signed for another cluster." };
    if (keyState === undefined)
      return { code: "UNKNOWN_IDENTIFIER", message: `${body.author} is no identifier of this cluster.` };
    if (keyState.sn !== body.keyState.sn || keyState.said !== body.keyState.said) {
      return {
        code: "STALE_KEY_STATE",
        message: `${body.author} signed under a key state that is not its newest; sign again.`,
      };
    }
    if (!this.#ports.isSigned(opened, signed, keyState)) {
      return { code: "BAD_SIGNATURE", message: `The batch is not signed by the current keys of ${body.author}.` };
    }
    if (body.principal === null) return undefined;
    const granted = hasRole(work.overlay, body.author, "gateway") && hasRole(work.overlay, body.principal, "legacy");
    return granted
      ? undefined
      : {
          code: "GATEWAY_FORBIDDEN",
          message: `${body.author} may not sign for ${body.principal}; grant gateway and legacy.`,
        };
  }

  *#command(work: Work, body: SignedBody, command: Command): Generator<void> {
    const digest = commandDigest(command);
    const settledAs = {
      author: body.author,
      principal: body.principal,
      id: command.id,
      digest,
      notAfter: command.notAfter,
    };
    const unjudged = (refused: Unjudged): void =>
      this.#settle(work, { kind: "commandRefused", ...settledAs, ...refused }, []);
    if (command.notAfter < work.block.time) return unjudged(EXPIRED); // whatever is remembered
    const known = this.#window.find(body.author, command.id);
    if (known !== undefined) {
      if (known.outcome.digest !== digest) return unjudged(DUPLICATE_ID);
      work.settled.push(known); // the first result stands; it acts never twice
      return;
    }
    if (this.#window.isFullFor(body.author)) return unjudged(TOO_MANY_REMEMBERED);
    if (command.notAfter > work.block.time + NOT_AFTER_AHEAD_MAX_MS) return unjudged(NOT_AFTER_TOO_FAR);
    const judged = yield* this.#judge(work, body, command);
    if (judged.ok)
      return this.#settle(
        work,
        { kind: "commandExecuted", ...settledAs, changed: judged.value.changed },
        judged.value.facts,
      );
    const { code, message } = judged.refusal;
    this.#settle(
      work,
      { kind: "commandRefused", ...settledAs, code, message: message.slice(0, MESSAGE_CHARACTERS_MAX) },
      [],
    );
  }

  /** Policy, payload and the rules of the command's kind. A throw is the refusal DEFECT and has changed nothing. */
  *#judge(work: Work, body: SignedBody, command: Command): Generator<void, Result<Decision>> {
    try {
      switch (command.kind) {
        case "graph.write":
          return this.#write(work, body, command);
        case "kerl.append":
          return yield* this.#append(work, body, command);
        case "certificate.issue":
        case "certificate.revoke":
          return this.#certify(work, body, command.kind, command.payload);
        default:
          return unreachable(command.kind);
      }
    } catch (error) {
      if (isExhaustion(error) || error instanceof Fault) throw error; // stack, memory or disk: replicas could differ, so the process ends (DESIGN §4)
      this.#ports.defect(error);
      return refuse(
        "DEFECT",
        "The command met a defect of this software and changed nothing; please report it.",
        "none",
      );
    }
  }

  #mayWrite(work: Work, actor: Aid): boolean {
    let allowed = work.roles.get(actor);
    if (allowed === undefined) {
      allowed = mayWrite(work.overlay, actor);
      work.roles.set(actor, allowed);
    }
    return allowed;
  }

  #write(work: Work, body: SignedBody, command: Command): Result<Decision> {
    const actor = body.principal ?? body.author;
    if (!this.#mayWrite(work, actor))
      return refuse("PERMISSION_DENIED", `${actor} may not write; an administrator grants sky:cluster#write.`);
    const write = decode(graphWriteShapeAt(work.block.time), command.payload, PAYLOAD_BYTES_MAX);
    if (!write.ok) return refuse("MALFORMED", `The command cannot be read: ${write.refusal.message}.`);
    const mayChangePolicy = body.principal === null && hasRole(work.overlay, body.author, "admin");
    const decision = decide(work.overlay, write.value, { mayChangePolicy });
    if (decision.ok) work.overlay.keepCommand();
    if (decision.ok && mayChangePolicy) work.roles.clear();
    return decision;
  }

  /** All of the stream's messages or none: what is refused has changed a layer that is forgotten. */
  *#append(work: Work, { author, principal }: SignedBody, { payload }: Command): Generator<void, Result<Decision>> {
    if (principal !== null)
      return refuse("PERMISSION_DENIED", "A gateway appends no key events for others; sign the command yourself.");
    const mayAppendAll = this.#mayWrite(work, author) || hasRole(work.overlay, author, "witness");
    const layer = new KerlLayer(work.kerl);
    const decision = yield* appendStream(layer, payload, { author, mayAppendAll, height: work.block.height });
    if (!decision.ok) return decision;
    work.kerl.absorb(layer);
    for (const { aid } of decision.value.facts) work.identifiers.add(aid);
    return decision;
  }

  #certify(
    work: Work,
    { author, principal }: SignedBody,
    kind: Parameters<typeof decideCertificate>[0],
    payload: Uint8Array,
  ): Result<Decision> {
    const decision = decideCertificate(kind, work.certificates, payload, {
      author,
      isFor: principal,
      isNode: hasRole(work.overlay, author, "witness"),
      isAdmin: hasRole(work.overlay, author, "admin"),
      time: work.block.time,
    });
    if (!decision.ok) return decision;
    for (const fact of decision.value.facts) work.certificates.apply(fact, work.block);
    return decision;
  }

  #settle(work: Work, outcome: OutcomeFact, facts: readonly FactData[]): void {
    const command: SettledCommand = {
      author: outcome.author,
      id: outcome.id,
      height: work.block.height,
      index: work.index,
      blockHash: work.block.hash,
      outcome,
    };
    this.#emit(work, 0, outcome);
    for (const [n, fact] of facts.entries()) this.#emit(work, n + 1, fact);
    work.settled.push(command);
    this.#window.add(command);
  }
}

/** Facts of an accepted command, and whether each of its parts changed anything. */
interface Decision {
  readonly facts: readonly FactData[];
  readonly changed: readonly boolean[];
}

const MESSAGE_CHARACTERS_MAX = 4000;

/** Refused before it is judged. */
interface Unjudged {
  readonly code: UnrememberedCode;
  readonly message: string;
}

const EXPIRED: Unjudged = {
  code: "EXPIRED",
  message: "The command's notAfter had passed when its turn came; send it anew under another id.",
};

const NOT_AFTER_TOO_FAR: Unjudged = {
  code: "NOT_AFTER_TOO_FAR",
  message: "notAfter lies more than one hour ahead of the log; choose an earlier one.",
};

const TOO_MANY_REMEMBERED: Unjudged = {
  code: "OVERLOADED",
  message: "The cluster remembers as many commands as it may; send it anew under another id in a moment.",
};

const DUPLICATE_ID: Unjudged = {
  code: "DUPLICATE_ID",
  message: "Another command was settled under this id; choose a new one.",
};

/** The state before genesis. */
export const emptyLedger = (cluster: Digest, graph: LiveGraph, kerl = new LiveKerl()): LedgerState => ({
  cluster,
  graph,
  height: -1,
  root: ZERO_DIGEST,
  kerl,
  certificates: new LiveCertificates(),
  settled: [],
});
