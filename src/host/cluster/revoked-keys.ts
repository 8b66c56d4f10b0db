/** Keys of revoked certificates, where handshakes are judged away from the ledger: the log says them, nothing is fetched. */
import type { Aid, Digest } from "../../base/brands.ts";
import type { RevokedKey } from "../../projections/certificates/live-certificates.ts";

export class RevokedKeys {
  readonly #keys = new Map<string, RevokedKey>();

  /** Those whose certificates have ended make room: time refuses them. Units: ms since 1970. */
  add(keys: readonly RevokedKey[], now: number): void {
    for (const [key, { notAfter }] of this.#keys) if (notAfter < now) this.#keys.delete(key);
    for (const { aid, spkiHash, notAfter } of keys) {
      const name = nameOf(aid, spkiHash);
      const until = Math.max(notAfter, this.#keys.get(name)?.notAfter ?? 0);
      this.#keys.set(name, { aid, spkiHash, notAfter: until });
    }
  }

  /** All of them, for who begins to judge elsewhere. */
  all(): readonly RevokedKey[] {
    return [...this.#keys.values()];
  }

  readonly isRevoked = (aid: Aid, spkiHash: Digest): boolean => this.#keys.has(nameOf(aid, spkiHash));
}

const nameOf = (aid: Aid, spkiHash: Digest): string => `${aid} ${spkiHash}`;
