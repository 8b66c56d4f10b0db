/** The operators' commands against running nodes: seal, unseal, and whom a node turns away. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Aid } from "../../src/base/brands.ts";
import { openDevCluster } from "../../src/host/founding/dev-directory.ts";
import { OperatorFile } from "../../src/host/founding/operator-file.ts";
import { Cluster, type CommandEnd, sky } from "./cluster.ts";
import { Load, expectKept } from "./load.ts";
import { expectSameRoots, settledHeight } from "./records.ts";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start();
});
afterAll(() => cluster?.clean());

interface Operator {
  readonly file: string;
  readonly passphrase: string;
}
const operator = (name: string): Operator => ({
  file: cluster.path("operators", name, "operator.sky"),
  passphrase: cluster.path("operators", name, "passphrase"),
});

/** `sky seal`, `sky unseal` or `sky status` as that operator. */
const act = (
  command: "seal" | "unseal" | "status",
  node: string,
  { file, passphrase }: Operator,
): Promise<CommandEnd> =>
  sky(command, node, "--founding", cluster.path("founding.sky"), "--operator", file, "--passphrase-file", passphrase);

/** Whether a port takes a connection. */
const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });

/** A copy of ann's file in which her share of a node is another. */
function forged(node: string, change: (mine: Uint8Array, bobs: Uint8Array) => Uint8Array): Operator {
  const directory = cluster.path("forged", randomBytes(4).toString("hex"));
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const copy = { file: path.join(directory, "operator.sky"), passphrase: path.join(directory, "passphrase") };
  const open = ({ file, passphrase }: Operator): OperatorFile => {
    const opened = OperatorFile.open(file, firstLine(passphrase), (length) => new Uint8Array(randomBytes(length)));
    if (!opened.ok) throw new Error(opened.refusal.message);
    return opened.value;
  };
  copyFileSync(operator("ann").file, copy.file);
  copyFileSync(operator("ann").passphrase, copy.passphrase);
  const [ann, bob] = [open(copy), open(operator("bob"))];
  const { founding } = openDevCluster(cluster.directory);
  const aid = cluster.node(node).aid as Aid;
  const [mine, bobs] = [ann, bob].map((file) => file.shareOf(founding.cluster, aid));
  if (mine === undefined || bobs === undefined) throw new Error("every operator has a share of every node");
  ann.addShare({ ...mine, value: change(mine.value, bobs.value) });
  return copy;
}

const firstLine = (file: string): Uint8Array => Buffer.from(readFileSync(file, "utf8").split("\n")[0] ?? "");

describe("sealing and unsealing by the command line", () => {
  const node = "n2";

  it("one operator seals a node: it serves nobody, lives on, and the others go on", async () => {
    const { pid, ports } = cluster.node(node);
    const end = await act("seal", node, operator("ann"));
    expect(end).toMatchObject({ code: 0 });
    expect(end.out).toContain("n2: is sealing");
    await cluster.sealed(node);
    for (const port of [ports.service, ports.approach, ports.cluster]) expect(await listens(port)).toBe(false);
    expect(await listens(ports.api)).toBe(true);
    expect((await cluster.health(node, "/readyz"))?.status).toBe(503);
    expect((await cluster.health(node, "/livez"))?.status).toBe(200);
    expect(cluster.node(node).pid).toBe(pid);
    const status = await act("status", node, operator("carol"));
    expect(status).toMatchObject({ code: 0 });
    expect(status.out).toContain("n2: sealed");

    const load = new Load(cluster, "sealed", ["n0", "n1", "n3"]);
    await load.more(40);
    await load.stop();
    expect(load.failed).toEqual([]);
    expect(load.retried).toEqual([]);
    await expectKept(cluster, load.acknowledged, ["n0", "n1", "n3"]);
  });

  it("a second node is not sealed by one operator alone when too few would stay", async () => {
    const end = await act("seal", "n3", operator("ann"));
    expect(end).toMatchObject({ code: 0 });
    expect(end.out).toContain("n3: stays unsealed until 1 more operator asks");
    expect(await cluster.metric("n3", "sealed")).toBe(0);
    expect(await listens(cluster.node("n3").ports.service)).toBe(true);
  });

  it("a wrong passphrase, a wrong share, another operator's share and a stranger are refused in sentences that name who", async () => {
    const wrong = cluster.path("wrong-passphrase");
    writeFileSync(wrong, "not the passphrase\n", { mode: 0o600 });
    const passphrase = await act("unseal", node, { ...operator("ann"), passphrase: wrong });
    expect(passphrase).toMatchObject({ code: 1 });
    expect(passphrase.err).toContain("PASSPHRASE_WRONG");

    const share = await act(
      "unseal",
      node,
      forged(node, (mine) => mine.map((byte, i) => (i === 31 ? byte ^ 1 : byte))),
    );
    expect(share).toMatchObject({ code: 1 });
    expect(share.err).toMatch(/n2: .*\bann\b.*\(WRONG_COMMITMENT\)/);
    const another = await act(
      "unseal",
      node,
      forged(node, (_mine, bobs) => bobs),
    );
    expect(another).toMatchObject({ code: 1 });
    expect(another.err).toMatch(/n2: .*\bann\b.*\(WRONG_COMMITMENT\)/);

    const eve = { file: cluster.path("eve", "operator.sky"), passphrase: wrong };
    expect(
      await sky("init", "operator", "--name", "eve", "--dir", cluster.path("eve"), "--passphrase-file", wrong),
    ).toMatchObject({ code: 0 });
    const stranger = await act("unseal", node, eve);
    expect(stranger).toMatchObject({ code: 1 });
    expect(stranger.err).toMatch(
      /is no operator of this founding document; .* names ann, bob, carol. \(NOT_OPERATOR\)/,
    );
    expect(await cluster.metric(node, "sealed")).toBe(1);
  });

  it("too few shares: the node says how many are missing and stays sealed; with enough it serves again and catches up", async () => {
    const first = await act("unseal", node, operator("carol"));
    expect(first).toMatchObject({ code: 0 });
    expect(first.out).toContain("n2: waits for 1 more operator");
    const again = await act("unseal", node, operator("carol"));
    expect(again.out).toContain("n2: waits for 1 more operator"); // one operator counts once
    expect(await cluster.metric(node, "sealed")).toBe(1);
    expect(await listens(cluster.node(node).ports.service)).toBe(false);

    const second = await act("unseal", node, operator("bob"));
    expect(second).toMatchObject({ code: 0 });
    expect(second.out).toContain("n2: is unsealed");
    await cluster.serving(node);
    await cluster.ready(node);
    const load = new Load(cluster, "unsealed", cluster.names);
    await load.more(40);
    await load.stop();
    expect(load.failed).toEqual([]);
    expectSameRoots(cluster, await settledHeight(cluster));
    await expectKept(cluster, load.acknowledged);
  });

  it("seal with --exit ends the process, and the node can be revived", async () => {
    const { file, passphrase } = operator("bob");
    const end = await sky(
      "seal",
      "n0",
      "--exit",
      "--founding",
      cluster.path("founding.sky"),
      "--operator",
      file,
      "--passphrase-file",
      passphrase,
    );
    expect(end).toMatchObject({ code: 0 });
    await cluster.dead("n0");
    await cluster.revive("n0");
    expectSameRoots(cluster, await settledHeight(cluster));
  });
});
