/** What a proof proves, in sentences and as JSON: exactly that, and what it leaves open. */
import type { ProvenKeyState } from "../../src/client/key-state-proof.ts";
import type { Fact } from "../../src/events/facts/fact.ts";
import type { FoundingDocument } from "../../src/events/facts/founding.ts";
import type {
  Proven,
  ProvenCommand,
  ProvenConsistency,
  ProvenHead,
  ProvenInclusion,
  ProvenKeyEvents,
} from "../../src/events/facts/verify-proof.ts";
import { bounded, factText, plain } from "../replay/text.ts";
import { timeText } from "../replay/running.ts";

/** A key state's proof is two: what the log accepted, and what the events say. */
export type Judged =
  | Exclude<Proven, ProvenKeyEvents>
  | { readonly kind: "keyState"; readonly events: ProvenKeyEvents; readonly keys: ProvenKeyState };

/** Names of the members that signed. */
const signersText = ({ signers }: ProvenHead, { founders }: FoundingDocument): string =>
  `${signers.length} of ${founders.length} members signed: ${signers.map((member) => founders[member]?.name ?? "?").join(", ")}`;

const certified = (head: ProvenHead, document: FoundingDocument): readonly string[] => [
  `Certified: the header of height ${head.height} (${timeText(head.time)}), ${head.hash}.`,
  `  ${signersText(head, document)}.`,
];

export function linesOf(judged: Judged, document: FoundingDocument): readonly string[] {
  const lines = [`This is a proof about the cluster "${document.name}".`, ...body(judged, document)];
  return lines.map(bounded);
}

function body(judged: Judged, document: FoundingDocument): readonly string[] {
  switch (judged.kind) {
    case "head":
      return [
        `Block ${judged.head.height}, ${judged.head.hash}, is final.`,
        `Its log root commits to all ${judged.head.height} blocks before it: ${judged.head.logRoot}.`,
        ...certified(judged.head, document),
        "Keep this file: sky audit prefix proves later that the log only grew.",
      ];
    case "inclusion":
      return inclusionLines(judged, document);
    case "consistency":
      return consistencyLines(judged, document);
    case "keyState":
      return keyStateLines(judged, document);
  }
}

function inclusionLines(proven: ProvenInclusion, document: FoundingDocument): readonly string[] {
  const { block, command, facts, outcome, subject } = proven;
  const where = `block ${block.height} (${timeText(block.time)}), ${block.hash}`;
  const lines = [`In the log, for good: ${where}.`];
  if (command !== null) lines.push(...commandLines(command, facts !== null));
  if (facts === null) lines.push("What the block did is not part of this proof.");
  else if (subject.kind === "command" && outcome === null)
    lines.push(
      "The block settled it in no way of its own: it is a copy of an earlier command, or its batch was refused.",
    );
  else lines.push(...effectLines(subject.kind, facts, outcome));
  if (facts !== null)
    lines.push(
      `What was done is in the executed root of height ${block.head.executed.height}, which that header names.`,
    );
  return [...lines, ...certified(block.head, document)];
}

function commandLines(
  { author, principal, command, keyState, isAccepted }: ProvenCommand,
  hasEffects: boolean,
): readonly string[] {
  const judged = isAccepted
    ? "the log accepted its signature"
    : hasEffects
      ? "a batch of that author was refused in the block, so that this one's signature is not proven"
      : "whether its signature holds is not part of this proof";
  return [
    `Command ${command.id} (${command.kind}) of ${author}${principal === null ? "" : `, for ${principal}`} was ordered by it.`,
    `  Its batch names the key event ${keyState.sn}, ${keyState.said}; ${judged}.`,
  ];
}

function effectLines(kind: string, facts: readonly Fact[], outcome: Fact | null): readonly string[] {
  const told = facts.map(({ index, n, data }) => `  ${index}.${n} ${factText(data)}`);
  const refused = outcome?.data.kind === "commandRefused" ? outcome.data : undefined;
  const what = kind === "block" ? "The block did exactly this" : kind === "fact" ? "The block did this" : "It did this";
  const head = facts.length === 0 ? "The block did nothing." : `${what}:`;
  return refused === undefined ? [head, ...told] : [`It was refused ${refused.code}: ${refused.message}`, ...told];
}

function consistencyLines({ older, newer }: ProvenConsistency, document: FoundingDocument): readonly string[] {
  return [
    `The log up to block ${older.height}, ${older.hash}, is a prefix of the log up to block ${newer.height}, ${newer.hash}.`,
    "Nothing in it was changed, left out or put in between.",
    ...certified(older, document),
    ...certified(newer, document),
    "Compare the older hash with the one you kept, or give the kept file: --head OLD-HEAD.",
  ];
}

function keyStateLines(
  { events, keys }: Extract<Judged, { kind: "keyState" }>,
  document: FoundingDocument,
): readonly string[] {
  const { state, isInceptionSigned, events: count } = keys;
  const { block, through, accepted } = events;
  return [
    `Key state of ${state.aid} at every height from ${block.height} to ${through}:`,
    `  last event ${state.latest.sn} (${state.latest.type}), ${state.latest.said}`,
    `  keys ${state.keyTexts.join(", ")}, set by event ${state.sn}`,
    ...(state.delegator === null ? [] : [`  delegated by ${state.delegator}`]),
    ...(state.witnesses.length === 0 ? [] : [`  witnesses (${state.witnessThreshold}): ${state.witnesses.join(", ")}`]),
    `The log accepted that event in block ${block.height} (${timeText(block.time)}) at index ${accepted.index}, and none of the identifier's since, up to height ${through}: all facts of these blocks are here.`,
    `Its ${count} events follow from each other by digests, commitments and ${isInceptionSigned ? "its own signatures" : "its own signatures; the inception is the founding document's"}.`,
    `Nothing is proven about heights after ${through}.`,
    ...certified(block.head, document),
  ];
}

/** For programs: one object. */
export function jsonOf(judged: Judged): object {
  switch (judged.kind) {
    case "keyState": {
      const { events, keys } = judged;
      const { state, isInceptionSigned, events: count } = keys;
      const { aid, sn, said, keyTexts, nextDigests, witnesses, witnessThreshold, delegator, latest } = state;
      return {
        kind: "keyState",
        aid,
        from: events.block.height,
        through: events.through,
        keyState: { latest, sn, said, keys: keyTexts, nextDigests, witnesses, witnessThreshold, delegator },
        events: count,
        isInceptionSigned,
        head: events.block.head,
      };
    }
    case "inclusion": {
      const { block, subject, command, facts, outcome } = judged;
      const { height, hash, time, head } = block;
      return {
        kind: "inclusion",
        height,
        hash,
        time,
        subject,
        command: command === null ? null : { ...command, command: plain(command.command) },
        outcome: plain(outcome),
        facts: facts === null ? null : facts.map((fact) => ({ text: factText(fact.data), ...(plain(fact) as object) })),
        head,
      };
    }
    case "head":
    case "consistency":
      return judged;
  }
}
