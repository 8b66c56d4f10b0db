/** Performs a script of commands again: `node test/sim/commands/perform.ts FILE` (or `-`). Exit code 1 when it breaks a rule. */
import { readFileSync } from "node:fs";
import { breaks, minimised } from "./commands.ts";

const file = process.argv[2];
if (file === undefined) {
  process.stderr.write("perform: name the file that holds the script, or - for the standard input.\n");
  process.exit(2);
}
const script = readFileSync(file === "-" ? 0 : file, "utf8")
  .split("\n")
  .map((line) => line.trim())
  .filter((line) => line !== "" && !line.startsWith("#"));
const broken = breaks(script);
if (broken === undefined) process.stdout.write("breaks nothing\n");
else {
  process.stdout.write(`${broken}\n\nno line of this can be left out:\n${minimised(script).join("\n")}\n`);
  process.exitCode = 1;
}
