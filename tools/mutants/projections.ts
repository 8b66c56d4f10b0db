/** Our own bugs in the folds: ledger, duplicates, graph (decide, evolve, cascade), and the projection's tables with their past. */
import type { Mutant } from "./mutant.ts";

const ledger = (name: string): string => `src/projections/ledger/${name}.ts`;
const rebac = (name: string): string => `src/projections/rebac/${name}.ts`;

/** Writers of the graph; and members that start again from their tables. */
const GRAPH = ["--with", "graph", "--byzantine", "0", "--minutes", "0.4"];
const TABLES = [...GRAPH, "--with", "projector"];
const RESTARTS = [...TABLES, "--fault", "crash"];

export const PROJECTIONS: readonly Mutant[] = [
  {
    name: "duplicates-are-forgotten-too-soon",
    why: "DESIGN §4: a command's identity is remembered until its notAfter; sent again it never acts twice.",
    edits: [
      {
        file: ledger("duplicates"),
        find: "    const now = Math.floor(time / BUCKET_MS);\n    if (this.#oldest",
        replace: "    const now = Math.floor(time / BUCKET_MS) + 30;\n    if (this.#oldest",
      },
    ],
    options: GRAPH,
    seeds: 10,
    quick: true,
  },
  {
    name: "same-id-other-bytes",
    why: "DESIGN §4: other bytes under a settled id are a refusal, not the first result.",
    edits: [
      {
        file: ledger("ledger"),
        find: "    if (known !== undefined) {\n      if (known.outcome.digest !== digest) return unjudged(DUPLICATE_ID);\n",
        replace: "    if (known !== undefined && known.outcome.digest === digest) {\n",
      },
    ],
    options: GRAPH,
    seeds: 10,
  },
  {
    name: "expired-commands-act",
    why: "DESIGN §4: after notAfter a command is expired, whatever is remembered of it.",
    edits: [
      {
        file: ledger("ledger"),
        find: "if (command.notAfter < work.block.time) return unjudged(EXPIRED);",
        replace: "if (command.notAfter < work.block.time - 60_000) return unjudged(EXPIRED);",
      },
    ],
    options: GRAPH,
    seeds: 10,
    quick: true,
  },
  {
    name: "a-restart-forgets-duplicates",
    why: "The ledger and its tables agree on what is remembered: a replica may restart anywhere.",
    edits: [
      {
        file: ledger("tables"),
        find: "    const since = rememberedSince(this.#time());",
        replace: "    const since = rememberedSince(this.#time()) + 5000;",
      },
    ],
    options: RESTARTS,
    seeds: 20,
  },
  {
    name: "a-restart-forgets-refusals",
    why: "A refusal of decide is remembered like a result; the tables must keep it as well.",
    edits: [
      {
        file: ledger("tables"),
        find: "      settled.filter(({ outcome }) => isRemembered(outcome)),",
        replace: '      settled.filter(({ outcome }) => isRemembered(outcome) && outcome.kind === "commandExecuted"),',
      },
    ],
    options: RESTARTS,
    seeds: 20,
  },
  {
    name: "tables-expire-by-the-earliest",
    why: "A block's outcomes stay in the tables until the latest of its commands has expired.",
    edits: [
      {
        file: ledger("tables"),
        find: "Math.max(latest, outcome.notAfter), 0);",
        replace: "Math.min(latest, outcome.notAfter), Number.MAX_SAFE_INTEGER);",
      },
    ],
    options: RESTARTS,
    seeds: 40,
  },
  {
    name: "preconditions-are-not-judged",
    why: "oracle.md: preconditions come first, against the state before the command.",
    edits: [
      {
        file: rebac("decide"),
        find: 'if (this.#overlay.holds(assertion) !== (kind === "mustExist")) return unmet(i, kind, assertion);',
        replace: 'if (kind === "mustExist" && !this.#overlay.holds(assertion)) return unmet(i, kind, assertion);',
      },
    ],
    options: GRAPH,
    seeds: 10,
  },
  {
    name: "writers-change-the-policy",
    why: "DESIGN §6: the policy is changed only by an administrator.",
    edits: [
      {
        file: rebac("decide"),
        find: "const policed = !this.#mayChangePolicy;",
        replace: "const policed = this.#mayChangePolicy === undefined;",
      },
    ],
    options: GRAPH,
    seeds: 10,
  },
  {
    name: "long-cycles-are-let-in",
    why: "oracle.md: a map that would close a cycle is refused, however long the cycle.",
    edits: [
      {
        file: rebac("cycle"),
        find: "for (let start = 0; start < count; start = levelStarts.at(-1) ?? count) {",
        replace: "for (let start = 0; start < 1; start = levelStarts.at(-1) ?? count) {",
      },
    ],
    options: GRAPH,
    seeds: 20,
    quick: true,
  },
  {
    name: "cascade-leaves-bearers",
    why: "oracle.md: a relation goes with every subject and object that has it, in any namespace.",
    edits: [
      {
        file: rebac("cascade"),
        find: "      for (const scope of entry.scopes[side]) this.#takeScope(side, scope);",
        replace: '      for (const scope of entry.scopes[side]) if (side === "subject") this.#takeScope(side, scope);',
      },
    ],
    options: GRAPH,
    seeds: 20,
  },
  {
    name: "cascade-leaves-maps",
    why: "oracle.md: deleting a node removes its assertions and its maps, those that lead to it as well.",
    edits: [{ file: rebac("cascade"), find: '    this.#takeEdges(maps, "in", id);\n', replace: "" }],
    options: GRAPH,
    seeds: 20,
  },
  {
    name: "refused-commands-leave-traces",
    why: "DESIGN §4: one command is one atomic intent; a refused one changes nothing.",
    edits: [{ file: rebac("block-overlay"), find: "    this.#undoTo(this.#commandStart);\n", replace: "" }],
    options: GRAPH,
    seeds: 10,
  },
  {
    name: "checks-do-not-climb-objects",
    why: "oracle.md: check follows the maps of objects as well as those of subjects.",
    edits: [
      {
        file: rebac("graph-reader"),
        find: "    const objectCount = this.#climbFrom(objects, objectMap, object, objectGeneration);",
        replace: "    const objectCount = Math.min(2, this.#climbFrom(objects, objectMap, object, objectGeneration));",
      },
    ],
    options: GRAPH,
    seeds: 60,
  },
  {
    name: "past-ends-one-block-late",
    why: "DESIGN §5: the past keeps the heights at which every tuple came and went; at the height where it went it is gone.",
    edits: [
      {
        file: rebac("table-schema"),
        find: "and ${sql.ref(`${table}.to_height`)} > @height`;",
        replace: "and ${sql.ref(`${table}.to_height`)} >= @height`;",
      },
    ],
    options: TABLES,
    seeds: 10,
  },
  {
    name: "past-forgets-earlier-lives",
    why: "Table rows: every life of an edge is a row of its own; closing one leaves those before it as they are.",
    edits: [
      {
        file: rebac("table-schema"),
        find: '        .where("kind", "=", slot<number>())\n        .where("to_height", "=", sql.lit(OPEN))\n        .where("child"',
        replace:
          '        .where("kind", "=", slot<number>())\n        .where("to_height", ">", sql.lit(0))\n        .where("child"',
      },
    ],
    options: RESTARTS,
    seeds: 20,
  },
  {
    name: "a-restart-swaps-maps",
    why: "The graph that is loaded from the tables is the one that executing every block makes.",
    edits: [
      {
        file: rebac("load-live-graph"),
        find: '"assertion", "subjectMap", "objectMap", "relationMap"];',
        replace: '"assertion", "subjectMap", "relationMap"];',
      },
    ],
    options: RESTARTS,
    seeds: 20,
  },
  {
    name: "tables-skip-a-block-of-a-batch",
    why: "The projector applies all blocks that it was given, in one transaction.",
    edits: [
      {
        file: "src/actors/projector/projector.ts",
        find: "  if (last?.index === index) last.facts.push(fact);",
        replace: "  if (last !== undefined) last.facts.splice(0, 0, fact);",
      },
    ],
    options: RESTARTS,
    seeds: 20,
  },
  {
    name: "checkpoints-lose-remembered-commands",
    why: "Checkpoint: the state has the duplicate window, or a command acts twice on whoever began with it.",
    edits: [
      {
        file: "src/projections/checkpoint/checkpoint.ts",
        find: "      return ledger.restoreOutcomes(segment.rows);",
        replace: "      return undefined;",
      },
    ],
    options: ["--with", "checkpoints", "--byzantine", "0", "--fault", "diskLost", "--fault", "isolation"],
    seeds: 20,
  },
];
