import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { sky as run } from "./command-line.ts";

const root = path.resolve(import.meta.dirname, "../../..");

async function sky(...words: readonly string[]) {
  const { code, out, err } = await run(...words);
  return { code, out: out.join("\n"), err: err.join("\n") };
}

describe("sky", () => {
  it("lists its commands and exit codes, and says its version", async () => {
    const help = await sky("--help");
    expect(help.code).toBe(0);
    for (const command of ["dev", "node", "unseal", "seal", "status", "oracle", "config", "completion"])
      expect(help.out).toMatch(new RegExp(`^  ${command}\\b`, "m"));
    expect(help.out).toContain("Exit codes:");
    const { version } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as { version: string };
    expect(await sky("--version")).toEqual({ code: 0, out: version, err: "" });
  });

  it.each([
    [["nope"], "unknown command 'nope'"],
    [["config", "explain", "--api-prot", "1"], "Did you mean --api-port?"],
    [["dev", "--nodes", "3"], "A cluster's size, a whole number from 4 to 100."],
    [["dev", "--nodes", "x"], "A cluster's size, a whole number from 4 to 100."],
    [["config", "explain", "--api-port", "x"], '--api-port: "x" is not an integer from 0 to 65535.'],
    [["config", "explain", "--config", "/nowhere.yaml"], "/nowhere.yaml: cannot be read"],
    [["unseal"], "required option '--founding <file>' not specified"],
    [["oracle", "write", "fly"], '"fly" is not a change'],
    [["completion", "tcsh"], "Allowed choices are bash, zsh, fish"],
  ])("ends with 2 and says why for %j", async (args, reason) => {
    const { code, out, err } = await sky(...args);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(reason);
  });

  it("explains the configuration as text and as JSON", async () => {
    const text = await sky("config", "explain", "--api-port", "99", "--strict");
    expect(text.out).toMatch(/^apiPort +99 +--api-port$/m);
    expect(text.out).toMatch(/^strict +true +--strict$/m);
    const json = await sky("config", "explain", "--json", "--seeds", "a:1,b:2");
    const { settings } = JSON.parse(json.out) as { settings: readonly { key: string; value: unknown }[] };
    expect(settings.find((one) => one.key === "seeds")?.value).toEqual(["a:1", "b:2"]);
    const refused = await sky("config", "explain", "--json", "--seeds", "a");
    expect([refused.code, refused.err, JSON.parse(refused.out)]).toMatchObject([
      2,
      "",
      { ok: false, code: "CONFIG_INVALID" },
    ]);
  });

  it("has no flag for a secret", async () => {
    expect((await sky("node", "--help")).out).not.toMatch(/--provisioned-token\b(?!-file)/);
    expect((await sky("config", "explain", "--provisioned-token", "x")).code).toBe(2);
  });

  it("completes commands and options in bash", async () => {
    const { out } = await sky("completion", "bash");
    const directory = mkdtempSync(path.join(tmpdir(), "sky-completion-"));
    try {
      const script = path.join(directory, "sky.bash");
      writeFileSync(script, out);
      const complete = (...words: readonly string[]): readonly string[] => {
        const setup = `. ${script}; COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _sky; echo "\${COMPREPLY[@]}"`;
        return spawnSync("bash", ["-c", setup], { encoding: "utf8" }).stdout.trim().split(" ");
      };
      expect(complete("sky", "conf")).toEqual(["config"]);
      expect(complete("sky", "config", "")).toContain("explain");
      expect(complete("sky", "config", "explain", "--api")).toEqual(["--api-port"]);
      expect(complete("sky", "dev", "--on")).toEqual(["--once"]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
