/** By which keys somebody at the other end of a connection is known: those in force here, and those that they had committed to. */
import type { Aid } from "../../base/brands.ts";
import type { Trust } from "../../crypto/peer-certificate.ts";
import type { KeyState } from "../../keri/key-state.ts";
import { keyStateAfter } from "../../keri/later-key-state.ts";

export const keyTrust = (
  keyStateOf: (aid: Aid) => KeyState | undefined,
): Pick<Trust, "keyStateOf" | "keyStateAfter"> => ({
  keyStateOf,
  keyStateAfter: (aid, rotations, sn) => {
    const known = keyStateOf(aid);
    return known && keyStateAfter(known, rotations, sn);
  },
});
