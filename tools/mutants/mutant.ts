/** What a seeded mutant is: a small wrong change of the product, and within how many seeds the simulator must notice it. */

/** One replacement in one source file. */
export interface Edit {
  /** From the repository's root. */
  readonly file: string;
  /** Exact source text; occurs once in the file. */
  readonly find: string;
  readonly replace: string;
}

export interface Mutant {
  readonly name: string;
  /** The rule, or the bug of others, that it stands for. */
  readonly why: string;
  /** Usually one; more where the product guards a rule twice and the bug is to have neither guard. */
  readonly edits: readonly Edit[];
  /** Found within so many seeds, the first one being `from` (1 when left out). */
  readonly seeds: number;
  /** Among those that `npm test` hunts: found with the first seeds. The rest is for `npm run test:soak`. */
  readonly quick?: true;
  readonly from?: number;
  /** Options of the simulator: what kind of run shows the bug soonest. */
  readonly options?: readonly string[];
}

/** Applies the edits that concern a file to its source. Throws: Error when a text to be found does not occur exactly once. */
export function mutated(mutant: Mutant, file: string, source: string): string {
  let text = source;
  for (const edit of mutant.edits) {
    if (edit.file !== file) continue;
    const parts = text.split(edit.find);
    const [before, after] = parts;
    if (parts.length !== 2 || before === undefined || after === undefined)
      throw new Error(`${mutant.name}: its text occurs ${parts.length - 1} times in ${file}, not once; write it anew.`);
    text = before + edit.replace + after;
  }
  return text;
}
