/** `sky verify --data DIR`: whether a log holds, from genesis, without any node. */
import { type CliIo, EXIT, type ExitCode, reportFailure } from "../../src/host/cli/io.ts";
import { DirectorySource } from "./directory.ts";
import {
  type SourceOptions,
  clusterOfFile,
  rateText,
  reportThrown,
  runReplay,
  summaryOf,
  timeText,
} from "./running.ts";

export type VerifyOptions = SourceOptions;

export async function run(options: VerifyOptions, io: CliIo): Promise<ExitCode> {
  const { data, founding, json = false } = options;
  if (data === undefined) {
    reportFailure(io, "USAGE", "Name what to verify: --data DIRECTORY, or a proof file.", json);
    return EXIT.usage;
  }
  io.interruption(); // from here on copies are removed when somebody presses Ctrl-C
  const cluster = clusterOfFile(founding, io, json);
  if (typeof cluster === "number") return cluster;
  try {
    const source = DirectorySource.open(data);
    try {
      const summary = await runReplay(source, cluster === undefined ? {} : { cluster }, io, () => {});
      if (json) io.out(JSON.stringify({ ok: true, ...summaryOf(summary) }));
      else {
        const { last } = summary;
        io.out(`The log holds from genesis to height ${last?.height ?? 0} (${timeText(last?.time ?? 0)}).`);
        io.out(`block ${last?.hash ?? ""}`);
        io.out(`root  ${last?.root ?? ""}`);
        io.out(rateText(summary));
      }
      return EXIT.ok;
    } finally {
      await source.close();
    }
  } catch (error) {
    return reportThrown(error, io, json);
  }
}
