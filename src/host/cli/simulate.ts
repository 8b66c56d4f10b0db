/** `sky simulate`: one seed of the simulator (tools/sim), with everything that repeats it. */
import { type CliIo, EXIT, type ExitCode, reportFailure } from "./io.ts";

export interface SimulateOptions {
  readonly seed?: number;
  readonly nodes?: number;
  readonly byzantine?: number;
  readonly actor?: readonly string[];
  readonly fault?: readonly string[];
  readonly with?: readonly string[];
  readonly mode?: string;
  readonly minutes?: number;
  readonly record?: string;
  readonly json?: boolean;
}

export async function run(given: SimulateOptions, io: CliIo): Promise<ExitCode> {
  const { seed = 1, record: path, json = false } = given;
  const [{ runSeed }, { RecordFile }, { outcomeLines }, { UsageError, optionsOf }] = await Promise.all([
    import("../../../tools/sim/simulation.ts"),
    import("../../../tools/sim/record-file.ts"),
    import("../../../tools/sim/report.ts"),
    import("../../../tools/sim/plan.ts"),
  ]);
  let options: ReturnType<typeof optionsOf>;
  try {
    options = optionsOf(given);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    reportFailure(io, "USAGE", error.message, json);
    return EXIT.usage;
  }
  const file = path === undefined ? undefined : new RecordFile(path);
  const outcome = runSeed({ ...options, seed, ...(file !== undefined && { record: file.add }) });
  file?.close();
  const { history, ...result } = outcome;
  if (json) io.out(JSON.stringify({ ...result, calls: history.length }));
  else for (const line of outcomeLines(outcome)) io.out(line);
  if (path !== undefined && !json) io.err(`See it: sky inspect ${path}`);
  return outcome.ok ? EXIT.ok : EXIT.refused;
}
