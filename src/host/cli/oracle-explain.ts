/** `sky oracle explain`: why a check is true, or what was tried. */
import type { Height } from "../../base/brands.ts";
import { explanationLines } from "./explanation-text.ts";
import { parseAssertionOf } from "./graph-text.ts";
import { type CliIo, type ExitCode, EXIT, reportFailure } from "./io.ts";
import { type OracleOptions, timing, withClient } from "./oracle.ts";

export interface ExplainOptions extends OracleOptions {
  readonly args: readonly [subject: string, object: string];
  readonly height?: number;
}

/** Ends as `sky oracle check` does: with 0 for yes, with 1 for no. */
export async function explain(options: ExplainOptions, io: CliIo): Promise<ExitCode> {
  const question = parseAssertionOf(...options.args);
  if (!question.ok) {
    reportFailure(io, question.refusal.code, question.refusal.message, options.json === true);
    return EXIT.usage;
  }
  return withClient(options, io, async (client) => {
    const at = options.height === undefined ? {} : { at: options.height as Height };
    const { height, ...explanation } = await client.explain(question.value, { ...timing(options), ...at });
    const { result } = explanation;
    if (options.json === true) io.out(JSON.stringify({ ok: true, height, ...explanation }));
    else {
      io.out(`${result ? "yes" : "no"} (at height ${height})`);
      for (const line of explanationLines(explanation)) io.out(line);
    }
    return result ? EXIT.ok : EXIT.refused;
  });
}
