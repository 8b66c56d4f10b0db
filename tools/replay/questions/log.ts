/** Which log is asked: a directory's, or that of a node, which is believed in nothing. */
import type { Digest } from "../../../src/base/brands.ts";
import { type CliIo, EXIT, type ExitCode, reportFailure, reportRefusal } from "../../../src/host/cli/io.ts";
import { type WhereOptions, connectAuditor, foundingPath } from "../../proofs/asking.ts";
import { readFounding } from "../../proofs/judging.ts";
import { DirectorySource } from "../directory.ts";
import { NodeSource } from "../node-source.ts";
import { type SourceOptions, clusterOfFile, reportThrown } from "../running.ts";
import type { LogSource } from "../source.ts";

/** Without --data a node is asked, as the client that these name. */
export interface LogOptions extends SourceOptions, Pick<WhereOptions, "node" | "dir" | "client"> {}

/** What a replay of it needs to be told. */
interface Bounds {
  readonly cluster?: Digest;
}

interface Opened {
  readonly source: LogSource;
  readonly bounds: Bounds;
}

/** Opens the log, does the work, closes it; tells of what does not hold, and of nodes that say no. */
export async function withLog(
  options: LogOptions,
  io: CliIo,
  work: (source: LogSource, bounds: Bounds) => Promise<ExitCode>,
): Promise<ExitCode> {
  const { json = false } = options;
  io.interruption(); // from here on copies are removed when somebody presses Ctrl-C
  try {
    const opened = await openLog(options, io);
    if (typeof opened === "number") return opened;
    try {
      return await work(opened.source, opened.bounds);
    } finally {
      await opened.source.close();
    }
  } catch (error) {
    return reportThrown(error, io, json);
  }
}

/** Or an exit code, when it was told what is wrong. */
async function openLog(options: LogOptions, io: CliIo): Promise<Opened | ExitCode> {
  const { data, node, dir, json = false } = options;
  if (data !== undefined) {
    const cluster = clusterOfFile(options.founding, io, json);
    if (typeof cluster === "number") return cluster;
    return { source: DirectorySource.open(data), bounds: cluster === undefined ? {} : { cluster } };
  }
  if (node === undefined && dir === undefined) {
    reportFailure(
      io,
      "USAGE",
      "Name the log to ask: --data DIRECTORY, or --node HOST:PORT or --dir of a cluster.",
      json,
    );
    return EXIT.usage;
  }
  const founding = readFounding(foundingPath(options));
  if (!founding.ok) return reportRefusal(io, founding.refusal, json);
  const { client } = await connectAuditor(options, founding.value);
  return { source: new NodeSource(client), bounds: { cluster: founding.value.cluster } };
}
