/** README, examples and runbook: what they show is what happens. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findPorts } from "../../src/host/dev/ports.ts";
import { Cluster, root, sky, until } from "./cluster.ts";
import { settledHeight } from "./records.ts";

const run = promisify(execFile);

describe("README", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start();
  });
  afterAll(() => cluster?.clean());

  it("its commands do what stands beside them", async () => {
    const text = readFileSync(path.join(root, "README.md"), "utf8").replaceAll("\\\n", "");
    const shown = [...text.matchAll(/^npx (sky (?:oracle|status).*?)(?: {2,}# (.*))?$/gm)];
    expect(shown).toHaveLength(4);
    for (const [, command = "", comment] of shown) {
      const line = command.replaceAll("/tmp/my-sky", cluster.directory).replace(/^sky/, "bin/sky.js");
      const { stdout } = await run("sh", ["-c", `"${process.execPath}" ${line}`], { cwd: root });
      const said = stdout.trim().split("\n").toSorted();
      if (comment === undefined) expect(said[0]).toMatch(/^written at height \d+: 2 of 2 changed something/);
      else if (comment.endsWith("…")) expect(said[0]).toBe(comment.replace(" …", ""));
      else expect(anyHeight(said.join(", "))).toBe(anyHeight(comment));
    }
  });

  it("an auditor's commands answer as they are shown", async () => {
    await settledHeight(cluster); // they read the directory of one node
    const text = readFileSync(path.join(root, "README.md"), "utf8");
    const shown = [...text.matchAll(/^\$ npx (sky (?:audit|replay).*?)(?: {2,}# .*)?(?=\n(.*))/gm)];
    expect(shown).toHaveLength(2);
    for (const [, command = "", answer = ""] of shown) {
      const words = command.replaceAll("/tmp/my-sky", cluster.directory).split(" ").slice(1);
      const { code, out, err } = await sky(...words);
      expect(code, out + err).toBe(0);
      if (!answer.startsWith("$")) expect(anyMoment(out.split("\n")[0] ?? "")).toBe(anyMoment(answer));
    }
  });

  it("the TypeScript example runs", async () => {
    const example = path.join(root, "docs/examples/client.ts");
    const { stdout, stderr } = await run(process.execPath, [example, cluster.directory]);
    expect(stdout).toMatch(/^written at height \d+:/);
    expect(stdout).toContain("may Ali see the report? true");
    expect(stderr).toBe("");
  });
});

const anyHeight = (line: string): string => line.replace(/at height \d+/, "at height H");
const anyMoment = (line: string): string => anyHeight(line).replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/, "T");

/** Of a node: api, approach, cluster, service, health, identity. */
const PORTS = 6;

describe("OPERATING: a real cluster, from cards to service", () => {
  const directory = mkdtempSync(path.join(tmpdir(), "sky-real-"));
  const at = (...parts: readonly string[]): string => path.join(directory, ...parts);
  const operators = ["alice", "bob", "carol"];
  const nodes = ["n1", "n2", "n3", "n4"];
  const children = new Map<string, ChildProcess>();
  let base = 0;
  const portOf = (node: string, offset: number): number => base + nodes.indexOf(node) * PORTS + offset;

  afterAll(() => {
    for (const child of children.values()) child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  });

  const must = async (...args: readonly string[]): Promise<string> => {
    const { code, out, err } = await sky(...args);
    if (code !== 0) throw new Error(`sky ${args.join(" ")}: ${String(code)} ${out}${err}`);
    return out;
  };
  const secret = (name: string): readonly string[] => {
    const file = at(`${name}.pass`);
    writeFileSync(file, `a long passphrase of ${name}\n`, { mode: 0o600 });
    return ["--passphrase-file", file];
  };
  const asOperator = (name: string): readonly string[] => [
    ...["--founding", at("founding.sky"), "--operator", at(name, "operator.sky")],
    ...secret(name),
  ];

  const start = async (node: string, passphrase: string): Promise<void> => {
    const ports = ["api", "approach", "cluster", "service", "health", "identity"].flatMap((name, i) => [
      `--${name}-port`,
      String(portOf(node, i)),
    ]);
    const args = [path.join(root, "bin/sky.js"), "node", "--data-dir", at(node), "--bind-interface", "lo", ...ports];
    const child = spawn(process.execPath, args, { stdio: ["pipe", "ignore", "inherit"] });
    children.set(node, child);
    child.stdin?.end(passphrase);
    await until(`${node} listens`, async () => (await page(node, "startupz")) === 200);
  };
  const page = (node: string, name: string): Promise<number | undefined> =>
    fetch(`http://127.0.0.1:${portOf(node, 4)}/${name}`).then(
      ({ status }) => status,
      () => undefined,
    );
  const ready = (node: string): Promise<boolean> =>
    until(`${node} is ready`, async () => (await page(node, "readyz")) === 200);

  it("is founded, unsealed, used, and unsealed again after a restart", async () => {
    base = await findPorts(nodes.length * PORTS, Math.random);
    for (const name of operators) await must("init", "operator", "--name", name, "--dir", at(name), ...secret(name));
    for (const node of nodes) {
      const ports = ["api", "approach", "cluster", "service"].flatMap((name, i) => [
        `--${name}`,
        `127.0.0.1:${portOf(node, i)}`,
      ]);
      await must("init", "founder", "--name", node, "--dir", at(node), ...ports, ...secret(node));
    }
    for (const client of ["root", "app"]) await must("init", "client", "--dir", at(client));
    const document = ["--document", at("document.sky")];
    await must(
      ...["init", "assemble", "--name", "acme", "--threshold", "2", "--out", at("document.sky")],
      ...nodes.flatMap((node) => ["--founder", at(node, "founder.card")]),
      ...operators.flatMap((name) => ["--operator", at(name, "operator.card")]),
      ...["--admin", at("root", "client.card"), "--client", at("app", "client.card")],
    );
    for (const name of operators) {
      const as = ["--operator", at(name, "operator.sky"), ...secret(name)];
      await must("init", "sign", ...document, ...as, "--out", at(`${name}.sig`));
    }
    for (const node of nodes)
      await must("init", "sign", ...document, "--founder-dir", at(node), ...secret(node), "--out", at(`${node}.sig`));
    const signatures = [...operators, ...nodes].flatMap((name) => ["--signature", at(`${name}.sig`)]);
    await must("init", "finish", ...document, ...signatures, "--out", at("founding.sky"));
    await must("init", "client", "--dir", at("app"), "--founding", at("founding.sky"));
    for (const node of nodes) copyFileSync(at("founding.sky"), at(node, "founding.sky"));

    await Promise.all(nodes.map((node) => start(node, `a long passphrase of ${node}\n`)));
    expect(await must("status", ...asOperator("alice"))).toContain("n1: uninitialised");
    for (const name of operators) expect(await must("unseal", ...asOperator(name))).toContain("n4: is unsealed");
    await Promise.all(nodes.map(ready));
    expect(
      (await must("status", ...asOperator("bob"))).split("\n").filter((line) => line.endsWith(": unsealed")),
    ).toHaveLength(4);

    const service = nodes.flatMap((node) => ["--node", `127.0.0.1:${portOf(node, 3)}`]);
    const client = ["--client", at("app"), ...service];
    await must("oracle", "write", "add assertion my-org:Ali my-org:Report", ...client);
    expect(await must("oracle", "check", "my-org:Ali", "my-org:Report", ...client)).toContain("yes");

    children.get("n4")?.kill("SIGTERM");
    await until("n4 has ended", () => children.get("n4")?.exitCode === 0);
    await start("n4", ""); // a passphrase opens nothing any more
    expect(await must("unseal", ...asOperator("alice"), "n4")).toContain("n4: waits for 1 more operator");
    expect(await must("unseal", ...asOperator("carol"), "n4")).toContain("n4: is unsealed");
    await ready("n4");
    // It may have ended before it had the write, and is ready before it has caught up.
    const alone = ["--client", at("app"), "--node", `127.0.0.1:${portOf("n4", 3)}`];
    await until("n4 answers yes", async () => {
      const { code, out } = await sky("oracle", "check", "my-org:Ali", "my-org:Report", ...alone);
      return code === 0 && out.startsWith("yes");
    });
  });
});
