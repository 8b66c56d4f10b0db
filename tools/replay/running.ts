/** What `sky verify` and `sky replay` share: where a log is read from, progress, and how a failure is told. */
import { availableParallelism } from "node:os";
import type { Digest } from "../../src/base/brands.ts";
import { SkyError } from "../../src/client/errors.ts";
import { readFounding } from "../proofs/judging.ts";
import type { Replayed } from "./execution.ts";
import { ReplayFailure } from "./failure.ts";
import { Progress } from "./progress.ts";
import { replay } from "./replay.ts";
import type { ReplayOptions } from "./replayed.ts";
import type { LogSource } from "./source.ts";
import { type CliIo, EXIT, type ExitCode, reportFailure, reportRefusal } from "../../src/host/cli/io.ts";

export interface SourceOptions {
  readonly data?: string;
  readonly founding?: string;
  readonly json?: boolean;
}

/** Where a replay ended, and how much it was. */
export interface Summary {
  readonly last: Replayed | undefined;
  readonly blocks: number;
  readonly commands: number;
  readonly seconds: number;
}

/** A node was not reached, or may answer another time. */
const UNANSWERED: ReadonlySet<string> = new Set(["UNAVAILABLE", "DEADLINE_EXCEEDED", "OVERLOADED"]);

/** Cluster of a founding document's file; undefined without one, an exit code where it does not hold. */
export function clusterOfFile(path: string | undefined, io: CliIo, json: boolean): Digest | undefined | ExitCode {
  if (path === undefined) return undefined;
  const founding = readFounding(path);
  return founding.ok ? founding.value.cluster : reportRefusal(io, founding.refusal, json);
}

/** Replays a source to its end, or to where the options say. Throws: ReplayFailure, Fault. */
export async function runReplay(
  source: LogSource,
  options: ReplayOptions,
  io: CliIo,
  take: (block: Replayed) => void,
): Promise<Summary> {
  const signal = io.interruption();
  const total = options.to ?? (await untilAborted(signal, source.lastHeight())) ?? 0;
  const progress = new Progress(io.isTerminal ? io.err : undefined, total);
  let last: Replayed | undefined;
  let [blocks, commands] = [0, 0];
  const threads = availableParallelism() > 1 ? availableParallelism() : 0;
  for await (const block of replay(source, { threads, signal, ...options })) {
    take(block);
    last = block;
    blocks += 1;
    commands += block.commandCount;
    progress.tell(block.height, commands);
  }
  return { last, blocks, commands, seconds: progress.seconds };
}

/** A node may not answer for a while: nobody who presses Ctrl-C waits for it. Throws: the signal's reason. */
export async function untilAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Tells of what does not hold, and of nodes that said no or nothing; anything else that was thrown is `main`'s to tell. */
export function reportThrown(error: unknown, io: CliIo, json: boolean): ExitCode {
  if (error instanceof ReplayFailure) return reportReplayFailure(io, error, json);
  if (error instanceof SkyError) {
    reportFailure(io, error.code, error.message, json);
    return UNANSWERED.has(error.code) ? EXIT.unavailable : EXIT.refused;
  }
  if (!io.interruption().aborted) throw error;
  reportFailure(io, "INTERRUPTED", "Stopped before the end: nothing is said of the rest.", json);
  return EXIT.unavailable;
}

function reportReplayFailure(io: CliIo, failure: ReplayFailure, json: boolean): ExitCode {
  const { code, message, height, where, reason } = failure;
  if (json) io.out(JSON.stringify({ ok: false, code, message, height, ...where, reason }));
  else io.err(`sky: the log does not hold: ${message} (${code})`);
  return EXIT.refused;
}

/** An instant of log time as people read it. */
export const timeText = (ms: number): string => (ms === 0 ? "genesis" : new Date(ms).toISOString());

/** What a summary says of where the log ends, for JSON. */
export function summaryOf({ last, blocks, commands, seconds }: Summary) {
  return {
    height: last?.height ?? null,
    hash: last?.hash ?? null,
    root: last?.root ?? null,
    time: last?.time ?? null,
    blocks,
    commands,
    seconds: Math.round(seconds * 1000) / 1000,
  };
}

export const rateText = ({ blocks, commands, seconds }: Summary): string =>
  `${blocks} blocks, ${commands} transactions in ${seconds.toFixed(1)} s (${Math.round(commands / Math.max(seconds, 0.001))}/s)`;
