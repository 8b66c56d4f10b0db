/**
 * The inputs of ceremony scripts and paths. Operators are names; any other name is a stranger's.
 *
 *     ann initialises | ann opens | ann unwraps | ann cancels | ann acknowledges
 *     ann offers                      a share for the open ceremony; `ann offers to another` for one that is not open
 *     ann seals 4 of 3                4 members are unsealed, this node included, and the quorum is 3
 *     share of ann fits               the oldest check of a share of hers; `share of ann is WRONG_COMMITMENT`
 *     dealt | rewrapped | opened | failed for bob: the keystore was changed | drained
 *     passphrase                      the founder's passphrase was accepted
 *     wait 61                         seconds pass
 *     timer ceremony | timer drain    a timer fires; those that are due only
 *     restart                         the process ends and begins with its journal
 */
import type { CeremonyEvent, ShareFault } from "../../../src/machines/ceremony/ceremony.types.ts";
import { type Sentence, ScriptError, understand } from "../script.ts";
import { type Desk, aidOf, ceremonyId } from "./desk.ts";

export type Input =
  | { readonly kind: "event"; readonly event: CeremonyEvent }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "restart" };

const sentencesAt = (desk: Desk): readonly Sentence<Input>[] => {
  const { ceremony } = desk.snapshot.context;
  const at = desk.now;
  const asked = (name: string) => ({ at, call: desk.calls + 1, caller: aidOf(name) });
  const event = (of: CeremonyEvent): Input => ({ kind: "event", event: of });
  const open = ceremony?.id ?? null;
  return [
    { pattern: /^restart$/, meaning: () => ({ kind: "restart" }) },
    { pattern: /^wait (\d+)$/, meaning: ([, seconds]) => ({ kind: "wait", ms: Number(seconds) * 1000 }) },
    { pattern: /^(\w+) initialises$/, meaning: ([, who = ""]) => event({ type: "initialiseAsked", ...asked(who) }) },
    {
      pattern: /^(\w+) opens$/,
      meaning: ([, who = ""]) =>
        event({ type: "unsealAsked", id: ceremonyId(desk.ceremonies + 1), sessionKey: "aa", ...asked(who) }),
    },
    {
      pattern: /^(\w+) offers( to another)?$/,
      meaning: ([, who = "", another]) =>
        event({
          type: "shareOffered",
          ceremony: another === undefined && open !== null ? open : "f".repeat(32),
          ...asked(who),
        }),
    },
    {
      pattern: /^(\w+) unwraps$/,
      meaning: ([, who = ""]) => event({ type: "unwrapAsked", ceremony: open, ...asked(who) }),
    },
    {
      pattern: /^(\w+) cancels$/,
      meaning: ([, who = ""]) => event({ type: "cancelAsked", ceremony: open, ...asked(who) }),
    },
    { pattern: /^(\w+) acknowledges$/, meaning: ([, who = ""]) => event({ type: "shareAcknowledged", ...asked(who) }) },
    {
      pattern: /^(\w+) seals (\d+) of (\d+)$/,
      meaning: ([, who = "", unsealed, quorum]) =>
        event({ type: "sealAsked", unsealedMembers: Number(unsealed), quorum: Number(quorum), ...asked(who) }),
    },
    {
      pattern: /^share of (\w+) (?:fits|is (\w+))$/,
      meaning: ([, who = "", fault]) => {
        const operator = aidOf(who);
        const about = { at, ceremony: checked(desk, operator), operator };
        return event(
          fault === undefined
            ? { type: "shareVerified", ...about }
            : { type: "shareRefuted", ...about, code: fault as ShareFault }, // golden scripts show which
        );
      },
    },
    { pattern: /^passphrase$/, meaning: () => event({ type: "passphraseAccepted", at }) },
    { pattern: /^dealt$/, meaning: () => event({ type: "dealt", at, dealing: "dealing" }) },
    { pattern: /^rewrapped$/, meaning: () => event({ type: "rewrapped", at }) },
    { pattern: /^opened$/, meaning: () => event({ type: "keystoreOpened", at }) },
    {
      pattern: /^failed(?: for (\w+))?: (.+)$/,
      meaning: ([, who, reason = ""]) =>
        event({ type: "openingFailed", at, reason, blamed: who === undefined ? [] : [aidOf(who)] }),
    },
    { pattern: /^drained$/, meaning: () => event({ type: "drained", at }) },
    {
      pattern: /^timer (ceremony|drain)$/,
      meaning: ([, which = ""]) => event({ type: "timerFired", at, timer: due(desk, which) }),
    },
  ];
};

/** The ceremony whose share of this operator is being checked. */
function checked(desk: Desk, operator: string): string {
  for (const request of desk.requests)
    if (request.kind === "verifyShare" && request.operator === operator) return request.ceremony;
  throw new ScriptError("no share of that operator is being checked");
}

function due(desk: Desk, which: string): string {
  const timer = Object.keys(desk.timers).find((name) => name.startsWith(which));
  if (timer === undefined) throw new ScriptError(`no ${which} timer runs`);
  const left = (desk.timers[timer] ?? 0) - desk.now;
  if (left > 0) throw new ScriptError(`the ${which} timer is due in ${left / 1000} s`);
  return timer;
}

/** What a line means at this desk. Throws: ScriptError. */
export const read = (desk: Desk, line: string): Input => understand(line, sentencesAt(desk));
