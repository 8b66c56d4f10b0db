/** `sky inspect`: serves the inspector's page for a recording or a copied data directory, until Ctrl-C. */
import { type Stats, statSync } from "node:fs";
import { Fault } from "../../base/errors.ts";
import type { InspectorSource } from "../inspector/source.ts";
import { type CliIo, EXIT, type ExitCode, reportFailure } from "./io.ts";

export interface InspectOptions {
  readonly args: readonly [string | undefined];
  readonly port?: number;
  readonly json?: boolean;
}

/** What opening may refuse for good: the file is another thing. */
const REFUSED = new Set(["NOT_A_RECORDING", "RECORDING_DAMAGED"]);
/** Progress is told of what takes longer than this. Units: ms. */
const QUIET_MS = 1000;

export async function run(options: InspectOptions, io: CliIo): Promise<ExitCode> {
  const { args, port = 0, json = false } = options;
  const [what] = args;
  if (what === undefined) {
    reportFailure(io, "USAGE", "Name what to look at: a recording, or a data directory.", json);
    return EXIT.usage;
  }
  let source: InspectorSource;
  try {
    source = await open(what, io);
  } catch (error) {
    if (!(error instanceof Fault) || !REFUSED.has(error.code)) throw error;
    reportFailure(io, error.code, error.message, json);
    return EXIT.refused;
  }
  try {
    return await serve(source, port, json, io);
  } finally {
    await source.close();
  }
}

async function open(what: string, io: CliIo): Promise<InspectorSource> {
  if (!statOf(what).isDirectory()) {
    const { openRecording } = await import("../inspector/recording-source.ts");
    return openRecording(what, progressTo(io, what));
  }
  throw new Fault("NOT_A_RECORDING", `${what} is a directory.`);
}

function statOf(what: string): Stats {
  try {
    return statSync(what);
  } catch (cause) {
    throw new Fault("NO_SUCH_FILE", `There is no file or directory ${what}.`, { cause });
  }
}

function progressTo(io: CliIo, what: string): (done: number, total: number) => void {
  const began = performance.now();
  let told = began;
  return (done, total) => {
    const now = performance.now();
    if (now - began < QUIET_MS || now - told < QUIET_MS) return;
    told = now;
    io.err(`reading ${what}: ${Math.floor((100 * done) / Math.max(1, total))} %`);
  };
}

async function serve(source: InspectorSource, port: number, json: boolean, io: CliIo): Promise<ExitCode> {
  const { openPageServer } = await import("../inspector/page-server.ts");
  const onError = (error: unknown): void => io.err(`sky: the inspector failed to answer: ${String(error)}`);
  const interruption = io.interruption();
  const server = await openPageServer({ source, port, onError });
  const { title } = await source.describe();
  const url = server.link();
  if (json) io.out(JSON.stringify({ url, title }));
  else io.out(`${title}\n\n  ${url}\n\nThe link opens once, within ten minutes. Ctrl-C ends it.`);
  if (!interruption.aborted)
    await new Promise<void>((done) => interruption.addEventListener("abort", () => done(), { once: true }));
  await server.close();
  return EXIT.ok;
}
