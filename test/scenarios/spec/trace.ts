/** A trace of real machines in the model's words (spec/traces.qnt): what each honest member was told, what it did, where it stood. */
import type { Digest } from "../../../src/base/brands.ts";
import type { BlockSummary, ConsensusEffect, ConsensusEvent, Context } from "../../../src/machines/consensus/types.ts";
import { GENESIS, GENESIS_ROOT, ZERO, rootAfter } from "../../machines/consensus/values.ts";
import type { Value } from "./quint.ts";

export interface Step {
  readonly member: number;
  /** The event that the machine took: for messages to people only. */
  readonly event: string;
  /** It did something (a record effect, or a proposal asked for). */
  readonly did: boolean;
  /** It is more than a standing: an input that the model knows, or something done. */
  readonly acts: boolean;
  /** Where the member stood afterwards, as text. */
  readonly standing: string;
  readonly value: Value;
}

const NONE = -1;
/** consensus.qnt, UNKNOWN: no bound on votes is known yet. */
const UNKNOWN = 1_000_000;

const act = (name: string, fields: Readonly<Record<string, Value>>): Value => ({ act: name, of: { record: fields } });
const set = (values: readonly Value[]): Value => ({ set: values });

/** One machine's turn: its context before, the event, the effects, its context after. */
export interface Turn {
  readonly member: number;
  readonly before: Context;
  readonly event: ConsensusEvent;
  readonly effects: readonly ConsensusEffect[];
  readonly after: Context;
  readonly height: number;
  /** Set at the first event of another life: whether its disk went with the last one. */
  readonly restarted?: "withJournal" | "withoutJournal" | undefined;
}

/** Numbers blocks as the model does, in the order in which they are first signed or seen. */
export class Translator {
  readonly #size: number;
  readonly #blocks = new Map<Digest, number>([[GENESIS.hash, 0]]);
  readonly #roots = new Map<Digest, number>([[GENESIS_ROOT, 0]]);
  readonly #rootAt = new Map<Digest, Digest>([[GENESIS.hash, GENESIS_ROOT]]);

  constructor(size: number) {
    this.#size = size;
  }

  #block(hash: Digest | null | undefined): number {
    return hash === null || hash === undefined ? NONE : (this.#blocks.get(hash) ?? NONE);
  }

  #add(block: BlockSummary): void {
    const id = this.#blocks.size;
    this.#blocks.set(block.hash, id);
    const root = rootAfter(this.#rootAt.get(block.parent) ?? ZERO, block.hash);
    this.#rootAt.set(block.hash, root);
    this.#roots.set(root, id);
  }

  #header(block: BlockSummary): Value {
    return {
      record: {
        epoch: 0,
        view: block.view,
        proposer: block.view % this.#size,
        parentView: block.parentView,
        parent: this.#block(block.parent),
        height: block.height,
        time: block.time,
        executed: block.executedHeight,
        root: this.#roots.get(block.executedRoot) ?? NONE,
        kind: "executions",
        full: block.bundles.length > 0,
        keys: set([]),
        committee: [],
        sound: true,
      },
    };
  }

  /** A block seen for the first time, and not built by an honest member: its leader signed it by itself. */
  #forged(block: BlockSummary): Value[] {
    if (this.#blocks.has(block.hash)) return [];
    const header = this.#header(block);
    this.#add(block);
    return [{ act: "Forge", of: header }];
  }

  step(turn: Turn): Step {
    const { member: m, event, after } = turn;
    const forged = this.#before(turn);
    const told = this.#told(m, event);
    const heard = this.#heard(m, event);
    const did = turn.effects.flatMap((effect) => this.#did(turn, effect));
    const standing = this.standing(after, turn.height);
    const waitsForClock = after.awaitsClock[after.view] !== undefined;
    return {
      member: m,
      event: event.type,
      did: did.length > 0,
      acts: [forged, told, did, heard].some((acts) => acts.length > 0),
      standing: JSON.stringify([standing, waitsForClock]),
      value: {
        record: {
          m,
          forged,
          told,
          did,
          heard,
          waitsForClock,
          standing,
        },
      },
    };
  }

  #before({ member: m, event, restarted }: Turn): Value[] {
    if (restarted !== undefined) return [act(restarted === "withJournal" ? "Restart" : "LoseJournal", { m, e: 0 })];
    return event.type === "proposalVerified" || event.type === "blockFetched" ? this.#forged(event.block) : [];
  }

  #told(m: number, event: ConsensusEvent): Value[] {
    switch (event.type) {
      case "proposalVerified":
        return [act("Receive", { m, e: 0, h: this.#block(event.block.hash) })];
      case "blockFetched":
        return [act("Fetch", { m, e: 0, h: this.#block(event.block.hash) })];
      case "bodyJudged":
        return [act("Judge", { m, e: 0, h: this.#block(event.hash), ok: event.valid })];
      case "executionReached":
        return [act("Execute", { m, height: event.height })];
      case "highestCertificateReported":
        return [act("Survey", { m, e: 0, from: event.member, v: event.view })];
      case "logSynchronised":
        return [act("Synchronise", { m, e: 0, v: event.finalizedView, last: this.#block(event.final.hash) })];
      default:
        return [];
    }
  }

  #heard(m: number, event: ConsensusEvent): Value[] {
    if (event.type !== "certificateVerified") return [];
    const { kind, view, hash, signers } = event;
    return [act("Adopt", { m, e: 0, kind, v: view, h: this.#block(hash), signers: set(signers) })];
  }

  #did({ member: m, event, effects, before }: Turn, effect: ConsensusEffect): Value[] {
    switch (effect.type) {
      case "recordVote": {
        const { kind, view, hash } = effect;
        const proposes = effects.some((other) => other.type === "recordProposal" && other.hash === hash);
        return kind === "notarize" && proposes ? [] : [act("Vote", { m, e: 0, kind, v: view, h: this.#block(hash) })];
      }
      case "recordProposal":
        return event.type === "proposalBuilt" ? [this.#proposed(event.block)] : [];
      case "recordCertificate": {
        const { kind, view, hash } = effect;
        const signers = effect.signers ?? (event.type === "certificateVerified" ? event.signers : []);
        return [act("Adopt", { m, e: 0, kind, v: view, h: this.#block(hash), signers: set([...new Set(signers)]) })];
      }
      case "recordVerdict": {
        const { view, hash, verdict } = effect;
        return [act("Certify", { m, e: 0, v: view, h: this.#block(hash), ok: verdict === "certified" })];
      }
      case "recordFinal": {
        const hashes = effect.hashes.map((hash) => this.#block(hash));
        return [act("Append", { m, e: 0, v: effect.view, hashes })];
      }
      case "recordEvidence": {
        const { kind, member: who, view } = effect.evidence;
        const proposals = kind === "twoProposals" || kind === "twoNotarizeVotes";
        return [act("Accuse", { m, e: 0, v: view, who, proposals })];
      }
      case "requestProposal":
        // Asked for in the view that it entered in this very turn, perhaps: the parent is judged where it stands in the order of acts.
        return before.halted === null
          ? [act("Build", { m, e: 0, v: effect.view, parent: this.#block(effect.parent) })]
          : [];
      default:
        return [];
    }
  }

  #proposed(block: BlockSummary): Value {
    const header = this.#header(block);
    this.#add(block);
    return { act: "Propose", of: header };
  }

  /** Where a member stands: its context above its last final view. */
  standing(context: Context, height: number): Value {
    const { final, pendingFinal, votesAbove } = context;
    const entries = <T>(record: Readonly<Record<number, T>>, value: (entry: T) => Value | undefined): Value =>
      set(
        Object.entries(record).flatMap(([key, entry]) => {
          const of = value(entry);
          return Number(key) <= final.view || of === undefined ? [] : [{ tuple: [Number(key), of] }];
        }),
      );
    const views = (record: Readonly<Record<number, unknown>>): Value =>
      set(
        Object.keys(record)
          .map(Number)
          .filter((view) => view > final.view),
      );
    const block = (hash: Digest | undefined): Value | undefined => (hash === undefined ? undefined : this.#block(hash));
    const held = Object.values(context.candidates).filter(({ view }) => view > final.view);
    const judged = (body: string): Value =>
      set(held.flatMap((candidate) => (candidate.body === body ? [this.#block(candidate.hash)] : [])));
    const nullified = Object.entries(context.own).filter(([, own]) => own.nullify === true);
    return {
      record: {
        view: context.view,
        final: this.#block(final.hash),
        floor: final.view,
        pendingView: pendingFinal?.view ?? 0,
        pending: this.#block(pendingFinal?.hash),
        height,
        executed: context.executed,
        votesAbove: votesAbove === null ? -1 : votesAbove === "unknown" ? UNKNOWN : votesAbove,
        known: set(held.map(({ hash }) => this.#block(hash))),
        valid: judged("valid"),
        invalid: judged("invalid"),
        equivocated: views(context.equivocated),
        nullifications: views(context.nullifications),
        nullified: views(Object.fromEntries(nullified)),
        proposals: entries(context.proposals, block),
        notarizations: entries(context.notarizations, block),
        verdicts: entries(context.verdicts, (verdict) => verdict),
        notarized: entries(context.own, (own) => block(own.notarize)),
        finalized: entries(context.own, (own) => block(own.finalize)),
      },
    };
  }
}
