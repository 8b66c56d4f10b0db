/**
 * The log and proofs about it, for auditors. Every proof is checked with the founding document's keys before it is handed out; a node that
 * lies is found out here, not believed.
 */
import type { Aid, CommandId, Digest, Height } from "../base/brands.ts";
import { concatBytes, digestBytes, fromHex } from "../base/bytes.ts";
import { present } from "../base/errors.ts";
import { decode } from "../base/codec.ts";
import { type Result, ok } from "../base/result.ts";
import { type Electorate, electorateOf } from "../events/facts/finality.ts";
import { FOUNDING_BYTES_MAX, foundingDocumentShape, signedFoundingShape } from "../events/facts/founding.ts";
import { clusterOf } from "../events/facts/hashing.ts";
import { PROOF_BYTES_MAX } from "../events/facts/proof.ts";
import { type Proven, type ProvenKeyEvents, verifyProof } from "../events/facts/verify-proof.ts";
import type * as Audit from "../wire/generated/sky/audit/v1/audit.ts";
import { AuditServiceService as calls } from "../wire/generated/sky/audit/v1/audit.ts";
import { KerlServiceService as kerlCalls } from "../wire/generated/sky/kerl/v1/kerl.ts";
import { SkyError } from "./errors.ts";
import { type ProvenKeyState, keyStateOfProof } from "./key-state-proof.ts";
import { Nodes, type NodesOptions, unaryBy } from "./nodes.ts";
import { serverStream } from "./server-stream.ts";
import { type ClientPorts, defaultPorts } from "./signing.ts";

export interface AuditClientOptions extends NodesOptions {
  /** The founding document's cluster and epoch keys (membersOf): what proofs are judged by. */
  readonly members: Electorate;
  readonly ports?: ClientPorts;
}

/** A proof file, and what it proves. */
export interface CheckedProof<P extends Proven = Proven> {
  readonly file: Uint8Array;
  readonly proven: P;
}
type ProvenOf<K extends Proven["kind"]> = CheckedProof<Extract<Proven, { readonly kind: K }>>;

export interface AuditOptions {
  /** Units: ms; 60,000 unless given: what was done long ago is computed again for a proof. */
  readonly timeoutMs?: number;
}
export interface ProveOptions extends AuditOptions {
  /** Only the place in the log, not what the block did. */
  readonly withoutEffects?: boolean;
}

/** What is to be proven to be in the log. */
export type ProvenThing =
  | { readonly kind: "block"; readonly height: Height }
  | { readonly kind: "fact"; readonly height: Height; readonly index: number; readonly n: number }
  /** Without a height it is looked for among the newest 10,000 blocks. */
  | { readonly kind: "command"; readonly author: Aid; readonly id: CommandId; readonly height?: Height };

const TIMEOUT_MS = 60_000;

/**
 * Who certifies, by the founding document's file. Its cluster id is that of the bytes given: whoever has the document by a way that can be trusted
 * has the keys. Refuses: MALFORMED, TOO_LARGE. (`sky init finish` and every node judge its signatures.)
 */
export function membersOf(founding: Uint8Array): Result<Electorate> {
  const signed = decode(signedFoundingShape, founding, FOUNDING_BYTES_MAX + 64 * 1024);
  if (!signed.ok) return signed;
  const document = decode(foundingDocumentShape, signed.value.document, FOUNDING_BYTES_MAX);
  if (!document.ok) return document;
  return ok(electorateOf({ cluster: clusterOf(signed.value.document), document: document.value }));
}

export class AuditClient {
  readonly #options: AuditClientOptions;
  readonly #ports: ClientPorts;
  readonly #nodes: Nodes;

  private constructor(options: AuditClientOptions) {
    this.#options = options;
    this.#ports = options.ports ?? defaultPorts;
    this.#nodes = new Nodes(options, this.#ports);
  }

  /** Connects lazily: the first call opens the connection to the first endpoint. */
  static connect(options: AuditClientOptions): AuditClient {
    return new AuditClient(options);
  }

  /** The newest certified head, to be kept. Throws: SkyError, PROOF_… where the node's proof does not hold. */
  async head(options: AuditOptions = {}): Promise<ProvenOf<"head">> {
    const { proof } = await this.#nodes.retrying(this.#deadline(options), (stub, deadlineMs) =>
      unaryBy(stub, calls.head, {}, deadlineMs, false),
    );
    return this.#checked(proof, "head");
  }

  /** That something is in the log, with what its block did. Throws: as `head`; NOT_FOUND, NOT_PROVABLE, PROOF_PENDING. */
  async prove(thing: ProvenThing, options: ProveOptions = {}): Promise<ProvenOf<"inclusion">> {
    const request = { what: whatOf(thing), withoutEffects: options.withoutEffects ?? false };
    const checked = this.#checked(
      await this.#gathered(serverStream(this.#nodes, calls.prove, request, this.#deadline(options))),
      "inclusion",
    );
    const { subject, block } = checked.proven;
    const isAnswer =
      subject.kind === thing.kind &&
      (thing.height === undefined || thing.height === block.height) &&
      (subject.kind !== "fact" || (thing.kind === "fact" && subject.index === thing.index && subject.n === thing.n)) &&
      (subject.kind !== "command" ||
        (thing.kind === "command" && subject.author === thing.author && subject.id === thing.id));
    return isAnswer ? checked : another();
  }

  /** That the log of an earlier head is a prefix of today's. Throws: as `head`; NOT_FOUND: the log never had that head. */
  async proveConsistency(
    older: { readonly height: Height; readonly hash: Digest },
    options: AuditOptions = {},
  ): Promise<ProvenOf<"consistency">> {
    const request = { height: BigInt(older.height), hash: Buffer.from(digestBytes(older.hash)) };
    const checked = this.#checked(
      await this.#gathered(serverStream(this.#nodes, calls.proveConsistency, request, this.#deadline(options))),
      "consistency",
    );
    return checked.proven.older.hash === older.hash ? checked : another();
  }

  /** An identifier's key state with its proof, at a height or at the newest that can be proven. Throws: as `head`; NOT_FOUND. */
  async keyState(
    aid: Aid,
    height?: Height,
    options: AuditOptions = {},
  ): Promise<CheckedProof<ProvenKeyEvents> & { readonly keys: ProvenKeyState }> {
    const request = { aid, ...(height === undefined ? {} : { height: BigInt(height) }) };
    const checked = this.#checked(
      await this.#gathered(serverStream(this.#nodes, kerlCalls.getKeyStateProof, request, this.#deadline(options))),
      "keyState",
    );
    if (checked.proven.aid !== aid || (height !== undefined && checked.proven.through !== height)) another();
    return { ...checked, keys: valueOf(keyStateOfProof(checked.proven)) };
  }

  /** Blocks with their bundles, as a node gives them: nothing is checked, whoever reads them does that. Throws: SkyError. */
  async *readLog(from: Height, to?: Height, options: AuditOptions = {}): AsyncGenerator<Audit.LogItem> {
    const request = { fromHeight: BigInt(from), ...(to === undefined ? {} : { toHeight: BigInt(to) }) };
    for await (const { items } of serverStream(this.#nodes, calls.readLog, request, this.#deadline(options)))
      yield* items;
  }

  close(): void {
    this.#nodes.close();
  }

  #deadline({ timeoutMs = TIMEOUT_MS }: AuditOptions): number {
    return this.#ports.now() + timeoutMs;
  }

  async #gathered(parts: AsyncIterable<{ readonly part: Uint8Array }>): Promise<Uint8Array> {
    const gathered: Uint8Array[] = [];
    let bytes = 0;
    for await (const { part } of parts) {
      gathered.push(part);
      bytes += part.length;
      if (bytes > PROOF_BYTES_MAX) throw refused("TOO_LARGE", "The node's proof is larger than proofs are.");
    }
    return concatBytes(...gathered);
  }

  #checked<K extends Proven["kind"]>(bytes: Uint8Array, kind: K): ProvenOf<K> {
    const file = new Uint8Array(bytes);
    const proven = valueOf(verifyProof(file, this.#options.members));
    const isOfKind = (value: Proven): value is Extract<Proven, { readonly kind: K }> => value.kind === kind;
    return isOfKind(proven) ? { file, proven } : another();
  }
}

function whatOf(thing: ProvenThing): NonNullable<Audit.ProveRequest["what"]> {
  switch (thing.kind) {
    case "block":
      return { $case: "height", height: BigInt(thing.height) };
    case "fact": {
      const [height, index, n] = [thing.height, thing.index, thing.n].map(BigInt) as [bigint, bigint, bigint];
      return { $case: "fact", fact: { height, index, n } };
    }
    case "command": {
      const id = Buffer.from(present(fromHex(thing.id), "an id is hex"));
      const height = thing.height === undefined ? {} : { height: BigInt(thing.height) };
      return { $case: "command", command: { author: thing.author, id, ...height } };
    }
  }
}

const refused = (code: string, message: string): SkyError => new SkyError(code, message, { retryable: false });

function valueOf<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw refused(result.refusal.code, `The node's proof does not hold: ${result.refusal.message}`);
}

function another(): never {
  throw refused("PROOF_SUBJECT", "The node gave a proof of something else; ask another node.");
}
