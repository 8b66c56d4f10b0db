import type { MemberIndex, View } from "../../base/brands.ts";

/** f: how many of n members may be faulty. */
export const faultsTolerated = (size: number): number => Math.floor((size - 1) / 3);

/** q = n − f distinct members make a certificate; never "2f + 1", which differs when n ≠ 3f + 1 (DESIGN §4). */
export const quorumOf = (size: number): number => size - faultsTolerated(size);

/** The member that proposes in a view, in the order genesis lists. */
export const leaderOf = (view: View, size: number): MemberIndex => (view % size) as MemberIndex;
