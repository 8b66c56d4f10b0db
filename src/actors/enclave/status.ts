/** What operators see of the enclave: never more than they may know before it is unsealed. */
import type { CeremonyContext } from "../../machines/ceremony/ceremony.types.ts";
import { faultSentence, missingShares } from "../../machines/ceremony/ceremony.rules.ts";
import type { EnclaveFounding, EnclaveStatus, NodeState } from "./ports.ts";

type MachineState = Exclude<NodeState, "uninitialised">;

export function statusOf(founding: EnclaveFounding, state: MachineState, context: CeremonyContext): EnclaveStatus {
  const { ceremony, outcome } = context;
  const initialised = context.custody === "root";
  return {
    node: founding.node.aid,
    name: founding.node.name,
    cluster: founding.cluster,
    state: state === "sealed" && !initialised ? "uninitialised" : state,
    passphraseAccepted: context.custody !== "passphrase",
    purpose: ceremony?.purpose ?? (state === "unwrapping" ? "initialise" : null),
    ceremony: ceremony?.id ?? null,
    initiator: ceremony?.initiator ?? null,
    deadline: ceremony?.deadline ?? null,
    threshold: founding.threshold,
    total: founding.operators.length,
    accepted: ceremony?.accepted ?? [],
    missing: ceremony === null ? 0 : missingShares(context),
    blamed: blamed(context),
    outcome,
    sealVotes: context.sealVotes.map((vote) => vote.operator),
    unacknowledged: initialised
      ? founding.operators.map(({ aid }) => aid).filter((aid) => !context.acknowledged.includes(aid))
      : [],
  };
}

function blamed(context: CeremonyContext): EnclaveStatus["blamed"] {
  const wrong = new Map(
    (context.ceremony?.rejected ?? []).map(({ operator, code }) => [
      operator,
      { operator, code, message: faultSentence(context, operator, code) },
    ]),
  );
  const failed = context.outcome?.kind === "failed" ? context.outcome : null;
  const failing =
    failed?.blamed.map((operator) => ({ operator, code: "OPENING_FAILED", message: failed.reason })) ?? [];
  return [...wrong.values(), ...failing];
}
