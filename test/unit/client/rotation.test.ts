/** A client's keys while it lives: whenever it dies, whatever is lost, and however long it runs, it goes on under the keys in force. */
import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Metadata, Server, type handleUnaryCall, status } from "@grpc/grpc-js";
import { afterAll, afterEach, describe, expect, it, test } from "vitest";
import type { Aid } from "../../../src/base/brands.ts";
import { decode } from "../../../src/base/codec.ts";
import { present } from "../../../src/base/errors.ts";
import { type Result, ok, refuse } from "../../../src/base/result.ts";
import type { IdentityStore } from "../../../src/client/identity.ts";
import { defaultPorts } from "../../../src/client/signing.ts";
import { type RotationEvent, type RotationPolicy, SkyClient } from "../../../src/client/sky-client.ts";
import { sha256Digest, signingBytes } from "../../../src/crypto/hash.ts";
import { isSignedBy } from "../../../src/crypto/key-set.ts";
import { type PeerIdentity, verifyPeerCertificate } from "../../../src/crypto/peer-certificate.ts";
import { SIGNED_BYTES_MAX, signedBodyShape, signedShape } from "../../../src/events/facts/command.ts";
import type { GraphChange } from "../../../src/events/facts/graph.ts";
import { keyTrust } from "../../../src/host/cluster/key-trust.ts";
import { ClientFolderStore, clientFiles, writeIdentity } from "../../../src/host/founding/client-folder.ts";
import { withFileLock } from "../../../src/host/founding/file-lock.ts";
import { openGrpcListener } from "../../../src/host/listeners/grpc-listener.ts";
import { skyOracle, skyOracleService } from "../../../src/host/services/sky-oracle.ts";
import { keyStateOf, newController, prepareInteraction, prepareRotation } from "../../../src/keri/controller.ts";
import { applyKerlFact } from "../../../src/keri/kerl-fold.ts";
import { MemoryKerl } from "../../../src/keri/kerl-overlay.ts";
import { judgeArrival } from "../../../src/keri/rules.ts";
import { StreamParser } from "../../../src/keri/stream.ts";
import {
  type GetKeyStateRequest,
  type GetKeyStateResponse,
  KerlServiceService,
} from "../../../src/wire/generated/sky/kerl/v1/kerl.ts";
import type { CommandOutcome } from "../../../src/wire/outcome.ts";
import { selfSigned } from "../../contract/grpc/support/certificates.ts";
import { CLUSTER, NodeInMemory } from "../../contract/grpc/support/node-in-memory.ts";

const directory = mkdtempSync(join(tmpdir(), "sky-rotation-"));
afterAll(() => rmSync(directory, { recursive: true }));
const tls = selfSigned("node");
const random = (length: number): Uint8Array => defaultPorts.randomBytes(length);
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

/** The real rules of key events and of connections, before a node of one. */
class RotatingNode extends NodeInMemory {
  readonly kerl = new MemoryKerl();
  /** By command id: sequence numbers of the key states that it was signed under. */
  readonly signedUnder = new Map<string, number[]>();
  /** Of every connection that was let in. */
  readonly connections: PeerIdentity[] = [];
  /** The answer to this submission is lost, and what it asks for done or not; from then on nobody answers. */
  fails: { readonly at: number; readonly done: boolean } | undefined;
  isDown = false;
  /** Of every key event. */
  refusal: { readonly code: string; readonly message: string } | undefined;
  now = (): number => Date.now();

  /** The log has what is appended, and it waits there. */
  escrows = false;

  append(stream: Uint8Array): readonly boolean[] {
    if (this.escrows) return [true];
    const parser = new StreamParser();
    return [...parser.push(stream).messages, ...parser.end().messages].map((message) => {
      const judged = judgeArrival(this.kerl, message, { height: 0 });
      if (!judged.ok) throw new Error(judged.refusal.message);
      for (const fact of judged.value.facts) applyKerlFact(this.kerl, fact, 0);
      return judged.value.facts.length > 0;
    });
  }

  override async submitSigned(bytes: Uint8Array, deadlineMs: number): Promise<Result<readonly CommandOutcome[]>> {
    if (this.isDown) return refuse("UNAVAILABLE", "The node is down.", "none");
    if (this.fails?.at === this.submissions) {
      this.isDown = true;
      if (this.fails.done) await this.#settled(bytes, deadlineMs);
      return refuse("OUTCOME_UNKNOWN", "The answer is lost.", "none");
    }
    return this.#settled(bytes, deadlineMs);
  }

  async #settled(bytes: Uint8Array, deadlineMs: number): Promise<Result<readonly CommandOutcome[]>> {
    const signed = decode(signedShape, bytes, SIGNED_BYTES_MAX + 8_192);
    const body = signed.ok ? decode(signedBodyShape, signed.value.body, SIGNED_BYTES_MAX) : signed;
    if (!signed.ok || !body.ok) throw new Error("the client sends whole batches");
    const { author, keyState, commands } = body.value;
    for (const { id } of commands) this.signedUnder.set(id, [...(this.signedUnder.get(id) ?? []), keyState.sn]);
    const state = present(this.kerl.keyState(author), "the author is known");
    if (state.said !== keyState.said) {
      this.submissions += 1;
      return refuse("STALE_KEY_STATE", "The batch was signed under a key state that is not the newest.");
    }
    expect(isSignedBy(state, signingBytes("signed", CLUSTER, signed.value.body), signed.value.signatures)).toBe(true);
    if (commands.every(({ kind }) => kind === "graph.write")) {
      this.keys.set(author, present(state.keys[0], "a key").bytes);
      return super.submitSigned(bytes, deadlineMs);
    }
    this.submissions += 1;
    const { refusal } = this;
    return ok(
      commands.map(({ id, payload }) => ({
        id,
        receipt: { height: this.height(), index: 0, blockHash: sha256Digest(payload) },
        result:
          refusal === undefined ? { kind: "executed", changed: this.append(payload) } : { kind: "refused", ...refusal },
      })),
    );
  }
}

async function listening(node: RotatingNode): Promise<string> {
  const server = new Server();
  const listener = await openGrpcListener<PeerIdentity>({
    host: "127.0.0.1",
    port: 0,
    tls,
    server,
    authenticate: (certificate) => {
      const judged = verifyPeerCertificate(certificate, {
        cluster: CLUSTER,
        now: node.now(),
        ...keyTrust((aid) => node.kerl.keyState(aid)),
      });
      if (judged.ok) node.connections.push(judged.value);
      return judged;
    },
  });
  server.addService(
    skyOracleService,
    skyOracle({ port: node, callerOf: listener.callerOf, onDefect: (error) => expect.unreachable(String(error)) }),
  );
  server.addService({ getKeyState: KerlServiceService.getKeyState }, { getKeyState: getKeyState(node) });
  cleanups.push(async () => {
    await listener.close(0);
    server.forceShutdown();
  });
  return `127.0.0.1:${listener.port}`;
}

/** Nobody who asks looks at the keys. */
const stateNaming = (aid: string, sn: number, said: string): GetKeyStateResponse => {
  const ref = { sn: BigInt(sn), said };
  const threshold = { threshold: "1", nextThreshold: "1", witnessThreshold: 0 };
  const lists = { keys: [], nextDigests: [], witnesses: [], traits: [] };
  const keyState = { aid, latest: ref, latestType: "ixn", establishment: ref, ...threshold, ...lists, delegator: "" };
  return { keyState, height: 0n, blockHash: Buffer.alloc(32) };
};

const getKeyState =
  ({ kerl }: RotatingNode): handleUnaryCall<GetKeyStateRequest, GetKeyStateResponse> =>
  ({ request: { aid, at } }, answer) => {
    const sn = at?.$case === "sn" ? Number(at.sn) : expect.unreachable("only a sequence number is asked for");
    const event = kerl.eventAt(aid as Aid, sn);
    const metadata = new Metadata();
    metadata.set("sky-code", "NOT_FOUND");
    if (event === undefined) answer({ code: status.NOT_FOUND, details: "There is none.", metadata });
    else answer(null, stateNaming(aid, sn, event.said));
  };

interface World {
  readonly node: RotatingNode;
  readonly folder: string;
  readonly store: ClientFolderStore;
  readonly open: (store?: IdentityStore, certificateLifetimeMs?: number, policy?: RotationPolicy) => Promise<SkyClient>;
}

let folders = 0;
async function world(): Promise<World> {
  const folder = mkdtempSync(join(directory, `${folders++}-`));
  const identity = newController(random);
  writeIdentity(folder, identity, CLUSTER);
  const node = new RotatingNode();
  node.append(identity.kel);
  node.readers.add(identity.aid);
  const endpoint = await listening(node);
  const store = new ClientFolderStore(folder);
  const open = async (
    kept: IdentityStore = store,
    certificateLifetimeMs?: number,
    policy?: RotationPolicy,
  ): Promise<SkyClient> => {
    const client = await SkyClient.open({
      endpoints: [endpoint],
      ca: Buffer.from(tls.cert),
      serverName: "localhost",
      identity: kept,
      ...(certificateLifetimeMs !== undefined && { certificateLifetimeMs }),
      ...policy,
      ports: { now: () => node.now(), randomBytes: random },
      readTimeoutMs: 60_000,
    });
    cleanups.push(() => client.close());
    return client;
  };
  return { node, folder, store, open };
}

const member = (name: string) => ({ namespace: "org", name, relation: { namespace: "org", name: "member" } });
const mayRead = (name: string) => ({ subject: member(name), object: member("document") });
const granted = (name: string): GraphChange => ({ kind: "addAssertion", assertion: mayRead(name) });

/** A store whose process dies at one of its writes: before it, or once it is on disk. */
const dyingAt = (store: IdentityStore, [write, when]: readonly [number, "before" | "after"]): IdentityStore => {
  let writes = 0;
  return {
    role: store.role,
    read: () => store.read(),
    update: (change) => {
      writes += 1;
      if (writes === write && when === "before") throw new Error("died");
      const changed = store.update(change);
      if (writes === write) throw new Error("died");
      return changed;
    },
  };
};

describe("a rotation that is interrupted at any point is finished by the next life, or never was", () => {
  const points = [
    ["before anything is kept", { write: [1, "before"], sn: 0 }],
    ["when the pending rotation is kept", { write: [1, "after"], sn: 1 }],
    ["when it is submitted and lost", { fails: { at: 1, done: false }, sn: 1 }],
    ["when it is executed and the answer lost", { fails: { at: 1, done: true }, sn: 1 }],
    ["when the new keys are tried and the answer lost", { fails: { at: 2, done: true }, sn: 1 }],
    ["when it is in force and not kept as such", { write: [2, "before"], sn: 1 }],
    ["when everything is kept", { write: [2, "after"], sn: 1 }],
  ] as const;
  it.each(points)("%s", async (_when, point) => {
    const { node, store, open } = await world();
    if ("fails" in point) node.fails = point.fails;
    const dying = await open("write" in point ? dyingAt(store, point.write) : store);
    // The submissions count from the first write, so that the rotation's are the next ones.
    await dying.write([granted("before")]);
    await expect(dying.rotate({ timeoutMs: 400 })).rejects.toThrow();
    dying.close();
    node.isDown = false;
    node.fails = undefined;

    const next = await open();
    expect(await next.write([granted("after")])).toMatchObject({ changed: [true] });
    const settled = await next.change(null);
    expect(settled).toMatchObject({ sn: point.sn, kept: { pending: null } });
    expect(node.kerl.keyState(settled.kept.aid)).toEqual(keyStateOf(store.read()));
    expect(await next.rotate()).toMatchObject({ sn: point.sn + 1 });
    expect(node.kerl.keyState(settled.kept.aid)).toEqual(keyStateOf(store.read()));
    expect(await next.write([granted("again")])).toMatchObject({ changed: [true] });
  });
});

test("a rotation that the log refuses for good stays pending, and whoever rotates is told what and how to go on", async () => {
  const { node, store, open } = await world();
  const client = await open();
  node.refusal = { code: "KERI_RULE", message: "The rule says no." };
  for (let time = 0; time < 2; time++)
    await expect(client.rotate()).rejects.toMatchObject({
      code: "KERI_RULE",
      retryable: false,
      message: expect.stringMatching(/event 1 .*The rule says no\..*sky kel discard/),
    });
  expect(store.read().pending).toMatchObject({ sn: 1 });
  // What may still be taken is no such refusal.
  node.refusal = { code: "KERI_ESCROW_FULL", message: "Come back." };
  await expect(client.rotate()).rejects.toMatchObject({ code: "KERI_ESCROW_FULL", message: "Come back." });
  node.refusal = undefined;
  expect(await client.rotate()).toMatchObject({ sn: 1, kept: { pending: null } });
});

test("what older keys signed is signed anew under the same ids, when another process has rotated them", async () => {
  const { node, open } = await world();
  const [one, other] = [await open(), await open()];
  await one.write([granted("first")]);
  expect(await other.rotate()).toMatchObject({ sn: 1 });
  const writes = one.writeStream();
  const written = await Promise.all([
    one.write([granted("a")]),
    one.write([granted("b")]),
    writes.write([granted("c")]),
  ]);
  writes.end();
  for (const { id, changed } of written) {
    expect(changed).toEqual([true]);
    expect(new Set(node.signedUnder.get(id))).toEqual(new Set([0, 1]));
  }
  expect(one.keyState.sn).toBe(1);
  expect(await one.check(mayRead("c"))).toMatchObject({ result: true });
});

test("two processes that rotate at the same time make one rotation, or two that follow each other", async () => {
  const { node, store, open } = await world();
  const clients = [await open(), await open(), await open()];
  const rotated = await Promise.all(clients.map((client) => client.rotate()));
  const sn = Math.max(...rotated.map((changed) => changed.sn));
  const { aid, pending } = store.read();
  expect(pending).toBeNull();
  expect(node.kerl.keyState(aid)).toEqual(keyStateOf(store.read()));
  expect(keyStateOf(store.read()).sn).toBe(sn);
  for (const [i, client] of clients.entries())
    expect(await client.write([granted(`w${i}`)])).toMatchObject({ changed: [true] });
});

test("keys that were rotated elsewhere, by a copy, are told of after a while, and nothing is retried for ever", async () => {
  const { node, store, open } = await world();
  const client = await open();
  await client.write([granted("a")]);
  const prepared = prepareRotation(store.read(), { after: [random(32)] });
  node.append(present(prepared.ok ? prepared.value.pending : null, "prepared").stream);
  const call = { timeoutMs: 600_000 };
  await expect(client.write([granted("b")], call)).rejects.toMatchObject({ code: "STALE_KEY_STATE", retryable: false });
});

test("an old copy of a folder that is one rotation behind is told so, long before its deadline", async () => {
  const { folder, open } = await world();
  const copy = mkdtempSync(join(directory, "copy-"));
  for (const name of readdirSync(folder)) copyFileSync(join(folder, name), join(copy, name));
  const current = await open();
  await current.rotate();
  const old = new ClientFolderStore(copy);
  const client = await open(old);
  const call = { timeoutMs: 600_000 };
  await expect(client.rotate(call)).rejects.toMatchObject({
    code: "NOT_IN_FORCE",
    retryable: false,
    message: expect.stringMatching(/Use the newest copy/),
  });
  expect(old.read().pending).not.toBeNull();
  expect(await current.write([granted("a")])).toMatchObject({ changed: [true] });
});

describe("an interaction is settled when it has its place in the log", () => {
  const seals = (said: string) => [{ d: said }];
  const [one, other] = [`E${"A".repeat(43)}`, `E${"A".repeat(42)}B`];

  test("in force: it is kept, and the next one follows it", async () => {
    const { store, open } = await world();
    const client = await open();
    expect(await client.interact(seals(one))).toMatchObject({ sn: 0, kept: { pending: null } });
    expect(await client.interact(seals(other))).toMatchObject({ kept: { pending: null } });
    expect(store.read().pending).toBeNull();
  });

  test("a copy's event has the place: it is told, stays begun and is in the way until it is discarded", async () => {
    const { node, store, open } = await world();
    const client = await open();
    const rival = prepareInteraction(store.read(), seals(one));
    node.append(present(rival.ok ? rival.value.pending : null, "prepared").stream);
    for (let time = 0; time < 2; time++)
      await expect(client.interact(seals(other))).rejects.toMatchObject({
        code: "KERI_DUPLICITOUS",
        retryable: false,
        message: expect.stringMatching(/event 1 .*has its place.*sky kel discard/),
      });
    expect(store.read().pending).toMatchObject({ sn: 1 });
  });

  test("it waits in the log: it stays begun, and is finished once the log has it in force", async () => {
    const { node, store, open } = await world();
    const client = await open();
    node.escrows = true;
    await expect(client.interact(seals(one))).rejects.toMatchObject({ code: "NOT_IN_FORCE", retryable: true });
    expect(store.read().pending).toMatchObject({ sn: 1 });
    node.escrows = false;
    expect(await client.interact(seals(other))).toMatchObject({ kept: { pending: null } });
    expect(node.kerl.eventAt(store.read().aid, 1)).toMatchObject({ type: "ixn" });
  });
});

test("an old copy of a folder is told that it is refused, whatever it asks, and what it began stays begun", async () => {
  const { node, folder, open } = await world();
  const copy = mkdtempSync(join(directory, "copy-"));
  for (const name of readdirSync(folder)) copyFileSync(join(folder, name), join(copy, name));
  const current = await open();
  // Twice: the copy has the keys after the first rotation, too.
  await current.rotate();
  await current.rotate();
  const { size } = node.signedUnder;
  const old = new ClientFolderStore(copy);
  const client = await open(old);
  const refused = { code: "IDENTITY_REFUSED", retryable: false };
  const call = { timeoutMs: 600_000 };
  await expect(client.check(mayRead("a"), call)).rejects.toMatchObject(refused);
  await expect(client.write([granted("a")], call)).rejects.toMatchObject(refused);
  await expect(client.rotate(call)).rejects.toMatchObject(refused);
  expect(old.read().pending).not.toBeNull();
  expect(node.signedUnder.size).toBe(size);
  expect(await current.check(mayRead("a"))).toMatchObject({ result: false });
});

test("a certificate is renewed in time while the client lives, and its connection moves without a failed call", async () => {
  const { node, folder, open } = await world();
  const lifetimeMs = 3_600_000;
  let minutes = 0;
  node.now = () => Date.now() + minutes * 60_000;
  const client = await open(undefined, lifetimeMs);
  await client.write([granted("a")]);
  const first = present(node.connections[0], "a connection");
  for (minutes = 15; minutes <= 300; minutes += 15)
    expect(await client.write([granted(`minute ${minutes}`)])).toMatchObject({ changed: [true] });
  const ends = node.connections.map(({ notAfter }) => notAfter);
  expect(ends.length).toBeGreaterThan(4);
  expect(ends).toEqual(ends.toSorted((a, b) => a - b));
  expect(Math.max(...ends)).toBeGreaterThan(first.notAfter + 3 * lifetimeMs);
  expect(readFileSync(clientFiles(folder).certificate, "utf8")).toContain("BEGIN CERTIFICATE");
  // It slept past the end of its certificate: the next call renews it first.
  const before = node.connections.length;
  minutes += 300;
  expect(await client.check(mayRead("a"), { atLeast: null })).toMatchObject({ result: true });
  expect(node.connections.length).toBe(before + 1);
});

test("a client whose keys are older than it was told rotates while it calls; what fails is told and tried again", async () => {
  const { node, store, folder, open } = await world();
  let hours = 0;
  node.now = () => Date.now() + hours * 3_600_000;
  const told: RotationEvent[] = [];
  const dated = new ClientFolderStore(folder, () => node.now());
  const policy = { rotateEveryMs: 24 * 3_600_000, onRotation: (event: RotationEvent) => void told.push(event) };
  const events = (count: number) => expect.poll(() => told).toHaveLength(count);
  const client = await open(dated, undefined, policy);
  // Nobody wrote down since when: that counts as older.
  await client.write([granted("unknown")]);
  await events(1);
  expect(told[0]).toMatchObject({ kind: "rotated", keyState: { sn: 1 } });
  expect(store.read().since).toBeGreaterThan(Date.now() - 60_000);
  const sn = async (name: string): Promise<number> => {
    expect(await client.write([granted(name)])).toMatchObject({ changed: [true] });
    await client.change(null);
    return client.keyState.sn;
  };
  hours = 23;
  expect(await sn("young")).toBe(1);
  hours = 25;
  node.refusal = { code: "KERI_ESCROW_FULL", message: "Come back." };
  await client.write([granted("old")]);
  await events(2);
  expect(told[1]).toMatchObject({ kind: "failed", error: { code: "KERI_ESCROW_FULL" } });
  node.refusal = undefined;
  await client.check(mayRead("old"));
  expect([client.keyState.sn, told.length]).toEqual([1, 2]);
  hours = 26;
  await client.write([granted("again")]);
  await events(3);
  expect(told[2]).toMatchObject({ kind: "rotated", keyState: { sn: 2 } });
  // Another process of the same folder has rotated: nothing is left to do, and nothing is told.
  hours = 52;
  const other = await open(dated);
  expect(await other.rotate()).toMatchObject({ sn: 3 });
  expect(await sn("rotated elsewhere")).toBe(3);
  expect(told).toHaveLength(3);
  await expect(open(dated, undefined, { rotateEveryMs: 1_000 })).rejects.toMatchObject({ code: "MALFORMED" });
});

test("the lock of a process that died is taken over, and a live one's is waited for", () => {
  const path = join(directory, "locked");
  writeFileSync(`${path}.lock`, "999999999");
  expect(withFileLock(path, () => "changed")).toBe("changed");
  writeFileSync(`${path}.lock`, String(process.ppid));
  expect(() => withFileLock(path, () => expect.unreachable(), 50)).toThrow(/is being changed by process/);
  rmSync(`${path}.lock`);
  expect(withFileLock(path, () => "changed", 50)).toBe("changed");
});
