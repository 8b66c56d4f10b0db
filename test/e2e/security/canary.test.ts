/** No secret in any file, log, metric, environment or command line, but the exceptions of DESIGN §6. */
import { readFileSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster, sky } from "../cluster.ts";
import { CompatibleClients, messageOf, nodeNamed, skyClient } from "../clients.ts";
import { type Canary, canaries, spellings } from "./canaries.ts";
import { type Stolen, seesAll, steal } from "./stolen.ts";

let cluster: Cluster;
let stolen: Stolen;
beforeAll(async () => {
  cluster = await Cluster.start();
  stolen = steal(cluster.directory);
});
afterAll(() => cluster?.clean());

/** Base64 and base64url texts of a file, decoded: a secret within a longer encoding is found as bytes. */
function filesUnder(directory: string, below = ""): string[] {
  return readdirSync(path.join(directory, below), { withFileTypes: true }).flatMap((entry) => {
    const name = path.join(below, entry.name);
    if (entry.isDirectory()) return filesUnder(directory, name);
    return entry.isFile() ? [name] : [];
  });
}

function sightings(
  where: string,
  content: Buffer,
  all: readonly { canary: Canary; spelled: readonly Buffer[] }[],
): string[] {
  return all.flatMap(({ canary, spelled }) =>
    !canary.home.test(where) && spelled.some((one) => content.includes(one)) ? [`${canary.name} in ${where}`] : [],
  );
}

/** The wrapped lines of a PEM or armour, joined, so that a line break hides nothing. */
const unwrapped = (content: Buffer): Buffer => Buffer.from(content.toString("latin1").replace(/[\r\n]/g, ""), "latin1");

const spelled = () => canaries(cluster, stolen).map((canary) => ({ canary, spelled: spellings(canary.bytes) }));

/** Processes of this cluster: its nodes, and `sky dev` above them. */
function processes(): number[] {
  return [cluster.pid, ...cluster.nodes.flatMap(({ pid }) => (pid === null ? [] : [pid]))];
}

async function use(): Promise<void> {
  const compatible = new CompatibleClients(cluster);
  const user = skyClient(cluster, cluster.names);
  await compatible.ask("n0", "addNamespace", { name: "canaries" });
  await compatible.ask("n1", "addSubject", messageOf(nodeNamed("bird", "canaries")));
  // Refusals write sentences, and so do strangers.
  await compatible.try("n2", "addNamespace", { name: "sky" });
  await compatible.try("n3", "addNamespace", { name: "x".repeat(3000) });
  await user.write([{ kind: "addSubject", subject: nodeNamed("finch", "canaries") }]);
  user.close();
  compatible.close();
}

describe("a cluster that works, is refused things, dies, restarts and seals", () => {
  it("leaves no secret in files, logs, metrics, environments and command lines", async () => {
    await use();
    const all = spelled();
    expect(all.length).toBeGreaterThan(60);
    // The search itself is tried: it finds each canary where it is allowed to be, or in bytes that hold it.
    for (const { canary, spelled: ways } of all)
      for (const way of ways)
        expect(
          sightings("somewhere", Buffer.concat([Buffer.from("before"), way, Buffer.from("after")]), [
            { canary, spelled: ways },
          ]),
        ).toHaveLength(1);

    const pages = await Promise.all(cluster.names.map((name) => cluster.health(name, "/metrics")));
    const seen: string[] = [];
    for (const [i, page] of pages.entries())
      seen.push(...sightings(`metrics of n${i}`, Buffer.from(page?.body ?? ""), all));
    for (const page of pages) expect(page?.status).toBe(200);
    for (const pid of processes())
      for (const file of ["environ", "cmdline"])
        seen.push(...sightings(`/proc/${pid}/${file}`, readFileSync(`/proc/${pid}/${file}`), all));
    seen.push(...sightings("what sky dev said", Buffer.from(cluster.said.join("\n")), all));

    // Unclean and clean ends write, too.
    await cluster.kill("n1");
    await cluster.revive("n1");
    const [operator] = stolen.layout.operators;
    if (operator === undefined) throw new Error("no operator");
    const { file, passphraseFile } = operator;
    await seesAll(cluster, "n2");
    const seal = ["seal", "n2", "--founding", stolen.layout.foundingFile, "--operator", file];
    const sealed = await sky(...seal, "--passphrase-file", passphraseFile);
    expect(sealed.out).toContain("is sealing");
    seen.push(...sightings("what sky seal said", Buffer.from(sealed.out + sealed.err), all));
    await cluster.stop();

    const files = filesUnder(cluster.directory);
    for (const expected of [
      "nodes/n0/log.db",
      "nodes/n0/projection.db",
      "nodes/n0/node.log",
      "nodes/n0/keystore",
      "cluster.json",
    ])
      expect(files).toContain(expected);
    for (const file of files) {
      const content = readFileSync(cluster.path(file));
      seen.push(...sightings(file, content, all), ...sightings(file, unwrapped(content), all));
    }
    expect([...new Set(seen)]).toEqual([]);
  });

  it("keeps private files at 0600 in directories at 0700", () => {
    const loose: string[] = [];
    const PRIVATE =
      /^(operators|clients)\/|^nodes\/[^/]+\/(boot\.key|boot\.json|keystore|ceremony\.journal|.*\.db(-wal|-shm)?|journal\.id|node\.log)$/;
    for (const file of filesUnder(cluster.directory)) {
      const mode = statSync(cluster.path(file)).mode & 0o777;
      if (PRIVATE.test(file) && mode !== 0o600) loose.push(`${file} ${mode.toString(8)}`);
      const above = statSync(path.dirname(cluster.path(file))).mode & 0o777;
      if (above !== 0o700) loose.push(`${path.dirname(file)}/ ${above.toString(8)}`);
    }
    expect([...new Set(loose)]).toEqual([]);
  });
});
