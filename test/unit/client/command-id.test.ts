import { describe, expect, it } from "vitest";
import { encode } from "../../../src/base/codec.ts";
import type { CommandId } from "../../../src/base/brands.ts";
import { commandOf, newCommandId } from "../../../src/client/signing.ts";
import { commandShape } from "../../../src/events/facts/command.ts";
import type { GraphWrite } from "../../../src/events/facts/graph.ts";

const write: GraphWrite = { changes: [{ kind: "addNamespace", namespace: "my-org" }], preconditions: [] };
const at = (now: number) => ({ now: () => now, randomBytes: (length: number) => new Uint8Array(length).fill(0xab) });
const NOW = 1_790_000_000_123;

const bytesOf = (now: number, id?: CommandId): string => {
  const command = commandOf(write, at(now), id);
  if (!command.ok) throw new Error(command.refusal.message);
  return Buffer.from(encode(commandShape, command.value)).toString("hex");
};

describe("a command's id", () => {
  it("is a UUID of version 7 that carries its time", () => {
    const id = newCommandId(at(NOW));
    expect(id).toMatch(/^[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
    expect(Number.parseInt(id.slice(0, 12), 16)).toBe(NOW);
  });

  it("gives the same bytes whenever the write is sent again, so that it acts at most once", () => {
    const id = newCommandId(at(NOW));
    expect(bytesOf(NOW + 45_000, id)).toBe(bytesOf(NOW, id));
    expect(bytesOf(NOW + 3_000_000, id)).toBe(bytesOf(NOW, id)); // expired by then, and refused as such
  });

  it("counts from now when the caller made the id", () => {
    const own = "00000000000000000000000000000001" as CommandId;
    const command = commandOf(write, at(NOW), own);
    expect(command.ok && command.value.notAfter).toBe(NOW + 60_000);
  });
});
