/** The ceremony machine's steps as entries: made, and redacted, in the enclave worker, before anything leaves it. */
import type { CeremonySnapshot } from "../../actors/enclave/ports.ts";
import { ceremonyMachine } from "../../machines/ceremony/ceremony.machine.ts";
import type { CeremonyEffect, CeremonyEvent } from "../../machines/ceremony/ceremony.types.ts";
import { leavesOf, takenBy } from "../../machines/taken.ts";
import { ceremonyContext, ceremonyEffectSummary, ceremonyEventSummary, namesIn } from "./redaction-ceremony.ts";
import type { EntryBody } from "./recorder.ts";

export interface CeremonyEntry {
  readonly body: EntryBody;
  /** Redacted. */
  readonly context: unknown;
}

export const ceremonyBegan = (snapshot: CeremonySnapshot): CeremonyEntry => ({
  body: { kind: "booted", states: { ceremony: leavesOf(snapshot) } },
  context: ceremonyContext(snapshot.context),
});

export function ceremonyStepped(
  event: CeremonyEvent,
  effects: readonly CeremonyEffect[],
  before: CeremonySnapshot,
  after: CeremonySnapshot,
): CeremonyEntry {
  const name = namesIn(after.context.operators);
  return {
    body: {
      kind: "stepped",
      machine: "ceremony",
      event: ceremonyEventSummary(event, name),
      transitions: takenBy(ceremonyMachine, before, event, after),
      effects: effects.map((effect) => ceremonyEffectSummary(effect, name)),
      states: leavesOf(after),
    },
    context: ceremonyContext(after.context),
  };
}
