/** A KERI identifier with the seeds that speak for it. */
import type { Aid } from "../../base/brands.ts";
import { publicKeyOf } from "../../crypto/ed25519.ts";
import { inceptSingle } from "../../keri/compose.ts";

export interface IdentitySeeds {
  readonly aid: Aid;
  readonly icp: Uint8Array;
  /** Ed25519 seeds, 32 bytes: of the key in force and of the one that the first rotation exposes. */
  readonly current: Uint8Array;
  readonly next: Uint8Array;
}

export type Random = (length: number) => Uint8Array;

export function newIdentity(random: Random): IdentitySeeds {
  const current = random(32);
  const next = random(32);
  const { aid, event } = inceptSingle({ publicKey: publicKeyOf(current), nextPublicKey: publicKeyOf(next) });
  return { aid, icp: event, current, next };
}
