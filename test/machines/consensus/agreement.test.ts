import { describe, expect, it } from "vitest";
import { assertSafe, Cluster } from "./cluster.ts";
import { standingOf } from "../../../src/machines/consensus/consensus.machine.ts";

const ordered = (cluster: Cluster, member: number): string[] =>
  cluster.members[member]?.disk.log.flatMap(({ block }) => block.bundles) ?? [];

describe("a committee that nothing disturbs", () => {
  it("orders a bundle in one block on every member and falls quiet (rule 1)", () => {
    const cluster = new Cluster({ seed: 1 });
    const bundle = cluster.submit("one", 0);
    cluster.run(10_000, () => cluster.members.every((member) => member.log.length === 1));
    for (const member of [0, 1, 2, 3]) expect(ordered(cluster, member)).toEqual([bundle]);
    cluster.run(60_000);
    expect(cluster.pending).toBe(0);
    for (const member of cluster.members) {
      expect(standingOf(member.context)).toBe("quiet");
      expect(member.log.length).toBe(1);
      expect(member.timers.size).toBe(0);
    }
  });

  it("makes its last block final although everybody's finalize votes and finalizations were lost", () => {
    const cluster = new Cluster({ seed: 8 });
    const bundle = cluster.submit("one", 0);
    cluster.filter = (_from, _to, message) =>
      !(message.kind === "vote" && message.vote === "finalize") &&
      !(message.kind === "certificate" && message.certificate === "finalization");
    cluster.run(3000);
    for (const member of [0, 1, 2, 3]) expect(ordered(cluster, member)).toEqual([]);
    cluster.filter = () => true;
    // Nobody brings new work: standstill and empty blocks must do.
    expect(cluster.run(60_000, () => cluster.members.every((_, i) => ordered(cluster, i).includes(bundle)))).toBe(true);
    cluster.run(60_000);
    for (const { context } of cluster.members) expect(standingOf(context)).toBe("quiet");
  });

  it("is final after three message delays (rules 2 to 6)", () => {
    const cluster = new Cluster({ seed: 2, delayMsMax: 1 });
    cluster.submit("one", 1); // member 1 leads view 1
    expect(cluster.run(15, () => cluster.members.every((member) => member.log.length === 1))).toBe(true);
  });

  it("orders everything once, whoever receives it", () => {
    const cluster = new Cluster({ seed: 3 });
    const bundles: string[] = [];
    for (let i = 0; i < 200; i++) cluster.later(i * 2, () => bundles.push(cluster.submit(`bundle ${i}`, i % 4)));
    cluster.run(
      60_000,
      () => bundles.length === 200 && cluster.members.every((_, i) => ordered(cluster, i).length === 200),
    );
    expect(new Set(ordered(cluster, 2))).toEqual(new Set(bundles));
    expect(ordered(cluster, 2)).toHaveLength(200);
    assertSafe(cluster);
  });
});

describe("a committee with a dead member", () => {
  it("goes on, and skips the silent leader at once after 2n views (rule 1)", () => {
    const cluster = new Cluster({ seed: 4 });
    cluster.members[2]?.crash();
    let next = 0;
    for (let i = 0; i < 100; i++) cluster.later(i * 100, () => cluster.submit(`bundle ${next++}`, i % 2));
    cluster.run(120_000, () => ordered(cluster, 0).length === 100);
    expect(ordered(cluster, 0)).toHaveLength(100);
    const started = cluster.now;
    for (let i = 0; i < 20; i++) {
      cluster.submit(`late ${i}`, 0);
      const before = ordered(cluster, 0).length;
      expect(cluster.run(1000, () => ordered(cluster, 0).length > before)).toBe(true);
    }
    expect(cluster.now - started).toBeLessThan(20 * 60);
    assertSafe(cluster);
  });

  it("lets the member return and catch up", () => {
    const cluster = new Cluster({ seed: 5 });
    cluster.submit("a", 0);
    cluster.run(1000);
    cluster.members[3]?.crash();
    for (let i = 0; i < 50; i++) cluster.later(i * 50, () => cluster.submit(`bundle ${i}`, i % 3));
    cluster.run(60_000, () => ordered(cluster, 0).length === 51);
    cluster.members[3]?.restart();
    expect(cluster.run(30_000, () => ordered(cluster, 3).length === 51)).toBe(true);
    assertSafe(cluster);
  });

  it("stops with two of four dead and goes on when one returns", () => {
    const cluster = new Cluster({ seed: 6 });
    cluster.members[1]?.crash();
    cluster.members[3]?.crash();
    cluster.submit("a", 0);
    cluster.run(20_000);
    expect(ordered(cluster, 0)).toHaveLength(0);
    cluster.members[3]?.restart();
    expect(cluster.run(60_000, () => ordered(cluster, 0).length === 1 && ordered(cluster, 3).length === 1)).toBe(true);
    assertSafe(cluster);
  });
});
