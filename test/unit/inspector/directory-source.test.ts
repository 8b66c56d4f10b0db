/** Copied logs as the inspector shows them: one that holds, one that was edited, several that agree and one that parted. */
import Database from "better-sqlite3";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Entry } from "../../../src/host/inspector/contract.ts";
import { openDirectory } from "../../../src/host/inspector/directory-source.ts";
import type { Answer, InspectorSource } from "../../../src/host/inspector/source.ts";
import { appendTo, MadeLog, openMadeLog } from "../../../tools/replay/made-log.ts";
import { makeSmallLog } from "../replay/small-log.ts";

const directory = mkdtempSync(join(tmpdir(), "sky-directory-"));
const node = (name: string): string => join(directory, "nodes", name);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

beforeAll(() => {
  for (const name of ["n0", "n1", "n2", "n3"]) mkdirSync(node(name), { recursive: true });
  makeSmallLog(join(node("n0"), "log.db"));
  cpSync(node("n0"), node("n1"), { recursive: true });
  cpSync(node("n0"), node("n2"), { recursive: true });
  const edited = new Database(join(node("n2"), "log.db"));
  edited.prepare("update events set header = cast(x'00' || substr(header, 2) as blob) where position = 5").run();
  edited.close();
  parted(join(node("n3"), "log.db"));
});

/** Genesis, and then other blocks than those of the small log. */
function parted(path: string): void {
  const [made, log] = [new MadeLog(), openMadeLog(path)];
  for (const make of [() => made.genesis(), () => made.executions([]), () => made.executions([])])
    appendTo(log, make(), made.root);
  log.close();
}

const value = <T>(answer: Answer<T>): T => {
  if (!answer.ok) throw new Error(answer.refusal.message);
  return answer.value;
};

async function entriesOf(source: InspectorSource, after: string | null = null) {
  const entries: Entry[] = [];
  const cursors: { readonly cursor: string; readonly read: number }[] = [];
  for await (const page of source.entries(after, new AbortController().signal)) {
    if (page.kind !== "entries") continue;
    entries.push(...page.entries);
    cursors.push({ cursor: page.cursor, read: entries.length });
  }
  return { entries, cursors };
}

test("a data directory shows its blocks, and the state at any height", async () => {
  const source = await openDirectory(node("n0"));
  expect(await source.describe()).toMatchObject({ kind: "directory", live: false });
  const rows = value(await source.blocks({ node: null, from: 0, limit: 500 }));
  expect(rows.map(({ height, body }) => [height, body])).toEqual([
    [0, "genesis"],
    ...[1, 2, 3, 4].map((height) => [height, "executions"]),
    [5, "checkpoint"],
    [6, "executions"],
    [7, "executions"],
  ]);
  expect(rows[1]).toMatchObject({ commands: 2, refused: 0, leader: "n1", signers: ["n0", "n1", "n2"] });
  expect(rows.some(({ refused }) => (refused ?? 0) > 0)).toBe(true);
  const granted = async (height: number): Promise<readonly string[]> =>
    value(await source.graph({ node: "n0", height, focus: "my-org:", limit: 100 }))
      .links.filter(({ kind }) => kind === "assertion")
      .map(({ from }) => from);
  expect(await granted(0)).toEqual([]);
  expect(await granted(1)).toEqual(["subject my-org:ali", "subject my-org:jo"]);
  expect(await granted(7)).toEqual(["subject my-org:ali", "subject my-org:bo"]);
  const question = { node: null, subject: "my-org:jo", object: "my-org:users" };
  expect(value(await source.check({ ...question, height: 5 }))).toMatchObject({ result: true });
  expect(value(await source.check({ ...question, height: 6 }))).toMatchObject({ result: false });
  const found = value(await source.difference({ left: "n0", leftHeight: 5, right: "n0", rightHeight: 6 }));
  expect(found.differences).toEqual([{ kind: "assertion", side: "left", text: "my-org:jo my-org:users" }]);
  expect(await source.graph({ node: "n0", height: 8, focus: null, limit: 1 })).toMatchObject({ ok: false });
  expect(await source.blocks({ node: "n3", from: 0, limit: 1 })).toMatchObject({ ok: false });
  await source.close();
});

test("entries say what became final and was executed, and can be read on from anywhere", async () => {
  const source = await openDirectory(node("n0"));
  const { entries } = await entriesOf(source);
  expect(entries.map(({ n, kind }) => [n, kind])).toEqual(
    Array.from({ length: 16 }, (_, n) => [n, n % 2 === 0 ? "finalised" : "executed"]),
  );
  expect(entries.every(({ at }) => at > 1_700_000_000_000)).toBe(true);
  await source.close();
});

test("logs of several nodes are compared: where one was edited, and where another parted", async () => {
  const source = await openDirectory(directory);
  const { title, nodes } = await source.describe();
  expect(nodes.map(({ name }) => name)).toEqual(["n0", "n1", "n2", "n3"]);
  expect(title).toContain("the log of n2 does not hold");
  const { entries, cursors } = await entriesOf(source);
  for (const { cursor, read } of cursors)
    expect((await entriesOf(source, cursor)).entries).toEqual(entries.slice(read));
  const faults = entries.flatMap((entry) => (entry.kind === "fault" ? [[entry.node, entry.fault["height"]]] : []));
  expect(faults).toEqual([["n2", 5]]);
  expect(value(await source.divergence({ left: "n0", right: "n1" }))).toEqual({ agreedTo: 7, first: null });
  expect(value(await source.divergence({ left: "n0", right: "n2" }))).toEqual({ agreedTo: 4, first: null });
  expect(value(await source.divergence({ left: "n0", right: "n3" }))).toMatchObject({
    agreedTo: 0,
    first: { height: 1, what: "block" },
  });
  const whole = { left: "n0", leftHeight: 2, right: "n3", rightHeight: 2 };
  expect(value(await source.difference(whole)).differences.map(({ text }) => text)).toContain(
    "my-org:ali my-org:users",
  );
  const agreed = { left: "n1", leftHeight: 7, right: "n2", rightHeight: 4 };
  expect(value(await source.difference(agreed)).differences).toEqual([
    { kind: "assertion", side: "right", text: "my-org:jo my-org:users" },
  ]);
  await source.close();
});

test("a directory without a log, and a log of which nothing holds, are refused", async () => {
  const empty = join(directory, "empty");
  mkdirSync(empty);
  await expect(openDirectory(empty)).rejects.toThrow(/holds no log/);
  const broken = join(directory, "broken");
  cpSync(node("n0"), broken, { recursive: true });
  const db = new Database(join(broken, "log.db"));
  db.prepare("update events set body = cast(x'00' as blob) where position = 0").run();
  db.close();
  await expect(openDirectory(broken)).rejects.toThrow(/height 0/);
});
