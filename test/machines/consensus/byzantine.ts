/** Byzantine members, by what they do. Each runs a real machine and says something else; they sign only as themselves. */
import type { MemberIndex } from "../../../src/base/brands.ts";
import type { BlockSummary, VoteKind } from "../../../src/machines/consensus/types.ts";
import type { Member, Tamper, Wire } from "./member.ts";
import { digest, height, logTime, view } from "./values.ts";

type Vote = Extract<Wire, { kind: "vote" }>;

/** The same block with something changed: another block, of the same leader. */
const changed = (block: BlockSummary, name: string, fields: Partial<BlockSummary> = {}): BlockSummary => ({
  ...block,
  ...fields,
  hash: digest(`${block.hash}/${name}`),
});

function vote(self: Member, kind: VoteKind, at: number, hash: Vote["hash"]): Vote {
  self.cluster.sign(kind, at, hash, self.index);
  return { kind: "vote", vote: kind, view: at, hash, member: self.index };
}

function proposal(self: Member, block: BlockSummary): Wire {
  self.cluster.sign("notarize", block.view, block.hash, self.index);
  self.blocks.set(block.hash, block);
  return { kind: "proposal", block };
}

/** Replaces each proposal by another block; every other message is an honest one. */
const proposing =
  (other: (block: BlockSummary) => BlockSummary) =>
  (self: Member): Tamper =>
  (_to, message) =>
    message.kind === "proposal" ? [proposal(self, other(message.block))] : [message];

/** Shows one half of the members one block and the other half another, some of them both, and votes for both. */
const equivocatingLeader =
  (self: Member): Tamper =>
  (to, message) => {
    if (message.kind !== "proposal") return [message];
    const { block } = message;
    const twin = changed(block, "twin", { time: logTime(block.time + 1) });
    const both = [proposal(self, block), proposal(self, twin)];
    if (self.cluster.random() < 0.2) return both;
    const shown = both[(to + block.view) % 2];
    return [...(shown === undefined ? [] : [shown]), vote(self, "notarize", block.view, twin.hash)];
  };

/** Says the opposite of each vote as well, now to this one, now to that one. */
const doubleVoter =
  (self: Member): Tamper =>
  (_to, message) => {
    if (message.kind !== "vote") return [message];
    const { view: at } = message;
    const known = self.context.proposals[at] ?? self.context.notarizations[at] ?? digest(`nonsense of ${at}`);
    const said = [
      message,
      vote(self, "notarize", at, known),
      vote(self, "notarize", at, digest(`nonsense of ${at}`)),
      vote(self, "nullify", at, null),
      vote(self, "finalize", at, known),
    ];
    return said.filter(() => self.cluster.random() < 0.6);
  };

/** Lets some of the others have its votes, and never says nullify. */
const voteWithholder =
  (self: Member): Tamper =>
  (to, message) =>
    message.kind === "vote" && (message.vote === "nullify" || (to + message.view) % 2 === 0 || self.index === to)
      ? []
      : [message];

/** Names bundles that nobody will ever see, and gives no block away. */
const bodyWithholder =
  (self: Member): Tamper =>
  (_to, message) => {
    if (message.kind === "block") return [];
    if (message.kind !== "proposal") return [message];
    const bundles = [...message.block.bundles, digest(`phantom of ${message.block.view}`)];
    return [proposal(self, changed(message.block, "withheld", { bundles }))];
  };

/** Speaks of views that nobody is in, with certificates that nobody signed. */
const forgerOfFutureViews =
  (self: Member): Tamper =>
  (_to, message) => {
    const far = self.context.view + 1 + Math.floor(self.cluster.random() * 1000);
    const hash = digest(`future of ${far}`);
    const signers = self.cluster.members.map(({ index }) => index);
    return [
      message,
      vote(self, "nullify", self.context.view + 1, null),
      vote(self, "nullify", far, null),
      vote(self, "finalize", far, hash),
      { kind: "certificate", certificate: "nullification", view: far, hash: null, signers },
      { kind: "certificate", certificate: "finalization", view: far, hash, signers },
    ];
  };

/** Says again what it said and heard before, to whoever listens. */
const replayer = (self: Member): Tamper => {
  const heard: Wire[] = [];
  return (_to, message) => {
    heard.push(message);
    if (heard.length > 500) heard.shift();
    const again = heard[Math.floor(self.cluster.random() * heard.length)];
    return again === undefined ? [message] : [message, again];
  };
};

/** Knows no certificates, gives wrong blocks, and serves a log of its own. */
const liarInSync =
  (self: Member): Tamper =>
  (_to, message) => {
    if (message.kind === "survey") return [{ kind: "survey", view: 0 }];
    if (message.kind === "block") return [{ kind: "block", block: changed(message.block, "forged") }];
    if (message.kind === "root") return [{ ...message, root: digest(`lie of ${self.index}`) }];
    return [message];
  };

/** Builds on its last final block, as if no view since could become final. */
const skipper =
  (self: Member): Tamper =>
  (_to, message) => {
    if (message.kind !== "proposal") return [message];
    const { final } = self.context;
    const { block } = message;
    if (block.parent === final.hash) return [message];
    const onFinal = { parent: final.hash, parentView: final.view, height: height(final.height + 1) };
    const executed = { executedHeight: final.executedHeight, executedRoot: self.roots.get(final.executedHeight) };
    return [proposal(self, changed(block, "skip", { ...onFinal, ...executed } as Partial<BlockSummary>))];
  };

const silent = (): Tamper => () => [];

export const BYZANTINE: Readonly<Record<string, (self: Member) => Tamper>> = {
  equivocatingLeader,
  doubleVoter,
  voteWithholder,
  bodyWithholder,
  forgerOfFutureViews,
  replayer,
  liarInSync,
  skipper,
  silent,
  /** Proposals from an hour ahead: open, until their view is over. */
  clockForger: proposing((block) => changed(block, "late", { time: logTime(block.time + 3_600_000) })),
  /** A root that nobody executed to: notarized, then refused by everybody. */
  rootForger: proposing((block) => changed(block, "root", { executedRoot: digest("forged root") })),
  /** Builds below the final block. */
  digger: proposing((block) => changed(block, "deep", { parentView: view(0), parent: digest("genesis") })),
};

/** Makes a member Byzantine. */
export function corrupt(member: Member, name: string): MemberIndex {
  const behaviour = BYZANTINE[name];
  if (behaviour === undefined) throw new Error(`no Byzantine member is called ${name}`);
  member.tamper = behaviour(member);
  return member.index;
}
