/** What the states of the ceremony machine are made of: effects as data, transitions that only say no, guards, assignments. */
import { assign, setup } from "xstate";
import { present } from "../../base/errors.ts";
import {
  type AskedEvent,
  type CeremonyContext,
  type CeremonyEffect,
  type CeremonyEvent,
  type CeremonyInput,
  type CeremonyRecord,
  type CeremonyReply,
  type CeremonyRequest,
} from "./ceremony.types.ts";
import type { Judge } from "./ceremony.questions.ts";
import { openCeremony } from "./ceremony.rules.ts";

export type On<Type extends CeremonyEvent["type"]> = Extract<CeremonyEvent, { type: Type }>;
export interface Scope<E> {
  readonly context: CeremonyContext;
  readonly event: E;
}

/** One `effect` action whose data is computed from context and event. */
export const effect = <E extends CeremonyEvent>(make: (context: CeremonyContext, event: E) => CeremonyEffect) => ({
  type: "effect" as const,
  params: ({ context, event }: Scope<E>): CeremonyEffect => make(context, event),
});
export const record = <E extends CeremonyEvent>(make: (context: CeremonyContext, event: E) => CeremonyRecord) =>
  effect<E>((context, event) => ({ kind: "record", record: make(context, event) }));
export const request = <E extends CeremonyEvent>(make: (context: CeremonyContext, event: E) => CeremonyRequest) =>
  effect<E>((context, event) => ({ kind: "request", request: make(context, event) }));
export const answer = <E extends AskedEvent>(make: (context: CeremonyContext, event: E) => CeremonyReply) =>
  effect<E>((context, event) => ({ kind: "reply", call: event.call, reply: make(context, event) }));
/** Replies to the call that has been waiting for a request's answer. */
export const answerPending = <E extends CeremonyEvent>(make: (context: CeremonyContext, event: E) => CeremonyReply) =>
  effect<E>((context, event) => ({
    kind: "reply",
    call: present(context.pending, "a call waits").call,
    reply: make(context, event),
  }));
/** A transition that only says no. */
export const refusing = <E extends AskedEvent>(judge: Judge<E>) => ({
  guard: {
    type: "isObjected" as const,
    params: ({ context, event }: Scope<E>): boolean => judge(context, event) !== null,
  },
  actions: answer<E>((context, event) => present(judge(context, event), "the guard saw an objection")),
});

export const ceremonyOf = (context: CeremonyContext) => present(context.ceremony, "a ceremony is open");
export const timerOf = (context: CeremonyContext): string => `ceremony:${ceremonyOf(context).id}`;

export const machine = setup({
  types: {} as { context: CeremonyContext; events: CeremonyEvent; input: CeremonyInput },
  actions: {
    effect: (_scope, _effect: CeremonyEffect) => {},
    open: assign(({ event }) => (event.type === "unsealAsked" ? { ceremony: openCeremony(event), outcome: null } : {})),
    close: assign({ ceremony: null, pending: null }),
    wait: assign(({ event }) => ("call" in event ? { pending: { call: event.call, caller: event.caller } } : {})),
    answered: assign({ pending: null }),
    expire: assign(({ context }) => ({ outcome: { kind: "expired" as const, ceremony: ceremonyOf(context).id } })),
  },
  guards: {
    // Of these the transition says by its parameter what they are about.
    isObjected: (_scope, isObjected: boolean) => isObjected,
    needsMoreVotes: (_scope, missing: number) => missing > 0,
    isDrainTimer: (_scope, isDrainTimer: boolean) => isDrainTimer,
    holdsAllShares: (_scope, holdsAllShares: boolean) => holdsAllShares,
    isUnderPassphrase: ({ context }) => context.custody === "passphrase",
    isDeadline: ({ context, event }) =>
      event.type === "timerFired" && context.ceremony !== null && event.timer === timerOf(context),
    isOverdue: ({ context, event }) => context.ceremony !== null && event.at >= context.ceremony.deadline,
    isAwaited: ({ context, event }) =>
      "operator" in event && event.ceremony === context.ceremony?.id && event.operator === context.pending?.caller,
  },
});
