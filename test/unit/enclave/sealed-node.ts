/** A sealed node as the host will build it: enclave worker, boot certificate, API listener with the operators' services. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server } from "@grpc/grpc-js";
import type { Aid } from "../../../src/base/brands.ts";
import { present } from "../../../src/base/errors.ts";
import { ok } from "../../../src/base/result.ts";
import { p256KeyPair } from "../../../src/crypto/p256.ts";
import { verifyPeerCertificate } from "../../../src/crypto/peer-certificate.ts";
import { certificatePem, privateKeyPem, spkiOf } from "../../../src/crypto/x509.ts";
import { type EnclaveHost, startEnclave } from "../../../src/host/enclave/enclave-host.ts";
import type { DevCluster, DevNode } from "../../../src/host/founding/dev-cluster.ts";
import { foundDevCluster } from "../../../src/host/founding/dev-cluster.ts";
import { enclaveFounding } from "../../../src/host/founding/founder.ts";
import { foundingTrust } from "../../../src/host/founding/operator-connection.ts";
import { openGrpcListener } from "../../../src/host/listeners/grpc-listener.ts";
import { ceremony, ceremonyService } from "../../../src/host/services/ceremony.ts";
import type { CallerOf } from "../../../src/host/services/oracle-port.ts";
import { sphinx, sphinxService } from "../../../src/host/services/sphinx.ts";

export const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));

export function temporaryDirectory(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "sky-founding-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Four nodes; `apiPort` is where the first one's API listens. */
export const foundCluster = (directory: string, apiPort: number): Promise<DevCluster> =>
  foundDevCluster(directory, {
    endpoints: Array.from({ length: 4 }, (_, i) => {
      const at = (offset: number): string => `127.0.0.1:${i === 0 && offset === 0 ? apiPort : 1000 + 5 * i + offset}`;
      return { api: at(0), approach: at(1), cluster: at(2), service: at(3) };
    }),
    random,
    now: Date.now(),
  });

export interface RunningNode {
  readonly enclave: EnclaveHost;
  /** What `onDeath` was told. */
  readonly deaths: readonly Error[];
  readonly sealed: () => Promise<boolean>;
  readonly stop: () => Promise<void>;
}

export async function startEnclaveOf(
  cluster: DevCluster,
  node: DevNode,
  membership = { stopServing: async () => {} },
): Promise<RunningNode> {
  let onSealed: (exit: boolean) => void = () => {};
  const deaths: Error[] = [];
  const enclave = await startEnclave({
    directory: node.directory,
    founding: present(enclaveFounding(cluster.founding, node.aid), "a founder"),
    stopServing: membership.stopServing,
    onSealed: (exit) => onSealed(exit),
    onDeath: (error) => void deaths.push(error),
  });
  return {
    enclave,
    deaths,
    sealed: () =>
      new Promise((resolve) => {
        onSealed = resolve;
      }),
    stop: () => enclave.stop(),
  };
}

/** Serves the API port of a node that boots sealed. */
export async function serveApi(
  cluster: DevCluster,
  node: DevNode,
  enclave: EnclaveHost,
  port: number,
  membership = { unsealedMembers: 4, quorum: 3 },
) {
  const keys = p256KeyPair(random(48));
  const now = Date.now();
  const [leaf] = await enclave.bootCertificate({
    spki: spkiOf(keys.publicKey),
    hosts: ["127.0.0.1"],
    notBefore: now - 1000,
    notAfter: now + 600_000,
    bringsRotations: false,
  });
  const server = new Server();
  let callerOf: CallerOf = () => {
    throw new Error("not listening yet");
  };
  const context = {
    enclave,
    callerOf: ((call) => callerOf(call)) as CallerOf,
    membership: () => membership,
    height: () => 0,
    operatorKey: (operator: Aid) => cluster.founding.identifiers.get(operator)?.keys[0]?.bytes,
    logNotes: () => [],
    onDefect: (error: unknown) => console.error(error),
  };
  server.addService(ceremonyService, ceremony(context));
  server.addService(sphinxService, sphinx(context));
  const listener = await openGrpcListener({
    host: "127.0.0.1",
    port,
    tls: { key: privateKeyPem(keys.privateKey), cert: certificatePem(present(leaf, "a leaf")) },
    authenticate: (certificate) => {
      const peer = verifyPeerCertificate(certificate, foundingTrust(cluster.founding, Date.now()));
      return peer.ok ? ok({ aid: peer.value.aid, role: peer.value.role }) : peer;
    },
    server,
  });
  callerOf = listener.callerOf;
  void node;
  return listener;
}
