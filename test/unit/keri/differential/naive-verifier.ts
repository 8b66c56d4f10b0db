/**
 * A second verifier of key event logs, written from the specification alone and for nothing but being plainly right: it shares no
 * code with src, knows version 1 JSON and Ed25519 only, keeps everything, and looks at all that waits again after every message.
 * Source: ToIP KERI specification; sections are named at the rules.
 */
import { type KeyObject, createPublicKey, verify } from "node:crypto";
import { blake3 } from "@noble/hashes/blake3.js";

type Json = Readonly<Record<string, unknown>>;

interface Signature {
  readonly index: number;
  readonly ondex: number | null;
  readonly sig: Buffer;
}

interface Attached {
  readonly controllers: Signature[];
  readonly witnesses: Signature[];
  readonly couples: { readonly key: string; readonly sig: Buffer }[];
}

interface Event extends Attached {
  readonly text: string;
  readonly ked: Json;
  readonly aid: string;
  readonly sn: number;
  readonly said: string;
  readonly type: string;
}

/** An event in force, with the identifier's state after it. */
interface Entry {
  readonly event: Event;
  readonly state: State;
  readonly boss: Event | null;
}

interface State {
  readonly establishment: number;
  readonly keys: readonly string[];
  readonly kt: unknown;
  readonly next: readonly string[];
  readonly nt: unknown;
  readonly witnesses: readonly string[];
  readonly bt: number;
  readonly traits: readonly string[];
  readonly delegator: string | null;
}

const FIELDS: Readonly<Record<string, string>> = {
  icp: "v,t,d,i,s,kt,k,nt,n,bt,b,c,a",
  dip: "v,t,d,i,s,kt,k,nt,n,bt,b,c,a,di",
  rot: "v,t,d,i,s,p,kt,k,nt,n,bt,br,ba,a",
  drt: "v,t,d,i,s,p,kt,k,nt,n,bt,br,ba,a",
  ixn: "v,t,d,i,s,p,a",
  rct: "v,t,d,i,s",
};

const digest = (text: string): string =>
  `E${Buffer.concat([Buffer.from([0]), Buffer.from(blake3(Buffer.from(text)))])
    .toString("base64url")
    .slice(1)}`;

const keyObjects = new Map<string, KeyObject>();
function holds(key: string, message: string, sig: Buffer): boolean {
  if (key[0] !== "D" && key[0] !== "B") return false;
  let object = keyObjects.get(key);
  if (object === undefined) {
    const x = Buffer.from(`A${key.slice(1)}`, "base64url")
      .subarray(1)
      .toString("base64url");
    object = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    keyObjects.set(key, object);
  }
  return verify(null, Buffer.from(message), object, sig);
}

const CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const number = (text: string): number =>
  Array.from(text).reduce((sum, character) => sum * 64 + CHARACTERS.indexOf(character), 0);
class Malformed extends Error {}

/** 64 bytes at the end of a primitive whose head has 2 or 6 characters. */
function signatureOf(text: string, head: number): Buffer {
  if (!/^[A-D][A-Za-z0-9_-]{85}$/.test(text.slice(head))) throw new Malformed("signature");
  return Buffer.from(`AA${text.slice(head)}`, "base64url").subarray(2);
}

/** CESR, "Count code tables" 1.00: A, B, C, G with elements of fixed size. */
function readAttached(text: string): Attached {
  const attached: Attached = { controllers: [], witnesses: [], couples: [] };
  let at = 0;
  const take = (length: number): string => {
    const part = text.slice(at, at + length);
    if (part.length < length) throw new Malformed("short");
    at += length;
    return part;
  };
  const indexed = (): Signature => {
    if (text[at] === "A" || text[at] === "B") {
      const part = take(88);
      const index = number(part.slice(1, 2));
      return { index, ondex: part[0] === "A" ? index : null, sig: signatureOf(part, 2) };
    }
    if (text.slice(at, at + 2) !== "2A" && text.slice(at, at + 2) !== "2B") throw new Malformed("code");
    const part = take(92);
    const ondex = number(part.slice(4, 6));
    if (part[1] === "B" && ondex !== 0) throw new Malformed("ondex");
    return { index: number(part.slice(2, 4)), ondex: part[1] === "A" ? ondex : null, sig: signatureOf(part, 6) };
  };
  while (at < text.length) {
    const counter = take(4);
    const count = number(counter.slice(2));
    for (let i = 0; i < count; i++) {
      if (counter.startsWith("-A")) attached.controllers.push(indexed());
      else if (counter.startsWith("-B")) attached.witnesses.push(indexed());
      else if (counter.startsWith("-C")) {
        const key = take(44);
        const sig = take(88);
        if (!sig.startsWith("0B")) throw new Malformed("couple");
        attached.couples.push({ key, sig: signatureOf(sig, 2) });
      } else if (counter.startsWith("-G")) take(68);
      else throw new Malformed("group");
    }
  }
  return attached;
}

/** "Version string field", "SAID fields": the bytes as they are, and nothing else. */
function readMessage(message: string): Event {
  const size = /^\{"v":"KERI10JSON([0-9a-f]{6})_"/.exec(message)?.[1];
  if (size === undefined) throw new Malformed("version");
  const text = message.slice(0, Number.parseInt(size, 16));
  const ked = JSON.parse(text) as Json;
  const type = String(ked["t"]);
  if (JSON.stringify(ked) !== text || Object.keys(ked).join() !== FIELDS[type]) throw new Malformed("form");
  const said = String(ked["d"]);
  const aid = String(ked["i"]);
  const s = String(ked["s"]);
  if (!/^(0|[1-9a-f][0-9a-f]*)$/.test(s)) throw new Malformed("sn");
  if (type !== "rct") {
    const blank = { ...ked, d: "#".repeat(44), ...(aid === said && { i: "#".repeat(44) }) };
    if (digest(JSON.stringify(blank)) !== said) throw new Malformed("said");
  }
  return { ...readAttached(message.slice(text.length)), text, ked, aid, sn: Number.parseInt(s, 16), said, type };
}

/** "Key and key digest threshold fields": numbers, and weights in clauses, without nesting. Exact fractions by cross-multiplication. */
function isMet(threshold: unknown, indices: ReadonlySet<number>): boolean {
  if (typeof threshold === "string") return indices.size > 0 && indices.size >= Number.parseInt(threshold, 16);
  const lists = threshold as readonly unknown[];
  const clauses = (Array.isArray(lists[0]) ? lists : [lists]) as readonly (readonly string[])[];
  let position = 0;
  for (const clause of clauses) {
    let top = 0n;
    let bottom = 1n;
    for (const weight of clause) {
      const [n = "0", d = "1"] = weight.split("/");
      if (indices.has(position)) [top, bottom] = [top * BigInt(d) + BigInt(n) * bottom, bottom * BigInt(d)];
      position += 1;
    }
    if (top < bottom) return false;
  }
  return indices.size > 0;
}

const texts = (value: unknown): readonly string[] => value as readonly string[];
const repeated = (list: readonly string[]): boolean => new Set(list).size !== list.length;

export class NaiveVerifier {
  readonly #logs = new Map<string, Entry[]>();
  /** Events that wait, by SAID, with all signatures that came for them; in the order of the first. */
  readonly #pool = new Map<string, Event>();
  readonly #receipts = new Map<string, Attached>();
  /** All that were ever in force, for the anchors of superseded rotations. */
  readonly #accepted = new Set<string>();

  /**
   * Whether something that waited was given up because another event was in force before it by then. Of several that waited
   * for the same event, who is looked at first decides that; verifiers may differ, and both be right.
   */
  raced = false;

  /** Takes one message, body and attachments; whatever then can be accepted is. */
  take(message: Uint8Array): void {
    let read: Event;
    try {
      read = readMessage(Buffer.from(message).toString("latin1"));
    } catch {
      return;
    }
    if (read.type === "rct") {
      const name = `${read.aid} ${read.said}`;
      const known = this.#receipts.get(name);
      known?.witnesses.push(...read.witnesses);
      known?.couples.push(...read.couples);
      if (known === undefined) this.#receipts.set(name, read);
    } else if (!this.#accepted.has(read.said)) {
      const waiting = this.#pool.get(read.said);
      waiting?.controllers.push(...read.controllers);
      waiting?.witnesses.push(...read.witnesses);
      waiting?.couples.push(...read.couples);
      if (waiting === undefined) this.#pool.set(read.said, read);
    }
    this.#settle(read.said);
  }

  /** In the order they came, again and again while one was accepted. */
  #settle(arrived: string): void {
    for (let changed = true; changed; ) {
      changed = false;
      for (const [said, event] of this.#pool) {
        const outcome = this.#judge(event, arrived);
        if (outcome === "wait") continue;
        this.#pool.delete(said);
        changed ||= outcome === "accepted";
      }
    }
  }

  /** Identifier → SAIDs in force, by sequence number. */
  inForce(): Record<string, readonly string[]> {
    return Object.fromEntries([...this.#logs].map(([aid, log]) => [aid, log.map(({ event }) => event.said)]));
  }

  #judge(event: Event, arrived: string): "accepted" | "wait" | "no" {
    const log = this.#logs.get(event.aid) ?? [];
    const prior = log[event.sn - 1];
    const state = this.#stateAfter(event, log, arrived);
    if (typeof state === "string") return state;
    const isSigned = this.#isSigned(event, state, prior?.state);
    if (isSigned !== "yes") return isSigned;
    if (this.#support(event, state) < state.bt) return "wait";
    const delegator = event.type === "ixn" ? null : state.delegator;
    const boss = delegator === null ? null : this.#bossOf(event, delegator);
    if (delegator !== null && this.#logs.get(delegator)?.[0]?.state.traits.includes("DND") === true) return "no";
    if (delegator !== null && boss === null) return "wait";
    const rival = log[event.sn];
    if (rival?.event.type === "drt" && !this.#supersedes(event, boss, rival.event, rival.boss)) return "no";
    this.#logs.set(event.aid, [...log.slice(0, event.sn), { event, state, boss }]);
    this.#accepted.add(event.said);
    return "accepted";
  }

  /** "Rotation using pre-rotation": both thresholds. */
  #isSigned(event: Event, state: State, prior: State | undefined): "yes" | "wait" | "no" {
    const { signers, exposed } = this.#signatures(event, state, prior);
    if (signers.size === 0) return "no";
    const rotation = event.type === "rot" || event.type === "drt";
    return isMet(state.kt, signers) && (!rotation || isMet(prior?.nt, exposed)) ? "yes" : "wait";
  }

  /** What the event would make of its identifier, signatures apart. */
  #stateAfter(event: Event, log: readonly Entry[], arrived: string): State | "wait" | "no" {
    const inception = event.type === "icp" || event.type === "dip";
    if (inception !== (event.sn === 0)) return "no";
    if (inception) {
      const derived = event.aid.startsWith("E") && event.aid === event.said;
      return derived && log.length === 0 ? (this.#inceptionState(event) ?? "no") : "no";
    }
    // "Next key digest list field": abandoned.
    if (log.at(-1)?.state.next.length === 0) return "no";
    const prior = log[event.sn - 1];
    if (prior === undefined) return "wait";
    if (event.ked["p"] !== prior.event.said) {
      this.raced ||= arrived !== event.said;
      return "no";
    }
    if (log[event.sn] !== undefined && !this.#mayTry(event, log)) return "no";
    return this.#nextState(event, prior) ?? "no";
  }

  /** Keys that signed, and places of the prior next list that they expose. "Indexed signatures": distinct keys, whatever the codes. */
  #signatures(
    event: Event,
    state: State,
    prior: State | undefined,
  ): Record<"signers" | "exposed", ReadonlySet<number>> {
    const signers = new Set<number>();
    const exposed = new Set<number>();
    for (const { index, ondex, sig } of event.controllers) {
      const key = state.keys[index];
      if (key === undefined || !holds(key, event.text, sig)) continue;
      signers.add(index);
      if (prior !== undefined && ondex !== null && prior.next[ondex] === digest(key)) exposed.add(ondex);
    }
    return { signers, exposed };
  }

  /** Rules A0, A1, A2, and who rule B is for: a rotation over interactions since the last one, or a delegated one over that last one. */
  #mayTry(event: Event, log: readonly Entry[]): boolean {
    if (event.type !== "rot" && event.type !== "drt") return false;
    const later = log.slice(event.sn);
    if (later.every((entry) => entry.event.type === "ixn")) return true;
    return (
      event.type === "drt" &&
      later[0]?.event.type === "drt" &&
      later.slice(1).every((entry) => entry.event.type === "ixn")
    );
  }

  /** Rules B1, B2, B3 and C, word by word. */
  #supersedes(newer: Event, newBoss: Event | null, older: Event, oldBoss: Event | null): boolean {
    if (newBoss === null || oldBoss === null) return false;
    if (newBoss.sn > oldBoss.sn) return true;
    if (newBoss.said === oldBoss.said) {
      const seals = newBoss.ked["a"] as readonly Json[];
      const at = (event: Event) => seals.findIndex((seal) => seal["i"] === event.aid && seal["d"] === event.said);
      return at(newer) > at(older);
    }
    const isRotation = newBoss.type === "rot" || newBoss.type === "drt";
    if (newBoss.sn === oldBoss.sn && isRotation && oldBoss.type === "ixn") return true;
    if (newBoss.type !== "drt" || oldBoss.type !== "drt") return false;
    return this.#supersedes(newBoss, this.#entryOf(newBoss), oldBoss, this.#entryOf(oldBoss));
  }

  readonly #bosses = new Map<string, Event | null>();
  #entryOf(event: Event): Event | null {
    const entry = this.#logs.get(event.aid)?.[event.sn];
    if (entry?.event.said === event.said) this.#bosses.set(event.said, entry.boss);
    return this.#bosses.get(event.said) ?? null;
  }

  /** "Cooperative Delegation": the latest event in force of the delegator that seals this one. */
  #bossOf(event: Event, delegator: string): Event | null {
    const log = this.#logs.get(delegator) ?? [];
    const seals = (entry: Entry) =>
      (entry.event.ked["a"] as readonly Json[]).some(
        (seal) =>
          Object.keys(seal).join() === "i,s,d" &&
          seal["i"] === event.aid &&
          seal["s"] === event.ked["s"] &&
          seal["d"] === event.said,
      );
    const boss = log.findLast(seals)?.event ?? null;
    if (boss !== null) this.#bosses.set(event.said, boss);
    return boss;
  }

  /** "KAWA": how many of the witnesses support it, by whatever came. */
  #support(event: Event, { witnesses }: State): number {
    const separate = this.#receipts.get(`${event.aid} ${event.said}`);
    const supporting = new Set<string>();
    for (const { index, sig } of [...event.witnesses, ...(separate?.witnesses ?? [])]) {
      const witness = witnesses[index];
      if (witness !== undefined && holds(witness, event.text, sig)) supporting.add(witness);
    }
    for (const { key, sig } of [...event.couples, ...(separate?.couples ?? [])])
      if (witnesses.includes(key) && holds(key, event.text, sig)) supporting.add(key);
    return supporting.size;
  }

  #inceptionState({ ked }: Event): State | null {
    const witnesses = texts(ked["b"]);
    const bt = Number.parseInt(String(ked["bt"]), 16);
    if (repeated(witnesses) || (witnesses.length === 0 ? bt !== 0 : bt < 1 || bt > witnesses.length)) return null;
    return {
      establishment: 0,
      ...keysOf(ked),
      witnesses,
      bt,
      traits: texts(ked["c"]),
      delegator: (ked["di"] as string | undefined) ?? null,
    };
  }

  #nextState({ ked, type, sn }: Event, { state }: Entry): State | null {
    if (type === "ixn") return state.traits.includes("EO") ? null : state;
    if ((type === "drt") !== (state.delegator !== null)) return null;
    const removed = texts(ked["br"]);
    const added = texts(ked["ba"]);
    const bt = Number.parseInt(String(ked["bt"]), 16);
    if (repeated(removed) || repeated(added)) return null;
    if (removed.some((one) => !state.witnesses.includes(one))) return null;
    if (added.some((one) => state.witnesses.includes(one))) return null;
    const witnesses = [...state.witnesses.filter((one) => !removed.includes(one)), ...added];
    if (witnesses.length === 0 ? bt !== 0 : bt < 1 || bt > witnesses.length) return null;
    return { ...state, establishment: sn, ...keysOf(ked), witnesses, bt };
  }
}

const keysOf = (ked: Json) => ({ keys: texts(ked["k"]), kt: ked["kt"], next: texts(ked["n"]), nt: ked["nt"] });
