/**
 * What holds of key event receipt logs, against logs as naive as they can be written (naive-kerl.ts) that are told the facts of each
 * block once: what comes into force may, and stays so unless it is lawfully superseded; every honest member knows the same, whether it
 * executed every block or began from its tables; and no batch acts that was signed by keys which were not in force at its place.
 */
import type { Aid, Said } from "../../src/base/brands.ts";
import { decode, decodeSequence } from "../../src/base/codec.ts";
import { signingBytes } from "../../src/crypto/hash.ts";
import type { Delivery } from "../../src/actors/consensus/ports.ts";
import { BUNDLE_BYTES_MAX, bundleBodyShape, bundleShape } from "../../src/events/facts/bundle.ts";
import {
  SIGNED_BYTES_MAX,
  type Signed,
  type SignedBody,
  signedBodyShape,
  signedShape,
} from "../../src/events/facts/command.ts";
import { type Fact, type FactData, factShape } from "../../src/events/facts/fact.ts";
import type { KerlFact } from "../../src/keri/kerl-facts.ts";
import { parseKeyText } from "../../src/keri/key-text.ts";
import type { KerlSource } from "../../src/projections/kerl/source.ts";
import type { ExecutedBlock } from "../../src/projections/ledger/ledger.ts";
import type { SettledCommand } from "../../src/projections/ledger/duplicates.ts";
import type { Made } from "./controller.ts";
import { type Given, NaiveFault, NaiveKerl } from "./naive-kerl.ts";
import type { Random } from "./random.ts";
import type { Scheme } from "./scheme.ts";
import { Violation } from "./violation.ts";

/** Identifiers about which members are asked at each height, beside those that the block is about. */
const OTHERS_ASKED = 2;

/** What every member must say once it has executed a height. */
interface Question {
  readonly aid: Aid;
  readonly latest: Said;
  readonly establishment: Said;
  /** Some event of it, and the one that is there. */
  readonly sn: number;
  readonly there: Said;
  readonly forks: number;
}

interface Asked {
  readonly questions: readonly Question[];
  /** An event that is no more in force. */
  readonly superseded: Said | undefined;
  readonly waiting: number;
}

interface Batch {
  readonly signed: Signed;
  readonly body: SignedBody;
}

const isKerlFact = (data: FactData): data is KerlFact =>
  data.kind.startsWith("keyEvent") || data.kind.startsWith("keri");

export class KeyInvariants {
  readonly #random: Random;
  readonly #scheme: () => Scheme;
  readonly #given = new Map<Said, { readonly controllers: Set<number>; readonly witnesses: Set<string> }>();
  readonly #naive = new NaiveKerl((said): Given | undefined => this.#given.get(said));
  readonly #asked: (Asked | undefined)[] = [];
  /** Told of a height that nobody has executed to its end. */
  #promised: {
    readonly name: string;
    readonly height: number;
    readonly aid: Aid;
    readonly sn: number;
    readonly said: Said;
  }[] = [];
  #isWatching = false;
  #stale = 0;

  constructor(random: Random, scheme: () => Scheme) {
    this.#random = random;
    this.#scheme = scheme;
  }

  /** Identifiers live in this run. */
  watch(): void {
    this.#isWatching = true;
  }

  /** Batches that came too late for their keys. */
  get stale(): number {
    return this.#stale;
  }

  /** A controller or a witness gave signatures for an event to somebody. */
  gave({ said }: Pick<Made, "said">, controllers: readonly number[], witnesses: readonly string[] = []): void {
    const given = this.#given.get(said) ?? { controllers: new Set(), witnesses: new Set() };
    for (const index of controllers) given.controllers.add(index);
    for (const text of witnesses) given.witnesses.add(text);
    this.#given.set(said, given);
  }

  #broken(name: string, message: string): never {
    throw new Violation("one log for each identifier", `${name}: ${message}`);
  }

  /** A node executed a block; `view` is what its readers see now. */
  executed(name: string, block: ExecutedBlock, { bundles }: Pick<Delivery, "bundles">, view: KerlSource): void {
    if (!this.#isWatching) return;
    if (this.#asked[block.height] === undefined) {
      try {
        this.#fold(name, block, bundles);
      } catch (error) {
        if (!(error instanceof NaiveFault)) throw error;
        this.#broken(name, `in block ${block.height} ${error.message}`);
      }
      this.#asked[block.height] = this.#questions(block);
      this.#judgePromises(block.height);
    }
    this.#ask(name, block.height, view);
  }

  #questions({ identifiers }: ExecutedBlock): Asked {
    const { aids, superseded, waiting } = this.#naive;
    const about = new Set([...identifiers].filter((aid) => this.#naive.log(aid).length > 0));
    for (let n = 0; n < OTHERS_ASKED; n++) about.add(this.#random.pick(aids));
    const questions = [...about].map((aid): Question => {
      const log = this.#naive.log(aid);
      const sn = this.#random.below(log.length);
      const saidAt = (at: number): Said => log[at]?.d ?? ("" as Said);
      const establishment = this.#naive.establishment(aid)?.said ?? ("" as Said);
      return {
        aid,
        latest: saidAt(log.length - 1),
        establishment,
        sn,
        there: saidAt(sn),
        forks: this.#naive.forks(aid),
      };
    });
    return { questions, superseded: superseded.size > 0 ? this.#random.pick([...superseded]) : undefined, waiting };
  }

  #ask(name: string, height: number, view: KerlSource): void {
    const { questions = [], superseded, waiting } = this.#asked[height] ?? {};
    const expect = (what: string, found: unknown, expected: unknown): void => {
      if (found !== expected)
        this.#broken(name, `after block ${height} ${what} is ${String(found)}, not ${String(expected)}`);
    };
    for (const { aid, latest, establishment, sn, there, forks } of questions) {
      const state = view.keyState(aid);
      expect(`the last event of ${aid}`, state?.latest.said, latest);
      expect(`the establishment event of ${aid}`, state?.said, establishment);
      const event = view.eventAt(aid, sn);
      expect(`the event of ${aid} at ${sn}`, event?.said, there);
      expect(`event ${there}, which is in force, known to be so`, view.event(there)?.inForce, true);
      expect(`the evidence against ${aid}`, view.forks(aid).length, forks);
    }
    if (superseded !== undefined)
      expect(`superseded event ${superseded}, known to be in force,`, view.event(superseded)?.inForce, false);
    if (waiting !== undefined) expect("the count of what waits", view.escrowCount(), waiting);
  }

  /** The first member to execute a block shows its facts; those of others have the same root. */
  #fold(name: string, block: ExecutedBlock, bundles: readonly Uint8Array[]): void {
    const facts = decodeSequence(factShape, block.facts);
    if (!facts.ok) return this.#broken(name, `facts of block ${block.height} cannot be read`);
    const groups = new Map<number, FactData[]>();
    for (const { index, data } of facts.value) groups.set(index, [...(groups.get(index) ?? []), data]);
    const isBatches = bundles.length > 0;
    let index = 0;
    if (!isBatches || groups.get(0)?.every(isKerlFact) === true) {
      for (const fact of facts.value) if (!isBatches || fact.index === 0) this.#apply(fact);
      index = 1;
    }
    for (const batch of isBatches ? batchesOf(bundles) : []) {
      const [first] = groups.get(index) ?? [];
      const code = first?.kind === "batchRefused" ? first.code : undefined;
      this.#batch(`${name}: batch at ${block.height}/${index}`, batch, code);
      const end = index + (code === undefined && batch.ok ? batch.value.body.commands.length : 1);
      for (; index < end; index++)
        for (const data of groups.get(index) ?? []) this.#apply({ height: block.height, data });
    }
    this.#naive.ended(block.height);
  }

  /** Whether it was judged or refused as its keys say. */
  #batch(where: string, batch: Opened, code: string | undefined): void {
    const by = batch.ok ? this.#judge(batch.value) : "unread";
    if (by === "stale") this.#stale += 1;
    if ((by === "stale") === (code === "STALE_KEY_STATE") && (by !== "good") === (code !== undefined)) return;
    throw new Violation("keys out of force act no more", `${where} is ${code ?? "judged"}; by its keys it is ${by}`);
  }

  #apply({ height, data }: Pick<Fact, "height" | "data">): void {
    if (data.kind === "identifierIncepted") this.#naive.founded(data.aid, data.icp);
    else if (isKerlFact(data)) this.#naive.apply(data, height);
  }

  /** By the keys in force at its place in the log. */
  #judge({ signed, body }: Batch): "good" | "stale" | "unknown" | "unsigned" {
    const set = this.#naive.establishment(body.author);
    if (set === undefined) return "unknown";
    if (set.said !== body.keyState.said || set.sn !== body.keyState.sn) return "stale";
    const keys = set.keys.map((text) => {
      const key = parseKeyText(text);
      if (!key.ok) throw new NaiveFault(`${text} is no key`);
      return key.value;
    });
    const message = signingBytes("signed", body.cluster, signed.body);
    const holds = this.#scheme().isSignedBy({ keys, threshold: set.threshold }, message, signed.signatures);
    return holds ? "good" : "unsigned";
  }

  /**
   * Somebody was told that a command with this event is executed: it was accepted, or waited, or became evidence. A member answers
   * from a final block that it is still executing.
   */
  acknowledged(name: string, { height }: Pick<SettledCommand, "height">, { aid, sn, said }: Made): void {
    if (this.#asked[height] === undefined) this.#promised.push({ name, height, aid, sn, said });
    else if (!this.#naive.knows(aid, sn, said))
      this.#broken(name, `acknowledged ${said} of ${aid} at ${height}; the log does not have it`);
  }

  #judgePromises(executed: number): void {
    const due = this.#promised.filter(({ height }) => height <= executed);
    this.#promised = this.#promised.filter(({ height }) => height > executed);
    for (const { name, height, aid, sn, said } of due)
      if (!this.#naive.knows(aid, sn, said))
        this.#broken(name, `acknowledged ${said} of ${aid} at ${height}; the log does not have it`);
  }

  /** Everything is settled: the log says what its controller believes. */
  agrees(aid: Aid, sn: number, last: Said): void {
    const log = this.#naive.log(aid);
    if (log.length !== sn + 1 || log[sn]?.d !== last)
      this.#broken(
        aid,
        `its controller was told of ${last} at ${sn}; the log ends at ${log.length - 1} with ${log.at(-1)?.d ?? "nothing"}`,
      );
  }
}

type Opened = { readonly ok: true; readonly value: Batch } | { readonly ok: false };

function* batchesOf(bundles: readonly Uint8Array[]): Generator<Opened> {
  for (const bytes of bundles) {
    const bundle = decode(bundleShape, bytes, BUNDLE_BYTES_MAX + 128);
    const opened = bundle.ok ? decode(bundleBodyShape, bundle.value.body, BUNDLE_BYTES_MAX) : bundle;
    if (!opened.ok) throw new NaiveFault("a bundle cannot be read");
    for (const one of opened.value.signed) {
      const signed = decode(signedShape, one, SIGNED_BYTES_MAX);
      const body = signed.ok ? decode(signedBodyShape, signed.value.body, SIGNED_BYTES_MAX) : signed;
      yield signed.ok && body.ok ? { ok: true, value: { signed: signed.value, body: body.value } } : { ok: false };
    }
  }
}
