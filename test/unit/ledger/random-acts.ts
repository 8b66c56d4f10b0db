/** Random blocks of everything that the log may hold, made of few names, so that acts meet each other. */
import fc from "fast-check";
import type { Digest } from "../../../src/base/brands.ts";
import { encode } from "../../../src/base/codec.ts";
import {
  type CertificateRecord,
  RECORDS_PER_COMMAND_MAX,
  type RevocationReason,
  certificateIssueShape,
  certificateRevokeShape,
} from "../../../src/events/facts/certificate.ts";
import { type GraphWrite, graphWriteShape } from "../../../src/events/facts/graph.ts";
import { CERTIFICATES_OF_AID_MAX } from "../../../src/projections/certificates/decide.ts";
import { policySubject } from "../../../src/projections/ledger/policy.ts";
import { POLICY_ROLES, policyObject } from "../../../src/projections/rebac/names.ts";
import { type Author, type LedgerWorld, authorOf } from "../kerl/ledger-world.ts";
import { Cast, deed } from "../kerl/random-deeds.ts";
import { write } from "../rebac/random-writes.ts";

/** Units: ms. */
const STEPS = [0, 1, 400, 999, 1000, 2500, 61_000, 3_700_000] as const;
const LIVES = [-1, 0, 1, 700, 2000, 60_000, 3_600_000, 3_600_001] as const;
const ENDS = [-1, 0, 1, 500, 1500, 4000, 100_000, 400 * 86_400_000, 400 * 86_400_000 + 1] as const;

const by = fc.constantFrom(
  "client",
  "client",
  "client",
  "client",
  "client",
  "client",
  "admin",
  "admin",
  "node",
  "a",
  "d",
);
const who = fc.nat({ max: 6 });
const serial = fc.nat({ max: 2 });
const spki = fc.nat({ max: 1 });
const lives = fc.constantFrom(...LIVES, 60_000, 60_000, 60_000, 60_000);
const ends = fc.constantFrom(...ENDS);

const act = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("graph" as const), by, write, lives }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("same id" as const), by, write, lives, id: fc.nat({ max: 2 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("gateway" as const), write, lives, who }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("policy" as const),
      by: fc.constantFrom("admin", "admin", "admin", "client"),
      role: fc.constantFrom(...POLICY_ROLES),
      who,
      isGrant: fc.constantFrom(true, true, true, false),
    }),
  },
  { weight: 16, arbitrary: fc.record({ kind: fc.constant("keys" as const), by, deed }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("rekey" as const), by: fc.constantFrom("client", "admin") }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("issue" as const),
      by,
      records: fc.array(fc.record({ serial, spki, ends, isNode: fc.nat({ max: 5 }) }), { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("recorded again" as const), by, back: fc.nat({ max: 5 }), lives }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("revoke" as const),
      by,
      back: fc.nat({ max: 5 }),
      isSuperseded: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("revoke unknown" as const), by, who, serial, spki, ends }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("again" as const), back: fc.nat({ max: 6 }) }) },
);
export type Act = typeof act extends fc.Arbitrary<infer T> ? T : never;

const block = fc.record({
  step: fc.constantFrom(...STEPS, 1, 400, 400),
  acts: fc.array(act, { maxLength: 4, size: "max" }),
  content: fc.constantFrom("bundles", "bundles", "bundles", "bundles", "bundles", "checkpoint"),
});
export type RandomBlock = typeof block extends fc.Arbitrary<infer T> ? T : never;

export const blocks: fc.Arbitrary<readonly RandomBlock[]> = fc.array(block, {
  minLength: 3,
  maxLength: 24,
  size: "max",
});

const digest = (byte: string): Digest => byte.repeat(32) as Digest;

/** Makes batches of acts, once: every world gets the same bytes. */
export class Scribe {
  readonly cast = new Cast();
  readonly #world: LedgerWorld;
  readonly #sent: Uint8Array[] = [];
  readonly #records: CertificateRecord[] = [];

  constructor(world: LedgerWorld) {
    this.#world = world;
  }

  /** Everybody's first events, by the client. */
  beginnings(): readonly Uint8Array[] {
    const { client } = this.#world;
    return this.cast.beginnings().map((message) => this.#world.append(authorOf(client), message));
  }

  /** In the block of this time. */
  batchOf(one: Act, time: number): Uint8Array {
    const batch = this.#made(one, time);
    this.#sent.push(batch);
    return batch;
  }

  /** As many certificates of the client as one identifier may have, all of which end then. */
  full(notAfter: number): Uint8Array {
    const record = (at: number): CertificateRecord => ({
      ...this.#record("client", { serial: 0, spki: 0, isNode: 0 }, notAfter),
      serial: (0x1000 + at).toString(16),
    });
    const commands = Array.from({ length: CERTIFICATES_OF_AID_MAX / RECORDS_PER_COMMAND_MAX }, (_, i) => {
      const records = Array.from({ length: RECORDS_PER_COMMAND_MAX }, (__, j) =>
        record(i * RECORDS_PER_COMMAND_MAX + j),
      );
      return { kind: "certificate.issue" as const, payload: encode(certificateIssueShape, { records }), notAfter };
    });
    return this.#world.signed(this.#author("client"), commands);
  }

  #author(name: string): Author {
    return authorOf(this.#life(name));
  }

  #life(name: string) {
    const { client, admin, founders } = this.#world;
    if (name === "admin") return admin;
    if (name === "node") return founders[0] ?? client;
    if (name === "client") return client;
    return this.cast.life(name === "a" ? 0 : 3);
  }

  #whom(place: number) {
    const { client, admin, founders } = this.#world;
    return ([client, admin, founders[0]][place] ?? this.cast.life(place - 3)).aid;
  }

  #write(write: GraphWrite, notAfter: number) {
    return { kind: "graph.write" as const, payload: encode(graphWriteShape, write), notAfter };
  }

  #record(
    of: string,
    { serial: n, spki: key, isNode }: { serial: number; spki: number; isNode: number },
    notAfter: number,
  ) {
    const record: CertificateRecord = {
      issuer: digest("a1"),
      serial: `7f0${n}`,
      aid: this.#life(of).aid,
      role: isNode === 1 ? "node" : "client",
      spkiHash: digest(key === 0 ? "b2" : "c3"),
      notBefore: 1000,
      notAfter: Math.max(1000, notAfter),
    };
    return record;
  }

  /** Of those that were made, as many back. */
  #known(back: number, time: number): CertificateRecord {
    return this.#records.at(-1 - back) ?? this.#record("client", { serial: 0, spki: 0, isNode: 0 }, time + 4000);
  }

  #append(author: Author, payload: Uint8Array, notAfter: number): Uint8Array {
    return this.#world.signed(author, [{ kind: "kerl.append", payload, notAfter }]);
  }

  #issue(author: Author, records: readonly CertificateRecord[], notAfter: number): Uint8Array {
    const payload = encode(certificateIssueShape, { records });
    return this.#world.signed(author, [{ kind: "certificate.issue", payload, notAfter }]);
  }

  #revoke(author: Author, record: CertificateRecord, isSuperseded: boolean, notAfter: number): Uint8Array {
    const reason: RevocationReason = isSuperseded ? "superseded" : "keyCompromise";
    const payload = encode(certificateRevokeShape, { record, reason });
    return this.#world.signed(author, [{ kind: "certificate.revoke", payload, notAfter }]);
  }

  #made(one: Act, time: number): Uint8Array {
    const world = this.#world;
    const soon = time + 60_000;
    switch (one.kind) {
      case "graph":
        return world.signed(this.#author(one.by), [this.#write(one.write, time + one.lives)]);
      case "same id":
        return world.signed(this.#author(one.by), [{ ...this.#write(one.write, time + one.lives), id: 0xf0 + one.id }]);
      case "gateway":
        return world.signed(this.#author("node"), [this.#write(one.write, time + one.lives)], this.#whom(one.who));
      case "policy": {
        const assertion = { subject: policySubject(this.#whom(one.who)), object: policyObject(one.role) };
        const kind = one.isGrant ? ("addAssertion" as const) : ("deleteAssertion" as const);
        return world.signed(this.#author(one.by), [
          this.#write({ changes: [{ kind, assertion }], preconditions: [] }, soon),
        ]);
      }
      case "keys": {
        const author = this.#author(one.by); // as it was before
        return this.#append(author, this.cast.messageOf(one.deed), soon);
      }
      case "rekey": {
        const life = this.#life(one.by);
        const author = authorOf(life);
        return this.#append(author, life.rotated().message, soon);
      }
      case "issue": {
        const records = one.records.map((record) => this.#record(one.by, record, time + record.ends));
        this.#records.push(...records);
        return this.#issue(this.#author(one.by), records, soon);
      }
      case "recorded again":
        return this.#issue(this.#author(one.by), [this.#known(one.back, time)], time + one.lives);
      case "revoke":
        return this.#revoke(this.#author(one.by), this.#known(one.back, time), one.isSuperseded, soon);
      case "revoke unknown": {
        const record = { ...this.#record("client", { ...one, isNode: 0 }, time + one.ends), aid: this.#whom(one.who) };
        this.#records.push(record);
        return this.#revoke(this.#author(one.by), record, false, soon);
      }
      case "again":
        return this.#sent.at(-1 - one.back) ?? world.write(this.#author("client"), "first", 1);
    }
  }
}
