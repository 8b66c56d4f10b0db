/** Scripts of one node's ceremony. Header: `node n0 of ann bob carol, threshold 2`, or `…, threshold 2, not initialised`. */
import { unreachable } from "../../../src/base/errors.ts";
import type { CeremonyEffect, CeremonyRecord, CeremonyRequest } from "../../../src/machines/ceremony/ceremony.types.ts";
import { type Language, ScriptError } from "../script.ts";
import { type Desk, aidOf, answersTo, nameOf, open, restart, take } from "./desk.ts";
import { type Input, read } from "./sentences.ts";

const NODE = /^node (\w+) of ([\w ]+), threshold (\d+)(, not initialised)?$/;

/** A desk as a header line describes it. Throws: ScriptError. */
export function deskOf(header: string): Desk {
  const [, node, names, threshold, passphrase] = NODE.exec(header) ?? [];
  if (node === undefined || names === undefined)
    throw new ScriptError("a script begins with a line like: node n0 of ann bob carol, threshold 2");
  return open({
    node: { aid: aidOf(node), name: node },
    operators: names.split(" ").map((name) => ({ aid: aidOf(name), name })),
    threshold: Number(threshold),
    custody: passphrase === undefined ? "root" : "passphrase",
    attempts: [],
    acknowledged: [],
  });
}

export const ceremonyLanguage: Language = ([first = "", ...rest]) => {
  if (rest.length > 0) throw new ScriptError(`"${rest[0]}": the header is one line`);
  let desk = deskOf(first);
  let stood = "";
  return {
    take: (line) => {
      const input = read(desk, line);
      if (input.kind === "event" && !isOwed(desk, input)) throw new ScriptError("the machine did not ask for that");
      desk = live(desk, input);
      const told = desk.refused === undefined ? [] : [`refused: ${desk.refused.message}`];
      for (const effect of desk.effects) told.push(effectLine(effect));
      const stands = `= ${String(desk.snapshot.value)}`;
      if (stands !== stood) told.push(stands);
      stood = stands;
      return told;
    },
  };
};

/** The desk after one input. */
export function live(desk: Desk, input: Input): Desk {
  switch (input.kind) {
    case "event":
      return take(desk, input.event);
    case "wait":
      return { ...desk, now: desk.now + input.ms, effects: [], refused: undefined };
    case "restart":
      return restart(desk);
  }
}

const ANSWERS = ["shareVerified", "shareRefuted", "dealt", "rewrapped", "keystoreOpened", "openingFailed", "drained"];

const isOwed = (desk: Desk, { event }: Extract<Input, { kind: "event" }>): boolean =>
  !ANSWERS.includes(event.type) || desk.requests.some((request) => answersTo(event, request));

const ceremonyName = (id: string): string => `ceremony ${Number.parseInt(id, 16)}`;
const names = (aids: readonly string[]): string => (aids.length === 0 ? "nobody" : aids.map(nameOf).join(" "));

/** Sentences without the identifiers that stand beside each name. */
const readable = (message: string): string => message.replace(/ \(E\w{43}\)/g, "").replace(/E(\w+?)_+/g, "$1");

function effectLine(effect: CeremonyEffect): string {
  switch (effect.kind) {
    case "record":
      return `record ${recordText(effect.record)}`;
    case "reply": {
      const { ok, code, message, shares, missing } = effect.reply;
      return `reply to call ${effect.call}: ${ok ? "yes" : `no, ${code}`} (${shares} given, ${missing} missing) ${readable(message)}`;
    }
    case "setTimer":
      return `set timer: ${timerName(effect.timer)} at ${effect.at / 1000} s`;
    case "clearTimer":
      return `clear timer: ${timerName(effect.timer)}`;
    case "request":
      return `ask to ${requestText(effect.request)}`;
    case "eraseCeremony":
      return effect.ceremony === "" ? "erase what was collected" : `erase ${ceremonyName(effect.ceremony)}`;
    case "forgetShares":
      return "forget the sealed shares";
    case "closeKeystore":
      return "close the keystore";
    default:
      return unreachable(effect);
  }
}

const timerName = (timer: string): string =>
  timer.startsWith("ceremony:") ? ceremonyName(timer.slice("ceremony:".length)) : timer;

function recordText(record: CeremonyRecord): string {
  switch (record.kind) {
    case "opened":
    case "replaced":
      return `${record.kind}: ${ceremonyName(record.ceremony)} by ${nameOf(record.by)}`;
    case "accepted":
    case "cancelVoted":
      return `${record.kind}: ${ceremonyName(record.ceremony)}, ${nameOf(record.operator)}`;
    case "rejected":
      return `rejected: ${ceremonyName(record.ceremony)}, ${nameOf(record.operator)}, ${record.code}`;
    case "unsealed":
    case "cancelled":
      return `${record.kind}: ${ceremonyName(record.ceremony)} by ${names(record.by)}`;
    case "expired":
      return `expired: ${ceremonyName(record.ceremony)}`;
    case "failed":
      return `failed: ${record.reason}; blamed: ${names(record.blamed)}`;
    case "initialised":
      return `initialised by ${nameOf(record.by)}`;
    case "sealing":
      return `sealing by ${names(record.by)}`;
    case "sealVoted":
    case "acknowledged":
      return `${record.kind}: ${nameOf(record.operator)}`;
    case "dealt":
    case "sealed":
      return record.kind;
    default:
      return unreachable(record);
  }
}

function requestText(request: CeremonyRequest): string {
  switch (request.kind) {
    case "deal":
      return "deal a root";
    case "rewrap":
      return "wrap the data key under the root";
    case "verifyShare":
      return `check the share of ${nameOf(request.operator)}, index ${request.index}, for ${ceremonyName(request.ceremony)}`;
    case "openKeystore":
      return `open the keystore with the shares of ${names(request.operators)}`;
    case "drain":
      return "stop voting and serving";
    default:
      return unreachable(request);
  }
}
