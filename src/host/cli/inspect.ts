/** `sky inspect`: serves the inspector's page for a recording or a copied data directory, until Ctrl-C. */
import { type Stats, closeSync, openSync, readSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { Fault } from "../../base/errors.ts";
import type { InspectorSource } from "../inspector/source.ts";
import { type CliIo, EXIT, type ExitCode, reportFailure } from "./io.ts";

export interface InspectOptions {
  readonly args: readonly [string | undefined];
  readonly port?: number;
  readonly json?: boolean;
}

/** What opening may refuse for good: the file is another thing. */
const REFUSED = new Set(["NOT_A_RECORDING", "RECORDING_DAMAGED", "NO_LOG", "LOG_DOES_NOT_HOLD"]);
/** Progress is told of what takes longer than this. Units: ms. */
const QUIET_MS = 1000;

export async function run(options: InspectOptions, io: CliIo): Promise<ExitCode> {
  const { args, port = 0, json = false } = options;
  const [what] = args;
  if (what === undefined) {
    reportFailure(io, "USAGE", "Name what to look at: a recording, or a data directory.", json);
    return EXIT.usage;
  }
  const { askToInspect, isControlled } = await import("../dev/control.ts");
  if (await isControlled(resolve(what))) {
    const answer = await askToInspect(resolve(what));
    if (answer.ok) io.out(json ? JSON.stringify({ url: answer.message }) : answer.message);
    else reportFailure(io, answer.code, answer.message, json);
    return answer.ok ? EXIT.ok : EXIT.refused;
  }
  let source: InspectorSource;
  try {
    source = await open(what, io);
  } catch (error) {
    if (error instanceof Error && error.name === "AbortError") return EXIT.ok; // Ctrl-C while logs were verified
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
  const tell = progressTo(io);
  const stat = statOf(what);
  // A pipe would be waited for where Ctrl-C is not heard, and what it gave could not be read again.
  if (!stat.isDirectory() && !stat.isFile())
    throw new Fault(
      "NOT_A_RECORDING",
      `${what} is no plain file (a pipe, a device): write what it gives to one first.`,
    );
  if (!stat.isDirectory() && !isDatabase(what)) {
    const { openRecording } = await import("../inspector/recording-source.ts");
    return openRecording(what, (done, total) => tell(`reading ${what}`, done, total));
  }
  const { openDirectory } = await import("../inspector/directory-source.ts");
  const progress = (log: string, at: number, last: number): void => tell(`verifying the log of ${log}`, at, last);
  return openDirectory(what, { progress, signal: io.interruption(), threads: availableParallelism() - 1 });
}

/** Whether a file is a database of SQLite's, as a bare log is; of one that cannot be read, whoever opens it tells. */
function isDatabase(path: string): boolean {
  const magic = Buffer.alloc(16);
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return false;
  }
  try {
    return readSync(file, magic, 0, 16, 0) === 16 && magic.toString("latin1") === "SQLite format 3\0";
  } finally {
    closeSync(file);
  }
}

function statOf(what: string): Stats {
  try {
    return statSync(what);
  } catch (cause) {
    throw new Fault("NO_SUCH_FILE", `There is no file or directory ${what}.`, { cause });
  }
}

function progressTo(io: CliIo): (what: string, done: number, total: number) => void {
  let told = performance.now();
  return (what, done, total) => {
    const now = performance.now();
    if (now - told < QUIET_MS) return;
    told = now;
    io.err(`${what}: ${Math.floor((100 * done) / Math.max(1, total))} %`);
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
