/** Paths over the ceremony machine: who may ask what, what the shell answers, and how time passes. */
import type { Aid } from "../../../src/base/brands.ts";
import { Defect } from "../../../src/base/errors.ts";
import {
  CEREMONY_MS,
  type CeremonyEvent,
  type CeremonyRequest,
} from "../../../src/machines/ceremony/ceremony.types.ts";
import { type Desk, nameOf } from "../../scenarios/ceremony/desk.ts";
import { deskOf, live } from "../../scenarios/ceremony/language.ts";
import { read } from "../../scenarios/ceremony/sentences.ts";
import { type Seen, brokenRule } from "./ceremony-rules.ts";
import type { Coverage } from "./coverage.ts";
import type { Walk } from "./explore.ts";

/** A bounded world around one node's ceremony, in the words of the scenario scripts. */
export interface World {
  readonly name: string;
  readonly header: string;
  /** What operators and strangers may ask, any number of times. */
  readonly asks: readonly string[];
  /** Shares of these operators do not fit. */
  readonly wrong?: readonly string[];
  /** Opening, dealing and rewrapping may fail. */
  readonly fails?: boolean;
  /** Seconds that may pass, each of them once. */
  readonly waits?: readonly number[];
  readonly restarts?: number;
  /** Ceremonies opened in one path, wrong attempts made in it. */
  readonly ceremonies: number;
  readonly attempts?: number;
  readonly limit: number;
}

interface Place {
  readonly desk: Desk;
  readonly seen: Seen;
  readonly waited: readonly number[];
  readonly restarts: number;
  readonly fault: string | undefined;
}

/** The walk of a world. What its steps take is noted in `coverage`; `shell` performs them, and a test can give a broken one. */
export function walkOf(world: World, coverage: Coverage, shell: typeof live = live): Walk<Place> {
  return {
    header: [world.header],
    start: {
      desk: deskOf(world.header),
      seen: { fitted: {}, unanswered: [] },
      waited: [],
      restarts: 0,
      fault: undefined,
    },
    inputs: (place) => [...inputsAt(world, place)],
    step: (before, line) => stepped(before, line, coverage, shell),
    keyOf,
    faultOf: ({ fault }) => fault,
    limit: world.limit,
  };
}

function stepped(before: Place, line: string, coverage: Coverage, shell: typeof live): Place {
  const input = read(before.desk, line);
  let desk: Desk;
  try {
    desk = shell(before.desk, input);
  } catch (error) {
    if (!(error instanceof Defect)) throw error;
    return { ...before, fault: `defect: ${error.message}` };
  }
  if (input.kind === "wait") return { ...before, desk, waited: [...before.waited, input.ms] };
  if (input.kind === "restart")
    return { ...before, desk, restarts: before.restarts + 1, seen: { ...before.seen, unanswered: [] } };
  const { event } = input;
  coverage.note(before.desk.snapshot, event, desk.snapshot);
  const fitted =
    event.type === "shareVerified" ? fits(before.seen, event.ceremony, event.operator) : before.seen.fitted;
  const fault = brokenRule({ before: before.desk, event, after: desk, seen: { ...before.seen, fitted } });
  return { ...before, desk, seen: { fitted, unanswered: unansweredAfter(before.seen, event, desk) }, fault };
}

const fits = ({ fitted }: Seen, ceremony: string, operator: Aid): Seen["fitted"] => ({
  ...fitted,
  [ceremony]: [...new Set([...(fitted[ceremony] ?? []), operator])],
});

function unansweredAfter({ unanswered }: Seen, event: CeremonyEvent, { effects }: Desk): readonly number[] {
  const replied = effects.flatMap((effect) => (effect.kind === "reply" ? [effect.call] : []));
  const open = "call" in event ? [...unanswered, event.call] : unanswered;
  return open.filter((call) => !replied.includes(call));
}

function* inputsAt(world: World, { desk, waited, restarts }: Place): Iterable<string> {
  const opened = desk.journal.filter(({ kind }) => kind === "opened").length;
  const rejected = desk.journal.filter(({ kind }) => kind === "rejected").length;
  const { custody } = desk.snapshot.context;
  for (const ask of world.asks) {
    if (ask.endsWith(" opens") && opened === world.ceremonies) continue;
    if (ask.endsWith(" acknowledges") && custody !== "root") continue; // the enclave has no share to acknowledge
    yield ask;
  }
  if (custody === "passphrase") yield "passphrase";
  for (const request of desk.requests) yield* answersTo(world, request, rejected);
  for (const [timer, due] of Object.entries(desk.timers)) if (due <= desk.now) yield `timer ${timer.split(":")[0]}`;
  for (const seconds of world.waits ?? []) if (!waited.includes(seconds * 1000)) yield `wait ${seconds}`;
  if (restarts < (world.restarts ?? 0)) yield "restart";
}

function* answersTo(world: World, request: CeremonyRequest, rejected: number): Iterable<string> {
  switch (request.kind) {
    case "verifyShare": {
      const who = nameOf(request.operator);
      if (world.wrong?.includes(who) !== true) yield `share of ${who} fits`;
      else if (rejected < (world.attempts ?? 1)) yield `share of ${who} is WRONG_COMMITMENT`;
      return;
    }
    case "drain":
      yield "drained";
      return;
    default:
      yield { deal: "dealt", rewrap: "rewrapped", openKeystore: "opened" }[request.kind];
      if (world.fails === true) yield "failed for ann: the keystore was changed";
  }
}

/**
 * Our own serialiser: the state, what is open with who gave what, and the moments that rules compare, as ages and not as times,
 * each cut where no rule looks further back. Left out: call numbers, ids, session keys, the wording of what is over.
 */
function keyOf({ desk, waited, restarts, fault }: Place): string {
  if (fault !== undefined) return `fault ${fault}`;
  const { context, value } = desk.snapshot;
  const { ceremony } = context;
  const age = (at: number): number => Math.min(desk.now - at, CEREMONY_MS);
  return JSON.stringify([
    value,
    context.custody,
    ceremony && [
      nameOf(ceremony.initiator),
      age(ceremony.openedAt),
      ceremony.lastAcceptedAt === null ? null : age(ceremony.lastAcceptedAt),
      ceremony.accepted.toSorted(),
      ceremony.cancelVotes.toSorted(),
    ],
    context.outcome?.kind,
    context.pending?.caller,
    context.attempts.map(({ operator, at }) => [operator, age(at)]),
    context.sealVotes.map(({ operator, at }) => [operator, age(at)]),
    context.acknowledged.toSorted(),
    Object.values(desk.timers).map((at) => Math.max(0, at - desk.now)),
    desk.requests.map((request) => [
      request.kind,
      request.kind === "verifyShare" && [request.operator, request.ceremony === ceremony?.id],
    ]),
    desk.journal.filter(({ kind }) => kind === "opened").length,
    waited.toSorted((a, b) => a - b),
    restarts,
  ]);
}
