/** Random histories of identifiers: what their controllers, witnesses and delegators send, and all that a live model answers of them. */
import fc from "fast-check";
import { concatBytes } from "../../../src/base/bytes.ts";
import type { Aid, Said } from "../../../src/base/brands.ts";
import { delegatedIncept, delegatedRotate } from "../../../src/keri/compose.ts";
import type { KerlEscrow } from "../../../src/keri/kerl.ts";
import { nextKeyDigest } from "../../../src/keri/said.ts";
import type { LiveKerl } from "../../../src/projections/kerl/live-kerl.ts";
import { Key, Life, type Made, attached, witnessReceipt } from "./lives.ts";

/** What the actors of a random history do. */
export type Deed =
  | {
      readonly kind: "rotate" | "interact" | (typeof OTHERS)[number];
      readonly who: number;
    }
  | { readonly kind: "reply" | "role"; readonly who: number; readonly minute: number };

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
  "delegate",
  "redelegate",
  "anchor",
  "anchor",
  "withhold",
  "release",
  "release",
  "partly",
  "receipt first",
] as const;
const who = fc.nat({ max: 3 });
export const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 14, arbitrary: fc.record({ kind: fc.constantFrom("rotate" as const, "interact" as const), who }) },
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constantFrom(...OTHERS),
      who,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom("reply" as const, "role" as const),
      who,
      minute: fc.nat({ max: 59 }),
    }),
  },
);

const witnesses = [new Key("w0"), new Key("w1")];

/** Messages of a history, made once so that several worlds get the same bytes. */
/** Identifier that another delegates: its latest event, which may wait for an anchor. */
interface Delegated {
  readonly aid: Aid;
  readonly name: string;
  readonly sn: number;
  readonly said: Said;
}

type Grown = Pick<Delegated, "aid" | "said"> & { readonly event: Uint8Array };

const seedling = (name: string, sn: number): Key => new Key(`${name} ${sn}`);

export class Cast {
  readonly #lives = [
    new Life("a"),
    new Life("b", { keys: 2 }),
    new Life("c", { witnesses: witnesses.map(({ witness }) => witness) }),
    new Life("d", { traits: ["EO"] }),
  ];
  readonly #last = new Map<Life, { readonly made: Made; readonly sn: number }>();
  readonly #sent: Uint8Array[] = [];
  /** Made and not sent yet. */
  readonly #withheld: Uint8Array[] = [];
  /** Identifiers that a life delegates to, the last of each. */
  readonly #delegated = new Map<Life, Delegated>();
  #delegations = 0;

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
      case "delegate":
        this.#delegated.delete(life);
        return this.#grown(life, (_, keys) => delegatedIncept({ delegator: life.aid, ...keys }));
      case "redelegate": {
        const before = this.#delegated.get(life);
        if (before === undefined) return life.inception.message;
        const { aid, said: prior } = before;
        return this.#grown(life, (sn, keys) => ({
          aid,
          ...delegatedRotate({ aid, sn, prior, ...keys, witnessThreshold: 0 }),
        }));
      }
      case "anchor": {
        const { aid: i, sn, said: d } = this.#delegated.get(life) ?? { aid: life.aid, sn: 0, said: life.aid };
        const seals = [{ i, s: sn.toString(16), d }];
        return keep(deed.who === 3 ? life.rotated({ seals }) : life.interacted(seals));
      }
      case "withhold":
        this.#withheld.push(keep(life.rotated()));
        return keep(deed.who === 3 ? life.rotated() : life.interacted());
      case "release":
        return this.#withheld.shift() ?? life.inception.message;
      case "partly": {
        const made = life.rotated();
        const [first, ...rest] = life.signatures(made.event).map((one) => attached({ controllerSignatures: [one] }));
        for (const one of rest) this.#withheld.push(concatBytes(made.event, one));
        keep(made);
        return concatBytes(made.event, first ?? new Uint8Array(0));
      }
      case "receipt first": {
        const made = life.rotated();
        this.#withheld.push(keep(made));
        return this.life((deed.who + 1) % 4).receiptOf({ aid: life.aid, sn: life.sn, ...made });
      }
      case "role":
        return life.replied({
          route: deed.minute % 3 === 0 ? "/end/role/cut" : "/end/role/add",
          date: `2026-11-22T10:${String(deed.minute).padStart(2, "0")}:00.000000+00:00`,
          attributes: { cid: life.aid, role: "watcher", eid: this.life((deed.who + 1) % 4).aid },
        });
      case "reply":
        return life.replied({
          route: "/loc/scheme",
          date: `2026-11-22T09:${String(deed.minute).padStart(2, "0")}:00.000000+00:00`,
          attributes: { eid: life.aid, scheme: "http", url: `http://host:${deed.minute}/` },
        });
    }
  }

  /** Sealed in the delegator's next event, or not. */
  #grown(life: Life, next: (sn: number, keys: { keys: string[]; nextDigests: string[] }) => Grown): Uint8Array {
    const before = this.#delegated.get(life);
    const name = before?.name ?? `delegated ${(this.#delegations += 1)}`;
    const sn = before === undefined ? 0 : before.sn + 1;
    const key = seedling(name, sn);
    const made = next(sn, { keys: [key.text], nextDigests: [nextKeyDigest(seedling(name, sn + 1).text)] });
    this.#delegated.set(life, { aid: made.aid, name, sn, said: made.said });
    const controllerSignatures = [{ index: 0, ondex: 0, algorithm: "ed25519" as const, sig: key.sign(made.event) }];
    return concatBytes(made.event, attached({ controllerSignatures }));
  }

  get aids() {
    return [...this.#lives, ...this.#delegated.values()].map(({ aid }) => aid);
  }

  /** A life by its place. */
  life(who: number): Life {
    return this.#lives[who] ?? new Life("nobody");
  }
}

/** All that a live model answers of its present. */
export function presentOf(kerl: LiveKerl, aids: Cast["aids"]) {
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
