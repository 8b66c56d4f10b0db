/** DESIGN §4: a replica that computed another state than f+1 others takes no more part, in no later life either. */
import { afterEach, describe, expect, it } from "vitest";
import { readDivergence } from "../../../src/actors/consensus/start.ts";
import { utf8 } from "../../../src/base/bytes.ts";
import { present } from "../../../src/base/errors.ts";
import { sha256Digest } from "../../../src/crypto/hash.ts";
import { openLogDatabase } from "../../../src/events/store/log-database.ts";
import { standingOf } from "../../../src/machines/consensus/consensus.machine.ts";
import { World, hashing } from "./world.ts";

let world: World | undefined;
afterEach(() => world?.end());

/** Four members, the first of which computed nonsense at some height and was told by the others. */
function parted(): World {
  world = new World(11);
  const { nodes } = world;
  for (const at of [0, 1, 2, 3]) world.boot(at);
  world.submit(1);
  world.settle("all agree");
  world.node(0).root = sha256Digest(utf8("a flipped bit"));
  for (let i = 0; i < 40 && nodes[0]?.halted.length === 0; i++) {
    const before = world.node(2).log.head()?.height ?? 0;
    world.submit(1 + (i % 3));
    world.until("the others go on", () => (nodes[2]?.log.head()?.height ?? 0) > before);
  }
  return world;
}

describe("a replica that parted from f+1 others", () => {
  it("says where, with both roots, and has that on its disk before", () => {
    const all = parted();
    const [one, other] = [all.node(0), all.node(1)];
    const [divergence] = one.halted;
    expect(one.halted).toHaveLength(1);
    expect(readDivergence(one.log)).toEqual(divergence);
    const at = present(divergence, "halted");
    expect(at.theirs).toBe(other.log.executedRoot(at.height));
    expect(at.root).not.toBe(at.theirs);
    expect(other.halted).toEqual([]);
    expect(readDivergence(other.log)).toBeUndefined();
  });

  it("says nothing after a restart, and the others order without it", () => {
    const all = parted();
    all.node(0).kill();
    const said: string[] = [];
    all.onSent = ({ self }, { kind }) => void (self === 0 && said.push(kind));
    const again = all.boot(0);
    expect(standingOf(again.actor.context)).toBe("halted");
    for (let i = 0; i < 3; i++) {
      const before = all.node(2).log.head()?.height ?? 0;
      all.submit(1);
      all.until("the others go on", () => (all.node(2).log.head()?.height ?? 0) > before);
    }
    expect(said).toEqual([]);
    expect(again.actor.context).toMatchObject({ own: {}, timersArmed: false });
  });

  it("is stopped by a journal that is given up no less", () => {
    const all = parted();
    all.node(0).kill();
    const log = openLogDatabase(all.path(all.node(0).self), hashing);
    log.forgetUnsettled([]);
    expect(log.defect()).toBeUndefined();
    expect(readDivergence(log)).toBeDefined();
    log.close();
  });
});
