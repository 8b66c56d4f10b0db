/** Another projection takes the place of the one that serves, while it serves: real workers, real files. */
import { existsSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { present } from "../../../src/base/errors.ts";
import { openSqlite } from "../../../src/events/store/sqlite.ts";
import { openSound } from "../../../src/host/projector/database.ts";
import { projectionFiles } from "../../../src/host/projector/exchange.ts";
import { Chance } from "../../contract/crash-points/points.ts";
import { World, type WorldOptions } from "./world.ts";

let world: World;
afterEach(async () => world.close());

async function begun(blocks: number, options: WorldOptions = {}): Promise<World> {
  world = new World(options);
  await world.open();
  world.write(blocks);
  expect(await world.granted(blocks - 1)).toBe(true);
  return world;
}

const edit = (path: string, statement: string): void => {
  const db = openSqlite(path, { store: "PROJECTION", synchronous: "normal" });
  db.exec(statement);
  db.close();
};

const rootsIn = (path: string) => {
  const { db, projector } = openSound(path);
  const roots = projector.roots();
  db.close();
  return roots;
};

describe("a rebuild", () => {
  test("takes the place of the serving projection under a load of writes and questions, and fails none of them", async () => {
    const { room } = await begun(300);
    const files = projectionFiles(world.directory);
    const before = readFileSync(files.serving).length;
    expect(room.rebuild.start("rebuild").ok).toBe(true);
    expect(room.rebuild.start("rebuild")).toMatchObject({ ok: false, refusal: { code: "REBUILD_RUNNING" } });
    const chance = new Chance(7);
    let asked = 0;
    let isOver = false;
    const load = (async () => {
      while (!isOver) {
        world.write(1);
        const newest = world.ledger.height;
        const heights = [newest, ...Array.from({ length: 8 }, () => 1 + chance.below(newest))];
        expect(await Promise.all(heights.map((at) => world.granted(at)))).toEqual(heights.map(() => true));
        expect(world.past.prepare("SELECT count(*) AS n FROM kerl_events").get()).toMatchObject({ n: 7 });
        asked += heights.length;
      }
    })();
    const status = await world.phase("done", "failed", "differs");
    isOver = true;
    await load;
    expect(status).toMatchObject({ phase: "done", code: "", differences: [], hasPrevious: true });
    expect(status.height).toBeGreaterThanOrEqual(299);
    expect(asked).toBeGreaterThan(20);
    world.write(5);
    expect(await world.granted(world.ledger.height)).toBe(true);
    expect(world.others).toBe(0);
    expect(existsSync(files.rebuilt)).toBe(false);
    expect(existsSync(files.retired)).toBe(false);
    expect(before).toBeGreaterThan(0);
    expect(rootsIn(files.previous).height).toBe(status.height);
    expect(await world.metrics.page()).toContain("sky_projection_rebuilds_total 1");
  });

  test("of tables that a defect made otherwise shows the rows, and leaves the choice to an operator", async () => {
    await begun(40);
    const files = projectionFiles(world.directory);
    // The defect: a row, and the sum over the rows with it, as old code would have written both.
    await doctored(files.serving);
    const { room } = world;
    room.rebuild.start("rebuild");
    const status = await world.phase("differs", "done", "failed");
    expect(status.phase).toBe("differs");
    expect(status.differences.map(({ table, changed }) => [table, changed])).toContainEqual(["rebac_node", 1]);
    expect(status.differences.flatMap(({ examples }) => examples).join()).toContain(
      "name: mallory in the serving one, s7 in the copy",
    );
    expect(room.rebuild.accept("0123456789abcdef")).toMatchObject({
      ok: false,
      refusal: { code: "DIFFERENCE_CHANGED" },
    });
    expect(await world.granted(8)).toBe(true);
    world.write(3); // it follows while it waits
    expect(await world.granted(42)).toBe(true);
    expect(room.rebuild.accept(status.difference).ok).toBe(true);
    expect(await world.phase("done", "failed")).toMatchObject({ phase: "done", height: 42 });
    expect(await world.granted(7)).toBe(true);
    expect(world.others).toBe(1);

    // And back: the previous one, brought up to date.
    world.write(4);
    await world.granted(46);
    expect(room.rebuild.start("rollBack").ok).toBe(true);
    expect(await world.phase("done", "failed")).toMatchObject({ phase: "done", kind: "rollBack", height: 46 });
    expect(await world.granted(7)).toBe(false);
    expect(await world.granted(46)).toBe(true);
  });

  test("that is cancelled leaves nothing behind, and another can begin", async () => {
    const { room } = await begun(200);
    room.rebuild.start("rebuild");
    expect(room.rebuild.cancel().ok).toBe(true);
    expect(await world.phase("failed")).toMatchObject({ code: "CANCELLED" });
    expect(existsSync(projectionFiles(world.directory).rebuilt)).toBe(false);
    expect(room.rebuild.cancel()).toMatchObject({ ok: false, refusal: { code: "NOTHING_TO_CANCEL" } });
    expect(room.rebuild.start("rollBack")).toMatchObject({ ok: false, refusal: { code: "NO_PREVIOUS" } });
    room.rebuild.start("rebuild");
    expect(await world.phase("done")).toMatchObject({ height: 199 });
  });

  test("on a disk that grows full is dropped with a sentence, and the projection serves on", async () => {
    const { room } = await begun(20, { reserveBytes: 2 ** 60 });
    room.rebuild.start("rebuild");
    const status = await world.phase("failed");
    expect(status).toMatchObject({ code: "REBUILD_NO_ROOM" });
    expect(status.message).toContain("free as much as it takes once more");
    expect(existsSync(projectionFiles(world.directory).rebuilt)).toBe(false);
    world.write(1);
    expect(await world.granted(20)).toBe(true);
  });

  test("of a log that this version executes otherwise than its headers say is never switched to", async () => {
    const { room } = await begun(30);
    const root = "0".repeat(63);
    edit(projectionFiles(world.directory).serving, `UPDATE ledger_blocks SET root = x'${root}1' WHERE height = 29`);
    room.rebuild.start("rebuild");
    const status = await world.phase("failed", "done", "differs");
    expect(status).toMatchObject({ phase: "failed", code: "REBUILD_DIVERGED" });
    expect(status.message).toContain("At height 29");
  });

  test("waits for checkpoints that are being written, and those that come later are the same", async () => {
    const { room } = await begun(60, { checkpointEvery: 10 });
    room.rebuild.start("rebuild");
    while (["building", "switching"].includes(room.rebuild.status.phase)) {
      world.write(1);
      await world.granted(world.ledger.height);
    }
    expect(room.rebuild.status).toMatchObject({ phase: "done", differences: [] });
    world.write(20);
    expect(await world.granted(world.ledger.height)).toBe(true);
    expect(world.deaths).toBe(0);
  });

  test("is not switched to while another program has the projection open", async () => {
    const { room } = await begun(10);
    const { serving } = projectionFiles(world.directory);
    const other = openSqlite(serving, { store: "PROJECTION", synchronous: "normal" });
    other.prepare("SELECT count(*) FROM ledger_blocks").get();
    room.rebuild.start("rebuild");
    await world.phase("switching");
    world.write(2);
    expect(await world.granted(5)).toBe(true); // answered between two tries
    other.close();
    expect(await world.phase("done", "failed")).toMatchObject({ phase: "done" });
    expect(await world.granted(11)).toBe(true);
  });

  test("that the projector's death interrupts is given up, and blocks go on", async () => {
    const { room } = await begun(100);
    room.rebuild.start("rebuild");
    await present(room.current, "started").stop();
    await room.restart();
    expect(await world.phase("failed", "done")).toMatchObject({ phase: "failed", code: "PROJECTOR_RESTARTED" });
    world.write(3);
    expect(await world.granted(102)).toBe(true);
  });
});

/** Changes a row with its sum, through another connection while the projector stands idle, and has it read its sums anew. */
async function doctored(path: string): Promise<void> {
  await world.room.stop();
  const { RowSum, nodeDigest, nodeRowOf } = await import("../../../src/projections/rebac/table-rows.ts");
  const db = openSqlite(path, { store: "PROJECTION", synchronous: "normal" });
  const before = nodeRowOf(db.prepare("SELECT * FROM rebac_node WHERE name = 's7'").get());
  const sum = RowSum.of((db.prepare("SELECT rows FROM rebac_meta").get() as { rows: Uint8Array }).rows);
  sum.subtract(nodeDigest(before));
  sum.add(nodeDigest({ ...before, name: "mallory" }));
  db.prepare("UPDATE rebac_node SET name = 'mallory' WHERE id = ?").run(before.id);
  db.prepare("UPDATE rebac_meta SET rows = ?").run(sum.bytes());
  db.close();
  await world.reopen();
}
