/** `sky oracle` when no node answers. */
import { afterAll, expect, test } from "vitest";
import { EXIT } from "../../../src/host/cli/io.ts";
import { foundCluster, temporaryDirectory } from "../enclave/sealed-node.ts";
import { sky } from "./command-line.ts";

const directory = temporaryDirectory();
afterAll(() => directory.remove());

/** A port that nobody listens on: below those that systems give to whoever asks for any. */
const CLOSED_PORT = 1;

test("a write that no node could be given says that nothing was sent", async () => {
  await foundCluster(directory.path, 20_000);
  const words = ["oracle", "write", "add namespace my-org", "--client", `${directory.path}/clients/default`];
  const asked = [...words, "--node", `127.0.0.1:${CLOSED_PORT}`, "--timeout", "200"];
  const { code, out, err } = await sky(...asked);
  expect([code, out]).toEqual([EXIT.unavailable, []]);
  expect(err.join()).toMatch(/nothing was sent/i);
  expect(err.join()).not.toContain("--id");
});
