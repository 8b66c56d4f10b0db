/** Keys of revoked certificates, where handshakes are judged away from the ledger: the log says them, nothing is fetched. */
import type { Aid, Digest } from "../../base/brands.ts";
import type { RevokedKey } from "../../projections/certificates/live-certificates.ts";

export class RevokedKeys {
  readonly #keys = new Map<string, number>();

  /** Those whose certificates have ended make room: time refuses them. Units: ms since 1970. */
  add(keys: readonly RevokedKey[], now: number): void {
    for (const [key, notAfter] of this.#keys) if (notAfter < now) this.#keys.delete(key);
    for (const { aid, spkiHash, notAfter } of keys) {
      const name = nameOf(aid, spkiHash);
      this.#keys.set(name, Math.max(notAfter, this.#keys.get(name) ?? 0));
    }
  }

  readonly isRevoked = (aid: Aid, spkiHash: Digest): boolean => this.#keys.has(nameOf(aid, spkiHash));
}

const nameOf = (aid: Aid, spkiHash: Digest): string => `${aid} ${spkiHash}`;
