/** `sky oracle` when no node answers. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { EXIT } from "../../../src/host/cli/io.ts";
import { foundCluster, temporaryDirectory } from "../enclave/sealed-node.ts";
import { sky } from "./command-line.ts";

const directory = temporaryDirectory();
afterAll(() => directory.remove());

/** A port that nobody listens on: below those that systems give to whoever asks for any. */
const CLOSED_PORT = 1;

test("a directory without a cluster, and a cluster that does not run, are said to be what is the matter", async () => {
  const nowhere = await sky("oracle", "check", "my-org:a", "my-org:b", "--dir", join(directory.path, "nowhere"));
  expect([nowhere.code, nowhere.err.join()]).toEqual([
    EXIT.refused,
    expect.stringMatching(/nowhere holds no cluster .*--dir/),
  ]);
  const stopped = join(directory.path, "stopped");
  await foundCluster(stopped, 20_000);
  const cluster = (pid: number | null) => JSON.stringify({ nodes: [{ pid, ports: { service: CLOSED_PORT } }] });
  writeFileSync(join(stopped, "cluster.json"), cluster(null));
  const asked = ["oracle", "check", "my-org:a", "my-org:b", "--dir", stopped, "--timeout", "200"];
  const { code, err } = await sky(...asked);
  expect([code, err.join()]).toEqual([
    EXIT.unavailable,
    expect.stringMatching(/start it: sky dev --dir .*NOT_RUNNING/),
  ]);
  writeFileSync(join(stopped, "cluster.json"), cluster(1));
  expect((await sky(...asked)).err.join()).toContain("UNAVAILABLE");
});

test("a write that no node could be given says that nothing was sent", async () => {
  await foundCluster(directory.path, 20_000);
  const words = ["oracle", "write", "add namespace my-org", "--client", `${directory.path}/clients/default`];
  const asked = [...words, "--node", `127.0.0.1:${CLOSED_PORT}`, "--timeout", "200"];
  const { code, out, err } = await sky(...asked);
  expect([code, out]).toEqual([EXIT.unavailable, []]);
  expect(err.join()).toMatch(/nothing was sent/i);
  expect(err.join()).not.toContain("--id");
});
