/** What a member gives whoever asks: at a pace that its disk and its thread bear, however often it is asked. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { Answering } from "../../../src/actors/consensus/answering.ts";
import { ensureGenesis } from "../../../src/actors/consensus/start.ts";
import { height, memberIndex } from "../../../src/base/brands.ts";
import { decode } from "../../../src/base/codec.ts";
import { FRAME_BYTES_MAX, peerMessageShape } from "../../../src/events/facts/peer-message.ts";
import { openLogDatabase } from "../../../src/events/store/log-database.ts";
import { longLog } from "./long-log.ts";
import { genesis, hashing } from "./world.ts";

const ASKING = memberIndex(1);

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** A member with a log of 600 small blocks, and how many events it has given. */
function member(): {
  readonly answering: Answering;
  readonly given: () => number;
  readonly pass: (ms: number) => void;
} {
  const directory = mkdtempSync(join(tmpdir(), "sky-answering-"));
  const log = openLogDatabase(join(directory, "log.db"), hashing);
  ends.push(() => {
    log.close();
    rmSync(directory, { recursive: true });
  });
  ensureGenesis(log, genesis);
  log.commit(longLog({ blocks: 600, bytes: 100 }));
  let now = 1_700_000_000_000;
  let given = 0;
  const send = (_to: unknown, frame: Uint8Array): void => {
    const message = decode(peerMessageShape, frame, FRAME_BYTES_MAX);
    if (message.ok && message.value.kind === "events") given += message.value.events.length;
  };
  const answering = new Answering(
    { log, peers: { send }, clock: { now: () => now }, observer: { refused: () => {} } },
    { block: () => undefined, bundle: () => undefined },
  );
  return {
    answering,
    given: () => given,
    pass: (ms) => {
      now += ms;
    },
  };
}

describe("pages of events", () => {
  it("of small blocks cost their asker what it takes to read them, not their few bytes", () => {
    const { answering, given, pass } = member();
    for (let i = 0; i < 300; i++) answering.events(ASKING, height(1));
    expect(given()).toBeGreaterThanOrEqual(512);
    expect(given()).toBeLessThan(4 * 512);
    const before = given();
    for (let second = 0; second < 3; second++) {
      pass(1000);
      for (let i = 0; i < 300; i++) answering.events(ASKING, height(1));
    }
    expect(given() - before).toBeGreaterThanOrEqual(3 * 512);
    expect(given() - before).toBeLessThan(3 * 4 * 512);
  });

  it("that one member asked for in vain are there for another", () => {
    const { answering, given } = member();
    for (let i = 0; i < 300; i++) answering.events(ASKING, height(1));
    const before = given();
    answering.events(memberIndex(2), height(1));
    expect(given() - before).toBe(512);
  });
});
