/** Whether what stood behind a connection at its handshake still stands. */
import type { Aid } from "../../base/brands.ts";

/** The identifier is there no more, or has other keys than those that signed its certificate. */
export function isOutOfForce(
  { aid, keySn }: { readonly aid: Aid; readonly keySn: number },
  keyStateOf: (aid: Aid) => { readonly sn: number } | undefined,
): boolean {
  const inForce = keyStateOf(aid);
  // A newer one than is known here was proved by what the identifier had committed to.
  return inForce === undefined || keySn < inForce.sn;
}
