/** "Durable before sending" of consensus.md, on real files: the process ends at every commit there is. */
import { afterEach, describe, expect, it } from "vitest";
import { type CrashPlan, World, watchVotes } from "./world.ts";

const worlds: World[] = [];
afterEach(() => {
  for (const world of worlds.splice(0)) world.end();
});

const VICTIM = 1; // leads views 1 and 5
const BATCHES = 6;

/** Four members order some batches; one of them ends at a commit and comes back from its files. Returns its commits. */
function live(seed: number, crash?: CrashPlan): number {
  const world = new World(seed);
  worlds.push(world);
  watchVotes(world);
  const began = world.now;
  let before: readonly string[] = [];
  world.onCrash = (node) => {
    before = node.delivered.map(({ hash }) => hash);
    world.at(40, () => {
      const again = world.boot(VICTIM);
      // What was delivered was acknowledged: it is in the log that the next life opens.
      expect(again.hashes.slice(0, before.length)).toEqual(before);
    });
  };
  for (let i = 0; i < 4; i++) world.boot(i, i === VICTIM && crash !== undefined ? { crash } : {});
  for (let i = 0; i < BATCHES; i++) world.at(i * 7, () => void world.submit(i % 2 === 0 ? VICTIM : 2));
  world.until("the batches were given", () => world.now - began > BATCHES * 7 + 100);
  world.until("it is back", () => world.living.length === 4);
  world.settle("all agree");
  const height = world.node(0).hashes.length;
  world.submit(3);
  world.until("a new batch is final everywhere", () => world.living.every(({ hashes }) => hashes.length > height));
  world.settle("all agree again");
  const roots = new Set(world.living.map(({ root }) => root));
  expect(roots.size).toBe(1);
  return world.node(VICTIM).commits;
}

/** As many as the member makes without a crash: the first test holds the number to that. */
const COMMITS = 22;

describe("a member that ends", () => {
  it("is tried at every commit that it makes", () => {
    expect(live(1)).toBeLessThanOrEqual(COMMITS);
  });

  it.each(Array.from({ length: COMMITS }, (_, i) => i + 1))(
    "at commit %i: votes once, loses nothing, goes on",
    (at) => {
      live(1, { at, when: at % 2 === 0 ? "before" : "after" });
    },
  );

  it("again and again, at every third commit, still goes on", () => {
    const world = new World(7);
    worlds.push(world);
    watchVotes(world);
    const crash: CrashPlan = { at: 3, when: "after" };
    let lives = 1;
    world.onCrash = () => {
      lives += 1;
      world.at(
        30,
        () =>
          void world.boot(VICTIM, lives < 9 ? { crash: { ...crash, when: lives % 2 === 0 ? "before" : "after" } } : {}),
      );
    };
    for (let i = 0; i < 4; i++) world.boot(i, i === VICTIM ? { crash } : {});
    for (let i = 0; i < 60; i++) world.at(i * 20, () => void world.submit(i % 4));
    world.until("it lived nine times", () => lives === 9 && world.node(VICTIM).alive);
    world.settle("all agree");
    expect(new Set(world.living.map(({ root }) => root)).size).toBe(1);
  });

  it("together with all the others, and everything comes back", () => {
    const world = new World(11);
    worlds.push(world);
    watchVotes(world);
    for (let i = 0; i < 4; i++) world.boot(i);
    for (let i = 0; i < 12; i++) world.at(i * 3, () => void world.submit(i % 4));
    world.until("something is final", () => world.node(2).delivered.length > 2);
    const known = world.node(2).delivered.map(({ hash }) => hash);
    for (let i = 0; i < 4; i++) world.node(i).kill();
    for (let i = 0; i < 4; i++) world.boot(i);
    world.settle("all agree");
    for (const { hashes } of world.living) expect(hashes.slice(0, known.length)).toEqual(known);
    world.submit(0);
    world.until("they go on", () => world.living.every(({ hashes }) => hashes.length > known.length));
  });
});
