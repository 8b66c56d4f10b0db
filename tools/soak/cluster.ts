/** A real cluster, founded for the run: its nodes, operators who unseal them, and an identity that clients share. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import path from "node:path";
import { SkyClient } from "../../src/client/sky-client.ts";
import { signerOf } from "../../src/client/identity.ts";
import { clientFiles, readClientIdentity } from "../../src/host/founding/client-folder.ts";
import { type DevCluster, foundDevCluster } from "../../src/host/founding/dev-cluster.ts";
import { unsealNodes } from "../../src/host/dev/unsealing.ts";
import { demand } from "../../src/host/enclave/node-files.ts";
import { bundle } from "../../scripts/bundle.js";
import { type Disk, mountDisk } from "./disk.ts";
import { type Network, type Place, loopback, namespaces } from "./network.ts";
import { SoakNode } from "./node.ts";

const NAMES = ["n0", "n1", "n2", "n3"];
const root = path.resolve(import.meta.dirname, "../..");

export interface ClusterOptions {
  /** Empty, and private to this run. */
  readonly directory: string;
  /** undefined: network and mount namespaces of its own; else why there are none. */
  readonly notIsolated: string | undefined;
}

export class SoakCluster {
  readonly nodes: readonly SoakNode[];
  readonly network: Network;
  /** By node; empty where disks cannot be mounted. */
  readonly disks: ReadonlyMap<string, Disk>;
  /** Why there are no disks to fill. */
  readonly undisked: string | undefined;
  readonly #layout: DevCluster;

  private constructor(parts: {
    readonly nodes: readonly SoakNode[];
    readonly network: Network;
    readonly disks: ReadonlyMap<string, Disk> | string;
    readonly layout: DevCluster;
  }) {
    this.nodes = parts.nodes;
    this.network = parts.network;
    this.disks = typeof parts.disks === "string" ? new Map() : parts.disks;
    this.undisked = typeof parts.disks === "string" ? parts.disks : undefined;
    this.#layout = parts.layout;
  }

  /** Founds the cluster, starts every node and takes it through the ceremony. Throws: Error, Fault. */
  static async start({ directory, notIsolated }: ClusterOptions): Promise<SoakCluster> {
    const network =
      notIsolated === undefined
        ? await namespaces(NAMES).catch((error: unknown) => loopback(NAMES, String(error)))
        : await loopback(NAMES, notIsolated);
    const cluster = path.join(directory, "cluster");
    const records = path.join(directory, "records");
    for (const made of [cluster, path.join(cluster, "nodes"), records]) mkdirSync(made, { mode: 0o700 });
    const disks = notIsolated ?? (await mountDisks(cluster, directory).catch(String));
    const layout = await foundDevCluster(cluster, {
      endpoints: network.places.map(endpointsOf),
      name: "soak",
      dev: false,
      random: (length) => new Uint8Array(randomBytes(length)),
      now: Date.now(),
    });
    const program = await bundled(directory);
    const nodes = network.places.map(
      (place) =>
        new SoakNode({
          place,
          directory: path.join(cluster, "nodes", place.name),
          records,
          program,
        }),
    );
    const made = new SoakCluster({ nodes, network, disks, layout });
    try {
      await Promise.all(
        nodes.map((node, i) => node.start(Buffer.from(layout.nodes[i]?.passphrase.reveal() ?? []).toString("utf8"))),
      );
      await made.#unseal(nodes);
    } catch (error) {
      await made.stop();
      throw error;
    }
    return made;
  }

  node(name: string): SoakNode {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`there is no node ${name}`);
    return found;
  }

  /** Starts a dead node and waits until it serves. Throws: Error, Fault. */
  async revive(node: SoakNode): Promise<void> {
    await node.start();
    await this.#unseal([node]);
  }

  async #unseal(nodes: readonly SoakNode[]): Promise<void> {
    const failed = await unsealNodes(
      this.#layout,
      nodes.map(({ name }) => name),
      () => undefined,
    );
    for (const fault of failed.values()) throw fault;
    await Promise.all(nodes.map((node) => node.serving()));
  }

  /** Where each node's databases are. */
  get directories(): readonly { readonly name: string; readonly directory: string }[] {
    return this.#layout.nodes;
  }

  /** A client of one node only: it never turns to another by itself. */
  client({ place }: SoakNode): SkyClient {
    const folder = this.#layout.clients.default;
    const identity = demand(readClientIdentity(folder));
    if (identity.cluster === null) throw new Error(`${folder} holds no identity`);
    const { anchors, certificate, key } = clientFiles(folder);
    return SkyClient.connect({
      endpoints: [`${place.address}:${place.ports[3]}`],
      ca: readFileSync(anchors),
      cert: readFileSync(certificate),
      key: readFileSync(key),
      cluster: identity.cluster,
      signer: signerOf(identity),
    });
  }

  /** Ends every node, in order where it can. */
  async stop(): Promise<void> {
    await Promise.all(
      this.nodes.map(async (node) => {
        node.signal("SIGCONT");
        const impatience = setTimeout(() => void node.kill("SIGKILL"), STOP_MS);
        await node.kill("SIGTERM");
        clearTimeout(impatience);
      }),
    );
  }
}

/** A node that has not ended by then will not. Units: ms. */
const STOP_MS = 10_000;

const endpointsOf = ({ address, ports: [api, approach, cluster, service] }: Place) => ({
  api: `${address}:${api}`,
  approach: `${address}:${approach}`,
  cluster: `${address}:${cluster}`,
  service: `${address}:${service}`,
});

async function mountDisks(cluster: string, directory: string): Promise<ReadonlyMap<string, Disk>> {
  const disks = new Map<string, Disk>();
  for (const name of NAMES)
    disks.set(name, await mountDisk(path.join(cluster, "nodes", name), path.join(directory, `${name}.disk`)));
  return disks;
}

/** Beside the packages, or the bundle would not find them. */
export const programDirectory = (directory: string): string =>
  path.join(root, "node_modules/.cache/sky", path.basename(directory));

/** The sources as they are now, bundled as the launcher bundles them. Returns the file to run. */
async function bundled(directory: string): Promise<string> {
  const target = programDirectory(directory);
  await bundle(target);
  writeFileSync(path.join(target, "package.json"), '{ "type": "module" }\n');
  const program = path.join(target, "sky.js");
  writeFileSync(program, 'import { main } from "./cli.js";\nawait main(process.argv.slice(2));\n');
  return program;
}
