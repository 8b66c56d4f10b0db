/** Who a client is, from the file that `sky init client` and `sky dev` write beside its certificate (`identity.json`). */
import type { Aid, Digest } from "../base/brands.ts";
import { keyStateOfInception } from "../keri/key-state.ts";
import { SkyError } from "./errors.ts";
import { type Signer, ed25519Signer } from "./signing.ts";

export interface ClientIdentity {
  readonly cluster: Digest;
  readonly signer: Signer;
}

const ill = (what: string): SkyError =>
  new SkyError("MALFORMED", `This is no client identity (${what}); make the client's folder again.`, {
    retryable: false,
  });

/**
 * What `SkyClient.connect` needs of `identity.json`, given the file's bytes.
 * Throws: SkyError MALFORMED; also when the client has not seen a founding document yet.
 */
export function identityOf(file: Uint8Array): ClientIdentity {
  let fields: Readonly<Record<string, unknown>>;
  try {
    fields = JSON.parse(Buffer.from(file).toString("utf8")) as Readonly<Record<string, unknown>>;
  } catch {
    throw ill("it is not JSON");
  }
  const { version, aid, cluster, icp, current } = fields;
  if (version !== 1) throw ill(`version ${String(version)}`);
  if (cluster === null) throw ill("it names no cluster yet: run sky init client with --founding");
  if (typeof cluster !== "string" || !/^[0-9a-f]{64}$/.test(cluster)) throw ill("its cluster");
  if (typeof icp !== "string" || typeof current !== "string") throw ill("icp or current is missing");
  const inception = keyStateOfInception(Uint8Array.from(Buffer.from(icp, "base64url")));
  if (!inception.ok) throw ill(inception.refusal.message);
  if (inception.value.aid !== aid) throw ill("aid is not that of icp");
  const seed = Uint8Array.from(Buffer.from(current, "base64url"));
  if (seed.length !== 32) throw ill("current is no seed");
  const { sn, said } = inception.value;
  return { cluster: cluster as Digest, signer: ed25519Signer(aid as Aid, { sn, said }, seed) };
}
