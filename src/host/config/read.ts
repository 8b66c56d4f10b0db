import { readFileSync, statSync } from "node:fs";
import { type Result, refuse } from "../../base/result.ts";
import { type ConfigRefusal, type LoadedConfig, CONFIG_BYTES_MAX, loadConfig } from "./load.ts";

/**
 * The configuration of this process: its flags, its environment and the YAML file, if one is named. A token that stands in
 * the environment is taken out of it, so that no child process inherits it.
 * Refuses: CONFIG_INVALID.
 */
export function readConfig(
  flags: Readonly<Record<string, string | undefined>>,
  env: NodeJS.ProcessEnv,
  configFile: string | undefined,
): Result<LoadedConfig, ConfigRefusal> {
  const seen = { ...env };
  delete env["PROVISIONED_TOKEN"];
  if (configFile === undefined) return loadConfig({ flags, env: seen });
  try {
    const { size } = statSync(configFile);
    if (size > CONFIG_BYTES_MAX)
      return refuse("CONFIG_INVALID", `${configFile}: larger than ${CONFIG_BYTES_MAX} bytes.`);
    return loadConfig({ flags, env: seen, file: { path: configFile, text: readFileSync(configFile, "utf8") } });
  } catch (error) {
    return refuse(
      "CONFIG_INVALID",
      `${configFile}: cannot be read (${error instanceof Error ? error.message : String(error)}).`,
    );
  }
}
