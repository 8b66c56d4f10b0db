/** What must hold after every step of every path, whatever came: rule 8 and its kin, over all lives of a member. */
import type { ConsensusEffect, Context } from "../../../src/machines/consensus/types.ts";
import { quorumOf } from "../../../src/machines/consensus/committee.ts";
import { standingOf } from "../../../src/machines/consensus/consensus.machine.ts";
import { isQuiet } from "../../../src/machines/consensus/view.ts";
import { type Life, finalOf } from "../../scenarios/consensus/life.ts";
import type { Input } from "../../scenarios/consensus/sentences.ts";
import { type Place, noticesOf, voteIn, voteName } from "./consensus-place.ts";

export interface Step {
  readonly before: Place;
  readonly input: Input;
  readonly life: Life;
  /** Votes that have left this member, over all its lives, this step's included: see `voteName`. */
  readonly sent: readonly string[];
  /** Members that the world declares to be liars: evidence against them is just. */
  readonly liars: readonly number[];
}

type Rule = (step: Step) => string | undefined;

const contextOf = (life: Life): Context => life.snapshot.context;
const records = <T extends ConsensusEffect["type"]>(life: Life, type: T) =>
  life.effects.filter((effect): effect is Extract<ConsensusEffect, { type: T }> => effect.type === type);

/** Rule 8: notarize at most once and not after nullify; never both nullify and finalize; nothing twice. */
const votesOnce: Rule = ({ life }) => {
  const seen = new Map<string, string | null>();
  for (const { kind, view, hash } of life.disk.votes) {
    if (seen.has(`${kind} ${view}`)) return `${kind} was cast twice in view ${view}`;
    if (kind === "notarize" && seen.has(`nullify ${view}`)) return `notarize after nullify in view ${view}`;
    if (kind !== "notarize" && seen.has(`${kind === "nullify" ? "finalize" : "nullify"} ${view}`))
      return `both nullify and finalize in view ${view}`;
    seen.set(`${kind} ${view}`, hash);
  }
  return undefined;
};

/** Rule 8 as others see it: whatever the disk says, what was sent is never contradicted, over all lives. */
const saysOneThing: Rule = ({ sent }) => {
  const said = new Map<string, string>();
  for (const vote of sent) {
    const [kind = "", view = "", hash = ""] = vote.split(" ");
    if (said.has(`${kind} ${view}`)) return `two votes to ${kind} in view ${view} were sent`;
    said.set(`${kind} ${view}`, hash);
    if (said.has(`nullify ${view}`) && said.has(`finalize ${view}`))
      return `nullify and finalize of view ${view} were sent`;
  }
  return undefined;
};

/** Rule 8: finalize(v, h) only while holding h's notarization and having certified h, both on this disk. */
const finalizesCertified: Rule = ({ life }) => {
  for (const { kind, view, hash } of records(life, "recordVote")) {
    if (kind !== "finalize") continue;
    const holds = life.disk.certificates.some((one) => one.kind === "notarization" && one.hash === hash);
    const judged = life.disk.verdicts.some((one) => one.view === view && one.verdict === "certified");
    if (!holds || !judged) return `finalize in view ${view} without ${holds ? "a verdict" : "its notarization"}`;
  }
  return undefined;
};

/** "Durable before sending": the vote before its signature is asked for, the block before the vote, the record before the message. */
const durableFirst: Rule = ({ before, life }) => {
  const blocks = new Set(before.life.disk.candidates.map(({ block }) => block.hash));
  const votes = new Set(before.life.disk.votes.map(voteName));
  for (const effect of life.effects) {
    if (effect.type === "recordCandidate") blocks.add(effect.hash);
    if (effect.type === "recordVote") {
      if (effect.kind === "notarize" && (effect.hash === null || !blocks.has(effect.hash)))
        return `notarize in view ${effect.view} before its block is on the disk`;
      votes.add(voteName(effect));
    }
    if (effect.type === "requestSignature" && !votes.has(voteName(effect)))
      return `a signature over ${effect.kind} ${effect.view} was asked for before the vote was recorded`;
  }
  for (const notice of noticesOf(life.effects)) {
    const vote = voteIn(notice, contextOf(life));
    if (vote !== undefined && !votes.has(vote)) return `sent ${vote} without having recorded it`;
  }
  return undefined;
};

/** Views only grow within a life, and lie above the final one; nothing is kept at or below it. */
const viewsGrow: Rule = ({ before, input, life }) => {
  const was = contextOf(before.life);
  const now = contextOf(life);
  if (input.kind === "event" && now.view < was.view) return `view fell from ${was.view} to ${now.view}`;
  if (now.final.height < was.final.height) return "the final height fell";
  if (now.view <= now.final.view) return `view ${now.view} is not above the final view`;
  for (const kept of [now.own, now.notarizations, now.nullifications, now.verdicts, now.proposals, now.tallies])
    for (const view of Object.keys(kept))
      if (Number(view) <= now.final.view) return `something of view ${view} was kept below the final one`;
  return undefined;
};

/** q = n − f distinct members, each of whom was heard. */
const quorums: Rule = ({ before, input, life }) => {
  const heard = contextOf(before.life).tallies;
  for (const { kind, view, hash, signers } of records(life, "recordCertificate")) {
    if (signers === null) continue;
    if (new Set(signers).size < quorumOf(life.size)) return `${kind} of view ${view} by ${signers.length} votes`;
    const votes =
      heard[view]?.[kind === "notarization" ? "notarize" : kind === "nullification" ? "nullify" : "finalize"];
    const told = input.kind === "event" && "member" in input.event ? input.event.member : undefined;
    const proposer = input.kind === "event" && input.event.type === "proposalVerified" ? input.event.from : undefined;
    for (const signer of signers)
      if (votes?.[signer] !== (hash ?? true) && signer !== told && signer !== proposer && signer !== life.self)
        return `${kind} of view ${view} counts member ${signer}, who did not say so`;
  }
  return undefined;
};

/** Rules 4 to 6: every certificate adopted goes on, once. */
const passedOn: Rule = ({ life }) => {
  for (const { kind, view } of records(life, "recordCertificate")) {
    const on = life.effects.filter(
      (effect) =>
        (effect.type === "passOn" && effect.certificate === kind && effect.view === view) ||
        (effect.type === "broadcast" &&
          effect.notice.kind === "certificate" &&
          effect.notice.certificate === kind &&
          effect.notice.view === view),
    ).length;
    if (on !== 1) return `${kind} of view ${view} was recorded and passed on ${on} times`;
  }
  return undefined;
};

/** Rule 6: final is what a finalization says, its ancestors first, each block once and on its parent. */
const finality: Rule = ({ life, before }) => {
  for (const { view, hashes } of records(life, "recordFinal")) {
    const last = hashes.at(-1);
    if (!life.disk.certificates.some((one) => one.kind === "finalization" && one.view === view && one.hash === last))
      return `view ${view} became final without a finalization of that block`;
  }
  const { log } = life.disk;
  for (let at = before.life.disk.log.length; at < log.length; at++) {
    const block = log[at];
    if (block?.height !== at) return `height ${at} of the log holds the block of height ${block?.height}`;
    if (!("parent" in block) || block.parent !== log[at - 1]?.hash)
      return `height ${at} of the log is on another parent`;
  }
  if (finalOf(life.disk).hash !== contextOf(life).final.hash) return "machine and log differ about the final block";
  return undefined;
};

/** Rule 1: quiet members set no timer. Rules 7 and 9: whoever waits for something has a timer that ends the wait. */
const timersRun: Rule = ({ before, input, life }) => {
  const standing = standingOf(contextOf(life));
  const { timers } = life.duties;
  if (input.kind === "restart") return undefined; // `start` is yet to come
  if (standing === "halted" || isQuiet(contextOf(life)))
    return timers.length === 0 ? undefined : `${standing} with timers: ${timers.join(", ")}`;
  if (!timers.includes("standstill")) return `${standing} and no standstill timer runs`;
  const { own, view, votesAbove } = contextOf(life);
  if (own[view]?.nullify === true && !timers.includes("repeat")) return "nullified and no repeat timer runs";
  const leftView = contextOf(before.life).view !== view || !before.started;
  if (leftView && votesAbove !== "unknown" && !timers.includes("advance")) return "a view begins without its timer";
  return undefined;
};

/** A member without its journal casts no vote until q others have reported, and none at or below the bound (lost journal). */
const lostJournal: Rule = ({ before, life }) => {
  const { votesAbove } = contextOf(life);
  const known = contextOf(before.life).votesAbove;
  for (const { kind, view } of records(life, "recordVote"))
    if (votesAbove === "unknown" || (votesAbove !== null && view <= votesAbove))
      return `${kind} in view ${view} without a journal`;
  if (known === "unknown" && votesAbove !== "unknown" && life.disk.votesAbove !== votesAbove)
    return "the bound of a lost journal is not durable";
  return undefined;
};

/** DESIGN §4: a halted replica votes, sends and remembers nothing more, in no later life either. */
const haltsForGood: Rule = ({ before, input, life }) => {
  if (contextOf(before.life).halted === null) return undefined;
  if (input.kind === "restart") return contextOf(life).halted === null ? "a restart forgot that it halted" : undefined;
  return life.refused === undefined || life.effects.length > 0 ? "a halted replica took an event" : undefined;
};

const justEvidence: Rule = ({ life, liars }) => {
  for (const { evidence } of records(life, "recordEvidence"))
    if (!liars.includes(evidence.member)) return `${evidence.kind} of honest member ${evidence.member}`;
  return undefined;
};

/** On restart the flags are what the disk holds above the final view, and `start` asks for all those signatures again. */
const restartsFromDisk: Rule = ({ before, life, input }) => {
  const { own, final } = contextOf(life);
  const live = life.disk.votes.filter(({ view }) => view > final.view).map(voteName);
  const flags = Object.entries(own).flatMap(([at, { notarize, nullify, finalize }]) => {
    const view = Number(at);
    return [
      ...(notarize === undefined ? [] : [voteName({ kind: "notarize", view, hash: notarize })]),
      ...(nullify === undefined ? [] : [voteName({ kind: "nullify", view, hash: null })]),
      ...(finalize === undefined ? [] : [voteName({ kind: "finalize", view, hash: finalize })]),
    ];
  });
  if (live.toSorted().join() !== flags.toSorted().join()) return `disk holds ${live.join()}, flags ${flags.join()}`;
  const starts = input.kind === "event" && input.event.type === "started" && before.restarts > 0;
  const owed = contextOf(life).halted === null ? live : []; // who halted says nothing again either
  if (starts && records(life, "requestSignature").map(voteName).toSorted().join() !== owed.toSorted().join())
    return "a restart did not ask for the signatures of its votes again";
  return undefined;
};

/** What a machine refuses changes nothing but who counts as heard. */
const refusalsChangeNothing: Rule = ({ before, life, input }) => {
  const was = contextOf(before.life);
  if (life.refused !== undefined && contextOf(life) !== was) return "a refused event changed the context";
  const answers =
    input.kind === "event" && ["proposalVerified", "voteVerified", "proposalBuilt"].includes(input.event.type);
  const onlyRefused = life.effects.length > 0 && life.effects.every(({ type }) => type === "refuseInput");
  if (!answers || !onlyRefused) return undefined;
  for (const [field, value] of Object.entries(contextOf(life))) {
    if (field === "lastHeard" || field === "attested") continue;
    if (value !== was[field as keyof Context]) return `a refused input changed ${field}`;
  }
  return undefined;
};

const RULES: Readonly<Record<string, Rule>> = {
  votesOnce,
  saysOneThing,
  finalizesCertified,
  durableFirst,
  viewsGrow,
  quorums,
  passedOn,
  finality,
  timersRun,
  lostJournal,
  haltsForGood,
  justEvidence,
  restartsFromDisk,
  refusalsChangeNothing,
};

/** The first rule that a step broke, by name and in words. */
export function brokenRule(step: Step): string | undefined {
  for (const [name, rule] of Object.entries(RULES)) {
    const fault = rule(step);
    if (fault !== undefined) return `${name}: ${fault}`;
  }
  return undefined;
}
