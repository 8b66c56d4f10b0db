/** What leaves of a context is named field by field: what somebody adds, wherever, does not leave until it is named. */
import { describe, expect, it } from "vitest";
import { consensusContext } from "../../../src/host/inspector/redaction.ts";
import type { Context } from "../../../src/machines/consensus/types.ts";
import { World } from "../actors/world.ts";

const CANARY = "a-field-that-nobody-named";

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);

/** A copy in which each record of fixed fields has one more. `maps`: records by view, height or member, whose keys are data. */
function withCanaries(value: unknown, maps: ReadonlySet<string>, name = ""): unknown {
  if (Array.isArray(value)) return value.map((one) => withCanaries(one, maps, name));
  if (!isRecord(value)) return value;
  const copy = Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withCanaries(one, maps, key)]));
  return maps.has(name) ? copy : { ...copy, [CANARY]: CANARY };
}

/** Of the context and of a tally: from view, height, hash or member to a value. */
const MAPS = new Set(
  "candidates proposals notarizations nullifications verdicts own tallies equivocated roots awaitsClock survey attested notarize nullify finalize accused".split(
    " ",
  ),
);

describe("the context of consensus, as it is shown", () => {
  it("has no field that nobody named, at any depth", () => {
    const world = new World(5);
    for (let at = 0; at < 4; at += 1) world.boot(at);
    const seen: string[] = [];
    let isDirty = false;
    for (let block = 0; block < 3; block += 1) {
      world.submit(block);
      world.until("a block is final", () => {
        const { context } = world.node(0).actor;
        const dirty = withCanaries({ ...context, ...REST }, MAPS);
        isDirty ||= JSON.stringify(dirty).includes(CANARY);
        const shown = JSON.stringify(consensusContext(dirty as Context));
        if (shown.includes(CANARY)) seen.push(shown);
        return context.final.height > block;
      });
    }
    world.end();
    expect(isDirty).toBe(true);
    expect(seen).toEqual([]);
  });

  it("still shows what is named", () => {
    const shown = consensusContext({ ...EMPTY, ...REST } as unknown as Context);
    expect(shown).toMatchObject({
      final: { height: 3, hash: "aa" },
      pendingFinal: { view: 4, hash: "bb" },
      own: { 4: { notarize: "bb" } },
      tallies: { 4: { notarize: { 1: "bb" }, accused: {} } },
      halted: { height: 2, root: "cc", theirs: "dd" },
      attested: { 1: { height: 2, root: "dd" } },
    });
  });
});

/** What an undisturbed run does not come to. */
const REST = {
  pendingFinal: { view: 4, hash: "bb" },
  own: { 4: { notarize: "bb" } },
  tallies: { 4: { notarize: { 1: "bb" }, nullify: {}, finalize: {}, accused: {} } },
  halted: { height: 2, root: "cc", theirs: "dd" },
  attested: { 1: { height: 2, root: "dd" } },
};

const EMPTY = {
  timings: { delta: 1 },
  final: { hash: "aa", height: 3, view: 3, time: 5, executedHeight: 2, checkpoint: 0 },
  candidates: {},
  mempool: [],
};
