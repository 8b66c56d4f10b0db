/** `sky seal`: seals nodes. One operator may, unless too few members would stay unsealed; then k must ask within 10 minutes. */
import { refuse } from "../../base/result.ts";
import { sealNode } from "../founding/operator-actions.ts";
import { type CliIo, EXIT, type ExitCode, reportRefusal } from "./io.ts";
import { type OperatorOptions, exitOf, onEveryNode, openDesk } from "./operator-command.ts";

export interface SealOptions extends OperatorOptions {
  /** End the process too, so that nothing can remain in its memory. */
  readonly exit?: boolean;
}

export async function run(options: SealOptions, io: CliIo): Promise<ExitCode> {
  if ((options.args[0] ?? []).length === 0) {
    reportRefusal(
      io,
      refuse("NODE_MISSING", "Name the nodes to seal; sealing all of them stops the cluster.").refusal,
      options.json ?? false,
    );
    return EXIT.usage;
  }
  const desk = await openDesk(options, io);
  if (!desk.ok) return reportRefusal(io, desk.refusal, options.json ?? false);
  try {
    const results = await onEveryNode(
      desk.value,
      options,
      io,
      (action) => sealNode(action, options.exit ?? false),
      ({ sealing, missing }) =>
        sealing
          ? "is sealing"
          : `stays unsealed until ${missing} more operator${missing === 1 ? " asks" : "s ask"} within 10 minutes`,
    );
    return exitOf(results);
  } finally {
    desk.value.file.close();
  }
}
