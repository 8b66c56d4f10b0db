/** What waits, receipts and replies; each is named with its section of the ToIP KERI specification. */
import { describe, expect, test } from "vitest";
import type { Aid, Said } from "../../../src/base/brands.ts";
import { present } from "../../../src/base/errors.ts";
import { type Composed, delegatedIncept, incept, interact, receipt, reply, rotate } from "../../../src/keri/compose.ts";
import { keptAttachments } from "../../../src/keri/escrow.ts";
import { ESCROW_BOUNDS, ESCROW_HEIGHTS_MAX, isExpired } from "../../../src/keri/kerl.ts";
import { nextKeyDigest } from "../../../src/keri/said.ts";
import { type Key, complete, messageOf, signed } from "./differential/lives.ts";
import { Stage, follow, interaction, keysInput, seals } from "./stage.ts";

describe("escrows (Escrow; docs/adr/0020)", () => {
  /** An inception and `count` interactions, complete; nothing was sent. */
  function log(count: number) {
    const stage = new Stage();
    const [a, n] = stage.keys(2) as readonly [Key, Key];
    const icp = incept(keysInput([a], [n]));
    const events: Composed[] = [icp];
    for (let sn = 1; sn <= count; sn++) events.push(interaction(icp.aid, sn, (events[sn - 1] as Composed).said));
    return { stage, a, icp, messages: events.map(({ event }) => complete(event, [a], [a], [])), events };
  }

  test("what came early is accepted in the breath of what it waited for", () => {
    const { stage, icp, messages } = log(5);
    for (const message of messages.slice(1).reverse()) expect(stage.send(message)).toBe("escrowed:out-of-order");
    expect(stage.send(messages[0] as Uint8Array)).toBe("accepted");
    expect(stage.kerl.keyState(icp.aid)?.latest.sn).toBe(5);
    expect(stage.kerl.escrowCount()).toBe(0);
  });

  test("an identifier has room for so many; receipts are counted apart", () => {
    const { stage, a, icp, messages, events } = log(ESCROW_BOUNDS.perAid / 2 + 1);
    for (const message of messages.slice(1, -1)) expect(stage.send(message)).toBe("escrowed:out-of-order");
    expect(stage.send(messages.at(-1) as Uint8Array)).toBe("KERI_ESCROW_FULL");
    const { event, said } = events[1] as Composed;
    const couple = { receiptor: a.witnessText, code: "0B", sig: a.sign(event) };
    expect(stage.send(messageOf(receipt({ aid: icp.aid, sn: 1, said }).event, { receiptCouples: [couple] }))).toBe(
      "escrowed:unverified-receipt",
    );
    expect(stage.send(messages[1] as Uint8Array)).toBe("escrowed:out-of-order");
    expect(stage.send(messages[0] as Uint8Array)).toBe("accepted");
    expect(stage.kerl.signers(said).has(`non:${a.witnessText}`)).toBe(true);
    expect(stage.kerl.escrowCount()).toBe(0);
  });

  test("what comes too far ahead does not wait: it could not be among the next that came early", () => {
    const { stage, icp, a } = log(0);
    const ahead = (sn: number) => stage.send(complete(interaction(icp.aid, sn, icp.said).event, [a], [], []));
    expect(ahead(ESCROW_BOUNDS.perAid)).toBe("KERI_ESCROW_FULL");
    expect(ahead(ESCROW_BOUNDS.perAid - 1)).toBe("escrowed:out-of-order");
    expect(stage.send(complete(icp.event, [a], [a], []))).toBe("accepted");
    expect(ahead(ESCROW_BOUNDS.perAid)).toBe("escrowed:out-of-order");
    expect(ahead(ESCROW_BOUNDS.perAid + 1)).toBe("KERI_ESCROW_FULL");
  });

  describe("what others make up in the name of an identifier keeps none of its own events out", () => {
    function victim() {
      const stage = new Stage();
      const [a, n, l, w, thief] = stage.keys(5) as readonly [Key, Key, Key, Key, Key];
      const icp = stage.begin([a], [n], { witnesses: [w] });
      const rot = rotate({ ...follow(icp, 1, icp.said), ...keysInput([n], [l]), witnessThreshold: 1 });
      const own = () => stage.send(complete(rot.event, [n], [n], []));
      const receipted = () =>
        messageOf(receipt({ aid: icp.aid, sn: 1, said: rot.said }).event, {
          receiptCouples: [{ receiptor: w.witnessText, code: "0B", sig: w.sign(rot.event) }],
        });
      return { stage, icp, n, thief, own, receipted };
    }

    test("neither events that come early nor rotations by keys that nobody committed to, whatever their number", () => {
      const { stage, icp, thief, own, receipted } = victim();
      const kinds = new Set<string>();
      for (let i = 0; i < 2 * ESCROW_BOUNDS.perAid; i++) {
        const text = stage.key().text;
        const early = interaction(icp.aid, 2 + (i % 8), icp.said, text.replace("D", "E"));
        const rival = rotate({
          ...follow(icp, 1, icp.said),
          ...keysInput([thief], [stage.key()]),
          witnessThreshold: 1,
          seals: seals(text.replace("D", "E")),
        });
        kinds.add(stage.send(complete((i % 2 === 0 ? early : rival).event, [thief], [], [])));
      }
      expect(kinds).toEqual(new Set(["escrowed:out-of-order", "escrowed:partially-signed", "KERI_ESCROW_FULL"]));
      expect(stage.kerl.escrowsOf(icp.aid)).toHaveLength(ESCROW_BOUNDS.perAid / 2);
      expect(own()).toBe("escrowed:partially-witnessed");
      expect(stage.send(receipted())).toBe("receipt");
    });

    test("nor their bytes", () => {
      const { stage, icp, thief, own } = victim();
      const large = (sn: number, count: number) => {
        const list = Array.from({ length: count }, () => ({ d: icp.said }));
        return stage.send(complete(interact({ ...follow(icp, sn, icp.said), seals: list }).event, [thief], [], []));
      };
      expect(large(2, 640)).toBe("KERI_ESCROW_FULL");
      expect(large(2, 500)).toBe("escrowed:out-of-order");
      expect(large(3, 500)).toBe("KERI_ESCROW_FULL");
      expect(own()).toBe("escrowed:partially-witnessed");
    });
  });

  test("what waits keeps its height, and has waited too long after so many", () => {
    const { stage, messages, icp } = log(1);
    expect(stage.send(messages[1] as Uint8Array, 10)).toBe("escrowed:out-of-order");
    const [escrow] = stage.kerl.escrowsOf(icp.aid);
    expect(isExpired(present(escrow, "it waits"), 10 + ESCROW_HEIGHTS_MAX - 1)).toBe(false);
    expect(isExpired(present(escrow, "it waits"), 10 + ESCROW_HEIGHTS_MAX)).toBe(true);
  });

  test("an event is kept byte for byte with what it came with; an invalid signature among valid ones is left out", () => {
    const stage = new Stage();
    const [a, b] = stage.keys(2) as readonly [Key, Key];
    const icp = incept({ ...keysInput([a, b], []), threshold: 1 });
    const message = complete(icp.event, [a, b], [a, b], []);
    expect(stage.send(message)).toBe("accepted");
    const [fact] = stage.facts;
    expect(fact?.kind === "keyEventAccepted" && Buffer.concat([fact.event, fact.attached])).toEqual(
      Buffer.from(message),
    );
    const other = incept({ ...keysInput([b, a], []), threshold: 1 });
    const half = messageOf(other.event, {
      controllerSignatures: [signed(b, other.event, 0, 0), signed(b, other.event, 1, 1)],
    });
    expect(stage.send(half)).toBe("accepted");
    expect(stage.facts[1]).toMatchObject({ signers: ["key:0"] });
    expect(stage.facts[1]).toHaveProperty("attached.length", 4 + 88);
  });

  test("more signatures than the keys could have made are refused before they are tried", () => {
    const stage = new Stage();
    const a = stage.key();
    const icp = incept(keysInput([a], []));
    const one = signed(a, icp.event, 0, 0);
    expect(stage.send(messageOf(icp.event, { controllerSignatures: Array.from({ length: 9 }, () => one) }))).toBe(
      "signatures-attached",
    );
  });
});

describe("receipts (Receipt messages)", () => {
  test("by a transferable identifier hold by the keys of the event that they name, and wait for it", () => {
    const stage = new Stage();
    const [a, b, n] = stage.keys(3) as readonly [Key, Key, Key];
    const icp = stage.begin([a], []);
    const watcher = incept(keysInput([b], [n]));
    const rct = receipt({ aid: icp.aid, sn: 0, said: icp.said }).event;
    const by = (key: Key, said = watcher.said) =>
      messageOf(rct, {
        transferableSignatures: [
          { aid: watcher.aid, establishment: { sn: 0, said }, signatures: [signed(key, icp.event, 0, 0)] },
        ],
      });
    expect(stage.send(by(b))).toBe("escrowed:unverified-receipt");
    expect(stage.send(complete(watcher.event, [b], [b], []))).toBe("accepted");
    expect(stage.kerl.signers(icp.said).has(`tra:${watcher.aid}:0:0`)).toBe(true);
    expect(stage.kerl.escrowCount()).toBe(0);
    expect(stage.send(by(b))).toBe("known");
    expect(stage.send(by(n))).toBe("KERI_BAD_SIGNATURE");
    expect(stage.send(by(b, icp.said))).toBe("KERI_BAD_SIGNATURE");
  });

  test("of another identifier's event, or empty, are refused", () => {
    const stage = new Stage();
    const [a, b] = stage.keys(2) as readonly [Key, Key];
    const [icp, other] = [stage.begin([a], []), stage.begin([b], [])];
    const couple = { receiptor: a.witnessText, code: "0B", sig: a.sign(icp.event) };
    expect(
      stage.send(messageOf(receipt({ aid: other.aid, sn: 0, said: icp.said }).event, { receiptCouples: [couple] })),
    ).toBe("receipt-identifier");
    expect(stage.send(receipt({ aid: icp.aid, sn: 0, said: icp.said }).event)).toBe("receipt-empty");
  });

  test("of an event that waits for its witnesses, under another identifier's name, are refused too", () => {
    const stage = new Stage();
    const [a, b, witness] = stage.keys(3) as readonly [Key, Key, Key];
    const other = stage.begin([b], []);
    const icp = incept({ ...keysInput([a], []), witnesses: [witness.witnessText], witnessThreshold: 1 });
    expect(stage.send(complete(icp.event, [a], [a], []))).toBe("escrowed:partially-witnessed");
    const couple = { receiptor: witness.witnessText, code: "0B", sig: witness.sign(icp.event) };
    const named = (aid: Aid) =>
      stage.send(messageOf(receipt({ aid, sn: 0, said: icp.said }).event, { receiptCouples: [couple] }));
    expect(named(other.aid)).toBe("receipt-identifier");
    expect(stage.kerl.keyState(icp.aid)).toBeUndefined();
    expect(named(icp.aid)).toBe("receipt");
    expect(stage.kerl.keyState(icp.aid)?.latest.said).toBe(icp.said);
  });

  test("signatures of more keys that come with the event again are kept too", () => {
    const stage = new Stage();
    const [a, b] = stage.keys(2) as readonly [Key, Key];
    const icp = incept({ ...keysInput([a, b], []), threshold: 1 });
    expect(stage.send(messageOf(icp.event, { controllerSignatures: [signed(a, icp.event, 0, 0)] }))).toBe("accepted");
    expect(stage.send(complete(icp.event, [a, b], [a, b], []))).toBe("receipt");
    expect(stage.send(complete(icp.event, [a, b], [a, b], []))).toBe("known");
    expect([...stage.kerl.signers(icp.said)]).toEqual(["key:0", "key:1"]);
  });
});

describe("receipts that come before what they are for", () => {
  /** A rotation that waits for its two witnesses. */
  function witnessed() {
    const stage = new Stage();
    const [a, n, w, x, l] = stage.keys(5) as readonly [Key, Key, Key, Key, Key];
    const icp = stage.begin([a], [n], { witnesses: [w, x], bt: 2 });
    const rot = rotate({ ...follow(icp, 1, icp.said), ...keysInput([n], [l]), witnessThreshold: 2 });
    const of = (said: Said, key: Key, over = rot.event) =>
      messageOf(receipt({ aid: icp.aid, sn: 1, said }).event, {
        receiptCouples: [{ receiptor: key.witnessText, code: "0B", sig: key.sign(over) }],
      });
    expect(stage.send(complete(rot.event, [n], [n], []))).toBe("escrowed:partially-witnessed");
    return { stage, icp, rot, of, w, x };
  }
  const said = (text: string): Said => nextKeyDigest(text) as Said;

  test("those of witnesses of an event that waits are kept with it, however many of others' wait", () => {
    const { stage, icp, rot, of, w, x } = witnessed();
    for (let i = 0; i < ESCROW_BOUNDS.perAid; i++)
      expect(stage.send(of(said(`${i}`), stage.key()))).toBe("escrowed:unverified-receipt");
    expect(stage.send(of(said("another"), stage.key()))).toBe("KERI_ESCROW_FULL");
    expect(stage.send(of(rot.said, w))).toBe("escrowed:unverified-receipt");
    expect(stage.send(of(rot.said, w))).toBe("escrowed:unverified-receipt");
    expect(stage.send(of(rot.said, x))).toBe("receipt");
    expect(stage.kerl.keyState(icp.aid)?.sn).toBe(1);
  });

  test("one signer has a quarter of the places, others find room beside", () => {
    const { stage, of } = witnessed();
    const [junk, honest] = stage.keys(2) as readonly [Key, Key];
    const share = ESCROW_BOUNDS.perAid / 4;
    for (let i = 0; i < share; i++) expect(stage.send(of(said(`${i}`), junk))).toBe("escrowed:unverified-receipt");
    expect(stage.send(of(said("more"), junk))).toBe("KERI_ESCROW_FULL");
    expect(stage.send(of(said("more"), honest))).toBe("escrowed:unverified-receipt");
    // What is joined to a receipt that waits takes no place of its own.
    expect(stage.send(of(said("more"), junk))).toBe("escrowed:unverified-receipt");
  });

  test("a signer counts with all identifiers that it delegates to, and for no more signatures than it has keys", () => {
    const { stage, icp } = witnessed();
    const [d, m] = stage.keys(2) as readonly [Key, Key];
    const delegator = stage.begin([d], [m]);
    const dips = Array.from({ length: 5 }, () =>
      delegatedIncept({
        ...keysInput([d], []),
        delegator: delegator.aid,
        seals: seals(stage.key().text.replace("D", "E")),
      }),
    );
    for (const { event } of dips) expect(stage.send(complete(event, [d], [d], []))).toBe("escrowed:awaiting-anchor");
    const anchors = dips.map((dip) => ({ i: dip.aid, s: "0", d: dip.said }));
    const ixn = interact({ ...follow(delegator, 1, delegator.said), seals: anchors });
    expect(stage.send(complete(ixn.event, [d], [], []))).toBe("accepted");
    const by = (dip: (typeof dips)[number], i: number) =>
      messageOf(receipt({ aid: icp.aid, sn: 2, said: said(`${i}`) }).event, {
        transferableSignatures: [
          {
            aid: dip.aid,
            establishment: { sn: 0, said: dip.said },
            signatures: Array.from({ length: 70 }, (_, place) => signed(d, dip.event, place, place)),
          },
        ],
      });
    const sent = dips.map((dip, i) => stage.send(by(dip, i)));
    expect(sent).toEqual([...Array<string>(4).fill("escrowed:unverified-receipt"), "KERI_ESCROW_FULL"]);
    const kept = stage.kerl.escrowsOf(icp.aid).filter(({ reason }) => reason === "unverified-receipt");
    expect(kept.map((escrow) => keptAttachments(escrow).transferableSignatures[0]?.signatures.length)).toEqual([
      64, 64, 64, 64,
    ]);
  });
});

describe("all places of everybody", () => {
  test("are nobody's alone: once an eighth is taken, each has a share, together with those that it delegates to", () => {
    const stage = new Stage({ ...ESCROW_BOUNDS, all: 256 });
    const [a, b, c, n, m] = stage.keys(5) as readonly [Key, Key, Key, Key, Key];
    const [greedy, honest] = [stage.begin([a], [n]), stage.begin([b], [n])];
    const dip = () => {
      const unique = seals(stage.key().text.replace("D", "E"));
      return delegatedIncept({ ...keysInput([c], [m]), delegator: greedy.aid, seals: unique });
    };
    const delegate = dip();
    const seal = [{ i: delegate.aid, s: "0", d: delegate.said }];
    const ixn = interact({ ...follow(greedy, 1, greedy.said), seals: seal });
    expect(stage.send(complete(ixn.event, [a], [], []))).toBe("accepted");
    expect(stage.send(complete(delegate.event, [c], [], []))).toBe("accepted");
    const more = () => stage.send(complete(dip().event, [c], [], []));
    for (let i = 0; i < 32; i++) expect(more()).toBe("escrowed:awaiting-anchor");
    expect(more()).toBe("KERI_ESCROW_FULL");
    const early = (aid: Composed & { readonly aid: Aid }, key: Key, sn: number) =>
      stage.send(complete(interaction(aid.aid, sn, aid.said).event, [key], [], []));
    expect(early(delegate, c, 2)).toBe("KERI_ESCROW_FULL");
    for (let i = 0; i < 4; i++) expect(early(honest, b, 2 + i)).toBe("escrowed:out-of-order");
    expect(early(honest, b, 6)).toBe("KERI_ESCROW_FULL");
    const receiptOf = (key: Key) =>
      stage.send(
        messageOf(receipt({ aid: honest.aid, sn: 1, said: nextKeyDigest("unknown") as Said }).event, {
          receiptCouples: [{ receiptor: key.witnessText, code: "0B", sig: key.sign(honest.event) }],
        }),
      );
    expect(receiptOf(m)).toBe("escrowed:unverified-receipt");
  });
});

test("who judges one stream has nobody to share the room with: all of it is there for what one delegator has to anchor", () => {
  const stage = new Stage({ ...ESCROW_BOUNDS, all: 64, isShared: false });
  const [a, n, c] = stage.keys(3) as readonly [Key, Key, Key];
  const icp = stage.begin([a], [n]);
  const dip = () =>
    delegatedIncept({ ...keysInput([c], []), delegator: icp.aid, seals: seals(stage.key().text.replace("D", "E")) });
  for (let i = 0; i < 64; i++) expect(stage.send(complete(dip().event, [c], [], []))).toBe("escrowed:awaiting-anchor");
  expect(stage.send(complete(dip().event, [c], [], []))).toBe("KERI_ESCROW_FULL");
});

test("an identifier's own events find room whatever waits in its name and in those of its delegates", () => {
  const stage = new Stage({ ...ESCROW_BOUNDS, all: 256 });
  const [a, n, l, w, c] = stage.keys(5) as readonly [Key, Key, Key, Key, Key];
  const icp = stage.begin([a], [n], { witnesses: [w] });
  const dip = () =>
    delegatedIncept({ ...keysInput([c], []), delegator: icp.aid, seals: seals(stage.key().text.replace("D", "E")) });
  for (let i = 0; i < 32; i++) expect(stage.send(complete(dip().event, [c], [], []))).toBe("escrowed:awaiting-anchor");
  expect(stage.send(complete(dip().event, [c], [], []))).toBe("KERI_ESCROW_FULL");
  const rot = rotate({ ...follow(icp, 1, icp.said), ...keysInput([n], [l]), witnessThreshold: 1 });
  expect(stage.send(complete(rot.event, [n], [n], []))).toBe("escrowed:partially-witnessed");
});

describe("all bytes of everybody", () => {
  const SEAL = 54;
  /** An identifier's events that come early, of about so many bytes. */
  const early = (stage: Stage, by: Composed & { readonly aid: Aid }, key: Key, sn: number, bytes: number) => {
    const list = Array.from({ length: Math.floor(bytes / SEAL) }, () => ({ d: by.said }));
    return stage.send(complete(interact({ ...follow(by, sn, by.said), seals: list }).event, [key], [], []));
  };

  test("are bounded, and counted as they come and go", () => {
    const stage = new Stage({ ...ESCROW_BOUNDS, bytesAll: 2048 });
    const keys = stage.keys(3);
    const [a, b, c] = keys.map((key) => ({ key, icp: stage.begin([key], [stage.key()]) }));
    const send = (one: typeof a, sn: number, bytes: number) => {
      const { icp, key } = present(one, "three were made");
      return early(stage, icp, key, sn, bytes);
    };
    expect(stage.kerl.escrowBytes()).toBe(0);
    expect(send(a, 2, 1_000)).toBe("KERI_ESCROW_FULL"); // far beyond a sixty-fourth, and more than an eighth
    const roomy = new Stage({ ...ESCROW_BOUNDS, bytesAll: 1024 * 64 });
    const [d, e] = roomy.keys(2) as readonly [Key, Key];
    const [greedy, honest] = [roomy.begin([d], [roomy.key()]), roomy.begin([e], [roomy.key()])];
    expect(early(roomy, greedy, d, 2, 5_000)).toBe("escrowed:out-of-order");
    expect(early(roomy, greedy, d, 3, 5_000)).toBe("KERI_ESCROW_FULL");
    expect(early(roomy, greedy, d, 3, 2_000)).toBe("escrowed:out-of-order");
    expect(early(roomy, greedy, d, 4, 500)).toBe("KERI_ESCROW_FULL");
    expect(early(roomy, honest, e, 2, 300)).toBe("escrowed:out-of-order");
    const waiting = [...roomy.kerl.escrows()].reduce((sum, one) => sum + one.event.length + one.attached.length, 0);
    expect(roomy.kerl.escrowBytes()).toBe(waiting);
    expect(send(b, 2, 0)).toBe("KERI_ESCROW_FULL");
    expect(send(c, 2, 0)).toBe("KERI_ESCROW_FULL");
  });
});

describe("replies (BADA)", () => {
  const DAY = "2026-01-02T00:00:00.000000+00:00";
  function replying() {
    const stage = new Stage();
    const [a, n, e] = stage.keys(3) as readonly [Key, Key, Key];
    const icp = incept(keysInput([a], [n]));
    const attributes = { cid: icp.aid, role: "watcher", eid: e.witnessText };
    const role = (route: "/end/role/add" | "/end/role/cut", date: string, key: Key, sn = 0, said: Said = icp.said) => {
      const { event } = reply({ route, date, attributes });
      return messageOf(event, {
        transferableSignatures: [{ aid: icp.aid, establishment: { sn, said }, signatures: [signed(key, event, 0, 0)] }],
      });
    };
    return { stage, icp, a, n, e, role };
  }

  test("of one subject the later holds: by the key state first, then by the date, wherever its clock stands", () => {
    const { stage, icp, a, n, role } = replying();
    expect(stage.send(complete(icp.event, [a], [a], []))).toBe("accepted");
    expect(stage.send(role("/end/role/add", DAY, a))).toBe("replied");
    expect(stage.send(role("/end/role/add", DAY, a))).toBe("known");
    expect(stage.send(role("/end/role/cut", "2026-01-02T00:30:00.000000+01:00", a))).toBe("bada");
    expect(stage.send(role("/end/role/cut", "2026-01-01T23:30:00.000001-00:30", a))).toBe("replied");
    const rot = rotate({ ...follow(icp, 1, icp.said), ...keysInput([n], []), witnessThreshold: 0 });
    expect(stage.send(complete(rot.event, [n], [n], []))).toBe("accepted");
    expect(stage.send(role("/end/role/add", "2020-01-01T00:00:00.000000+00:00", n, 1, rot.said))).toBe("replied");
    expect(stage.send(role("/end/role/cut", "2030-01-01T00:00:00.000000+00:00", a))).toBe("bada");
  });

  test("waits for the log of its signer, and is refused when another signs", () => {
    const { stage, icp, a, n, e, role } = replying();
    expect(stage.send(role("/end/role/add", DAY, a))).toBe("escrowed:out-of-order");
    expect(stage.send(complete(icp.event, [a], [a], []))).toBe("accepted");
    expect(stage.facts.at(-1)).toMatchObject({ kind: "keriReplyAccepted", aid: icp.aid });
    expect(stage.send(role("/end/role/cut", "2027-01-01T00:00:00.000000+00:00", n))).toBe("KERI_BAD_SIGNATURE");
    const { event } = reply({
      route: "/loc/scheme",
      date: DAY,
      attributes: { eid: e.witnessText, scheme: "http", url: "http://127.0.0.1:1/" },
    });
    const couple = (key: Key) => ({ receiptor: key.witnessText, code: "0B", sig: key.sign(event) });
    expect(stage.send(messageOf(event, { receiptCouples: [couple(a)] }))).toBe("KERI_BAD_SIGNATURE");
    expect(stage.send(messageOf(event, { receiptCouples: [couple(e)] }))).toBe("replied");
  });
});
