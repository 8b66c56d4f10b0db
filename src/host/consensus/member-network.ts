/** The mesh of the founding members: who may connect stands in the founding document, and by which keys in the log. */
import type { Aid, Digest, MemberIndex } from "../../base/brands.ts";
import { memberIndex } from "../../base/brands.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { verifyPeerCertificate } from "../../crypto/peer-certificate.ts";
import { keyTrust } from "../cluster/key-trust.ts";
import { type PeerNetwork, type PeerNetworkOptions, openPeerNetwork } from "../cluster/peer-network.ts";
import type { KeyState } from "../../keri/key-state.ts";
import type { Founding } from "../founding/document.ts";

export interface MemberNetworkOptions extends Omit<PeerNetworkOptions, "endpoints" | "authenticate"> {
  /** The newest key state of a member that the node knows. */
  readonly keyStateOf: (aid: Aid) => KeyState | undefined;
  readonly isRevoked: (aid: Aid, spkiHash: Digest) => boolean;
}

export function openMemberNetwork(founding: Founding, options: MemberNetworkOptions): Promise<PeerNetwork> {
  const { cluster, document } = founding;
  const issuers = new Map(document.founders.map(({ aid, issuer }) => [aid, issuer]));
  const members = new Map(document.founders.map(({ aid }, i) => [aid, memberIndex(i)]));
  const authenticate = (certificate: Uint8Array): Result<MemberIndex> => {
    const judged = verifyPeerCertificate(certificate, {
      cluster,
      now: Date.now(),
      ...keyTrust(options.keyStateOf),
      isRevoked: options.isRevoked,
      issuerOf: (aid) => issuers.get(aid),
    });
    if (!judged.ok) return judged;
    const member = judged.value.role === "node" ? members.get(judged.value.aid) : undefined;
    if (member !== undefined) return ok(member);
    return refuse("NOT_A_MEMBER", "The certificate is not of a member of this epoch.", "peer");
  };
  const endpoints = document.founders.map((founder) => founder.endpoints.cluster);
  return openPeerNetwork({ ...options, endpoints, authenticate });
}
