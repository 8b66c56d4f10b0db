/**
 * The unseal ceremony of one node: operators initialise its root, give shares until k of them open the keystore, and seal it.
 *
 * The machine counts and judges; the shell holds what must not stand in a snapshot (session key, shares, keys) under the
 * ceremony's id. Attempts and blame are `record` effects of the same step as the answer, so the journal has them first.
 * `failed`, `expired` and `cancelled` are as sealed as `sealed`; they differ in what the status says. Source: docs/protocol/ceremony.md.
 */
import { assign, setup } from "xstate";
import type { Aid } from "../../base/brands.ts";
import { present } from "../../base/errors.ts";
import {
  type AskedEvent,
  type Attempt,
  type CeremonyContext,
  type CeremonyEffect,
  type CeremonyEvent,
  type CeremonyInput,
  type CeremonyRecord,
  type CeremonyReply,
  type CeremonyRequest,
  DRAIN_MS,
  REJECTED_SHOWN_MAX,
} from "./ceremony.types.ts";
import {
  type Judge,
  type Of,
  always,
  busy,
  cannotInitialise,
  cannotOffer,
  cannotOpen,
  cannotUnwrap,
  firstOf,
  mustJoin,
  sealsMissing,
  strangerAsks,
  wrongCeremony,
} from "./ceremony.questions.ts";
import { faultSentence, including, indexOf, missingShares, nameOf, namesOf, openCeremony, reply, sealVotes, withAttempt } from "./ceremony.rules.ts";

type On<Type extends CeremonyEvent["type"]> = Extract<CeremonyEvent, { type: Type }>;
interface Scope<E> {
  readonly context: CeremonyContext;
  readonly event: E;
}

/** One `effect` action whose data is computed from context and event. */
const effect = <E extends CeremonyEvent>(make: (context: CeremonyContext, event: E) => CeremonyEffect) => ({
  type: "effect" as const,
  params: ({ context, event }: Scope<E>): CeremonyEffect => make(context, event),
});
const record = <E extends CeremonyEvent>(make: (context: CeremonyContext, event: E) => CeremonyRecord) =>
  effect<E>((context, event) => ({ kind: "record", record: make(context, event) }));
const request = <E extends CeremonyEvent>(make: (context: CeremonyContext, event: E) => CeremonyRequest) =>
  effect<E>((context, event) => ({ kind: "request", request: make(context, event) }));
const answer = <E extends AskedEvent>(make: (context: CeremonyContext, event: E) => CeremonyReply) =>
  effect<E>((context, event) => ({ kind: "reply", call: event.call, reply: make(context, event) }));
/** Replies to the call that has been waiting for a request's answer. */
const answerPending = <E extends CeremonyEvent>(make: (context: CeremonyContext, event: E) => CeremonyReply) =>
  effect<E>((context, event) => ({ kind: "reply", call: present(context.pending, "a call waits").call, reply: make(context, event) }));
/** A transition that only says no. */
const refusing = <E extends AskedEvent>(judge: Judge<E>) => ({
  guard: ({ context, event }: Scope<E>): boolean => judge(context, event) !== null,
  actions: answer<E>((context, event) => present(judge(context, event), "the guard saw an objection")),
});

const ceremonyOf = (context: CeremonyContext) => present(context.ceremony, "a ceremony is open");
const timerOf = (context: CeremonyContext): string => `ceremony:${ceremonyOf(context).id}`;
const DRAIN_TIMER = "drain";

const eraseCeremony = effect((context) => ({ kind: "eraseCeremony", ceremony: ceremonyOf(context).id }));
const clearDeadline = effect((context) => ({ kind: "clearTimer", timer: timerOf(context) }));
const setDeadline = effect((context) => ({ kind: "setTimer", timer: timerOf(context), at: ceremonyOf(context).deadline }));
const recordOpened = record<Of<"unsealAsked">>((context, { at, caller }) => ({ kind: "opened", at, ceremony: ceremonyOf(context).id, purpose: "unseal", by: caller }));
const replyOpened = answer<Of<"unsealAsked">>((context, { caller }) =>
  reply(context, "OK", `${nameOf(context, caller)} opened a ceremony on node ${context.node.name}; ${context.threshold} shares are needed.`),
);
const recordExpired = record<CeremonyEvent>((context, { at }) => ({ kind: "expired", at, ceremony: ceremonyOf(context).id }));
const expiredReply = (context: CeremonyContext): CeremonyReply =>
  reply(context, "CEREMONY_EXPIRED", `The ceremony that ${nameOf(context, ceremonyOf(context).initiator)} opened on node ${context.node.name} expired; open a new one.`);

const machine = setup({
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
    isDeadline: ({ context, event }) => event.type === "timerFired" && context.ceremony !== null && event.timer === timerOf(context),
    isOverdue: ({ context, event }) => context.ceremony !== null && event.at >= context.ceremony.deadline,
    isAwaited: ({ context, event }) => "operator" in event && event.ceremony === context.ceremony?.id && event.operator === context.pending?.caller,
  },
});

const expiring = {
  target: "expired" as const,
  actions: [recordExpired, clearDeadline, eraseCeremony, { type: "expire" as const }],
};

const resting = machine.createStateConfig({
  on: {
    passphraseAccepted: {
      guard: ({ context }) => context.custody === "passphrase",
      actions: assign({ custody: "opened" }),
    },
    initialiseAsked: [refusing(cannotInitialise), { target: "unwrapping", actions: ["wait", request(() => ({ kind: "deal" }))] }],
    unsealAsked: [refusing(cannotOpen), { target: "collecting", actions: ["open", recordOpened, setDeadline, replyOpened] }],
  },
});

const collecting = machine.createStateConfig({
  on: {
    timerFired: { guard: "isDeadline", ...expiring, actions: [...expiring.actions, "close"] },
    unsealAsked: [
      refusing(mustJoin),
      {
        actions: [
          record<Of<"unsealAsked">>((context, { at, caller }) => ({ kind: "replaced", at, ceremony: ceremonyOf(context).id, by: caller })),
          clearDeadline,
          eraseCeremony,
          "open",
          recordOpened,
          setDeadline,
          replyOpened,
        ],
      },
    ],
    shareOffered: [
      refusing<Of<"shareOffered">>(firstOf(strangerAsks, wrongCeremony)),
      { guard: "isOverdue", ...expiring, actions: [...expiring.actions, answer(expiredReply), "close"] },
      refusing(cannotOffer),
      {
        target: "verifying",
        actions: [
          "wait",
          request<Of<"shareOffered">>((context, { caller, ceremony }) => ({ kind: "verifyShare", ceremony, operator: caller, index: indexOf(context, caller) })),
        ],
      },
    ],
    unwrapAsked: [
      refusing<Of<"unwrapAsked">>(firstOf(strangerAsks, wrongCeremony)),
      { guard: "isOverdue", ...expiring, actions: [...expiring.actions, answer(expiredReply), "close"] },
      refusing(cannotUnwrap),
      {
        target: "unwrapping",
        actions: [
          "wait",
          clearDeadline,
          request((context) => ({ kind: "openKeystore", ceremony: ceremonyOf(context).id, operators: ceremonyOf(context).accepted })),
        ],
      },
    ],
    cancelAsked: [
      refusing<Of<"cancelAsked">>(firstOf(strangerAsks, wrongCeremony)),
      {
        guard: ({ context, event }) => cancellersMissing(context, event.caller) > 0,
        actions: [
          assign(({ context, event }) => ({ ceremony: { ...ceremonyOf(context), cancelVotes: including(ceremonyOf(context).cancelVotes, event.caller) } })),
          record<Of<"cancelAsked">>((context, { at, caller }) => ({ kind: "cancelVoted", at, ceremony: ceremonyOf(context).id, operator: caller })),
          answer<Of<"cancelAsked">>((context, { caller }) => {
            const missing = cancellersMissing(context, caller);
            return reply(
              context,
              "NOT_INITIATOR",
              `${nameOf(context, ceremonyOf(context).initiator)} opened this ceremony; to cancel it ${missing} more operators must ask.`,
              { shares: ceremonyOf(context).cancelVotes.length, missing },
            );
          }),
        ],
      },
      {
        target: "cancelled",
        actions: [
          assign(({ context, event }) => ({ outcome: { kind: "cancelled" as const, ceremony: ceremonyOf(context).id, by: including(ceremonyOf(context).cancelVotes, event.caller) } })),
          record<Of<"cancelAsked">>((context, { at, caller }) => ({
            kind: "cancelled",
            at,
            ceremony: ceremonyOf(context).id,
            by: including(ceremonyOf(context).cancelVotes, caller),
          })),
          clearDeadline,
          eraseCeremony,
          "close",
          answer<Of<"cancelAsked">>((context, { caller }) => reply(context, "OK", `${nameOf(context, caller)} cancelled the ceremony on node ${context.node.name}.`)),
        ],
      },
    ],
  },
});

const verifying = machine.createStateConfig({
  on: {
    shareVerified: {
      guard: "isAwaited",
      target: "collecting",
      actions: [
        assign(({ context, event }) => ({
          ceremony: { ...ceremonyOf(context), accepted: including(ceremonyOf(context).accepted, event.operator), lastAcceptedAt: event.at },
        })),
        record<On<"shareVerified">>((_context, { at, ceremony, operator }) => ({ kind: "accepted", at, ceremony, operator })),
        answerPending<On<"shareVerified">>((context, { operator }) => {
          const missing = missingShares(context);
          const next = missing === 0 ? "enough are in, unwrap opens the node" : `${missing} more operators are needed`;
          return reply(context, "OK", `The share of ${nameOf(context, operator)} is in; ${next}.`);
        }),
        "answered",
      ],
    },
    shareRefuted: {
      guard: "isAwaited",
      target: "collecting",
      actions: [
        assign(({ context, event }) => {
          const attempt: Attempt = { operator: event.operator, at: event.at, code: event.code };
          return {
            attempts: withAttempt(context.attempts, attempt),
            ceremony: { ...ceremonyOf(context), rejected: [...ceremonyOf(context).rejected, attempt].slice(-REJECTED_SHOWN_MAX) },
          };
        }),
        record<On<"shareRefuted">>((_context, { at, ceremony, operator, code }) => ({ kind: "rejected", at, ceremony, operator, code })),
        answerPending<On<"shareRefuted">>((context, { operator, code }) => reply(context, code, faultSentence(context, operator, code))),
        "answered",
      ],
    },
    timerFired: { guard: "isDeadline", ...expiring, actions: [...expiring.actions, answerPending(expiredReply), "close"] },
    initialiseAsked: refusing<Of<"initialiseAsked">>(busy),
    unsealAsked: refusing<Of<"unsealAsked">>(busy),
    shareOffered: refusing<Of<"shareOffered">>(busy),
    unwrapAsked: refusing<Of<"unwrapAsked">>(busy),
    cancelAsked: refusing<Of<"cancelAsked">>(busy),
  },
});

const unwrapping = machine.createStateConfig({
  on: {
    dealt: {
      actions: [record<On<"dealt">>((_context, { at, dealing }) => ({ kind: "dealt", at, dealing })), request(() => ({ kind: "rewrap" }))],
    },
    rewrapped: {
      target: "unsealed",
      actions: [
        assign({ custody: "root", acknowledged: [], outcome: null }),
        record<On<"rewrapped">>((context, { at }) => ({ kind: "initialised", at, by: present(context.pending, "a call waits").caller })),
        answerPending((context) =>
          reply(context, "OK", `Node ${context.node.name} has its root and is unsealed; each of the ${context.operators.length} operators must now fetch its share.`),
        ),
        "close",
      ],
    },
    keystoreOpened: {
      target: "unsealed",
      actions: [
        record<On<"keystoreOpened">>((context, { at }) => ({ kind: "unsealed", at, ceremony: ceremonyOf(context).id, by: ceremonyOf(context).accepted })),
        answerPending((context) => reply(context, "OK", `Node ${context.node.name} is unsealed; shares came from ${namesOf(context, ceremonyOf(context).accepted)}.`)),
        eraseCeremony,
        "close",
      ],
    },
    openingFailed: {
      target: "failed",
      actions: [
        assign(({ event }) => ({ outcome: { kind: "failed" as const, reason: event.reason, blamed: event.blamed } })),
        record<On<"openingFailed">>((_context, { at, reason, blamed }) => ({ kind: "failed", at, reason, blamed })),
        answerPending<On<"openingFailed">>((context, { reason, blamed }) =>
          reply(
            context,
            "OPENING_FAILED",
            `Node ${context.node.name} stays sealed: ${reason}.${blamed.length === 0 ? "" : ` To blame: ${namesOf(context, blamed)}.`} Everything collected is erased.`,
          ),
        ),
        effect((context) => ({ kind: "eraseCeremony", ceremony: context.ceremony?.id ?? "" })),
        "close",
      ],
    },
    timerFired: {},
    initialiseAsked: refusing<Of<"initialiseAsked">>(busy),
    unsealAsked: refusing<Of<"unsealAsked">>(busy),
    shareOffered: refusing<Of<"shareOffered">>(busy),
    unwrapAsked: refusing<Of<"unwrapAsked">>(busy),
    cancelAsked: refusing<Of<"cancelAsked">>(busy),
  },
});

const alreadyUnsealed = always("OK", (node) => `${node} is unsealed already.`);

const unsealed = machine.createStateConfig({
  on: {
    unsealAsked: refusing<Of<"unsealAsked">>(alreadyUnsealed),
    unwrapAsked: refusing<Of<"unwrapAsked">>(alreadyUnsealed),
    shareOffered: refusing<Of<"shareOffered">>(always("ALREADY_UNSEALED", (node) => `${node} is unsealed already; it takes no share.`)),
    sealAsked: [
      refusing<Of<"sealAsked">>(strangerAsks),
      {
        guard: ({ context, event }) => sealsMissing(context, event) > 0,
        actions: [
          assign(({ context, event }) => ({ sealVotes: sealVotes(context, event.caller, event.at) })),
          record<Of<"sealAsked">>((_context, { at, caller }) => ({ kind: "sealVoted", at, operator: caller })),
          answer<Of<"sealAsked">>((context, question) => {
            const missing = sealsMissing(context, question);
            const by = namesOf(context, context.sealVotes.map((vote) => vote.operator));
            return reply(
              context,
              "MORE_SEALS_NEEDED",
              `Sealing node ${context.node.name} would leave fewer than ${question.quorum} unsealed members; ${missing} more operators must ask within 10 minutes. So far: ${by}.`,
              { shares: context.sealVotes.length, missing },
            );
          }),
        ],
      },
      {
        target: "draining",
        actions: [
          assign(({ context, event }) => ({ sealVotes: sealVotes(context, event.caller, event.at) })),
          record<Of<"sealAsked">>((context, { at }) => ({ kind: "sealing", at, by: context.sealVotes.map((vote) => vote.operator) })),
          answer<Of<"sealAsked">>((context, { caller }) =>
            reply(context, "OK", `Node ${context.node.name} is sealing, asked by ${nameOf(context, caller)}; it stops voting and serving.`),
          ),
          effect<Of<"sealAsked">>((_context, { at }) => ({ kind: "setTimer", timer: DRAIN_TIMER, at: at + DRAIN_MS })),
          request(() => ({ kind: "drain" })),
        ],
      },
    ],
  },
});

const sealing = {
  target: "sealed" as const,
  actions: [
    record<CeremonyEvent>((_context, { at }) => ({ kind: "sealed", at })),
    effect(() => ({ kind: "clearTimer", timer: DRAIN_TIMER })),
    effect(() => ({ kind: "closeKeystore" })),
    assign<CeremonyContext, CeremonyEvent, undefined, CeremonyEvent, never>({ sealVotes: [], outcome: null }),
  ],
};

const draining = machine.createStateConfig({
  on: {
    drained: sealing,
    timerFired: { guard: ({ event }) => event.timer === DRAIN_TIMER, ...sealing },
    sealAsked: refusing<Of<"sealAsked">>(always("OK", (node) => `${node} is sealing already.`)),
    unsealAsked: refusing<Of<"unsealAsked">>(always("SEALING", (node) => `${node} is sealing; unseal it when that is done.`)),
  },
});

const noCeremony = always("NO_CEREMONY", (node) => `${node} has no ceremony open; open one first (unseal).`);

/** How many more must ask before the ceremony is cancelled: none if its initiator does. */
function cancellersMissing(context: CeremonyContext, caller: Aid): number {
  const open = ceremonyOf(context);
  return open.initiator === caller ? 0 : Math.max(0, context.threshold - including(open.cancelVotes, caller).length);
}

const holdsAll = (context: CeremonyContext, caller: Aid): boolean => including(context.acknowledged, caller).length === context.operators.length;
const acknowledging = [
  assign<CeremonyContext, Of<"shareAcknowledged">, undefined, CeremonyEvent, never>(({ context, event }) => ({ acknowledged: including(context.acknowledged, event.caller) })),
  record<Of<"shareAcknowledged">>((_context, { at, caller }) => ({ kind: "acknowledged", at, operator: caller })),
  answer<Of<"shareAcknowledged">>((context, { caller }) => {
    const missing = context.operators.length - context.acknowledged.length;
    return reply(context, "OK", `${nameOf(context, caller)} holds its share of node ${context.node.name}; ${missing} operators have yet to fetch theirs.`, {
      shares: context.acknowledged.length,
      missing,
    });
  }),
];

export const ceremonyMachine = machine.createMachine({
  id: "ceremony",
  context: ({ input }) => ({ ...input, ceremony: null, outcome: null, sealVotes: [], pending: null }),
  initial: "sealed",
  on: {
    initialiseAsked: refusing<Of<"initialiseAsked">>(firstOf<Of<"initialiseAsked">>(cannotInitialise, busy)),
    unsealAsked: refusing<Of<"unsealAsked">>(busy),
    shareOffered: refusing<Of<"shareOffered">>(noCeremony),
    unwrapAsked: refusing<Of<"unwrapAsked">>(noCeremony),
    cancelAsked: refusing<Of<"cancelAsked">>(noCeremony),
    sealAsked: refusing<Of<"sealAsked">>(always("OK", (node) => `${node} is sealed already.`)),
    shareAcknowledged: [
      refusing<Of<"shareAcknowledged">>(strangerAsks),
      { guard: ({ context, event }) => holdsAll(context, event.caller), actions: [...acknowledging, effect(() => ({ kind: "forgetShares" }))] },
      { actions: acknowledging },
    ],
  },
  states: {
    sealed: resting,
    collecting,
    verifying,
    unwrapping,
    unsealed,
    draining,
    failed: resting,
    expired: resting,
    cancelled: resting,
  },
});
