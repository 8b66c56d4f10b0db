/** `sky unseal`: gives this operator's shares to nodes; initialises new ones and fetches the shares it has not. */
import { unsealNode } from "../founding/operator-actions.ts";
import { type CliIo, type ExitCode, reportRefusal } from "./io.ts";
import { type OperatorOptions, exitOf, onEveryNode, openDesk } from "./operator-command.ts";

export async function run(options: OperatorOptions, io: CliIo): Promise<ExitCode> {
  const desk = await openDesk(options, io);
  if (!desk.ok) return reportRefusal(io, desk.refusal, options.json ?? false);
  try {
    return exitOf(await onEveryNode(desk.value, options, io, unsealNode, ({ message }) => message));
  } finally {
    desk.value.file.close();
  }
}
