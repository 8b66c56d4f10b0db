/** Proofs from a running cluster and from its directories, checked where there is nothing but the founding document. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { height } from "../../src/base/brands.ts";
import { present } from "../../src/base/errors.ts";
import { AuditClient, membersOf } from "../../src/client/audit-client.ts";
import { clientFiles } from "../../src/host/founding/client-folder.ts";
import { nodeNamed, skyClient } from "./clients.ts";
import { Cluster, type CommandEnd, sky } from "./cluster.ts";
import { settledHeight } from "./records.ts";

let cluster: Cluster;
/** Another machine: only what is copied there. */
let elsewhere: string;
beforeAll(async () => {
  cluster = await Cluster.start();
  elsewhere = mkdtempSync(path.join(tmpdir(), "sky-elsewhere-"));
  copyFileSync(cluster.path("founding.sky"), path.join(elsewhere, "founding.sky"));
});
afterAll(async () => {
  await cluster?.clean();
  rmSync(elsewhere, { recursive: true, force: true });
});

const there = (name: string): string => path.join(elsewhere, name);
const verify = (name: string, ...more: readonly string[]): Promise<CommandEnd> =>
  sky("verify", there(name), "--founding", there("founding.sky"), "--json", ...more);
const told = ({ code, out, err }: CommandEnd): Record<string, unknown> => {
  if (code !== 0) throw new Error(`${code}: ${out}${err}`);
  return JSON.parse(out) as Record<string, unknown>;
};
/** Asks the running cluster for a proof, and takes the file elsewhere. */
const proven = (name: string, ...question: readonly string[]): Promise<CommandEnd> =>
  sky("audit", ...question, "--dir", cluster.directory, "--out", there(name), "--json");

async function write(name: string): Promise<{ readonly height: number; readonly index: number; readonly id: string }> {
  const client = skyClient(cluster, ["n0"]);
  try {
    const { receipt, id } = await client.write([{ kind: "addSubject", subject: nodeNamed(name, "org") }]);
    return { height: receipt.height, index: receipt.index, id };
  } finally {
    client.close();
  }
}

it("a command, its outcome, and yesterday's log as a prefix of today's, are proven where there is nothing but the founding document", async () => {
  told(await proven("head.proof", "head"));
  const written = await write("Proven");
  await write("Later");
  const author = aidOf("default");
  told(await proven("command.proof", "prove", "--command", written.id, "--author", author));
  told(await proven("fact.proof", "prove", "--height", `${written.height}`, "--index", `${written.index}`));
  told(await proven("prefix.proof", "prefix", there("head.proof")));
  const command = told(await verify("command.proof"));
  expect(command).toMatchObject({ kind: "inclusion", height: written.height, outcome: { index: written.index } });
  expect(JSON.stringify(command)).toContain("subject added");
  expect(told(await verify("fact.proof"))).toMatchObject({ facts: [{ data: { kind: "commandExecuted" } }] });
  expect(told(await verify("prefix.proof", "--head", there("head.proof")))).toMatchObject({ kind: "consistency" });
});

it("a damaged proof and one about another head than the one that was kept are refused", async () => {
  const file = readFileSync(there("command.proof"));
  file[file.length - 9] = (file.at(-9) ?? 0) ^ 1;
  writeFileSync(there("damaged.proof"), file);
  told(await proven("head-2.proof", "head"));
  const damaged = await verify("damaged.proof");
  const about = await verify("prefix.proof", "--head", there("head-2.proof"));
  for (const [{ code, out }, expected] of [
    [damaged, "PROOF_DAMAGED"],
    [about, "PROOF_SUBJECT"],
  ] as const)
    expect({ code, said: (JSON.parse(out) as { readonly code: string }).code }).toEqual({ code: 1, said: expected });
});

it("a key state is proven before and after a rotation, by a node and from another one's directory", async () => {
  const { aid } = cluster.node("n1");
  const before = (await write("BeforeRotation")).height;
  const operator = cluster.path("operators", "ann", "operator.sky");
  const passphrase = cluster.path("operators", "ann", "passphrase");
  const founding = cluster.path("founding.sky");
  const given = ["--founding", founding, "--operator", operator, "--passphrase-file", passphrase, "--json"];
  const rotated = told(await sky("member", "rotate", "n1", ...given));
  await write("AfterRotation");
  await write("Last");
  const [old, now] = ["old.proof", "now.proof"];
  told(await proven(old, "prove", "--aid", aid, "--height", `${before}`));
  told(await proven(now, "prove", "--aid", aid));
  await settledHeight(cluster); // n2 has it, too
  const data = ["--data", cluster.path("nodes", "n2"), "--founding", founding, "--out", there("data.proof"), "--json"];
  told(await sky("audit", "prove", "--aid", aid, ...data));
  expect(told(await verify(old))).toMatchObject({ through: before, keyState: { sn: 0 } });
  for (const name of [now, "data.proof"]) {
    const { keyState, events } = told(await verify(name));
    expect({ keyState, events }).toMatchObject({ keyState: { sn: rotated["sn"], said: rotated["said"] }, events: 2 });
  }
});

it("only auditors are answered; who is one reads the log as every node has it", async () => {
  const refused = await sky(
    ...["audit", "head", "--dir", cluster.directory, "--client", cluster.path("clients", "default")],
    ...["--out", there("none.proof"), "--json"],
  );
  expect(refused.code).toBe(1);
  expect(refused.out).toContain("PERMISSION_DENIED");
  const logs = [];
  for (const name of cluster.names) logs.push(await logOf(name));
  const lengths = logs.map((log) => log.length);
  const common = Math.min(...lengths);
  expect(common).toBeGreaterThan(5);
  for (const log of logs) expect(log.slice(0, common)).toEqual(present(logs[0], "a log").slice(0, common));
});

const aidOf = (client: string): string =>
  (JSON.parse(readFileSync(clientFiles(cluster.path("clients", client)).identity, "utf8")) as { readonly aid: string })
    .aid;

/** Headers and bodies, as one node gives them. Ports of a rotated node have other certificates by now. */
async function logOf(name: string): Promise<readonly string[]> {
  const files = clientFiles(cluster.path("clients", "admin"));
  const members = membersOf(readFileSync(cluster.path("founding.sky")));
  if (!members.ok) throw new Error(members.refusal.message);
  const client = AuditClient.connect({
    endpoints: [`127.0.0.1:${cluster.node(name).ports.service}`],
    ca: readFileSync(files.anchors),
    cert: readFileSync(files.certificate),
    key: readFileSync(files.key),
    members: members.value,
  });
  try {
    const blocks: string[] = [];
    for await (const { item } of client.readLog(height(0)))
      if (item?.$case === "block") blocks.push(Buffer.concat([item.block.header, item.block.body]).toString("hex"));
    return blocks;
  } finally {
    client.close();
  }
}
