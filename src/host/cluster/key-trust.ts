/** By which keys somebody at the other end of a connection is known: those in force here, and those that they had committed to. */
import type { Aid } from "../../base/brands.ts";
import type { Trust } from "../../crypto/peer-certificate.ts";
import type { KeyState } from "../../keri/key-state.ts";
import { keyStateAfter } from "../../keri/later-key-state.ts";

export interface KeyTrust extends Pick<Trust, "keyStateOf" | "keyStateAfter"> {
  readonly keyStateAfter: (aid: Aid, rotations: Uint8Array, sn: number) => KeyState | undefined;
}

export const keyTrust = (keyStateOf: (aid: Aid) => KeyState | undefined): KeyTrust => ({
  keyStateOf,
  keyStateAfter: (aid, rotations, sn) => {
    const known = keyStateOf(aid);
    return known && keyStateAfter(known, rotations, sn);
  },
});
