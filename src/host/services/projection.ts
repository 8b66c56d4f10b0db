/** sky.projection.v1: another projection in the place of the one that this node serves from. */
import type { ServerWritableStream } from "@grpc/grpc-js";
import type { Aid } from "../../base/brands.ts";
import { type No, type Result, ok, refuse } from "../../base/result.ts";
import {
  Kind,
  Phase,
  type ProjectionServiceServer,
  ProjectionServiceService,
  type RebuildState,
  type StatusRequest,
  type StatusResponse,
} from "../../wire/generated/sky/projection/v1/projection.ts";
import { errorOf } from "../../wire/status.ts";
import { strictService } from "../../wire/strict-service.ts";
import type { Rebuild, RebuildPhase, RebuildStatus } from "../projector/rebuild.ts";
import { undecodable } from "./call.ts";
import { type OperatorCalls, operatorCall } from "./ceremony-context.ts";
import { writeTo } from "./stream.ts";

/** Requests decoded strictly. */
export const projectionService = strictService(ProjectionServiceService);

export interface ProjectionContext extends OperatorCalls {
  /** Of a node that serves; undefined while it is sealed or starts. */
  readonly rebuild: () => Pick<Rebuild, "start" | "accept" | "cancel" | "status" | "watch"> | undefined;
  /** Told of everything that an operator asks for but looking. */
  readonly onAsked: (what: "rebuild" | "rollBack" | "accept" | "cancel", operator: Aid) => void;
}

/** Between two messages of one stream. Units: ms. */
const TELL_MS = 200;
/** Operators who look at once. */
const WATCHERS_MAX = 64;

const PHASES: Readonly<Record<RebuildPhase, Phase>> = {
  idle: Phase.PHASE_IDLE,
  building: Phase.PHASE_BUILDING,
  differs: Phase.PHASE_DIFFERS,
  switching: Phase.PHASE_SWITCHING,
  done: Phase.PHASE_DONE,
  failed: Phase.PHASE_FAILED,
};

const isUnderWay = ({ phase }: RebuildStatus): boolean => phase === "building" || phase === "switching";

function messageOf(status: RebuildStatus): RebuildState {
  const { comparedAt, differences } = status;
  return {
    phase: PHASES[status.phase],
    kind: status.kind === "rebuild" ? Kind.KIND_REBUILD : Kind.KIND_ROLL_BACK,
    blocks: BigInt(status.height + 1),
    blocksServing: BigInt(status.target + 1),
    comparedAt: comparedAt === null ? undefined : BigInt(comparedAt),
    differences: differences.map(({ table, missing, added, changed, examples }) => ({
      table,
      missing: BigInt(missing),
      added: BigInt(added),
      changed: BigInt(changed),
      examples,
    })),
    difference: status.difference,
    code: status.code,
    message: status.message,
    hasPrevious: status.hasPrevious,
    startedMs: BigInt(status.startedAt),
    endedMs: BigInt(status.endedAt),
  };
}

const sealed = (): No =>
  refuse("SEALED", "The node is sealed or not serving yet; unseal it (sky unseal), then ask again.", "none");

/** Handlers, to be added with projectionService. */
export function projection(context: ProjectionContext): ProjectionServiceServer {
  let watchers = 0;
  const asked = (
    what: Parameters<ProjectionContext["onAsked"]>[0],
    caller: Aid,
    act: (rebuild: NonNullable<ReturnType<ProjectionContext["rebuild"]>>) => Result<RebuildStatus>,
  ): Result<{ readonly state: RebuildState }> => {
    const rebuild = context.rebuild();
    if (rebuild === undefined) return sealed();
    context.onAsked(what, caller);
    const answer = act(rebuild);
    return answer.ok ? ok({ state: messageOf(answer.value) }) : answer;
  };
  return {
    rebuild: operatorCall(context, async (_, caller) => asked("rebuild", caller, (one) => one.start("rebuild"))),
    rollBack: operatorCall(context, async (_, caller) => asked("rollBack", caller, (one) => one.start("rollBack"))),
    accept: operatorCall(context, async ({ difference }, caller) =>
      asked("accept", caller, (one) => one.accept(difference)),
    ),
    cancel: operatorCall(context, async (_, caller) => asked("cancel", caller, (one) => one.cancel())),
    status: (call) => {
      const refused = (no: No): void => void call.emit("error", errorOf(no.refusal, context.height()));
      const broken = undecodable(call.request);
      if (broken !== undefined) return refused(broken);
      const caller = context.callerOf(call);
      if (!caller.ok) return refused(caller);
      const rebuild = context.rebuild();
      if (rebuild === undefined) return refused(sealed());
      if (watchers >= WATCHERS_MAX)
        return refused(refuse("OVERLOADED", "Too many operators follow already; ask without following.", "none"));
      watchers += 1;
      tell(call, rebuild)
        .catch(context.onDefect)
        .finally(() => {
          watchers -= 1;
          call.end();
        });
    },
  };
}

/** Ends when nothing is under way any more, or the caller is gone. */
async function tell(
  call: ServerWritableStream<StatusRequest, StatusResponse>,
  rebuild: Pick<Rebuild, "status" | "watch">,
): Promise<void> {
  const gone = Promise.withResolvers<void>();
  call.on("cancelled", gone.resolve).on("close", gone.resolve);
  let changed = Promise.withResolvers<void>();
  const end = rebuild.watch(() => changed.resolve());
  try {
    for (;;) {
      changed = Promise.withResolvers();
      const { status } = rebuild;
      if (!(await writeTo(call, { state: messageOf(status) }))) return;
      if (!call.request.follow || !isUnderWay(status)) return;
      await Promise.race([gone.promise, Promise.all([changed.promise, pause(TELL_MS)])]);
    }
  } finally {
    end();
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));
