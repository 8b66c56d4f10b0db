/** Our own bugs in the consensus shell: what it verifies, records, fetches and sends. */
import type { Mutant } from "./mutant.ts";

const actor = (name: string): string => `src/actors/consensus/${name}.ts`;

export const SHELLS: readonly Mutant[] = [
  {
    name: "votes-are-not-verified",
    why: "Signatures: a vote counts when its signature holds.",
    edits: [
      {
        file: actor("ingress"),
        find: '    if (!signatures.holds(kind, view, hash, from, signature)) return this.#fault("BAD_SIGNATURE", from);\n',
        replace: "",
      },
    ],
    options: ["--actor", "forger", "--minutes", "0.4"],
    seeds: 20,
  },
  {
    name: "votes-in-the-name-of-others",
    why: "Signatures: a vote counts for the member that signed it.",
    edits: [
      {
        file: actor("ingress"),
        find: '    if (member !== from) return this.#refuse("vote of another member", from);\n',
        replace: "",
      },
    ],
    options: ["--actor", "forger", "--minutes", "0.4"],
    seeds: 20,
  },
  {
    name: "proposals-are-not-verified",
    why: "Signatures: a proposal is its leader's notarize vote.",
    edits: [
      {
        file: actor("ingress"),
        find: '      if (!signatures.holds("notarize", view, hash, from, signature)) return this.#fault("BAD_SIGNATURE", from);\n',
        replace: "",
      },
      {
        file: actor("ingress"),
        find: '    if (leaderOf(view, committee.keys.length) !== from)\n      return this.#refuse("proposal by a member that does not lead its view", from);\n',
        replace: "",
      },
    ],
    options: ["--actor", "forger", "--minutes", "0.4"],
    seeds: 60,
  },
  {
    name: "certificates-are-not-verified",
    why: "Signatures: a certificate holds q signatures of distinct members.",
    edits: [
      {
        file: actor("ingress"),
        find: '    if (!signatures.judges(certificate)) return this.#fault("BAD_CERTIFICATE", from);\n',
        replace: "",
      },
    ],
    options: ["--actor", "forger", "--minutes", "0.4"],
    seeds: 10,
  },
  {
    name: "bundles-are-not-verified",
    why: "Mempool: a bundle is signed by the member that made it.",
    edits: [
      {
        file: actor("ingress"),
        find: '    if (!isBundleSigned(committee, opened.value)) return this.#fault("BAD_SIGNATURE", from);\n',
        replace: "",
      },
    ],
    options: ["--actor", "forger", "--minutes", "0.4"],
    seeds: 20,
  },
  {
    name: "pages-are-not-proven",
    why: "Catch-up: blocks are fetched and each proof is checked.",
    edits: [
      {
        file: "src/events/facts/finality.ts",
        find: "  return isCertificateSound(committee, certificate);",
        replace: "  return committee.keys.length > 0;",
      },
    ],
    options: ["--actor", "liarInSync", "--fault", "diskLost", "--fault", "isolation"],
    seeds: 20,
  },
  {
    name: "log-root-is-not-judged",
    why: "Rule 3: logRoot is the Merkle root over all blocks before this one.",
    edits: [
      {
        file: actor("judging"),
        find: "before.root() !== opened.header.logRoot || !this.#isBodySound(opened)",
        replace: "!this.#isBodySound(opened)",
      },
    ],
    options: ["--actor", "forger", "--minutes", "0.4"],
    seeds: 20,
  },
  {
    name: "notarizes-without-bundles",
    why: "Rule 3: valid only with its bundles here.",
    edits: [
      {
        file: actor("judging"),
        find: "    return missing.size === 0 || this.#bytes",
        replace: "    return missing.size <= 1 || this.#bytes",
      },
    ],
    seeds: 10,
  },
  {
    name: "votes-are-not-journalled",
    why: "Durable before sending: every own vote with its view.",
    edits: [
      {
        file: actor("recording"),
        find: '      case "recordVote":\n      case "recordProposal":',
        replace:
          '      case "recordVote":\n        if (effect.kind === "finalize") return;\n        this.#journal.push(journalRow(committee, effect));\n        return;\n      case "recordProposal":',
      },
    ],
    seeds: 5,
  },
  {
    name: "journal-is-pruned-too-far",
    why: "Durable before sending: flags above the last finalised view stay in the journal.",
    edits: [
      {
        file: actor("recording"),
        find: "view: viewOf(last.header.view + 1) },",
        replace: "view: viewOf(last.header.view + 3) },",
      },
    ],
    options: ["--fault", "crash", "--fault", "crashInWrite"],
    seeds: 60,
  },
  {
    name: "asks-once",
    why: "Rule 10: what is missing is asked for again, from other peers, until it comes.",
    edits: [
      {
        file: actor("fetching"),
        find: "    wanted.handle = this.#ports.clock.set(wanted.wait, () => this.#ask(name, wanted, null));\n",
        replace: "",
      },
    ],
    options: ["--mode", "liveness", "--fault", "burstOfLoss", "--fault", "isolation", "--fault", "diskLost"],
    seeds: 20,
  },
  {
    name: "executor-is-told-twice",
    why: "DESIGN §4: final blocks are executed once, in order.",
    edits: [
      {
        file: actor("delivery"),
        find: "      this.#next = heightOf(height + 1); // first: an executor that answers at once pumps again\n",
        replace: "      this.#next = heightOf(height + (this.#fresh.size === 3 ? 2 : 1));\n",
      },
    ],
    seeds: 40,
  },
  {
    name: "executed-roots-are-not-stored",
    why: "Durable before sending: the root of every executed height is stored beside its event.",
    edits: [
      {
        file: actor("start"),
        find: "    if (root !== undefined) roots[at] = root;",
        replace: "    if (root !== undefined) roots[at + 1] = root;",
      },
    ],
    options: ["--fault", "crash"],
    seeds: 20,
  },
  {
    name: "pages-need-not-follow",
    why: "Catch-up: every event of a page follows the one before it, by parent, height and logRoot.",
    edits: [
      {
        file: actor("synchronisation"),
        find: "    if (header.height !== height || header.parent !== parent)",
        replace: "    if (header.height < height)",
      },
      {
        file: actor("synchronisation"),
        find: "    if (header.logRoot !== tree.root()) return wrong(",
        replace: "    if (header.height < 0) return wrong(",
      },
    ],
    options: ["--actor", "liarInSync", "--fault", "diskLost", "--fault", "isolation"],
    seeds: 20,
  },
  {
    name: "certificates-are-not-journalled",
    why: "Durable before sending: every certificate adopted.",
    edits: [{ file: actor("recording"), find: "    this.#journal.push(certificateRow(certificate));\n", replace: "" }],
    options: ["--byzantine", "0", "--minutes", "0.2"],
    seeds: 5,
  },
  {
    name: "overtaken-checkpoints-are-adopted",
    why: "Catch-up: a checkpoint spares blocks that the member does not have.",
    edits: [
      {
        file: actor("catch-up"),
        find: "    if (found.statement.height > context().final.height) return complete(found);",
        replace: "    if (found.statement.height > 0) return complete(found);",
      },
    ],
    options: ["--with", "checkpoints", "--fault", "pause", "--fault", "slowLink"],
    seeds: 40,
  },
];
