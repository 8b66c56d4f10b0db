/** `sky audit prove | head | prefix --data` and `sky verify PROOF`, as the command line runs them. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { decode, encode } from "../../../src/base/codec.ts";
import { present } from "../../../src/base/errors.ts";
import { foundingSignatureListShape, signedFoundingShape } from "../../../src/events/facts/founding.ts";
import { appendTo, openMadeLog } from "../../../tools/replay/made-log.ts";
import { sky as run } from "../host/command-line.ts";
import { smallLog } from "../replay/small-log.ts";
import { ProofWorld } from "./proof-world.ts";

const { made, blocks } = smallLog();
const last = blocks.length - 1;
let base: string;
let data: string;

beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), "sky-proof-commands-"));
  data = join(base, "n0");
  mkdirSync(data);
  const log = openMadeLog(join(data, "log.db"));
  for (const { block, root } of blocks) appendTo(log, block, root);
  log.close();
  const { proof } = present(blocks[0], "genesis").block.event;
  const signatures = proof.kind === "genesis" ? decode(foundingSignatureListShape, proof.signatures, 1_000_000) : proof;
  if (!("ok" in signatures) || !signatures.ok) throw new Error("genesis is signed");
  const founding = { document: made.founding.document, signatures: signatures.value };
  writeFileSync(join(data, "founding.sky"), encode(signedFoundingShape, founding));
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

async function sky(...words: readonly string[]) {
  const { code, out, err } = await run(...words);
  return { code, out, err, said: [...out, ...err].join("\n") };
}
const at = (name: string): string => join(base, name);
const audit = (name: string, ...args: readonly string[]) => sky("audit", ...args, "--data", data, "--out", at(name));
const verify = (name: string, ...args: readonly string[]) =>
  sky("verify", at(name), "--founding", join(data, "founding.sky"), ...args);

test("a proof says in sentences what is proven, the same when it is made and when it is checked", async () => {
  const before = readdirSync(data);
  const made1 = await audit("block.proof", "prove", "--height", "1");
  const checked = await verify("block.proof");
  expect([made1.code, checked.code]).toEqual([0, 0]);
  expect(checked.out).toEqual(made1.out);
  expect(checked.out[1]).toMatch(/^In the log, for good: block 1 \(\d{4}-/);
  expect(checked.said).toContain("The block did exactly this:");
  expect(checked.said).toMatch(/\d of 4 members signed: n0, n1, n2/);
  expect(readdirSync(data)).toEqual(before);
});

test("heads are kept, and a later log is compared with the one that was kept", async () => {
  const early = at("early");
  cpSync(data, early, { recursive: true });
  rmSync(join(early, "log.db"));
  const log = openMadeLog(join(early, "log.db"));
  for (const { block, root } of blocks.slice(0, 3)) appendTo(log, block, root);
  log.close();
  expect((await sky("audit", "head", "--data", early, "--out", at("kept.proof"))).code).toBe(0);
  expect((await audit("head.proof", "head")).code).toBe(0);
  const prefix = await audit("prefix.proof", "prefix", at("kept.proof"));
  expect(prefix.said).toContain("is a prefix of the log up to block");
  expect((await verify("prefix.proof", "--head", at("kept.proof"))).code).toBe(0);
  const other = await verify("prefix.proof", "--head", at("head.proof"), "--json");
  expect([other.code, JSON.parse(present(other.out[0], "a line")).code]).toEqual([1, "PROOF_SUBJECT"]);
  const shorter = await sky("audit", "prefix", at("head.proof"), "--data", early, "--out", at("none.proof"));
  expect([shorter.code, existsSync(at("none.proof"))]).toEqual([1, false]);
  expect(shorter.said).toContain("NOT_FOUND");
});

test("what is not so, or not provable yet, is refused, and no file is written", async () => {
  for (const [args, code] of [
    [["prove", "--height", "9999"], "HEIGHT_UNKNOWN"],
    [["prove", "--height", `${last}`], "NOT_PROVABLE"],
    [["prove", "--height", "1", "--index", "999"], "NOT_FOUND"],
    [["prove", "--command", "f".repeat(32), "--author", "Enobody"], "NOT_FOUND"],
    [["prove", "--command", "f".repeat(32)], "MALFORMED"],
    [["prove", "--aid", "Enobody"], "NOT_FOUND"],
  ] as const) {
    const refused = await audit("refused.proof", ...args);
    expect([refused.code, refused.said.includes(code), existsSync(at("refused.proof"))], refused.said).toEqual([
      1,
      true,
      false,
    ]);
  }
});

test("a command line that asks for nothing, or for two things, ends with 2 and says why", async () => {
  for (const args of [
    ["prove"],
    ["prove", "--command", "0".repeat(32), "--aid", "E"],
    ["prove", "--height", "1", "--author", "E"],
    ["prove", "--height", "1", "--n", "0"],
    ["prove", "--aid", "E", "--index", "0"],
    ["prefix", at("block.proof")],
  ]) {
    const usage = await audit("usage.proof", ...args);
    expect([usage.code, usage.said.includes("USAGE")], usage.said).toEqual([2, true]);
  }
  const alone = await sky("verify", at("block.proof"));
  expect([alone.code, alone.said.includes("--founding")]).toEqual([2, true]);
});

test("a key state is told with from when to when it holds", async () => {
  const { aid } = made.founding.client;
  const keys = await audit("keys.proof", "prove", "--aid", aid);
  expect(keys.said).toContain(`Key state of ${aid} at every height from 0 to`);
  const json = await verify("keys.proof", "--json");
  expect(JSON.parse(present(json.out[0], "a line"))).toMatchObject({ ok: true, kind: "keyState", aid, from: 0 });
});

test("a damaged file, a file that is no proof, and another cluster's proof prove nothing", async () => {
  const file = readFileSync(at("block.proof"));
  writeFileSync(
    at("damaged.proof"),
    file.map((byte, i) => (i === 300 ? byte ^ 4 : byte)),
  );
  writeFileSync(at("text.proof"), "no proof");
  const foreign = new ProofWorld();
  foreign.block();
  writeFileSync(at("foreign.proof"), foreign.file({ kind: "head" }));
  for (const [name, code] of [
    ["damaged.proof", "PROOF_DAMAGED"],
    ["text.proof", "MALFORMED"],
    ["foreign.proof", "PROOF_FOREIGN"],
    ["missing.proof", "FILE_MISSING"],
  ] as const) {
    const verdict = await verify(name, "--json");
    expect([verdict.code, JSON.parse(present(verdict.out[0], "a line")).code]).toEqual([1, code]);
  }
});
