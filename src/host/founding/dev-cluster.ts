/** Founds a throw-away cluster on this machine, for `sky dev` and for tests: everything is made as a real founding makes it. */
import { join } from "node:path";
import type { Aid } from "../../base/brands.ts";
import { signer } from "../../crypto/ed25519.ts";
import { Secret } from "../../crypto/secret.ts";
import type { Endpoints, FoundingSignature } from "../../events/facts/founding.ts";
import { inceptionOf, newController } from "../../keri/controller.ts";
import { demand, nodeFiles } from "../enclave/node-files.ts";
import { writeClientFolder } from "./client-folder.ts";
import { type Founding, assembleFounding, openFounding, sealFounding, signFounding } from "./document.ts";
import { makePrivateDirectory, writeAtomic } from "./files.ts";
import { createFounder } from "./founder.ts";
import type { Random } from "./identity.ts";
import { OperatorFile, newOperator, operatorCardOf, operatorSeed } from "./operator-file.ts";

export interface DevClusterOptions {
  /** One for each node, at least four. */
  readonly endpoints: readonly Endpoints[];
  readonly operators?: number;
  readonly threshold?: number;
  readonly name?: string;
  /** false: a real cluster, for `sky node`; its operators' passphrases lie beside their files all the same. */
  readonly dev?: boolean;
  readonly random: Random;
  /** Units: ms since 1970. */
  readonly now: number;
}

export interface DevNode {
  readonly name: string;
  readonly aid: Aid;
  readonly directory: string;
  /** Opens the keystore until `initialise`; goes to the node by its standard input and is written nowhere. */
  readonly passphrase: Secret<Uint8Array>;
}

export interface DevOperator {
  readonly name: string;
  readonly aid: Aid;
  readonly file: string;
  /** File with the passphrase: only in dev, so that the cluster can be unsealed at its next start (DESIGN §6, exceptions). */
  readonly passphraseFile: string;
}

export interface DevCluster {
  readonly founding: Founding;
  /** The signed document, as every node has it. */
  readonly foundingFile: string;
  readonly nodes: readonly DevNode[];
  readonly operators: readonly DevOperator[];
  readonly clients: { readonly default: string; readonly admin: string };
}

const OPERATOR_NAMES = ["ann", "bob", "carol"];
const operatorName = (i: number): string => OPERATOR_NAMES[i] ?? `operator${i}`;

/** Ports of `count` nodes from `base` on, five apiece in the order API, APPROACH, CLUSTER, SERVICE, HEALTH, on loopback. */
export const devEndpoints = (count: number, base: number): readonly Endpoints[] =>
  Array.from({ length: count }, (_, i) => {
    const at = (offset: number): string => `127.0.0.1:${base + 5 * i + offset}`;
    return { api: at(0), approach: at(1), cluster: at(2), service: at(3) };
  });

/** Makes nodes, operators, clients and the founding document under `directory`, which must not hold a cluster yet. Throws: Fault. */
export async function foundDevCluster(directory: string, options: DevClusterOptions): Promise<DevCluster> {
  const { random, now, endpoints } = options;
  makePrivateDirectory(directory);
  const founders = await Promise.all(endpoints.map((listeners, i) => makeNode(directory, i, listeners, options)));
  const operators = Array.from({ length: options.operators ?? 3 }, (_, i) => makeOperator(directory, i, random, now));
  const [client, admin] = [newController(random), newController(random)];
  const { bytes, cluster } = demand(
    assembleFounding({
      name: options.name ?? "dev",
      dev: options.dev ?? true,
      founders: founders.map(({ card }) => card),
      operators: operators.map(({ secrets }) => operatorCardOf(secrets)),
      threshold: options.threshold ?? 2,
      admins: [{ aid: admin.aid, icp: inceptionOf(admin) }],
      gateways: founders.map(({ card }) => card.aid),
      clients: [{ aid: client.aid, icp: inceptionOf(client) }],
    }),
  );
  const signatures: readonly FoundingSignature[] = [
    ...founders.map(({ sign }) => sign(bytes)),
    ...operators.map(({ secrets }) => signFounding(bytes, secrets.aid, signer(operatorSeed(secrets)))),
  ];
  const file = demand(sealFounding(bytes, signatures));
  const foundingFile = join(directory, "founding.sky");
  for (const path of [foundingFile, ...founders.map(({ node }) => nodeFiles(node.directory).founding)])
    writeAtomic(path, file, 0o644);
  const founding = demand(openFounding(file));
  const clients = { default: join(directory, "clients", "default"), admin: join(directory, "clients", "admin") };
  makePrivateDirectory(join(directory, "clients"));
  for (const [path, identity] of [
    [clients.default, client],
    [clients.admin, admin],
  ] as const) {
    await writeClientFolder({
      directory: path,
      identity: { ...identity, since: now },
      document: founding.document,
      cluster,
      random,
      now,
    });
  }
  return {
    founding,
    foundingFile,
    nodes: founders.map(({ node }) => node),
    operators: operators.map(({ operator }) => operator),
    clients,
  };
}

async function makeNode(directory: string, index: number, endpoints: Endpoints, { random, now }: DevClusterOptions) {
  const name = `n${index}`;
  const passphrase = new Secret(Uint8Array.from(Buffer.from(Buffer.from(random(24)).toString("base64url"))));
  const nodeDirectory = join(directory, "nodes", name);
  makePrivateDirectory(join(directory, "nodes"));
  const { card, sign } = demand(
    await createFounder({ directory: nodeDirectory, name, endpoints, passphrase: passphrase.reveal(), random, now }),
  );
  const node: DevNode = { name, aid: card.aid, directory: nodeDirectory, passphrase };
  return { card, sign, node };
}

function makeOperator(directory: string, index: number, random: Random, now: number) {
  const name = operatorName(index);
  const folder = join(directory, "operators", name);
  makePrivateDirectory(join(directory, "operators"));
  makePrivateDirectory(folder);
  const secrets = newOperator(name, random, now);
  const passphrase = Buffer.from(random(24)).toString("base64url");
  const file = join(folder, "operator.sky");
  const passphraseFile = join(folder, "passphrase");
  OperatorFile.create(file, secrets, Buffer.from(passphrase), random);
  writeAtomic(passphraseFile, `${passphrase}\n`);
  const operator: DevOperator = { name, aid: secrets.aid, file, passphraseFile };
  return { operator, secrets };
}
