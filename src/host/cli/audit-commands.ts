/**
 * Commands of audits: `sky verify`, `sky replay`, `sky audit …`. What each does stands in a module of its own, as in program.ts:
 * those that read whole logs in tools/replay. Questions and proofs add theirs to `audit` here.
 */
import type { Command } from "commander";
import { addProofCommands } from "./audit-proof-commands.ts";
import { addQuestionCommands } from "./audit-question-commands.ts";
import { type CliIo, type ExitCode, EXIT, reportFailure } from "./io.ts";
import { instant } from "./log-time.ts";
import { type ProgramContext, height, repeated, runner } from "./registration.ts";

const VERIFY_HELP = `
PROOF is judged by --founding alone, offline, and what it proves is said in sentences. Exit codes: 0 it is proven, 1 it is not, and why.
DIR is a node's data directory, a copy of one, or a log.db; a running node is not disturbed, and nothing is written there.
Everything is checked from genesis: the founding document's signatures, every hash and link, every certificate, every client's signature
as its command is judged again, and the roots that headers name.
Exit codes: 0 the log holds, 1 it does not: the last line says where and why, 3 it cannot be read.`;

const REPLAY_HELP = `
As sky verify, and rebuilds every projection from nothing; where DIR holds a projection.db its tables are compared, too. Without --data a
node is asked for its log, by an auditor (sky:cluster#audit) or administrator, and believed in nothing.
Exit codes: 0 the log holds and all roots are equal, 1 not: the last line says where and why, 3 it cannot be read.`;

/** Called once, by program.ts. */
export function addAuditCommands(program: Command, context: ProgramContext): void {
  const run = runner(context);
  program
    .command("verify")
    .description("check a log from genesis, every signature and root, without any node")
    .option("--data <directory>", "the node's data directory, a copy of it, or a log.db")
    .option("--founding <file>", "the signed founding document that genesis must be, or that the proof is judged by")
    .argument("[proof]", "a proof file of sky audit prove, head or prefix, instead of a log")
    .option("--head <file>", "of a consistency proof: the head that was kept, which the older one must be")
    .addHelpText("after", VERIFY_HELP)
    .action(run(async () => ({ run: runVerify })));
  program
    .command("replay")
    .description("check a log and build everything again that follows from it")
    .option("--data <directory>", "the node's data directory, a copy of it, or a log.db")
    .option(
      "--founding <file>",
      "the signed founding document that genesis must be (asking a node: that of --dir, if not given)",
    )
    .option("--node <host:port>", "ask a node, by its SERVICE address, may be repeated", repeated)
    .option("--dir <directory>", "ask a node of this sky dev, which knows nodes and client")
    .option("--client <folder>", "folder of the client to ask as (default: clients/admin of --dir)")
    .option("--to <height>", "stop after this height", height)
    .option(
      "--until <time>",
      "stop before the first block of a later log time: a day (its end) or an instant, as sky audit who --on",
      instant,
    )
    .option("--show", "print what each transaction did and why it was refused")
    .addHelpText("after", REPLAY_HELP)
    .action(run(() => import("../../../tools/replay/replay-command.ts")));
  addQuestions(() => program.command("audit").description("questions of auditors"), context);
}

/** Of both; each module judges its own. */
interface VerifyOptions {
  readonly args: readonly [proof: string | undefined];
  readonly data?: string;
  readonly founding?: string;
  readonly head?: string;
  readonly json?: boolean;
}

/** A proof file where one is given, else a log. */
async function runVerify(options: VerifyOptions, io: CliIo): Promise<ExitCode> {
  const [proof] = options.args;
  if (options.data !== undefined && (proof !== undefined || options.head !== undefined)) {
    const message = "Name a log by --data, or a proof file (and --head), not both.";
    reportFailure(io, "USAGE", message, options.json === true);
    return EXIT.usage;
  }
  if (proof !== undefined)
    return (await import("../../../tools/proofs/verify-command.ts")).run({ ...options, args: [proof] }, io);
  return (await import("../../../tools/replay/verify-command.ts")).run(options, io);
}

/** `sky audit …`: each question one command. `group` makes the group, to be called once by whoever adds the first. */
function addQuestions(group: () => Command, context: ProgramContext): void {
  const audit = group();
  addQuestionCommands(audit, context);
  addProofCommands(audit, context);
}
