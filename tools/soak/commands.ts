/** Commands of the system that set up networks and disks. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** Runs it to its end. Throws: Error with what it said. */
export async function run(command: string, ...args: readonly string[]): Promise<string> {
  try {
    return (await execute(command, args)).stdout;
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
    throw new Error(`${command} ${args.join(" ")}: ${said === "" ? String(error) : said}`, { cause: error });
  }
}
