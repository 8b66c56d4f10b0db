/**
 * Key event receipt logs as naive as they can be written: bodies read by JSON.parse, logs as lists, no escrow judged. It does not say
 * what must be accepted; it says what may be, and what is in force then. For identifiers of the simulation: full rotations only.
 */
import type { Aid, Said } from "../../src/base/brands.ts";
import { fromUtf8 } from "../../src/base/bytes.ts";
import type { KerlFact } from "../../src/keri/kerl-facts.ts";
import { ESCROW_HEIGHTS_MAX, FORKS_PER_AID_MAX, FORKS_PER_PLACE_MAX, escrowName } from "../../src/keri/kerl.ts";
import { nextKeyDigest } from "../../src/keri/said.ts";

/** An event's body, as far as it matters here. */
interface Body {
  readonly t: string;
  readonly d: Said;
  readonly i: Aid;
  readonly s: string;
  readonly p?: Said;
  readonly k?: readonly string[];
  readonly kt?: string;
  readonly n?: readonly string[];
  readonly b?: readonly string[];
  readonly bt?: string;
  readonly di?: Aid;
  readonly a?: readonly { readonly i?: string; readonly s?: string; readonly d?: string }[];
}

/** What was given for an event until now, by all who sent something. */
export interface Given {
  readonly controllers: ReadonlySet<number>;
  readonly witnesses: ReadonlySet<string>;
}

/** What must be so and is not. */
export class NaiveFault extends Error {}

function demand(condition: boolean, message: string): asserts condition {
  if (!condition) throw new NaiveFault(message);
}

const isRotation = ({ t }: Body): boolean => t === "rot" || t === "drt";

export interface Establishment {
  readonly sn: number;
  readonly said: Said;
  readonly keys: readonly string[];
  readonly threshold: number;
}

export class NaiveKerl {
  /** Events in force by identifier, by sequence number. */
  readonly #logs = new Map<Aid, Body[]>();
  readonly #superseded = new Set<Said>();
  /** Their sequence numbers by what they are. */
  readonly #forks = new Map<Aid, Map<Said, number>>();
  /** Of events and replies that facts were about. */
  readonly #seen = new Set<Said>();
  /** Height at which each escrow came, by name. */
  readonly #waiting = new Map<string, number>();
  readonly #given: (said: Said) => Given | undefined;

  /** `given`: undefined for an event that nobody of the simulation made. */
  constructor(given: (said: Said) => Given | undefined) {
    this.#given = given;
  }

  get aids(): readonly Aid[] {
    return [...this.#logs.keys()];
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  log(aid: Aid): readonly { readonly d: Said }[] {
    return this.#logs.get(aid) ?? [];
  }

  forks(aid: Aid): number {
    return this.#forks.get(aid)?.size ?? 0;
  }

  /** Whether the event was accepted, waited, or became evidence (unless there was enough of that). */
  knows(aid: Aid, sn: number, said: Said): boolean {
    return this.#seen.has(said) || this.#isEvidenceEnough(aid, sn);
  }

  #isEvidenceEnough(aid: Aid, sn: number): boolean {
    const places = [...(this.#forks.get(aid)?.values() ?? [])];
    return places.length >= FORKS_PER_AID_MAX || places.filter((place) => place === sn).length >= FORKS_PER_PLACE_MAX;
  }

  get superseded(): ReadonlySet<Said> {
    return this.#superseded;
  }

  establishment(aid: Aid): Establishment | undefined {
    const at = this.#logs.get(aid)?.findLastIndex(({ k }) => k !== undefined) ?? -1;
    const body = this.#logs.get(aid)?.[at];
    if (body === undefined) return undefined;
    return { sn: at, said: body.d, keys: body.k ?? [], threshold: Number.parseInt(body.kt ?? "0", 16) };
  }

  /** Of the founding document: proved by it. */
  founded(aid: Aid, icp: Uint8Array): void {
    this.#logs.set(aid, [bodyOf(icp)]);
  }

  /** The block of this height is executed: nothing waits longer than it may. */
  ended(height: number): void {
    for (const [name, since] of this.#waiting)
      demand(height - since < ESCROW_HEIGHTS_MAX, `${name} waits since height ${since}, still at ${height}`);
  }

  apply(fact: KerlFact, height: number): void {
    if (fact.kind !== "keriReceiptAdded") this.#seen.add(fact.said);
    switch (fact.kind) {
      case "keyEventAccepted":
        return this.#accepted(fact);
      case "keyEventEscrowed": {
        const name = escrowName(fact);
        if (!this.#waiting.has(name)) this.#waiting.set(name, height);
        return;
      }
      case "keyEventDropped": {
        const name = escrowName(fact);
        const since = this.#waiting.get(name);
        demand(since !== undefined, `${name} is dropped and did not wait`);
        const isOld = height - since >= ESCROW_HEIGHTS_MAX;
        demand((fact.code === "KERI_EXPIRED") === isOld, `${name} of ${since} is dropped at ${height} as ${fact.code}`);
        this.#waiting.delete(name);
        return;
      }
      case "keyEventForked": {
        const { aid, sn, said } = fact;
        const log = this.#logs.get(aid) ?? [];
        demand(
          log[sn] !== undefined && log[sn].d !== said && !this.#isEvidenceEnough(aid, sn),
          `${said} is a fork of nothing at ${aid} ${sn}`,
        );
        demand(this.#given(said) !== undefined, `${said}, a fork, was made by nobody`);
        this.#forks.set(aid, new Map([...(this.#forks.get(aid) ?? []), [said, sn]]));
        return;
      }
      case "keriReceiptAdded":
        return demand(this.#isAccepted(fact.aid, fact.said), `a receipt of ${fact.said}, which is not accepted`);
      case "keriReplyAccepted":
        return;
      default:
        return fact satisfies never;
    }
  }

  #isAccepted(aid: Aid, said: Said): boolean {
    return this.#superseded.has(said) || this.log(aid).some(({ d }) => d === said);
  }

  #accepted({ aid, sn, said, event, superseded }: Extract<KerlFact, { readonly kind: "keyEventAccepted" }>): void {
    const body = bodyOf(event);
    const log = this.#logs.get(aid) ?? [];
    const where = `${body.t} ${said} at ${aid} ${sn}`;
    demand(!this.#isAccepted(aid, said), `${where} is accepted twice`);
    demand(body.d === said && body.i === aid && Number.parseInt(body.s, 16) === sn, `${where} is another event`);
    demand(sn <= log.length, `${where} is in force before those before it`);
    const over = log.slice(sn);
    if (over.length > 0)
      demand(
        body.t === "rot" && over.every(({ t }) => t === "ixn"),
        `${where} takes the place of ${over.map(({ t, d }) => `${t} ${d}`).join(", ")}`,
      );
    demand(
      superseded.join() === over.map(({ d }) => d).join(),
      `${where} says that it supersedes ${superseded.length} events, not ${over.length}`,
    );
    demand(sn === 0 || body.p === log[sn - 1]?.d, `${where} does not follow the event before`);
    this.#judgeKeys(body, log.slice(0, sn), where);
    for (const { d } of over) this.#superseded.add(d);
    this.#logs.set(aid, [...log.slice(0, sn), body]);
    this.#forks.get(aid)?.delete(said);
    this.#waiting.delete(escrowName({ said, reason: "out-of-order", waitsFor: aid }));
    this.#waiting.delete(escrowName({ said, reason: "unverified-receipt", waitsFor: aid }));
  }

  #judgeKeys(body: Body, before: readonly Body[], where: string): void {
    const set = before.findLast(({ k }) => k !== undefined);
    if (isRotation(body))
      demand(body.k?.map(nextKeyDigest).join() === set?.n?.join(), `${where} sets keys that nobody committed to`);
    const given = this.#given(body.d);
    demand(given !== undefined, `${where} was made by nobody`);
    const needed = Number.parseInt((body.kt ?? set?.kt) || "0", 16);
    demand(given.controllers.size >= needed, `${where} is signed by ${given.controllers.size} of ${needed} keys`);
    const { b = [], bt = "0" } = before[0] ?? body;
    const seen = b.filter((one) => given.witnesses.has(one)).length;
    demand(seen >= Number.parseInt(bt, 16), `${where} has receipts of ${seen} witnesses, not ${bt}`);
    const delegator = (before[0] ?? body).di;
    if (delegator === undefined || body.k === undefined) return;
    const anchored = this.#logs.get(delegator)?.some(({ a }) => a?.some(({ d }) => d === body.d) === true);
    demand(anchored === true, `${where} is not anchored by its delegator`);
  }
}

const bodyOf = (event: Uint8Array): Body => JSON.parse(fromUtf8(event) ?? "") as Body;
