/**
 * What a sealed node knows of revoked certificates: those that its projection knew when it was last written to, across a restart; of
 * later ones it learns when it serves (docs/LIMITATIONS.md).
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { present } from "../../src/base/errors.ts";
import type { DevNodeOrder } from "../../src/host/dev/messages.ts";
import { ENTRIES } from "../../src/host/entries.ts";
import { operatorSeed } from "../../src/host/founding/operator-file.ts";
import { storedRevokedKeys } from "../../src/host/node/stored-revoked-keys.ts";
import { Cluster, sky, until } from "./cluster.ts";
import { type Identity, type Stolen, forge, steal } from "./security/stolen.ts";
import { grpcMessage, grpcRaw, http2 } from "./security/wire.ts";

const N = "n2";
let cluster: Cluster;
let stolen: Stolen;
/** The node by itself: `sky dev` would unseal it. */
let alone: ChildProcess | undefined;

beforeAll(async () => {
  cluster = await Cluster.start();
  stolen = steal(cluster.directory);
});
afterAll(async () => {
  if (alone !== undefined && alone.exitCode === null && alone.signalCode === null) {
    const ended = once(alone, "exit");
    alone.kill("SIGKILL");
    await ended;
  }
  await cluster?.clean();
});

/** A certificate that an operator issued for itself. */
function certificateOf(name: string): Promise<Identity> {
  const { secrets } = present(
    stolen.operators.find((one) => one.name === name),
    name,
  );
  const { cluster: id } = stolen.layout.founding;
  return forge({ cluster: id, aid: secrets.aid, seed: operatorSeed(secrets), role: "operator" });
}

/** Whether the node answers who calls its API port by this certificate. */
async function isHeard(identity: Identity): Promise<boolean> {
  try {
    const session = await http2(cluster.node(N).ports.api, identity);
    const { status } = await grpcRaw(session, "/grpc.health.v1.Health/Check", grpcMessage(new Uint8Array()));
    session.destroy();
    return status === "0";
  } catch {
    return false; // cut off before it could ask
  }
}

async function revoke(name: string, { cert }: Identity): Promise<void> {
  const file = cluster.path(`${name}.pem`);
  writeFileSync(file, cert);
  const client = cluster.path("clients", "admin");
  const end = await sky("certificate", "revoke", file, "--client", client, "--dir", cluster.directory, "--json");
  expect(end).toMatchObject({ code: 0 });
  expect(JSON.parse(end.out)).toMatchObject({ ok: true, changed: true });
}

async function startSealed(): Promise<ChildProcess> {
  const { dir, ports } = cluster.node(N);
  const child = fork(ENTRIES.devNode, [], { stdio: ["ignore", "ignore", "ignore", "ipc"] });
  const settings = {
    dataDir: dir,
    apiPort: String(ports.api),
    approachPort: String(ports.approach),
    clusterPort: String(ports.cluster),
    servicePort: String(ports.service),
    healthPort: String(ports.health),
    identityPort: String(ports.identity),
  };
  child.send({ settings, passphrase: null } satisfies DevNodeOrder);
  const [report] = (await once(child, "message")) as [unknown];
  expect(report).toEqual({ kind: "started" });
  return child;
}

const unseal = (name: string): ReturnType<typeof sky> =>
  sky(
    "unseal",
    N,
    "--founding",
    cluster.path("founding.sky"),
    "--operator",
    cluster.path("operators", name, "operator.sky"),
    "--passphrase-file",
    cluster.path("operators", name, "passphrase"),
  );

describe("revoked certificates and a sealed node", () => {
  it("what was revoked before is refused by the node that starts sealed; what is revoked meanwhile, once it serves", async () => {
    const early = await certificateOf("ann");
    const late = await certificateOf("bob");
    const good = await certificateOf("carol");
    for (const one of [early, late, good]) expect(await isHeard(one)).toBe(true);

    await revoke("ann", early);
    await until("the node that serves refuses it", async () => (await isHeard(good)) && !(await isHeard(early)));
    await until(
      "its projection has it on disk",
      () => storedRevokedKeys(path.join(cluster.node(N).dir, "projection.db")).length > 0,
    );
    await cluster.kill(N);
    alone = await startSealed();
    await cluster.sealed(N);
    expect(await isHeard(early)).toBe(false);
    expect(await isHeard(good)).toBe(true);

    await revoke("bob", late);
    expect(await isHeard(late)).toBe(true);

    for (const operator of ["bob", "carol"]) expect(await unseal(operator)).toMatchObject({ code: 0 });
    await cluster.ready(N);
    await until("it refuses what was revoked meanwhile", async () => (await isHeard(good)) && !(await isHeard(late)));
    expect(await isHeard(early)).toBe(false);
  });
});
