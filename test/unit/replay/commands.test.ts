import Database from "better-sqlite3";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { present } from "../../../src/base/errors.ts";
import { Projector } from "../../../src/actors/projector/projector.ts";
import { openSqlite } from "../../../src/events/store/sqlite.ts";
import { execute } from "../../../src/host/cli/main.ts";
import { DirectorySource } from "../../../tools/replay/directory.ts";
import { MadeLog, appendTo, openMadeLog } from "../../../tools/replay/made-log.ts";
import { untilAborted } from "../../../tools/replay/running.ts";
import { replay } from "../../../tools/replay/replay.ts";
import { quietConsole, sky } from "../host/command-line.ts";
import { verdictOf } from "./judge.ts";
import { node, smallLog } from "./small-log.ts";

const base = mkdtempSync(join(tmpdir(), "sky-replay-test-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const { made, blocks } = smallLog();
const last = blocks.length - 1;

let directories = 0;
/** A node's directory with the small log, which nobody has open. */
function directoryWithLog(): string {
  const directory = join(base, `d${(directories += 1)}`);
  mkdirSync(directory);
  const log = openMadeLog(join(directory, "log.db"));
  for (const { block, root } of blocks) appendTo(log, block, root);
  log.close();
  return directory;
}

/** Its projection, as a node's worker makes it. */
async function project(directory: string, upTo = last): Promise<void> {
  const db = openSqlite(join(directory, "projection.db"), { store: "PROJECTION", synchronous: "normal" });
  const projector = new Projector(db);
  const source = DirectorySource.open(directory);
  for await (const { height, hash, root, time, event, factBytes } of replay(source))
    if (height <= upTo) projector.apply([{ height, hash, root, time, block: event.block, facts: factBytes }]);
  await source.close();
  db.close();
}

const jsonOf = ({ out }: { readonly out: readonly string[] }): Record<string, unknown>[] =>
  out.map((line) => JSON.parse(line) as Record<string, unknown>);

describe("sky verify", () => {
  it("names the file that is no founding document", async () => {
    const directory = directoryWithLog();
    const path = join(directory, "other.sky");
    writeFileSync(path, "hello");
    const { code, err } = await sky("verify", "--data", directory, "--founding", path);
    expect([code, err.join()]).toEqual([1, expect.stringContaining(`${path} is no founding document`)]);
  });

  it("says where a log that holds ends, and is silent otherwise", async () => {
    const { code, out, err } = await sky("verify", "--data", directoryWithLog());
    expect([code, err]).toEqual([0, []]);
    expect(out[0]).toMatch(new RegExp(`^The log holds from genesis to height ${last} `));
    expect(out[2]).toBe(`root  ${made.root}`);
  });

  it("takes a bare log.db", async () => {
    const verified = await sky("verify", "--data", join(directoryWithLog(), "log.db"), "--json");
    expect(jsonOf(verified)).toMatchObject([{ ok: true, height: last, root: made.root, commands: 7 }]);
  });

  it("ends with 1, the place and the reason when it does not hold", async () => {
    const directory = directoryWithLog();
    const file = new Database(join(directory, "log.db"));
    file.exec("UPDATE bundles SET bytes = zeroblob(9) WHERE height = 6");
    file.close();
    const { code, err } = await sky("verify", "--data", directory);
    expect(code).toBe(1);
    expect(err.join()).toMatch(/^sky: the log does not hold: height 6, bundle [0-9a-f]{64}: .* \(BUNDLE_INVALID\)$/);
    const failed = await sky("verify", "--data", directory, "--json");
    expect(jsonOf(failed)).toMatchObject([{ ok: false, code: "BUNDLE_INVALID", height: 6, part: "bundle" }]);
  });

  it("ends with 3 where there is nothing to read", async () => {
    const { code, err } = await sky("verify", "--data", join(base, "nowhere"));
    expect(code).toBe(3);
    expect(err.join()).toContain("SOURCE_MISSING");
  });

  it("ends with 1 where the file is no database", async () => {
    const directory = directoryWithLog();
    writeFileSync(join(directory, "log.db"), "This is no database, whatever its name says. ".repeat(200));
    const { code, err } = await sky("verify", "--data", directory);
    expect(code).toBe(1);
    expect(err.join()).toContain("LOG_CORRUPT");
  });
});

describe("sky replay", () => {
  it("compares the node's tables at their height, also when they lag", async () => {
    const directory = directoryWithLog();
    expect(jsonOf(await sky("replay", "--data", directory, "--json"))).toMatchObject([{ ok: true, projection: null }]);
    await project(directory, 4);
    const before = readdirSync(directory);
    const lagging = await sky("replay", "--data", directory, "--json");
    expect(jsonOf(lagging)).toMatchObject([{ ok: true, height: last, projection: { height: 4, equal: true } }]);
    expect(readdirSync(directory)).toEqual(before);
    const stopped = await sky("replay", "--data", directory, "--to", "2", "--json");
    expect(jsonOf(stopped)).toMatchObject([{ ok: true, height: 2, projection: { height: 4, equal: null } }]);
  });

  it("finds a row that was edited, and tables that another log gives", async () => {
    const directory = directoryWithLog();
    await project(directory);
    const file = join(directory, "projection.db");
    const sound = readFileSync(file);
    const edit = (...statements: readonly string[]): void => {
      writeFileSync(file, sound);
      const db = new Database(file);
      for (const statement of statements) db.exec(statement);
      db.close();
    };
    edit("UPDATE ledger_blocks SET time = time + 1 WHERE height = 3");
    const damaged = await sky("replay", "--data", directory, "--json");
    expect([damaged.code, jsonOf(damaged)[0]?.["code"]]).toEqual([1, "PROJECTION_DAMAGED"]);

    const garbled = async (at: number): Promise<unknown> => {
      const bytes = Buffer.from(sound);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      writeFileSync(file, bytes);
      const { code, out } = await sky("replay", "--data", directory, "--json");
      return [code, (JSON.parse(out[0] ?? "") as Record<string, unknown>)["code"]];
    };
    edit();
    const db = new Database(file);
    const root = "SELECT rootpage FROM sqlite_schema WHERE name = 'rebac_node_by_name'";
    const endOfIndex = db.prepare<[], number>(root).pluck().get() ?? 0;
    db.close();
    // The last byte of a page of an index is of the first key that was put there; no row says it.
    expect(await garbled(endOfIndex * sound.readUInt16BE(16) - 1)).toEqual([1, "PROJECTION_DAMAGED"]);
    expect(await garbled(0)).toEqual([1, "PROJECTION_DAMAGED"]);

    rmSync(file);
    const other = join(base, "other");
    mkdirSync(other);
    const made2 = new MadeLog();
    const log = openMadeLog(join(other, "log.db"));
    appendTo(log, made2.genesis(), made2.root);
    for (let i = 1; i <= last; i++) appendTo(log, made2.executions([]), made2.root);
    log.close();
    await project(other);
    copyFileSync(join(other, "projection.db"), file);
    const differs = await sky("replay", "--data", directory, "--json");
    expect([differs.code, jsonOf(differs)[0]?.["code"]]).toEqual([1, "PROJECTION_DIFFERS"]);
  });

  it("makes the segments of each checkpoint again, and finds a statement that a quorum signed of another state", async () => {
    const sound = await sky("replay", "--data", directoryWithLog(), "--json");
    expect(jsonOf(sound)).toMatchObject([{ ok: true, checkpoints: 1 }]);
    const directory = join(base, "forged-checkpoint");
    mkdirSync(directory);
    const forged = new MadeLog();
    const log = openMadeLog(join(directory, "log.db"));
    appendTo(log, forged.genesis(), forged.root);
    appendTo(log, forged.executions([]), forged.root);
    appendTo(log, forged.checkpoint({ segments: forged.cluster }), forged.root);
    log.close();
    const differs = await sky("replay", "--data", directory, "--json");
    expect([differs.code, jsonOf(differs)]).toMatchObject([
      1,
      [{ code: "CHECKPOINT_INVALID", height: 2, part: "body" }],
    ]);
  });

  it("stops at a height or a log time, and what it replayed is final by the certificates behind", async () => {
    const directory = directoryWithLog();
    const { time } = present(blocks[2], "there are eight").block.header;
    const until = await sky("replay", "--data", directory, "--until", String(time), "--json");
    expect(jsonOf(until)).toMatchObject([{ ok: true, height: 2 }]); // block 2 has no certificate of its own
    const file = new Database(join(directory, "log.db"));
    file.exec("DELETE FROM events WHERE position > 2");
    expect(await verdictOf(file, { to: present(blocks[2], "there are eight").block.header.height })).toBe(
      "PROOF_MISSING 2 proof",
    );
    file.close();
  });

  it("shows what each transaction did and why it was refused", async () => {
    const directory = directoryWithLog();
    const { out } = await sky("replay", "--data", directory, "--show");
    const text = out.join("\n");
    expect(text).toMatch(/^ {2}0 {2}graph\.write 0{31}1 by E\S+: executed\n {7}namespace added my-org$/m);
    expect(text).toMatch(/: refused POLICY_FORBIDDEN: .*\n {7}asked: add subject sky:x$/m);
    expect(text).toMatch(/^ {2}1 {2}graph\.write 0{31}1 by E\S+: done before, at height 1, index 0$/m);
    expect(text).toMatch(/^ {2}0 {2}batch of 0 by nobody who can be read: refused MALFORMED: /m);
    const shown = jsonOf(await sky("replay", "--data", directory, "--show", "--json"));
    expect(shown).toHaveLength(7 + 1 + 1); // commands, a batch that was refused, the result
    expect(shown[2]).toMatchObject({ height: 2, outcome: { kind: "refused", code: "POLICY_FORBIDDEN" }, facts: [] });
    expect(shown[3]).toMatchObject({ height: 2, outcome: { kind: "duplicate", of: { height: 1, index: 0 } } });
  });
});

describe("a directory", () => {
  it("of a node that runs is read beside its writer, which goes on", async () => {
    const directory = join(base, "live");
    mkdirSync(directory);
    const log = openMadeLog(join(directory, "log.db"));
    const live = new MadeLog();
    appendTo(log, live.genesis(), live.root);
    appendTo(log, live.executions([]), live.root);
    const source = DirectorySource.open(directory);
    expect(source.files.isLive).toBe(true);
    const heights: number[] = [];
    for await (const { height } of replay(source)) {
      heights.push(height);
      appendTo(log, live.executions([]), live.root);
    }
    expect(heights).toEqual([0, 1]); // as it was when it began
    await source.close();
    expect((await sky("verify", "--data", directory, "--json")).out.join()).toContain('"height":3');
    log.close();
  });

  it("copied while its node ran holds what the write-ahead log holds, and stays as it is", async () => {
    const directory = join(base, "running");
    mkdirSync(directory);
    const log = openMadeLog(join(directory, "log.db"));
    for (const { block, root } of blocks) appendTo(log, block, root);
    const copy = join(base, "copy");
    cpSync(directory, copy, { recursive: true, filter: (path) => !/-shm$|-journal$/.test(path) });
    log.close();
    const files = readdirSync(copy).sort();
    expect(files).toEqual(["log.db", "log.db-wal", "log.db.lock"]);
    const bytes = files.map((name) => readFileSync(join(copy, name)));
    expect(jsonOf(await sky("verify", "--data", copy, "--json"))).toMatchObject([{ ok: true, height: last }]);
    expect(readdirSync(copy).sort()).toEqual(files);
    expect(files.map((name) => readFileSync(join(copy, name)))).toEqual(bytes);

    const wal = join(copy, "log.db-wal");
    const edited = readFileSync(wal);
    edited[60] = (edited[60] ?? 0) ^ 1; // within the first frame: all that follows is lost to SQLite, without a word
    writeFileSync(wal, edited);
    const { code, err } = await sky("verify", "--data", copy);
    expect(code).toBe(1);
    expect(err.join()).toContain("LOG_CORRUPT");
  });

  it("with a bit flipped anywhere in the file fails, or holds the same log as before", async () => {
    const directory = directoryWithLog();
    const path = join(directory, "log.db");
    const sound = readFileSync(path);
    const rows = (): string => {
      const file = new Database(path, { readonly: true });
      const all = [
        "SELECT * FROM events ORDER BY position",
        "SELECT digest, bytes, height FROM bundles ORDER BY height, digest",
      ];
      const text = JSON.stringify(all.map((query) => file.prepare(query).all()));
      file.close();
      return text;
    };
    const before = rows();
    let failed = 0;
    for (let i = 0; i < 25; i++) {
      const edited = Buffer.from(sound);
      const at = (i * 104_729 + 8209) % sound.length;
      edited[at] = (edited[at] ?? 0) ^ (1 << (i % 8));
      writeFileSync(path, edited);
      const { code } = await sky("verify", "--data", directory, "--json");
      expect([0, 1, 3], `byte ${at}`).toContain(code);
      if (code === 0) expect(rows(), `byte ${at}`).toBe(before);
      else failed += 1;
    }
    expect(failed).toBeGreaterThan(3);
  });
});

describe("a replay that is interrupted", () => {
  it("lets the process hear of it, and ends with 3 and nothing left behind", async () => {
    const directory = join(base, "interrupted");
    mkdirSync(directory);
    const log = openMadeLog(join(directory, "log.db"));
    const long = new MadeLog();
    appendTo(log, long.genesis(), long.root);
    for (let i = 0; i < 300; i++) appendTo(log, long.executions([]), long.root);
    log.close();
    const { io, out, interrupted } = quietConsole();
    const timer = setTimeout(() => interrupted.abort(), 1); // only a turn of the event loop brings it
    expect(await execute(["verify", "--data", directory, "--json"], io)).toBe(3);
    expect(JSON.parse(out.join())).toMatchObject({ ok: false, code: "INTERRUPTED" });
    clearTimeout(timer);
  });
});

it("a node that does not answer is not waited for by whoever presses Ctrl-C", async () => {
  const interrupted = new AbortController();
  const waiting = untilAborted(interrupted.signal, new Promise(() => {}));
  interrupted.abort("SIGINT");
  await expect(waiting).rejects.toBe("SIGINT");
  await expect(untilAborted(interrupted.signal, Promise.resolve(1))).rejects.toBe("SIGINT");
  expect(await untilAborted(new AbortController().signal, Promise.resolve(1))).toBe(1);
});

describe("a replay whose reader goes away", () => {
  it("does not end with 0, since nothing is known of the rest, and leaves no copies behind", async () => {
    const directory = join(base, "unread");
    const temporary = join(base, "temporary");
    for (const path of [directory, temporary]) mkdirSync(path);
    const log = openMadeLog(join(directory, "log.db"));
    const long = new MadeLog();
    appendTo(log, long.genesis(), long.root);
    const commands = Array.from({ length: 800 }, (_, i) =>
      long.command([{ kind: "addSubject", subject: node(`s${i}`) }]),
    );
    appendTo(log, long.executions([long.bundle([long.batch(commands)])]), long.root); // more than a pipe holds
    log.close();
    const launcher = fileURLToPath(new URL("../../../bin/sky.js", import.meta.url));
    const child = spawn(process.execPath, [launcher, "replay", "--show", "--data", directory], {
      env: { ...process.env, TMPDIR: temporary },
      stdio: ["ignore", "pipe", "ignore"],
    });
    const ended = once(child, "exit");
    await once(child.stdout, "readable");
    expect(readdirSync(temporary)).toHaveLength(2);
    child.stdout.destroy();
    expect(await ended).toEqual([141, null]);
    expect(readdirSync(temporary)).toEqual([]);
  });
});

describe("signatures that threads check ahead", () => {
  it("give the same outcomes, those of batches that do not hold included", async () => {
    const directory = join(base, "threads");
    mkdirSync(directory);
    const log = openMadeLog(join(directory, "log.db"));
    const long = new MadeLog();
    appendTo(log, long.genesis(), long.root);
    for (let block = 0; block < 3; block++) {
      const batches = Array.from({ length: 40 }, (_, i) => {
        const signed = long.batch([long.command([{ kind: "addSubject", subject: node(`s${block}-${i}`) }])]);
        if (i % 7 === 3) signed[signed.length - 1] = (signed.at(-1) ?? 0) ^ 1; // the signature's last byte
        return signed;
      });
      appendTo(log, long.executions([long.bundle(batches)]), long.root);
    }
    log.close();
    for (const threads of [0, 2]) {
      const source = DirectorySource.open(directory);
      let [refused, root] = [0, ""];
      for await (const block of replay(source, { threads })) {
        refused += block.batches.filter((batch) => batch.refused?.code === "BAD_SIGNATURE").length;
        root = block.root;
      }
      await source.close();
      expect([threads, refused, root]).toEqual([threads, 18, long.root]);
    }
  });
});
