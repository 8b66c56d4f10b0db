/** The known-bug set. */
import { CONSENSUS } from "./consensus.ts";
import { KNOWN_BUGS } from "./known.ts";
import { KEY_LOGS } from "./keys.ts";
import type { Mutant } from "./mutant.ts";
import { PROJECTIONS } from "./projections.ts";
import { SHELLS } from "./shells.ts";
import { STORE } from "./store.ts";

export const MUTANTS: readonly Mutant[] = [
  ...KNOWN_BUGS,
  ...CONSENSUS,
  ...SHELLS,
  ...STORE,
  ...PROJECTIONS,
  ...KEY_LOGS,
];
