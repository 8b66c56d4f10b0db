import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { CheckpointStore } from "../../src/host/checkpoints/checkpoint-store.ts";
import { describeCheckpointStore } from "./checkpoint-store.contract.ts";

const directory = mkdtempSync(join(tmpdir(), "sky-checkpoints-"));
afterAll(() => rmSync(directory, { recursive: true }));
let stores = 0;

describeCheckpointStore("the host's, over files", () => new CheckpointStore(join(directory, String(++stores))));
