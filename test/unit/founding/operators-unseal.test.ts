/** Operators and one real node: worker, mutual TLS, files. Rules cited are those of docs/protocol/ceremony.md. */
import { readFileSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { present } from "../../../src/base/errors.ts";
import { EXIT } from "../../../src/host/cli/io.ts";
import { run as seal } from "../../../src/host/cli/seal.ts";
import { run as status } from "../../../src/host/cli/status.ts";
import { run as unseal } from "../../../src/host/cli/unseal.ts";
import type { DevCluster } from "../../../src/host/founding/dev-cluster.ts";
import { OperatorFile } from "../../../src/host/founding/operator-file.ts";
import {
  random,
  type RunningNode,
  foundCluster,
  serveApi,
  startEnclaveOf,
  temporaryDirectory,
} from "../enclave/sealed-node.ts";
import { quietConsole } from "../host/command-line.ts";
import { twoPorts } from "../host/free-ports.ts";

const directory = temporaryDirectory();
let cluster: DevCluster;
let node: RunningNode;
let listener: Awaited<ReturnType<typeof serveApi>>;

beforeAll(async () => {
  const port = await twoPorts(); // the founding document names it before the node listens
  cluster = await foundCluster(`${directory.path}/cluster`, port);
  const first = present(cluster.nodes[0], "a node");
  node = await startEnclaveOf(cluster, first);
  expect((await node.enclave.openWithPassphrase(first.passphrase.reveal().slice())).ok).toBe(true);
  listener = await serveApi(cluster, first, node.enclave, port);
});
afterAll(async () => {
  await listener?.close(0);
  await node?.stop();
  directory.remove();
});

async function sky(command: typeof unseal, operator: number, nodes: readonly string[] = ["n0"], more: object = {}) {
  const { io, out: lines, err: errors } = quietConsole();
  const { file, passphraseFile } = present(cluster.operators[operator], "an operator");
  const code = await command(
    { founding: cluster.foundingFile, operator: file, passphraseFile, args: [nodes], ...more },
    io,
  );
  return { code, lines, errors };
}

test("the first operator initialises the node, all fetch their share, and the node stays unsealed", async () => {
  const first = await sky(unseal, 0);
  expect(first).toMatchObject({ code: EXIT.ok, lines: ["n0: is unsealed"] });
  expect(first.errors.join("\n")).toMatch(/has drawn its root[\s\S]*fits the node's commitments/);
  expect((await node.enclave.status()).unacknowledged).toHaveLength(2);
  expect((await sky(status, 1)).lines).toEqual(["n0: unsealed, 2 operators have yet to fetch their shares"]);
  expect((await sky(unseal, 1)).code).toBe(EXIT.ok);
  expect((await sky(status, 1)).lines).toEqual(["n0: unsealed, 1 operator has yet to fetch its share"]);
  expect((await sky(unseal, 2)).code).toBe(EXIT.ok);
  expect(await node.enclave.status()).toMatchObject({ state: "unsealed", unacknowledged: [] });
  const forgotten = await node.enclave.fetchShare(present(cluster.operators[0], "ann").aid);
  expect(forgotten).toMatchObject({ ok: false, refusal: { code: "SHARES_FORGOTTEN" } });
});

test("one operator seals it, and any two unseal it again; below the threshold it says how many are missing", async () => {
  const sealed = node.sealed();
  expect(await sky(seal, 2)).toMatchObject({ code: EXIT.ok, lines: ["n0: is sealing"] });
  expect(await sealed).toBe(false);
  expect((await sky(status, 1)).lines).toEqual(["n0: sealed"]);
  expect((await sky(unseal, 2)).lines).toEqual(["n0: waits for 1 more operator"]);
  expect((await sky(unseal, 2)).lines).toEqual(["n0: waits for 1 more operator"]);
  expect((await sky(unseal, 1)).lines).toEqual(["n0: is unsealed"]);
});

test("a node can be sealed and unsealed again and again, and sealing never looks like a death of the enclave", async () => {
  for (let round = 0; round < 5; round++) {
    const sealed = node.sealed();
    expect((await sky(seal, round % 3)).code).toBe(EXIT.ok);
    await sealed;
    await sky(unseal, 0);
    expect((await sky(unseal, 1)).lines).toEqual(["n0: is unsealed"]);
  }
  expect(node.deaths).toEqual([]);
});

test("a node that does not answer is told of by name, and holds up no other", async () => {
  const both = await sky(unseal, 0, ["n0", "n1"]);
  expect(both.code).toBe(EXIT.unavailable);
  expect(both.lines).toEqual(["n0: is unsealed"]);
  expect(both.errors.join()).toMatch(/n1: Node n1 does not answer at 127\.0\.0\.1:1005/);
});

test("nodes that the founding document does not name, and wrong passphrases, are refused before anything is sent", async () => {
  expect((await sky(unseal, 0, ["n9"])).errors.join()).toMatch(/names no node n9; its nodes are n0, n1, n2, n3/);
  const wrong = await sky(unseal, 0, ["n0"], { passphraseFile: present(cluster.operators[1], "bob").passphraseFile });
  expect(wrong).toMatchObject({ code: EXIT.refused });
  expect(wrong.errors.join()).toMatch(/passphrase does not open/);
});

test("an operator of another cluster is told so by its own command line", async () => {
  const other = await foundCluster(`${directory.path}/other`, 20_000);
  const { file, passphraseFile } = present(other.operators[0], "an operator");
  const stranger = await sky(unseal, 0, ["n0"], { operator: file, passphraseFile });
  expect(stranger).toMatchObject({ code: EXIT.refused, lines: [] });
  expect(stranger.errors.join()).toMatch(/is no operator of this founding document.*ann, .*\(NOT_OPERATOR\)/);
});

test("with --json each node is one object a line", async () => {
  const { lines } = await sky(status, 0, ["n0"], { json: true });
  expect(JSON.parse(present(lines[0], "a line"))).toMatchObject({
    node: "n0",
    ok: true,
    state: "unsealed",
    threshold: 2,
    total: 3,
  });
});

test("no passphrase, seed or share stands in any file but those meant for it", () => {
  const node0 = present(cluster.nodes[0], "a node");
  const passphrases = cluster.operators.map(({ passphraseFile }) => readFileSync(passphraseFile, "utf8").trim());
  const secrets: Uint8Array[] = [node0.passphrase.reveal(), ...passphrases.map((text) => Buffer.from(text))];
  for (const [i, { file }] of cluster.operators.entries()) {
    const opened = OperatorFile.open(file, Buffer.from(present(passphrases[i], "a passphrase")), random);
    if (!opened.ok) throw new Error(opened.refusal.message);
    const { current, next, hpke, shares } = opened.value.secrets;
    expect(shares).toHaveLength(1);
    secrets.push(...current, ...next, hpke, ...shares.map(({ value }) => value));
  }
  const files = filesUnder(directory.path).filter((path) => !path.endsWith("/passphrase"));
  expect(files.length).toBeGreaterThan(20);
  for (const path of files) {
    const content = readFileSync(path);
    for (const secret of secrets) {
      for (const form of [
        Buffer.from(secret),
        ...(["hex", "base64", "base64url"] as const).map((encoding) =>
          Buffer.from(Buffer.from(secret).toString(encoding)),
        ),
      ]) {
        expect(content.includes(form), path).toBe(false);
      }
    }
  }
});

test("every file with keys is its owner's alone", () => {
  const open = new Set(["founder.card", "founding.sky"]);
  for (const path of filesUnder(directory.path)) {
    if (!open.has(basename(path))) expect(statSync(path).mode & 0o077, path).toBe(0);
    expect(statSync(dirname(path)).mode & 0o077, dirname(path)).toBe(0);
  }
});

const filesUnder = (path: string): readonly string[] =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
