/**
 * By which keys the callers of the API port are known: those that the log had in force when this node last executed it, and newer ones
 * that a certificate proved by what the log's had committed to. A sealed node learns so of rotations that it slept through.
 */
import type { Aid, Said } from "../../base/brands.ts";
import type { PeerIdentity, Trust } from "../../crypto/peer-certificate.ts";
import type { Result } from "../../base/result.ts";
import type { KeyState } from "../../keri/key-state.ts";
import { keyTrust } from "../cluster/key-trust.ts";

export class ShownKeys {
  readonly #keyStateOf: (aid: Aid) => KeyState | undefined;
  /**
   * What was proved, and the event in the log that it was proved from. Bounds: one for each identifier that the founding document names;
   * nobody else may come.
   */
  readonly #proved = new Map<Aid, { readonly from: Said; readonly state: KeyState }>();

  constructor(keyStateOf: (aid: Aid) => KeyState | undefined) {
    this.#keyStateOf = keyStateOf;
  }

  readonly newest = (aid: Aid): KeyState | undefined => {
    const known = this.#keyStateOf(aid);
    const proved = this.#proved.get(aid);
    // Once the log has a rotation of its own, what was shown must follow that one: a thief of the next key may have shown another.
    return known !== undefined && proved?.from === known.said ? proved.state : known;
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
    const from = shown === undefined ? undefined : this.#keyStateOf(shown.aid)?.said;
    if (judged.ok && shown !== undefined && from !== undefined) {
      this.#proved.set(shown.aid, { from, state: shown });
      onNewer();
    }
    return judged;
  }
}
