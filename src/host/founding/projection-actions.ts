/** What an operator asks of a node's projection. */
import { Metadata, type ServiceError } from "@grpc/grpc-js";
import { type Result, ok, refuse } from "../../base/result.ts";
import { Phase, type RebuildState, type StatusResponse } from "../../wire/generated/sky/projection/v1/projection.ts";
import { type OperatorAction, ask } from "./operator-actions.ts";
import { refusalOf } from "./operator-connection.ts";

const without = () =>
  refuse("MALFORMED", "The node answered without its state; check that its version is this one's.", "peer");
const stateOf = ({ state }: { readonly state: RebuildState | undefined }): Result<RebuildState> =>
  state === undefined ? without() : ok(state);

export type ProjectionAsk =
  | { readonly kind: "rebuild" | "rollBack" | "cancel" }
  | { readonly kind: "accept"; readonly difference: string };

export async function askProjection(action: OperatorAction, what: ProjectionAsk): Promise<Result<RebuildState>> {
  const { projection } = action.connection;
  const reply = await ask<{ readonly state: RebuildState | undefined }>(action, (options, callback) => {
    switch (what.kind) {
      case "rebuild":
        return projection.rebuild({}, new Metadata(), options, callback);
      case "rollBack":
        return projection.rollBack({}, new Metadata(), options, callback);
      case "accept":
        return projection.accept({ difference: what.difference }, new Metadata(), options, callback);
      case "cancel":
        return projection.cancel({}, new Metadata(), options, callback);
    }
  });
  return reply.ok ? stateOf(reply.value) : reply;
}

/** The newest state; with `follow`, when nothing is under way any more, with each before it told. */
export function projectionStatus(
  { connection }: OperatorAction,
  follow: boolean,
  told: (state: RebuildState) => void,
): Promise<Result<RebuildState>> {
  return new Promise((resolve) => {
    const call = connection.projection.status({ follow });
    let last: RebuildState | undefined;
    call.on("data", ({ state }: StatusResponse) => {
      last = state;
      if (state !== undefined) told(state);
    });
    call.on("error", (error: ServiceError) => resolve(refusalOf(error)));
    call.on("end", () => resolve(stateOf({ state: last })));
  });
}

export const isUnderWay = ({ phase }: RebuildState): boolean =>
  phase === Phase.PHASE_BUILDING || phase === Phase.PHASE_SWITCHING;
