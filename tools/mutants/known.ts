/** "Known bugs of others; each is one of our tests": the list that ends the protocol page (consensus.md), in its order. */
import type { Mutant } from "./mutant.ts";

const machine = (name: string): string => `src/machines/consensus/${name}.ts`;
const actor = (name: string): string => `src/actors/consensus/${name}.ts`;

export const KNOWN_BUGS: readonly Mutant[] = [
  {
    name: "pruning-erases-the-flag",
    why: "Known bug: it finalised after an empty vote, since pruning had erased the flag of the view that it was still in.",
    edits: [
      {
        file: machine("finalise"),
        find: "next.own = above(next.own, final.view);",
        replace: "next.own = above(next.own, Math.max(final.view, next.view));",
      },
    ],
    seeds: 20,
  },
  {
    name: "resumes-from-the-last-record",
    why: "Known bug: a member resumes from its last journal record alone, and votes again where older ones say what it voted.",
    edits: [
      {
        file: machine("restore"),
        find: "of live(restored.votes)) own[view]",
        replace: "of live(restored.votes).slice(-1)) own[view]",
      },
    ],
    options: ["--fault", "crash", "--fault", "crashInWrite"],
    seeds: 100,
  },
  {
    name: "journal-of-another-epoch",
    why: "Known bug: another epoch's journal is replayed as one's own.",
    edits: [
      {
        file: actor("start"),
        find: "readJournal(log.journal(committee.epoch))",
        replace: "readJournal(log.journalAll())",
      },
    ],
    options: ["--with", "otherEpoch", "--minutes", "0.2"],
    seeds: 5,
  },
  {
    name: "certificates-are-not-fetched",
    why: "Known bug: members that hold different certificates halt: neither rule 3's request nor rules 7 and 9 let them catch up.",
    edits: [
      {
        file: actor("ingress"),
        find: '    for (const kind of ["nullification", "notarization"] as const) {',
        replace: '    for (const kind of [] as ("nullification" | "notarization")[]) {',
      },
      {
        file: machine("recovery"),
        find: "  for (const view of turn.viewsAboveFinal(next.notarizations)) {",
        replace: "  for (const view of turn.viewsAboveFinal(next.notarizations, 0)) {",
      },
      {
        file: machine("recovery"),
        find: "  for (const view of turn.viewsAboveFinal(next.nullifications)) {",
        replace: "  for (const view of turn.viewsAboveFinal(next.nullifications, 0)) {",
      },
      { file: machine("view"), find: "  if (before <= 0) return;", replace: "  if (before >= 0) return;" },
    ],
    options: [
      "--mode",
      "liveness",
      "--minutes",
      "0.2",
      "--actor",
      "silentLeader",
      "--fault",
      "burstOfLoss",
      "--fault",
      "partition",
    ],
    seeds: 100,
  },
  {
    name: "votes-before-the-journal-is-replayed",
    why: "Known bug: messages are processed before the journal's votes are loaded, so that the member votes a second time.",
    edits: [
      {
        file: machine("restore"),
        find: "    verdicts,\n    own,\n",
        replace: "    verdicts,\n    own: {},\n",
      },
    ],
    options: ["--fault", "crash"],
    seeds: 20,
  },
  {
    name: "sent-before-durable",
    why: "Known bug: votes are sent before they are durable; the drain's records are written a moment later.",
    edits: [
      {
        file: actor("actor"),
        find: "        this.#record(effects);",
        replace: "        this.#ports.schedule(() => this.#record(effects));",
      },
    ],
    seeds: 5,
    quick: true,
  },
  {
    name: "notarized-body-on-no-disk",
    why: "Known bug: a notarized block whose body no disk holds after a power cut; the vote was recorded without its block.",
    edits: [
      {
        file: machine("propose"),
        find: '  turn.emit({ type: "recordCandidate", hash: block.hash });\n  turn.castVote("notarize", next.view, block.hash);',
        replace: '  turn.castVote("notarize", next.view, block.hash);',
      },
      {
        file: machine("propose"),
        find: '  turn.emit({ type: "recordCandidate", hash: block.hash });\n  turn.emit({ type: "recordProposal"',
        replace: '  turn.emit({ type: "recordProposal"',
      },
      {
        file: machine("certify"),
        find: "  if (own.notarize !== block.hash) turn.emit(",
        replace: "  if (own.notarize === undefined) turn.emit(",
      },
    ],
    options: ["--mode", "liveness", "--fault", "powerCut"],
    seeds: 40,
  },
  {
    name: "f-plus-one-for-a-quorum",
    why: "Known bug: f + 1 votes are taken for a quorum.",
    edits: [{ file: "src/base/quorum.ts", find: "size - faultsTolerated(size)", replace: "faultsTolerated(size) + 1" }],
    seeds: 20,
    quick: true,
  },
  {
    name: "two-f-plus-one-for-a-quorum",
    why: "DESIGN §4: q is n − f, never 2f + 1; with five or six members two quorums of three need no honest member in common.",
    edits: [
      { file: "src/base/quorum.ts", find: "size - faultsTolerated(size)", replace: "2 * faultsTolerated(size) + 1" },
    ],
    options: ["--nodes", "6", "--byzantine", "1"],
    seeds: 40,
  },
  {
    name: "one-signer-counted-often",
    why: "Known bug: one signer is counted as often as its signature stands in a certificate.",
    edits: [
      {
        file: "src/events/facts/finality.ts",
        find: "    return known(member, signature) || committee.verify(key, message, signature);",
        replace: "    return committee.keys.some((any) => committee.verify(any, message, signature));",
      },
    ],
    options: ["--actor", "forger", "--minutes", "0.4"],
    seeds: 10,
    quick: true,
  },
  {
    name: "notarization-for-a-finalization",
    why: "Known bug: a notarization is taken for a finalization, since what votes sign does not tell one from the other.",
    edits: [
      {
        file: "src/events/facts/hashing.ts",
        find: "  signingBytes(kind, cluster, encode(voteShape,",
        replace: '  signingBytes(kind === "nullify" ? kind : "notarize", cluster, encode(voteShape,',
      },
    ],
    options: ["--actor", "forger", "--minutes", "0.4"],
    seeds: 40,
  },
  {
    name: "two-ed25519-implementations",
    why: "Known bug: signatures are judged now by one Ed25519 implementation, now by another that judges edge cases differently.",
    edits: [
      {
        file: "src/crypto/ed25519.ts",
        find: 'import { concatBytes, fromHex, toHex } from "../base/bytes.ts";',
        replace:
          'import { ed25519 as other } from "@noble/curves/ed25519.js";\nimport { concatBytes, fromHex, toHex } from "../base/bytes.ts";\nlet checks = 0;',
      },
      {
        file: "src/crypto/ed25519.ts",
        find: "  return verifyNode(null, message, publicKeyObject(publicKey), signature);",
        replace:
          "  if (++checks % 2 === 0) return other.verify(signature, message, publicKey, { zip215: true });\n  return verifyNode(null, message, publicKeyObject(publicKey), signature);",
      },
    ],
    options: ["--with", "ed25519", "--actor", "forger", "--minutes", "0.1"],
    seeds: 5,
  },
  {
    name: "quiet-before-the-last-block-is-final",
    why: "Known bug: a cluster falls quiet while its last block is proposed but not final.",
    edits: [
      {
        file: machine("view"),
        find: "    context.mempool.length === 0 &&\n    context.pendingFinal === null &&\n    !hasAbove(context.own, floor) &&\n    !hasAbove(context.proposals, floor) &&\n    !hasAbove(context.notarizations, floor) &&\n    !hasAbove(context.nullifications, floor) &&\n    votersAbove(context) < faultsTolerated(context.size) + 1",
        replace:
          "    context.mempool.every((digest) => Object.values(context.candidates).some(({ bundles }) => bundles.includes(digest)))",
      },
    ],
    options: ["--mode", "liveness"],
    seeds: 60,
  },
];
