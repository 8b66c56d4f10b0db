import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = path.resolve(import.meta.dirname, "../../..");
const pretendOld =
  "data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.20.2'}})";

/** A command line that tells what it is and ends as its first argument says. */
const FAKE_MAIN = `
export async function main(args: readonly string[]): Promise<void> {
  const [what = "0"] = args;
  if (what === "wait") process.on("SIGTERM", () => process.exit(7)).on("SIGINT", () => process.exit(8)).stdin.resume();
  else if (what === "die") process.kill(process.pid, "SIGKILL");
  else process.exitCode = Number(what);
  console.log("started", process.execPath, args.join(" "));
}`;

describe.each([
  ["a Node that is new enough", [] as readonly string[]],
  ["a Node that is too old", ["--import", pretendOld]],
])("bin/sky.js on %s", (_name, preload) => {
  let directory = "";
  beforeAll(() => {
    directory = mkdtempSync(path.join(tmpdir(), "sky-launcher-"));
    for (const one of ["bin", "scripts", "src/host/cli", "node_modules"])
      mkdirSync(path.join(directory, one), { recursive: true });
    copyFileSync(path.join(root, "bin/sky.js"), path.join(directory, "bin/sky.js"));
    copyFileSync(path.join(root, "scripts/bundle.js"), path.join(directory, "scripts/bundle.js"));
    writeFileSync(path.join(directory, "package-lock.json"), "{}");
    symlinkSync(path.join(root, "node_modules/node"), path.join(directory, "node_modules/node"));
    writeFileSync(path.join(directory, "src/host/cli/main.ts"), FAKE_MAIN);
    writeFileSync(path.join(directory, "package.json"), '{"type":"module"}');
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const start = (...args: readonly string[]): ChildProcessWithoutNullStreams =>
    spawn(process.execPath, [...preload, path.join(directory, "bin/sky.js"), ...args]);
  const end = async (child: ChildProcessWithoutNullStreams): Promise<readonly [number | null, string | null]> => {
    const [code, signal] = (await once(child, "close")) as [number | null, string | null];
    return [code, signal];
  };

  it("hands on the arguments and the exit code", async () => {
    const child = start("3", "--flag", "a b");
    let said = "";
    child.stdout.on("data", (data) => {
      said += String(data);
    });
    expect(await end(child)).toEqual([3, null]);
    expect(said).toMatch(/^started \S+ 3 --flag a b\n$/);
  });

  it.each([
    ["SIGTERM", 7],
    ["SIGINT", 8],
  ] as const)("hands on %s, and ends as the command does", async (signal, code) => {
    const child = start("wait");
    await once(child.stdout, "data");
    child.kill(signal);
    expect(await end(child)).toEqual([code, null]);
  });

  it("dies by the signal that killed the command", async () => {
    expect(await end(start("die"))).toEqual([null, "SIGKILL"]);
  });
});

describe("bin/sky.js on a Node that is too old, with nothing installed", () => {
  it("says what to do", async () => {
    const directory = mkdtempSync(path.join(tmpdir(), "sky-launcher-"));
    try {
      mkdirSync(path.join(directory, "bin"));
      copyFileSync(path.join(root, "bin/sky.js"), path.join(directory, "bin/sky.js"));
      writeFileSync(path.join(directory, "package.json"), '{"type":"module"}');
      const child = spawn(process.execPath, ["--import", pretendOld, path.join(directory, "bin/sky.js"), "dev"]);
      let said = "";
      child.stderr.on("data", (data) => {
        said += String(data);
      });
      const [code] = (await once(child, "close")) as [number];
      expect(code).toBe(3);
      expect(said).toContain("needs Node 22.12 or newer, and this is 20.20.2");
      expect(said).toContain("npm ci");
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
