/** `sky init`: a cluster founded offline from cards, step by step, as people would (DESIGN §6). */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { present } from "../../../src/base/errors.ts";
import { verifyPeerCertificate } from "../../../src/crypto/peer-certificate.ts";
import { certificatesOfPem } from "../../../src/crypto/x509.ts";
import { runAssemble, runClient, runFinish, runFounder, runOperator, runSign } from "../../../src/host/cli/init.ts";
import { EXIT } from "../../../src/host/cli/io.ts";
import { openFounding } from "../../../src/host/founding/document.ts";
import { readClientIdentity } from "../../../src/host/founding/client-folder.ts";
import { foundingTrust } from "../../../src/host/founding/operator-connection.ts";
import { temporaryDirectory } from "../enclave/sealed-node.ts";
import { quietConsole } from "../host/command-line.ts";

const directory = temporaryDirectory();
afterAll(directory.remove);
const at = (...parts: readonly string[]): string => join(directory.path, ...parts);

const { io, out, err: errors } = quietConsole();
const passphraseFile = at("passphrase");
writeFileSync(passphraseFile, "a passphrase of some length\n", { mode: 0o600 });
const operators = ["ann", "bob"];
const founders = ["n0", "n1", "n2", "n3"];
const endpoints = (i: number) => ({ api: `h${i}:1`, approach: `h${i}:2`, cluster: `h${i}:3`, service: `h${i}:4` });

test("cards, document, signatures and client folder", async () => {
  for (const name of operators) expect(await runOperator({ name, dir: at(name), passphraseFile }, io)).toBe(EXIT.ok);
  for (const [i, name] of founders.entries())
    expect(await runFounder({ name, dir: at(name), ...endpoints(i), passphraseFile }, io)).toBe(EXIT.ok);
  expect(await runClient({ dir: at("admin") }, io)).toBe(EXIT.ok);

  const document = at("draft");
  const cards = {
    founder: founders.map((name) => at(name, "founder.card")),
    operator: operators.map((name) => at(name, "operator.card")),
    admin: [at("admin", "client.card")],
  };
  expect(await runAssemble({ name: "test", threshold: 3, ...cards, out: document }, io)).toBe(EXIT.refused);
  expect(errors.at(-1)).toMatch(/threshold is 3, but there are only 2 operators/);
  expect(
    await runAssemble({ name: "test", threshold: 2, ...cards, gateway: ["n1"], out: document }, io),
    errors.at(-1),
  ).toBe(EXIT.ok);

  const signature: string[] = [];
  for (const name of [...operators, ...founders]) {
    const who = operators.includes(name) ? { operator: at(name, "operator.sky") } : { founderDir: at(name) };
    expect(await runSign({ document, ...who, out: at(`${name}.signature`), passphraseFile }, io)).toBe(EXIT.ok);
    signature.push(at(`${name}.signature`));
  }
  const founding = at("founding.sky");
  expect(await runFinish({ document, signature: signature.slice(1), out: founding }, io)).toBe(EXIT.refused);
  expect(errors.at(-1)).toMatch(/ann \(E.*has not signed/);
  expect(await runFinish({ document, signature, out: founding }, io)).toBe(EXIT.ok);

  const opened = openFounding(readFileSync(founding));
  if (!opened.ok) throw new Error(opened.refusal.message);
  expect(opened.value.document).toMatchObject({ name: "test", dev: false, threshold: 2 });
  expect(opened.value.document.gateways).toEqual([opened.value.document.founders[1]?.aid]);

  expect(await runClient({ dir: at("admin"), founding }, io)).toBe(EXIT.ok);
  const identity = readClientIdentity(at("admin"));
  expect(identity).toMatchObject({ ok: true, value: { cluster: opened.value.cluster } });
  const [certificate] = certificatesOfPem(readFileSync(at("admin", "client.pem"), "utf8")) ?? [];
  const peer = verifyPeerCertificate(present(certificate, "a certificate"), foundingTrust(opened.value, Date.now()));
  expect(peer).toMatchObject({ ok: true, value: { role: "client", aid: opened.value.document.admins[0]?.aid } });
  expect(certificatesOfPem(readFileSync(at("admin", "ca.pem"), "utf8"))).toHaveLength(4);
  expect(statSync(at("admin", "client-key.pem")).mode & 0o777).toBe(0o600);
});

test("keys are never overwritten, and a short passphrase or loose passphrase file is refused", async () => {
  expect(await runOperator({ name: "ann", dir: at("ann"), passphraseFile }, io)).toBe(EXIT.refused);
  expect(errors.at(-1)).toMatch(/operator\.sky exists already/);
  expect(await runFounder({ name: "n0", dir: at("n0"), ...endpoints(0), passphraseFile }, io)).toBe(EXIT.refused);
  expect(errors.at(-1)).toMatch(/holds a node's keys already/);
  writeFileSync(at("short"), "short\n", { mode: 0o600 });
  expect(await runOperator({ name: "eve", dir: at("eve"), passphraseFile: at("short") }, io)).toBe(EXIT.refused);
  expect(errors.at(-1)).toMatch(/at least 12 characters/);
  writeFileSync(at("loose"), "a passphrase of some length\n", { mode: 0o644 });
  expect(await runOperator({ name: "eve", dir: at("eve"), passphraseFile: at("loose") }, io)).toBe(EXIT.refused);
  expect(errors.at(-1)).toMatch(/open to other users/);
});

test("with --json one object says what was made, and a refusal is one too", async () => {
  out.length = 0;
  expect(await runOperator({ name: "dave", dir: at("dave"), passphraseFile, json: true }, io)).toBe(EXIT.ok);
  expect(await runOperator({ name: "dave", dir: at("dave"), passphraseFile, json: true }, io)).toBe(EXIT.refused);
  expect(out.map((line) => JSON.parse(line) as object)).toMatchObject([
    { ok: true, file: at("dave", "operator.sky") },
    { ok: false, code: "FILE_EXISTS" },
  ]);
});
