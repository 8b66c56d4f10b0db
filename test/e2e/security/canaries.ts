/** The secrets of a dev cluster, and every way in which one may have been written: what must be found nowhere. */
import { readFileSync } from "node:fs";
import { present } from "../../../src/base/errors.ts";
import { operatorSeed } from "../../../src/host/founding/operator-file.ts";
import type { Cluster } from "../cluster.ts";
import type { Stolen } from "./stolen.ts";

export interface Canary {
  readonly name: string;
  readonly bytes: Buffer;
  /** Where this one may stand, relative to the cluster's directory. */
  readonly home: RegExp;
}

const OPERATORS = /^operators\//;
const NOWHERE = /^$/;

/** A PKCS#8 key's secret part, which its PEM and its DER both hold. */
const pemBody = (pem: string): Buffer => Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ""), "base64");

/** Every secret of a dev cluster whose nodes are initialised. */
export function canaries(cluster: Cluster, stolen: Stolen): readonly Canary[] {
  const found: Canary[] = [];
  const add = (name: string, bytes: Uint8Array, home: RegExp): void =>
    void found.push({ name, bytes: Buffer.from(bytes), home });
  for (const { name, secrets, passphrase } of stolen.operators) {
    add(`operator ${name}: seed`, operatorSeed(secrets), NOWHERE);
    add(`operator ${name}: next seed`, present(secrets.next[0], "a next key"), NOWHERE);
    add(`operator ${name}: HPKE key`, secrets.hpke, NOWHERE);
    add(`operator ${name}: passphrase`, Buffer.from(passphrase), OPERATORS);
    for (const share of secrets.shares) add(`operator ${name}: share of ${share.node}`, share.value, NOWHERE);
  }
  for (const { name, keys, dataKey, rootKey } of stolen.nodes) {
    for (const part of ["current", "next", "epoch", "mark", "issuerKey"] as const)
      add(`node ${name}: ${part}`, keys[part], NOWHERE);
    // The private scalar within the issuer's PKCS#8, which other encodings of the key would hold, too.
    add(`node ${name}: issuer scalar`, keys.issuerKey.slice(36, 68), NOWHERE);
    add(`node ${name}: data key`, dataKey, NOWHERE);
    add(`node ${name}: root`, rootKey, NOWHERE);
    const boot = pemBody(readFileSync(cluster.path("nodes", name, "boot.key"), "utf8"));
    add(`node ${name}: boot seed`, boot.subarray(-32), new RegExp(`^nodes/${name}/boot\\.key$`));
  }
  for (const { name, current, next, tlsKey } of stolen.clients) {
    const home = new RegExp(`^clients/${name}/`);
    add(`client ${name}: seed`, current, home);
    add(`client ${name}: next seed`, next, home);
    add(`client ${name}: TLS scalar`, pemBody(tlsKey).subarray(36, 68), home);
  }
  return found;
}

/** Every way in which 32 bytes are usually written; base64 at each of its three alignments. */
export function spellings(bytes: Buffer): readonly Buffer[] {
  const texts = new Set<string>([bytes.toString("hex"), bytes.toString("hex").toUpperCase(), [...bytes].join(",")]);
  for (let shift = 0; shift < 3; shift++) {
    const padded = Buffer.concat([Buffer.alloc(shift), bytes]);
    for (const encoding of ["base64", "base64url"] as const) {
      // The characters that other bytes before or behind would change are left out.
      const text = padded.toString(encoding).replace(/=+$/, "");
      texts.add(text.slice(shift === 0 ? 0 : shift + 1, ((padded.length - (padded.length % 3)) / 3) * 4));
    }
  }
  return [bytes, ...[...texts].map((text) => Buffer.from(text))];
}
