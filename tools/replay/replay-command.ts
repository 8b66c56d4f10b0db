/** `sky replay`: a log verified, executed again and projected from nothing, with what each transaction did. */
import type { Digest, Height } from "../../src/base/brands.ts";
import { DirectorySource } from "./directory.ts";
import { checkpointedHeights } from "./checkpoints.ts";
import { NodeSource } from "./node-source.ts";
import { Projections, ServingProjection } from "./projections.ts";
import { type CliIo, EXIT, type ExitCode, reportFailure, reportRefusal } from "../../src/host/cli/io.ts";
import { type WhereOptions, connectAuditor, foundingPath } from "../proofs/asking.ts";
import { readFounding } from "../proofs/judging.ts";
import type { LogSource } from "./source.ts";
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

/** Without --data a node is asked, as the client that these name. */
export interface ReplayCommandOptions extends SourceOptions, Pick<WhereOptions, "node" | "dir" | "client"> {
  readonly to?: number;
  /** Units: ms since 1970. */
  readonly until?: number;
  readonly show?: boolean;
}

export async function run(options: ReplayCommandOptions, io: CliIo): Promise<ExitCode> {
  const { data, node, dir, json = false } = options;
  if (data === undefined && node === undefined && dir === undefined) {
    reportFailure(
      io,
      "USAGE",
      "Name what to replay: --data DIRECTORY, or --node HOST:PORT or --dir of a cluster.",
      json,
    );
    return EXIT.usage;
  }
  io.interruption(); // from here on copies are removed when somebody presses Ctrl-C
  return data === undefined ? fromNode(options, io) : fromDirectory(data, options, io);
}

async function fromDirectory(data: string, options: ReplayCommandOptions, io: CliIo): Promise<ExitCode> {
  const { founding, json = false } = options;
  const cluster = clusterOfFile(founding, io, json);
  if (typeof cluster === "number") return cluster;
  try {
    const source = DirectorySource.open(data, "projection too");
    const { projection, isLive, told } = source.files;
    let serving: ServingProjection | undefined;
    try {
      serving = projection === undefined ? undefined : ServingProjection.open(projection, isLive);
      const projections = new Projections(serving, await checkpointedHeights(source));
      return await replayAll(source, projections, serving, options, cluster, io);
    } catch (error) {
      throw told(error);
    } finally {
      serving?.close();
      await source.close();
    }
  } catch (error) {
    return reportThrown(error, io, json);
  }
}

/** A node's log is worth as much as anybody's: genesis must be that of the founding document, the rest follows. */
async function fromNode(options: ReplayCommandOptions, io: CliIo): Promise<ExitCode> {
  const { json = false } = options;
  const founding = readFounding(foundingPath(options));
  if (!founding.ok) return reportRefusal(io, founding.refusal, json);
  const { client } = await connectAuditor(options, founding.value);
  const source = new NodeSource(client);
  try {
    return await replayAll(source, new Projections(undefined), undefined, options, founding.value.cluster, io);
  } catch (error) {
    return reportThrown(error, io, json);
  } finally {
    await source.close();
  }
}

async function replayAll(
  source: LogSource,
  projections: Projections,
  serving: ServingProjection | undefined,
  { to, until, show = false, json = false }: ReplayCommandOptions,
  cluster: Digest | undefined,
  io: CliIo,
): Promise<ExitCode> {
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
    return io.out(
      JSON.stringify({
        ok: true,
        ...summaryOf(summary),
        tables: roots.rows,
        checkpoints: projections.checkpoints,
        projection: compared,
      }),
    );
  }
  const { last } = summary;
  io.out(`Replayed from genesis to height ${last?.height ?? 0} (${timeText(last?.time ?? 0)}); all roots are equal.`);
  io.out(`block ${last?.hash ?? ""}`);
  io.out(`root  ${last?.root ?? ""}`);
  for (const [set, root] of Object.entries(roots.rows)) io.out(`${`tables of ${set}`.padEnd(22)} ${root}`);
  if (projections.checkpoints > 0)
    io.out(`checkpoints: the segments of ${projections.checkpoints} are those of the state`);
  if (serving !== undefined) io.out(`projection.db: ${servingText(projections, serving)}`);
  io.out(rateText(summary));
}

function servingText({ compared }: Projections, { roots: { height } }: ServingProjection): string {
  if (compared) return `equal at height ${height}`;
  if (height < 0) return "it is empty";
  return `not compared: it stands at height ${height}, which was not replayed; without --to or --until the log lacks blocks that were executed, or was copied before it`;
}
