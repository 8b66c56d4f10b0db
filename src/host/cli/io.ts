import type { Refusal } from "../../base/result.ts";

/** How a command ends. Scripts rely on these; `sky --help` lists them. */
export const EXIT = {
  /** Done. Also: stopped by Ctrl-C or SIGTERM as asked (`dev`, `node`). */
  ok: 0,
  /** Refused: the answer was "no", and a sentence said why. */
  refused: 1,
  /** The command line or the configuration is wrong; nothing was done. */
  usage: 2,
  /** The environment failed: nobody answers, a disk or a port cannot be had. Trying again may help. */
  unavailable: 3,
  /** A defect of ours. */
  defect: 4,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What a command may use of its process. */
export interface CliIo {
  /** A line of the result, to standard output. */
  readonly out: (line: string) => void;
  /** A result that is no text, to standard output as it is. */
  readonly outBytes: (bytes: Uint8Array) => void;
  /** A line of progress or trouble, to standard error. */
  readonly err: (line: string) => void;
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: NodeJS.ReadStream;
  /** Whether a person watches standard error. */
  readonly isTerminal: boolean;
  /**
   * Aborted by the first Ctrl-C or SIGTERM; a second Ctrl-C ends the process at once. A command that never asks for it
   * is ended by the first.
   */
  readonly interruption: () => AbortSignal;
}

/** Tells of a refusal: a sentence to standard error, or with `json` an object to standard output. */
export function reportRefusal(io: CliIo, { code, message }: Refusal, json: boolean): ExitCode {
  reportFailure(io, code, message, json);
  return EXIT.refused;
}

export function reportFailure(io: CliIo, code: string, message: string, json: boolean): void {
  if (json) io.out(JSON.stringify({ ok: false, code, message }));
  else io.err(`sky: ${message} (${code})`);
}

/** The real process. */
export function processIo(): CliIo {
  let signal: AbortSignal | undefined;
  // Whoever reads us may stop reading ("sky … | head"); that is no failure, but work that was going on did not come to its end.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    const atClosedPipe = signal === undefined ? EXIT.ok : CLOSED_PIPE;
    process.exit(error.code === "EPIPE" ? atClosedPipe : EXIT.unavailable);
  });
  return {
    out: (line) => void process.stdout.write(`${line}\n`),
    outBytes: (bytes) => void process.stdout.write(bytes),
    err: (line) => void process.stderr.write(`${line}\n`),
    env: process.env,
    stdin: process.stdin,
    isTerminal: process.stderr.isTTY,
    interruption: () => (signal ??= watchInterruption()),
  };
}

/** 128 + SIGINT and 128 + SIGPIPE, as shells say it. */
const INTERRUPTED = 130;
const CLOSED_PIPE = 141;

function watchInterruption(): AbortSignal {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted && name === "SIGINT") process.exit(INTERRUPTED);
    controller.abort(name);
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal).on("SIGHUP", onSignal);
  return controller.signal;
}
