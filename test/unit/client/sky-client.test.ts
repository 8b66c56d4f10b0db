import { Server } from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import { type Aid, type CommandId, type Said, height } from "../../../src/base/brands.ts";
import { ok, refuse } from "../../../src/base/result.ts";
import { SkyError } from "../../../src/client/errors.ts";
import { KerlClient } from "../../../src/client/kerl-client.ts";
import { defaultPorts, ed25519Signer, newCommandId } from "../../../src/client/signing.ts";
import { SkyClient, type SkyClientOptions } from "../../../src/client/sky-client.ts";
import { publicKeyOf } from "../../../src/crypto/ed25519.ts";
import type { GraphChange, GraphNode } from "../../../src/events/facts/graph.ts";
import { type GrpcListener, openGrpcListener } from "../../../src/host/listeners/grpc-listener.ts";
import { skyOracle, skyOracleService } from "../../../src/host/services/sky-oracle.ts";
import { selfSigned } from "../../contract/grpc/support/certificates.ts";
import { CLUSTER, NodeInMemory } from "../../contract/grpc/support/node-in-memory.ts";

const ALICE = "EAlice" as Aid;
const SEED = new Uint8Array(32).fill(7);
const tls = selfSigned("node");
const identity = selfSigned("alice");

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

interface Door {
  readonly listener: GrpcListener;
  readonly endpoint: string;
  readonly close: () => Promise<void>;
}

/** A listener over the node: several of them are several nodes of a cluster that agree at once. */
async function door(node: NodeInMemory, refuses: () => string | undefined = () => undefined): Promise<Door> {
  node.keys.set(ALICE, publicKeyOf(SEED));
  node.readers.add(ALICE);
  const server = new Server();
  const listener = await openGrpcListener({
    host: "127.0.0.1",
    port: 0,
    tls,
    server,
    authenticate: () => {
      const code = refuses();
      return code === undefined ? ok({ aid: ALICE, role: "client" }) : refuse(code, "not told");
    },
  });
  server.addService(
    skyOracleService,
    skyOracle({ port: node, callerOf: listener.callerOf, onDefect: (error) => expect.unreachable(String(error)) }),
  );
  const close = async (): Promise<void> => {
    await listener.close(0);
    server.forceShutdown();
  };
  cleanups.push(close);
  return { listener, endpoint: `127.0.0.1:${listener.port}`, close };
}

const clientOptions = (doors: readonly Door[]): SkyClientOptions => ({
  endpoints: doors.map(({ endpoint }) => endpoint),
  ca: Buffer.from(tls.cert),
  cert: Buffer.from(identity.cert),
  key: Buffer.from(identity.key),
  serverName: "localhost",
  cluster: CLUSTER,
  signer: ed25519Signer(ALICE, { sn: 0, said: "ESaid" as Said }, SEED),
  readTimeoutMs: 60_000, // calls that are to end by their deadline say another
});

function clientOf(doors: readonly Door[], options: Partial<SkyClientOptions> = {}): SkyClient {
  const client = SkyClient.connect({ ...clientOptions(doors), ...options });
  cleanups.push(() => client.close());
  return client;
}

const node = (name: string): GraphNode => ({ namespace: "org", name, relation: { namespace: "org", name: "member" } });
const view = node("document");
const granted = (name: string): GraphChange => ({
  kind: "addAssertion",
  assertion: { subject: node(name), object: view },
});
const mayView = (name: string) => ({ subject: node(name), object: view });

describe("the client", () => {
  it("reads what it wrote, also on a node that is behind", async () => {
    const graph = new NodeInMemory();
    const client = clientOf([await door(graph)]);
    expect(await client.write([granted("a"), granted("a")])).toMatchObject({
      changed: [true, false],
      receipt: { height: 1 },
    });
    expect(client.receipt).toMatchObject({ height: 1, index: 0 });
    expect(await client.check(mayView("a"))).toEqual({ result: true, height: 1 });
    expect((await client.checkBatch([mayView("a"), mayView("b")])).results).toEqual([true, false]);
    expect(await client.checkAt(client.receipt?.height ?? expect.unreachable(), [mayView("a")])).toEqual([true]);
    const behind = clientOf([await door(new NodeInMemory())]);
    expect(await behind.check(mayView("a"), { atLeast: null })).toEqual({ result: false, height: 0 });
    const stale = behind.check(mayView("a"), { atLeast: client.receipt ?? null, timeoutMs: 300 });
    await expect(stale).rejects.toMatchObject({ code: expect.stringMatching(/BEHIND|DEADLINE_EXCEEDED/) });
  });

  it("is told why a check is true or false, now and at a past height, as fresh as what it wrote", async () => {
    const graph = new NodeInMemory();
    const client = clientOf([await door(graph)]);
    await client.write([{ kind: "mapSubject", edge: { parent: node("ali"), child: node("team") } }]);
    const before = client.newestHeight;
    const { receipt } = await client.write([granted("team")]);
    const now = await client.explain(mayView("ali"));
    expect(now).toEqual({ ...graph.explain(mayView("ali")), height: receipt.height });
    expect(now.path?.subjectMaps).toEqual([{ parent: node("ali"), child: node("team") }]);
    const then = await client.explain(mayView("ali"), { at: before });
    expect(then).toMatchObject({ ...mayView("ali"), result: false, path: null, height: before });
    expect(then.tried?.subjects.map(({ node: { name }, via }) => [name, via?.name])).toEqual([
      ["ali", undefined],
      ["team", "ali"],
    ]);
    expect(await client.explain(mayView("nobody"))).toEqual({
      ...graph.explain(mayView("nobody")),
      height: receipt.height,
    });
    await expect(client.explain(mayView("ali"), { at: height(9) })).rejects.toMatchObject({ code: "HEIGHT_UNKNOWN" });
  });

  it("gives TLS no address as the server's name", async () => {
    const warnings: string[] = [];
    const hear = (warning: Error & { readonly code?: string }): void => void warnings.push(warning.code ?? "");
    process.on("warning", hear);
    const { serverName: _none, ...options } = clientOptions([await door(new NodeInMemory())]);
    const client = SkyClient.connect(options);
    cleanups.push(() => client.close());
    expect(await client.check(mayView("a"))).toEqual({ result: false, height: 0 });
    process.off("warning", hear);
    expect(warnings).not.toContain("DEP0123");
  });

  it("signs writes of one turn once", async () => {
    const graph = new NodeInMemory();
    const client = clientOf([await door(graph)]);
    const written = await Promise.all(Array.from({ length: 50 }, (_, i) => client.write([granted(`s${i}`)])));
    expect(new Set(written.map(({ id }) => id)).size).toBe(50);
    expect(graph.submissions).toBe(1);
    const outcomes = await client.writeAll([
      { changes: [granted("a")], preconditions: [] },
      { changes: [granted("b")], preconditions: [{ kind: "mustNotExist", assertion: mayView("a") }] },
    ]);
    expect(outcomes.map(({ result }) => result.kind)).toEqual(["executed", "refused"]);
    expect(graph.submissions).toBe(2);
  });

  it("throws a refusal as a typed error that is not retried", async () => {
    const graph = new NodeInMemory();
    const client = clientOf([await door(graph)]);
    const map = (parent: string, child: string): GraphChange => ({
      kind: "mapSubject",
      edge: { parent: node(parent), child: node(child) },
    });
    await client.write([map("a", "b")]);
    const refused = await client.write([map("b", "a")]).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(SkyError);
    expect(refused).toMatchObject({ code: "CYCLE", retryable: false });
    expect(graph.submissions).toBe(2);
    await expect(client.write([granted("Gu\u0308l")])).rejects.toMatchObject({ code: "NAME_NOT_NFC" });
    await expect(client.write([])).rejects.toMatchObject({ code: "EMPTY_MESSAGE" });
    expect(graph.submissions).toBe(2);
  });

  it("refuses streams of key events that are empty or too long before it sends them", async () => {
    const graph = new NodeInMemory();
    const options = clientOptions([await door(graph)]);
    const [client, kerl] = [clientOf([await door(graph)]), KerlClient.connect(options)];
    cleanups.push(() => kerl.close());
    for (const append of [client.append.bind(client), kerl.append.bind(kerl)]) {
      await expect(append(new Uint8Array(262_145))).rejects.toMatchObject({ code: "TOO_LARGE", retryable: false });
      await expect(append(new Uint8Array(0))).rejects.toMatchObject({ code: "EMPTY_MESSAGE" });
    }
    expect(graph.submissions).toBe(0);
  });

  it("does a write once though its answer was lost, and asks another node", async () => {
    const graph = new NodeInMemory();
    const doors = [await door(graph), await door(graph)];
    const client = clientOf(doors);
    graph.loseAnswers = 1;
    const { receipt } = await client.write([granted("a")]);
    expect(receipt.height).toBe(1);
    expect(graph.height()).toBe(1);
    expect(graph.submissions).toBe(2);
    expect(doors.map(({ listener }) => listener.connections())).toEqual([1, 1]);
  });

  it("goes on with another node when one is gone, for writes and reads", async () => {
    const graph = new NodeInMemory();
    const [first, second] = [await door(graph), await door(graph)];
    const client = clientOf([first, second]);
    await client.write([granted("a")]);
    await first.close();
    expect(await client.write([granted("b")])).toMatchObject({ changed: [true] });
    expect((await client.check(mayView("b"))).result).toBe(true);
    expect(second.listener.connections()).toBe(1);
  });

  it("waits as long as an overloaded node asks, then succeeds", async () => {
    const graph = new NodeInMemory();
    const client = clientOf([await door(graph)]);
    graph.refuseNext.push(
      refuse("OVERLOADED", "Full; try again later.", "none"),
      refuse("OVERLOADED", "Full; try again later.", "none"),
    );
    expect(await client.write([granted("a")])).toMatchObject({ changed: [true] });
    expect(graph.submissions).toBe(3);
  });

  it("says that the outcome is unknown when no node answers in time, and the same id is safe", async () => {
    const graph = new NodeInMemory();
    const client = clientOf([await door(graph)]);
    await client.check(mayView("a")); // it is connected
    const release = graph.hold();
    const id = "ab".repeat(16) as CommandId;
    await expect(client.write([granted("a")], { id, timeoutMs: 200 })).rejects.toMatchObject({
      code: "OUTCOME_UNKNOWN",
      retryable: true,
    });
    release();
    expect(await client.write([granted("a")], { id })).toMatchObject({ id, changed: [true], receipt: { height: 1 } });
    expect(graph.height()).toBe(1);
  });

  it.each(["CERTIFICATE_KEY_ROTATED", "CERTIFICATE_REVOKED"])(
    "says in time that the cluster refuses the identity, also when a node is down: %s",
    async (code) => {
      const graph = new NodeInMemory();
      const doors = await Promise.all(Array.from({ length: 4 }, () => door(graph, () => code)));
      await doors[1]?.close();
      for (const endpoints of [doors, doors.slice(0, 1), doors.slice(0, 2)]) {
        const client = clientOf(endpoints);
        // Who waited for the deadline of the call would outlast the test.
        const call = { timeoutMs: 600_000 };
        const message = expect.stringMatching(/its keys were rotated elsewhere/);
        const expected = { code: "IDENTITY_REFUSED", retryable: false, message };
        await Promise.all([
          expect(client.write([granted("a")], call)).rejects.toMatchObject(expected),
          expect(client.check(mayView("a"), call)).rejects.toMatchObject(expected),
          expect(client.writeStream().write([granted("a")], call)).rejects.toMatchObject(expected),
          expect(client.expandSubjects(view, call).next()).rejects.toMatchObject(expected),
        ]);
      }
      expect(graph.submissions).toBe(0);
    },
  );

  it("goes to another node when one, behind or lying, refuses the identity; and back when it no longer does", async () => {
    const graph = new NodeInMemory();
    let refuses: string | undefined = "CERTIFICATE_KEY_ROTATED";
    const doors = [await door(graph, () => refuses), await door(graph)];
    const client = clientOf(doors);
    expect(await client.write([granted("a")])).toMatchObject({ changed: [true] });
    const one = clientOf(doors.slice(0, 1));
    const checked = one.check(mayView("a"), { timeoutMs: 60_000 });
    setTimeout(() => {
      refuses = undefined;
    }, 300);
    expect(await checked).toMatchObject({ result: true });
  });

  it("never says that the outcome is unknown where no connection ever stood", async () => {
    const graph = new NodeInMemory();
    const gone = await door(graph);
    await gone.close();
    const dropping = await door(graph, () => "CERTIFICATE_OTHER_CLUSTER");
    const expected = { code: "UNAVAILABLE", retryable: true, message: expect.stringMatching(/nothing was sent/i) };
    for (const doors of [[gone], [dropping], [gone, dropping]]) {
      const client = clientOf(doors);
      await Promise.all([
        expect(client.write([granted("a")], { timeoutMs: 700 })).rejects.toMatchObject(expected),
        expect(client.check(mayView("a"), { timeoutMs: 700 })).rejects.toMatchObject(expected),
        expect(client.writeStream().write([granted("a")], { timeoutMs: 700 })).rejects.toMatchObject(expected),
      ]);
    }
    expect(graph.submissions).toBe(0);
  });

  it.each(["OVERLOADED", "SEALED", "EXPIRED", "PERMISSION_DENIED"])(
    "says that the outcome is unknown when one node may have done the write, whatever it is told afterwards: %s",
    async (code) => {
      const graph = new NodeInMemory();
      let passed = 0;
      const client = clientOf([await door(graph)], { ports: { ...defaultPorts, now: () => Date.now() + passed } });
      const release = graph.hold();
      const id = newCommandId();
      const written = client.write([granted("a")], { id, timeoutMs: 600_000 });
      const failed = written.catch((error: unknown) => error); // however soon it comes, it is looked at below
      await expect.poll(() => graph.submissions).toBe(1);
      graph.loseAnswers = 1;
      graph.refuseNext.push(...Array.from({ length: 10_000 }, () => refuse(code, "Not now.", "none")));
      release();
      await Promise.race([failed, expect.poll(() => graph.submissions).toBeGreaterThan(1)]);
      passed = 600_000; // its time is over, if it still tries
      await expect(written).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN", retryable: true });
      expect(graph.submissions).toBeGreaterThan(1);
      graph.refuseNext.length = 0;
      expect(await client.write([granted("a")], { id })).toMatchObject({ changed: [true], receipt: { height: 1 } });
    },
  );

  it("never goes back in time when it moves to a node that is behind, also when it has written nothing itself", async () => {
    const [ahead, behind] = [new NodeInMemory(), new NodeInMemory()];
    const doors = [await door(ahead), await door(behind)];
    await clientOf(doors).write([granted("a")]);
    const reader = clientOf(doors);
    expect(await reader.check(mayView("a"))).toEqual({ result: true, height: 1 });
    await doors[0]?.close();
    const stale = reader.check(mayView("a"), { timeoutMs: 400 });
    await expect(stale).rejects.toMatchObject({ code: expect.stringMatching(/BEHIND|UNAVAILABLE|DEADLINE_EXCEEDED/) });
    expect(await reader.check(mayView("a"), { atLeast: null })).toEqual({ result: false, height: 0 });
    await clientOf([...doors].slice(1)).write([granted("a")]); // the node catches up
    expect(await reader.check(mayView("a"))).toEqual({ result: true, height: 1 });
  });

  it("says what the last node said, and not that the time was up while another was asked", async () => {
    const [hurried, patient] = [new NodeInMemory(), new NodeInMemory()];
    hurried.isHurried = true; // the other one may wait until nobody hears it any more
    const doors = [await door(hurried), await door(patient)];
    for (const some of [doors, doors.slice(0, 1)]) {
      const client = clientOf(some);
      await client.check(mayView("a")); // it is connected
      const asked = client.check(mayView("a"), { atLeast: height(9), timeoutMs: 1_000 });
      await expect(asked).rejects.toMatchObject({ code: "BEHIND", retryable: true });
    }
  });

  it("goes on with honest nodes after one that lied about heights, to reads and to writes: it costs failed reads, not the client", async () => {
    const graph = new NodeInMemory();
    const liar = new NodeInMemory();
    const lie = height(2 ** 40);
    liar.height = () => lie;
    const [lying, ...honest] = [await door(liar), await door(graph), await door(graph), await door(graph)];
    await clientOf(honest).write([granted("a")]);
    const client = clientOf([lying, ...honest]);
    expect((await client.write([granted("b")])).receipt.height).toBe(lie);
    expect((await client.check(mayView("b"))).height).toBe(lie);
    expect([client.newestHeight, client.receipt?.height]).toEqual([lie, lie]);
    await lying.close();
    const checks = client.checkStream();
    const failed = client.check(mayView("a"), { timeoutMs: 2_500 });
    await expect(failed).rejects.toMatchObject({ code: expect.stringMatching(/BEHIND|UNAVAILABLE|DEADLINE_EXCEEDED/) });
    const read = (): Promise<boolean> => checks.check(mayView("a"), { timeoutMs: 600 });
    await expect.poll(() => read().catch(String), { interval: 1 }).toBe(true);
    expect(client.newestHeight).toBe(1);
    expect(client.receipt).toBeUndefined();
    checks.end();
  });

  it("answers as fresh as a height that another client was told", async () => {
    const graph = new NodeInMemory();
    const at = await door(graph);
    const reader = clientOf([at]);
    const early = reader.check(mayView("a"), { atLeast: height(1), timeoutMs: 60_000 });
    await clientOf([at]).write([granted("a")]);
    expect(await early).toEqual({ result: true, height: 1 });
    expect(reader.newestHeight).toBe(1);
  });

  it("finds nodes directly and by expansion, across pages", async () => {
    const client = clientOf([await door(new NodeInMemory())]);
    await client.write(Array.from({ length: 25 }, (_, i) => granted(`s${String(i).padStart(2, "0")}`)));
    expect((await client.readSubjects([view])).nodes).toHaveLength(25);
    expect(
      (await client.readObjects([node("s00")], { predicate: { namespace: "org", name: "member" } })).nodes,
    ).toEqual([view]);
    const sizes: number[] = [];
    for await (const page of client.expandSubjects(view, { pageSize: 10 })) sizes.push(page.nodes.length);
    expect(sizes).toEqual([10, 10, 5]);
    for await (const page of client.expandObjects(node("s24"))) expect(page.nodes).toEqual([view]);
  });

  it("checks and writes over streams, and reopens them on another node when one breaks", async () => {
    const graph = new NodeInMemory();
    const [first, second] = [await door(graph), await door(graph)];
    const client = clientOf([first, second]);
    const writes = client.writeStream();
    const checks = client.checkStream();
    await Promise.all(Array.from({ length: 300 }, (_, i) => writes.write([granted(`s${i}`)])));
    const answers = await Promise.all(Array.from({ length: 600 }, (_, i) => checks.check(mayView(`s${i}`))));
    expect(answers.filter(Boolean)).toHaveLength(300);
    await first.close();
    expect(await writes.write([granted("late")])).toMatchObject({ changed: [true] });
    expect(await checks.check(mayView("late"))).toBe(true);
    expect(second.listener.connections()).toBe(1);
    checks.end();
    writes.end();
    await expect(checks.check(mayView("late"))).rejects.toMatchObject({ code: "CANCELLED" });
  });
});
