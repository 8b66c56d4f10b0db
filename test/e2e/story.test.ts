/** A healthy cluster: the acceptance story, the files of its directory, the Oracle against a brute force, and rest. */
import { randomInt } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { connect } from "node:tls";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Height } from "../../src/base/brands.ts";
import type { Explanation } from "../../src/events/facts/explanation.ts";
import type { Assertion, GraphChange, GraphNode, GraphWrite } from "../../src/events/facts/graph.ts";
import { formatNode } from "../../src/host/cli/graph-text.ts";
import type { CommandOutcome } from "../../src/wire/outcome.ts";
import type { Subject } from "../../src/wire/generated/com/hellblazer/delphi/v1/oracle.ts";
import { DirectorySource } from "../../tools/replay/directory.ts";
import { Who } from "../../tools/replay/questions/who.ts";
import { Why } from "../../tools/replay/questions/why.ts";
import { replay } from "../../tools/replay/replay.ts";
import * as bruteForce from "../../tools/sim/naive-graph.ts";
import { Cluster, isAlive, sky, until } from "./cluster.ts";
import { CompatibleClients, skyClient } from "./clients.ts";
import { expectSameRoots, settledHeight } from "./records.ts";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start();
});
afterAll(() => cluster?.clean());

const namespace = { name: "my-org" };
const relation = (name: string) => ({ namespace, name });
const subject = (name: string, of?: string): Subject => ({
  namespace,
  name,
  relation: of === undefined ? undefined : relation(of),
});
const FLAGGED = new Set(["Egin", "Ali", "Gül", "Fuat"]);
const GROUPS = new Set(["Users", "Admins", "HelpDesk", "Managers", "Technicians", "ABCTechnicians"]);
const named = (name: string): Subject =>
  subject(name, GROUPS.has(name) ? "member" : FLAGGED.has(name) ? "flag" : undefined);
const flaggedTechnicians = subject("ABCTechnicians", "flag");
const view: Subject = subject("Document:123#View");
/** Member and group, as the page words them. */
const MAPS: readonly (readonly [Subject, Subject])[] = [
  ...(
    "HelpDesk→Admins Ali→Admins Ali→Users Burcu→Users Can→Users Managers→Users Technicians→Users Demet→HelpDesk " +
    "Egin→HelpDesk Egin→Users Fuat→Managers Gül→Managers Hakan→Technicians Irmak→Technicians " +
    "ABCTechnicians→Technicians Jale→ABCTechnicians"
  )
    .split(" ")
    .map((map): readonly [Subject, Subject] => {
      const [member = "", group = ""] = map.split("→");
      return [named(member), named(group)];
    }),
  [flaggedTechnicians, named("Technicians")],
];

const shuffled = <T>(items: readonly T[]): readonly T[] =>
  items
    .map((item) => ({ item, key: Math.random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);

const largest = (heights: readonly { readonly ts: bigint }[]): bigint =>
  heights.reduce((max, { ts }) => (ts > max ? ts : max), 0n);

describe("a healthy cluster", () => {
  it("says what runs in cluster.json, and nothing else", () => {
    const file = JSON.parse(readFileSync(cluster.path("cluster.json"), "utf8")) as Readonly<Record<string, unknown>>;
    expect(Object.keys(file)).toEqual(["nodes"]);
    const { nodes } = cluster;
    expect(nodes).toHaveLength(4);
    for (const node of nodes) {
      expect(Object.keys(node)).toEqual(["name", "aid", "pid", "dir", "ports"]);
      expect(Object.keys(node.ports)).toEqual(["api", "approach", "cluster", "service", "health", "identity"]);
      expect(node.aid).toMatch(/^E[\w-]{43}$/);
      expect(isAlive(node.pid ?? 0)).toBe(true);
      expect(statSync(node.dir).isDirectory()).toBe(true);
    }
    const ports = nodes.flatMap((node) => Object.values(node.ports));
    expect(new Set(ports).size).toBe(24);
    expect(new Set(nodes.map(({ aid }) => aid)).size).toBe(4);
  });

  it("serves every mutual TLS port with a certificate for 127.0.0.1 and for localhost, by ca.pem", async () => {
    const read = (file: string): Buffer => readFileSync(cluster.path("clients", "default", file));
    const [ca, cert, key] = [read("ca.pem"), read("client.pem"), read("client-key.pem")];
    for (const { ports } of cluster.nodes) {
      for (const host of ["127.0.0.1", "localhost"]) {
        const names = await new Promise<string | undefined>((resolve, reject) => {
          const socket = connect({ host, port: ports.service, ca, cert, key, ALPNProtocols: ["h2"] }, () => {
            resolve(socket.authorized ? socket.getPeerCertificate().subjectaltname : undefined);
            socket.destroy();
          });
          socket.once("error", reject);
        });
        expect(names).toContain("DNS:localhost");
        expect(names).toContain("IP Address:127.0.0.1");
      }
    }
    const clients = new CompatibleClients(cluster, "localhost");
    for (const name of cluster.names) {
      const { result } = await clients.ask(name, "check", {
        ts: 0n,
        assertion: { subject: named("nobody"), object: view },
      });
      expect(result).toBe(false);
    }
    clients.close();
  });

  it("tells the acceptance story, the seventeen maps at once in any order, each call through another node", async () => {
    const clients = new CompatibleClients(cluster);
    let turn = 0;
    let ts = 0n;
    const next = (): string => cluster.names[turn++ % 4] ?? "";
    const wrote = ({ ts: at }: { readonly ts: bigint }): void => {
      ts = largest([{ ts }, { ts: at }]);
    };
    const may = async (who: Subject): Promise<boolean> =>
      (await clients.ask(next(), "check", { ts, assertion: { subject: who, object: view } })).result;
    const judged = (...names: readonly string[]) => Promise.all(names.map((name) => may(named(name))));
    const direct = async () =>
      (await clients.ask(next(), "readSubjects", { objects: [view] }, { atLeast: ts })).subjects;

    for (let telling = 0; telling < 3; telling++) {
      wrote(await clients.ask(next(), "addNamespace", namespace));
      for (const name of ["member", "flag"]) wrote(await clients.ask(next(), "addRelation", relation(name)));
      const mapped = await Promise.all(
        shuffled(MAPS).map(([parent, child]) => clients.ask(next(), "mapSubject", { parent, child })),
      );
      mapped.forEach(wrote);
      const granted = await clients.ask(next(), "addAssertion", { subject: named("Users"), object: view });
      expect(granted.added).toBe(true);
      wrote(granted);
      expect(await direct()).toHaveLength(1);
      wrote(await clients.ask(next(), "addAssertion", { subject: flaggedTechnicians, object: view }));
      expect(await direct()).toHaveLength(2);
      const flagged = { objects: [view], predicate: relation("flag") };
      const { subjects } = await clients.ask(next(), "readSubjectsMatching", flagged, { atLeast: ts });
      expect(subjects.map(({ name }) => name)).toEqual(["ABCTechnicians"]);

      const all = (await clients.ask(next(), "expandSubject", view, { atLeast: ts })).subjects;
      expect(all).toHaveLength(14);
      const predicate = relation("flag");
      const some = await clients.ask(next(), "expandSubjects", { object: view, predicate }, { atLeast: ts });
      expect(some.subjects.map(({ name }) => name).sort()).toEqual(["ABCTechnicians", "Ali", "Egin", "Fuat", "Gül"]);
      expect(await judged("Jale", "Egin", "HelpDesk", "Demet")).toEqual([true, true, false, false]);

      const gone = { parent: named("ABCTechnicians"), child: named("Technicians") };
      wrote(await clients.ask(next(), "unmapSubject", gone));
      expect(await judged("Jale", "Egin")).toEqual([false, true]);
      wrote(await clients.ask(next(), "deleteAssertion", { subject: named("Users"), object: view }));
      expect(await judged("Jale", "Egin")).toEqual([false, false]);
      wrote(await clients.ask(next(), "deleteNamespace", namespace));
    }
    clients.close();
    expectSameRoots(cluster, await settledHeight(cluster));
  });

  it("agrees with a brute force after random commands through every node at once, at present and past heights", async () => {
    const names = ["x", "y", "z", "~\u{1f600}", "~\uff5e"];
    const relations = [NULL_RELATION, { namespace: "ra", name: "r" }, { namespace: "", name: "q" }];
    const nodes: readonly GraphNode[] = names.flatMap((name, i) => [
      { namespace: i % 2 === 0 ? "ra" : "rb", name, relation: relations[i % 3] ?? NULL_RELATION },
      { namespace: "rb", name, relation: relations[(i + 1) % 3] ?? NULL_RELATION },
    ]);
    const seed = randomInt(2 ** 31);
    console.info(`random commands of seed ${seed}`); // the order is the cluster's
    const writes = fc.sample(randomWrite(nodes), { seed, numRuns: COMMANDS });
    const outcomes = await writeThroughEveryNode(writes);
    const height = await restingHeight();

    // The log's order is the order: the model judges the commands as their receipts say they were settled.
    const settled = writes
      .map((write, i) => ({ write, outcome: outcomes[i] }))
      .sort((a, b) => placeOf(a.outcome) - placeOf(b.outcome));
    let state = bruteForce.emptyState();
    const history: { readonly height: number; readonly state: bruteForce.State }[] = [{ height: 0, state }];
    for (const { write, outcome } of settled) {
      const judged = bruteForce.judge(state, write);
      if (outcome === undefined) throw new Error("every write has an outcome");
      const { result, receipt } = outcome;
      if ("code" in judged) expect(result).toMatchObject({ kind: "refused", code: judged.code });
      else {
        expect(result).toEqual({ kind: "executed", changed: judged.changed });
        state = judged.state;
      }
      history.push({ height: receipt.height, state });
    }
    expect(settled.some(({ outcome }) => outcome?.result.kind === "refused")).toBe(true);

    const stateAt = (at: number): bruteForce.State => history.findLast((entry) => entry.height <= at)?.state ?? state;
    const from = Math.min(...history.slice(1).map((entry) => entry.height)) - 1;
    const pairs = nodes.flatMap((s) => nodes.map((object) => ({ subject: s, object })));
    const sampled = pairs.filter((_, i) => i % 7 === 0);
    const past = from + Math.floor((height - from) / 2);
    const explained: (readonly Explanation[])[] = [];
    for (const name of cluster.names) {
      const client = skyClient(cluster, [name]);
      explained.push(
        await Promise.all(sampled.map((pair) => client.explain(pair))),
        await Promise.all(sampled.map((pair) => client.explain(pair, { at: past as Height }))),
      );
      const { results, height: answeredAt } = await client.checkBatch(pairs);
      expect(answeredAt).toBe(height);
      expect(results).toEqual(pairs.map(({ subject: s, object }) => bruteForce.check(state, s, object)));
      for (const node of nodes) {
        expect(await all(client.expandSubjects(node, { pageSize: 3 }))).toEqual(bruteForce.expandSubjects(state, node));
        expect(await all(client.expandObjects(node, { pageSize: 3 }))).toEqual(bruteForce.expandObjects(state, node));
        const [predicate] = relations.slice(1);
        if (predicate === undefined) throw new Error("there are relations");
        expect(await all(client.expandSubjects(node, { predicate }))).toEqual(
          bruteForce.expandSubjects(state, node, predicate),
        );
        expect((await client.readSubjects([node])).nodes).toEqual(bruteForce.readSubjects(state, [node]));
        expect((await client.readObjects([node])).nodes).toEqual(bruteForce.readObjects(state, [node]));
      }
      for (let question = 0; question < PAST_HEIGHTS; question++) {
        const at = from + Math.floor(Math.random() * (height - from + 1));
        const past = stateAt(at);
        expect(await client.checkAt(at as Height, pairs), `checks at height ${at} of ${name}`).toEqual(
          pairs.map(({ subject: s, object }) => bruteForce.check(past, s, object)),
        );
      }
      client.close();
    }
    const [now = [], then = []] = explained;
    const verdicts = (at: bruteForce.State) => sampled.map(({ subject: s, object }) => bruteForce.check(at, s, object));
    expect(now.map(({ result }) => result)).toEqual(verdicts(state));
    expect(then.map(({ result }) => result)).toEqual(verdicts(stateAt(past)));
    for (const [i, others] of explained.entries()) expect(others, "to the letter").toEqual(i % 2 === 0 ? now : then);
    expectSameRoots(cluster, height);
    const { dir } = cluster.node(cluster.names[0] ?? "");
    await expectSameAudits(dir, height, sampled, stateAt);
    const anything = sampled.find((_, i) => now[i]?.result === true) ?? { subject: AGAIN, object: AGAIN };
    const words = ["audit", "why", formatNode(anything.subject), formatNode(anything.object), "--json"];
    const fromDirectory = await sky(...words, "--data", dir);
    expect(JSON.parse(fromDirectory.out)).toMatchObject({ ok: true, height });
    expect(await sky(...words, "--dir", cluster.directory), "asked of nodes").toEqual(fromDirectory);
  });

  it("answers a command that is sent again under its id with the first result", async () => {
    const client = skyClient(cluster, cluster.names);
    const assertion = { subject: { namespace: "again", name: "s", relation: NULL_RELATION }, object: AGAIN };
    const first = await client.write([{ kind: "addAssertion", assertion }]);
    await client.write([{ kind: "deleteAssertion", assertion }]);
    const again = await client.write([{ kind: "addAssertion", assertion }], { id: first.id });
    expect(again).toEqual(first);
    expect((await client.check(assertion)).result).toBe(false);
    client.close();
  });

  it("writes no block while nobody asks for anything", async () => {
    const height = await restingHeight();
    const before = cluster.names.map((name) => cpuSeconds(cluster.node(name).pid));
    const began = performance.now();
    await pause(IDLE_MS);
    const seconds = (performance.now() - began) / 1_000;
    expect(await settledHeight(cluster)).toBe(height);
    for (const [i, name] of cluster.names.entries()) {
      const used = (cpuSeconds(cluster.node(name).pid) - (before[i] ?? 0)) / seconds;
      console.log(`idle ${name}: ${(used * 100).toFixed(2)} % of a core over ${seconds.toFixed(1)} s`);
    }
  });

  it("stops everything on Ctrl-C, says so in cluster.json and ends with 0", async () => {
    const pids = cluster.nodes.map(({ pid }) => pid ?? 0);
    expect(await cluster.stop()).toBe(0);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(cluster.nodes.map(({ pid }) => pid)).toEqual([null, null, null, null]);
  });
});

/** An auditor reads the directory of a node that runs, and gets the brute force's answers at every height. */
async function expectSameAudits(
  directory: string,
  height: number,
  pairs: readonly Assertion[],
  stateAt: (height: number) => bruteForce.State,
): Promise<void> {
  const who = new Who();
  const whys = pairs.map((pair) => new Why(pair));
  const source = DirectorySource.open(directory);
  for await (const block of replay(source, { to: height as Height })) {
    for (const question of [who, ...whys]) question.take(block);
    const state = stateAt(block.height);
    const asked = pairs[block.height % pairs.length]?.object ?? AGAIN;
    expect(who.answer(asked).subjects).toEqual(bruteForce.expandSubjects(state, asked));
    for (const [i, why] of whys.entries()) {
      const { subject: s, object } = pairs[i] ?? { subject: AGAIN, object: AGAIN };
      const { explanation, links } = why.answer();
      expect(explanation.result).toBe(bruteForce.check(state, s, object));
      expect(links.every(({ origin }) => origin.by === "command")).toBe(true);
    }
  }
  await source.close();
}

/** The height at which nothing more comes: a slow cluster may still go on to an empty block, which makes the last one final. */
async function restingHeight(): Promise<number> {
  let height = await settledHeight(cluster);
  // Nothing happening is what is waited for, so here time itself is the condition.
  return until("no block comes for a while", async () => {
    const before = height;
    await pause(IDLE_MS);
    height = await settledHeight(cluster);
    return height === before ? height : undefined;
  });
}

const COMMANDS = 400;
const PAST_HEIGHTS = 20;
const IDLE_MS = 6_000;
const NULL_RELATION = { namespace: "", name: "" };
const AGAIN: GraphNode = { namespace: "again", name: "o", relation: NULL_RELATION };

async function all(pages: AsyncIterable<{ readonly nodes: readonly GraphNode[] }>): Promise<readonly GraphNode[]> {
  const nodes: GraphNode[] = [];
  for await (const page of pages) nodes.push(...page.nodes);
  return nodes;
}

const placeOf = (outcome: CommandOutcome | undefined): number =>
  outcome === undefined ? 0 : outcome.receipt.height * 100_000 + outcome.receipt.index;

/** Each command through another node, a few dozen in flight. */
async function writeThroughEveryNode(writes: readonly GraphWrite[]): Promise<readonly CommandOutcome[]> {
  const clients = cluster.names.map((name) => skyClient(cluster, [name]));
  const outcomes: CommandOutcome[] = [];
  let next = 0;
  const writer = async (turn: number): Promise<void> => {
    for (let i = next++; i < writes.length; i = next++) {
      const write = writes[i];
      const client = clients[(i + turn) % clients.length];
      if (write === undefined || client === undefined) return;
      const [outcome] = await client.writeAll([write]);
      if (outcome !== undefined) outcomes[i] = outcome;
    }
  };
  await Promise.all(Array.from({ length: 24 }, (_, turn) => writer(turn)));
  for (const client of clients) client.close();
  return outcomes;
}

/** Commands over few names, so that cycles, deletions and duplicates happen often. */
function randomWrite(nodes: readonly GraphNode[]): fc.Arbitrary<GraphWrite> {
  const node = fc.constantFrom(...nodes);
  const edge = fc.record({ parent: node, child: node });
  const assertion = fc.record({ subject: node, object: node });
  const change: fc.Arbitrary<GraphChange> = fc.oneof(
    { weight: 8, arbitrary: assertion.map((it): GraphChange => ({ kind: "addAssertion", assertion: it })) },
    { weight: 10, arbitrary: edge.map((it): GraphChange => ({ kind: "mapSubject", edge: it })) },
    { weight: 6, arbitrary: edge.map((it): GraphChange => ({ kind: "mapObject", edge: it })) },
    { weight: 4, arbitrary: assertion.map((it): GraphChange => ({ kind: "deleteAssertion", assertion: it })) },
    { weight: 3, arbitrary: edge.map((it): GraphChange => ({ kind: "unmapSubject", edge: it })) },
    { weight: 3, arbitrary: edge.map((it): GraphChange => ({ kind: "unmapObject", edge: it })) },
    { weight: 2, arbitrary: node.map((it): GraphChange => ({ kind: "deleteSubject", subject: it })) },
    { weight: 2, arbitrary: node.map((it): GraphChange => ({ kind: "deleteObject", object: it })) },
    {
      weight: 1,
      arbitrary: fc.constantFrom("ra", "rb").map((it): GraphChange => ({ kind: "deleteNamespace", namespace: it })),
    },
  );
  const precondition = fc.record({ kind: fc.constantFrom("mustExist" as const, "mustNotExist" as const), assertion });
  return fc.record({
    changes: fc.array(change, { minLength: 1, maxLength: 3 }),
    preconditions: fc.array(precondition, { maxLength: 1 }),
  });
}

/** Processor time that a process has used. Units: seconds; /proc counts hundredths. */
function cpuSeconds(pid: number | null): number {
  const fields =
    readFileSync(`/proc/${String(pid)}/stat`, "utf8")
      .split(") ")
      .at(1)
      ?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
