/** The founding document: made offline from cards, signed by all founders and operators (DESIGN §6). */
import type { Aid } from "../../base/brands.ts";
import { type Shape, boolean, bytes, integer, list, record, text } from "../../base/codec.ts";
import { aidShape } from "./command.ts";

/** An identifier with its inception event. */
export interface IdentifierCard {
  readonly aid: Aid;
  readonly icp: Uint8Array;
}

/** Where a founder listens, as host:port. */
export interface Endpoints {
  readonly api: string;
  readonly approach: string;
  readonly cluster: string;
  readonly service: string;
}

export interface FounderCard extends IdentifierCard {
  /** What operators call the node; no meaning to the protocol. */
  readonly name: string;
  /** Ed25519 public key that signs consensus messages of epoch 0, 32 bytes. */
  readonly epochKey: Uint8Array;
  /** Ed25519 public key of the sealed node, 32 bytes (DESIGN §6, boot key). */
  readonly bootKey: Uint8Array;
  /** X.509 issuer certificate (ECDSA P-256), DER: the anchor of this node's chain. */
  readonly issuer: Uint8Array;
  readonly endpoints: Endpoints;
}

export interface OperatorCard extends IdentifierCard {
  readonly name: string;
  /** X25519 public key that shares are sealed to, 32 bytes. */
  readonly hpkeKey: Uint8Array;
}

export interface FoundingDocument {
  readonly name: string;
  readonly dev: boolean;
  readonly founders: readonly FounderCard[];
  readonly operators: readonly OperatorCard[];
  /** k: operators needed to unseal a node. */
  readonly threshold: number;
  readonly admins: readonly IdentifierCard[];
  /** Nodes that may sign for legacy clients. */
  readonly gateways: readonly Aid[];
  readonly clients: readonly IdentifierCard[];
}

export interface FoundingSignature {
  readonly aid: Aid;
  /** Ed25519 over "sky/founding/v1\0" ‖ cluster ‖ document, by the identifier's inception key. */
  readonly sig: Uint8Array;
}

/** What the file holds: the exact bytes whose SHA-256 is the cluster id, and everybody's signatures. */
export interface SignedFounding {
  readonly document: Uint8Array;
  readonly signatures: readonly FoundingSignature[];
}

export const FOUNDING_BYTES_MAX = 1024 * 1024;
/** A committee below four tolerates no fault. */
export const FOUNDERS_MIN = 4;

const icp = bytes(1, 65_536);
const label = text(128);
const endpoint = text(300);
const identifierShape: Shape<IdentifierCard> = record("identifier", { aid: aidShape, icp });

export const foundingDocumentShape: Shape<FoundingDocument> = record("founding document", {
  name: label,
  dev: boolean,
  founders: list(
    record<FounderCard>("founder", {
      aid: aidShape,
      icp,
      name: label,
      epochKey: bytes(32),
      bootKey: bytes(32),
      issuer: bytes(1, 4096),
      endpoints: record<Endpoints>("endpoints", {
        api: endpoint,
        approach: endpoint,
        cluster: endpoint,
        service: endpoint,
      }),
    }),
    100,
    FOUNDERS_MIN,
  ),
  operators: list(record<OperatorCard>("operator", { aid: aidShape, icp, name: label, hpkeKey: bytes(32) }), 100, 1),
  threshold: integer(1, 100),
  admins: list(identifierShape, 1000, 1),
  gateways: list(aidShape, 100),
  clients: list(identifierShape, 1000),
});

export const foundingSignatureListShape: Shape<readonly FoundingSignature[]> = list(
  record<FoundingSignature>("signature", { aid: aidShape, sig: bytes(64) }),
  200,
);

export const signedFoundingShape: Shape<SignedFounding> = record("signed founding document", {
  document: bytes(1, FOUNDING_BYTES_MAX),
  signatures: foundingSignatureListShape,
});
