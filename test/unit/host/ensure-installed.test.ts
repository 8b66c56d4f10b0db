import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { missingPlatforms } from "../../../scripts/complete-lock.js";
import { whyInstall } from "../../../scripts/ensure-installed.js";

describe("scripts/ensure-installed.js", () => {
  const one = { version: "1.0.0", integrity: "sha512-a" };
  const wanted = { "": {}, "node_modules/a": one, "node_modules/other-platform": { ...one, optional: true } };
  let directory = "";
  const write = (file: string, packages: object): void =>
    writeFileSync(path.join(directory, file), JSON.stringify({ packages }));
  const installed = (packages: object): void => write("node_modules/.package-lock.json", packages);

  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), "sky-install-"));
    mkdirSync(path.join(directory, "node_modules/node/bin"), { recursive: true });
    writeFileSync(path.join(directory, "node_modules/node/bin/node"), "");
    write("package-lock.json", wanted);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it("is content with what the lock file names, packages for other platforms missing", () => {
    installed({ "node_modules/a": one });
    expect(whyInstall(directory)).toBeUndefined();
  });

  it("installs when nothing is there", () => {
    expect(whyInstall(directory)).toBe("nothing is installed");
  });

  it("installs when the pinned Node is gone", () => {
    installed({ "node_modules/a": one });
    rmSync(path.join(directory, "node_modules/node"), { recursive: true });
    expect(whyInstall(directory)).toBe("the pinned Node is missing");
  });

  it.each([
    ["is missing", {}, "a 1.0.0 is wanted"],
    ["has another version", { "node_modules/a": { ...one, version: "1.0.1" } }, "a 1.0.0 is wanted"],
    ["has other content", { "node_modules/a": { ...one, integrity: "sha512-b" } }, "a 1.0.0 is wanted"],
    [
      "is there that nobody wants",
      { "node_modules/a": one, "node_modules/b": one },
      "node_modules/b is no longer wanted",
    ],
  ])("installs when a package %s", (_what, packages, reason) => {
    installed(packages);
    expect(whyInstall(directory)).toBe(reason);
  });
});

describe("package-lock.json", () => {
  it("names the packages for every platform, or npm ci refuses it (npm run lock completes it)", () => {
    const file = path.resolve(import.meta.dirname, "../../../package-lock.json");
    const { packages } = JSON.parse(readFileSync(file, "utf8")) as { packages: Record<string, object> };
    expect(Object.keys(missingPlatforms(packages))).toEqual([]);
    const { "node_modules/@biomejs/cli-darwin-arm64": _removed, ...rest } = packages;
    expect(missingPlatforms(rest)).toMatchObject({
      "node_modules/@biomejs/cli-darwin-arm64": { os: ["darwin"], cpu: ["arm64"], optional: true },
    });
  });
});
