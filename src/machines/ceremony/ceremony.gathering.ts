/** States in which a node is sealed: at rest, collecting shares, and judging one. Source: docs/protocol/ceremony.md. */
import { assign } from "xstate";
import type { Aid } from "../../base/brands.ts";
import {
  type Attempt,
  type CeremonyContext,
  type CeremonyEvent,
  type CeremonyReply,
  REJECTED_SHOWN_MAX,
} from "./ceremony.types.ts";
import {
  type Of,
  busy,
  cannotInitialise,
  cannotOffer,
  cannotOpen,
  cannotUnwrap,
  firstOf,
  mustJoin,
  strangerAsks,
  wrongCeremony,
} from "./ceremony.questions.ts";
import { faultSentence, including, indexOf, missingShares, nameOf, reply, withAttempt } from "./ceremony.rules.ts";
import {
  type On,
  answer,
  answerPending,
  ceremonyOf,
  effect,
  machine,
  record,
  refusing,
  request,
  timerOf,
} from "./ceremony.setup.ts";

export const eraseCeremony = effect((context) => ({ kind: "eraseCeremony", ceremony: ceremonyOf(context).id }));
const clearDeadline = effect((context) => ({ kind: "clearTimer", timer: timerOf(context) }));
const setDeadline = effect((context) => ({
  kind: "setTimer",
  timer: timerOf(context),
  at: ceremonyOf(context).deadline,
}));
const recordOpened = record<Of<"unsealAsked">>((context, { at, caller }) => ({
  kind: "opened",
  at,
  ceremony: ceremonyOf(context).id,
  purpose: "unseal",
  by: caller,
}));
const replyOpened = answer<Of<"unsealAsked">>((context, { caller }) =>
  reply(
    context,
    "OK",
    `${nameOf(context, caller)} opened a ceremony on node ${context.node.name}; ${context.threshold} shares are needed.`,
  ),
);
const recordExpired = record<CeremonyEvent>((context, { at }) => ({
  kind: "expired",
  at,
  ceremony: ceremonyOf(context).id,
}));
const expiredReply = (context: CeremonyContext): CeremonyReply =>
  reply(
    context,
    "CEREMONY_EXPIRED",
    `The ceremony that ${nameOf(context, ceremonyOf(context).initiator)} opened on node ${context.node.name} expired; open a new one.`,
  );

const expiring = {
  target: "expired" as const,
  actions: [recordExpired, clearDeadline, eraseCeremony, { type: "expire" as const }],
};

/** How many more must ask before the ceremony is cancelled: none if its initiator does. */
function cancellersMissing(context: CeremonyContext, caller: Aid): number {
  const open = ceremonyOf(context);
  return open.initiator === caller ? 0 : Math.max(0, context.threshold - including(open.cancelVotes, caller).length);
}

/** `sealed`, and what a ceremony that came to nothing leaves: a new one may be opened. */
export const resting = machine.createStateConfig({
  on: {
    passphraseAccepted: {
      guard: "isUnderPassphrase",
      actions: assign({ custody: "opened" }),
    },
    initialiseAsked: [
      refusing(cannotInitialise),
      { target: "unwrapping", actions: ["wait", request(() => ({ kind: "deal" }))] },
    ],
    unsealAsked: [
      refusing(cannotOpen),
      { target: "collecting", actions: ["open", recordOpened, setDeadline, replyOpened] },
    ],
  },
});

export const collecting = machine.createStateConfig({
  on: {
    timerFired: { guard: "isDeadline", ...expiring, actions: [...expiring.actions, "close"] },
    unsealAsked: [
      refusing(mustJoin),
      {
        actions: [
          record<Of<"unsealAsked">>((context, { at, caller }) => ({
            kind: "replaced",
            at,
            ceremony: ceremonyOf(context).id,
            by: caller,
          })),
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
          request<Of<"shareOffered">>((context, { caller, ceremony }) => ({
            kind: "verifyShare",
            ceremony,
            operator: caller,
            index: indexOf(context, caller),
          })),
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
          request((context) => ({
            kind: "openKeystore",
            ceremony: ceremonyOf(context).id,
            operators: ceremonyOf(context).accepted,
          })),
        ],
      },
    ],
    cancelAsked: [
      refusing<Of<"cancelAsked">>(firstOf(strangerAsks, wrongCeremony)),
      {
        guard: {
          type: "needsMoreVotes",
          params: ({ context, event }) => cancellersMissing(context, event.caller),
        },
        actions: [
          assign(({ context, event }) => ({
            ceremony: { ...ceremonyOf(context), cancelVotes: including(ceremonyOf(context).cancelVotes, event.caller) },
          })),
          record<Of<"cancelAsked">>((context, { at, caller }) => ({
            kind: "cancelVoted",
            at,
            ceremony: ceremonyOf(context).id,
            operator: caller,
          })),
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
          assign(({ context, event }) => ({
            outcome: {
              kind: "cancelled" as const,
              ceremony: ceremonyOf(context).id,
              by: including(ceremonyOf(context).cancelVotes, event.caller),
            },
          })),
          record<Of<"cancelAsked">>((context, { at, caller }) => ({
            kind: "cancelled",
            at,
            ceremony: ceremonyOf(context).id,
            by: including(ceremonyOf(context).cancelVotes, caller),
          })),
          clearDeadline,
          eraseCeremony,
          "close",
          answer<Of<"cancelAsked">>((context, { caller }) =>
            reply(context, "OK", `${nameOf(context, caller)} cancelled the ceremony on node ${context.node.name}.`),
          ),
        ],
      },
    ],
  },
});

export const verifying = machine.createStateConfig({
  on: {
    shareVerified: {
      guard: "isAwaited",
      target: "collecting",
      actions: [
        assign(({ context, event }) => ({
          ceremony: {
            ...ceremonyOf(context),
            accepted: including(ceremonyOf(context).accepted, event.operator),
            lastAcceptedAt: event.at,
          },
        })),
        record<On<"shareVerified">>((_context, { at, ceremony, operator }) => ({
          kind: "accepted",
          at,
          ceremony,
          operator,
        })),
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
            ceremony: {
              ...ceremonyOf(context),
              rejected: [...ceremonyOf(context).rejected, attempt].slice(-REJECTED_SHOWN_MAX),
            },
          };
        }),
        record<On<"shareRefuted">>((_context, { at, ceremony, operator, code }) => ({
          kind: "rejected",
          at,
          ceremony,
          operator,
          code,
        })),
        answerPending<On<"shareRefuted">>((context, { operator, code }) =>
          reply(context, code, faultSentence(context, operator, code)),
        ),
        "answered",
      ],
    },
    timerFired: {
      guard: "isDeadline",
      ...expiring,
      actions: [...expiring.actions, answerPending(expiredReply), "close"],
    },
    initialiseAsked: refusing<Of<"initialiseAsked">>(busy),
    unsealAsked: refusing<Of<"unsealAsked">>(busy),
    shareOffered: refusing<Of<"shareOffered">>(busy),
    unwrapAsked: refusing<Of<"unwrapAsked">>(busy),
    cancelAsked: refusing<Of<"cancelAsked">>(busy),
  },
});
