/** A healthy cluster: the acceptance story, the files of its directory, the Oracle against a brute force, and rest. */
import { readFileSync, statSync } from "node:fs";
import { connect } from "node:tls";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CommandId, Height } from "../../src/base/brands.ts";
import type { GraphChange, GraphNode, GraphWrite } from "../../src/events/facts/graph.ts";
import type { CommandOutcome } from "../../src/wire/outcome.ts";
import type { Subject } from "../../src/wire/generated/com/hellblazer/delphi/v1/oracle.ts";
import * as bruteForce from "../unit/rebac/brute-force.ts";
import { Cluster, isAlive, until } from "./cluster.ts";
import { CompatibleClients, skyClient } from "./clients.ts";
import { expectSameRoots, settledHeight } from "./records.ts";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start();
}, 120_000);
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
      expect(Object.keys(node.ports)).toEqual(["api", "approach", "cluster", "service", "health"]);
      expect(node.aid).toMatch(/^E[\w-]{43}$/);
      expect(isAlive(node.pid ?? 0)).toBe(true);
      expect(statSync(node.dir).isDirectory()).toBe(true);
    }
    const ports = nodes.flatMap((node) => Object.values(node.ports));
    expect(new Set(ports).size).toBe(20);
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
    const direct = async () => (await clients.ask(next(), "readSubjects", { objects: [view] }, { atLeast: ts })).subjects;

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
});
