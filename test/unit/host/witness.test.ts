import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { concatBytes } from "../../../src/base/bytes.ts";
import { type Result, ok, refuse } from "../../../src/base/result.ts";
import { createMetrics } from "../../../src/host/metrics/metrics.ts";
import { Witness } from "../../../src/host/node/witness.ts";
import { WitnessJournal } from "../../../src/host/node/witness-journal.ts";
import type { CommandOutcome } from "../../../src/wire/outcome.ts";
import { KerlWorld } from "../../contract/grpc/support/kerl-world.ts";
import { authorOf } from "../kerl/ledger-world.ts";
import { Key, Life } from "../kerl/lives.ts";

const KEYS = [0, 1, 2, 3].map((i) => new Key(`witness of n${i}`));
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** A node's witness over a log that is real: its appends are blocks. */
class Witnessing {
  readonly #directory = mkdtempSync(path.join(tmpdir(), "sky-witness-"));
  readonly made = new KerlWorld();
  readonly metrics = createMetrics();
  readonly failures: unknown[] = [];
  readonly appends: number[] = [];
  /** What the next appends are refused with, before anything is done. */
  readonly refuseNext: Result<never>[] = [];
  #running: { readonly witness: Witness; readonly journal: WitnessJournal }[] = [];
  #busy: Promise<unknown> = Promise.resolve();

  start(count = 1): void {
    for (let i = this.#running.length; i < count; i += 1) {
      const key = KEYS[i] as Key;
      const node = this.made.world.founders[i] as Life;
      const journal = new WitnessJournal(path.join(this.#directory, `witness-${i}.db`));
      const witness = new Witness({
        publicKey: key.publicKey,
        queries: this.made.queries,
        view: () => this.made.world.ledger.kerl.view,
        sign: async (_key, messages) => ok(messages.map((message) => key.sign(message))),
        append: (stream) => this.#append(node, stream),
        journal,
        now: () => 0,
        onFatal: (error) => void this.failures.push(error),
        logger: silent as never,
        metrics: this.metrics,
      });
      this.#running.push({ witness, journal });
      witness.start();
    }
  }

  stop(): void {
    for (const { witness, journal } of this.#running) {
      witness.stop();
      journal.close();
    }
    this.#running = [];
  }

  clean(): void {
    this.stop();
    rmSync(this.#directory, { recursive: true });
  }

  #append(node: Life, stream: Uint8Array): Promise<Result<CommandOutcome>> {
    const answer = this.#busy.then(() => {
      const refused = this.refuseNext.shift();
      if (refused !== undefined) return refused;
      this.appends.push(stream.length);
      const outcomes = this.made.settle(this.made.world.append(authorOf(node), stream));
      return outcomes.ok ? ok(outcomes.value[0] as CommandOutcome) : outcomes;
    });
    this.#busy = answer;
    return answer;
  }

  /** An application's append, in a block of its own. */
  append(...messages: readonly Uint8Array[]): void {
    this.made.settle(this.made.world.append(authorOf(this.made.world.client), concatBytes(...messages)));
  }

  state = (life: Life) => this.made.queries.keyState(life.aid);
  waits = (life: Life): boolean => this.made.queries.escrows(life.aid).length > 0;
  receipts = async (): Promise<number> =>
    Number(/sky_witness_receipts\S* (\d+)/.exec(await this.metrics.page())?.[1] ?? 0);
}

const witnessed = (name: string, count: number): Life =>
  new Life(name, { witnesses: KEYS.slice(0, count).map(({ witness }) => witness) });

describe("a node as a witness", () => {
  let all: Witnessing;
  beforeEach(() => {
    all = new Witnessing();
  });
  afterEach(() => {
    expect(all.failures).toEqual([]);
    all.clean();
  });

  it("receipts what names it as soon as the log holds it: the event is accepted when all that it asks for did", async () => {
    all.start(3);
    const life = witnessed("life", 3);
    all.append(life.inception.message);
    expect(all.state(life)).toBeUndefined();
    await expect.poll(() => all.state(life)?.latest.sn).toBe(0);
    all.append(life.rotated().message);
    await expect.poll(() => all.state(life)?.latest.sn).toBe(1);
    expect(all.waits(life)).toBe(false);
  });

  it("finds at its start what came while it was away, and sends many receipts in one command", async () => {
    const lives = ["a", "b", "c", "d"].map((name) => witnessed(name, 1));
    for (const life of lives) all.append(life.inception.message);
    all.start();
    await expect.poll(() => lives.every((life) => all.state(life) !== undefined)).toBe(true);
    expect(all.appends).toHaveLength(1);
    expect(await all.receipts()).toBe(4);
  });

  it("leaves alone what names others, and what it receipted already", async () => {
    const life = witnessed("life", 2);
    const other = new Life("other", { witnesses: [new Key("somebody").witness] });
    all.append(life.inception.message);
    all.append(other.inception.message);
    all.start(1);
    await expect.poll(() => all.receipts()).toBe(1);
    all.stop();
    all.start(1);
    all.append(new Life("stirs").inception.message);
    all.start(2);
    await expect.poll(() => all.state(life)?.latest.sn).toBe(0);
    expect(all.appends).toHaveLength(2);
    expect(all.state(other)).toBeUndefined();
  });

  it("never signs a second event for a place, even after the first one left the log's escrows, across a restart", async () => {
    const life = witnessed("life", 2);
    all.append(life.inception.message);
    all.start(2);
    await expect.poll(() => all.state(life)?.latest.sn).toBe(0);
    all.stop();
    all.start(1); // the other witness is away: what follows waits
    const first = life.interaction();
    const rival = life.interaction([{ d: life.inception.said }]);
    all.append(first.message);
    await expect.poll(() => all.receipts()).toBe(3);
    for (let i = 0; i < 1_030; i += 1) all.made.world.block();
    all.made.world.project();
    expect(all.waits(life)).toBe(false);
    all.stop();
    all.start(1);
    all.append(rival.message);
    await expect.poll(async () => /sky_witness_rivals\S* 1/.test(await all.metrics.page())).toBe(true);
    expect(await all.receipts()).toBe(3);
    all.append(first.message);
    await expect.poll(() => all.receipts()).toBe(4);
  });

  it("signs what lawfully supersedes an event that was accepted", async () => {
    const life = witnessed("life", 1);
    all.start(1);
    all.append(life.inception.message);
    await expect.poll(() => all.state(life)?.latest.sn).toBe(0);
    const interaction = life.interaction();
    all.append(interaction.message);
    await expect.poll(() => all.state(life)?.latest.sn).toBe(1);
    const recovery = life.rotation({ sn: 1 });
    all.append(recovery.message);
    await expect.poll(() => all.state(life)?.latest.said).toBe(recovery.said);
  });

  it("tries again later what was refused for a reason that passes", async () => {
    all.refuseNext.push(refuse("OVERLOADED", "Full."), refuse("OUTCOME_UNKNOWN", "Lost."));
    const life = witnessed("life", 1);
    all.start(1);
    all.append(life.inception.message);
    await expect.poll(() => all.state(life)?.latest.sn).toBe(0);
  });
});
