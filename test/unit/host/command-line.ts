/** The command line in this process: what a command says is kept, and Ctrl-C is pressed by the test. */
import type { CliIo, ExitCode } from "../../../src/host/cli/io.ts";
import { execute } from "../../../src/host/cli/main.ts";

/** Where a command runs that nobody watches; lines of both outputs, and bytes a character each. */
export function quietConsole() {
  const out: string[] = [];
  const err: string[] = [];
  const interrupted = new AbortController();
  const io: CliIo = {
    out: (line) => void out.push(line),
    outBytes: (bytes) => void out.push(Buffer.from(bytes).toString("latin1")),
    err: (line) => void err.push(line),
    env: {},
    stdin: process.stdin,
    isTerminal: false,
    interruption: () => interrupted.signal,
  };
  return { io, out, err, interrupted };
}

export interface Said {
  readonly code: ExitCode;
  readonly out: readonly string[];
  readonly err: readonly string[];
}

/** `sky WORDS`. */
export async function sky(...words: readonly string[]): Promise<Said> {
  const { io, out, err } = quietConsole();
  return { code: await execute(words, io), out, err };
}
