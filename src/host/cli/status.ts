/** `sky status`: what each node says of itself and its ceremony. */
import type { Result } from "../../base/result.ts";
import { ok } from "../../base/result.ts";
import { nodeStatus } from "../founding/operator-actions.ts";
import { type CeremonyStatus, NodeState } from "../../wire/generated/sky/ceremony/v1/ceremony.ts";
import { type CliIo, type ExitCode, reportRefusal } from "./io.ts";
import { type OperatorOptions, exitOf, onEveryNode, openDesk } from "./operator-command.ts";

/** NODE_STATE_SEALED is "sealed". */
export const stateName = (state: NodeState): string =>
  (Object.entries(NodeState).find(([, value]) => value === state)?.[0] ?? "unknown")
    .replace("NODE_STATE_", "")
    .toLowerCase();

interface NodeReport {
  readonly state: string;
  readonly threshold: number;
  readonly total: number;
  readonly accepted: number;
  readonly missing: number;
  readonly deadlineMs: number;
  readonly acceptedOperators: readonly string[];
  readonly unacknowledgedOperators: readonly string[];
  readonly blamed: readonly { readonly operator: string; readonly code: string; readonly message: string }[];
  /** What happened to its log, oldest first. */
  readonly logNotes: readonly string[];
}

const reportOf = (status: CeremonyStatus): NodeReport => ({
  state: stateName(status.state),
  threshold: status.threshold,
  total: status.total,
  accepted: status.accepted,
  missing: status.missing,
  deadlineMs: Number(status.deadlineMs),
  acceptedOperators: status.acceptedOperators,
  unacknowledgedOperators: status.unacknowledgedOperators,
  blamed: status.blamed,
  logNotes: status.logNotes,
});

function sentence({ state, accepted, threshold, unacknowledgedOperators, blamed, logNotes }: NodeReport): string {
  const parts = [state];
  if (state === "collecting" || state === "verifying") parts.push(`${accepted} of ${threshold} shares`);
  const behind = unacknowledgedOperators.length;
  if (behind > 0)
    parts.push(
      behind === 1 ? "1 operator has yet to fetch its share" : `${behind} operators have yet to fetch their shares`,
    );
  const below = [...blamed.map(({ message }) => message), ...logNotes.map((note) => `log: ${note}`)];
  return [parts.join(", "), ...below.map((line) => `  ${line}`)].join("\n");
}

export async function run(options: OperatorOptions, io: CliIo): Promise<ExitCode> {
  const desk = await openDesk(options, io);
  if (!desk.ok) return reportRefusal(io, desk.refusal, options.json ?? false);
  try {
    const ask = async (action: Parameters<typeof nodeStatus>[0]): Promise<Result<NodeReport>> => {
      const status = await nodeStatus(action);
      return status.ok ? ok(reportOf(status.value)) : status;
    };
    return exitOf(await onEveryNode(desk.value, options, io, ask, sentence));
  } finally {
    desk.value.file.close();
  }
}
