/** sky.audit.v1 over a real grpc-js server and the notary that nodes run, in this thread instead of its worker. */
import * as grpc from "@grpc/grpc-js";
import { afterEach, expect, test } from "vitest";
import { type Aid, type CommandId, type Digest, height } from "../../../src/base/brands.ts";
import { encode } from "../../../src/base/codec.ts";
import { present } from "../../../src/base/errors.ts";
import { ok, refuse } from "../../../src/base/result.ts";
import { finalityProofShape } from "../../../src/events/facts/block.ts";
import { encodeProof } from "../../../src/events/facts/proof.ts";
import { verifyProof } from "../../../src/events/facts/verify-proof.ts";
import { Notary } from "../../../src/host/proofs/notary.ts";
import type { Ask } from "../../../src/host/proofs/worker-protocol.ts";
import { type AuditPort, audit, auditService } from "../../../src/host/services/audit.ts";
import { SERVICE_SERVER_OPTIONS } from "../../../src/host/services/server-options.ts";
import { AuditServiceClient, type LogItem } from "../../../src/wire/generated/sky/audit/v1/audit.ts";
import { ProofWorld, ended } from "../../unit/proofs/proof-world.ts";

const AUDITOR = "EAuditor" as Aid;
const ID = 101;
const commandId = ID.toString(16).padStart(32, "0") as CommandId;

class AuditWorld implements AuditPort {
  readonly log = new ProofWorld();
  readonly defects: unknown[] = [];
  /** Who calls. */
  caller = AUDITOR;
  /** What is given in place of proofs, by a node that lies. */
  forged: Uint8Array | undefined;
  /** Reads and proofs that wait until the test lets them go. */
  held: Promise<void> = Promise.resolve();
  #stop = (): void => {};

  readonly height = () => this.log.head().height;
  readonly mayAudit = (aid: Aid): boolean => aid === AUDITOR;

  async prove(ask: Ask) {
    await this.held;
    if (this.forged !== undefined) return ok(this.forged);
    const notary = new Notary(this.log, this.log.members);
    if (ask.kind !== "command") return ended(notary.prove(ask));
    const at = ask.height ?? ended(notary.find(ask.author, ask.id));
    if (at === undefined) return refuse("NOT_FOUND", "No such command.");
    const subject = { kind: "command", author: ask.author, id: ask.id } as const;
    return ended(notary.prove({ kind: "inclusion", height: at, subject, withEffects: ask.withEffects }));
  }

  async blocks(from: number, to: number) {
    await this.held;
    return ok(
      this.log.chain.slice(from, Math.min(to, from + 1) + 1).map((event) => ({
        height: event.height,
        ...event.block,
        finality: encode(finalityProofShape, event.proof),
        bundles: this.log.bundlesOf(event),
      })),
    );
  }

  async ends() {
    return ok({ newest: this.log.head().height, gap: null });
  }

  async open(): Promise<Client> {
    const server = new grpc.Server(SERVICE_SERVER_OPTIONS);
    const context = {
      audit: this,
      callerOf: () => ok({ aid: this.caller, role: "client" as const }),
      onDefect: (error: unknown) => void this.defects.push(error),
    };
    server.addService(auditService, audit(context));
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    const client = new AuditServiceClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
    });
    this.#stop = () => {
      client.close();
      server.forceShutdown();
    };
    return client;
  }

  close(): void {
    this.#stop();
    expect(this.defects).toEqual([]);
  }
}

type Client = InstanceType<typeof AuditServiceClient>;

let world = new AuditWorld();
afterEach(() => world.close());

async function opened(): Promise<Client> {
  world = new AuditWorld();
  const client = await world.open();
  const { log } = world;
  log.block([log.ledgers.write(log.client, "one", ID), log.ledgers.write(log.client, "two")]);
  for (let i = 0; i < 4; i++) log.block();
  return client;
}

/** Everything that a stream brings, and how it ends. */
async function all<T>(call: grpc.ClientReadableStream<T>): Promise<{ readonly messages: T[]; readonly code: string }> {
  const messages: T[] = [];
  return new Promise((resolve) => {
    call.on("data", (message: T) => messages.push(message));
    call.on("error", (error: grpc.ServiceError) =>
      resolve({ messages, code: String(error.metadata.get("sky-code")[0] ?? error.code) }),
    );
    call.on("end", () => resolve({ messages, code: "" }));
  });
}
const fileOf = (messages: readonly { readonly part: Buffer }[]): Uint8Array =>
  new Uint8Array(Buffer.concat(messages.map(({ part }) => part)));

test("ReadLog gives every block with its bundles in order, from a height on and up to another", async () => {
  const client = await opened();
  const { messages, code } = await all(client.readLog({ fromHeight: 0n }));
  expect(code).toBe("");
  const items = messages.flatMap((message) => message.items);
  expect(items.map(nameOf)).toEqual(["block 0", "block 1", "bundle", "block 2", "block 3", "block 4", "block 5"]);
  const some = await all(client.readLog({ fromHeight: 2n, toHeight: 3n }));
  expect(some.messages.flatMap((message) => message.items).map(nameOf)).toEqual(["block 2", "block 3"]);
  expect((await all(client.readLog({ fromHeight: 6n }))).code).toBe("HEIGHT_UNKNOWN");
});

const nameOf = ({ item }: LogItem): string => (item?.$case === "block" ? `block ${item.block.height}` : "bundle");

test("more than eight readers at once are refused", async () => {
  const client = await opened();
  const { promise, resolve } = Promise.withResolvers<void>();
  world.held = promise;
  const readers = Array.from({ length: 9 }, () => all(client.readLog({ fromHeight: 0n })));
  const first = await Promise.race(readers);
  expect(first.code).toBe("OVERLOADED");
  resolve();
  const codes = (await Promise.all(readers)).map(({ code }) => code).sort();
  expect(codes).toEqual([...Array.from({ length: 8 }, () => ""), "OVERLOADED"]);
});

test("more than four proofs of one caller at once are refused, however many are waited for", async () => {
  const client = await opened();
  const { promise, resolve } = Promise.withResolvers<void>();
  world.held = promise;
  const request = { what: { $case: "height", height: 1n }, withoutEffects: true } as const;
  const proofs = Array.from({ length: 6 }, () => all(client.prove(request)));
  expect((await Promise.race(proofs)).code).toBe("OVERLOADED");
  resolve();
  const codes = (await Promise.all(proofs)).map(({ code }) => code).sort();
  expect(codes).toEqual(["", "", "", "", "OVERLOADED", "OVERLOADED"]);
  expect((await all(client.prove(request))).code).toBe("");
});

test("proofs that wait for a caller who does not read are few, and small ones go out meanwhile", async () => {
  const client = await opened();
  const request = { what: { $case: "height", height: 1n }, withoutEffects: true } as const;
  world.forged = new Uint8Array(33 * 1024 * 1024);
  const unread = client.prove(request);
  unread.on("error", () => {});
  await new Promise((resolve) => unread.once("metadata", resolve)); // it is being sent
  expect((await all(client.prove(request))).code).toBe("OVERLOADED");
  world.forged = undefined;
  expect((await all(client.prove(request))).code).toBe("");
  unread.cancel();
  world.forged = new Uint8Array(33 * 1024 * 1024);
  await expect.poll(async () => (await all(client.prove(request))).code).toBe("");
});

test("Head is a proof, and says what it says", async () => {
  const client = await opened();
  const reply = await new Promise<{ proof: Buffer; height: bigint; newestHeight: bigint }>((resolve, reject) => {
    client.head({}, (error, head) => (error === null ? resolve(head) : reject(error)));
  });
  const proven = verifyProof(new Uint8Array(reply.proof), world.log.members);
  expect(proven).toMatchObject({ ok: true, value: { kind: "head", head: { height: 5 } } });
  expect([reply.height, reply.newestHeight]).toEqual([5n, 5n]);
});

test("Prove gives proofs of blocks, facts and commands, with effects or without", async () => {
  const client = await opened();
  const author = world.log.client.aid;
  const id = Buffer.from(commandId, "hex");
  const asked = [
    { what: { $case: "height", height: 1n }, withoutEffects: false },
    { what: { $case: "height", height: 1n }, withoutEffects: true },
    { what: { $case: "fact", fact: { height: 1n, index: 1n, n: 0n } }, withoutEffects: false },
    { what: { $case: "command", command: { author, id } }, withoutEffects: false },
    { what: { $case: "command", command: { author, id, height: 1n } }, withoutEffects: true },
  ] as const;
  const facts: (number | null)[] = [];
  for (const request of asked) {
    const { messages, code } = await all(client.prove(request));
    expect(code).toBe("");
    const proven = verifyProof(fileOf(messages), world.log.members);
    if (!proven.ok || proven.value.kind !== "inclusion") throw new Error("a proof");
    expect(proven.value.block.height).toBe(1);
    facts.push(proven.value.facts?.length ?? null);
  }
  expect(facts).toEqual([5, null, 1, 3, null]);
});

test("Prove refuses what is not there, not yet there, or no question", async () => {
  const client = await opened();
  const codeOf = async (request: Parameters<Client["prove"]>[0]) => (await all(client.prove(request))).code;
  const author = world.log.client.aid;
  const unknown = { author, id: Buffer.alloc(16, 7) };
  expect([
    await codeOf({ what: { $case: "height", height: 99n }, withoutEffects: false }),
    await codeOf({ what: { $case: "height", height: 5n }, withoutEffects: false }),
    await codeOf({ what: { $case: "fact", fact: { height: 1n, index: 9n, n: 0n } }, withoutEffects: false }),
    await codeOf({ what: { $case: "command", command: unknown }, withoutEffects: false }),
    await codeOf({ what: { $case: "command", command: { author, id: Buffer.alloc(3) } }, withoutEffects: false }),
    await codeOf({ what: undefined, withoutEffects: false }),
  ]).toEqual(["HEIGHT_UNKNOWN", "NOT_PROVABLE", "NOT_FOUND", "NOT_FOUND", "MALFORMED", "MALFORMED"]);
});

test("ProveConsistency proves an earlier head to be a prefix, and refuses one that the log never had", async () => {
  const client = await opened();
  const hash = Buffer.from(present(world.log.hashAt(height(2)), "a block"), "hex");
  const { messages } = await all(client.proveConsistency({ height: 2n, hash }));
  expect(verifyProof(fileOf(messages), world.log.members)).toMatchObject({
    ok: true,
    value: { older: { height: 2 }, newer: { height: 5 } },
  });
  expect((await all(client.proveConsistency({ height: 3n, hash }))).code).toBe("NOT_FOUND");
  expect((await all(client.proveConsistency({ height: 3n, hash: Buffer.alloc(5) }))).code).toBe("MALFORMED");
});

test("nobody but auditors and administrators gets anything", async () => {
  const client = await opened();
  world.caller = "EStranger" as Aid;
  const hash = Buffer.alloc(32);
  const codes = [
    (await all(client.readLog({ fromHeight: 0n }))).code,
    (await all(client.prove({ what: { $case: "height", height: 1n }, withoutEffects: true }))).code,
    (await all(client.proveConsistency({ height: 1n, hash }))).code,
    await new Promise((resolve) => {
      client.head({}, (error) => resolve(error?.metadata.get("sky-code")[0]));
    }),
  ];
  expect(codes).toEqual(Array.from({ length: 4 }, () => "PERMISSION_DENIED"));
});

test("a node that answers with another log's proof, or with bytes, is found out by its reader", async () => {
  const client = await opened();
  const other = new ProofWorld("other");
  other.block();
  const forgeries: readonly (readonly [Uint8Array, string])[] = [
    [other.file({ kind: "head" }), "PROOF_FOREIGN"],
    [renamed(other, world.log.ledgers.cluster), "PROOF_UNCERTIFIED"],
    [new Uint8Array(3_000_000).fill(0xc1), "MALFORMED"],
  ];
  for (const [forged, expected] of forgeries) {
    world.forged = forged;
    const { messages } = await all(client.prove({ what: { $case: "height", height: 1n }, withoutEffects: true }));
    const verdict = verifyProof(fileOf(messages), world.log.members);
    expect(verdict.ok ? "accepted" : verdict.refusal.code).toBe(expected);
  }
});

function renamed(other: ProofWorld, cluster: Digest): Uint8Array {
  const event = present(other.chain[1], "a block");
  if (event.proof.kind !== "finalization") throw new Error("certified");
  const { certificate, headers } = event.proof;
  return encodeProof(cluster, { kind: "head", head: { header: event.block.header, certificate, headers } });
}
