/** The worlds that paths explore: each bounds what may come to one member, so that every order of it can be tried. */
import type { World } from "./consensus-walk.ts";

export const WORLDS: readonly World[] = [
  {
    name: "a follower that hears every vote of one view",
    self: 0,
    blocks: ["block A view 1 on genesis with x"],
    hears: ["propose A", "hold x"],
    votes: { "notarize A": [2, 3], "nullify 1": [3, 2, 1], "finalize A": [2, 3, 1] },
    views: 1,
    restarts: 1,
    limit: 100_000,
  },
];
