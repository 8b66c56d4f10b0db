/** The Byzantine actors by name. */
import type { ByzantineKind } from "../profile.ts";
import type { Random } from "../random.ts";
import type { Behaviour } from "./behaviour.ts";
import { Forger, LiarInSync, Replayer, Withholder } from "./liars.ts";
import { DoubleVoter, Equivocator, SilentLeader, Slow, Twin } from "./voters.ts";

const MAKERS: { readonly [K in ByzantineKind]: new (random: Random) => Behaviour } = {
  equivocator: Equivocator,
  silentLeader: SilentLeader,
  doubleVoter: DoubleVoter,
  withholder: Withholder,
  forger: Forger,
  replayer: Replayer,
  slow: Slow,
  liarInSync: LiarInSync,
  twins: Twin,
};

export const behaviourOf = (kind: ByzantineKind, random: Random): Behaviour => new MAKERS[kind](random);
