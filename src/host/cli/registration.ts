/** What registering a command takes: program.ts and the files it calls share it. Loads nothing but commander. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { CliIo, ExitCode } from "./io.ts";

interface CommandModule<Options> {
  readonly run: (options: Options, io: CliIo) => Promise<ExitCode>;
}

/** A setting that is a flag of `sky node`. */
export interface SettingFlag {
  readonly flag: string;
  readonly description: string;
  readonly isBoolean: boolean;
}

export interface ProgramContext {
  readonly io: CliIo;
  readonly version: string;
  /** Flags of the configuration schema; empty when the command at hand has none of them, since the schema takes time to load. */
  readonly settings: readonly SettingFlag[];
  readonly onExit: (code: ExitCode) => void;
}

/** Runs a command's module with commander's options and arguments. */
export const runner =
  ({ io, onExit }: ProgramContext) =>
  <Options>(load: () => Promise<CommandModule<Options>>) =>
  async (...given: readonly unknown[]): Promise<void> => {
    const command = given.at(-1) as Command;
    const args = command.registeredArguments.length > 0 ? { args: command.processedArgs } : {};
    const options = { ...command.opts(), ...args } as Options;
    onExit(await (await load()).run(options, io));
  };

export const wholeNumber =
  (least: number, most: number, what: string) =>
  (value: string): number => {
    const number = Number(value);
    if (/^\d+$/.test(value) && number >= least && number <= most) return number;
    throw new InvalidArgumentError(`${what}, a whole number from ${least} to ${most}.`);
  };
export const milliseconds = wholeNumber(1, 3_600_000, "Milliseconds");
export const height = wholeNumber(0, Number.MAX_SAFE_INTEGER, "A height");

/** Gathers the values of an option that may be repeated. */
export const repeated = (value: string, earlier: readonly string[] = []): readonly string[] => [...earlier, value];

/** Every setting of a node as an option. */
export function addSettings(command: Command, settings: readonly SettingFlag[]): Command {
  command.option("--config <file>", "YAML file of settings (docs/CONFIGURATION.md)");
  for (const { flag, description, isBoolean } of settings) {
    command.addOption(
      new Option(isBoolean ? `--${flag} [value]` : `--${flag} <value>`, description).preset(
        isBoolean ? "true" : undefined,
      ),
    );
  }
  return command;
}
