/** sky.inspect.v1: links to the inspector's page of this node. */
import type { Aid } from "../../base/brands.ts";
import type { Result } from "../../base/result.ts";
import { type InspectServiceServer, InspectServiceService } from "../../wire/generated/sky/inspect/v1/inspect.ts";
import { strictService } from "../../wire/strict-service.ts";
import { type OperatorCalls, operatorCall } from "./ceremony-context.ts";

/** Requests decoded strictly. */
export const inspectService = strictService(InspectServiceService);

export interface InspectLink {
  readonly origin: string;
  readonly token: string;
  readonly expiresInSeconds: number;
}

/** Handlers, to be added with inspectService. `link` judges who asks. */
export const inspect = (context: OperatorCalls, link: (caller: Aid) => Result<InspectLink>): InspectServiceServer => ({
  createLink: operatorCall(context, async (_request, caller) => link(caller)),
});
