/**
 * Folds executed blocks into the projection database, and answers questions about past heights from it.
 * It may lag; nothing waits for it but those questions. What it stores can be rebuilt from the log at any time.
 */
import type { Aid, Digest, Height } from "../../base/brands.ts";
import { height as heightOf } from "../../base/brands.ts";
import { decodeSequence } from "../../base/codec.ts";
import { assert, unreachable } from "../../base/errors.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import type { Block } from "../../events/facts/block.ts";
import { type Fact, type GraphFact, type IdentityFact, type OutcomeFact, factShape } from "../../events/facts/fact.ts";
import type { CertificateFact } from "../../events/facts/certificate.ts";
import type { Assertion } from "../../events/facts/graph.ts";
import type { KerlFact } from "../../keri/kerl-facts.ts";
import type { KeyState } from "../../keri/key-state.ts";
import {
  type ExportPage,
  type KerlChange,
  KerlHistory,
  type LogPage,
  type StoredFork,
  type StoredKeyEvent,
  type StoredReceipt,
  type StoredReply,
} from "../../projections/kerl/history.ts";
import { type CommandKerlFacts, KerlTables } from "../../projections/kerl/tables.ts";
import { CertificateTables } from "../../projections/certificates/tables.ts";
import { LedgerTables } from "../../projections/ledger/tables.ts";
import { EXPLAIN_BOUNDS, type Explanation } from "../../projections/rebac/explain.ts";
import { PastGraph } from "../../projections/rebac/past-graph.ts";
import type { SqlDatabase } from "../../projections/rebac/sql-database.ts";
import { type CommandFacts, RebacTables } from "../../projections/rebac/tables.ts";

/** What the executor hands over of a block. */
export interface ProjectedBlock {
  readonly height: Height;
  readonly hash: Digest;
  readonly root: Digest;
  readonly time: number;
  /** A checkpoint begins with it; absent where nobody writes checkpoints. */
  readonly block?: Block;
  /** Encoded facts, one after the other. */
  readonly facts: Uint8Array;
}

/** What the tables say of themselves at a height: equal for whoever applied the same facts. */
export interface ProjectionRoots {
  readonly height: number;
  /** Executed root there: null before genesis. */
  readonly executed: Digest | null;
  /** Sums over the digests of all rows of each set of tables, as they were kept while rows changed. */
  readonly rows: Readonly<Record<TableSet, Digest>>;
}
export const TABLE_SETS = ["ledger", "graph", "keyEvents", "certificates"] as const;
export type TableSet = (typeof TABLE_SETS)[number];

export class Projector {
  readonly ledger: LedgerTables;
  readonly rebac: RebacTables;
  readonly kerl: KerlTables;
  readonly certificates: CertificateTables;
  readonly #past: PastGraph;
  readonly #history: KerlHistory;
  readonly #db: SqlDatabase;

  constructor(db: SqlDatabase) {
    this.#db = db;
    this.ledger = new LedgerTables(db);
    this.rebac = new RebacTables(db);
    this.kerl = new KerlTables(db);
    this.certificates = new CertificateTables(db);
    this.#past = new PastGraph(db);
    this.#history = new KerlHistory(db);
  }

  /** Last block applied; −1 before genesis. */
  get height(): number {
    return this.ledger.height;
  }

  roots(): ProjectionRoots {
    const { height } = this;
    return {
      height,
      executed: height < 0 ? null : (this.ledger.blockAt(heightOf(height))?.root ?? null),
      rows: {
        ledger: this.ledger.rowsRoot,
        graph: this.rebac.rowsRoot,
        keyEvents: this.kerl.rowsRoot,
        certificates: this.certificates.rowsRoot,
      },
    };
  }

  /** Refuses: PROJECTION_DAMAGED when any row was edited, or the sets of tables stand at different heights. */
  verify(): Result<void, Refusal<"PROJECTION_DAMAGED">> {
    const ledger = this.ledger.verifyRows();
    if (!ledger.ok) return ledger;
    const rebac = this.rebac.verifyRows();
    if (!rebac.ok) return rebac;
    const kerl = this.kerl.verifyRows();
    if (!kerl.ok) return kerl;
    const certificates = this.certificates.verifyRows();
    if (!certificates.ok) return certificates;
    const { height } = this.ledger;
    if ([this.rebac, this.kerl, this.certificates].every((tables) => tables.height === height)) return ledger;
    return refuse(
      "PROJECTION_DAMAGED",
      "The tables of the graph, the key events, the certificates and the ledger stand at different heights; rebuild them.",
      "none",
    );
  }

  /** Applies consecutive blocks in one transaction: all of them or none. */
  apply(blocks: readonly ProjectedBlock[]): void {
    try {
      this.#db.transaction(() => {
        for (const block of blocks) this.#applyBlock(block);
        this.rebac.flush();
        this.kerl.flush();
        this.certificates.flush(blocks.at(-1)?.time ?? 0);
        this.ledger.flush(blocks.at(-1)?.time ?? 0);
      })();
    } catch (error) {
      this.rebac.reload();
      this.kerl.reload();
      this.certificates.reload();
      this.ledger.reload();
      throw error;
    }
  }

  #applyBlock({ height, hash, root, time, block, facts }: ProjectedBlock): void {
    const settled: { index: number; outcome: OutcomeFact }[] = [];
    const commands: { index: number; facts: GraphFact[] }[] = [];
    const kerl: { index: number; facts: (KerlFact | IdentityFact)[] }[] = [];
    const certificates: CertificateFact[] = [];
    for (const { index, data } of openFacts(facts)) {
      switch (data.kind) {
        case "commandExecuted":
        case "commandRefused":
          settled.push({ index, outcome: data });
          break;
        case "batchRefused":
        case "checkpointOrdered":
          break;
        case "certificateIssued":
        case "certificateRevoked":
          certificates.push(data);
          break;
        case "identifierIncepted":
        case "keyEventAccepted":
        case "keyEventEscrowed":
        case "keyEventDropped":
        case "keriReceiptAdded":
        case "keyEventForked":
        case "keriReplyAccepted":
          addFact(kerl, index, data);
          break;
        default:
          addFact(commands, index, data);
      }
    }
    this.ledger.applyBlock({ height, hash, root, time, block: block ?? null, settled });
    this.rebac.applyBlock(height, commands satisfies readonly CommandFacts[]);
    this.kerl.applyBlock(height, kerl satisfies readonly CommandKerlFacts[]);
    this.certificates.applyBlock({ height, time, facts: certificates });
  }

  /** One answer for each assertion, as of a past height. Refuses: HISTORY_LAGGING until that height is applied. */
  checkAt(height: Height, assertions: readonly Assertion[]): Result<readonly boolean[]> {
    if (height > this.height) return this.#lagging();
    return { ok: true, value: assertions.map(({ subject, object }) => this.#past.checkAt(height, subject, object)) };
  }

  /** Why a check was true or false at a past height. Refuses: HISTORY_LAGGING until that height is applied. */
  explainAt(height: Height, assertion: Assertion): Result<Explanation> {
    if (height > this.height) return this.#lagging();
    return ok(this.#past.explainAt(height, assertion, EXPLAIN_BOUNDS));
  }

  /** About identifiers, as of a height. Refuses: HISTORY_LAGGING until that height is applied. */
  askKerl(question: KerlQuestion): Result<KerlAnswer> {
    return question.height > this.height ? this.#lagging() : ok(answerOf(this.#history, question));
  }

  #lagging() {
    return refuse("HISTORY_LAGGING", `History is known up to height ${this.height}; ask again in a moment.`, "none");
  }
}

/** Facts come in the order of their commands. */
function addFact<T>(commands: { readonly index: number; readonly facts: T[] }[], index: number, fact: T): void {
  const last = commands.at(-1);
  if (last?.index === index) last.facts.push(fact);
  else commands.push({ index, facts: [fact] });
}

/** Questions about key event receipt logs at a height, with what each answers. Answers are pages: see KerlHistory. */
export type KerlQuestion =
  | { readonly kind: "keyState"; readonly aid: Aid; readonly height: Height; readonly sn: number | null }
  | { readonly kind: "log" | "export"; readonly aid: Aid; readonly height: Height; readonly after: number }
  | { readonly kind: "receipts" | "event"; readonly aid: Aid; readonly height: Height; readonly sn: number }
  | { readonly kind: "roles" | "locations" | "forks"; readonly aid: Aid; readonly height: Height }
  | {
      readonly kind: "changes";
      readonly aid: Aid;
      readonly height: Height;
      readonly after: Height | -1;
      readonly skip: number;
    };

export type KerlAnswer =
  | { readonly kind: "keyState"; readonly state: KeyState | null }
  | ({ readonly kind: "log" } & LogPage)
  | ({ readonly kind: "export" } & ExportPage)
  | { readonly kind: "event"; readonly event: StoredKeyEvent | null }
  | { readonly kind: "receipts"; readonly receipts: readonly StoredReceipt[] }
  | { readonly kind: "roles"; readonly replies: readonly StoredReply[] }
  | { readonly kind: "locations"; readonly replies: readonly StoredReply[] }
  | { readonly kind: "forks"; readonly forks: readonly StoredFork[] }
  | { readonly kind: "changes"; readonly changes: readonly KerlChange[] };

function answerOf(history: KerlHistory, question: KerlQuestion): KerlAnswer {
  const { kind, aid, height } = question;
  switch (kind) {
    case "keyState":
      return { kind, state: history.keyState(aid, height, question.sn ?? undefined) ?? null };
    case "log":
      return { kind, ...history.log(aid, height, question.after) };
    case "export":
      return { kind, ...history.export(aid, height, question.after) };
    case "event":
      return { kind, event: history.event(aid, question.sn, height) ?? null };
    case "receipts":
      return { kind, receipts: history.receipts(aid, question.sn, height) };
    case "roles":
      return { kind, replies: history.replies("end", aid, height) };
    case "locations":
      return { kind, replies: history.replies("loc", aid, height) };
    case "forks":
      return { kind, forks: history.forks(aid, height) };
    case "changes":
      return { kind, changes: history.changes(aid, question.after, height, question.skip) };
    default:
      return unreachable(question);
  }
}

function openFacts(bytes: Uint8Array): readonly Fact[] {
  const facts = decodeSequence(factShape, bytes);
  assert(facts.ok, "facts were encoded by the executor");
  return facts.value;
}
