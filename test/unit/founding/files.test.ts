import { execFileSync } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { armor, dearmor } from "../../../src/host/founding/armor.ts";
import { makePrivateDirectory, readPrivate, writeAtomic } from "../../../src/host/founding/files.ts";
import { OperatorFile, newOperator, operatorSeed } from "../../../src/host/founding/operator-file.ts";
import type { Aid, Digest } from "../../../src/base/brands.ts";
import { random, temporaryDirectory } from "../enclave/sealed-node.ts";

const directory = temporaryDirectory();
afterAll(directory.remove);
const at = (name: string): string => join(directory.path, name);

test("private files are 0600 in 0700 directories, whole, with nothing left beside them", () => {
  const folder = at("keys");
  makePrivateDirectory(folder);
  writeAtomic(join(folder, "key"), "one");
  writeFileSync(join(folder, "key.new"), "left by a crash", { mode: 0o644 });
  writeAtomic(join(folder, "key"), "two");
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(statSync(join(folder, "key")).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(folder, "key"), "utf8")).toBe("two");
  expect(readdirSync(folder)).toEqual(["key"]);
});

test("a directory is made with its parents, may be there already, and is said where it cannot be made", () => {
  const deep = at("a/b/c");
  for (let time = 0; time < 2; time++) makePrivateDirectory(deep);
  expect([at("a"), at("a/b"), deep].map((one) => statSync(one).mode & 0o777)).toEqual([0o700, 0o700, 0o700]);
  expect(() => makePrivateDirectory("/proc/nobody-makes-one-here")).toThrow(/\/proc\/nobody-makes-one-here cannot be/);
  writeAtomic(at("file"), "x");
  for (const path of [at("file"), join(at("file"), "below")])
    expect(() => makePrivateDirectory(path)).toThrow(/cannot be written/);
  expect(statSync(at("file")).mode & 0o777).toBe(0o600);
});

test("a private file that others may read is refused with what to do", () => {
  writeAtomic(at("loose"), "x");
  chmodSync(at("loose"), 0o640);
  expect(readPrivate(at("loose"), 10)).toMatchObject({
    ok: false,
    refusal: {
      code: "FILE_LOOSE",
      message: `${at("loose")} is open to other users (mode 640); run: chmod 600 ${at("loose")}`,
    },
  });
  expect(readPrivate(at("none"), 10)).toMatchObject({ refusal: { code: "FILE_MISSING" } });
  writeAtomic(at("large"), "12345678901");
  expect(readPrivate(at("large"), 10)).toMatchObject({ refusal: { code: "FILE_TOO_LARGE" } });
});

test("armor survives lines around it and is refused when damaged or of another kind", () => {
  const text = Buffer.from(`From: ann\n\n${armor("SKY OPERATOR CARD", Uint8Array.of(1, 2, 3))}\n-- \nann`);
  expect(dearmor("SKY OPERATOR CARD", text, "mail")).toEqual({ ok: true, value: Uint8Array.of(1, 2, 3) });
  expect(dearmor("SKY FOUNDER CARD", text, "mail").ok).toBe(false);
  expect(dearmor("SKY OPERATOR CARD", Buffer.from(text.toString().replace("AQID", "AQI!")), "mail").ok).toBe(false);
});

test("an operator file keeps its shares, opens by its passphrase alone, and notices every change", () => {
  const path = at("operator.sky");
  const passphrase = Buffer.from("correct horse battery");
  const secrets = newOperator("ann", random);
  const share = {
    cluster: "ab".repeat(32) as Digest,
    node: secrets.aid as Aid,
    index: 1,
    value: random(32),
    commitments: "cd".repeat(32) as Digest,
  };
  OperatorFile.create(path, secrets, passphrase, random).addShare(share);
  const opened = OperatorFile.open(path, passphrase, random);
  expect(opened.ok && opened.value.secrets).toEqual({ ...secrets, shares: [share] });
  if (opened.ok) {
    opened.value.addShare({ ...share, value: Uint8Array.from(share.value).reverse() });
    expect(opened.value.secrets.shares).toHaveLength(1);
  }
  expect(OperatorFile.open(path, Buffer.from("wrong"), random)).toMatchObject({
    refusal: { code: "PASSPHRASE_WRONG" },
  });
  const text = readFileSync(path, "utf8");
  expect(text).not.toContain(Buffer.from(operatorSeed(secrets)).toString("base64").slice(0, 20));
  const middle = text.indexOf("\n") + 80;
  const other = text[middle] === "A" ? "B" : "A";
  writeAtomic(path, text.slice(0, middle) + other + text.slice(middle + 1));
  expect(OperatorFile.open(path, passphrase, random).ok).toBe(false);
});

test("a pipe that nobody writes to is no file, and is not waited for", () => {
  execFileSync("mkfifo", [at("pipe")]);
  const files = new URL("../../../src/host/founding/files.ts", import.meta.url).href;
  const script = `import(${JSON.stringify(files)}).then(({ readPublic }) => console.log(readPublic(${JSON.stringify(at("pipe"))}, 10).refusal.code))`;
  const said = execFileSync(process.execPath, ["-e", script], { encoding: "utf8", timeout: 120_000 }); // opening it would block this thread for good
  expect(said).toBe("FILE_MALFORMED\n");
});
