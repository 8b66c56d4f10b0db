/** `sky verify --data DIR`: whether a log holds, from genesis, without any node. */
import { type CliIo, EXIT, type ExitCode, reportFailure } from "./io.ts";
import {
  type SourceOptions,
  clusterOfFile,
  rateText,
  reportThrown,
  runReplay,
  summaryOf,
  timeText,
} from "./replaying.ts";

export type VerifyOptions = SourceOptions;

export async function run(options: VerifyOptions, io: CliIo): Promise<ExitCode> {
  const { data, founding, json = false } = options;
  if (data === undefined) {
    reportFailure(io, "USAGE", "Name what to verify: --data DIRECTORY.", json);
    return EXIT.usage;
  }
  const cluster = clusterOfFile(founding, io, json);
  if (typeof cluster === "number") return cluster;
  const { DirectorySource } = await import("../../../tools/replay/directory.ts");
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
