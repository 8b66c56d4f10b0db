/** What judging may cost, and how much of it one event or one command may ask for (check-budget.ts; DESIGN §8). */
import { describe, expect, test } from "vitest";
import type { Aid } from "../../../src/base/brands.ts";
import { concatBytes } from "../../../src/base/bytes.ts";
import { COMMAND_CHECKS_MAX, CheckBudget, SETTLING_CHECKS_MAX } from "../../../src/keri/check-budget.ts";
import { type Composed, delegatedIncept, incept, interact, rotate } from "../../../src/keri/compose.ts";
import { LISTED_MAX } from "../../../src/keri/event-fields.ts";
import { ESCROW_BOUNDS } from "../../../src/keri/kerl.ts";
import { parseKeyEvent } from "../../../src/keri/event.ts";
import type { IndexedSignature, ReceiptCouple } from "../../../src/keri/messages.ts";
import { appendStream } from "../../../src/projections/kerl/append.ts";
import { LiveKerl } from "../../../src/projections/kerl/live-kerl.ts";
import { type Key, complete, messageOf, signed } from "./differential/lives.ts";
import { Stage, follow, interaction, keysInput } from "./stage.ts";

const KEYS = 64;
const V1 = { major: 1, minor: 0 } as const;

/** Inceptions that differ, of the same 64 keys: as dear as their number. */
function dearInceptions(stage: Stage, count: number) {
  const keys = stage.keys(KEYS);
  return Array.from({ length: count }, (_, i) => {
    const icp = incept({
      ...keysInput(keys, []),
      nextThreshold: 0,
      seals: [{ d: stage.key().text.replace("D", "E") }],
    });
    return { ...icp, message: complete(icp.event, keys, [], []), place: i };
  });
}

const append = (layer: ReturnType<LiveKerl["layer"]>, messages: readonly Uint8Array[]) => {
  const steps = appendStream(layer, concatBytes(...messages), { author: "E" as Aid, mayAppendAll: true, height: 1 });
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
};

describe("the budget of a command", () => {
  const enough = COMMAND_CHECKS_MAX / KEYS;

  test("is shared by its messages: one that goes beyond is refused whole", () => {
    const icps = dearInceptions(new Stage(), enough + 1).map(({ message }) => message);
    expect(append(new LiveKerl().layer(), icps.slice(1))).toMatchObject({ ok: true });
    const refused = append(new LiveKerl().layer(), icps);
    expect(refused).toMatchObject({ ok: false, refusal: { code: "LIMIT_EXCEEDED" } });
    expect(!refused.ok && refused.refusal.message).toMatch(`Message ${enough}: `);
  });

  test("counts what does not hold as well", () => {
    const stage = new Stage();
    const [a, b] = stage.keys(2) as readonly [Key, Key];
    const icp = incept(keysInput([a], []));
    const junk = Array.from({ length: 7 }, (_, i) => signed(b, icp.event, 0, i + 1));
    const message = messageOf(icp.event, { controllerSignatures: [signed(a, icp.event, 0, 0), ...junk] });
    const budget = { arriving: new CheckBudget(7), settling: new CheckBudget(0) };
    expect(stage.send(message, 0, budget)).toBe("LIMIT_EXCEEDED");
    expect(stage.send(message, 0, { ...budget, arriving: new CheckBudget(8) })).toBe("accepted");
  });

  test("is spent by length and by algorithm", () => {
    const spentBy = (algorithm: "ed25519" | "p256" | "secp256k1", length: number): number => {
      const budget = new CheckBudget(1000);
      let checks = 0;
      while (budget.mayCheck({ algorithm, bytes: new Uint8Array(0) }, length)) checks += 1;
      return checks;
    };
    expect([spentBy("ed25519", 500), spentBy("ed25519", 65_536)]).toEqual([1000, 333]);
    expect([spentBy("p256", 500), spentBy("secp256k1", 500)]).toEqual([333, 100]);
  });
});

describe("the budget of what waits", () => {
  test("ends the waits that it has enough for; the others wait on, and can be sent again", () => {
    const stage = new Stage();
    const [a, n] = stage.keys(2) as readonly [Key, Key];
    const delegator = stage.begin([a], [n]);
    const keys = stage.keys(KEYS);
    const enough = SETTLING_CHECKS_MAX / KEYS;
    const dips = Array.from({ length: enough + 1 }, () =>
      delegatedIncept({ ...keysInput(keys, [stage.key()]), nextThreshold: 1, delegator: delegator.aid }),
    );
    const messages = dips.map(({ event }) => complete(event, keys, [], []));
    for (const message of messages) expect(stage.send(message)).toBe("escrowed:awaiting-anchor");
    const seals = dips.map(({ aid, said }) => ({ i: aid, s: "0", d: said }));
    const anchor = interact({ ...follow(delegator, 1, delegator.said), seals });
    expect(stage.send(complete(anchor.event, [a], [a], []))).toBe("accepted");
    expect(dips.map(({ aid }) => stage.kerl.keyState(aid) !== undefined)).toEqual(
      [...dips.keys()].map((i) => i < enough),
    );
    expect(stage.send(messages[enough] as Uint8Array)).toBe("accepted");
    expect(stage.kerl.escrowCount()).toBe(0);
  });

  test("does not have one that is too dear by itself stand in the way of others", () => {
    const stage = new Stage({ ...ESCROW_BOUNDS, bytesPerAid: 131_072 });
    const keys = stage.keys(KEYS);
    const next = stage.keys(KEYS);
    const icp = incept(keysInput(keys, next));
    const rot = rotate({ ...follow(icp, 1, icp.said), ...keysInput(next, []), nextThreshold: 0, witnessThreshold: 0 });
    const ixn = interaction(icp.aid, 1, icp.said);
    expect(stage.send(dear(rot, next))).toBe("escrowed:out-of-order");
    expect(stage.send(complete(ixn.event, keys.slice(0, 9), keys, []))).toBe("escrowed:out-of-order");
    expect(stage.send(complete(icp.event, keys, keys, []))).toBe("accepted");
    expect(stage.facts).toContainEqual(
      expect.objectContaining({ kind: "keyEventDropped", code: "LIMIT_EXCEEDED", said: rot.said }),
    );
    expect(stage.send(complete(ixn.event, keys, keys, []))).toBe("accepted");
    expect(stage.kerl.escrowCount()).toBe(0);
  });

  /** Fully signed, and with nearly as much that does not hold as may be attached: signatures of its keys, and couples. */
  function dear({ event }: Composed, keys: readonly Key[]): Uint8Array {
    const controllerSignatures: IndexedSignature[] = [];
    for (const [i, key] of keys.entries())
      for (const ondex of [i, null, 64, 65, ...(i === 0 ? [66, 67, 68, 69] : [])]) {
        const one = signed(key, event, i, ondex);
        controllerSignatures.push(ondex === i ? one : { ...one, sig: sigOf(i, ondex ?? 0) });
      }
    const receiptCouples = Array.from(
      { length: 253 },
      (_, i): ReceiptCouple => ({
        receiptor: (keys[0] as Key).witnessText,
        code: "0B",
        sig: sigOf(i, Math.floor(i / 100)),
      }),
    );
    return messageOf(event, { controllerSignatures, receiptCouples });
  }
  const sigOf = (a: number, b: number): Uint8Array => new Uint8Array(64).fill(1 + (a % 100), 0, 31).fill(b % 7, 32, 40);
});

describe("what one event may list", () => {
  const parsed = (event: Uint8Array) => {
    const read = parseKeyEvent(event, "JSON", V1);
    return read.ok ? "read" : read.refusal.code;
  };
  const stage = new Stage();
  const many = stage.keys(LISTED_MAX + 1);
  const most = many.slice(1);

  test("keys, next keys and witnesses: 64 of each", () => {
    const witnesses = (keys: readonly Key[]) => ({
      witnesses: keys.map(({ witnessText }) => witnessText),
      witnessThreshold: 1,
    });
    expect(parsed(incept({ ...keysInput(most, most), ...witnesses(most) }).event)).toBe("read");
    const refused = (input: Partial<Parameters<typeof incept>[0]>) => () =>
      incept({ ...keysInput(most, most), ...input });
    expect(refused({ ...keysInput(many, most), threshold: 1 })).toThrow(/Field k lists 65/);
    expect(refused({ ...keysInput(most, many), nextThreshold: 1 })).toThrow(/Field n lists 65/);
    expect(refused(witnesses(many))).toThrow(/Field b lists 65/);
  });

  test("identifiers in seals are read by their form alone", () => {
    const sealing = (i: string) => incept({ ...keysInput([stage.key()], []), seals: [{ i }] }).event;
    expect(parsed(sealing(`1AAJ${"A".repeat(44)}`))).toBe("read");
    expect(() => sealing("1AAJ")).toThrow(/ends inside/);
    expect(() => sealing(`1AAG${"A".repeat(44)}`)).toThrow();
  });
});
