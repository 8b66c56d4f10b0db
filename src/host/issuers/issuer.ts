/**
 * Whoever signs certificates for others to trust: this seam and nothing more. Behind it stand a chain in files (file-chain.ts), Vault
 * (vault.ts), and one day an authority whose key no node holds. None of them makes a key an identifier's: that is the proof's to say
 * (DESIGN §6, ADR 0021).
 */
import type { RevocationReason } from "../../events/facts/certificate.ts";
import type { Result } from "../../base/result.ts";
import type { Profile } from "./profile.ts";

export interface Issuer {
  /**
   * A certificate for the key of a PKCS#10 request (DER), with the names and extensions that it asks for, as a chain, leaf first, without
   * the root. Refuses: CSR_MALFORMED, CSR_UNPROVEN, CSR_KEY_REFUSED, CSR_NAME_REFUSED, CSR_EXTENSION_REFUSED, TTL_REFUSED,
   * ISSUER_DIFFERS when the issuer signed something else. Throws: Fault ISSUER_*, which says whether trying again can help.
   */
  sign(csr: Uint8Array, profile: Profile, ttlMs: number): Promise<Result<readonly Uint8Array[]>>;
  /** Anchors (DER) that its chains end in: those of now first, then others each time that they change. Ends when the issuer is closed. */
  roots(): AsyncIterable<readonly Uint8Array[]>;
  /** `serial` as the log writes it. Throws: Fault ISSUER_*. */
  revoke(serial: string, reason: RevocationReason): Promise<Result<void>>;
  /** Never throws. */
  health(): Promise<IssuerHealth>;
  close(): void;
}

export interface IssuerHealth {
  readonly ok: boolean;
  /** A sentence without paths, addresses and identifiers. */
  readonly detail: string;
  /** The earliest end of the issuer's own certificates; null: not known. Units: ms since 1970. */
  readonly expiresAt: number | null;
}
