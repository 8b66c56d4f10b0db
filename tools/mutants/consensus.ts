/** Our own bugs in the consensus machine: one rule of consensus.md broken by each. */
import type { Mutant } from "./mutant.ts";

const machine = (name: string): string => `src/machines/consensus/${name}.ts`;

export const CONSENSUS: readonly Mutant[] = [
  {
    name: "finalises-after-nullify",
    why: "Rule 8: never both nullify and finalize.",
    edits: [
      { file: machine("certify"), find: "own.nullify !== true && own.finalize", replace: "own.finalize" },
      {
        file: machine("turn"),
        find: "        assert(own.nullify === undefined, `rule 8: finalize after nullify in view ${view}`);\n",
        replace: "",
      },
    ],
    seeds: 10,
    quick: true,
  },
  {
    name: "notarizes-after-nullify",
    why: "Rule 8: notarize at most once, and not after nullify.",
    edits: [
      {
        file: machine("propose"),
        find: "own.notarize !== undefined || own.nullify === true || !turn.mayVote(next.view))\n    return false;\n  const judgement",
        replace: "own.notarize !== undefined || !turn.mayVote(next.view))\n    return false;\n  const judgement",
      },
      {
        file: machine("turn"),
        find: "own.notarize === undefined && own.nullify === undefined,",
        replace: "own.notarize === undefined,",
      },
    ],
    seeds: 10,
    quick: true,
  },
  {
    name: "skips-certified-blocks",
    why: "Rules 2 and 3: a parent needs a nullification of every view between it and its child.",
    edits: [
      {
        file: machine("ancestry"),
        find: '    if (next.nullifications[view] !== true) return { kind: "missing", view: viewOf(view) };\n',
        replace: "",
      },
      {
        file: machine("propose"),
        find: "    if (next.nullifications[view] !== true) return askLeader(turn, viewOf(view));",
        replace: "    if (next.nullifications[view] === undefined) continue;",
      },
    ],
    seeds: 40,
  },
  {
    name: "any-root-is-certified",
    why: "Rule 4: a block that names another root than one's own is refused.",
    edits: [
      {
        file: machine("certify"),
        find: 'return root === block.executedRoot ? "certified" : "refused";',
        replace: 'return "certified";',
      },
    ],
    options: ["--actor", "forger", "--minutes", "0.4"],
    seeds: 20,
  },
  {
    name: "time-need-not-grow",
    why: "Time: certification checks that it grows.",
    edits: [
      {
        file: machine("ancestry"),
        find: '  if (block.time <= parent.time) return "its time does not grow";\n',
        replace: "",
      },
    ],
    options: ["--actor", "forger", "--minutes", "0.4"],
    seeds: 20,
  },
  {
    name: "clock-far-ahead",
    why: "Time: a member whose clock is more than 500 ms behind a header waits.",
    edits: [
      {
        file: machine("consensus.machine"),
        find: "const CLOCK_AHEAD_MAX_MS = 500;",
        replace: "const CLOCK_AHEAD_MAX_MS = 500_000_000;",
      },
    ],
    options: ["--actor", "forger", "--minutes", "0.4"],
    seeds: 20,
  },
  {
    name: "views-fall",
    why: "Rule 1: views only grow.",
    edits: [{ file: machine("view"), find: "  if (view <= next.view) return false;\n", replace: "" }],
    seeds: 10,
  },
  {
    name: "nullification-does-not-advance",
    why: "Rule 5: q nullify votes enter the next view.",
    edits: [
      {
        file: machine("votes"),
        find: "      if (enterView(turn, viewOf(view + 1))) next.nullified += 1;",
        replace: "      if (enterView(turn, view)) next.nullified += 1;",
      },
    ],
    seeds: 5,
  },
  {
    name: "lost-journal-votes-at-once",
    why: "Lost journal: votes only in views above w + 2.",
    edits: [
      {
        file: machine("recovery"),
        find: "Math.max(...reports) + 2)",
        replace: "Math.max(0, Math.max(...reports) - 2))",
      },
    ],
    options: ["--fault", "diskLost"],
    seeds: 20,
  },
  {
    name: "lost-journal-is-not-noticed",
    why: "Lost journal: a member that lost it follows without voting.",
    edits: [
      {
        file: "src/actors/consensus/start.ts",
        find: '(journalLost ? "unknown" : null)',
        replace: "(journalLost ? viewOf(0) : null)",
      },
      {
        file: "src/actors/consensus/start.ts",
        find: 'import { height as heightOf } from "../../base/brands.ts";',
        replace: 'import { height as heightOf, view as viewOf } from "../../base/brands.ts";',
      },
    ],
    options: ["--fault", "diskLost"],
    seeds: 20,
  },
  {
    name: "votes-are-not-sent-again",
    why: "On restart: resend own votes above the last finalised view.",
    edits: [{ file: machine("consensus.machine"), find: "    resendOwnVotes(turn);\n", replace: "" }],
    options: ["--mode", "liveness", "--fault", "powerCut"],
    seeds: 40,
  },
  {
    name: "one-root-stops-a-member",
    why: "DESIGN §4: a replica stops when f + 1 others agree on another root, not when one says so.",
    edits: [{ file: machine("roots"), find: "    if (count <= faultsTolerated(next.size)) continue;\n", replace: "" }],
    options: ["--actor", "forger", "--minutes", "0.4"],
    seeds: 20,
  },
  {
    name: "honest-leader-accused",
    why: "Evidence: two notarize votes for different blocks, never a vote that was sent twice.",
    edits: [
      {
        file: machine("votes"),
        find: "  if (earlier !== undefined && earlier !== (hash ?? true))",
        replace: "  if (earlier !== undefined)",
      },
    ],
    seeds: 10,
  },
  {
    name: "missing-block-is-not-asked-for",
    why: "Rule 10: a notarized block that is not here is fetched, at once and after a restart.",
    edits: [
      {
        file: machine("votes"),
        find: '      if (turn.candidate(hash) === undefined) turn.emit({ type: "requestBlock", hash, view });\n',
        replace: "",
      },
    ],
    options: ["--mode", "liveness", "--actor", "withholder"],
    seeds: 100,
  },
  {
    name: "synchronises-once",
    why: "Rule 9 and catch-up: what was asked may have been lost, ask again.",
    edits: [
      {
        file: machine("finalise"),
        find: '  turn.emit({ type: "requestSynchronisation", view, hash });\n',
        replace: "",
      },
    ],
    options: ["--mode", "liveness"],
    seeds: 10,
  },
  {
    name: "quiet-with-work",
    why: "Rule 1: a bundle that is in no final block ends quiet.",
    edits: [{ file: machine("view"), find: "    context.mempool.length === 0 &&\n", replace: "" }],
    options: ["--mode", "liveness"],
    seeds: 10,
  },
  {
    name: "never-quiet",
    why: "Rule 1: no blocks when there is no work.",
    edits: [
      {
        file: machine("view"),
        find: "  return (\n    context.mempool.length === 0 &&",
        replace:
          "  return (\n    context.spokenViews > 5 && context.spokenViews < 0 && context.mempool.length === 0 &&",
      },
    ],
    options: ["--mode", "liveness", "--byzantine", "0"],
    seeds: 5,
  },
];
