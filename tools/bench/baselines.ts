/** What the machine does without us: a synced commit, a signature check, an empty call. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { signer, verify, publicKeyOf } from "../../src/crypto/ed25519.ts";
import { openSqlite } from "../../src/events/store/sqlite.ts";
import { assertionMessage } from "../../src/wire/sky-graph.ts";
import { type EmptyServer, connect } from "./empty-server-process.ts";
import { type Baseline, median, quantile } from "./figures.ts";
import { question } from "./graph.ts";
import { latencies, rates } from "./load.ts";
import type { ClientCredentials } from "./running-cluster.ts";

const COMMITS = 2_000;
const VERIFIES = 4_000;

/** One row of 300 bytes, committed to a WAL and synced, as a journal does. */
export function commitBaseline(): Baseline & { readonly p99: number } {
  const directory = mkdtempSync(join(tmpdir(), "sky-bench-wal-"));
  const db = openSqlite(join(directory, "wal.db"), { store: "LOG", synchronous: "full" });
  try {
    db.exec("CREATE TABLE journal (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL)");
    const insert = db.prepare("INSERT INTO journal (bytes) VALUES (?)");
    const row = randomBytes(300);
    const found: number[] = [];
    for (let i = 0; i < COMMITS; i++) {
      const start = performance.now();
      insert.run(row);
      found.push(performance.now() - start);
    }
    return { name: "a synced WAL commit", value: median(found), unit: "ms", p99: quantile(found, 0.99) };
  } finally {
    db.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

export function verifyBaseline(): Baseline {
  const seed = randomBytes(32);
  const [key, sign] = [publicKeyOf(seed), signer(seed)];
  const message = randomBytes(300);
  const signature = sign(message);
  const found: number[] = [];
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    for (let i = 0; i < VERIFIES / 5; i++) if (!verify(key, message, signature)) throw new Error("it should hold");
    found.push(VERIFIES / 5 / ((performance.now() - start) / 1000));
  }
  return { name: "Ed25519 checks of one core", value: median(found), unit: "/s" };
}

/** An empty unary call: how long one takes, and how many a second 64 callers get. */
export async function emptyCallBaselines(server: EmptyServer, credentials: ClientCredentials) {
  const { sky, close } = connect(server.endpoint, credentials, false);
  const request = { assertion: assertionMessage(question(0)), consistency: undefined };
  const call = (): Promise<number> =>
    new Promise((resolve, reject) => {
      sky.check(request, (error) => (error === null ? resolve(1) : reject(error)));
    });
  const found = await latencies(200, 1_000, call);
  const perSecond = await rates({ warmUpMs: 500, windowMs: 1_500, repeats: 3 }, 64, call);
  close();
  return {
    emptyLatency: { name: "an empty unary call", value: median(found), unit: "ms" },
    emptyUnary: { name: "empty unary calls", value: median(perSecond), unit: "/s" },
  } as const satisfies Record<string, Baseline>;
}

/** A Node that does nothing: how long it takes to start and end. Units: ms. */
export async function bareStartBaseline(): Promise<Baseline> {
  const found: number[] = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    const child = spawn(process.execPath, ["-e", "0"], { stdio: "ignore" });
    await new Promise((resolve) => child.once("exit", resolve));
    found.push((performance.now() - start) / 1000);
  }
  return { name: "an empty Node from start to end", value: median(found), unit: "s" };
}
