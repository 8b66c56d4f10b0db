/** What leaves the enclave worker of a ceremony with real shares and keys: who did what, and no secret in any form. */
import { beforeAll, describe, expect, it } from "vitest";
import { type CeremonyEntry, ceremonyBegan, ceremonyStepped } from "../../../src/host/inspector/ceremony-entries.ts";
import {
  ceremonyContext,
  ceremonyEffectSummary,
  ceremonyEventSummary,
} from "../../../src/host/inspector/redaction-ceremony.ts";
import { Desk, PASSPHRASE, World } from "../enclave/memory-enclave.ts";

const world = new World(2, ["ann", "bob", "carol"]);
const entries: CeremonyEntry[] = [];
const watching = {
  began: (snapshot) => void entries.push(ceremonyBegan(snapshot)),
  stepped: (...step) => void entries.push(ceremonyStepped(...step)),
} satisfies ConstructorParameters<typeof Desk>[2];
let shares: readonly Uint8Array[];
let sessionKeys: Uint8Array[];

beforeAll(async () => {
  const founded = new Desk(world, world.disk(), watching);
  shares = await founded.initialise();
  const desk = new Desk(world, founded.disk, watching);
  const [ann, , carol] = shares;
  if (ann === undefined || carol === undefined) throw new Error("three shares");
  await desk.give(0, ann);
  sessionKeys = [(await desk.session()).publicKey];
  await desk.give(1, carol); // another's
  await desk.give(2, carol);
  const unwrapped = await desk.enclave.unwrap(world.operator(0).aid, null);
  expect(unwrapped.ok).toBe(true);
});

const told = (): string => JSON.stringify(entries);

describe("the ceremony as the inspector shows it", () => {
  it("tells who gave a share, whose was refused and why, and what it came to", () => {
    const events = entries.flatMap(({ body }) => (body.kind === "stepped" ? [body.event] : []));
    expect(events).toContainEqual(expect.objectContaining({ type: "shareOffered", by: "ann" }));
    expect(events).toContainEqual(expect.objectContaining({ type: "shareVerified", operator: "ann" }));
    expect(events).toContainEqual(
      expect.objectContaining({ type: "shareRefuted", operator: "bob", code: expect.stringMatching(/^WRONG_/) }),
    );
    expect(entries.at(-1)?.body).toMatchObject({ states: ["ceremony.unsealed"] });
    expect(entries.map(({ context }) => context)).toContainEqual(
      expect.objectContaining({ ceremony: expect.objectContaining({ accepted: ["ann"] }) }),
    );
  });

  it("no share, passphrase or key of anybody is in any entry or context", () => {
    const secrets: readonly (readonly [string, Uint8Array])[] = [
      ["passphrase", PASSPHRASE],
      ["boot key", world.bootSeed],
      ["epoch key", world.keys.epoch],
      ["issuer key", world.keys.issuerKey],
      ["session key", sessionKeys[0] ?? new Uint8Array()],
      ...shares.map((share, i): readonly [string, Uint8Array] => [`share ${i}`, share]),
    ];
    const text = told();
    for (const [name, bytes] of secrets) {
      expect(bytes.length, name).toBeGreaterThan(15);
      for (const form of ["utf8", "hex", "base64", "base64url", "latin1"] as const)
        expect(text.includes(Buffer.from(bytes).toString(form)), `${name} as ${form}`).toBe(false);
      expect(text.includes([...bytes].join(",")), `${name} as numbers`).toBe(false);
    }
  });

  it("a field that somebody adds to an event, effect, record or context stays inside", () => {
    const canary = "canary-9f8e";
    const name = (): string => "ann";
    const shown = [
      ceremonyEventSummary(
        { type: "shareOffered", at: 1, call: 2, caller: "A", ceremony: "c", share: canary } as never,
        name,
      ),
      ceremonyEventSummary({ type: "dealt", at: 1, dealing: canary } as never, name),
      ceremonyEventSummary({ type: "openingFailed", at: 1, reason: canary, blamed: [] } as never, name),
      ceremonyEventSummary(
        { type: "unsealAsked", at: 1, call: 2, caller: "A", id: "c", sessionKey: canary } as never,
        name,
      ),
      ceremonyEffectSummary({ kind: "record", record: { kind: "dealt", at: 1, dealing: canary } } as never, name),
      ceremonyEffectSummary(
        { kind: "reply", call: 1, reply: { ok: true, code: "OK", message: canary, share: canary } } as never,
        name,
      ),
      ceremonyEffectSummary({ kind: "request", request: { kind: "deal", scalar: canary } } as never, name),
      ceremonyContext({
        node: { name: "n0", aid: "A", key: canary },
        operators: [{ name: "ann", aid: "A", share: canary }],
        threshold: 2,
        custody: "root",
        ceremony: { id: "c", accepted: [], rejected: [], cancelVotes: [], sessionKey: canary, share: canary },
        outcome: { kind: "failed", reason: canary, blamed: [] },
        attempts: [{ operator: "A", at: 1, code: "WRONG_INDEX", share: canary }],
        sealVotes: [],
        acknowledged: [],
        pending: canary,
        root: canary,
      } as never),
    ];
    expect(JSON.stringify(shown)).not.toContain(canary);
  });
});
