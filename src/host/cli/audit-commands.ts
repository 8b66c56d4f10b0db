/**
 * Commands of audits: `sky verify`, `sky replay`, `sky audit …`. What each does stands in a module of its own, as in program.ts;
 * questions and proofs add theirs to `audit` here.
 */
import type { Command } from "commander";
import type { ProgramContext } from "./registration.ts";

/** Called once, by program.ts. A subcommand: `audit(program).command("who")…action(runner(context)(() => import("./audit-who.ts")))`. */
export function addAuditCommands(program: Command, context: ProgramContext): void {
  addQuestions(() => program.command("audit").description("questions of auditors"), context);
}

/** `sky audit …`: each question one command. `group` makes the group, to be called once by whoever adds the first. */
function addQuestions(_group: () => Command, _context: ProgramContext): void {}
