/** `sky audit who | why | changes | acts`. What they do stands in tools/replay/questions. */
import type { Command } from "commander";
import { logTime } from "./log-time.ts";
import { type ProgramContext, height, repeated, runner } from "./registration.ts";

const sinceMoment = (value: string): { readonly height: number } | { readonly time: number } =>
  /^\d{1,15}$/.test(value) ? { height: Number(value) } : { time: logTime(value) };

const LOG_HELP = `
DIR is a node's data directory, a copy of one, or a log.db; a running node is not disturbed, and nothing is written there. The log is
verified from genesis meanwhile, as by sky verify, up to the height that is asked for. Without --data a node is asked for its log, by an auditor
(sky:cluster#audit) or administrator, and believed in nothing: genesis must be that of --founding. Dates are log time, the blocks' own.
With --json every line is one object; the last one says { ok, … }, or why not.`;

const STREAM_HELP = `
Lines come as blocks are verified and executed; that those blocks are final is known at the end: believe them when the command ends with 0.`;

const ANSWER_CODES = `
Exit codes: 0 answered, 1 the log does not hold, or ends before what was asked, 2 the command line is wrong, 3 the log cannot be read, or no node answers.`;

const WHY_CODES = `
Exit codes: 0 yes, 1 no, or the log does not hold (the last line says which), 2 the command line is wrong, 3 the log cannot be read, or no node answers.`;

const CHANGES_HELP = `
WHAT is a subject or object NAMESPACE:NAME#RELATION, a namespace (NAMESPACE:), or an identifier. A bare word is all that has that name.
An identifier's changes are its key events, its certificates, and what it was granted of the policy (sky:cluster#…).`;

const ACTS_HELP = `
Commands that it signed, and as which a gateway signed for it, with what became of them; batches that name it and did not hold (nothing proves
that it signed these); and what its keys signed into its key event log, whoever handed it in. Votes and bundles of nodes are left out.`;

export function addQuestionCommands(audit: Command, context: ProgramContext): void {
  const run = runner(context);
  const questions = async () => import("../../../tools/replay/questions/command.ts");
  const add = (name: string, description: string): Command =>
    audit
      .command(name)
      .description(description)
      .option("--data <directory>", "the node's data directory, a copy of it, or a log.db")
      .option(
        "--founding <file>",
        "the signed founding document that genesis must be (of a node: default that of --dir)",
      )
      .option("--node <host:port>", "ask a node, by its SERVICE address; may be repeated", repeated)
      .option("--dir <directory>", "ask a node of this sky dev, which knows nodes and client")
      .option("--client <folder>", "folder of the client to ask as (default: clients/admin of --dir)");
  const moment = (command: Command): Command =>
    command
      .option("--on <date>", "in the state of then; without it and --height, of the log's end", logTime)
      .option("--height <height>", "in the state that this block left", height);
  const span = (command: Command): Command =>
    command
      .option("--from <height>", "from this height on (default: genesis)", height)
      .option("--to <height>", "up to this height (default: the log's end)", height);
  moment(add("who", "who could do something: every subject for which check was true"))
    .argument("<object>")
    .option("--since <moment>", "a height or a date: say who came and who went since then, too", sinceMoment)
    .addHelpText("after", LOG_HELP + ANSWER_CODES)
    .action(run(async () => ({ run: (await questions()).who })));
  moment(
    add("why", "whether a subject could, since when, by which chain, and by whose signed act each link of it came"),
  )
    .argument("<subject>")
    .argument("<object>")
    .addHelpText("after", LOG_HELP + WHY_CODES)
    .action(run(async () => ({ run: (await questions()).why })));
  span(add("changes", "every change to a node of the graph, a namespace or an identifier, and whose act it was"))
    .argument("<what>")
    .addHelpText("after", CHANGES_HELP + LOG_HELP + STREAM_HELP + ANSWER_CODES)
    .action(run(async () => ({ run: (await questions()).changes })));
  span(add("acts", "everything that an identifier did, what was refused and why included"))
    .argument("<aid>")
    .addHelpText("after", ACTS_HELP + LOG_HELP + STREAM_HELP + ANSWER_CODES)
    .action(run(async () => ({ run: (await questions()).acts })));
}
