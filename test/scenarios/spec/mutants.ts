/** Mistakes put into the real machine on purpose: source text replaced, bundled with the recorder, and loaded as a module of its own. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import type { record } from "./recorder.ts";

interface Change {
  /** From src/machines/consensus on. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export interface Mutant {
  readonly name: string;
  /** A seed whose trace shows the mistake, and what the judge says of it. */
  readonly seed: number;
  readonly refusal: string;
  readonly changes: readonly Change[];
}

const ASSERT_ONE_NOTARIZE: Change = {
  file: "turn.ts",
  from: "own.notarize === undefined && own.nullify === undefined,",
  to: "true,",
};

export const MUTANTS: readonly Mutant[] = [
  {
    name: "a quorum of one less",
    seed: 0,
    refusal: "certificates: fewer than q distinct signers",
    changes: [
      { file: "../../base/quorum.ts", from: "size - faultsTolerated(size);", to: "size - faultsTolerated(size) - 1;" },
    ],
  },
  {
    name: "a second notarize vote in a view",
    seed: 2,
    refusal: "rule 8: a second notarize vote",
    changes: [
      {
        file: "consensus.machine.ts",
        from: 'kind: "twoProposals", member: from, view: block.view } });\n',
        to: 'kind: "twoProposals", member: from, view: block.view } });\n    if (block.view === next.view && turn.ownVotes(block.view).notarize !== undefined) turn.castVote("notarize", block.view, block.hash);\n',
      },
      ASSERT_ONE_NOTARIZE,
    ],
  },
  {
    name: "notarize after nullify",
    seed: 2,
    refusal: "rule 8: notarize after nullify",
    changes: [
      {
        file: "propose.ts",
        from: "own.notarize !== undefined || own.nullify === true || !turn.mayVote(next.view))\n    return false;\n  const judgement",
        to: "own.notarize !== undefined || !turn.mayVote(next.view))\n    return false;\n  const judgement",
      },
      ASSERT_ONE_NOTARIZE,
    ],
  },
  {
    name: "finalize after nullify",
    seed: 29,
    refusal: "rule 8: finalize after nullify",
    changes: [
      { file: "certify.ts", from: "own.nullify !== true && own.finalize", to: "own.finalize" },
      {
        file: "turn.ts",
        from: "assert(own.nullify === undefined, `rule 8: finalize after",
        to: "assert(true, `rule 8: finalize after",
      },
    ],
  },
  {
    name: "nullify after finalize",
    seed: 28,
    refusal: "rule 8: nullify after finalize",
    changes: [
      {
        file: "consensus.machine.ts",
        from: '      nullifyCurrent(turn);\n      return;\n    case "repeat"',
        to: `      nullifyCurrent(turn);
      if (next.view - 1 > next.final.view && turn.ownVotes(viewOf(next.view - 1)).nullify !== true)
        turn.castVote("nullify", viewOf(next.view - 1), null);
      return;
    case "repeat"`,
      },
      {
        file: "turn.ts",
        from: "assert(own.finalize === undefined, `rule 8: nullify after",
        to: "assert(true, `rule 8: nullify after",
      },
    ],
  },
  {
    name: "finalize though the leader equivocated",
    seed: 35,
    refusal: "rule 4: finalize though the leader equivocated",
    changes: [{ file: "certify.ts", from: "next.equivocated[view] !== true && ", to: "" }],
  },
  {
    name: "finalize of another block than its own vote is for",
    seed: 35,
    refusal: "rule 4: finalize of another block than one's own vote is for",
    changes: [{ file: "certify.ts", from: " && votedForNoOther", to: "" }],
  },
  {
    name: "finalize without certification",
    seed: 0,
    refusal: "rule 8: finalize of a block not certified",
    changes: [
      {
        file: "votes.ts",
        from: "next.notarizations = { ...next.notarizations, [view]: hash };",
        to: 'next.notarizations = { ...next.notarizations, [view]: hash };\n      if (turn.ownVotes(view).nullify !== true && turn.ownVotes(view).finalize === undefined && turn.mayVote(view)) turn.castVote("finalize", view, hash);',
      },
      { file: "turn.ts", from: 'assert(this.next.verdicts[view] === "certified",', to: "assert(true," },
    ],
  },
  {
    name: "a view between skipped without its nullification, by voters",
    seed: 14,
    refusal: "rule 3: no nullification of a view between",
    changes: [
      {
        file: "propose.ts",
        from: "if (next.nullifications[view] !== true) return askLeader(turn, viewOf(view));",
        to: "",
      },
    ],
  },
  {
    name: "a view between skipped without its nullification, by leaders",
    seed: 0,
    refusal: "rule 2: no nullification of a view between",
    changes: [
      {
        file: "ancestry.ts",
        from: 'if (next.nullifications[view] !== true) return { kind: "missing", view: viewOf(view) };',
        to: "",
      },
    ],
  },
  {
    name: "built on the final block, not on the highest certified one",
    seed: 0,
    refusal: "rule 2: not the highest certified or final block",
    changes: [
      {
        file: "ancestry.ts",
        from: 'if (certified !== undefined) return { kind: "found", parent: certified };',
        to: "if (certified !== undefined) continue;",
      },
    ],
  },
  {
    name: "a notarization taken for a finalization",
    seed: 0,
    refusal: "rule 6: no finalization",
    changes: [
      {
        file: "votes.ts",
        from: "next.notarizations = { ...next.notarizations, [view]: hash };",
        to: "next.notarizations = { ...next.notarizations, [view]: hash };\n      next.pendingFinal = { view, hash };",
      },
    ],
  },
  {
    name: "roots not compared at certification",
    seed: 16,
    refusal: "rule 4: not this block's verdict",
    changes: [{ file: "certify.ts", from: 'root === block.executedRoot ? "certified" : "refused"', to: '"certified"' }],
  },
  {
    name: "certified before the parent is",
    seed: 14,
    refusal: "rule 3: a parent neither certified nor final",
    changes: [
      {
        file: "ancestry.ts",
        from: 'return verdict === undefined || parent === undefined ? { kind: "open" }',
        to: 'return parent === undefined ? { kind: "open" }',
      },
    ],
  },
  {
    name: "no nullify vote for a refused block",
    seed: 16,
    refusal: "rule 4: no vote after a verdict",
    changes: [{ file: "certify.ts", from: "if (view === next.view) nullifyCurrent(turn);", to: "" }],
  },
  {
    name: "no finalize vote after certification",
    seed: 0,
    refusal: "rule 4: no vote after a verdict",
    changes: [{ file: "certify.ts", from: 'turn.castVote("finalize", view, block.hash);', to: "" }],
  },
  {
    name: "final blocks without their bodies",
    seed: 0,
    refusal: "rule 6: final without its body",
    changes: [{ file: "finalise.ts", from: 'if (block.body !== "valid") return false;', to: "" }],
  },
  {
    name: "views that fall",
    seed: 14,
    refusal: "rule 7: a nullify vote for another view than the current",
    changes: [
      { file: "view.ts", from: "if (view <= next.view) return false;", to: "if (view === next.view) return false;" },
    ],
  },
  {
    name: "votes forgotten at a restart",
    seed: 8,
    refusal: "rule 8: a second notarize vote",
    changes: [
      {
        file: "restore.ts",
        from: "own[view] = { ...own[view], [kind]: hash ?? true };",
        to: "void [own, view, kind, hash];",
      },
    ],
  },
  {
    name: "the last journal record taken for all of them",
    seed: 2,
    refusal: "state: own notarize votes",
    changes: [
      {
        file: "restore.ts",
        from: "own[view] = { ...own[view], [kind]: hash ?? true };",
        to: "own[view] = { [kind]: hash ?? true };",
      },
    ],
  },
  {
    name: "votes without a journal, before others were asked",
    seed: 12,
    refusal: "lost journal: a vote where a lost one may stand",
    changes: [
      {
        file: "turn.ts",
        from: '(bound === null || (bound !== "unknown" && view > bound))',
        to: '(bound === null || bound === "unknown" || view > bound)',
      },
    ],
  },
  {
    name: "a survey of f + 1 members instead of q",
    seed: 12,
    refusal: "state: bound of a lost journal",
    changes: [
      { file: "recovery.ts", from: "if (reports.length < turn.quorum) return;", to: "if (reports.length < 2) return;" },
    ],
  },
];

const HERE = path.dirname(fileURLToPath(import.meta.url));
const MACHINE = path.resolve(HERE, "../../../src/machines/consensus");

/** The recorder over a machine with this mistake. Throws: Error, when a text to replace is not there exactly once. */
export async function withMutant<T>(mutant: Mutant, use: (recording: typeof record) => T): Promise<T> {
  const texts = new Map<string, string>();
  for (const { file, from, to } of mutant.changes) {
    const name = path.join(MACHINE, file);
    const text = texts.get(name) ?? readFileSync(name, "utf8");
    if (text.split(from).length !== 2) throw new Error(`${mutant.name}: "${from}" is not in ${file} exactly once`);
    texts.set(
      name,
      text.replace(from, () => to),
    );
  }
  // Below this package, so that the bundle finds its dependencies.
  const directory = await mkdtemp(path.join(HERE, "../../../node_modules/.mutant-"));
  try {
    const outfile = path.join(directory, "recorder.mjs");
    await build({
      entryPoints: [path.join(HERE, "recorder.ts")],
      outfile,
      bundle: true,
      platform: "node",
      format: "esm",
      packages: "external",
      plugins: [
        {
          name: "mutant",
          setup: (bundle) =>
            bundle.onLoad({ filter: /\.ts$/ }, ({ path: loaded }) => {
              const contents = texts.get(loaded);
              return contents === undefined ? undefined : { contents, loader: "ts" };
            }),
        },
      ],
    });
    const loaded = (await import(pathToFileURL(outfile).href)) as { readonly record: typeof record };
    return use(loaded.record);
  } finally {
    await rm(directory, { recursive: true });
  }
}
