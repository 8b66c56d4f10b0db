/**
 * `npm run test:interop`: the acceptance story told by Python's gRPC, which is gRPC's C++ core on BoringSSL, with nothing but the
 * files that `sky dev` leaves for a client. Needs python3 with venv and pip; says why it is skipped without them.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { connect } from "node:tls";
import { certificatePem } from "../../../src/crypto/x509.ts";
import { operatorTls } from "../../../src/host/founding/operator-connection.ts";
import { Cluster, root, sky, until } from "../../e2e/cluster.ts";
import { seesAll, steal } from "../../e2e/security/stolen.ts";

/** Two wheels of 20 MB. Units: ms. */
const INSTALL_MS = 300_000;
const RUN_MS = 90_000;
const here = import.meta.dirname;

interface Ran {
  readonly ok: boolean;
  readonly text: string;
}
const run = (file: string, args: readonly string[], timeout = RUN_MS): Promise<Ran> =>
  new Promise((resolve) => {
    execFile(file, args, { timeout, cwd: root }, (error, out, err) =>
      resolve({ ok: error === null, text: `${out}${err}`.trim() || String(error?.message ?? "") }),
    );
  });

const PACKAGES = ["grpcio==1.85.1", "grpcio-tools==1.85.1"];
const PROTOS = ["com/hellblazer/delphi/v1/oracle.proto", "sky/ceremony/v1/ceremony.proto"];

/** A Python with gRPC in a directory of its own, or why there is none. */
async function python(directory: string): Promise<Ran> {
  const venv = await run("python3", ["-m", "venv", path.join(directory, "venv")]);
  if (!venv.ok) return { ok: false, text: `python3 with venv is not here (${firstLine(venv.text)})` };
  const file = path.join(directory, "venv", "bin", "python");
  const installed = await run(
    file,
    ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...PACKAGES],
    INSTALL_MS,
  );
  return installed.ok
    ? { ok: true, text: file }
    : { ok: false, text: `pip cannot install grpcio (${firstLine(installed.text)})` };
}
const firstLine = (text: string): string => text.split("\n", 1)[0] ?? "";

/** The leaf that a node's API port shows, as PEM. */
const shown = (port: number, tls: { readonly cert: string; readonly key: string }): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(
      { host: "127.0.0.1", port, ...tls, rejectUnauthorized: false, ALPNProtocols: ["h2"] },
      () => {
        resolve(certificatePem(new Uint8Array(socket.getPeerCertificate().raw)));
        socket.destroy();
      },
    );
    socket.once("error", reject);
  });

async function sealedPort(cluster: Cluster, file: string, protocol: string, directory: string): Promise<string> {
  const { layout, operators } = steal(cluster.directory);
  const [ann, annsFile] = [operators[0], layout.operators[0]];
  if (ann === undefined || annsFile === undefined) throw new Error("a dev cluster has operators");
  const as = [
    "--founding",
    layout.foundingFile,
    "--operator",
    annsFile.file,
    "--passphrase-file",
    annsFile.passphraseFile,
  ];
  await seesAll(cluster, "n0");
  const seal = await sky("seal", "n0", ...as);
  if (!seal.out.includes("is sealing")) throw new Error(seal.out + seal.err);
  await until("n0 is sealed", async () => (await cluster.metric("n0", "sealed")) === 1);
  const tls = await operatorTls(
    layout.founding,
    ann.secrets,
    (length) => new Uint8Array(randomBytes(length)),
    Date.now(),
  );
  const { api } = cluster.node("n0").ports;
  const at = (name: string, content: string): string => {
    const written = path.join(directory, name);
    writeFileSync(written, content, { mode: 0o600 });
    return written;
  };
  const args = [at("boot.pem", await shown(api, tls)), at("operator-key.pem", tls.key), at("operator.pem", tls.cert)];
  const asked = await run(file, [path.join(here, "sealed.py"), protocol, ...args, `127.0.0.1:${api}`]);
  return asked.text;
}

async function main(): Promise<number> {
  const directory = mkdtempSync(path.join(tmpdir(), "sky-interop-"));
  let cluster: Cluster | undefined;
  try {
    const found = await python(directory);
    if (!found.ok) {
      console.info(`skipped: ${found.text}`);
      return 0;
    }
    const compiled = await run(found.text, [
      "-m",
      "grpc_tools.protoc",
      "-I",
      "proto",
      `--python_out=${directory}`,
      `--grpc_python_out=${directory}`,
      ...PROTOS,
    ]);
    if (!compiled.ok) throw new Error(compiled.text);
    cluster = await Cluster.start();
    for (const host of ["127.0.0.1", "localhost"]) {
      const addresses = cluster.nodes.map(({ ports }) => `${host}:${ports.service}`);
      const told = await run(found.text, [
        path.join(here, "story.py"),
        directory,
        cluster.path("clients", "default"),
        ...addresses,
      ]);
      console.info(told.text);
      if (!told.ok) return 1;
    }
    console.info(
      `sealed API port (leaf signed by an Ed25519 boot key): ${await sealedPort(cluster, found.text, directory, directory)}`,
    );
    return 0;
  } finally {
    await cluster?.clean();
    rmSync(directory, { recursive: true, force: true });
  }
}

process.exitCode = await main();
