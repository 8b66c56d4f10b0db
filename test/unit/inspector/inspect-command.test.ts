/** `sky inspect` as scripts see it: its link, its exit codes, and what it says of files that are none. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { run } from "../../../src/host/cli/inspect.ts";
import { EXIT } from "../../../src/host/cli/io.ts";
import { lineOf } from "../../../tools/sim/record.ts";
import { runSeed } from "../../../tools/sim/simulation.ts";
import { quietConsole } from "../host/command-line.ts";

const directory = mkdtempSync(join(tmpdir(), "sky-inspect-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

test("it prints a link that opens the page once, serves on loopback, and ends by Ctrl-C", async () => {
  const lines: string[] = [];
  runSeed({ seed: 1, nodes: 4, minutes: 0.02, record: (entry) => void lines.push(lineOf(entry, lines.length + 1)) });
  const path = write("run.jsonl", `${lines.join("\n")}\n`);
  const { io, out, interrupted } = quietConsole();
  const ended = run({ args: [path], json: true }, io);
  await expect.poll(() => out.length).toBe(1);
  const { url, title } = JSON.parse(out[0] ?? "") as { readonly url: string; readonly title: string };
  expect(title).toContain("Simulation of seed 1");
  const { origin, hash, hostname } = new URL(url);
  expect(hostname).toBe("127.0.0.1");
  const source = `${origin}/inspect/api/source`;
  expect((await fetch(source)).status).toBe(401);
  const open = async () =>
    fetch(`${origin}/inspect/session`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token: hash.slice("#token=".length) }),
    });
  const opened = await open();
  expect(opened.status).toBe(204);
  const cookie = opened.headers.get("set-cookie")?.split(";")[0] ?? "";
  expect(await (await fetch(source, { headers: { cookie } })).json()).toMatchObject({ kind: "simulation", title });
  expect((await open()).status).toBe(401);
  interrupted.abort();
  expect(await ended).toBe(EXIT.ok);
  await expect(fetch(source)).rejects.toThrow();
});

test("what cannot be shown is refused with a code and a sentence; what is not there is unavailable", async () => {
  mkdirSync(join(directory, "empty"));
  execFileSync("mkfifo", [join(directory, "pipe")]);
  const refused = [
    [write("notes.txt", "hello\n"), "NOT_A_RECORDING"],
    [join(directory, "empty"), "NO_LOG"],
    [join(directory, "pipe"), "NOT_A_RECORDING"],
    ["/dev/null", "NOT_A_RECORDING"],
    [write("log.db", `SQLite format 3\0${"x".repeat(5000)}`), "LOG_DOES_NOT_HOLD"],
  ] as const;
  for (const [path, code] of refused) {
    const { io, out } = quietConsole();
    expect(await run({ args: [path], json: true }, io), path).toBe(EXIT.refused);
    expect(JSON.parse(out[0] ?? "")).toMatchObject({ ok: false, code });
  }
  const { io, err } = quietConsole();
  expect(await run({ args: [undefined] }, io)).toBe(EXIT.usage);
  expect(err.join()).toContain("USAGE");
  await expect(run({ args: [join(directory, "missing")] }, io)).rejects.toMatchObject({ code: "NO_SUCH_FILE" });
});
