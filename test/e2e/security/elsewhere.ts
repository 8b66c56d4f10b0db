/** Identities of another cluster, and one of them that is signed for this one. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Digest } from "../../../src/base/brands.ts";
import { present } from "../../../src/base/errors.ts";
import { clientFiles } from "../../../src/host/founding/client-folder.ts";
import { devEndpoints, foundDevCluster } from "../../../src/host/founding/dev-cluster.ts";
import { type Identity, keysOfNewNode, nodeCertificateOf } from "./stolen.ts";

export interface Elsewhere {
  readonly client: Identity;
  readonly node: Identity;
  readonly nodeForHere: Identity;
}

/** Founds a cluster in a directory that does not exist yet. */
export async function foundElsewhere(directory: string, here: Digest): Promise<Elsewhere> {
  const other = await foundDevCluster(directory, {
    endpoints: devEndpoints(4, 20_000),
    random: (length) => new Uint8Array(randomBytes(length)),
    now: Date.now(),
  });
  const files = clientFiles(other.clients.default);
  const first = present(other.nodes[0], "a node");
  const keys = keysOfNewNode(first.directory, first.passphrase.reveal());
  const stranger = { name: first.name, aid: first.aid, keys, dataKey: keys.mark, rootKey: keys.mark };
  return {
    client: { key: readFileSync(files.key, "utf8"), cert: readFileSync(files.certificate, "utf8") },
    node: await nodeCertificateOf(other.founding.cluster, stranger),
    nodeForHere: await nodeCertificateOf(here, stranger),
  };
}
