/** Executes checked blocks as every replica did, and says what each command did. What nobody asks for is not decoded. */
import type { Digest, Height, LogTime } from "../../src/base/brands.ts";
import { digestBytes, digestOf } from "../../src/base/bytes.ts";
import { decode, decodeSequence } from "../../src/base/codec.ts";
import { assert, present } from "../../src/base/errors.ts";
import type { Result } from "../../src/base/result.ts";
import type { Body, Header, LogEvent } from "../../src/events/facts/block.ts";
import { BUNDLE_BYTES_MAX, bundleBodyShape, bundleShape } from "../../src/events/facts/bundle.ts";
import { type Fact, type OutcomeFact, factShape } from "../../src/events/facts/fact.ts";
import { signedDigest } from "../../src/events/facts/hashing.ts";
import { SignedPool } from "../../src/host/executor/signed-pool.ts";
import type { SettledCommand } from "../../src/projections/ledger/duplicates.ts";
import { type ExecutedBlock, Ledger, type OpenedSigned, emptyLedger } from "../../src/projections/ledger/ledger.ts";
import { LiveGraph } from "../../src/projections/rebac/live-graph.ts";
import type { CheckedBlock } from "./chain.ts";
import { ReplayFailure } from "./failure.ts";
import type { ReplayedBatch, ReplayedBlock, ReplayedCommand, ReplayedOutcome } from "./replayed.ts";
import { contentOf } from "../../src/projections/ledger/content.ts";

const ROOT_BYTES = 32;

/** The root after each height so far. Bounds: 32 bytes a block. */
class Roots {
  #bytes = new Uint8Array(1024 * ROOT_BYTES);
  #count = 0;

  add(root: Digest): void {
    const end = (this.#count + 1) * ROOT_BYTES;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(this.#bytes.length * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(digestBytes(root), this.#count * ROOT_BYTES);
    this.#count += 1;
  }

  /** Undefined for a height that was not executed. */
  at(height: Height): Digest | undefined {
    if (height >= this.#count) return undefined;
    return digestOf(this.#bytes.slice(height * ROOT_BYTES, (height + 1) * ROOT_BYTES));
  }
}

export class Execution {
  readonly pool: SignedPool;
  readonly ledger: Ledger;
  readonly #roots = new Roots();
  /** Batches of the block in work, in order. */
  #opened: Result<OpenedSigned>[] = [];

  constructor(cluster: Digest) {
    this.pool = new SignedPool(cluster);
    this.ledger = new Ledger(emptyLedger(cluster, new LiveGraph()), {
      open: (signed) => {
        const opened = this.pool.openFinal(signed);
        this.#opened.push(opened);
        return opened;
      },
      isSigned: (opened, signed, keyState) => this.pool.isSigned(opened, signed, keyState),
      defect: () => {}, // the command's outcome says DEFECT, as it did on the replicas
    });
  }

  /** Executes the next block. Throws: ReplayFailure where a root that it names is not the one that was found. */
  execute(checked: CheckedBlock): Replayed {
    const { header, body } = checked;
    this.#expectRoot(header);
    if (body.kind === "checkpoint") this.#expectStated(header.height, body);
    return this.run(checked);
  }

  /** As `execute`, whatever roots it names. */
  run(checked: CheckedBlock): Replayed {
    const { event, header, body, bundles } = checked;
    this.#opened = [];
    const work = this.ledger.execute({
      height: event.height,
      hash: event.hash,
      time: header.time,
      content: contentOf(body, bundles),
    });
    let step = work.next();
    while (step.done !== true) step = work.next();
    this.#roots.add(step.value.root);
    this.pool.executed();
    return new Replayed(checked, step.value, this.#opened);
  }

  #expectRoot({ height, executed }: Header): void {
    if (height === 0) return;
    const found = this.#roots.at(executed.height);
    if (found === executed.root) return;
    const reason = `the header says that height ${executed.height} executes to root ${executed.root}, and it executes to ${found ?? "none"}`;
    throw new ReplayFailure("ROOT_DIFFERS", height, { part: "header" }, reason);
  }

  #expectStated(height: Height, { checkpoint: { statement } }: Extract<Body, { kind: "checkpoint" }>): void {
    const found = this.#roots.at(statement.height);
    if (found === statement.root) return;
    const reason = `its statement says root ${statement.root} of height ${statement.height}, which executes to ${found ?? "none"}`;
    throw new ReplayFailure("CHECKPOINT_INVALID", height, { part: "body" }, reason);
  }
}

/** A block that was executed; its facts, batches and commands are made when somebody asks for them. */
export class Replayed implements ReplayedBlock {
  readonly header: Header;
  readonly body: Body;
  readonly event: LogEvent;
  readonly bundles: readonly Uint8Array[];
  readonly executed: ExecutedBlock;
  readonly #opened: readonly Result<OpenedSigned>[];
  #facts: readonly Fact[] | undefined;
  #batches: readonly ReplayedBatch[] | undefined;
  #commands: readonly ReplayedCommand[] | undefined;

  constructor(
    { header, body, event, bundles }: CheckedBlock,
    executed: ExecutedBlock,
    opened: readonly Result<OpenedSigned>[],
  ) {
    this.header = header;
    this.body = body;
    this.event = event;
    this.bundles = bundles;
    this.executed = executed;
    this.#opened = opened;
  }

  get height(): Height {
    return this.event.height;
  }

  get hash(): Digest {
    return this.event.hash;
  }

  get time(): LogTime {
    return this.header.time;
  }

  get root(): Digest {
    return this.executed.root;
  }

  get factBytes(): Uint8Array {
    return this.executed.facts;
  }

  /** How many commands were judged. */
  get commandCount(): number {
    return this.executed.settled.length;
  }

  get facts(): readonly Fact[] {
    this.#facts ??= factsOf(this.factBytes);
    return this.#facts;
  }

  get batches(): readonly ReplayedBatch[] {
    this.#batches ??= batchesOf(this.bundles, this.#opened, this.facts);
    return this.#batches;
  }

  get commands(): readonly ReplayedCommand[] {
    this.#commands ??= commandsOf(this.height, this.batches, this.executed.settled, this.facts);
    return this.#commands;
  }
}

function factsOf(bytes: Uint8Array): readonly Fact[] {
  const facts = decodeSequence(factShape, bytes);
  assert(facts.ok, "facts were encoded by the ledger");
  return facts.value;
}

/** Expired escrows go before anything else and take the first index (Ledger). */
const firstIndex = (facts: readonly Fact[]): number => (facts[0]?.data.kind === "keyEventDropped" ? 1 : 0);

function batchesOf(
  bundles: readonly Uint8Array[],
  opened: readonly Result<OpenedSigned>[],
  facts: readonly Fact[],
): readonly ReplayedBatch[] {
  const refusals = new Map<number, { readonly code: string; readonly message: string }>();
  for (const { index, data } of facts)
    if (data.kind === "batchRefused") refusals.set(index, { code: data.code, message: data.message });
  const batches: ReplayedBatch[] = [];
  let index = firstIndex(facts);
  for (const [bundle, bytes] of bundles.entries())
    for (const signed of signedIn(bytes)) {
      const found = present(opened[batches.length], "every batch was opened");
      const refused = refusals.get(index) ?? null;
      const body = found.ok ? found.value.body : undefined;
      batches.push({
        digest: found.ok ? found.value.digest : signedDigest(signed),
        bundle,
        signed,
        index,
        author: body?.author ?? null,
        principal: body?.principal ?? null,
        keyState: body?.keyState ?? null,
        commands: body?.commands ?? [],
        refused,
      });
      index += refused === null ? (body?.commands.length ?? 0) : 1;
    }
  return batches;
}

function signedIn(bytes: Uint8Array): readonly Uint8Array[] {
  const bundle = decode(bundleShape, bytes, BUNDLE_BYTES_MAX + 128);
  const body = bundle.ok ? decode(bundleBodyShape, bundle.value.body, BUNDLE_BYTES_MAX) : bundle;
  assert(body.ok, "bundles were judged before they were executed");
  return body.value.signed;
}

function commandsOf(
  height: Height,
  batches: readonly ReplayedBatch[],
  settled: readonly SettledCommand[],
  facts: readonly Fact[],
): readonly ReplayedCommand[] {
  const byIndex = new Map<number, Fact[]>();
  for (const fact of facts) {
    if (isOutcome(fact)) continue;
    const some = byIndex.get(fact.index);
    if (some === undefined) byIndex.set(fact.index, [fact]);
    else some.push(fact);
  }
  const commands: ReplayedCommand[] = [];
  for (const [batch, { author, principal, keyState, index: first, refused, commands: signed }] of batches.entries()) {
    if (refused !== null || author === null || keyState === null) continue;
    for (const [i, command] of signed.entries()) {
      const index = first + i;
      const outcome = outcomeOf(height, index, present(settled[commands.length], "every command was settled"));
      const its = outcome.kind === "executed" ? (byIndex.get(index) ?? []) : [];
      commands.push({ index, batch, author, principal, keyState, command, outcome, facts: its });
    }
  }
  return commands;
}

const isOutcome = ({ data }: Fact): boolean => data.kind === "commandExecuted" || data.kind === "commandRefused";

function outcomeOf(height: Height, index: number, settled: SettledCommand): ReplayedOutcome {
  const { outcome } = settled;
  if (settled.height !== height || settled.index !== index)
    return { kind: "duplicate", of: { height: settled.height, index: settled.index }, first: outcome };
  return firstOutcome(outcome);
}

const firstOutcome = (outcome: OutcomeFact): ReplayedOutcome =>
  outcome.kind === "commandExecuted"
    ? { kind: "executed", changed: outcome.changed }
    : { kind: "refused", code: outcome.code, message: outcome.message };
