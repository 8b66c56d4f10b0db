/** The external issuer that the configuration names, if it names one. */
import { Fault } from "../../base/errors.ts";
import type { NodeConfig } from "../config/schema.ts";
import { readPublic } from "../founding/files.ts";
import { openFileChain } from "./file-chain.ts";
import type { Issuer } from "./issuer.ts";
import { openVault } from "./vault.ts";

const CA_BYTES_MAX = 256 * 1024;

/** Throws: Fault ISSUER_CONFIG, ISSUER_FILES. */
export function configuredIssuer(config: NodeConfig, now: () => number): Issuer | undefined {
  const need = (value: string | undefined, name: string): string => {
    if (value !== undefined) return value;
    throw new Fault("ISSUER_CONFIG", `The issuer ${config.issuer} needs ${name}; see docs/CONFIGURATION.md.`);
  };
  switch (config.issuer) {
    case "enclave":
      return undefined;
    case "file":
      return openFileChain({
        key: need(config.issuerKeyFile, "SKY_ISSUER_KEY_FILE"),
        chain: need(config.issuerChainFile, "SKY_ISSUER_CHAIN_FILE"),
        crl: `${config.dataDir}/issuer.crl`,
        now,
      });
    case "vault": {
      const address = need(config.issuerAddress, "SKY_ISSUER_ADDRESS");
      if (!URL.canParse(address) || new URL(address).protocol !== "https:")
        throw new Fault("ISSUER_CONFIG", "SKY_ISSUER_ADDRESS is not an https:// address.");
      const ca = readPublic(need(config.issuerCaFile, "SKY_ISSUER_CA_FILE"), CA_BYTES_MAX);
      if (!ca.ok) throw new Fault("ISSUER_CONFIG", ca.refusal.message);
      return openVault({
        address,
        ca: Buffer.from(ca.value).toString("latin1"),
        tokenFile: need(config.issuerTokenFile, "SKY_ISSUER_TOKEN_FILE"),
        namespace: config.issuerNamespace ?? null,
        mount: config.issuerMount,
        role: config.issuerRole,
        isVerbatim: false, // names alone: nothing of ours is asked for
        now,
      });
    }
  }
}

/**
 * Names of the installation that the external issuer certifies. Refuses by a Fault ISSUER_CONFIG those at which Sky's own programs reach a node:
 * they would be shown a chain that they do not know.
 */
export function issuerNames(config: NodeConfig, hosts: readonly string[]): readonly string[] {
  const names = (config.issuerNames ?? "").split(",").flatMap((name) => name.trim() || []);
  const bad = names.find((name) => !/^(?=.{1,253}$)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+$/.test(name));
  if (names.length === 0 || names.length > 16 || bad !== undefined)
    throw new Fault(
      "ISSUER_CONFIG",
      `SKY_ISSUER_NAMES needs 1 to 16 DNS names in lower case, separated by commas${bad === undefined ? "" : `; ${bad} is none`}.`,
    );
  const own = names.find((name) => hosts.includes(name));
  if (own === undefined) return names;
  throw new Fault(
    "ISSUER_CONFIG",
    `${own} is where Sky's own programs reach a node (founding document); give strangers another name.`,
  );
}
