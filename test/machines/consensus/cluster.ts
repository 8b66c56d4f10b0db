/** A whole committee of real consensus machines over a seeded network, with whatever its Byzantine members make of their messages. */
import type { Digest, MemberIndex } from "../../../src/base/brands.ts";
import { VOTE_OF } from "../../../src/events/facts/hashing.ts";
import { quorumOf } from "../../../src/machines/consensus/committee.ts";
import type { ConsensusEvent, VoteKind } from "../../../src/machines/consensus/types.ts";
import { EventQueue, mulberry32 } from "./event-queue.ts";
import { Member, type Wire } from "./member.ts";
import { digest, memberIndex } from "./values.ts";

export interface NetworkOptions {
  readonly seed: number;
  readonly size?: number;
  /** Chance that one message is lost. */
  readonly loss?: number;
  readonly delayMsMax?: number;
  readonly duplicate?: number;
  /** Chance that one message takes up to two seconds. */
  readonly lateness?: number;
}

export class Cluster {
  readonly seed: number;
  readonly size: number;
  readonly members: readonly Member[];
  readonly random: () => number;
  readonly bundlesMade = new Set<Digest>();
  now = 0;
  /** Decides what happens to a message; the default obeys the options. */
  filter: (from: number, to: number, message: Wire) => boolean = () => true;
  reaches: (from: number, to: number) => boolean = () => true;
  onStep?: (member: Member, event: ConsensusEvent) => void;
  readonly #options: Required<NetworkOptions>;
  readonly #queue = new EventQueue();
  readonly #signed = new Set<string>();

  constructor(options: NetworkOptions) {
    this.#options = { size: 4, loss: 0, delayMsMax: 5, duplicate: 0, lateness: 0, ...options };
    this.seed = options.seed;
    this.size = this.#options.size;
    this.random = mulberry32(options.seed);
    this.members = Array.from({ length: this.size }, (_, index) => new Member(this, memberIndex(index)));
    for (const member of this.members) member.take({ type: "started" });
  }

  /** Every vote that its member really signed: nobody forges another's. */
  sign(kind: VoteKind, at: number, hash: Digest | null, member: MemberIndex): void {
    this.#signed.add(`${kind}/${at}/${hash}/${member}`);
  }

  isSigned(kind: VoteKind, at: number, hash: Digest | null, member: MemberIndex): boolean {
    return this.#signed.has(`${kind}/${at}/${hash}/${member}`);
  }

  isSound({ certificate, view: at, hash, signers }: Extract<Wire, { kind: "certificate" }>): boolean {
    const signed = (member: MemberIndex): boolean => this.isSigned(VOTE_OF[certificate], at, hash, member);
    return new Set(signers).size >= quorumOf(this.size) && signers.every(signed);
  }

  get honest(): readonly Member[] {
    return this.members.filter((member) => !member.byzantine);
  }

  calm(): void {
    Object.assign(this.#options, { loss: 0, duplicate: 0, lateness: 0, delayMsMax: 5 });
    this.filter = () => true;
    this.join();
  }

  /** Ends a partition: streams are made anew, and both sides send their holdings. */
  join(): void {
    this.reaches = () => true;
    for (const one of this.members)
      for (const other of this.members)
        if (one !== other && one.alive && other.alive) one.take({ type: "peerConnected", member: other.index });
  }

  pick(except: number): MemberIndex {
    const other = Math.floor(this.random() * (this.size - 1));
    return memberIndex(other >= except ? other + 1 : other);
  }

  later(ms: number, run: () => void): void {
    this.#queue.push(this.now + ms, run);
  }

  send(from: MemberIndex, to: MemberIndex, message: Wire): void {
    const tamper = this.members[from]?.tamper;
    if (tamper === undefined) this.#transmit(from, to, message);
    else for (const said of tamper(to, message)) this.#transmit(from, to, said);
  }

  #transmit(from: MemberIndex, to: MemberIndex, message: Wire): void {
    if (!this.filter(from, to, message) || !this.reaches(from, to)) return;
    const copies = this.random() < this.#options.duplicate ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.random() < this.#options.loss) continue;
      const delayMsMax = this.random() < this.#options.lateness ? 2000 : this.#options.delayMsMax;
      this.later(this.random() * delayMsMax, () => this.members[to]?.receive(from, message));
    }
  }

  submit(name: string, at: number): Digest {
    const one = digest(name);
    this.bundlesMade.add(one);
    const member = this.members[at];
    if (member?.alive === true) {
      member.hold(one);
      for (const other of this.members)
        if (other !== member) this.send(member.index, other.index, { kind: "bundle", digest: one });
    }
    return one;
  }

  /** Runs until the condition holds. Returns false when the time is over first, or nothing is left to happen. */
  run(ms: number, until: () => boolean = () => false): boolean {
    const end = this.now + ms;
    while (!until()) {
      const task = this.#queue.pop(end);
      if (task === undefined) return until();
      this.now = task.at;
      task.run();
    }
    return true;
  }

  get pending(): number {
    return this.#queue.size;
  }
}

/** Agreement on prefixes; no honest member ever broke rule 8 over all its lives, or accused an honest one. Throws with the reason. */
export function assertSafe(cluster: Cluster): void {
  const longest = cluster.honest.reduce((a, b) => (b.log.length > a.log.length ? b : a)).log;
  for (const member of cluster.honest) {
    member.log.forEach((hash, at) => {
      if (hash !== longest[at]) throw new Error(`members part at height ${at + 1}`);
    });
    assertRule8(member);
    for (const { kind, member: accused } of member.evidence)
      if (cluster.members[accused]?.byzantine !== true) throw new Error(`${kind} of honest member ${accused}`);
  }
}

function assertRule8(member: Member): void {
  const votes = new Map<string, string>();
  for (const { kind, view: at, hash } of member.sent) {
    const earlier = votes.get(`${kind}/${at}`);
    if (earlier !== undefined && earlier !== String(hash))
      throw new Error(`member ${member.index} voted twice in view ${at}`);
    votes.set(`${kind}/${at}`, String(hash));
    const opposite = kind === "nullify" ? "finalize" : kind === "finalize" ? "nullify" : undefined;
    if (opposite !== undefined && votes.has(`${opposite}/${at}`))
      throw new Error(`member ${member.index} nullified and finalised view ${at}`);
  }
}
