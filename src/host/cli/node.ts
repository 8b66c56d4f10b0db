/** `sky node`: one node, sealed until its operators unseal it. */
import { Fault } from "../../base/errors.ts";
import type { NodeConfig } from "../config/schema.ts";
import { readConfig } from "../config/read.ts";
import { readBootFile } from "../enclave/node-files.ts";
import { createLogger } from "../logging/logger.ts";
import { createMetrics } from "../metrics/metrics.ts";
import type { RunningNode } from "../node/node.ts";
import { textsOf } from "./config.ts";
import { type CliIo, EXIT, type ExitCode, reportFailure, reportRefusal } from "./io.ts";
import { readPassphrase } from "./passphrase.ts";

export interface NodeCommandOptions {
  readonly json?: boolean;
  /** YAML file. */
  readonly config?: string;
  /** Every other option is a setting's flag. */
  readonly [flag: string]: string | boolean | undefined;
}

export async function run(options: NodeCommandOptions, io: CliIo): Promise<ExitCode> {
  const { json = false, config: file, ...flags } = options;
  const loaded = readConfig(textsOf(flags), io.env, file);
  if (!loaded.ok) {
    reportFailure(io, loaded.refusal.code, loaded.refusal.message, json);
    return EXIT.usage;
  }
  const { config, warnings } = loaded.value;
  for (const warning of warnings) io.err(`warning: ${warning}`);
  const passphrase = await founderPassphrase(config, io);
  if (passphrase !== undefined && !passphrase.ok) return reportRefusal(io, passphrase.refusal, json);
  return runNode(config, io, {
    dev: false,
    pretty: io.isTerminal && !json,
    ...(passphrase === undefined ? {} : { passphrase: passphrase.value }),
  });
}

/** A founder that was never initialised opens its keystore with the passphrase that `sky init founder` asked for (DESIGN §6). */
async function founderPassphrase(config: NodeConfig, io: CliIo) {
  const boot = readBootFile(config.dataDir);
  if (!boot.ok)
    throw new Fault(boot.refusal.code, `${boot.refusal.message} Make a node's directory with \`sky init founder\`.`);
  return boot.value.dealt === null ? readPassphrase(io, `Passphrase of founder ${boot.value.name}`) : undefined;
}

export interface RunNodeOptions {
  readonly dev: boolean;
  readonly pretty: boolean;
  readonly passphrase?: Uint8Array;
  readonly onStarted?: (node: RunningNode) => void;
  readonly onServing?: () => void;
  readonly onLogTrouble?: (trouble: string) => void;
}

/** Runs a node until it is interrupted or ends by itself. */
export async function runNode(config: NodeConfig, io: CliIo, options: RunNodeOptions): Promise<ExitCode> {
  process.umask(0o077); // SQLite makes its files as the umask says; a node's files are its own
  const metrics = createMetrics();
  const logger = createLogger({
    level: config.logLevel,
    pretty: options.pretty,
    onDropped: (count) => metrics.count("log_fields_dropped", count),
    ...(config.logFile === undefined ? {} : { file: config.logFile }),
  });
  const { startNode } = await import("../node/node.ts");
  let end = (_code: ExitCode): void => {};
  const ended = new Promise<ExitCode>((resolve) => {
    end = resolve;
  });
  const interrupted = io.interruption();
  const node = await startNode({
    config,
    logger,
    metrics,
    dev: options.dev,
    onEnd: (code, reason) => {
      if (reason !== undefined) io.err(`sky: ${reason}`); // also when the disk that takes the log is full
      end(code === 0 ? EXIT.ok : EXIT.unavailable);
    },
    ...(options.passphrase === undefined ? {} : { passphrase: options.passphrase }),
    ...(options.onServing === undefined ? {} : { onServing: options.onServing }),
    ...(options.onLogTrouble === undefined ? {} : { onLogTrouble: options.onLogTrouble }),
  });
  options.onStarted?.(node);
  if (interrupted.aborted) end(EXIT.ok);
  interrupted.addEventListener("abort", () => end(EXIT.ok), { once: true });
  const code = await ended;
  await node.stop();
  logger.info("Node stopped");
  return code;
}
