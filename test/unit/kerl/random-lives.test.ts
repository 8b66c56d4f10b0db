import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Projector } from "../../../src/actors/projector/projector.ts";
import { loadLiveKerl } from "../../../src/projections/kerl/load-live-kerl.ts";
import { LedgerWorld, authorOf } from "./ledger-world.ts";
import { Cast, deed, presentOf } from "./random-deeds.ts";

describe("random lives of identifiers", () => {
  it("have the same roots whether the past is in memory, in tables, or loaded from them at any block; a rebuild has the same rows", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            deeds: fc.array(deed, { minLength: 1, maxLength: 4 }),
            next: fc.constantFrom("go on", "project", "restart"),
          }),
          {
            minLength: 3,
            maxLength: 14,
          },
        ),
        (history) => {
          const cast = new Cast();
          const beginnings = cast.beginnings();
          const blocks = history.map(({ deeds }) => deeds.map((one) => cast.messageOf(one)));
          const steady = new LedgerWorld(false);
          const moving = new LedgerWorld(true);
          const roots = [steady, moving].map((world) => {
            const author = authorOf(world.client);
            world.block(...beginnings.map((message) => world.append(author, message)));
            return blocks.map((messages, i) => {
              const { executed } = world.block(...messages.map((message) => world.append(author, message)));
              if (world === moving && history[i]?.next === "project") world.project();
              if (world === moving && history[i]?.next === "restart") world.restart();
              return executed.root;
            });
          });
          expect(roots[1]).toEqual(roots[0]);
          expect([steady.defects, moving.defects]).toEqual([[], []]);
          const present = presentOf(steady.ledger.kerl, cast.aids);
          expect(presentOf(moving.ledger.kerl, cast.aids)).toEqual(present);
          steady.project();
          moving.project();
          expect(presentOf(loadLiveKerl(steady.db), cast.aids)).toEqual(present);
          const rebuilt = new Projector(new Database(":memory:"));
          for (const block of steady.blocks) rebuilt.apply([block]);
          expect(rebuilt.verify().ok).toBe(true);
          expect(rebuilt.kerl.rowsRoot).toBe(steady.projector.kerl.rowsRoot);
          expect(moving.projector.kerl.rowsRoot).toBe(steady.projector.kerl.rowsRoot);
        },
      ),
      { numRuns: 15, seed: 4 },
    );
  });
});
