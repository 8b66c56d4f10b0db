/**
 * Golden scripts: what a machine hears and what it does about it, as text that people read and `record.ts` writes.
 *
 *     # why this script exists; lines that begin with # and empty lines say nothing to the machine
 *     member 0 of 4                       the header: lines of the script's language that say who is there
 *     > propose A                         an input
 *       record vote notarize A            the effects it had, in order, indented: only `record.ts` writes these
 *       = collectingVotes, view 1         where the machine stands, when that changed
 */

/** One run of a script: takes inputs, tells effects, each a line. Throws: ScriptError when a line is not of the language. */
export interface Performance {
  readonly take: (input: string) => readonly string[];
}

/** Opens a run for a script that begins with these header lines. Throws: ScriptError. */
export type Language = (header: readonly string[]) => Performance;

/** A script says what its language has no word for. */
export class ScriptError extends Error {
  override readonly name = "ScriptError";
}

const INPUT = "> ";
const EFFECT = "  ";

const saysNothing = (line: string): boolean => line.trim() === "" || line.startsWith("#");

/** Performs a script and writes it anew: the same inputs and comments, with the effects that they have now. */
export function perform(script: string, language: Language): string {
  const written: string[] = [];
  const header: string[] = [];
  let performance: Performance | undefined;
  script.split("\n").forEach((line, at) => {
    if (line.startsWith(EFFECT)) return; // of an earlier recording
    written.push(line);
    if (saysNothing(line)) return;
    try {
      if (line.startsWith(INPUT)) {
        performance ??= language(header);
        for (const effect of performance.take(line.slice(INPUT.length))) written.push(`${EFFECT}${effect}`);
      } else if (performance === undefined) header.push(line);
      else throw new ScriptError("after the first input every line is an input (> …), a comment (# …) or empty");
    } catch (error) {
      if (!(error instanceof ScriptError)) throw error;
      throw new ScriptError(`line ${at + 1}, "${line}": ${error.message}`);
    }
  });
  return written.join("\n");
}

/** A sentence of a language: its pattern, and what it means. */
export interface Sentence<Meaning> {
  readonly pattern: RegExp;
  readonly meaning: (found: RegExpExecArray) => Meaning;
}

/** What a line means. Throws: ScriptError when no sentence fits. */
export function understand<Meaning>(line: string, sentences: readonly Sentence<Meaning>[]): Meaning {
  for (const { pattern, meaning } of sentences) {
    const found = pattern.exec(line);
    if (found !== null) return meaning(found);
  }
  throw new ScriptError("no sentence of this language; they are listed where the language is defined");
}
