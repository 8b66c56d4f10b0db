/** `sky audit prove | head | prefix`, and `sky verify PROOF`: proofs as files. What they do stands in tools/proofs. */
import { type Command, InvalidArgumentError } from "commander";
import { type ProgramContext, height, milliseconds, repeated, runner, wholeNumber } from "./registration.ts";

const PROOF_HELP = `
A node is asked as an auditor (sky:cluster#audit) or administrator; with --data a node's data directory, or a copy, is read and nobody is
asked. What was done is computed again from genesis for it: some 10,000 transactions a second. Either way the proof is checked before it is
written, and anybody checks it again, offline: sky verify PROOF --founding founding.sky.
Exit codes: 0 written, 1 refused: it is not so, or cannot be proven yet; 3 nobody answered, or the answer takes longer: ask again.`;

const placeInBlock = wholeNumber(0, Number.MAX_SAFE_INTEGER, "A place in the block");

const commandId = (value: string): string => {
  if (/^[0-9a-f]{32}$/.test(value)) return value;
  throw new InvalidArgumentError("A command's id is 32 lower-case hex digits.");
};

/** Called once, by audit-commands.ts. */
export function addProofCommands(audit: Command, context: ProgramContext): void {
  const run = runner(context);
  const add = (name: string, description: string): Command =>
    audit
      .command(name)
      .description(description)
      .option("--data <directory>", "read a data directory, a copy of one or a log.db; ask nobody")
      .option("--founding <file>", "the signed founding document (default: founding.sky of --data or --dir)")
      .option("--dir <directory>", "directory of sky dev, which knows nodes and client (default: here)")
      .option("--client <folder>", "folder of the client to ask as (default: clients/admin of --dir)")
      .option("--node <host:port>", "SERVICE address, may be repeated (default: those of --dir)", repeated)
      .option("--timeout <ms>", "how long to try, over all nodes", milliseconds)
      .option("--out <file>", "where the proof is written (default: a name that says what it is)")
      .addHelpText("after", PROOF_HELP);
  const load = () => import("../../../tools/proofs/prove-command.ts");
  add("prove", "that a block, a command or a key state is in the log, and what was done")
    .option("--height <height>", "the block; of a command where it is, of a key state when", height)
    .option("--index <index>", "one command of the block, by its place, as receipts name it", placeInBlock)
    .option("--n <n>", "one fact of that command; 0, the default, is how it was settled", placeInBlock)
    .option("--command <id>", "a command by its id", commandId)
    .option("--author <aid>", "whose command (default: the client's that asks)")
    .option("--aid <aid>", "the key state of this identifier")
    .option("--no-effects", "only its place in the log, not what the block did")
    .action(run(async () => ({ run: (await load()).prove })));
  add("head", "keep the newest certified head, for sky audit prefix to be compared with later").action(
    run(async () => ({ run: (await load()).head })),
  );
  add("prefix", "that the log of a head which was kept is a prefix of today's")
    .argument("<head>", "the file of sky audit head")
    .action(run(async () => ({ run: (await load()).prefix })));
}
