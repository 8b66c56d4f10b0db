import { expect, test } from "vitest";
import type { GraphNode } from "../../../src/events/facts/graph.ts";
import { SignedPool } from "../../../src/host/executor/signed-pool.ts";
import { MadeLog } from "../../../tools/replay/made-log.ts";

const node = (name: string): GraphNode => ({ namespace: "my-org", name, relation: { namespace: "", name: "" } });

function world() {
  const made = new MadeLog();
  const pool = new SignedPool(made.cluster);
  const batch = (name: string): Uint8Array =>
    made.batch([made.command([{ kind: "addAssertion", assertion: { subject: node(name), object: node("all") } }])]);
  return { pool, batch };
}

test("a batch is decoded once from when it arrives until its block is executed, and then forgotten", () => {
  const { pool, batch } = world();
  const [first, second] = [batch("a"), batch("b")];
  const arrived = pool.open(first);
  pool.open(second);
  const both = pool.bytes;
  expect(pool.openFinal(first)).toBe(arrived);
  expect(pool.bytes).toBe(both);
  pool.executed();
  expect(pool.bytes).toBe(both / 2);
  expect(pool.open(first)).not.toBe(arrived);
});

test("what was executed leaves nothing, however many batches there were", () => {
  const { pool, batch } = world();
  for (let i = 0; i < 50; i++) {
    const signed = batch(String(i));
    pool.open(signed);
    pool.openFinal(signed);
    pool.executed();
  }
  expect(pool.bytes).toBe(0);
});

test("what cannot be decoded is not remembered: however much of it comes, it takes no memory", () => {
  const { pool, batch } = world();
  for (let i = 0; i < 1_000; i++) expect(pool.open(Uint8Array.of(i, i >> 8)).ok).toBe(false);
  expect(pool.openFinal(batch("a").subarray(0, -1)).ok).toBe(false);
  expect(pool.bytes).toBe(0);
});

test("a batch counts as what it takes decoded, not as its bytes alone", () => {
  const { pool, batch } = world();
  const small = batch("a");
  pool.open(small);
  expect(pool.bytes).toBeGreaterThan(8 * small.length);
});
