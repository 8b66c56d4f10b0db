import { afterEach, describe, expect, it } from "vitest";
import { type Digest, epoch, height, logTime, view } from "../../../src/base/brands.ts";
import { decode, encode } from "../../../src/base/codec.ts";
import { sha256Digest } from "../../../src/crypto/hash.ts";
import { headerShape } from "../../../src/events/facts/block.ts";
import { bundleDigest } from "../../../src/events/facts/hashing.ts";
import { FRAME_BYTES_MAX, type PeerMessage, peerMessageShape } from "../../../src/events/facts/peer-message.ts";
import { ByzantineCommittee, LIAR, bodyOf, cluster, rootOfLiar, signAsLiar } from "./byzantine-committee.ts";

const committees: ByzantineCommittee[] = [];
afterEach(() => {
  for (const committee of committees.splice(0)) committee.end();
});
function gather(options: { readonly journalLost?: number } = {}): ByzantineCommittee {
  const committee = new ByzantineCommittee(options);
  committees.push(committee);
  return committee;
}

const times = (committee: ByzantineCommittee): number[] =>
  committee.honest.flatMap(({ delivered }) =>
    delivered.map(({ header }) => {
      const decoded = decode(headerShape, header, 512);
      return decoded.ok ? decoded.value.time : Number.NaN;
    }),
  );

describe("a leader that lies", () => {
  it("cannot found the cluster again: a genesis body above height 0 is no block", () => {
    const committee = gather();
    const at = committee.reachViewOfLiar();
    committee.say(committee.proposal(at, {}, { kind: "genesis", document: new Uint8Array(100) }));
    committee.stillOrders();
    for (const { delivered } of committee.honest)
      expect(delivered.filter((one) => one.height > 0).map(bodyOf)).not.toContain("genesis");
  });

  it("cannot move the log's clock to the end of time with a wait that no timer can hold", () => {
    const committee = gather();
    const at = committee.reachViewOfLiar();
    committee.say(committee.proposal(at, { time: logTime(2 ** 52) }, { kind: "executions", bundles: [] }));
    committee.stillOrders();
    for (const time of times(committee)) expect(time).toBeLessThan(committee.now + 1000);
  });

  it("cannot move the log's clock ahead with a proposal that comes before its view", () => {
    const committee = gather();
    // The view before is not over yet for anybody when the next leader speaks.
    const early = committee.reach((now) => now % 4 === LIAR - 1) + 1;
    const lie = committee.proposal(
      early,
      { time: logTime(committee.now + 3_600_000) },
      { kind: "executions", bundles: [] },
    );
    committee.say(lie);
    // Everybody nullifies the view before: its parent then is the final block, as the lie says.
    for (const one of committee.honest) one.actor.post({ type: "timerFired", timer: "advance" });
    committee.until("the view of the liar is over", () =>
      committee.honest.every(({ actor }) => actor.context.view > early),
    );
    committee.stillOrders();
    for (const time of times(committee)) expect(time).toBeLessThan(committee.now + 1000);
  });

  it("is refused at once when it builds below the final block", () => {
    const committee = gather();
    const at = committee.reachViewOfLiar();
    const [first] = committee.honest;
    committee.say(committee.proposal(at, { parentView: view(0) }, { kind: "executions", bundles: [] }));
    committee.until("refused", () => first?.refused.some((reason) => reason.includes("does not extend")) === true);
    committee.stillOrders();
  });

  it("cannot fill honest members' memory with the bundles of one block", () => {
    const committee = gather();
    const at = committee.reachViewOfLiar();
    const bundles = Array.from({ length: 24 }, (_, i) => committee.bundle(1.9 * 1024 * 1024, i));
    const digests = bundles.map(bundleDigest);
    committee.say(committee.proposal(at, {}, { kind: "executions", bundles: digests }));
    const [first] = committee.honest;
    committee.until("the bundles are wanted", () => first?.actor.isWanted(digests[0] as Digest) === true);
    for (const bundle of bundles) committee.say({ kind: "bundle", bundle });
    for (const { actor } of committee.honest) expect(actor.bundles.bytes).toBeLessThan(24 * 1024 * 1024);
    committee.stillOrders();
  });
});

describe("a leader that names what was ordered before", () => {
  it("has no more of it read back than one block may name", () => {
    const committee = gather();
    // Too far ahead to be checked, and still a sign of life: a silent leader would have its views nullified.
    const alive = {
      kind: "vote",
      vote: "nullify",
      epoch: epoch(0),
      view: view(2 ** 40),
      hash: null,
      member: LIAR,
    } as const;
    const bundles = Array.from({ length: 12 }, (_, i) => committee.bundle(1.9 * 1024 * 1024, i));
    for (const [i, bundle] of bundles.entries()) {
      committee.say({ kind: "bundle", bundle });
      committee.until("it is ordered", () =>
        committee.honest.every(({ delivered }) => delivered.flatMap((one) => one.bundles).length > i),
      );
      committee.say({ ...alive, signature: new Uint8Array(64) });
      committee.settled();
    }
    const at = committee.reachViewOfLiar();
    const [first] = committee.honest;
    committee.say(committee.proposal(at, {}, { kind: "executions", bundles: bundles.map(bundleDigest) }));
    committee.until("refused", () => first?.refused.some((reason) => reason.includes("body is not valid")) === true);
    for (const { actor } of committee.honest) expect(actor.bundles.bytes).toBeLessThan(16 * 1024 * 1024);
    committee.stillOrders();
  });
});

describe("a member that signs more than it may", () => {
  const other = (i: number): Digest => sha256Digest(Uint8Array.of(i >> 8, i & 0xff));

  it("has no vote for a third block in one view checked, and each counts as its fault", () => {
    const committee = gather();
    const at = committee.reach(() => true);
    const [first] = committee.honest;
    if (first === undefined) throw new Error("no member");
    const before = first.checks;
    for (let i = 0; i < 1000; i++) {
      const hash = other(i);
      const signature = signAsLiar(cluster, "notarize", at, hash);
      committee.say(
        { kind: "vote", vote: "notarize", epoch: epoch(0), view: view(at), hash, member: LIAR, signature },
        [first],
      );
    }
    expect(first.checks - before).toBe(2);
    expect(first.refused).toContain("PEER_SENDS_FAULTS");
    committee.stillOrders();
  });

  it("has no third proposal of one view checked", () => {
    const committee = gather();
    const at = committee.reachViewOfLiar();
    const [first] = committee.honest;
    if (first === undefined) throw new Error("no member");
    const before = first.checks;
    for (let i = 0; i < 600; i++)
      committee.say(committee.proposal(at, { time: logTime(committee.now + i) }, { kind: "executions", bundles: [] }), [
        first,
      ]);
    expect(first.checks - before).toBe(2);
    expect(first.refused).toContain("PEER_SENDS_FAULTS");
    committee.stillOrders();
  });

  it("has its roots checked at a bounded pace, however often it says them", () => {
    const committee = gather();
    const [first] = committee.honest;
    if (first === undefined) throw new Error("no member");
    const before = first.checks;
    for (let i = 0; i < 1000; i++) committee.say(rootOfLiar(1, other(0)), [first]);
    for (let i = 0; i < 1000; i++) committee.say(rootOfLiar(i + 2, other(i)), [first]);
    expect(first.checks - before).toBeLessThan(200);
    committee.pass(1000);
    committee.say(rootOfLiar(5000, other(1)), [first]);
    committee.until("it is heard again", () => first.actor.context.attested[LIAR]?.height === 5000);
    committee.stillOrders();
  });
});

describe("a member that floods", () => {
  it("cannot hold more of the mempool than its share", () => {
    const committee = gather();
    for (let i = 0; i < 40; i++) committee.say({ kind: "bundle", bundle: committee.bundle(1.9 * 1024 * 1024, i) });
    for (const { actor } of committee.honest) {
      expect(actor.bundles.bytes).toBeLessThan(32 * 1024 * 1024);
      expect(actor.submit(new Uint8Array([1]))).toBe(true);
    }
    committee.stillOrders();
  });

  it("leaves nothing on the disk of who voted for a block of its that came to nothing", () => {
    const committee = gather();
    const at = committee.reachViewOfLiar();
    const [first] = committee.honest;
    if (first === undefined) throw new Error("no member");
    const share = Array.from({ length: 9 }, (_, i) => committee.bundle(1.9 * 1024 * 1024, i));
    const beyond = Array.from({ length: 4 }, (_, i) => committee.bundle(1.9 * 1024 * 1024, 100 + i));
    for (const bundle of share) committee.say({ kind: "bundle", bundle });
    // One of three votes for it, and the liar: the view ends without a block.
    const digests = beyond.map(bundleDigest);
    committee.say(committee.proposal(at, {}, { kind: "executions", bundles: digests }), [first]);
    committee.until("it wants its bundles", () => first.actor.isWanted(digests[0] as Digest));
    for (const bundle of beyond) committee.say({ kind: "bundle", bundle }, [first]);
    committee.until("it votes for it", () => first.actor.context.own[at]?.notarize !== undefined);
    expect(first.log.bundlesUnordered()).toHaveLength(beyond.length);
    committee.settled();
    for (const { log, actor } of committee.honest) {
      expect(log.bundlesUnordered()).toEqual([]);
      expect(actor.bundles.bytes).toBe(0);
    }
    committee.stillOrders();
  });

  it("gets no more bytes of bundles for one request than one block may name", () => {
    const committee = gather();
    const bundle = committee.bundle(1.9 * 1024 * 1024, 1);
    const [first] = committee.honest;
    if (first === undefined) throw new Error("no member");
    committee.say({ kind: "bundle", bundle }, [first]);
    committee.heard.length = 0;
    committee.say({ kind: "bundleRequest", digests: Array.from({ length: 256 }, () => bundleDigest(bundle)) }, [first]);
    expect(committee.heard.filter(({ message }) => message.kind === "bundle")).toHaveLength(1);
  });

  it("gets pages of events at a bounded pace, however often it asks", () => {
    const committee = gather();
    committee.stillOrders();
    const [first] = committee.honest;
    if (first === undefined) throw new Error("no member");
    committee.heard.length = 0;
    for (let i = 0; i < 1000; i++) committee.say({ kind: "eventsRequest", from: height(1) }, [first]);
    const pages = committee.heard.filter(({ message }) => message.kind === "events").length;
    expect(pages).toBeGreaterThan(0);
    expect(pages).toBeLessThan(200);
  });
});

describe("a member that sends what does not hold", () => {
  it("is not read any more until it has been quiet, and nobody else suffers", () => {
    const committee = gather();
    const [first] = committee.honest;
    if (first === undefined) throw new Error("no member");
    for (let i = 0; i < 2000; i++) first.actor.receive(LIAR, new Uint8Array([0xc1, i & 0xff]));
    expect(first.refused.filter((reason) => reason === "PEER_SENDS_FAULTS").length).toBeGreaterThan(1000);
    committee.stillOrders();
  });
});

describe("a member that lost its journal", () => {
  it("does not believe a view that comes without its certificate", () => {
    const committee = gather({ journalLost: 0 });
    const [lost] = committee.honest;
    if (lost === undefined) throw new Error("no member");
    const nonce = Uint8Array.from({ length: 16 }, () => 0);
    committee.until("it asks", () => committee.heard.some(({ message }) => message.kind === "surveyRequest"));
    const asked = committee.heard.find(({ message }) => message.kind === "surveyRequest")?.message;
    committee.say(
      { kind: "survey", nonce: asked?.kind === "surveyRequest" ? asked.nonce : nonce, view: view(2 ** 50) },
      [lost],
    );
    committee.until(
      "refused or taken",
      () => lost.refused.includes("SURVEY_WITHOUT_CERTIFICATE") || LIAR in lost.actor.context.survey,
    );
    expect(lost.actor.context.survey[LIAR]).toBeUndefined();
  });
});

describe("what a peer says", () => {
  it("is of use once; said again it is not, whatever it is", () => {
    const committee = gather();
    const found = new Map<string, { first: number; again: number }>();
    for (const { actor } of committee.honest) {
      const receive = actor.receive.bind(actor);
      actor.receive = (from, frame) => {
        const message = decode(peerMessageShape, frame, FRAME_BYTES_MAX);
        const kind = message.ok ? message.value.kind : "none";
        const counts = found.get(kind) ?? { first: 0, again: 0 };
        found.set(kind, counts);
        const isOfUse = receive(from, frame);
        if (isOfUse) counts.first += 1;
        for (let i = 0; i < 3; i++) if (receive(from, frame)) counts.again += 1;
        return isOfUse;
      };
    }
    for (let i = 0; i < 10; i++) committee.stillOrders();
    for (const kind of ["proposal", "vote", "bundle"]) expect(found.get(kind)?.first, kind).toBeGreaterThan(0);
    for (const [kind, { again }] of found) expect(again, kind).toBe(0);
  });

  it("is of no use if it was not asked for, cannot be read, or asks", () => {
    const committee = gather();
    committee.stillOrders();
    const [first] = committee.honest;
    if (first === undefined) throw new Error("no member");
    const said: readonly PeerMessage[] = [
      { kind: "events", from: height(1), events: [] },
      { kind: "segment", segment: new Uint8Array(1000) },
      { kind: "eventsRequest", from: height(1) },
      { kind: "surveyRequest", nonce: new Uint8Array(16) },
    ];
    for (const message of said)
      expect(first.actor.receive(LIAR, encode(peerMessageShape, message)), message.kind).toBe(false);
    expect(first.actor.receive(LIAR, new Uint8Array([0xc1]))).toBe(false);
  });
});
