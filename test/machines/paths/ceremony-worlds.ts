/** The worlds that paths of the ceremony explore: each bounds who asks what, so that every order of it can be tried. */
import type { World } from "./ceremony-walk.ts";

export const WORLDS: readonly World[] = [
  {
    name: "three operators, any two of whom unseal, one with a wrong share, and a stranger",
    header: "node n0 of ann bob carol, threshold 2",
    asks: ["ann opens", "ann offers", "bob offers", "carol offers", "carol offers to another", "mallory offers", "ann unwraps", "carol unwraps"],
    wrong: ["carol"],
    attempts: 2,
    fails: true,
    restarts: 1,
    ceremonies: 2,
    limit: 30_000,
  },
];
