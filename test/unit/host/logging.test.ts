import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { type LoggerOptions, createLogger } from "../../../src/host/logging/logger.ts";

function capture(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = [];
  let dropped = 0;
  const logger = createLogger({
    level: "info",
    stream: { write: (line) => void lines.push(line) },
    onDropped: (count) => {
      dropped += count;
    },
    ...options,
  });
  return { logger, lines, dropped: () => dropped };
}
/** What a caller without types, or with a cast, could pass. */
const anything = (fields: Readonly<Record<string, unknown>>): object => fields;

describe("logging", () => {
  it("writes the fields of the allow-list as JSON", () => {
    const { logger, lines } = capture();
    logger.info("A block is final.", { height: 7, code: "OK", dev: true, reason: "why not" });
    expect(JSON.parse(lines.join())).toMatchObject({
      level: "info",
      msg: "A block is final.",
      height: 7,
      code: "OK",
      dev: true,
      reason: "why not",
    });
  });

  it("drops and counts every other field, whatever it is called", () => {
    const { logger, lines, dropped } = capture();
    logger.info(
      "x",
      anything({ token: "canary", share: Buffer.from("canary"), __proto__x: "canary", toString: "canary", height: 1 }),
    );
    expect(lines.join()).not.toContain("canary");
    expect(dropped()).toBe(4);
  });

  it("drops a value that is not of its field's kind, so that no object slips in under a known name", () => {
    const { logger, lines, dropped } = capture();
    const fields = {
      height: "canary",
      code: { secret: "canary" },
      peer: Buffer.from("canary"),
      digest: ["canary"],
      reason: { a: "canary" },
    };
    logger.info("x", anything(fields));
    expect(lines.join()).not.toContain("canary");
    expect(dropped()).toBe(5);
  });

  it("writes a secret as the digest that it prints itself as", () => {
    class Secret {
      readonly #value = "canary";
      toString(): string {
        return `secret:${this.#value.length}f00d`;
      }
    }
    const { logger, lines } = capture();
    logger.info("x", anything({ digest: new Secret() }));
    expect(lines.join()).toContain("secret:6f00d");
    expect(lines.join()).not.toContain("canary");
  });

  it("writes of an error its name, code, message and stack, and nothing else that it carries", () => {
    const { logger, lines } = capture();
    logger.error("x", { error: Object.assign(new Error("disk\nfull"), { code: "ENOSPC", token: "canary" }) });
    expect(JSON.parse(lines.join()).error).toMatchObject({ name: "Error", code: "ENOSPC", message: "disk full" });
    expect(lines.join()).not.toContain("canary");
  });

  it("cuts long texts and keeps them on one line", () => {
    const { logger, lines } = capture({ pretty: true });
    logger.warn("x", { reason: `a\u001b[31m\r\nforged ${"z".repeat(5_000)}` });
    expect(lines).toHaveLength(1);
    expect(lines.join().trimEnd().split("\n")).toHaveLength(1);
    expect(lines.join()).not.toContain("\u001b");
    expect(lines.join().length).toBeLessThan(1_200);
  });

  it("is silent below its level, and carries the fields of its parents", () => {
    const { logger, lines } = capture({ level: "warn" });
    const child = logger.with({ thread: "consensus" }).with({ node: "a" });
    child.info("no");
    child.warn("yes", { view: 3 });
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { thread: "consensus", node: "a", view: 3, msg: "yes" },
    ]);
  });

  it("prints a line that a person can read", () => {
    const { logger, lines } = capture({ pretty: true });
    logger.info("A block is final.", { height: 7 });
    expect(lines.join()).toMatch(/^\d\d:\d\d:\d\d info {2}A block is final\. \(height=7\)\n$/);
  });

  it("appends to a file that only its owner reads", () => {
    const directory = mkdtempSync(path.join(tmpdir(), "sky-log-"));
    try {
      const file = path.join(directory, "logs/node.log");
      createLogger({ level: "info", file }).info("one");
      createLogger({ level: "info", file }).info("two");
      expect(readFileSync(file, "utf8").trim().split("\n")).toHaveLength(2);
      expect(statSync(file).mode & 0o777).toBe(0o600);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
