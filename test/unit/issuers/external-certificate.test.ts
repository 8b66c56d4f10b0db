import { writeFileSync } from "node:fs";
import { connect } from "node:tls";
import { Server } from "@grpc/grpc-js";
import { afterEach, expect, test } from "vitest";
import { refuse } from "../../../src/base/result.ts";
import { configuredIssuer, issuerNames } from "../../../src/host/issuers/configured.ts";
import { ExternalCertificate } from "../../../src/host/issuers/external-certificate.ts";
import { openVault } from "../../../src/host/issuers/vault.ts";
import { openGrpcListener } from "../../../src/host/listeners/grpc-listener.ts";
import { loadConfig } from "../../../src/host/config/load.ts";
import { createMetrics } from "../../../src/host/metrics/metrics.ts";
import { DAY } from "./asking.ts";
import { VaultStandIn } from "./vault-stand-in.ts";

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** The certificate's issuer, as a program sees it that trusts this root alone; or why it does not. */
const seen = (port: number, servername: string, ca: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, servername, ca, ALPNProtocols: ["h2"] }, () => {
      resolve(String(socket.getPeerCertificate().issuer.CN));
      socket.destroy();
    });
    socket.on("error", (error) => resolve(error.message));
  });

const configOf = (env: Record<string, string>) => {
  const loaded = loadConfig({ flags: {}, env });
  if (!loaded.ok) throw new Error(loaded.refusal.message);
  return loaded.value.config;
};

test("strangers who ask for its names see Vault's chain, all others the port's own; while Vault is sealed it goes on without", async () => {
  const vault = await VaultStandIn.start();
  cleanups.push(() => vault.stop());
  const { authority } = vault;
  writeFileSync(authority.path("token"), vault.token, { mode: 0o600 });
  const listener = await openGrpcListener({
    host: "127.0.0.1",
    port: 0,
    tls: authority.server(),
    authenticate: () => refuse("NOBODY", "Nobody is let in here."),
    server: new Server(),
  });
  cleanups.push(() => listener.close(0));
  let now = Date.now();
  const said: string[] = [];
  const ends: (number | null)[] = [];
  const issuer = openVault({
    address: vault.address,
    ca: authority.text("root.pem"),
    tokenFile: authority.path("token"),
    namespace: null,
    mount: "pki",
    role: "sky",
    isVerbatim: false,
    now: () => now,
    timeoutMs: 60_000, // behind it openssl runs, as long as it takes
    backoffMs: 1,
  });
  await issuer.roots()[Symbol.asyncIterator]().next(); // its first look is over
  vault.mood = "sealed";
  const external = new ExternalCertificate({
    issuer,
    names: ["api.example", "sky.example"],
    ttlMs: DAY,
    watch: { watch: (issuer) => void said.push(issuer) },
    now: () => now,
    logger: {
      info: (text) => void said.push(text),
      warn: (text) => void said.push(text),
      error: (text) => void said.push(text),
    },
    metrics: { ...createMetrics(), certificate: (_listener, notAfter) => void ends.push(notAfter) },
  });
  cleanups.push(() => external.stop());
  external.serve(listener.certifyNames);
  await external.look();
  expect(said).toEqual([expect.stringContaining("There is no certificate")]);
  const root = authority.text("root.pem");
  expect(await seen(listener.port, "localhost", root)).toBe("Vault root");
  expect(await seen(listener.port, "api.example", root)).toContain("altnames");

  vault.mood = "well";
  await external.look();
  expect(await seen(listener.port, "api.example", root)).toBe("Vault issuing");
  expect(await seen(listener.port, "SKY.example", root)).toBe("Vault issuing");
  expect(await seen(listener.port, "localhost", root)).toBe("Vault root");
  expect(said).toContain("external");
  const asked = vault.asked.length;
  await external.look();
  expect(vault.asked).toHaveLength(asked);
  now += (DAY * 3) / 4;
  await external.look();
  expect(ends).toHaveLength(2);
});

test("the configuration names what is missing, and names of Sky's own programs are refused", () => {
  expect(configuredIssuer(configOf({}), Date.now)).toBeUndefined();
  expect(() => configuredIssuer(configOf({ SKY_ISSUER: "file" }), Date.now)).toThrow(/SKY_ISSUER_KEY_FILE/);
  expect(() => configuredIssuer(configOf({ SKY_ISSUER: "vault" }), Date.now)).toThrow(/SKY_ISSUER_ADDRESS/);
  expect(() =>
    configuredIssuer(configOf({ SKY_ISSUER: "vault", SKY_ISSUER_ADDRESS: "http://vault" }), Date.now),
  ).toThrow(/https/);
  const config = configOf({ SKY_ISSUER: "vault", SKY_ISSUER_NAMES: "api.example, sky.example" });
  expect(issuerNames(config, ["n1.example"])).toEqual(["api.example", "sky.example"]);
  expect(() => issuerNames(config, ["sky.example"])).toThrow(/another name/);
  expect(() => issuerNames(configOf({ SKY_ISSUER: "vault" }), [])).toThrow(/SKY_ISSUER_NAMES/);
});
