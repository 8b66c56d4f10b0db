import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { explainConfig, formatExplained } from "../../../src/host/config/explain.ts";
import { type ConfigInput, loadConfig } from "../../../src/host/config/load.ts";
import { configurationMarkdown } from "../../../src/host/config/markdown.ts";
import { readConfig } from "../../../src/host/config/read.ts";
import { SETTING_KEYS, flagOf, settingOf } from "../../../src/host/config/schema.ts";

const input = (parts: Partial<ConfigInput>): ConfigInput => ({ flags: {}, env: {}, ...parts });
const file = (text: string) => ({ path: "sky.yaml", text });

const load = (parts: Partial<ConfigInput>) => {
  const loaded = loadConfig(input(parts));
  if (!loaded.ok) throw new Error(loaded.refusal.message);
  return loaded.value;
};
const problems = (parts: Partial<ConfigInput>): readonly string[] => {
  const loaded = loadConfig(input(parts));
  return loaded.ok ? [] : loaded.refusal.message.split("\n");
};

describe("configuration", () => {
  it("takes a flag before the environment, the environment before the file, the file before the default", () => {
    const all = { flags: { apiPort: "1" }, env: { API_PORT: "2" }, file: file("apiPort: 3") };
    const seen = [all, { ...all, flags: {} }, { ...all, flags: {}, env: {} }, {}].map((parts) => {
      const { config, sources } = load(parts);
      return [config.apiPort, sources.apiPort.kind];
    });
    expect(seen).toEqual([
      [1, "flag"],
      [2, "environment"],
      [3, "file"],
      [8123, "default"],
    ]);
  });

  it("takes a URL for the identity port that did:web can be made of, and no other text", () => {
    for (const url of ["https://id.example.org", "http://localhost:8128/", "https://example.org:8443/sky/ids"])
      expect(load({ flags: { identityUrl: url } }).config.identityUrl).toBe(url);
    for (const url of [
      "id.example.org",
      "ftp://a",
      "https://",
      "https://a?b",
      "https://me@a/",
      "https://a:99999/",
      "https://a/%2f",
    ])
      expect(problems({ flags: { identityUrl: url } }), url).toHaveLength(1);
  });

  it("derives the timeouts of consensus from delta unless they are given", () => {
    const { config } = load({ env: { SKY_DELTA_MS: "100", SKY_REPEAT_TIMEOUT_MS: "7" } });
    expect([
      config.leaderTimeoutMs,
      config.advanceTimeoutMs,
      config.repeatTimeoutMs,
      config.standstillTimeoutMs,
    ]).toEqual([200, 300, 7, 400]);
  });

  it("reads lists from text and from the file alike", () => {
    const seeds = ["a.example:8125", "[::1]:8125"];
    expect(load({ env: { SEEDS: "a.example:8125, [::1]:8125" } }).config.seeds).toEqual(seeds);
    expect(load({ file: file("seeds: [a.example:8125, '[::1]:8125']") }).config.seeds).toEqual(seeds);
  });

  it.each([
    [
      "an unknown key of the file",
      { file: file("apiProt: 1") },
      "sky.yaml: unknown setting apiProt; did you mean apiPort?",
    ],
    [
      "an unknown variable of ours",
      { env: { SKY_DATADIR: "x" } },
      "unknown environment variable SKY_DATADIR; did you mean SKY_DATA_DIR?",
    ],
    ["an unknown flag", { flags: { zzzzzzzzz: "1" } }, "unknown flag zzzzzzzzz."],
    ["a port that is no number", { env: { API_PORT: "http" } }, 'API_PORT: "http" is not an integer from 0 to 65535.'],
    ["a port that is empty", { env: { API_PORT: "" } }, 'API_PORT: "" is not an integer from 0 to 65535.'],
    [
      "a port beyond its bounds",
      { flags: { apiPort: "65536" } },
      "--api-port: 65536 is not an integer from 0 to 65535.",
    ],
    [
      "a number as text in the file",
      { file: file('apiPort: "1"') },
      'sky.yaml: apiPort: "1" is not an integer from 0 to 65535.',
    ],
    ["a boolean that is neither", { env: { SKY_STRICT: "yes" } }, 'SKY_STRICT: "yes" is not true or false.'],
    [
      "a seed without a port",
      { env: { SEEDS: "a.example" } },
      'SEEDS: ["a.example"] is not up to 100 addresses host:port, separated by commas.',
    ],
    [
      "a seed with port 65536",
      { env: { SEEDS: "a:65536" } },
      'SEEDS: ["a:65536"] is not up to 100 addresses host:port, separated by commas.',
    ],
    [
      "two listeners on one port",
      { flags: { apiPort: "9", servicePort: "9" } },
      "apiPort and servicePort are both 9; each port needs its own number.",
    ],
    [
      "a file that is a list",
      { file: file("- 1") },
      'sky.yaml: must be a map of settings, such as "apiPort: 8123", without aliases.',
    ],
    [
      "aliases in the file",
      { file: file("seeds: &a [x:1]\napproaches: *a") },
      'sky.yaml: must be a map of settings, such as "apiPort: 8123", without aliases.',
    ],
    [
      "a cap below the timeouts",
      { env: { SKY_TIMEOUT_CAP_MS: "1" } },
      "timeoutCapMs (1) is below advanceTimeoutMs (750); raise it.",
    ],
    ["a secret as a flag", { flags: { provisionedToken: "t" } }, "--provisioned-token: a secret is never a flag."],
    [
      "a secret in the file",
      { file: file("provisionedToken: t") },
      "sky.yaml: provisionedToken does not belong into a file.",
    ],
  ])("refuses %s and names it", (_what, parts, problem) => {
    expect(problems(parts)).toEqual([problem]);
  });

  it("refuses a key that stands twice in the file, and an over-long file", () => {
    expect(problems({ file: file("apiPort: 1\napiPort: 2") })[0]).toContain("Map keys must be unique");
    expect(problems({ file: file(`# ${"x".repeat(300_000)}`) })).toEqual(["sky.yaml: larger than 262144 bytes."]);
  });

  it("names every problem at once", () => {
    expect(problems({ env: { API_PORT: "x", SKY_NOPE_NOPE_NOPE: "1" }, file: file("what: 1") })).toHaveLength(3);
  });

  it("leaves alone what is not ours, and two listeners that take any free port", () => {
    expect(problems({ env: { HOME: "/", npm_config_x: "y" }, flags: { apiPort: "0", clusterPort: "0" } })).toEqual([]);
  });

  it("takes a token out of the environment, warns about it, refuses it when strict, and shows it nowhere", () => {
    const env: NodeJS.ProcessEnv = { PROVISIONED_TOKEN: "canary-token" };
    const loaded = readConfig({}, env, undefined);
    expect(env).toEqual({});
    if (!loaded.ok) throw new Error(loaded.refusal.message);
    expect(loaded.value.warnings.join()).toContain("PROVISIONED_TOKEN_FILE");
    expect(loaded.value.config.provisionedToken).toBe("canary-token");
    const explained = explainConfig(loaded.value);
    expect(formatExplained(explained) + JSON.stringify(explained)).not.toContain("canary");
    const strict = problems({ env: { PROVISIONED_TOKEN: "canary\n", SKY_STRICT: "true" } });
    expect(strict).toHaveLength(1);
    expect(strict.join()).not.toContain("canary");
    expect(problems({ env: { PROVISIONED_TOKEN: "token", SKY_STRICT: "true" } }).join()).toContain(
      "refused with strict",
    );
  });

  it("reads the file that it is told of, and says when it cannot", () => {
    const directory = mkdtempSync(path.join(tmpdir(), "sky-config-"));
    try {
      writeFileSync(path.join(directory, "sky.yaml"), "apiPort: 4242\n");
      const loaded = readConfig({}, {}, path.join(directory, "sky.yaml"));
      expect(loaded.ok && loaded.value.config.apiPort).toBe(4242);
      const missing = readConfig({}, {}, path.join(directory, "none.yaml"));
      expect(missing.ok ? "" : missing.refusal.message).toMatch(/none\.yaml: cannot be read \(ENOENT/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("explains each value and its source", () => {
    const text = formatExplained(explainConfig(load({ env: { API_PORT: "9000" } })));
    expect(text).toMatch(/^apiPort +9000 +API_PORT$/m);
    expect(text).toMatch(/^leaderTimeoutMs +500 +default \(2 × deltaMs\)$/m);
    expect(text.split("\n")).toHaveLength(SETTING_KEYS.length);
  });

  it("has one flag and one variable for each setting", () => {
    expect(new Set(SETTING_KEYS.map(flagOf)).size).toBe(SETTING_KEYS.length);
    expect(new Set(SETTING_KEYS.map((key) => settingOf(key).env)).size).toBe(SETTING_KEYS.length);
  });

  it("has a current page in docs (npm run docs writes it)", () => {
    expect(readFileSync(path.resolve(import.meta.dirname, "../../../docs/CONFIGURATION.md"), "utf8")).toBe(
      configurationMarkdown(),
    );
  });
});
