/** An exchange of projections that ends at any step leaves exactly one whole projection under the serving name, and loses neither. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { height } from "../../../src/base/brands.ts";
import { sha256Digest } from "../../../src/crypto/hash.ts";
import { openProjection, openSound } from "../../../src/host/projector/database.ts";
import {
  EXCHANGE_STEPS,
  exchange,
  projectionFiles,
  settleProjectionFiles,
} from "../../../src/host/projector/exchange.ts";
import { report } from "./points.ts";
import { scratch } from "./scratch.ts";

const directory = scratch("sky-exchange-");
afterAll(() => rmSync(directory, { recursive: true }));
const CHILD = join(import.meta.dirname, "exchange-child.ts");
const digest = sha256Digest(new Uint8Array());

/** Projections that are told apart by their heights. */
const SERVING = 3;
const CANDIDATE = 5;
const OLDER = 1;

function write(path: string, blocks: number): void {
  const { db, projector } = openProjection(path);
  for (let at = 0; at < blocks; at++)
    projector.apply([{ height: height(at), hash: digest, root: digest, time: at, facts: new Uint8Array() }]);
  db.close();
}

const heightOf = (path: string): number | undefined => {
  if (!existsSync(path)) return undefined;
  const { db, projector } = openSound(path);
  db.close();
  return projector.height + 1;
};

beforeAll(() => {
  for (const [name, withOlder] of [
    ["rebuilt", true],
    ["previous", false],
  ] as const) {
    const template = join(directory, name);
    mkdirSync(template);
    const files = projectionFiles(template);
    write(files.serving, SERVING);
    write(files[name], CANDIDATE);
    if (withOlder) write(files.previous, OLDER);
  }
});

describe.each(["rebuilt", "previous"] as const)("an exchange for the %s projection", (name) => {
  test.each(EXCHANGE_STEPS)(
    "that is killed at the step “%s” leaves one that serves, and is ended at the next start",
    (step) => {
      const place = join(directory, `${name}-${step}`);
      cpSync(join(directory, name), place, { recursive: true });
      const ended = spawnSync(process.execPath, [CHILD, place, name, step], { encoding: "utf8" });
      expect(ended.signal, ended.stderr).toBe("SIGKILL");
      const files = projectionFiles(place);
      const isOther = !["begin", "linked"].includes(step);
      expect(heightOf(files.serving)).toBe(isOther ? CANDIDATE : SERVING);

      settleProjectionFiles(files);
      settleProjectionFiles(files); // a start that was killed, too
      expect(heightOf(files.serving)).toBe(isOther ? CANDIDATE : SERVING);
      const kept = name === "rebuilt" ? OLDER : CANDIDATE;
      expect(heightOf(files.previous)).toBe(isOther ? SERVING : kept);
      expect(readdirSync(place).sort()).toEqual(["projection.db", "projection.previous.db"]);
    },
  );
});

test("nothing is exchanged while anybody has one of the two open", () => {
  const place = join(directory, "open");
  cpSync(join(directory, "rebuilt"), place, { recursive: true });
  const files = projectionFiles(place);
  for (const path of [files.serving, files.rebuilt]) {
    const other = openSound(path);
    expect(exchange(files, files.rebuilt)).toMatchObject({ ok: false, refusal: { code: "PROJECTION_IN_USE" } });
    other.db.close();
  }
  expect(heightOf(files.serving)).toBe(SERVING);
  expect(exchange(files, files.rebuilt).ok).toBe(true);
  expect(heightOf(files.serving)).toBe(CANDIDATE);
  report("steps of an exchange at which it was killed", 2 * EXCHANGE_STEPS.length);
});
