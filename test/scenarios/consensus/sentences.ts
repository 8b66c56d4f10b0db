/**
 * The inputs of consensus scripts and paths. Members are numbers, blocks and bundles are names that the header declares.
 *
 *     start                                     the machine begins, and again after a restart
 *     hold x                                    the bundle x is here
 *     propose A [from 2] [ahead 700]            the leader's block; its time is 700 ms ahead of this clock
 *     judge A valid | judge A invalid           body and bundles were judged
 *     fetch A                                   a block that was asked for
 *     vote notarize A from 1 2                  so with finalize; `vote nullify 3 from 1 2` names the view
 *     hear 2                                    a vote of 2 for what is certified already
 *     certificate notarization A                so with finalization; `certificate nullification 3`
 *     signed notarize A                         a signature came back; `signed nullify 3`
 *     built A | not built 3                     this member's own block of a view, or that it could not be built
 *     executed A [root other]                   the executor reached A
 *     attest root(A) at 1 from 1 2              others say which root they have; `attest root other at 1 from 1`
 *     synchronised B by 3                       blocks up to B were fetched with a finalization of view 3
 *     connect 2                                 a stream to member 2 is there
 *     checkpoint at 1                           q members signed the same statement of the state at height 1
 *     survey 5 from 1 2                         the highest certificate of others, while the journal is lost
 *     timer advance                             leader, advance, repeat, standstill, propose, clock
 *     restart | restart without journal         the process ends and begins with what it recorded, or without its journal
 */
import { type Digest, height, memberIndex, view } from "../../../src/base/brands.ts";
import { quorumOf } from "../../../src/machines/consensus/committee.ts";
import type { ConsensusEvent, TimerId, VoteKind } from "../../../src/machines/consensus/types.ts";
import { type Sentence, ScriptError, understand } from "../script.ts";
import type { Book } from "./book.ts";

export type Input =
  | { readonly kind: "event"; readonly event: ConsensusEvent }
  | { readonly kind: "restart"; readonly keepsJournal: boolean };

const TIMERS: readonly string[] = ["leader", "advance", "repeat", "standstill", "propose", "clock"] satisfies TimerId[];

const members = (list: string): number[] => list.trim().split(/ +/).map(Number);
const events = (...of: readonly ConsensusEvent[]): readonly Input[] => of.map((event) => ({ kind: "event", event }));

/** What a vote or certificate is about: a block by name, or a view that is to end without one. */
function subject(book: Book, kind: string, name: string): { view: ReturnType<typeof view>; hash: Digest | null } {
  if (kind === "nullify" || kind === "nullification") return { view: view(Number(name)), hash: null };
  const block = book.block(name);
  return { view: block.view, hash: block.hash };
}

function rootNamed(book: Book, text: string): Digest {
  const found = /^root\((\w+)\)$/.exec(text);
  return found === null ? book.root(text.replace(/^root /, "")) : book.rootOf(found[1] ?? "");
}

const sentencesOf = (book: Book, size: number): readonly Sentence<readonly Input[]>[] => [
  { pattern: /^start$/, meaning: () => events({ type: "started" }) },
  { pattern: /^restart$/, meaning: () => [{ kind: "restart", keepsJournal: true }] },
  { pattern: /^restart without journal$/, meaning: () => [{ kind: "restart", keepsJournal: false }] },
  {
    pattern: /^hold (\w+)$/,
    meaning: ([, name = ""]) => events({ type: "bundleHeld", digest: book.bundle(name) }),
  },
  {
    pattern: /^propose (\w+)(?: from (\d+))?(?: ahead (\d+))?$/,
    meaning: ([, name = "", from, ahead]) => {
      const block = book.block(name);
      const leader = memberIndex(from === undefined ? block.view % size : Number(from));
      return events({ type: "proposalVerified", from: leader, block, aheadMs: Number(ahead ?? 0) });
    },
  },
  {
    pattern: /^judge (\w+) (valid|invalid)$/,
    meaning: ([, name = "", verdict]) =>
      events({ type: "bodyJudged", hash: book.block(name).hash, valid: verdict === "valid" }),
  },
  { pattern: /^fetch (\w+)$/, meaning: ([, name = ""]) => events({ type: "blockFetched", block: book.block(name) }) },
  {
    pattern: /^vote (notarize|nullify|finalize) (\w+) from ([\d ]+)$/,
    meaning: ([, kind = "", name = "", from = ""]) =>
      events(
        ...members(from).map((member) => ({
          type: "voteVerified" as const,
          kind: kind as VoteKind, // the pattern says so
          ...subject(book, kind, name),
          member: memberIndex(member),
        })),
      ),
  },
  { pattern: /^hear (\d+)$/, meaning: ([, m]) => events({ type: "memberHeard", member: memberIndex(Number(m)) }) },
  {
    pattern: /^certificate (notarization|nullification|finalization) (\w+)$/,
    meaning: ([, kind = "", name = ""]) => {
      const signers = Array.from({ length: quorumOf(size) }, (_, at) => memberIndex(size - 1 - at));
      const about = subject(book, kind, name);
      return events({ type: "certificateVerified", kind: kind as "notarization", ...about, signers }); // the pattern says so
    },
  },
  {
    pattern: /^signed (notarize|nullify|finalize) (\w+)$/,
    meaning: ([, kind = "", name = ""]) =>
      events({ type: "voteSigned", kind: kind as VoteKind, ...subject(book, kind, name) }), // the pattern says so
  },
  { pattern: /^built (\w+)$/, meaning: ([, name = ""]) => events({ type: "proposalBuilt", block: book.block(name) }) },
  { pattern: /^not built (\d+)$/, meaning: ([, at]) => events({ type: "proposalFailed", view: view(Number(at)) }) },
  {
    pattern: /^executed (\w+)(?: (root \w+))?$/,
    meaning: ([, name = "", root]) => {
      const reached = root === undefined ? book.rootOf(name) : rootNamed(book, root);
      return events({ type: "executionReached", height: book.block(name).height, root: reached });
    },
  },
  {
    pattern: /^attest (root\(\w+\)|root \w+) at (\d+) from ([\d ]+)$/,
    meaning: ([, root = "", at, from = ""]) =>
      events(
        ...members(from).map((member) => ({
          type: "rootAttested" as const,
          member: memberIndex(member),
          height: height(Number(at)),
          root: rootNamed(book, root),
        })),
      ),
  },
  {
    pattern: /^synchronised (\w+) by (\d+)$/,
    meaning: ([, name = "", by]) => {
      const final = book.block(name);
      return events({
        type: "logSynchronised",
        final,
        finalizedView: view(Number(by)),
        bundles: ancestry(book, final.hash).flatMap(({ bundles }) => bundles),
      });
    },
  },
  {
    pattern: /^checkpoint at (\d+)$/,
    meaning: ([, at]) => events({ type: "checkpointProvable", height: height(Number(at)) }),
  },
  {
    pattern: /^connect (\d+)$/,
    meaning: ([, member]) => events({ type: "peerConnected", member: memberIndex(Number(member)) }),
  },
  {
    pattern: /^survey (\d+) from ([\d ]+)$/,
    meaning: ([, at, from = ""]) =>
      events(
        ...members(from).map((member) => ({
          type: "highestCertificateReported" as const,
          member: memberIndex(member),
          view: view(Number(at)),
        })),
      ),
  },
  {
    pattern: /^timer (\w+)$/,
    meaning: ([, timer = ""]) => {
      if (!TIMERS.includes(timer)) throw new ScriptError(`no timer is named ${timer}; there are ${TIMERS.join(", ")}`);
      return events({ type: "timerFired", timer: timer as TimerId }); // it is one of them
    },
  },
];

/** A block with its ancestors, down to genesis. */
function ancestry(book: Book, hash: Digest) {
  const blocks = [];
  for (let at = book.blockOf(hash); at !== undefined; at = book.blockOf(at.parent)) blocks.push(at);
  return blocks;
}

/** Reads the inputs of a committee of `size` members. Throws: ScriptError. */
export function reader(book: Book, size: number): (line: string) => readonly Input[] {
  const sentences = sentencesOf(book, size);
  return (line) => understand(line, sentences);
}
