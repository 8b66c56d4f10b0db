/** What a node does about its own key: real enclave and keystore, a log that the test plays. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { toHex } from "../../../src/base/bytes.ts";
import { present } from "../../../src/base/errors.ts";
import { type Result, ok, refuse } from "../../../src/base/result.ts";
import { type Metrics, createMetrics } from "../../../src/host/metrics/metrics.ts";
import { KeyLife } from "../../../src/host/node/key-life.ts";
import { type KeyState, keyStateOfInception } from "../../../src/keri/key-state.ts";
import { keyStateAfter } from "../../../src/keri/later-key-state.ts";
import type { CommandOutcome } from "../../../src/wire/outcome.ts";
import { Desk, World } from "../enclave/memory-enclave.ts";

const world = new World(1, ["ann"]);
const first = new Desk(world);
const [share] = await first.initialise();

async function unsealed(desk: Desk): Promise<Desk> {
  await desk.give(0, present(share, "ann's share"));
  const answer = await desk.enclave.unwrap(world.operator(0).aid, null);
  if (!answer.ok) throw new Error(answer.message);
  return desk;
}

type Answer = "executes" | "refuses" | "is silent" | "is overloaded";

/** The log as this node sees it, and what it was asked. */
class Log {
  state: KeyState;
  /** "certificates" or the hex of an appended stream, in order. */
  readonly asked: string[] = [];
  answers: Answer[] = [];
  certificatesFail = 0;
  executed = (): void => {};

  constructor() {
    const inception = keyStateOfInception(world.icp);
    if (!inception.ok) throw new Error(inception.refusal.message);
    this.state = inception.value;
  }

  execute(stream: Uint8Array): void {
    const next = keyStateAfter(this.state, stream, this.state.sn + 1);
    if (next !== undefined) this.state = next;
    this.executed();
  }

  append(stream: Uint8Array): Result<CommandOutcome> {
    this.asked.push(toHex(stream));
    const answer = this.answers.shift() ?? "executes";
    if (answer === "is overloaded") return refuse("OVERLOADED", "come back", "none");
    if (answer === "is silent") return refuse("OUTCOME_UNKNOWN", "nobody knows", "none");
    const place = { id: "00".repeat(16), receipt: { height: 1, index: 0, blockHash: "00" } };
    if (answer === "refuses")
      return ok({
        ...place,
        result: { kind: "refused", code: "KERI_RULE", message: "no" },
      } as unknown as CommandOutcome);
    this.execute(stream);
    return ok({ ...place, result: { kind: "executed", changed: [true] } } as unknown as CommandOutcome);
  }
}

let desk: Desk;
let log: Log;
let metrics: Metrics;
let settled: number;
let fatal: string[];
const lives: KeyLife[] = [];

beforeEach(async () => {
  desk = await unsealed(new Desk(world, { ...first.disk, records: [...first.disk.records] }));
  log = new Log();
  metrics = createMetrics();
  settled = 0;
  fatal = [];
  vi.useFakeTimers();
});
afterEach(() => {
  for (const life of lives.splice(0)) life.stop();
  vi.useRealTimers();
});

async function open(everyMs = 0): Promise<KeyLife> {
  const quiet = (): void => {};
  const life = await KeyLife.open({
    aid: world.founding.node.aid,
    enclave: {
      keys: async () => desk.enclave.keys(),
      prepareRotation: (last) => desk.enclave.prepareRotation(last),
      settleRotation: (inForce) => desk.enclave.settleRotation(inForce),
    },
    inForce: () => log.state,
    append: async (stream) => log.append(stream),
    renewCertificates: async () => {
      log.asked.push("certificates");
      if (log.certificatesFail-- > 0) throw new Error("the issuer is away");
    },
    onSettled: () => (settled += 1),
    onFatal: (code) => void fatal.push(code),
    everyMs,
    now: () => desk.now,
    logger: { debug: quiet, info: quiet, warn: quiet, error: quiet } as never,
    metrics,
  });
  log.executed = () => life.executed();
  lives.push(life);
  return life;
}

const restart = async (): Promise<void> => {
  desk = await unsealed(desk.restart());
};
const pass = async (ms: number): Promise<void> => {
  desk.now += ms;
  await vi.advanceTimersByTimeAsync(ms);
};
const gauge = async (name: string): Promise<string | undefined> =>
  (await metrics.page()).match(new RegExp(`^sky_${name} (\\S+)$`, "m"))?.[1];

describe("rotating", () => {
  it("has certificates of the new key in use before the rotation is ordered, and signs by it once it is executed", async () => {
    const life = await open();
    const before = life.keyState;
    const rotated = await life.rotate();
    expect(log.asked).toEqual(["certificates", expect.any(String)]);
    expect(rotated).toEqual(ok({ sn: 1, said: log.state.said }));
    expect(life.keyState).toEqual({ sn: 1, said: log.state.said });
    expect(before.sn).toBe(0);
    expect(settled).toBe(1);
    expect(await gauge("key_rotations_total")).toBe("1");
    expect(await gauge("key_sequence_number")).toBe("1");
    expect(await gauge("rotation_pending")).toBe("0");
  });

  it("is joined by whoever asks meanwhile", async () => {
    const life = await open();
    const [one, other] = await Promise.all([life.rotate(), life.rotate()]);
    expect(one).toEqual(other);
    expect(log.state.sn).toBe(1);
    expect(await life.rotate()).toMatchObject({ value: { sn: 2 } });
  });

  it("submits the same bytes until the log has them", async () => {
    const life = await open();
    log.answers = ["is overloaded", "is silent", "is overloaded"];
    const rotating = life.rotate();
    await pass(2_000);
    expect(await gauge("rotation_failing")).toBe("1");
    await pass(10_000);
    expect(await rotating).toMatchObject({ ok: true });
    const streams = log.asked.filter((asked) => asked !== "certificates");
    expect(streams).toHaveLength(4);
    expect(new Set(streams).size).toBe(1);
    expect(await gauge("rotation_failing")).toBe("0");
  });

  it("takes no harm when the log executed what seemed lost", async () => {
    const life = await open();
    log.answers = ["is silent"];
    const rotating = life.rotate();
    await pass(1);
    log.execute(Buffer.from(present(log.asked.at(-1), "appended"), "hex"));
    await pass(2_000);
    expect(await rotating).toMatchObject({ ok: true, value: { sn: 1 } });
    expect(log.asked.filter((asked) => asked !== "certificates")).toHaveLength(1);
  });

  it("is not ordered before every certificate is there", async () => {
    const life = await open();
    log.certificatesFail = 2;
    const rotating = life.rotate();
    await pass(1_000);
    expect(log.asked).toEqual(["certificates"]);
    await pass(5_000);
    expect(await rotating).toMatchObject({ ok: true });
    expect(log.asked.slice(0, 3)).toEqual(["certificates", "certificates", "certificates"]);
  });

  it("that the log refuses is told, stays pending, and can be asked for again", async () => {
    const life = await open();
    log.answers = ["refuses"];
    expect(await life.rotate()).toMatchObject({ ok: false, refusal: { code: "KERI_RULE" } });
    expect(await gauge("rotation_pending")).toBe("1");
    expect(await gauge("rotation_failing")).toBe("1");
    expect(await life.rotate()).toMatchObject({ ok: true });
    expect(new Set(log.asked).size).toBe(2);
  });

  it("ends when the node stops, and goes on when it serves again", async () => {
    const life = await open();
    log.answers = ["is silent"];
    const rotating = life.rotate();
    await pass(1);
    life.stop();
    expect(await rotating).toMatchObject({ ok: false, refusal: { code: "STOPPED" } });
    vi.useRealTimers();
    await restart();
    vi.useFakeTimers();
    const again = await open();
    await again.resume();
    await pass(1);
    expect(again.keyState.sn).toBe(1);
    expect(new Set(log.asked.filter((asked) => asked !== "certificates")).size).toBe(1);
  });
});

describe("a node that returns", () => {
  it("with a rotation that was executed meanwhile settles it before it serves", async () => {
    const pending = await desk.enclave.prepareRotation(log.state.latest);
    if (!pending.ok) throw new Error("unsealed");
    log.execute(present(pending.value.pending, "prepared").stream);
    const life = await open();
    await life.resume();
    expect(life.keyState).toEqual({ sn: 1, said: log.state.said });
    expect(log.asked).toEqual([]);
  });

  it("with a keystore that is not the newest does not serve", async () => {
    const backup = desk.disk.keystore;
    const life = await open();
    await life.rotate();
    life.stop();
    desk.disk.keystore = backup;
    vi.useRealTimers();
    await restart();
    vi.useFakeTimers();
    await expect((await open()).resume()).rejects.toMatchObject({ code: "KEYS_ELSEWHERE" });
  });

  it("stops when the log brings keys that its keystore knows nothing of", async () => {
    const thief = await unsealedTwin();
    await open();
    log.execute(thief);
    await pass(1);
    expect(fatal).toEqual(["KEYS_ELSEWHERE"]);
  });
});

/** A rotation that somebody with a copy of the keystore made. */
async function unsealedTwin(): Promise<Uint8Array> {
  vi.useRealTimers();
  const twin = await unsealed(new Desk(world, { ...first.disk, records: [...first.disk.records] }));
  vi.useFakeTimers();
  const made = await twin.enclave.prepareRotation(log.state.latest);
  if (!made.ok) throw new Error("unsealed");
  return present(made.value.pending, "prepared").stream;
}

describe("by policy", () => {
  it("a key that is as old as it may be rotates by itself, again and again", async () => {
    const life = await open(3_600_000);
    await life.resume();
    await pass(1);
    expect(life.keyState.sn).toBe(1); // a founder's keystore of this test says nothing of its age
    for (let minute = 0; minute < 59; minute++) await pass(60_000);
    expect(life.keyState.sn).toBe(1);
    await pass(60_000);
    expect(life.keyState.sn).toBe(2);
    for (let minute = 0; minute < 60; minute++) await pass(60_000);
    expect(life.keyState.sn).toBe(3);
  });

  it("no key rotates by itself unless told to", async () => {
    const life = await open();
    await life.resume();
    for (let day = 0; day < 100; day++) await pass(86_400_000);
    expect(life.keyState.sn).toBe(0);
  });
});
