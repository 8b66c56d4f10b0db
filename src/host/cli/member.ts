/** `sky member rotate` and `sky member keys`: nodes' own keys, asked of each node's API port. */
import { type Result, ok, refuse } from "../../base/result.ts";
import { memberKeys, rotateMemberKeys } from "../founding/member-actions.ts";
import { type CliIo, EXIT, type ExitCode, reportRefusal } from "./io.ts";
import { type OperatorOptions, exitOf, onEveryNode, openDesk } from "./operator-command.ts";
import type { MemberKeys } from "../../wire/generated/sky/member/v1/member.ts";

interface KeysReport {
  readonly sn: number;
  readonly said: string;
  readonly sinceMs: number;
  readonly pending: { readonly sn: number; readonly said: string } | null;
  readonly witness: string;
  readonly certificates: readonly {
    readonly listener: string;
    readonly notAfterMs: number;
    readonly failure: string;
  }[];
}

const reportOf = ({ keyState, sinceMs, pending, witness, certificates }: MemberKeys): KeysReport => ({
  sn: Number(keyState?.sn ?? 0),
  said: keyState?.said ?? "",
  sinceMs: Number(sinceMs),
  pending: pending === undefined ? null : { sn: Number(pending.sn), said: pending.said },
  witness,
  certificates: certificates.map(({ listener, notAfterMs, failure }) => ({
    listener,
    notAfterMs: Number(notAfterMs),
    failure,
  })),
});

const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

function sentence({ sn, said, sinceMs, pending, certificates }: KeysReport): string {
  const since = sinceMs === 0 ? "" : ` since ${day(sinceMs)}`;
  const waits =
    pending === null ? [] : [`  a rotation to sequence number ${pending.sn} is under way (${pending.said})`];
  const ends = certificates.map(
    ({ listener, notAfterMs, failure }) =>
      `  certificate of ${listener} until ${day(notAfterMs)}${failure === "" ? "" : `; renewing fails: ${failure}`}`,
  );
  return [`signs by the key of sequence number ${sn} (${said})${since}`, ...waits, ...ends].join("\n");
}

export const keys = {
  run: (options: OperatorOptions, io: CliIo): Promise<ExitCode> =>
    act(options, io, async (action) => {
      const answer = await memberKeys(action);
      return answer.ok ? ok(reportOf(answer.value)) : answer;
    }),
};

export interface RotateReport extends KeysReport {
  readonly inForce: boolean;
}

export const rotate = {
  run: async (options: OperatorOptions, io: CliIo): Promise<ExitCode> => {
    if ((options.args[0] ?? []).length > 0)
      return act(options, io, async (action): Promise<Result<RotateReport>> => {
        const answer = await rotateMemberKeys(action);
        return answer.ok ? ok({ ...reportOf(answer.value.keys), inForce: answer.value.inForce }) : answer;
      });
    reportRefusal(
      io,
      refuse("NODE_MISSING", "Name the nodes whose keys are to rotate; it can be done while they serve.").refusal,
      options.json ?? false,
    );
    return EXIT.usage;
  },
};

async function act<T extends KeysReport>(
  options: OperatorOptions,
  io: CliIo,
  action: Parameters<typeof onEveryNode<T>>[3],
): Promise<ExitCode> {
  const desk = await openDesk(options, io);
  if (!desk.ok) return reportRefusal(io, desk.refusal, options.json ?? false);
  try {
    return exitOf(await onEveryNode(desk.value, options, io, action, sentence));
  } finally {
    desk.value.file.close();
  }
}
