/**
 * The unseal ceremony of one node: operators initialise its root, give shares until k of them open the keystore, and seal it.
 *
 * The machine counts and judges; the shell holds what must not stand in a snapshot (session key, shares, keys) under the
 * ceremony's id. Attempts and blame are `record` effects of the same step as the answer, so the journal has them first.
 * `failed`, `expired` and `cancelled` are as sealed as `sealed`; they differ in what the status says. Source: docs/protocol/ceremony.md.
 */
import { assign } from "xstate";
import type { Aid } from "../../base/brands.ts";
import { present } from "../../base/errors.ts";
import { type CeremonyContext, type CeremonyEvent, DRAIN_MS } from "./ceremony.types.ts";
import { type Of, always, busy, cannotInitialise, firstOf, sealsMissing, strangerAsks } from "./ceremony.questions.ts";
import { including, nameOf, namesOf, reply, sealVotes } from "./ceremony.rules.ts";
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
} from "./ceremony.setup.ts";
import { collecting, eraseCeremony, resting, verifying } from "./ceremony.gathering.ts";

const DRAIN_TIMER = "drain";

const unwrapping = machine.createStateConfig({
  on: {
    dealt: {
      actions: [
        record<On<"dealt">>((_context, { at, dealing }) => ({ kind: "dealt", at, dealing })),
        request(() => ({ kind: "rewrap" })),
      ],
    },
    rewrapped: {
      target: "unsealed",
      actions: [
        assign({ custody: "root", acknowledged: [], outcome: null }),
        record<On<"rewrapped">>((context, { at }) => ({
          kind: "initialised",
          at,
          by: present(context.pending, "a call waits").caller,
        })),
        answerPending((context) =>
          reply(
            context,
            "OK",
            `Node ${context.node.name} has its root and is unsealed; each of the ${context.operators.length} operators must now fetch its share.`,
          ),
        ),
        "close",
      ],
    },
    keystoreOpened: {
      target: "unsealed",
      actions: [
        record<On<"keystoreOpened">>((context, { at }) => ({
          kind: "unsealed",
          at,
          ceremony: ceremonyOf(context).id,
          by: ceremonyOf(context).accepted,
        })),
        answerPending((context) =>
          reply(
            context,
            "OK",
            `Node ${context.node.name} is unsealed; shares came from ${namesOf(context, ceremonyOf(context).accepted)}.`,
          ),
        ),
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
    shareOffered: refusing<Of<"shareOffered">>(
      always("ALREADY_UNSEALED", (node) => `${node} is unsealed already; it takes no share.`),
    ),
    sealAsked: [
      refusing<Of<"sealAsked">>(strangerAsks),
      {
        guard: { type: "needsMoreVotes", params: ({ context, event }) => sealsMissing(context, event) },
        actions: [
          assign(({ context, event }) => ({ sealVotes: sealVotes(context, event.caller, event.at) })),
          record<Of<"sealAsked">>((_context, { at, caller }) => ({ kind: "sealVoted", at, operator: caller })),
          answer<Of<"sealAsked">>((context, question) => {
            const missing = sealsMissing(context, question);
            const by = namesOf(
              context,
              context.sealVotes.map((vote) => vote.operator),
            );
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
          record<Of<"sealAsked">>((context, { at }) => ({
            kind: "sealing",
            at,
            by: context.sealVotes.map((vote) => vote.operator),
          })),
          answer<Of<"sealAsked">>((context, { caller }) =>
            reply(
              context,
              "OK",
              `Node ${context.node.name} is sealing, asked by ${nameOf(context, caller)}; it stops voting and serving.`,
            ),
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
    timerFired: {
      guard: { type: "isDrainTimer", params: ({ event }) => event.timer === DRAIN_TIMER },
      ...sealing,
    },
    sealAsked: refusing<Of<"sealAsked">>(always("OK", (node) => `${node} is sealing already.`)),
    unsealAsked: refusing<Of<"unsealAsked">>(
      always("SEALING", (node) => `${node} is sealing; unseal it when that is done.`),
    ),
  },
});

const noCeremony = always("NO_CEREMONY", (node) => `${node} has no ceremony open; open one first (unseal).`);

const holdsAll = (context: CeremonyContext, caller: Aid): boolean =>
  including(context.acknowledged, caller).length === context.operators.length;
const acknowledging = [
  assign<CeremonyContext, Of<"shareAcknowledged">, undefined, CeremonyEvent, never>(({ context, event }) => ({
    acknowledged: including(context.acknowledged, event.caller),
  })),
  record<Of<"shareAcknowledged">>((_context, { at, caller }) => ({ kind: "acknowledged", at, operator: caller })),
  answer<Of<"shareAcknowledged">>((context, { caller }) => {
    const missing = context.operators.length - context.acknowledged.length;
    return reply(
      context,
      "OK",
      `${nameOf(context, caller)} holds its share of node ${context.node.name}; ${missing} operators have yet to fetch theirs.`,
      {
        shares: context.acknowledged.length,
        missing,
      },
    );
  }),
];

export const ceremonyMachine = machine.createMachine({
  id: "ceremony",
  context: ({ input }) => ({ ...input, ceremony: null, outcome: null, sealVotes: [], pending: null }),
  initial: "sealed",
  on: {
    initialiseAsked: refusing<Of<"initialiseAsked">>(firstOf<Of<"initialiseAsked">>(cannotInitialise, busy)),
    shareOffered: refusing<Of<"shareOffered">>(noCeremony),
    unwrapAsked: refusing<Of<"unwrapAsked">>(noCeremony),
    cancelAsked: refusing<Of<"cancelAsked">>(noCeremony),
    sealAsked: refusing<Of<"sealAsked">>(always("OK", (node) => `${node} is sealed already.`)),
    shareAcknowledged: [
      refusing<Of<"shareAcknowledged">>(strangerAsks),
      {
        guard: { type: "holdsAllShares", params: ({ context, event }) => holdsAll(context, event.caller) },
        actions: [...acknowledging, effect(() => ({ kind: "forgetShares" }))],
      },
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
