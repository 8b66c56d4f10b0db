/** Registers `sky inspect`. What it does stands in inspect.ts, which is imported only when it runs. */
import type { Command } from "commander";
import type { InspectNodeOptions } from "./inspect-node.ts";
import type { InspectOptions } from "./inspect.ts";
import type { CliIo, ExitCode } from "./io.ts";
import { type ProgramContext, runner, wholeNumber } from "./registration.ts";

const INSPECT_HELP = `
WHAT is a recording (sky simulate --record FILE), a copied data directory of a node, a bare log.db, or a directory with those of several
nodes, such as that of a stopped sky dev: their logs are verified first, as sky verify does. For the directory of a sky dev
that runs, a fresh link to its page is printed. The printed link opens the page once, on this machine; Ctrl-C ends it. Nothing is written to what is inspected.
With --node the link is to the page that a running node shows on its own machine's loopback, as docs/INSPECTOR.md says; operators may ask.
Exit codes: 0 ended by Ctrl-C, or the link was printed; 1 WHAT cannot be shown, and a sentence says why; 2 wrong options; 3 a file cannot
be read, a port cannot be had, or a node cannot be reached.`;

const inspectAny = async (options: InspectOptions | InspectNodeOptions, io: CliIo): Promise<ExitCode> =>
  "node" in options
    ? (await import("./inspect-node.ts")).run(options, io)
    : (await import("./inspect.ts")).run(options, io);

/** Called once, by program.ts. */
export function addInspectCommand(program: Command, context: ProgramContext): void {
  program
    .command("inspect")
    .description("look at a recording of the simulator or at copied data directories, in the browser")
    .argument("[what]", "a recording, or data directories")
    .option("--port <port>", "serve the page on this port (default: any free one)", wholeNumber(1, 65_535, "A port"))
    .option("--node <node>", "instead: a link to this running node's own page, by its name or API address")
    .option("--founding <file>", "with --node: the signed founding document")
    .option("--operator <file>", "with --node: the operator's file")
    .option("--passphrase-file <file>", "with --node: first line is the passphrase; else it is asked for")
    .addHelpText("after", INSPECT_HELP)
    .action(runner(context)<InspectOptions | InspectNodeOptions>(async () => ({ run: inspectAny })));
}
