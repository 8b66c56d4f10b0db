/** One sentence for each state of the machines that are shown: what a node in it waits for. A test holds it to the definitions. */

export const DESCRIPTIONS: Readonly<Record<string, string>> = {
  consensus: "Agrees with the other members on one block after the other.",
  "consensus.quiet": "Nothing to order and nothing unfinished: no timer runs.",
  "consensus.awaitingProposal": "Waits for the leader's proposal, or for the leader's time to run out.",
  "consensus.judgingProposal": "Holds the proposal; waits for its ancestors, body and bundles, or for its clock.",
  "consensus.proposing": "Leads this view: waits for work, for the parent, or for its own block to be built.",
  "consensus.collectingVotes": "Has voted to notarize; waits for a quorum to do the same.",
  "consensus.certifying": "Holds the notarization; decides whether to finalize.",
  "consensus.nullifying": "Gave this view up; waits for a certificate that ends it.",
  "consensus.surveying": "Lost its journal: listens without voting until enough others have reported.",
  "consensus.halted": "Others hold another state than this one: votes and serves no more.",
  ceremony: "Operators initialise this node's root, give shares until it opens, and seal it.",
  "ceremony.sealed": "Sealed: its keys are closed until operators open a ceremony.",
  "ceremony.collecting": "Collects the operators' shares.",
  "ceremony.verifying": "Checks the share that an operator has just given.",
  "ceremony.unwrapping": "Opens the keystore with the shares, or deals new ones.",
  "ceremony.unsealed": "Unsealed: the node votes and serves.",
  "ceremony.draining": "Is being sealed: finishes what it has begun.",
  "ceremony.failed": "The ceremony failed; the node stays sealed.",
  "ceremony.expired": "The ceremony ran out of time; the node stays sealed.",
  "ceremony.cancelled": "The ceremony was cancelled; the node stays sealed.",
};
