import type { MemberIndex, View } from "../../base/brands.ts";

export { faultsTolerated, quorumOf } from "../../base/quorum.ts";

/** The member that proposes in a view, in the order genesis lists. */
export const leaderOf = (view: View, size: number): MemberIndex => (view % size) as MemberIndex;
