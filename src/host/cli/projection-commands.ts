/** Commands of projections: `sky projection …`. What each does stands in projection.ts. */
import type { Command } from "commander";
import { type ProgramContext, runner } from "./registration.ts";

const HELP = `
A node goes on serving while another projection is built beside the one it serves from. When both compare equal, the new one takes the place
of the old one by itself; when they differ, the rows that do are shown, and an operator decides: accept, or cancel. What served before is kept,
for one rollback.
Exit codes: 0 done, 1 refused, failed, or waiting for accept or cancel, 3 no node answers.`;

const NO_WAIT = ["--no-wait", "return at once; sky projection status tells how it goes"] as const;

/** Called once, by program.ts. `add` adds a command of operators to a group: its nodes, its files. */
export function addProjectionCommands(
  program: Command,
  context: ProgramContext,
  add: (name: string, description: string, to: Command) => Command,
): void {
  const run = runner(context);
  const group = program
    .command("projection")
    .description("rebuild what a node serves from, while it serves; roll back")
    .addHelpText("after", HELP);
  add("rebuild", "build the projection from the log once more, and switch to it when it compares equal", group)
    .option(...NO_WAIT)
    .addHelpText("after", HELP)
    .action(run(async () => (await import("./projection.ts")).rebuild));
  add("status", "what is being built, how far it is, and in which rows it differs", group).action(
    run(async () => (await import("./projection.ts")).status),
  );
  add("accept", "switch to a rebuilt projection that differs", group)
    .requiredOption("--difference <id>", "which differences are accepted, as the status names them")
    .option(...NO_WAIT)
    .action(run(async () => (await import("./projection.ts")).accept));
  add("cancel", "drop what is being built", group).action(run(async () => (await import("./projection.ts")).cancel));
  add("rollback", "bring the previous projection up to date with the log, and switch to it", group)
    .option(...NO_WAIT)
    .addHelpText("after", HELP)
    .action(run(async () => (await import("./projection.ts")).rollback));
}
