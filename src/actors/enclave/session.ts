/** What one ceremony collects and a snapshot must not hold: the session's private key, and shares. */
import type { Aid } from "../../base/brands.ts";
import type { Share } from "../../crypto/feldman.ts";
import { Secret } from "../../crypto/secret.ts";
import type { SignedSessionKey } from "./ports.ts";

export class Session {
  readonly key: SignedSessionKey;
  readonly privateKey: Secret<Uint8Array>;
  readonly #shares = new Map<Aid, { readonly index: number; readonly value: Secret<Uint8Array> }>();

  constructor(key: SignedSessionKey, privateKey: Secret<Uint8Array>) {
    this.key = key;
    this.privateKey = privateKey;
  }

  keep(operator: Aid, { index, value }: Share): void {
    this.#shares.get(operator)?.value.erase();
    this.#shares.set(operator, { index, value: new Secret(value) });
  }

  /** Shares of these operators, in their order; the values are the session's own and are erased with it. */
  shares(operators: readonly Aid[]): readonly Share[] {
    return operators.flatMap((operator) => {
      const share = this.#shares.get(operator);
      return share === undefined ? [] : [{ index: share.index, value: share.value.reveal() }];
    });
  }

  erase(): void {
    this.privateKey.erase();
    for (const { value } of this.#shares.values()) value.erase();
    this.#shares.clear();
  }
}
