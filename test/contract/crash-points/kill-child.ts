/**
 * A process that is killed at a numbered commit. `log <directory> <point>`: one log writer. `committee <directory> <point>`: four
 * members with real actors. A point is `<writer>/<commit>/<before|within|after>`; without one it runs to its end.
 * Every commit is announced before it begins and, with the state it leaves, after it has returned; so is everything said.
 */
import { writeSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../../../src/events/store/log.ts";
import { openLogDatabase } from "../../../src/events/store/log-database.ts";
import type { LogBatch } from "../../../src/events/store/log-batch.ts";
import { hashing } from "../chain.ts";
import { World } from "../../unit/actors/world.ts";
import { type Announcement, ROUNDS, SEED, batchesOf, submissions } from "./killed-lives.ts";
import { StateReader } from "./numbered-log.ts";

const [task, directory = "", point = ""] = process.argv.slice(2);
const [writerAt, commitAt, when] = point.split("/");

/** Written at once: what was announced came before whatever follows. */
const say = (announcement: Announcement): void => void writeSync(1, `${JSON.stringify(announcement)}\n`);

const end = (): void => void process.kill(process.pid, "SIGKILL");

/** Numbers and announces the commits of a log, and ends the process at its point. */
function announce(log: Log, path: string, writer: number): void {
  const states = new StateReader(path);
  const target = log as { -readonly [K in keyof Log]: Log[K] };
  const commit = log.commit.bind(log);
  let number = 0;
  target.commit = (batch) => {
    number += 1;
    const isHere = String(writer) === writerAt && String(number) === commitAt;
    say({ kind: "begun", writer, number });
    if (isHere && when === "before") end();
    commit(isHere && when === "within" ? endingWithin(batch) : batch);
    if (isHere && when === "after") end();
    say({ kind: "done", writer, number, digest: states.digest() });
  };
}

/** The same batch, whose last part ends the process: all others are written then, and the transaction is open. */
const endingWithin = (batch: LogBatch): LogBatch => ({
  ...batch,
  get marks(): NonNullable<LogBatch["marks"]> {
    end();
    return [];
  },
});

function writeLog(): void {
  const path = join(directory, "log.db");
  const log = openLogDatabase(path, hashing);
  announce(log, path, 0);
  for (const batch of batchesOf(ROUNDS)) log.commit(batch);
}

function liveTogether(): void {
  const world = new World(SEED, directory);
  for (let i = 0; i < 4; i++) {
    const node = world.boot(i);
    announce(node.log, world.path(node.self), i);
  }
  world.onSent = (node, message) => {
    if (message.kind === "vote") {
      const { vote, view, hash } = message;
      say({ kind: "said", writer: node.self, vote, view, hash });
    }
  };
  submissions(world);
  world.until("all is final", () => world.living.every(({ delivered }) => delivered.length > 5));
}

if (task === "log") writeLog();
else liveTogether();
say({ kind: "ended" });
