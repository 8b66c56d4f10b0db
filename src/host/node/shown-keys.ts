/**
 * By which keys the callers of the API port are known: those that the log had in force when this node last executed it, and newer ones
 * that a certificate proved by what the log's had committed to. A sealed node learns so of rotations that it slept through.
 */
import type { Aid } from "../../base/brands.ts";
import type { PeerIdentity, Trust } from "../../crypto/peer-certificate.ts";
import type { Result } from "../../base/result.ts";
import type { KeyState } from "../../keri/key-state.ts";
import { keyTrust } from "../cluster/key-trust.ts";

export class ShownKeys {
  readonly #keyStateOf: (aid: Aid) => KeyState | undefined;
  /** Bounds: one for each identifier that the founding document names; nobody else may come. */
  readonly #proved = new Map<Aid, KeyState>();

  constructor(keyStateOf: (aid: Aid) => KeyState | undefined) {
    this.#keyStateOf = keyStateOf;
  }

  readonly newest = (aid: Aid): KeyState | undefined => {
    const known = this.#keyStateOf(aid);
    const proved = this.#proved.get(aid);
    return known !== undefined && proved !== undefined && proved.sn > known.sn ? proved : known;
  };

  /** The one key that an operator signs its shares by; undefined for who has several, or one of another algorithm. */
  readonly operatorKey = (aid: Aid): Uint8Array | undefined => {
    const [key, ...more] = this.newest(aid)?.keys ?? [];
    return key?.algorithm === "ed25519" && more.length === 0 ? key.bytes : undefined;
  };

  /** Judges a certificate; from one that holds, newer keys are kept, and `onNewer` is told. */
  judge<R extends Result<PeerIdentity>>(
    judge: (trust: Pick<Trust, "keyStateOf" | "keyStateAfter">) => R,
    onNewer: () => void,
  ): R {
    const trust = keyTrust(this.newest);
    let shown: KeyState | undefined;
    const judged = judge({
      ...trust,
      keyStateAfter: (aid, rotations, sn) => (shown = trust.keyStateAfter(aid, rotations, sn)),
    });
    if (judged.ok && shown !== undefined) {
      this.#proved.set(shown.aid, shown);
      onNewer();
    }
    return judged;
  }
}
