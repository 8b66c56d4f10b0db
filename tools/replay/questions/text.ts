/** Answers to auditors' questions, for people to read and as JSON. */
import type { GraphNode } from "../../../src/events/facts/graph.ts";
import type { ActOf } from "./acts.ts";
import type { Change } from "./changes.ts";
import type { Origin, Place } from "./origin.ts";
import type { Review, WhoAnswer } from "./who.ts";
import type { Turn, WhyAnswer } from "./why.ts";
import { explanationLines, linkText, unknownText } from "../../../src/host/cli/explanation-text.ts";
import { formatNode } from "../../../src/host/cli/graph-text.ts";
import { askedOf, bounded, factText, noteOf, plain } from "../text.ts";
import { timeText } from "../running.ts";

/** Where the state is that was asked for, and whether the log goes on after it. */
export interface Moment {
  readonly height: number;
  /** Log time of that block. Units: ms since 1970; 0 for genesis. */
  readonly time: number;
  /** The log ends there: what came later, if anything did, is not in it. */
  readonly isEnd: boolean;
}

const momentText = ({ height, time, isEnd }: Moment): string =>
  `at height ${height}, ${timeText(time)}${isEnd ? ", where this log ends" : ""}`;

/** Lines of a review begin with + for who came, − for who went. */
export function whoLines(
  { known, subjects }: WhoAnswer,
  object: GraphNode,
  moment: Moment,
  review?: Review,
): readonly string[] {
  const many = subjects.length === 1 ? "1 subject has" : `${subjects.length} subjects have`;
  const came = new Set(review?.came);
  return [
    `${many} ${formatNode(object)} (${momentText(moment)})`,
    ...(review === undefined ? [] : [`${review.came.length} came since (+), ${review.went.length} went (-)`]),
    ...(known.node ? [] : [unknownText("object", object, known)]),
    ...subjects.map((subject) => `${came.has(subject) ? "+" : " "} ${formatNode(subject)}`),
    ...(review?.went ?? []).map((subject) => `- ${formatNode(subject)}`),
  ];
}

/** One object for each subject, then one that sums up; of a review, one for each that went, too. */
export function whoJson(
  { known, subjects }: WhoAnswer,
  object: GraphNode,
  moment: Moment,
  review?: Review,
): readonly string[] {
  const came = new Set(review?.came);
  const line = (subject: GraphNode, change: object): string =>
    JSON.stringify({ subject, text: formatNode(subject), ...change });
  const counts = review && { came: review.came.length, went: review.went.length };
  return [
    ...subjects.map((subject) => line(subject, came.has(subject) ? { change: "came" } : {})),
    ...(review?.went ?? []).map((subject) => line(subject, { change: "went" })),
    JSON.stringify({ ok: true, object, known, ...moment, subjects: subjects.length, ...counts }),
  ];
}

export function whyLines(answer: WhyAnswer, moment: Moment): readonly string[] {
  const { explanation, links, since, turns, turnsOmitted } = answer;
  const origins = new Map(links.map(({ link, origin }) => [linkText(link), origin]));
  const before = turns.slice(0, -1);
  return [
    `${explanation.result ? "yes" : "no"} (${momentText(moment)})`,
    sinceText(since, explanation.result),
    ...explanationLines(explanation, (link) => {
      const origin = origins.get(linkText(link));
      return origin === undefined ? [] : originLines(origin);
    }),
    ...(before.length === 0 ? [] : ["Before that:"]),
    ...(turnsOmitted === 0 ? [] : [`  ${turnsOmitted} earlier changes of the answer are left out`]),
    ...before.map(({ result, origin }) => `  ${result ? "yes" : "no "} since ${originText(origin)}`),
  ].map(bounded);
}

function sinceText(since: Turn | null, result: boolean): string {
  if (since === null) return "At no height before either.";
  return `${result ? "Since" : "No more since"} ${originText(since.origin)}`;
}

const placeText = ({ height, index, time }: Place): string =>
  height === 0 ? "genesis" : `height ${height}, command ${index}, ${timeText(time)}`;

const originText = (origin: Origin): string => originLines(origin).join(", ");

function originLines(origin: Origin): readonly string[] {
  switch (origin.by) {
    case "founding":
      return ["the founding document, which all founders and operators signed"];
    case "time":
      return [`${placeText(origin)}: nobody's act, log time had come`];
    case "command": {
      const { author, principal, keyState, command, kind, note } = origin;
      const who = principal === null ? author : `${principal} through the gateway ${author}`;
      const because = note === null ? [] : [`because: ${note}`];
      return [
        placeText(origin),
        `by ${who}, key state ${keyState.sn} ${keyState.said}`,
        `${kind} ${command}`,
        ...because,
      ];
    }
  }
}

/** One object. */
export const whyJson = ({ explanation, links, since, turns, turnsOmitted }: WhyAnswer, moment: Moment): string =>
  JSON.stringify({ ok: true, ...moment, ...explanation, links, since, turns, turnsOmitted });

export const changeLine = ({ fact, origin }: Change): string =>
  bounded(`${factText(fact.data)}: ${originText(origin)}`);

export const changeJson = ({ fact: { height, index, n, data }, origin }: Change): string =>
  JSON.stringify({ height, index, n, time: origin.time, text: factText(data), fact: plain(data), origin });

export function actLines(act: ActOf): readonly string[] {
  const place = placeText(act.place);
  switch (act.kind) {
    case "keyEvent":
      return [bounded(`${place}: ${factText(act.fact.data)}${handedIn(act.origin)}`)];
    case "batchRefused": {
      const { refused, commands } = act.batch;
      const why = `refused ${refused?.code ?? ""}: ${refused?.message ?? ""}`;
      return [`${place}: a batch of ${commands.length} that names it as ${act.capacity}: ${why}`].map(bounded);
    }
    case "command": {
      const { command, outcome } = act.command;
      const head = `${place}: ${command.kind} ${command.id}${capacityText(act)}`;
      const note = noteOf(command);
      const because = note === undefined ? [] : [`      because: ${note}`];
      const asked = [...because, ...askedOf(command).map((line) => `      ${line}`)];
      if (outcome.kind === "executed") return [`${head}: executed`, ...asked].map(bounded);
      if (outcome.kind === "refused")
        return [`${head}: refused ${outcome.code}: ${outcome.message}`, ...asked].map(bounded);
      return [`${head}: sent again, done before at height ${outcome.of.height}, command ${outcome.of.index}`];
    }
  }
}

function capacityText({
  capacity,
  command: { author, principal },
}: Extract<ActOf, { readonly kind: "command" }>): string {
  if (capacity === "gateway") return ` as gateway for ${principal ?? ""}`;
  return capacity === "principal" ? ` through the gateway ${author}` : "";
}

const handedIn = (origin: Origin): string => {
  if (origin.by === "command") return `, handed in by ${origin.principal ?? origin.author}`;
  return origin.by === "founding" ? ", in the founding document" : "";
};

export function actJson(act: ActOf): string {
  const { kind, place } = act;
  switch (act.kind) {
    case "keyEvent": {
      const { data } = act.fact;
      return JSON.stringify({ ...place, act: kind, text: factText(data), fact: plain(data), origin: act.origin });
    }
    case "batchRefused": {
      const { batch, capacity } = act;
      const { author, principal, keyState, refused } = batch;
      const commands = batch.commands.map(({ id }) => id);
      return JSON.stringify({ ...place, act: kind, capacity, author, principal, keyState, commands, refused });
    }
    case "command": {
      const { author, principal, keyState, command, outcome, facts } = act.command;
      return JSON.stringify({
        ...place,
        act: kind,
        capacity: act.capacity,
        author,
        principal,
        keyState,
        command: command.id,
        kind: command.kind,
        asked: askedOf(command),
        note: noteOf(command) ?? null,
        outcome: outcome.kind === "duplicate" ? { kind: outcome.kind, of: outcome.of } : outcome,
        facts: facts.map(({ n, data }) => ({ n, text: factText(data), fact: plain(data) })),
      });
    }
  }
}
