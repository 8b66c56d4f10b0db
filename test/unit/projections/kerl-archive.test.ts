/** Every statement of the archive runs, on tables that hold nothing: what the rules ask of it must never fail on a node that executes. */
import Database from "better-sqlite3";
import { expect, it } from "vitest";
import type { Aid, Said } from "../../../src/base/brands.ts";
import { SqlArchive } from "../../../src/projections/kerl/archive.ts";

it("answers every question about what it does not know", () => {
  const archive = new SqlArchive(new Database(":memory:"));
  const [aid, said] = ["Eidentifier" as Aid, "Eevent" as Said];
  expect(archive.keyStateAt(aid, 0)).toBeUndefined();
  expect(archive.stateAt(aid, 0, 0)).toBeUndefined();
  expect(archive.eventAt(aid, 0)).toBeUndefined();
  expect(archive.event(said)).toBeUndefined();
  expect(archive.eventBytes(said)).toBeUndefined();
  expect(archive.anchors(aid, { aid, sn: 0, said })).toEqual([]);
  expect(archive.signers(said)).toEqual(new Set());
  expect(archive.forks(aid)).toEqual([]);
  expect(archive.reply("subject")).toBeUndefined();
  expect(archive.escrows()).toEqual([]);
  expect([...archive.inForce()]).toEqual([]);
});
