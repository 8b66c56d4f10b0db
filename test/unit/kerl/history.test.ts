import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { type Aid, type Said, height } from "../../../src/base/brands.ts";
import { concatBytes, utf8 } from "../../../src/base/bytes.ts";
import { Projector } from "../../../src/actors/projector/projector.ts";
import { dumpSegments, loadSegments } from "../../../src/projections/checkpoint/checkpoint.ts";
import { decodeSegment } from "../../../src/projections/checkpoint/segment.ts";
import { ESCROW_HEIGHTS_MAX, type KerlEscrow } from "../../../src/keri/kerl.ts";
import { delegatedIncept } from "../../../src/keri/compose.ts";
import { nextKeyDigest } from "../../../src/keri/said.ts";
import { KerlHistory } from "../../../src/projections/kerl/history.ts";
import { KerlLayer } from "../../../src/projections/kerl/layer.ts";
import { LiveKerl } from "../../../src/projections/kerl/live-kerl.ts";
import { Key, Life, attached, witnessReceipt } from "./lives.ts";
import { LedgerWorld, authorOf } from "./ledger-world.ts";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const LAST = height(1_000_000);

describe("the past of an identifier", () => {
  it("is its key state at every height and number, its events as they came, superseded ones marked", () => {
    const world = new LedgerWorld();
    const { client } = world;
    const history = new KerlHistory(world.db);
    const inception = client.inception;
    const first = client.interacted();
    world.block(world.append(authorOf(client), first.message));
    const second = client.interacted();
    world.block(world.append(authorOf(client), second.message));
    // Somebody got hold of the keys: rotate over what they wrote.
    const recovery = client.rotation({ sn: 1, prior: inception.said });
    const { kinds } = world.block(world.append(authorOf(client), recovery.message));
    client.took(recovery, "rotation", 1);
    expect(kinds).toEqual(["commandExecuted", "keyEventAccepted"]);
    world.project();
    expect([0, 1, 2, 3].map((at) => history.keyState(client.aid, height(at))?.latest.said)).toEqual([
      inception.said,
      first.said,
      second.said,
      recovery.said,
    ]);
    expect(history.keyState(client.aid, height(2), 1)?.latest.said).toBe(first.said);
    expect(history.keyState(client.aid, height(3), 1)?.latest.said).toBe(recovery.said);
    expect(history.keyState(client.aid, height(3), 2)).toBeUndefined();
    expect(history.log(client.aid, LAST).events.map(({ said, to }) => [said, to?.height ?? null])).toEqual([
      [inception.said, null],
      [first.said, 3],
      [second.said, 3],
      [recovery.said, null],
    ]);
    expect(history.log(client.aid, height(2)).events.map(({ to }) => to)).toEqual([null, null, null]);
    const stream = text(history.export(client.aid, LAST).stream);
    expect(stream).toBe(text(concatBytes(inception.event, first.message, second.message, recovery.message)));
    expect(history.changes(client.aid, height(1), LAST, 0).map(({ at, kind, sn }) => [at.height, kind, sn])).toEqual([
      [2, "accepted", 2],
      [3, "accepted", 1],
      [3, "superseded", 1],
      [3, "superseded", 2],
    ]);
  });

  it("holds an event in escrow until its witnesses signed, and what was signed of it later", () => {
    const world = new LedgerWorld();
    const [one, two] = [new Key("witness one"), new Key("witness two")];
    const life = new Life("watched", { witnesses: [one.witness, two.witness] });
    const event = { aid: life.aid, sn: 0, said: life.inception.said, event: life.inception.event };
    const writer = authorOf(world.client);
    expect(world.block(world.append(writer, life.inception.message)).kinds).toEqual([
      "commandExecuted",
      "keyEventEscrowed",
    ]);
    expect(world.ledger.kerl.view.escrowsOf(life.aid).map(({ reason }) => reason)).toEqual(["partially-witnessed"]);
    world.restart();
    expect(world.ledger.kerl.view.escrowCount()).toBe(1);
    world.block(world.append(writer, witnessReceipt(one, event)));
    expect(world.ledger.keyState(life.aid)).toBeUndefined();
    const [founder] = world.founders as [Life];
    const { kinds } = world.block(world.append(authorOf(founder), witnessReceipt(two, event))); // founders are witnesses: they may
    expect(kinds).toContain("keyEventAccepted");
    expect(world.ledger.keyState(life.aid)?.witnesses).toEqual([one.witness, two.witness]);
    expect(world.ledger.kerl.view.escrowCount()).toBe(0);
    expect(world.block(world.append(writer, world.client.receiptOf(event))).kinds).toEqual([
      "commandExecuted",
      "keriReceiptAdded",
    ]);
    world.restart();
    const history = new KerlHistory(world.db);
    expect(history.receipts(life.aid, 0, LAST).map(({ signers }) => signers)).toEqual([
      [`tra:${world.client.aid}:0:0`],
    ]);
    expect(history.receipts(life.aid, 0, height(1))).toEqual([]);
    // What is exported is accepted by another log, receipts and all.
    const other = new LedgerWorld();
    const exported = history.export(life.aid, LAST).stream;
    expect(other.block(other.append(authorOf(other.client), exported)).kinds).toEqual([
      "commandExecuted",
      "keyEventAccepted",
    ]);
    other.project();
    expect(text(new KerlHistory(other.db).export(life.aid, LAST).stream)).toBe(text(exported));
  });

  it("an inception of genesis, which the founding document proves, gets its own signatures once somebody appends them", () => {
    const world = new LedgerWorld();
    const { client, operator } = world;
    expect(world.block(world.append(authorOf(client), operator.inception.message)).kinds).toEqual([
      "commandExecuted",
      "keriReceiptAdded",
    ]);
    world.restart();
    const history = new KerlHistory(world.db);
    expect(text(history.export(operator.aid, height(0)).stream)).toBe(text(operator.inception.event));
    expect(text(history.export(operator.aid, LAST).stream)).toBe(text(operator.inception.message));
    expect(world.block(world.append(authorOf(client), operator.inception.message)).kinds).toEqual(["commandExecuted"]);
  });

  it("what came in a closed group is exported as it came, later signatures as messages that any log takes", () => {
    const world = new LedgerWorld();
    const life = new Life("closed");
    const { event, message, said } = life.inception;
    const groups = message.slice(event.length);
    const closed = concatBytes(event, utf8(`-VA${"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[groups.length / 4] ?? ""}`), groups);
    const writer = authorOf(world.client);
    expect(world.block(world.append(writer, closed)).kinds).toEqual(["commandExecuted", "keyEventAccepted"]);
    world.project();
    const history = new KerlHistory(world.db);
    expect(text(history.export(life.aid, LAST).stream)).toBe(text(closed));
    const receipt = world.client.receiptOf({ aid: life.aid, sn: 0, said, event });
    expect(world.block(world.append(writer, receipt)).kinds).toEqual(["commandExecuted", "keriReceiptAdded"]);
    world.project();
    const exported = history.export(life.aid, LAST).stream;
    expect(text(exported)).toBe(text(concatBytes(closed, receipt)));
    const other = new LedgerWorld();
    expect(other.block(other.append(authorOf(other.client), exported)).kinds).toEqual([
      "commandExecuted",
      "keyEventAccepted",
      "keriReceiptAdded",
    ]);
  });

  it("knows the endpoints that were bound, and when they were cut", () => {
    const world = new LedgerWorld();
    const { client } = world;
    const attributes = { cid: client.aid, role: "mailbox", eid: world.admin.aid };
    const at = (minute: number): string => `2026-11-22T09:0${minute}:00.000000+00:00`;
    const add = client.replied({ route: "/end/role/add", date: at(1), attributes });
    const cut = client.replied({ route: "/end/role/cut", date: at(2), attributes });
    expect(world.block(world.append(authorOf(client), add)).kinds).toEqual(["commandExecuted", "keriReplyAccepted"]);
    world.restart();
    expect(world.block(world.append(authorOf(client), cut)).kinds).toEqual(["commandExecuted", "keriReplyAccepted"]);
    expect(world.block(world.append(authorOf(client), add)).kinds).toEqual(["commandRefused KERI_RULE"]); // older than what is kept
    world.project();
    const history = new KerlHistory(world.db);
    expect([0, 1, 2].map((h) => history.replies("end", client.aid, height(h)).map(({ date }) => date))).toEqual([
      [],
      [at(1)],
      [at(2)],
    ]);
    // Nor does whoever asks at a height hear that something newer came later.
    expect([1, 2].map((h) => history.replies("end", client.aid, height(h)).map(({ to }) => to))).toEqual([
      [null],
      [null],
    ]);
  });

  it("keeps rivals of an event as evidence", () => {
    const world = new LedgerWorld();
    const { client } = world;
    const rival = client.interaction([{ i: world.admin.aid }]);
    const author = authorOf(client);
    world.block(world.append(author, client.interacted().message));
    expect(world.block(world.append(author, rival.message)).kinds).toEqual(["commandExecuted", "keyEventForked"]);
    world.restart();
    expect(world.block(world.append(author, rival.message)).kinds).toEqual(["commandExecuted"]);
    expect(world.ledger.keyState(client.aid)?.latest.said).toBe(client.last);
    expect(new KerlHistory(world.db).forks(client.aid, LAST).map(({ said }) => said)).toEqual([rival.said]);
  });

  it("a delegated identifier begins when its delegator anchors it, which finds the anchor in the tables too", () => {
    const world = new LedgerWorld();
    const { client } = world;
    const [key, next] = [new Key("delegate"), new Key("delegate next")];
    const made = delegatedIncept({ delegator: client.aid, keys: [key.text], nextDigests: [nextKeyDigest(next.text)] });
    const seal = { i: made.aid, s: "0", d: made.said };
    const anchor = client.interacted([seal]);
    const signed = attached({
      controllerSignatures: [{ index: 0, ondex: 0, algorithm: "ed25519", sig: key.sign(made.event) }],
      sealSources: [{ aid: null, sn: 1, said: anchor.said }],
    });
    world.block(world.append(authorOf(client), anchor.message));
    world.restart(); // the anchor is in the tables alone
    expect(world.block(world.append(authorOf(client), concatBytes(made.event, signed))).kinds).toEqual([
      "commandExecuted",
      "keyEventAccepted",
    ]);
    expect(world.ledger.keyState(made.aid)?.delegator).toBe(client.aid);
  });
});

describe("escrows by height", () => {
  it("go at the beginning of the block at which they are too old, on every replica, before its commands", () => {
    const worlds = [new LedgerWorld(true), new LedgerWorld(false)] as const;
    const ends = worlds.map((world) => {
      const { client } = world;
      const missing = client.interaction();
      const later = client.took(missing, "interaction").interacted();
      const outcome = world.block(world.append(authorOf(client), later.message));
      expect(outcome.kinds).toEqual(["commandExecuted", "keyEventEscrowed"]);
      while (world.ledger.height < ESCROW_HEIGHTS_MAX) expect(world.block().kinds).toEqual([]);
      world.project();
      const last = world.block(world.write(authorOf(client), "a", 77));
      expect(last.kinds).toEqual(["keyEventDropped KERI_EXPIRED", "commandExecuted", "namespaceAdded", "subjectAdded"]);
      expect(last.facts.map(({ index }) => index)).toEqual([0, 1, 1, 1]);
      expect(world.ledger.kerl.view.escrowCount()).toBe(0);
      world.restart();
      return world.ledger.root;
    });
    expect(new Set(ends).size).toBe(1);
  });
});

describe("the order of what waits", () => {
  it("grows with every newcomer, and is the same for a replica that has just started, whatever has gone before", () => {
    const worlds = [new LedgerWorld(true), new LedgerWorld(true)] as const;
    const orders = worlds.map((world, i) => {
      const { client } = world;
      const made = [1, 2, 3, 4].map(() => {
        const next = client.interaction();
        client.took(next, "interaction");
        return next.message;
      });
      const [first, ...early] = made;
      if (first === undefined) throw new Error("four were made");
      world.block(world.append(authorOf(client), ...early));
      world.block(world.append(authorOf(client), first));
      expect(world.ledger.kerl.view.escrowCount()).toBe(0);
      world.project();
      if (i === 1) world.restart();
      const [missing, ...later] = [5, 6, 7].map(() => {
        const next = client.interaction();
        client.took(next, "interaction");
        return next.message;
      });
      expect(missing).toBeDefined();
      for (const message of later) world.block(world.append(authorOf(client), message));
      world.project();
      const waiting = world.ledger.kerl.view.escrowsOf(client.aid).map(({ sn, order }) => `${sn} ${order}`);
      const rows = world.db.prepare("SELECT sn, ord FROM kerl_escrows ORDER BY ord").all() as {
        sn: number;
        ord: number;
      }[];
      expect(rows.map(({ sn, ord }) => `${sn} ${ord}`)).toEqual(waiting);
      expect(waiting).toHaveLength(2);
      return waiting;
    });
    expect(orders[0]).toEqual(orders[1]);
  });

  it("is given without a look at the others, and the bytes of all are counted as they change", () => {
    const live = new LiveKerl();
    const escrow = (said: string, size: number): Omit<KerlEscrow, "order"> => ({
      aid: "Eaid" as Aid,
      sn: 2,
      said: said as Said,
      reason: "out-of-order",
      waitsFor: "Eaid" as Aid,
      event: new Uint8Array(size),
      attached: new Uint8Array(1),
      height: 1,
    });
    const below = live.view;
    below.escrows = () => {
      throw new Error("all were looked at");
    };
    const layer = live.layer();
    layer.putEscrow(escrow("Ea", 10));
    layer.putEscrow(escrow("Eb", 20));
    expect(layer.escrowBytes()).toBe(32);
    live.merge(1, layer);
    const next = live.layer();
    const command = new KerlLayer(next);
    command.putEscrow(escrow("Ea", 15));
    command.removeEscrow("event:Eb");
    command.putEscrow({ ...escrow("Ec", 1), height: 2 });
    expect([command.escrowBytes(), next.escrowBytes()]).toEqual([18, 32]);
    next.absorb(command);
    expect(next.escrowBytes()).toBe(18);
    live.merge(2, next);
    expect(live.view.escrowBytes()).toBe(18);
    expect(live.view.escrowsOf("Eaid" as Aid).map(({ said }) => said)).toEqual(["Ea", "Ec"]);
  });
});

describe("checkpoints", () => {
  it("carry key event logs: tables filled from one hold the same rows, and execution goes on alike", () => {
    const world = new LedgerWorld();
    const { client } = world;
    const out = client.took(client.interaction(), "interaction").interaction(); // out of order: stays in escrow
    world.block(world.append(authorOf(client), out.message));
    const stranger = new Life("stranger");
    world.block(
      world.append(
        authorOf(client),
        stranger.inception.message,
        stranger.interacted([{ i: client.aid, s: "0", d: client.aid }]).message,
      ),
    );
    world.block(
      world.append(
        authorOf(client),
        client.receiptOf({ aid: stranger.aid, sn: 0, said: stranger.inception.said, event: stranger.inception.event }),
      ),
    );
    world.project();
    const db = new Database(":memory:");
    const members = [{ aid: client.aid, key: new Key("epoch 0").publicKey }];
    const segments = [...dumpSegments(world.db, members)];
    const opened = segments.map((one) => {
      const segment = decodeSegment(one);
      if (!segment.ok) throw new Error(segment.refusal.message);
      return segment.value;
    });
    expect(db.transaction(() => loadSegments(db, opened))().ok).toBe(true);
    const restored = new Projector(db);
    expect(restored.verify().ok).toBe(true);
    expect(restored.kerl.rowsRoot).toBe(world.projector.kerl.rowsRoot);
    expect([...dumpSegments(db, members)].map(text)).toEqual(segments.map(text));
    const kinds = new Set(opened.map(({ kind }) => kind));
    for (const kind of ["keyEvents", "keyEventSeals", "keriReceipts", "keyEventEscrows"] as const)
      expect(kinds).toContain(kind);
  });

  it("of before there were key events in them are refused: the order of genesis' inceptions is not in them", () => {
    const world = new LedgerWorld();
    world.project();
    const [state] = dumpSegments(world.db, [{ aid: world.client.aid, key: new Key("epoch 0").publicKey }]);
    const opened = decodeSegment(state ?? new Uint8Array(0));
    if (!opened.ok) throw new Error(opened.refusal.message);
    const { aid, inception } = world.client;
    const db = new Database(":memory:");
    const old = [opened.value, { kind: "identifiers", first: 0, rows: [{ aid, icp: inception.event }] } as const];
    expect(loadSegments(db, old)).toMatchObject({ ok: false, refusal: { code: "CHECKPOINT_UNREADABLE" } });
  });
});
