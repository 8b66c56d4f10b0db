/** Each test cites the rule of docs/protocol/ceremony.md that it checks. */
import { describe, expect, test } from "vitest";
import fc from "fast-check";
import type { Aid } from "../../../src/base/brands.ts";
import { ceremonyMachine } from "../../../src/machines/ceremony/ceremony.machine.ts";
import type {
  CeremonyEffect,
  CeremonyEvent,
  CeremonyInput,
  CeremonyReply,
  ShareFault,
} from "../../../src/machines/ceremony/ceremony.types.ts";
import { CEREMONY_MS, SEAL_WINDOW_MS } from "../../../src/machines/ceremony/ceremony.types.ts";
import { type Stepper, createStepper } from "../../../src/machines/step.ts";

const aid = (name: string): Aid => `E${name.padEnd(43, "_")}` as Aid;
const [ann, bob, carol, stranger] = ["ann", "bob", "carol", "mallory"].map(aid) as [Aid, Aid, Aid, Aid];
const input: CeremonyInput = {
  node: { aid: aid("n0"), name: "n0" },
  operators: [ann, bob, carol].map((operator, i) => ({ aid: operator, name: ["ann", "bob", "carol"][i] ?? "" })),
  threshold: 2,
  custody: "root",
  attempts: [],
  acknowledged: [],
};

class Desk {
  readonly stepper: Stepper<typeof ceremonyMachine>;
  readonly records: string[] = [];
  effects: readonly CeremonyEffect[] = [];
  at = 1_000_000;
  #call = 0;
  #ids = 0;

  constructor(overrides: Partial<CeremonyInput> = {}) {
    this.stepper = createStepper(ceremonyMachine, { input: { ...input, ...overrides } });
  }

  step(event: CeremonyEvent): readonly CeremonyEffect[] {
    const { effects, refused } = this.stepper.step(event);
    if (refused !== undefined) throw new Error(refused.message);
    this.effects = effects;
    for (const effect of effects) if (effect.kind === "record") this.records.push(effect.record.kind);
    return effects;
  }

  ask(
    type:
      | "initialiseAsked"
      | "unsealAsked"
      | "shareOffered"
      | "unwrapAsked"
      | "cancelAsked"
      | "sealAsked"
      | "shareAcknowledged",
    caller: Aid,
    more: object = {},
  ): CeremonyReply | undefined {
    const id = (this.#ids++).toString(16).padStart(32, "0");
    const extra = {
      unsealAsked: { id, sessionKey: "aa" },
      shareOffered: { ceremony: this.id },
      unwrapAsked: { ceremony: null },
      cancelAsked: { ceremony: null },
      sealAsked: { unsealedMembers: 4, quorum: 3 },
      initialiseAsked: {},
      shareAcknowledged: {},
    };
    this.step({ type, at: this.at, call: ++this.#call, caller, ...extra[type], ...more } as CeremonyEvent);
    return this.reply;
  }

  get id(): string {
    return this.stepper.context().ceremony?.id ?? "none";
  }

  get reply(): CeremonyReply | undefined {
    return this.effects.flatMap((effect) => (effect.kind === "reply" ? [effect.reply] : []))[0];
  }

  give(caller: Aid, fault?: ShareFault): CeremonyReply | undefined {
    const early = this.ask("shareOffered", caller);
    if (early !== undefined) return early;
    const answer = { at: this.at, ceremony: this.id, operator: caller };
    this.step(
      fault === undefined ? { type: "shareVerified", ...answer } : { type: "shareRefuted", ...answer, code: fault },
    );
    return this.reply;
  }

  unseal(): void {
    this.ask("unsealAsked", ann);
    this.give(ann);
    this.give(bob);
    this.ask("unwrapAsked", ann);
    this.step({ type: "keystoreOpened", at: this.at });
  }
}

describe("collecting shares", () => {
  test("k distinct operators unseal the node, and what was collected is erased", () => {
    const desk = new Desk();
    expect(desk.ask("unsealAsked", ann)?.message).toMatch(/ann \(E.*opened a ceremony on node n0; 2 shares are needed/);
    expect(desk.give(ann)).toMatchObject({ ok: true, shares: 1, missing: 1 });
    expect(desk.give(carol)).toMatchObject({ ok: true, shares: 2, missing: 0 });
    expect(desk.ask("unwrapAsked", carol)).toBeUndefined();
    expect(desk.effects).toContainEqual({
      kind: "request",
      request: { kind: "openKeystore", ceremony: desk.id, operators: [ann, carol] },
    });
    const id = desk.id;
    desk.step({ type: "keystoreOpened", at: desk.at });
    expect(desk.stepper.state()).toBe("unsealed");
    expect(desk.effects).toContainEqual({ kind: "eraseCeremony", ceremony: id });
    expect(desk.reply?.message).toMatch(/n0 is unsealed; shares came from ann .*carol/);
    expect(desk.records).toEqual(["opened", "accepted", "accepted", "unsealed"]);
  });

  test("counters count distinct operators: the same share twice counts once", () => {
    const desk = new Desk();
    desk.ask("unsealAsked", ann);
    desk.give(ann);
    expect(desk.give(ann)).toMatchObject({ ok: true, shares: 1, missing: 1 });
    expect(desk.ask("unwrapAsked", ann)).toMatchObject({ code: "TOO_FEW_SHARES", shares: 1, missing: 1 });
    expect(desk.stepper.state()).toBe("collecting");
  });

  test("unwrap below the threshold says how many are missing and keeps what it has", () => {
    const desk = new Desk({ threshold: 3 });
    desk.ask("unsealAsked", ann);
    desk.give(ann);
    desk.give(bob);
    expect(desk.ask("unwrapAsked", bob)?.message).toMatch(
      /^1 more of 3 operators must give a share; in so far: ann .*bob/,
    );
    expect(desk.give(carol)).toMatchObject({ shares: 3, missing: 0 });
  });

  test("only an operator who gave a share may unwrap", () => {
    const desk = new Desk();
    desk.ask("unsealAsked", ann);
    desk.give(ann);
    desk.give(bob);
    expect(desk.ask("unwrapAsked", carol)?.code).toBe("NO_SHARE_GIVEN");
  });

  test.each<[ShareFault, RegExp]>([
    ["UNREADABLE_SHARE", /bob \(E.*could not be opened/],
    ["WRONG_INDEX", /bob \(E.*belongs to another operator/],
    ["WRONG_SIGNATURE", /bob \(E.*is not signed by that operator/],
    ["WRONG_COMMITMENT", /bob \(E.*does not fit this node's commitments/],
  ])("a share refused as %s names its operator, and is journalled before the answer", (code, sentence) => {
    const desk = new Desk();
    desk.ask("unsealAsked", ann);
    const reply = desk.give(bob, code);
    expect(reply).toMatchObject({ ok: false, code, shares: 0 });
    expect(reply?.message).toMatch(sentence);
    expect(desk.effects.map((effect) => effect.kind)).toEqual(["record", "reply"]);
    expect(desk.stepper.context().ceremony?.rejected).toMatchObject([{ operator: bob, code }]);
  });

  test("a share of another ceremony is refused at once, naming who gave it", () => {
    const desk = new Desk();
    desk.ask("unsealAsked", ann);
    const reply = desk.ask("shareOffered", bob, { ceremony: "f".repeat(32) });
    expect(reply).toMatchObject({ ok: false, code: "WRONG_CEREMONY" });
    expect(reply?.message).toMatch(/bob/);
  });

  test("who is no operator is refused everything, everywhere", () => {
    const asks = [
      "initialiseAsked",
      "unsealAsked",
      "shareOffered",
      "unwrapAsked",
      "cancelAsked",
      "sealAsked",
      "shareAcknowledged",
    ] as const;
    const sealed = new Desk();
    const collecting = new Desk();
    collecting.ask("unsealAsked", ann);
    const unsealed = new Desk();
    unsealed.unseal();
    for (const desk of [sealed, collecting, unsealed]) {
      const before = JSON.stringify(desk.stepper.persisted());
      for (const type of asks) expect(desk.ask(type, stranger)?.code, type).toBe("NOT_OPERATOR");
      expect(JSON.stringify(desk.stepper.persisted())).toBe(before);
    }
  });

  test("opening that fails is `failed`: nothing started, everything erased, and a new ceremony may begin", () => {
    const desk = new Desk();
    desk.ask("unsealAsked", ann);
    desk.give(ann);
    desk.give(bob);
    desk.ask("unwrapAsked", bob);
    desk.step({ type: "openingFailed", at: desk.at, reason: "the keystore was changed", blamed: [bob] });
    expect(desk.stepper.state()).toBe("failed");
    expect(desk.reply?.message).toMatch(/stays sealed: the keystore was changed\. To blame: bob/);
    expect(desk.effects.map((effect) => effect.kind)).toContain("eraseCeremony");
    expect(desk.ask("unsealAsked", carol)?.ok).toBe(true);
    expect(desk.stepper.context()).toMatchObject({ outcome: null, ceremony: { accepted: [] } });
  });
});

describe("one ceremony at a time", () => {
  test("another operator joins an open ceremony, and may replace it after 60 s without an accepted share", () => {
    const desk = new Desk();
    desk.ask("unsealAsked", ann);
    const first = desk.id;
    desk.at += 59_999;
    expect(desk.ask("unsealAsked", bob)).toMatchObject({ ok: false, code: "CEREMONY_OPEN", ceremony: first });
    desk.at += 1;
    expect(desk.ask("unsealAsked", bob)?.ok).toBe(true);
    expect(desk.id).not.toBe(first);
    expect(desk.effects).toContainEqual({ kind: "eraseCeremony", ceremony: first });
    expect(desk.records).toEqual(["opened", "replaced", "opened"]);
  });

  test("an accepted share keeps a ceremony from being replaced for another 60 s", () => {
    const desk = new Desk();
    desk.ask("unsealAsked", ann);
    desk.at += 50_000;
    desk.give(carol);
    desk.at += 50_000;
    expect(desk.ask("unsealAsked", bob)?.code).toBe("CEREMONY_OPEN");
    desk.at += 10_000;
    expect(desk.ask("unsealAsked", bob)?.ok).toBe(true);
    expect(desk.stepper.context().ceremony?.accepted).toEqual([]);
  });

  test("its initiator is told of it again", () => {
    const desk = new Desk();
    desk.ask("unsealAsked", ann);
    const id = desk.id;
    expect(desk.ask("unsealAsked", ann)).toMatchObject({ ok: true, ceremony: id });
  });

  test("a ceremony expires by its timer, and by the clock when the timer is late", () => {
    const byTimer = new Desk();
    byTimer.ask("unsealAsked", ann);
    byTimer.step({ type: "timerFired", at: byTimer.at + CEREMONY_MS, timer: `ceremony:${byTimer.id}` });
    expect(byTimer.stepper.state()).toBe("expired");
    expect(byTimer.stepper.context().ceremony).toBeNull();

    const byClock = new Desk();
    byClock.ask("unsealAsked", ann);
    byClock.at += CEREMONY_MS;
    expect(byClock.give(bob)).toMatchObject({ code: "CEREMONY_EXPIRED" });
    expect(byClock.stepper.state()).toBe("expired");
    expect(byClock.records).toEqual(["opened", "expired"]);
  });

  test("a timer of an earlier ceremony means nothing to this one", () => {
    const desk = new Desk();
    desk.ask("unsealAsked", ann);
    expect(() => desk.step({ type: "timerFired", at: desk.at, timer: "ceremony:old" })).toThrow(
      /no meaning while collecting/,
    );
  });

  test("expiry while a share is being checked answers the waiting call", () => {
    const desk = new Desk();
    desk.ask("unsealAsked", ann);
    expect(desk.ask("shareOffered", bob)).toBeUndefined();
    desk.step({ type: "timerFired", at: desk.at + CEREMONY_MS, timer: `ceremony:${desk.id}` });
    expect(desk.reply?.code).toBe("CEREMONY_EXPIRED");
  });

  test("only its initiator or k operators cancel a ceremony", () => {
    const alone = new Desk();
    alone.ask("unsealAsked", ann);
    expect(alone.ask("cancelAsked", ann)?.ok).toBe(true);
    expect(alone.stepper.state()).toBe("cancelled");

    const together = new Desk();
    together.ask("unsealAsked", ann);
    expect(together.ask("cancelAsked", bob)).toMatchObject({ code: "NOT_INITIATOR", shares: 1, missing: 1 });
    expect(together.ask("cancelAsked", bob)).toMatchObject({ code: "NOT_INITIATOR", missing: 1 });
    expect(together.ask("cancelAsked", carol)?.ok).toBe(true);
    expect(together.stepper.context().outcome).toMatchObject({ kind: "cancelled", by: [bob, carol] });
  });
});

describe("wrong attempts", () => {
  test("are rate-limited per operator, and others go on", () => {
    const desk = new Desk();
    desk.ask("unsealAsked", ann);
    for (let i = 0; i < 5; i++) expect(desk.give(bob, "WRONG_COMMITMENT")?.code).toBe("WRONG_COMMITMENT");
    expect(desk.give(bob)).toMatchObject({ ok: false, code: "RATE_LIMITED" });
    expect(desk.reply?.message).toMatch(/bob .*gave 5 wrong shares.*in 600 s/);
    expect(desk.give(carol)?.ok).toBe(true);
    desk.at += 599_999;
    expect(desk.give(bob)?.code).toBe("RATE_LIMITED");
    desk.at += 1;
    expect(desk.give(bob)?.ok).toBe(true);
  });

  test("a restart forgives nothing", () => {
    const before = new Desk();
    before.ask("unsealAsked", ann);
    for (let i = 0; i < 5; i++) before.give(bob, "WRONG_COMMITMENT");
    const after = new Desk({ attempts: before.stepper.context().attempts });
    after.ask("unsealAsked", ann);
    expect(after.give(bob)?.code).toBe("RATE_LIMITED");
  });
});

describe("initialise", () => {
  test("collects nothing: the dealing is journalled before the keystore is rewrapped, then the node is unsealed", () => {
    const desk = new Desk({ custody: "passphrase" });
    expect(desk.ask("initialiseAsked", ann)?.code).toBe("PASSPHRASE_NEEDED");
    expect(desk.ask("unsealAsked", ann)?.code).toBe("NOT_INITIALISED");
    desk.step({ type: "passphraseAccepted", at: desk.at });
    expect(desk.stepper.state()).toBe("sealed");
    expect(desk.ask("initialiseAsked", ann)).toBeUndefined();
    desk.step({ type: "dealt", at: desk.at, dealing: "d" });
    expect(desk.effects.map((effect) => effect.kind)).toEqual(["record", "request"]);
    desk.step({ type: "rewrapped", at: desk.at });
    expect(desk.stepper.state()).toBe("unsealed");
    expect(desk.records).toEqual(["dealt", "initialised"]);
    expect(desk.ask("initialiseAsked", bob)?.code).toBe("ALREADY_INITIALISED");
  });

  test("the ciphertexts are kept until all n operators have acknowledged", () => {
    const desk = new Desk();
    expect(desk.ask("shareAcknowledged", ann)).toMatchObject({ ok: true, missing: 2 });
    expect(desk.ask("shareAcknowledged", ann)).toMatchObject({ ok: true, missing: 2 });
    desk.ask("shareAcknowledged", bob);
    expect(desk.effects.map((effect) => effect.kind)).not.toContain("forgetShares");
    desk.ask("shareAcknowledged", carol);
    expect(desk.effects.map((effect) => effect.kind)).toContain("forgetShares");
  });
});

describe("seal", () => {
  test("one operator may: it is the panic button", () => {
    const desk = new Desk();
    desk.unseal();
    expect(desk.ask("sealAsked", carol)).toMatchObject({ ok: true });
    expect(desk.stepper.state()).toBe("draining");
    expect(desk.effects).toContainEqual({ kind: "request", request: { kind: "drain" } });
    desk.step({ type: "drained", at: desk.at });
    expect(desk.stepper.state()).toBe("sealed");
    expect(desk.effects.map((effect) => effect.kind)).toContain("closeKeystore");
    desk.unseal();
    expect(desk.stepper.state()).toBe("unsealed");
  });

  test("a drain that hangs does not keep the node open", () => {
    const desk = new Desk();
    desk.unseal();
    desk.ask("sealAsked", ann);
    desk.step({ type: "timerFired", at: desk.at + 10_000, timer: "drain" });
    expect(desk.stepper.state()).toBe("sealed");
  });

  test("where it would leave fewer than q unsealed members, k distinct operators must ask within 10 minutes", () => {
    const desk = new Desk();
    desk.unseal();
    const critical = { unsealedMembers: 3, quorum: 3 };
    expect(desk.ask("sealAsked", ann, critical)).toMatchObject({
      ok: false,
      code: "MORE_SEALS_NEEDED",
      shares: 1,
      missing: 1,
    });
    expect(desk.ask("sealAsked", ann, critical)).toMatchObject({ missing: 1 });
    desk.at += SEAL_WINDOW_MS;
    expect(desk.ask("sealAsked", bob, critical)).toMatchObject({ code: "MORE_SEALS_NEEDED", missing: 1 });
    desk.at += SEAL_WINDOW_MS - 1;
    expect(desk.ask("sealAsked", ann, critical)).toMatchObject({ ok: true });
    expect(desk.records.slice(-4)).toEqual(["sealVoted", "sealVoted", "sealVoted", "sealing"]);
  });
});

describe("any sequence of questions", () => {
  const question = fc.record({
    who: fc.constantFrom(ann, bob, carol, stranger),
    what: fc.constantFrom("unsealAsked", "share", "wrong", "unwrapAsked", "cancelAsked", "sealAsked", "wait"),
  });
  test("never unseals with fewer than k distinct operators, never holds a ceremony while unsealed, always answers", () => {
    fc.assert(
      fc.property(fc.array(question, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), (script, threshold) => {
        const desk = new Desk({ threshold });
        for (const { who, what } of script) {
          let reply: CeremonyReply | undefined;
          if (what === "wait") desk.at += 61_000;
          else if (what === "share" || what === "wrong")
            reply = desk.give(who, what === "wrong" ? "WRONG_COMMITMENT" : undefined);
          else reply = desk.ask(what as "unsealAsked", who);
          if (what !== "wait" && reply === undefined) {
            expect(desk.stepper.state()).toBe("unwrapping");
            expect(new Set(desk.stepper.context().ceremony?.accepted).size).toBeGreaterThanOrEqual(threshold);
            desk.step({ type: "keystoreOpened", at: desk.at });
            reply = desk.reply;
          }
          if (desk.stepper.state() === "draining") desk.step({ type: "drained", at: desk.at });
          if (what !== "wait") expect(reply?.message.length).toBeGreaterThan(0);
          if (desk.stepper.state() !== "collecting") expect(desk.stepper.context().ceremony).toBeNull();
          expect(desk.stepper.context().attempts.length).toBeLessThanOrEqual(15);
        }
      }),
      { numRuns: 150 },
    );
  });
});
