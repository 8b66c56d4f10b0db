/** `sky certificate revoke-external`: by a node's settings, at the issuer that they name. */
import { writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { serialOf } from "../../../src/crypto/requested-certificate.ts";
import { certificatePem } from "../../../src/crypto/x509.ts";
import { EXIT } from "../../../src/host/cli/io.ts";
import { openFileChain } from "../../../src/host/issuers/file-chain.ts";
import { sky } from "../host/command-line.ts";
import { DAY, request } from "./asking.ts";
import { Authority } from "./authority.ts";
import { VaultStandIn } from "./vault-stand-in.ts";

const revoke = (...words: readonly string[]) => sky("certificate", "revoke-external", ...words);

describe("at Vault", () => {
  let vault: VaultStandIn;
  beforeEach(async () => {
    vault = await VaultStandIn.start();
    writeFileSync(vault.authority.path("token"), `${vault.token}\n`, { mode: 0o600 });
  });
  afterEach(() => vault.stop());
  const settings = (): readonly string[] => [
    ...["--issuer", "vault", "--issuer-address", vault.address],
    ...["--issuer-ca-file", vault.authority.path("root.pem"), "--issuer-token-file", vault.authority.path("token")],
  ];

  test("a serial number, however it is written, is revoked", async () => {
    const end = await revoke("0A:0b:FF", "--reason", "keyCompromise", ...settings(), "--json");
    expect([end.code, ...end.out.map((line) => JSON.parse(line) as unknown)]).toEqual([
      EXIT.ok,
      { ok: true, serial: "0a0bff", reason: "keyCompromise" },
    ]);
    expect(vault.revoked).toEqual(["0a:0b:ff"]);
  });

  test("a token that it does not take and an address where nobody is end the command, and nothing is revoked", async () => {
    vault.token = "hvs.another";
    expect(await revoke("0a", ...settings())).toMatchObject({ code: EXIT.unavailable });
    const away = settings().map((word) => (word === vault.address ? "https://127.0.0.1:1" : word));
    expect(await revoke("0a", ...away)).toMatchObject({ code: EXIT.unavailable });
    expect(vault.revoked).toEqual([]);
  });
});

describe("at a chain in files", () => {
  const authority = new Authority();
  afterEach(() => authority.clean());

  test("a certificate's file: its serial number stands in the list that the authority publishes", async () => {
    const [key, chain] = [authority.path("intermediate.key"), authority.path("chain.pem")];
    const issuer = openFileChain({ key, chain, crl: authority.path("unused.crl"), now: () => Date.now() });
    const csr = request({ sans: ["DNS:api.example"], subject: "api.example", withProof: false });
    const signed = await issuer.sign(csr, { kind: "external", hosts: ["api.example"] }, DAY);
    issuer.close();
    const [leaf] = signed.ok ? signed.value : expect.unreachable(signed.refusal.message);
    const pem = authority.path("leaf.pem");
    writeFileSync(pem, certificatePem(leaf ?? expect.unreachable("there is a leaf")));
    const settings = ["--issuer", "file", "--issuer-key-file", key, "--issuer-chain-file", chain];
    const end = await revoke(pem, ...settings, "--data-dir", authority.directory);
    expect([end.code, end.out.join("")]).toEqual([
      EXIT.ok,
      expect.stringContaining(serialOf(leaf ?? new Uint8Array())),
    ]);
    const list = authority.crlText(authority.path("issuer.crl"));
    expect(list).toContain("verify OK");
    expect(list).toContain(serialOf(leaf ?? new Uint8Array()).toUpperCase());
  });
});

test.each([
  [["0a"], EXIT.usage, "name no external issuer"],
  [["0a", "--issuer", "vault"], EXIT.unavailable, "SKY_ISSUER_ADDRESS"],
  [["0a", "--issuer", "nobody"], EXIT.usage, "issuer"],
  [["0a", "--reason", "boredom"], EXIT.usage, "The reason is one of"],
  [["nothing.pem"], EXIT.refused, "There is no file nothing.pem"],
  [["package.json"], EXIT.refused, "holds no certificate"],
] as const)("%j is refused with a sentence", async (words, code, sentence) => {
  const end = await revoke(...words);
  expect([end.code, end.err.join("\n")]).toEqual([code, expect.stringContaining(sentence)]);
});
