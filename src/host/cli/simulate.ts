/** `sky simulate`: one seed of the simulator (tools/sim), with everything that repeats it. */
import { closeSync, openSync, writeSync } from "node:fs";
import { Fault } from "../../base/errors.ts";
import { type CliIo, EXIT, type ExitCode, reportFailure } from "./io.ts";

export interface SimulateOptions {
  readonly seed?: number;
  readonly nodes?: number;
  readonly byzantine?: number;
  readonly actor?: readonly string[];
  readonly minutes?: number;
  readonly record?: string;
  readonly json?: boolean;
}

function openRecord(path: string): number {
  try {
    return openSync(path, "w");
  } catch (error) {
    throw new Fault("RECORD_WRITE_FAILED", `${path} cannot be written; name a file in a directory of your own.`, {
      cause: error,
    });
  }
}

export async function run(options: SimulateOptions, io: CliIo): Promise<ExitCode> {
  const { seed = 1, nodes, actor, byzantine = actor?.length, minutes, record: path, json = false } = options;
  const [{ runSeed }, { lineOf }, { outcomeLines }, { BYZANTINE_KINDS }] = await Promise.all([
    import("../../../tools/sim/simulation.ts"),
    import("../../../tools/sim/record.ts"),
    import("../../../tools/sim/report.ts"),
    import("../../../tools/sim/profile.ts"),
  ]);
  const kinds = (actor ?? []).flatMap((word) => BYZANTINE_KINDS.filter((kind) => kind === word));
  const stranger = actor?.find((word) => !BYZANTINE_KINDS.some((kind) => kind === word));
  if (stranger !== undefined) {
    reportFailure(io, "USAGE", `There is no actor ${stranger}; there are ${BYZANTINE_KINDS.join(", ")}.`, json);
    return EXIT.usage;
  }
  const file = path === undefined ? undefined : openRecord(path);
  let entries = 0;
  const outcome = runSeed({
    seed,
    ...(nodes !== undefined && { nodes }),
    ...(byzantine !== undefined && { byzantine }),
    ...(kinds.length > 0 && { byzantineKinds: kinds }),
    ...(minutes !== undefined && { minutes }),
    ...(file !== undefined && { record: (entry) => void writeSync(file, `${lineOf(entry, ++entries)}\n`) }),
  });
  if (file !== undefined) closeSync(file);
  const { history, ...result } = outcome;
  if (json) io.out(JSON.stringify({ ...result, calls: history.length }));
  else for (const line of outcomeLines(outcome)) io.out(line);
  if (path !== undefined && !json) io.err(`See it: sky inspect ${path}`);
  return outcome.ok ? EXIT.ok : EXIT.refused;
}
