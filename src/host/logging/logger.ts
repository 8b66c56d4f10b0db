import { type DestinationStream, destination, pino } from "pino";
import { type LogFields, allowedFields } from "./fields.ts";
import { prettyStream } from "./pretty.ts";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** Where a process tells its operators what happens. Messages are constant sentences; what varies stands in the fields. */
export interface Logger {
  readonly debug: (message: string, fields?: LogFields) => void;
  readonly info: (message: string, fields?: LogFields) => void;
  readonly warn: (message: string, fields?: LogFields) => void;
  readonly error: (message: string, fields?: LogFields) => void;
  /** A logger whose every line carries these fields too. */
  readonly with: (fields: LogFields) => Logger;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  /** File that JSON lines are appended to (created 0600); without it and without `stream`, standard output. */
  readonly file?: string;
  /** For a person at a console rather than for a collector. */
  readonly pretty?: boolean;
  readonly stream?: DestinationStream;
  /** Told how many fields a line lost because they are not on the allow-list (src/host/logging/fields.ts). */
  readonly onDropped?: (count: number) => void;
}

/** A logger of JSON lines `{level, time, …fields, msg}`; time is in ISO 8601. Lines are written before the call returns. */
export function createLogger(options: LoggerOptions): Logger {
  const target = options.stream ?? openTarget(options.file);
  const sink = pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (level) => ({ level }) },
    },
    options.pretty === true ? prettyStream(target) : target,
  );
  const onDropped = options.onDropped ?? (() => {});
  const build = (bound: LogFields): Logger => {
    const write =
      (level: "debug" | "info" | "warn" | "error") =>
      (message: string, fields: LogFields = {}) => {
        if (sink.isLevelEnabled(level)) sink[level](allowedFields({ ...bound, ...fields }, onDropped), message);
      };
    return {
      debug: write("debug"),
      info: write("info"),
      warn: write("warn"),
      error: write("error"),
      with: (fields) => build({ ...bound, ...fields }),
    };
  };
  return build({});
}

/** Synchronous, so that the last line before a crash is there. */
function openTarget(file: string | undefined): DestinationStream {
  const target =
    file === undefined
      ? destination({ fd: 1, sync: true })
      : destination({ dest: file, sync: true, append: true, mkdir: true, mode: 0o600 });
  // A full disk, or a reader that is gone, costs lines and never the node: what must be known is in metrics and exit codes too.
  target.on("error", () => {});
  return target;
}
