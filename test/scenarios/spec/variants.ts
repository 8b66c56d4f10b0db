/** How each instance of spec/instances.qnt is walked, so that what a missing rule lets through is found soon. */

export interface Variant {
  readonly module: string;
  readonly init?: string;
  readonly step?: string;
  readonly samples: number;
  readonly steps: number;
}

/** The protocol with one rule left out: each must break an invariant. Samples: several times what its seed needs. */
export const BROKEN: readonly Variant[] = [
  { module: "quorum", samples: 20, steps: 40 },
  { module: "voteTwice", samples: 150, steps: 40 },
  { module: "finalizeAfterNullify", samples: 20, steps: 40 },
  { module: "nullifyAfterFinalize", samples: 20, steps: 40 },
  { module: "skipNullification", init: "initSkipping", samples: 1, steps: 1 },
  { module: "notarizationIsFinal", samples: 20, steps: 40 },
  { module: "carrierBody", step: "fair", samples: 10, steps: 60 },
  { module: "forgetVotes", samples: 50, steps: 40 },
  { module: "votesAtOnce", step: "losing", samples: 20, steps: 40 },
];

/** The protocol itself, by adversary and schedule: none may break an invariant. `share` of the samples asked for. */
export const SOUND: readonly (Omit<Variant, "samples"> & { readonly share: number })[] = [
  { module: "protocol", steps: 50, share: 0.4 },
  { module: "protocol", step: "apart", steps: 30, share: 0.2 },
  { module: "growing", steps: 50, share: 0.2 },
  { module: "losingOne", step: "losing", steps: 40, share: 0.1 },
  { module: "losingBesideFaulty", step: "losing", steps: 40, share: 0.1 },
  { module: "bridging", init: "initSkipping", steps: 20, share: 0 },
];
