/** `sky projection …`: another projection in the place of the one that a node serves from, asked of each node's API port. */
import { type Result, ok, refuse } from "../../base/result.ts";
import { Kind, Phase, type RebuildState } from "../../wire/generated/sky/projection/v1/projection.ts";
import type { OperatorAction } from "../founding/operator-actions.ts";
import { type ProjectionAsk, askProjection, isUnderWay, projectionStatus } from "../founding/projection-actions.ts";
import { type CliIo, EXIT, type ExitCode, reportRefusal } from "./io.ts";
import { type OperatorOptions, exitOf, onEveryNode, openDesk } from "./operator-command.ts";

export interface ProjectionOptions extends OperatorOptions {
  /** Returns at once, or when the work has ended. */
  readonly wait?: boolean;
  readonly difference?: string;
}

const PHASES: Readonly<Record<number, string>> = {
  [Phase.PHASE_IDLE]: "idle",
  [Phase.PHASE_BUILDING]: "building",
  [Phase.PHASE_DIFFERS]: "differs",
  [Phase.PHASE_SWITCHING]: "switching",
  [Phase.PHASE_DONE]: "done",
  [Phase.PHASE_FAILED]: "failed",
};

interface ProjectionReport {
  readonly phase: string;
  readonly kind: "rebuild" | "rollback";
  readonly blocks: number;
  readonly blocksServing: number;
  readonly comparedAt: number | null;
  readonly differences: readonly {
    readonly table: string;
    readonly missing: number;
    readonly added: number;
    readonly changed: number;
    readonly examples: readonly string[];
  }[];
  readonly difference: string;
  readonly hasPrevious: boolean;
  readonly startedMs: number;
  readonly endedMs: number;
}

const reportOf = (state: RebuildState): ProjectionReport => ({
  phase: PHASES[state.phase] ?? "unknown",
  kind: state.kind === Kind.KIND_ROLL_BACK ? "rollback" : "rebuild",
  blocks: Number(state.blocks),
  blocksServing: Number(state.blocksServing),
  comparedAt: state.comparedAt === undefined ? null : Number(state.comparedAt),
  differences: state.differences.map(({ table, missing, added, changed, examples }) => ({
    table,
    missing: Number(missing),
    added: Number(added),
    changed: Number(changed),
    examples,
  })),
  difference: state.difference,
  hasPrevious: state.hasPrevious,
  startedMs: Number(state.startedMs),
  endedMs: Number(state.endedMs),
});

function sentence(report: ProjectionReport): string {
  const { phase, kind, blocks, blocksServing, comparedAt, hasPrevious } = report;
  const previous = hasPrevious ? "; a previous one is kept" : "";
  switch (phase) {
    case "idle":
      return `no projection is being built${previous}`;
    case "building":
      return `${kind} under way, ${blocks} of ${blocksServing} blocks (${blocksServing === 0 ? 100 : Math.floor((100 * blocks) / blocksServing)} %)`;
    case "switching":
      return `the ${kind}'s projection is being switched to`;
    case "differs":
      return [
        `the rebuilt projection differs from the serving one at height ${comparedAt}, and waits:`,
        ...differencesIn(report),
        `  switch to it all the same: sky projection accept --difference ${report.difference} NODE; drop it: sky projection cancel NODE`,
      ].join("\n");
    case "done":
      return [
        `the ${kind}'s projection serves, at ${blocks} blocks; ${comparedAt === null ? "" : `compared at height ${comparedAt}${report.differences.length === 0 ? ", alike" : ""}`}${previous}`,
        ...differencesIn(report),
      ].join("\n");
    default:
      return `${kind} ${phase}`;
  }
}

const differencesIn = ({ differences }: ProjectionReport): readonly string[] =>
  differences.flatMap(({ table, missing, added, changed, examples }) => [
    `  ${table}: ${missing} rows only in the serving one, ${added} only in the other, ${changed} changed`,
    ...examples.map((example) => `    ${example}`),
  ]);

/** What failed is a refusal, so that scripts see it in the exit code; so is what waits for an operator. */
function judged(state: RebuildState): Result<ProjectionReport> {
  if (state.phase === Phase.PHASE_FAILED) return refuse(state.code, state.message, "none");
  return ok(reportOf(state));
}

async function followed(action: OperatorAction, wait: boolean, state: RebuildState): Promise<Result<ProjectionReport>> {
  if (!wait || !isUnderWay(state)) return judged(state);
  let last = "";
  const end = await projectionStatus(action, true, (one) => {
    const line = sentence(reportOf(one));
    if (line !== last && isUnderWay(one)) action.progress(line);
    last = line;
  });
  return end.ok ? judged(end.value) : end;
}

const asking =
  (what: (options: ProjectionOptions) => ProjectionAsk) =>
  async (options: ProjectionOptions, io: CliIo): Promise<ExitCode> => {
    if ((options.args[0] ?? []).length === 0) {
      const missing = refuse("NODE_MISSING", "Name the nodes; one after the other is kinder to the cluster.");
      reportRefusal(io, missing.refusal, options.json ?? false);
      return EXIT.usage;
    }
    return onNodes(options, io, async (action) => {
      const state = await askProjection(action, what(options));
      return state.ok ? followed(action, options.wait ?? true, state.value) : state;
    });
  };

export const rebuild = { run: asking(() => ({ kind: "rebuild" })) };
export const rollback = { run: asking(() => ({ kind: "rollBack" })) };
export const cancel = { run: asking(() => ({ kind: "cancel" })) };
export const accept = { run: asking(({ difference }) => ({ kind: "accept", difference: difference ?? "" })) };
export const status = {
  run: (options: ProjectionOptions, io: CliIo): Promise<ExitCode> =>
    onNodes(options, io, async (action) => {
      const state = await projectionStatus(action, false, () => {});
      return state.ok ? ok(reportWithReason(state.value)) : state;
    }),
};

/** Of a status that was asked for, a failure is an answer. */
const reportWithReason = (
  state: RebuildState,
): ProjectionReport & { readonly code: string; readonly reason: string } => ({
  ...reportOf(state),
  code: state.code,
  reason: state.message,
});

async function onNodes<T extends ProjectionReport>(
  options: ProjectionOptions,
  io: CliIo,
  action: (action: OperatorAction) => Promise<Result<T>>,
): Promise<ExitCode> {
  const desk = await openDesk(options, io);
  if (!desk.ok) return reportRefusal(io, desk.refusal, options.json ?? false);
  try {
    const said = (report: T & { readonly code?: string; readonly reason?: string }): string =>
      report.phase === "failed"
        ? `${report.kind} failed: ${report.reason ?? ""} (${report.code ?? ""})`
        : sentence(report);
    const results = await onEveryNode(desk.value, options, io, action, said);
    const waits = results.some(({ result }) => result.ok && result.value.phase === "differs");
    return waits ? EXIT.refused : exitOf(results);
  } finally {
    desk.value.file.close();
  }
}
