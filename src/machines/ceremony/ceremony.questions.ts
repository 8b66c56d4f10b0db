/** Which questions are refused, and in what words: each judge returns the reply, or null when nothing speaks against it. */
import {
  ATTEMPT_WINDOW_MS,
  type AskedEvent,
  type CeremonyContext,
  type CeremonyReply,
  WRONG_ATTEMPTS_MAX,
} from "./ceremony.types.ts";
import {
  isOperator,
  lockedUntil,
  missingShares,
  nameOf,
  namesOf,
  replaceableAt,
  reply,
  sealVotes,
  sealersNeeded,
  seconds,
} from "./ceremony.rules.ts";

export type Of<Type extends AskedEvent["type"]> = Extract<AskedEvent, { type: Type }>;
export type Judge<E extends AskedEvent = AskedEvent> = (context: CeremonyContext, question: E) => CeremonyReply | null;

/** The first objection of several. */
export const firstOf =
  <E extends AskedEvent>(...judges: readonly Judge<E>[]): Judge<E> =>
  (context, question) => {
    for (const judge of judges) {
      const objection = judge(context, question);
      if (objection !== null) return objection;
    }
    return null;
  };

export const strangerAsks: Judge = (context, { caller }) =>
  isOperator(context, caller)
    ? null
    : reply(
        context,
        "NOT_OPERATOR",
        `${caller} is no operator of this cluster; connect with the certificate of an operator that the founding document names.`,
      );

/** What a state says to every question it has no better answer for. */
export const always =
  (code: CeremonyReply["code"], sentence: (node: string) => string): Judge =>
  (context, question) =>
    strangerAsks(context, question) ?? reply(context, code, sentence(`Node ${context.node.name}`));

export const busy = always(
  "BUSY",
  (node) => `${node} is working on the question before this one; ask again in a moment.`,
);

export const cannotInitialise: Judge<Of<"initialiseAsked">> = firstOf(strangerAsks, (context) => {
  const node = `Node ${context.node.name}`;
  switch (context.custody) {
    case "root":
      return reply(context, "ALREADY_INITIALISED", `${node} has its root already; fetch your share and unseal it.`);
    case "passphrase":
      return reply(
        context,
        "PASSPHRASE_NEEDED",
        `${node} has not been opened with its founder's passphrase; start it with that passphrase on its standard input, then initialise.`,
      );
    case "opened":
      return null;
  }
});

export const cannotOpen: Judge<Of<"unsealAsked">> = firstOf(strangerAsks, (context) =>
  context.custody === "root"
    ? null
    : reply(
        context,
        "NOT_INITIALISED",
        `Node ${context.node.name} has no root yet; initialise it first (sky unseal does).`,
      ),
);

/** The initiator is told of its own ceremony again; others may replace it only when it has stood still. */
export const mustJoin: Judge<Of<"unsealAsked">> = firstOf(strangerAsks, (context, { caller, at }) => {
  const open = context.ceremony;
  if (open === null) return null;
  if (open.initiator === caller) {
    return reply(
      context,
      "OK",
      `Your ceremony on node ${context.node.name} is open; ${missingShares(context)} more shares are needed.`,
    );
  }
  const left = replaceableAt(open) - at;
  if (left <= 0) return null;
  return reply(
    context,
    "CEREMONY_OPEN",
    `${nameOf(context, open.initiator)} has a ceremony open on node ${context.node.name}; give your share to that one, or open another in ${seconds(left)} s if no share comes.`,
  );
});

const isOther = (context: CeremonyContext, ceremony: string | null): boolean =>
  ceremony !== null && ceremony !== context.ceremony?.id;

export const wrongCeremony: Judge<Of<"shareOffered"> | Of<"unwrapAsked"> | Of<"cancelAsked">> = (
  context,
  { caller, ceremony },
) =>
  isOther(context, ceremony)
    ? reply(
        context,
        "WRONG_CEREMONY",
        `What ${nameOf(context, caller)} sent is of another ceremony (${ceremony?.slice(0, 32)}) than the open one (${context.ceremony?.id}); ask for the session key again.`,
      )
    : null;

export const cannotOffer: Judge<Of<"shareOffered">> = firstOf<Of<"shareOffered">>(
  strangerAsks,
  wrongCeremony,
  (context, { caller, at }) => {
    if (context.ceremony?.accepted.includes(caller) === true) {
      return reply(
        context,
        "OK",
        `${nameOf(context, caller)} has given a share already; ${missingShares(context)} more operators are needed.`,
      );
    }
    const until = lockedUntil(context, caller, at);
    if (until === null) return null;
    return reply(
      context,
      "RATE_LIMITED",
      `${nameOf(context, caller)} gave ${WRONG_ATTEMPTS_MAX} wrong shares within ${seconds(ATTEMPT_WINDOW_MS) / 60} minutes; the next is taken in ${seconds(until - at)} s.`,
    );
  },
);

export const cannotUnwrap: Judge<Of<"unwrapAsked">> = firstOf<Of<"unwrapAsked">>(
  strangerAsks,
  wrongCeremony,
  (context, { caller }) => {
    if (context.ceremony?.accepted.includes(caller) !== true) {
      return reply(
        context,
        "NO_SHARE_GIVEN",
        `${nameOf(context, caller)} has given no share to this ceremony; give one first (apply).`,
      );
    }
    const missing = missingShares(context);
    if (missing === 0) return null;
    return reply(
      context,
      "TOO_FEW_SHARES",
      `${missing} more of ${context.threshold} operators must give a share; in so far: ${namesOf(context, context.ceremony.accepted)}.`,
    );
  },
);

/** Seals that do not suffice yet are counted, so this is no objection but what a counted vote is told. */
export function sealsMissing(context: CeremonyContext, question: Of<"sealAsked">): number {
  return Math.max(0, sealersNeeded(context, question) - sealVotes(context, question.caller, question.at).length);
}
