/** Makes proofs (events/facts/proof.ts) from a log and what its blocks did. Whoever gets one checks it; so does this side, before it goes out. */
import type { Aid, CommandId, Digest, Height } from "../../base/brands.ts";
import { height as heightOf } from "../../base/brands.ts";
import { concatBytes } from "../../base/bytes.ts";
import { decode, decodeSequence } from "../../base/codec.ts";
import { assert } from "../../base/errors.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import { consistencyProof, inclusionProof } from "../../crypto/merkle.ts";
import {
  BODY_BYTES_MAX,
  HEADER_BYTES_MAX,
  type Header,
  type LogEvent,
  bodyShape,
  headerShape,
} from "../../events/facts/block.ts";
import { sha256Digest } from "../../crypto/hash.ts";
import { factShape } from "../../events/facts/fact.ts";
import {
  type CertifiedHeader,
  type ExecutedStep,
  type Execution,
  type Inclusion,
  PROOF_BYTES_MAX,
  PROOF_STEPS_MAX,
  type Proof,
  type ProofSubject,
} from "../../events/facts/proof.ts";
import { findCommand } from "../../events/facts/verify-proof.ts";
import { provenEvent } from "../../actors/consensus/synchronisation.ts";
import type { BeginningLog, ReadableLog } from "../../events/store/log.ts";
import type { ExecutedAt } from "./executed-log.ts";
import { logTree } from "./log-tree.ts";

export type ProvableLog = Pick<ReadableLog, "path" | "head" | "event" | "events" | "hashAt" | "bundle"> &
  Partial<Pick<BeginningLog, "gap">>;

/** What blocks did: heights that were executed, each at any time. */
export interface ExecutedBlocks {
  /** Throws: Defect for a height that was not executed. */
  readonly at: (height: Height) => ExecutedAt;
  /** What an identifier's events in force were after a height, oldest first, and the height of the last; none before its inception. */
  readonly keyEvents: (aid: Aid, through: Height) => KeyEventsAt;
}

export interface KeyEventsAt {
  /** Exact bytes, event by event. */
  readonly stream: readonly Uint8Array[];
  /** The block that accepted the last of them; undefined when there are none. */
  readonly last: Height | undefined;
}

export type ProverRefusal = Refusal<"NOT_FOUND" | "HEIGHT_UNKNOWN" | "NOT_PROVABLE" | "TOO_LARGE">;
type Made<T> = Result<T, ProverRefusal>;

export type Wanted =
  | { readonly kind: "head" }
  | {
      readonly kind: "inclusion";
      readonly height: Height;
      readonly subject: ProofSubject;
      readonly withEffects: boolean;
    }
  | { readonly kind: "consistency"; readonly height: Height; readonly hash: Digest }
  /** `through` undefined: the newest height that can be proven. */
  | { readonly kind: "keyState"; readonly aid: Aid; readonly through: Height | undefined };

interface Certified {
  readonly height: Height;
  readonly header: Header;
  readonly certified: CertifiedHeader;
}

const NOTHING_CERTIFIED = refuse(
  "NOT_PROVABLE",
  "No block of this log has a certificate of its own yet; write something, then ask again.",
  "none",
);

export class Prover {
  readonly #log: ProvableLog;
  readonly #tree;

  constructor(log: ProvableLog) {
    this.#log = log;
    this.#tree = logTree(log);
  }

  /** The certified header that a proof would rest on; its `executed` says up to where blocks must have been executed. */
  basis(wanted: Wanted): Made<Certified> {
    const gap = wanted.kind === "head" ? undefined : this.#log.gap?.();
    if (gap !== undefined)
      return refuse(
        "NOT_PROVABLE",
        `This log goes on from a checkpoint, and blocks between ${gap.below} and ${gap.begins} are still to come; ask another node.`,
        "none",
      );
    switch (wanted.kind) {
      case "head":
      case "consistency":
        return this.#newest();
      case "inclusion":
        return this.#basisOf(wanted.height, wanted.withEffects);
      case "keyState":
        return wanted.through === undefined ? this.#newest() : this.#basisOf(wanted.through, true);
    }
  }

  /** The proof. `executed` is asked for heights up to the basis' executed height, and only where effects are proven. */
  prove(wanted: Wanted, basis: Certified, executed: ExecutedBlocks): Made<Proof> {
    switch (wanted.kind) {
      case "head":
        return ok({ kind: "head", head: basis.certified });
      case "inclusion":
        return this.#inclusion(wanted, basis, executed);
      case "consistency":
        return this.#consistency(wanted, basis);
      case "keyState":
        return this.#keyState(wanted, basis, executed);
    }
  }

  /** Height of the newest block that carries a command of this author and id, looking back over so many blocks; yields after each. */
  *find(author: Aid, id: CommandId, blocksMax: number): Generator<number, Height | undefined> {
    const head = this.#log.head()?.height ?? -1;
    for (let at = head; at >= Math.max(0, head - blocksMax + 1); at--) {
      if (this.#bundleWith(heightOf(at), author, id) !== undefined) return heightOf(at);
      yield head - at + 1;
    }
    return undefined;
  }

  #newest(): Made<Certified> {
    for (let at = this.#log.head()?.height ?? -1; at > 0; at--) {
      const found = certifiedOf(this.#log.event(heightOf(at)));
      if (found !== undefined) return ok(found);
    }
    return NOTHING_CERTIFIED;
  }

  /** The first certified header at or above a height, which names an executed height at or above it if what was done is asked for. */
  #basisOf(height: Height, withEffects: boolean): Made<Certified> {
    const head = this.#log.head()?.height ?? -1;
    if (height > head)
      return refuse("HEIGHT_UNKNOWN", `The log ends at height ${head}; height ${height} is not known here yet.`);
    for (let at = height; at <= head; at = heightOf(at + 1)) {
      const found = certifiedOf(this.#log.event(at));
      if (found !== undefined && (!withEffects || found.header.executed.height >= height)) return ok(found);
    }
    const what = withEffects ? "names what it did" : "certifies it";
    return refuse(
      "NOT_PROVABLE",
      `No block after height ${height} ${what} yet; ask again when the log has grown${withEffects ? ", or prove its place alone" : ""}.`,
      "none",
    );
  }

  #included(height: Height, basis: Certified): Made<Inclusion> {
    const event = this.#log.event(height);
    if (event === undefined)
      return refuse("NOT_FOUND", `Block ${height} is not in the part of the log that is here; ask another node.`);
    const path = height === basis.height ? [] : inclusionProof(this.#tree, height, basis.height);
    return ok({ block: event.block, path, head: basis.certified });
  }

  /** Steps from a height to what the basis names: whole facts up to `factsThrough`. */
  #execution(height: Height, factsThrough: Height, basis: Certified, executed: ExecutedBlocks): Made<Execution> {
    const steps: ExecutedStep[] = [];
    let bytes = 0;
    for (let at = height; at <= basis.header.executed.height; at = heightOf(at + 1)) {
      const { hash, facts } = executed.at(at);
      const isWhole = at <= factsThrough;
      steps.push(isWhole ? { kind: "facts", hash, facts } : { kind: "digest", hash, digest: sha256Digest(facts) });
      bytes += isWhole ? facts.length : 0;
      if (bytes > PROOF_BYTES_MAX / 2 || steps.length > PROOF_STEPS_MAX)
        return refuse(
          "TOO_LARGE",
          `What the ${factsThrough - height + 1} blocks from height ${height} on did does not fit a proof; ask for an earlier height.`,
        );
    }
    return ok({ before: executed.at(height).before, steps });
  }

  #inclusion(
    { height, subject, withEffects }: Extract<Wanted, { kind: "inclusion" }>,
    basis: Certified,
    executed: ExecutedBlocks,
  ): Made<Proof> {
    const inclusion = this.#included(height, basis);
    if (!inclusion.ok) return inclusion;
    const bundle = subject.kind === "command" ? this.#bundleWith(height, subject.author, subject.id) : undefined;
    if (subject.kind === "command" && bundle === undefined)
      return refuse("NOT_FOUND", `Block ${height} carries no command ${subject.id} of ${subject.author}.`);
    const execution = withEffects ? this.#execution(height, height, basis, executed) : undefined;
    if (execution?.ok === false) return execution;
    if (subject.kind === "fact") {
      const facts = decodeSequence(factShape, executed.at(height).facts);
      if (!facts.ok || !facts.value.some(({ index, n }) => index === subject.index && n === subject.n))
        return refuse("NOT_FOUND", `Block ${height} has no fact ${subject.n} of command ${subject.index}.`);
    }
    return ok({
      kind: "inclusion",
      subject,
      inclusion: inclusion.value,
      bundle: bundle ?? null,
      execution: execution?.value ?? null,
    });
  }

  #bundleWith(height: Height, author: Aid, id: CommandId): Uint8Array | undefined {
    const event = this.#log.event(height);
    const body = event && decode(bodyShape, event.block.body, BODY_BYTES_MAX);
    if (body === undefined || !body.ok || body.value.kind !== "executions") return undefined;
    for (const digest of body.value.bundles) {
      const bundle = this.#log.bundle(digest)?.bytes;
      if (bundle !== undefined && findCommand(bundle, { author, id }) !== undefined) return bundle;
    }
    return undefined;
  }

  #consistency({ height, hash }: Extract<Wanted, { kind: "consistency" }>, newer: Certified): Made<Proof> {
    const event = this.#log.event(height);
    if (event?.hash !== hash)
      return refuse(
        "NOT_FOUND",
        event === undefined
          ? `This log has no block of height ${height}${height > newer.height ? ": it is not as long as that" : " here"}.`
          : `Block ${height} of this log is ${event.hash}, not ${hash}: that head is of another log. Keep it, it is evidence.`,
      );
    // Members hold different certificates: a head that another one gave may be proven here by a descendant's.
    const proven = provenEvent(this.#log, height);
    if (proven === undefined || height > newer.height) return NOTHING_CERTIFIED;
    const older = withProof(proven.event, proven.proof);
    return ok({
      kind: "consistency",
      older: older.certified,
      newer: newer.certified,
      consistency: consistencyProof(this.#tree, older.height, newer.height),
      inclusion: older.height === newer.height ? [] : inclusionProof(this.#tree, older.height, newer.height),
    });
  }

  #keyState(
    { aid, through }: Extract<Wanted, { kind: "keyState" }>,
    basis: Certified,
    executed: ExecutedBlocks,
  ): Made<Proof> {
    const until = through ?? basis.header.executed.height;
    const { stream, last } = executed.keyEvents(aid, until);
    if (last === undefined) return refuse("NOT_FOUND", `${aid} is no identifier of this cluster at height ${until}.`);
    const inclusion = this.#included(last, basis);
    if (!inclusion.ok) return inclusion;
    const execution = this.#execution(last, until, basis, executed);
    if (!execution.ok) return execution;
    return ok({
      kind: "keyState",
      aid,
      kel: concatBytes(...stream),
      inclusion: inclusion.value,
      execution: execution.value,
    });
  }
}

/** An event that has a certificate of its own; undefined for the others, which later ones prove. */
function certifiedOf(event: LogEvent | undefined): Certified | undefined {
  return event?.proof.kind === "finalization" ? withProof(event, event.proof) : undefined;
}

function withProof(
  { height, block }: LogEvent,
  { certificate, headers }: Extract<LogEvent["proof"], { kind: "finalization" }>,
): Certified {
  const header = decode(headerShape, block.header, HEADER_BYTES_MAX);
  assert(header.ok, "what the log gives was checked");
  return { height, header: header.value, certified: { header: block.header, certificate, headers } };
}
