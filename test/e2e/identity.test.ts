/** Identity for everybody: identifiers that a real cluster's nodes witness, introduced over HTTP to who knows nothing of the cluster. */
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Aid, Said } from "../../src/base/brands.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import { present } from "../../src/base/errors.ts";
import { signerOf } from "../../src/client/identity.ts";
import { KerlClient } from "../../src/client/index.ts";
import { incept, rotate } from "../../src/keri/compose.ts";
import { nextKeyDigest } from "../../src/keri/said.ts";
import { clientFiles, readClientIdentity } from "../../src/host/founding/client-folder.ts";
import { Key, attached } from "../unit/kerl/lives.ts";
import { READ_MS } from "./clients.ts";
import { Cluster, sky, until } from "./cluster.ts";

let cluster: Cluster;
let client: KerlClient;
beforeAll(async () => {
  cluster = await Cluster.start();
  client = await kerlClient();
});
afterAll(async () => {
  client?.close();
  await cluster?.clean();
});

async function kerlClient(): Promise<KerlClient> {
  const folder = cluster.path("clients", "default");
  const files = clientFiles(folder);
  const identity = readClientIdentity(folder);
  if (!identity.ok || identity.value.cluster === null) throw new Error(`${folder} holds no identity`);
  return KerlClient.connect({
    endpoints: cluster.nodes.map(({ ports }) => `127.0.0.1:${ports.service}`),
    ca: readFileSync(files.anchors),
    cert: readFileSync(files.certificate),
    key: readFileSync(files.key),
    cluster: identity.value.cluster,
    signer: signerOf(identity.value),
    readTimeoutMs: READ_MS,
  });
}

/** An identifier with one key at a time, witnessed by all nodes, three of whom must receipt. */
class Witnessed {
  readonly aid: Aid;
  readonly inception: Uint8Array;
  readonly #name: string;
  #generation = 0;
  #last: Said;

  constructor(name: string, witnesses: readonly string[]) {
    this.#name = name;
    const made = incept({
      keys: [this.#key(0).text],
      nextDigests: [nextKeyDigest(this.#key(1).text)],
      witnesses,
      witnessThreshold: 3,
    });
    this.aid = made.aid;
    this.#last = made.said;
    this.inception = this.#signed(made.event);
  }

  #key(generation: number): Key {
    return new Key(`${this.#name} ${generation}`);
  }

  #signed(event: Uint8Array): Uint8Array {
    const sig = this.#key(this.#generation).sign(event);
    return concatBytes(event, attached({ controllerSignatures: [{ index: 0, ondex: 0, algorithm: "ed25519", sig }] }));
  }

  rotated(): Uint8Array {
    this.#generation += 1;
    const made = rotate({
      aid: this.aid,
      sn: this.#generation,
      prior: this.#last,
      keys: [this.#key(this.#generation).text],
      nextDigests: [nextKeyDigest(this.#key(this.#generation + 1).text)],
      witnessThreshold: 3,
    });
    this.#last = made.said;
    return this.#signed(made.event);
  }
}

const witnesses = async (): Promise<readonly string[]> => {
  const named = await until("every node has named its witness", async () => {
    const reply = await client.witnesses();
    return reply.witnesses.length === 4 && reply.witnesses.every(({ urls }) => urls.length > 0) ? reply : undefined;
  });
  expect(new Set(named.witnesses.map(({ node }) => node))).toEqual(new Set(cluster.nodes.map(({ aid }) => aid)));
  return named.witnesses.map(({ aid }) => aid);
};

const inForce = (aid: Aid, sn: number): Promise<unknown> =>
  until(`event ${sn} of ${aid} is in force`, async () => {
    const { keyState } = await client.keyState(aid).catch(() => ({ keyState: undefined }));
    return keyState?.latest?.sn === BigInt(sn);
  });

/** What `sky kel verify` makes of what a node serves over HTTP. */
async function verified(
  node: string,
  pathname: string,
): Promise<readonly { readonly verdict: string; readonly settled?: string }[]> {
  const response = await fetch(
    `http://127.0.0.1:${present(cluster.node(node).ports.identity, "dev nodes have one")}${pathname}`,
  );
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json+cesr"]);
  const file = cluster.path("introduction.cesr");
  writeFileSync(file, new Uint8Array(await response.arrayBuffer()));
  const end = await sky("kel", "verify", file, "--json");
  expect(end.code, end.out + end.err).toBe(0);
  return JSON.parse(end.out) as readonly { readonly verdict: string; readonly settled?: string }[];
}

describe("replicas as witnesses", () => {
  let life: Witnessed;

  it("an identifier that four nodes witness waits, is receipted by them and comes into force; so does its rotation", async () => {
    life = new Witnessed("life", await witnesses());
    // One that is behind would count what others have executed already for the new one.
    const founded = await until("all nodes count the same identifiers", async () => {
      const counts = await Promise.all(cluster.nodes.map(({ name }) => cluster.metric(name, "identifiers")));
      return new Set(counts).size === 1 && counts[0];
    });
    expect(founded).toBeGreaterThan(cluster.nodes.length);
    const incepted = await client.append(life.inception);
    expect(incepted.messages.map(({ type, verdict }) => `${type} ${verdict}`)).toEqual([
      "icp escrowed:partially-witnessed",
    ]);
    await inForce(life.aid, 0);
    expect((await client.append(life.rotated())).messages[0]?.verdict).toBe("escrowed:partially-witnessed");
    await inForce(life.aid, 1);
    await until("the fourth receipt is there too", async () => {
      const receipts = await client.receipts(life.aid, 1);
      return receipts.witnesses.length === 4;
    });
    expect((await client.escrows(life.aid)).escrows).toEqual([]);
    await until("n1 counts one identifier more, and nothing that waits", async () => {
      const [identifiers, waiting] = [
        await cluster.metric("n1", "identifiers"),
        await cluster.metric("n1", "key_events_escrowed"),
      ];
      return identifiers === founded + 1 && waiting === 0;
    });
  });

  it("is introduced over HTTP by every node to who knows nothing of the cluster", async () => {
    for (const { name } of cluster.nodes) {
      const messages = await verified(name, `/oobi/${life.aid}`);
      expect(messages.map(({ verdict, settled }) => settled ?? verdict)).toEqual(
        expect.arrayContaining(["accepted", "accepted"]),
      );
      expect(messages.some(({ verdict }) => verdict.startsWith("rejected"))).toBe(false);
    }
    const own = present(cluster.nodes[0], "four nodes");
    const messages = await verified("n1", `/oobi/${own.aid}/witness`);
    expect(messages.some(({ verdict }) => verdict.startsWith("rejected"))).toBe(false);
    const document = await fetch(`http://127.0.0.1:${own.ports.identity}/1.0/identifiers/did:keri:${life.aid}`);
    expect(await document.json()).toMatchObject({ didDocumentMetadata: { versionId: "1" } });
  });

  it("with one node dead three receipts suffice; the one that returns goes on witnessing", async () => {
    await cluster.kill("n3");
    const rotation = life.rotated();
    await client.append(rotation);
    await inForce(life.aid, 2);
    const receipts = await client.receipts(life.aid, 2);
    expect(receipts.witnesses).toHaveLength(3);
    await cluster.revive("n3");
    await cluster.kill("n2");
    await client.append(life.rotated());
    await inForce(life.aid, 3);
    const again = await client.receipts(life.aid, 3);
    expect(again.witnesses).toHaveLength(3);
    expect(again.witnesses.filter((witness) => !receipts.witnesses.includes(witness))).toHaveLength(1);
  });
});
