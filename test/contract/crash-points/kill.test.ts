/** Processes that are killed at numbered commits: nothing that was announced is missing from their files, and nothing is invented. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { memberIndex } from "../../../src/base/brands.ts";
import { utf8 } from "../../../src/base/bytes.ts";
import { present } from "../../../src/base/errors.ts";
import { openLogDatabase } from "../../../src/events/store/log-database.ts";
import { World, watchVotes } from "../../unit/actors/world.ts";
import { hashing } from "../chain.ts";
import { type Announcement, SEED } from "./killed-lives.ts";
import { StateReader } from "./numbered-log.ts";
import { Chance, PATIENCE_MS, isExhaustive, report } from "./points.ts";
import { expectVoteStands, reopenAt } from "./reopening.ts";

const CHILD = join(import.meta.dirname, "kill-child.ts");
const MEMBERS = [0, 1, 2, 3];

const directories: string[] = [];
afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

function directory(): string {
  const made = mkdtempSync(join(tmpdir(), "sky-killed-"));
  directories.push(made);
  return made;
}

type Task = "log" | "committee";

/** Where the child ends itself, or the commit at whose announcement it is killed from outside, after some time. */
interface Death {
  readonly point?: string;
  readonly begun?: { readonly writer: number; readonly number: number; readonly delayMs: number };
}

/** What the child announced until it ended. */
async function run(task: Task, at: string, { point, begun }: Death = {}): Promise<readonly Announcement[]> {
  const child = spawn(process.execPath, [CHILD, task, at, ...(point === undefined ? [] : [point])], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const announced: Announcement[] = [];
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const announcement = JSON.parse(line) as Announcement;
      announced.push(announcement);
      if (begun === undefined || announcement.kind !== "begun") continue;
      if (announcement.writer === begun.writer && announcement.number === begun.number)
        void pause(begun.delayMs).then(() => child.kill("SIGKILL"));
    }
  });
  await new Promise((resolve) => child.on("close", resolve));
  if (point !== undefined) expect(child.signalCode).toBe("SIGKILL");
  else if (begun === undefined) expect(announced.at(-1)).toEqual({ kind: "ended" });
  return announced;
}

/** Digests of the states of a writer by the number of the commit, as a life without death announced them. */
type Digests = ReadonlyMap<number, string>;

function digestsOf(announced: readonly Announcement[], writer: number): Digests {
  const digests = new Map<number, string>();
  for (const one of announced) if (one.kind === "done" && one.writer === writer) digests.set(one.number, one.digest);
  return digests;
}

const newest = (announced: readonly Announcement[], kind: "begun" | "done", writer: number): number =>
  announced.reduce((last, one) => (one.kind === kind && one.writer === writer ? Math.max(last, one.number) : last), 0);

/** The state is the one after the newest commit announced, or after the one begun: returns whether it is the latter. */
function expectNumbered(announced: readonly Announcement[], writer: number, digest: string, digests: Digests): boolean {
  const done = newest(announced, "done", writer);
  const begun = newest(announced, "begun", writer);
  const allowed = [done, begun].map((number) => (number === 0 ? digest : digests.get(number)));
  expect(allowed).toContain(digest);
  return digest === digests.get(begun) && begun > done;
}

const WHENS = ["before", "within", "after"] as const;

describe("a log writer killed", { timeout: PATIENCE_MS }, () => {
  let digests: Digests;
  const chance = new Chance(1);
  beforeAll(async () => {
    digests = digestsOf(await run("log", directory()), 0);
  });

  const reopened = (at: string): string => {
    const path = join(at, "log.db");
    const log = openLogDatabase(path, hashing);
    const states = new StateReader(path);
    const digest = states.digest();
    states.close();
    log.close();
    return digest;
  };

  test.each(WHENS)("%s a numbered commit holds exactly the commits that had returned", async (when) => {
    const numbers = chance.some([...digests.keys()].slice(1), 2);
    for (const number of numbers) {
      const at = directory();
      const announced = await run("log", at, { point: `0/${number}/${when}` });
      expect(newest(announced, "begun", 0)).toBe(number);
      expect(reopened(at)).toBe(digests.get(when === "after" ? number : number - 1));
    }
    report(`kills ${when} a commit of a log writer`, numbers.length);
  });

  test("at any moment after a commit was begun holds that commit whole, or not at all", async () => {
    const lives = isExhaustive ? 40 : 4;
    let whole = 0;
    for (let life = 0; life < lives; life++) {
      const at = directory();
      const number = 2 + chance.below(digests.size - 4);
      const announced = await run("log", at, { begun: { writer: 0, number, delayMs: chance.below(4) } });
      if (expectNumbered(announced, 0, reopened(at), digests)) whole += 1;
    }
    report(`kills at any moment of a log writer (${whole} after a commit that was not announced any more)`, lives);
  });
});

describe("a committee killed", { timeout: PATIENCE_MS }, () => {
  let whole: readonly Announcement[];
  const chance = new Chance(2);
  beforeAll(async () => {
    whole = await run("committee", directory());
  });

  /** Every member's file is a numbered state, its votes stand, and together they go on without voting twice. */
  const expectGoesOn = (announced: readonly Announcement[], at: string): void => {
    const said = new Map<string, string>();
    for (const self of MEMBERS) {
      const { start, digest, lost } = reopenAt(join(at, `log-${self}.db`), memberIndex(self));
      expect(lost).toBeUndefined();
      expectNumbered(announced, self, digest, digestsOf(whole, self));
      for (const one of announced) {
        if (one.kind !== "said" || one.writer !== self) continue;
        expectVoteStands(start, one);
        said.set(`${self}/${one.vote}/${one.view}`, String(one.hash));
      }
    }
    const world = new World(SEED + 1, at);
    try {
      watchVotes(world);
      const watched = world.onSent;
      world.onSent = (node, message) => {
        watched(node, message);
        if (message.kind !== "vote") return;
        const { vote, view, hash } = message;
        const earlier = said.get(`${node.self}/${vote}/${view}`);
        expect(earlier ?? String(hash)).toBe(String(hash));
        const opposite = { notarize: "none", nullify: "finalize", finalize: "nullify" }[vote];
        expect(said.has(`${node.self}/${opposite}/${view}`)).toBe(false);
      };
      for (const self of MEMBERS) world.boot(self);
      world.settle("all agree");
      const { length } = world.node(0).hashes;
      expect(world.node(0).actor.submit(utf8("a batch that nobody has seen before"))).toBe(true);
      world.until("they go on", () => world.living.every(({ hashes }) => hashes.length > length));
    } finally {
      world.end();
    }
  };

  test.each(WHENS)("%s a numbered commit of one of its members: votes stand, and it goes on", async (when) => {
    const points = MEMBERS.flatMap((self) =>
      [...digestsOf(whole, self).keys()].slice(1).map((number) => ({ self, number })),
    );
    const chosen = chance.some(points, 2);
    for (const { self, number } of chosen) {
      const at = directory();
      const announced = await run("committee", at, { point: `${self}/${number}/${when}` });
      expect(newest(announced, "begun", self)).toBe(number);
      const { digest } = reopenAt(join(at, `log-${self}.db`), memberIndex(self));
      expect(digest).toBe(present(digestsOf(whole, self).get(when === "after" ? number : number - 1), "a commit"));
      expectGoesOn(announced, at);
    }
    report(`kills ${when} a commit of a committee`, chosen.length);
  });

  test("at any moment: votes stand, and it goes on", async () => {
    const lives = isExhaustive ? 20 : 2;
    for (let life = 0; life < lives; life++) {
      const at = directory();
      const self = chance.below(MEMBERS.length);
      const number = 2 + chance.below(digestsOf(whole, self).size - 4);
      expectGoesOn(await run("committee", at, { begun: { writer: self, number, delayMs: chance.below(3) } }), at);
    }
    report("kills at any moment of a committee", lives);
  });
});
