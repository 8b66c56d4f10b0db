/** Entry of the command line; bin/sky.js calls `main`. How a command plugs in stands in program.ts. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CommanderError } from "commander";
import { Fault } from "../../base/errors.ts";
import { type CliIo, type ExitCode, EXIT, processIo, reportFailure } from "./io.ts";
import { buildProgram } from "./program.ts";
import type { SettingFlag } from "./registration.ts";

const PACKAGE = "@sky/sky";

/** Commands that take every setting as a flag. */
const COMMANDS_WITH_SETTINGS = new Set(["node", "config", "completion", "help", "revoke-external"]);

/** Runs one command line and sets the process's exit code; never throws. */
export async function main(args: readonly string[], io: CliIo = processIo()): Promise<void> {
  process.exitCode = await execute(args, io);
}

/** Runs one command line; never throws. */
export async function execute(args: readonly string[], io: CliIo): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok;
  try {
    const program = buildProgram({
      io,
      version: readVersion(),
      settings: args.some((word) => COMMANDS_WITH_SETTINGS.has(word)) ? await settingFlags() : [],
      onExit: (ended) => {
        code = ended;
      },
    });
    await program.parseAsync(args, { from: "user" });
    return code;
  } catch (error) {
    return reportThrown(error, io, args.includes("--json"));
  }
}

function reportThrown(error: unknown, io: CliIo, json: boolean): ExitCode {
  // commander has told what is wrong; help and version end with 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof Fault) {
    reportFailure(io, error.code, error.message, json);
    return EXIT.unavailable;
  }
  reportFailure(io, "DEFECT", error instanceof Error ? error.message : String(error), json);
  if (error instanceof Error && error.stack !== undefined) io.err(error.stack);
  return EXIT.defect;
}

async function settingFlags(): Promise<readonly SettingFlag[]> {
  const { SETTING_KEYS, flagOf, settingOf } = await import("../config/schema.ts");
  return SETTING_KEYS.filter((key) => !settingOf(key).secret).map((key) => ({
    flag: flagOf(key),
    description: settingOf(key).description,
    isBoolean: settingOf(key).kind === "boolean",
  }));
}

/** Of the nearest package.json that is ours: the sources and whatever was built of them stand below it. */
function readVersion(): string {
  for (let directory = dirname(fileURLToPath(import.meta.url)); ; directory = dirname(directory)) {
    const file = join(directory, "package.json");
    const content: unknown = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
    if (typeof content === "object" && content !== null && "name" in content && content.name === PACKAGE) {
      return "version" in content ? String(content.version) : "unknown";
    }
    if (directory === dirname(directory)) return "unknown";
  }
}
