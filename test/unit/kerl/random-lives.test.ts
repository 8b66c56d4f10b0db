import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Projector } from "../../../src/actors/projector/projector.ts";
import { concatBytes } from "../../../src/base/bytes.ts";
import type { KerlEscrow } from "../../../src/keri/kerl.ts";
import type { LiveKerl } from "../../../src/projections/kerl/live-kerl.ts";
import { loadLiveKerl } from "../../../src/projections/kerl/load-live-kerl.ts";
import { Key, Life, type Made, witnessReceipt } from "./lives.ts";
import { LedgerWorld, authorOf } from "./ledger-world.ts";

/** What the actors of a random history do. */
type Deed =
  | {
      readonly kind: "rotate" | "interact" | "recover" | "abandon" | "skip" | "fork" | "receipt" | "witness" | "again";
      readonly who: number;
    }
  | { readonly kind: "reply"; readonly who: number; readonly minute: number };

/** More often what goes on. */
const OTHERS = [
  "recover",
  "recover",
  "fork",
  "receipt",
  "receipt",
  "witness",
  "witness",
  "again",
  "skip",
  "abandon",
] as const;
const who = fc.nat({ max: 3 });
const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 14, arbitrary: fc.record({ kind: fc.constantFrom("rotate" as const, "interact" as const), who }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom(...OTHERS),
      who,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("reply" as const), who, minute: fc.nat({ max: 59 }) }) },
);

const witnesses = [new Key("w0"), new Key("w1")];

/** Messages of a history, made once so that several worlds get the same bytes. */
class Cast {
  readonly #lives = [
    new Life("a"),
    new Life("b", { keys: 2 }),
    new Life("c", { witnesses: witnesses.map(({ witness }) => witness) }),
    new Life("d", { traits: ["EO"] }),
  ];
  readonly #last = new Map<Life, { readonly made: Made; readonly sn: number }>();
  readonly #sent: Uint8Array[] = [];

  beginnings(): readonly Uint8Array[] {
    return this.#lives.map((life) => {
      this.#last.set(life, { made: life.inception, sn: 0 });
      return life.inception.message;
    });
  }

  messageOf(deed: Deed): Uint8Array {
    const life = this.#lives[deed.who] ?? new Life("nobody");
    const message = this.#made(life, deed);
    this.#sent.push(message);
    return message;
  }

  #made(life: Life, deed: Deed): Uint8Array {
    const last = this.#last.get(life) ?? { made: life.inception, sn: 0 };
    const event = { aid: life.aid, sn: last.sn, said: last.made.said, event: last.made.event };
    const keep = (made: Made): Uint8Array => {
      this.#last.set(life, { made, sn: life.sn });
      return made.message;
    };
    switch (deed.kind) {
      case "rotate":
        return keep(life.rotated());
      case "abandon":
        return keep(life.rotated({ abandon: true }));
      case "interact":
        return keep(deed.who === 3 ? life.rotated() : life.interacted([{ i: life.aid, s: "0", d: life.aid }]));
      case "recover": // over interactions after the last establishment event, which the rules allow
        return life.sn === life.establishment.sn
          ? keep(life.rotated())
          : keep(life.rotated({ sn: life.establishment.sn + 1, prior: life.establishment.said }));
      case "skip": // makes one that nobody gets, so that the next ones wait
        life.interacted();
        return life.interacted().message;
      case "fork":
        return life.interaction([{ d: last.made.said }]).message;
      case "receipt":
        return (this.#lives[(deed.who + 1) % 4] ?? life).receiptOf(event);
      case "witness":
        return concatBytes(...witnesses.map((witness) => witnessReceipt(witness, event)));
      case "again":
        return this.#sent.at(-2) ?? life.inception.message;
      case "reply":
        return life.replied({
          route: "/loc/scheme",
          date: `2026-11-22T09:${String(deed.minute).padStart(2, "0")}:00.000000+00:00`,
          attributes: { eid: life.aid, scheme: "http", url: `http://host:${deed.minute}/` },
        });
    }
  }

  get aids() {
    return this.#lives.map(({ aid }) => aid);
  }
}

/** All that a live model answers of its present. */
function presentOf(kerl: LiveKerl, aids: Cast["aids"]) {
  const { view } = kerl;
  const escrowText = ({ event, attached, ...rest }: KerlEscrow) => ({
    ...rest,
    event: event.length,
    attached: attached.length,
  });
  return aids.map((aid) => ({
    state: kerl.keyState(aid),
    escrows: view.escrowsOf(aid).map(escrowText),
    waiting: view.waitingFor(aid).map(escrowText),
    forks: view.forks(aid),
    events: Array.from({ length: 8 }, (_, sn) => {
      const event = view.eventAt(aid, sn);
      return { event, state: view.keyStateAt(aid, sn), signers: event && [...view.signers(event.said)].sort() };
    }),
    anchors: view.anchors(aid, { aid, sn: 0, said: aid as never }),
    reply: view.reply(`loc ${aid} http`),
  }));
}

describe("random lives of identifiers", () => {
  it("have the same roots whether the past is in memory, in tables, or loaded from them at any block; a rebuild has the same rows", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            deeds: fc.array(deed, { minLength: 1, maxLength: 4 }),
            next: fc.constantFrom("go on", "project", "restart"),
          }),
          {
            minLength: 3,
            maxLength: 14,
          },
        ),
        (history) => {
          const cast = new Cast();
          const beginnings = cast.beginnings();
          const blocks = history.map(({ deeds }) => deeds.map((one) => cast.messageOf(one)));
          const steady = new LedgerWorld(false);
          const moving = new LedgerWorld(true);
          const roots = [steady, moving].map((world) => {
            const author = authorOf(world.client);
            world.block(...beginnings.map((message) => world.append(author, message)));
            return blocks.map((messages, i) => {
              const { executed } = world.block(...messages.map((message) => world.append(author, message)));
              if (world === moving && history[i]?.next === "project") world.project();
              if (world === moving && history[i]?.next === "restart") world.restart();
              return executed.root;
            });
          });
          expect(roots[1]).toEqual(roots[0]);
          expect([steady.defects, moving.defects]).toEqual([[], []]);
          const present = presentOf(steady.ledger.kerl, cast.aids);
          expect(presentOf(moving.ledger.kerl, cast.aids)).toEqual(present);
          steady.project();
          moving.project();
          expect(presentOf(loadLiveKerl(steady.db), cast.aids)).toEqual(present);
          const rebuilt = new Projector(new Database(":memory:"));
          for (const block of steady.blocks) rebuilt.apply([block]);
          expect(rebuilt.verify().ok).toBe(true);
          expect(rebuilt.kerl.rowsRoot).toBe(steady.projector.kerl.rowsRoot);
          expect(moving.projector.kerl.rowsRoot).toBe(steady.projector.kerl.rowsRoot);
        },
      ),
      { numRuns: 15, seed: 4 },
    );
  });
});
