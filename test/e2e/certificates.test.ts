/** A revoked certificate on a cluster as its users run it: refused everywhere by the log alone, and told to those outside. */
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:tls";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { present } from "../../src/base/errors.ts";
import { certificatePem } from "../../src/crypto/x509.ts";
import { clientFiles } from "../../src/host/founding/client-folder.ts";
import { Cluster, sky, until } from "./cluster.ts";
import { steal } from "./security/stolen.ts";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start();
});
afterAll(() => cluster?.clean());

const run = promisify(execFile);
const openssl = async (...args: string[]): Promise<string> => {
  const { stdout, stderr } = await run("openssl", args);
  return stdout + stderr;
};

interface Held {
  readonly node: string;
  isOpen: boolean;
}

/** A connection to a SERVICE port by a key and certificate (PEM): open for as long as the node lets it. */
function hold(node: string, key: string, cert: string): Promise<Held> {
  const { service } = present(
    cluster.nodes.find(({ name }) => name === node),
    `node ${node}`,
  ).ports;
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: "127.0.0.1",
      port: service,
      key,
      cert,
      rejectUnauthorized: false,
      ALPNProtocols: ["h2"],
    });
    const held = { node, isOpen: true };
    // The server's SETTINGS come once the certificate is judged; who is not let in may hear why, and is cut off within a second.
    socket.once("data", () => resolve(held));
    socket.on("error", () => {});
    socket.on("close", () => {
      held.isOpen = false;
      reject(new Error(`${node} did not let it in`));
    });
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1");
  });
}

const certificate = async (...args: string[]): Promise<readonly Record<string, unknown>[]> => {
  const end = await sky("certificate", ...args, "--dir", cluster.directory, "--json");
  if (end.code !== 0) throw new Error(end.out + end.err);
  return end.out
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
};
const admin = (): readonly string[] => ["--client", cluster.path("clients", "admin")];
const identityUrl = (name: string): string =>
  `http://127.0.0.1:${
    present(
      cluster.nodes.find((node) => node.name === name),
      name,
    ).ports.identity
  }`;

describe("certificates of a running cluster", () => {
  it("nodes record what they issue for themselves, and only auditors see it", async () => {
    const nodes = await until("every node's certificates in the log", async () => {
      const found = await certificate("list", "--all", ...admin());
      return new Set(found.map(({ aid }) => aid)).size >= 4 ? found : undefined;
    });
    for (const { role, revocation } of nodes) expect({ role, revocation }).toEqual({ role: "node", revocation: null });
    const denied = await sky("certificate", "list", "--all", "--dir", cluster.directory, "--json");
    expect(denied.code).toBe(1);
    expect(denied.out + denied.err).toContain("PERMISSION_DENIED");
  });

  it("a client's is revoked: its connections end, handshakes are refused, list and responder say so", async () => {
    const folder = cluster.path("clients", "default");
    // Commands that use the folder leave its certificate as it is while it is good.
    const none = await sky("certificate", "list", "--dir", cluster.directory);
    expect([none.code, none.out, none.err]).toEqual([0, "", expect.stringContaining("no certificate of this client")]);
    const files = clientFiles(folder);
    const [key, cert] = [readFileSync(files.key, "utf8"), readFileSync(files.certificate, "utf8")];
    const kept = cluster.path("revoked.pem");
    writeFileSync(kept, cert);
    const held = await Promise.all(cluster.nodes.map(({ name }) => hold(name, key, cert)));
    const [, other] = await Promise.all([certificate("record", files.certificate), hold("n1", ...adminTls())]);
    expect(readFileSync(files.certificate, "utf8")).toBe(cert);

    const node = present(
      steal(cluster.directory).nodes.find(({ name }) => name === "n2"),
      "n2",
    );
    const issuer = cluster.path("issuer.pem");
    writeFileSync(issuer, certificatePem(node.keys.issuerCertificate));
    const ocsp = () =>
      openssl(
        "ocsp",
        "-issuer",
        kept,
        "-cert",
        kept,
        "-url",
        `${identityUrl("n2")}/ocsp`,
        "-VAfile",
        issuer,
        "-CAfile",
        issuer,
      );
    expect(
      await until("the responder knows it", async () => {
        const answer = await ocsp().catch(String);
        return answer.includes(": good") ? answer : undefined;
      }),
    ).toContain("Response verify OK");

    const [revoked] = await certificate("revoke", kept, "--reason", "keyCompromise", ...admin());
    expect(revoked).toMatchObject({ ok: true, changed: true });
    await until("all its connections end", () => held.every(({ isOpen }) => !isOpen));
    expect(other.isOpen).toBe(true);
    for (const { name } of cluster.nodes) {
      const refused = await hold(name, key, cert).catch(() => undefined); // it may hear why, and no more
      await until(`${name} ends it`, () => refused?.isOpen !== true);
    }
    expect(other.isOpen).toBe(true);

    expect(await ocsp()).toMatch(/: revoked[^]*Reason: keyCompromise/);
    const list = await fetch(`${identityUrl("n2")}/crl/self-issued`);
    expect(list.headers.get("content-type")).toBe("application/pkix-crl");
    writeFileSync(cluster.path("list.crl"), new Uint8Array(await list.arrayBuffer()));
    const text = await openssl(
      "crl",
      "-inform",
      "DER",
      "-in",
      cluster.path("list.crl"),
      "-noout",
      "-text",
      "-CAfile",
      issuer,
    );
    expect(text).toContain("verify OK");
    expect(text).toContain(String(revoked?.["serial"]).toUpperCase());

    // Its owner goes on with another certificate, and sees what became of that one; once told to revoke it, the folder has another, too.
    const own = await certificate("list");
    expect(own).toEqual([
      expect.objectContaining({
        serial: revoked?.["serial"],
        revocation: expect.objectContaining({ reason: "keyCompromise" }),
      }),
    ]);
    const [again] = await certificate("revoke", files.certificate);
    expect(again).toMatchObject({ serial: revoked?.["serial"], changed: false });
    expect(readFileSync(files.certificate, "utf8")).not.toBe(cert);
  });

  it("a node's is revoked: it takes fresh keys by itself and goes on, and its list says so", async () => {
    const node = present(
      steal(cluster.directory).nodes.find(({ name }) => name === "n3"),
      "n3",
    );
    const before = await certificate("list", "--aid", node.aid, ...admin());
    const serial = String(before[0]?.["serial"]);
    await certificate("revoke", serial, "--aid", node.aid, "--reason", "superseded", ...admin());
    const renewed = await until("n3 records fresh certificates", async () => {
      const now = await certificate("list", "--aid", node.aid, ...admin());
      return now.length >= 2 * before.length ? now : undefined;
    });
    expect(renewed.filter(({ revocation }) => revocation !== null).map((one) => one["serial"])).toEqual([serial]);
    const issuer = cluster.path("issuer3.pem");
    writeFileSync(issuer, certificatePem(node.keys.issuerCertificate));
    const list = await fetch(`${identityUrl("n3")}/crl/${node.aid}`);
    writeFileSync(cluster.path("list3.crl"), new Uint8Array(await list.arrayBuffer()));
    const text = await openssl(
      "crl",
      "-inform",
      "DER",
      "-in",
      cluster.path("list3.crl"),
      "-noout",
      "-text",
      "-CAfile",
      issuer,
    );
    expect(text).toMatch(new RegExp(`${serial.toUpperCase()}[^]*Superseded[^]*verify OK`));
    await cluster.ready("n3");
  });
});

function adminTls(): readonly [string, string] {
  const files = clientFiles(cluster.path("clients", "admin"));
  return [readFileSync(files.key, "utf8"), readFileSync(files.certificate, "utf8")];
}
