/** `sky replay`: a log verified, executed again and projected from nothing, with what each transaction did. */
import type { Digest, Height } from "../../src/base/brands.ts";
import { DirectorySource } from "./directory.ts";
import { Projections, ServingProjection } from "./projections.ts";
import { type CliIo, EXIT, type ExitCode, reportFailure } from "../../src/host/cli/io.ts";
import { jsonOf, linesOf } from "./text.ts";
import {
  type SourceOptions,
  type Summary,
  clusterOfFile,
  rateText,
  reportThrown,
  runReplay,
  summaryOf,
  timeText,
} from "./running.ts";

export interface ReplayCommandOptions extends SourceOptions {
  readonly to?: number;
  /** Units: ms since 1970. */
  readonly until?: number;
  readonly show?: boolean;
}

export async function run(options: ReplayCommandOptions, io: CliIo): Promise<ExitCode> {
  const { data, founding, json = false } = options;
  if (data === undefined) {
    reportFailure(io, "USAGE", "Name what to replay: --data DIRECTORY.", json);
    return EXIT.usage;
  }
  const cluster = clusterOfFile(founding, io, json);
  if (typeof cluster === "number") return cluster;
  try {
    const source = DirectorySource.open(data);
    try {
      return await replayAll(source, options, cluster, io);
    } finally {
      await source.close();
    }
  } catch (error) {
    return reportThrown(error, io, json);
  }
}

async function replayAll(
  source: DirectorySource,
  { to, until, show = false, json = false }: ReplayCommandOptions,
  cluster: Digest | undefined,
  io: CliIo,
): Promise<ExitCode> {
  const { projection, isLive } = source.files;
  const serving = projection === undefined ? undefined : ServingProjection.open(projection, isLive);
  const projections = new Projections(serving);
  try {
    const summary = await runReplay(
      source,
      {
        ...(to !== undefined && { to: to as Height }),
        ...(until !== undefined && { until }),
        ...(cluster !== undefined && { cluster }),
      },
      io,
      (block) => {
        projections.add(block);
        if (!show) return;
        for (const line of json ? jsonOf(block) : linesOf(block)) io.out(line);
      },
    );
    projections.flush();
    tell(summary, projections, serving, io, json);
    return EXIT.ok;
  } finally {
    projections.close();
    serving?.close();
  }
}

function tell(
  summary: Summary,
  projections: Projections,
  serving: ServingProjection | undefined,
  io: CliIo,
  json: boolean,
): void {
  const roots = projections.roots();
  if (json) {
    const compared =
      serving === undefined ? null : { height: serving.roots.height, equal: projections.compared || null };
    return io.out(JSON.stringify({ ok: true, ...summaryOf(summary), tables: roots.rows, projection: compared }));
  }
  const { last } = summary;
  io.out(`Replayed from genesis to height ${last?.height ?? 0} (${timeText(last?.time ?? 0)}); all roots are equal.`);
  io.out(`block ${last?.hash ?? ""}`);
  io.out(`root  ${last?.root ?? ""}`);
  for (const [set, root] of Object.entries(roots.rows)) io.out(`${`tables of ${set}`.padEnd(22)} ${root}`);
  io.out(`projection.db: ${servingText(projections, serving)}`);
  io.out(rateText(summary));
}

function servingText({ compared }: Projections, serving: ServingProjection | undefined): string {
  if (serving === undefined) return "there is none";
  const { height } = serving.roots;
  if (compared) return `equal at height ${height}`;
  return height < 0 ? "it is empty" : `not compared: it stands at height ${height}, which was not replayed`;
}
