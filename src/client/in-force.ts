/** Which event of a key event log has its place: what an order that was executed does not say by itself. */
import type { Aid } from "../base/brands.ts";
import { KerlServiceService as calls } from "../wire/generated/sky/kerl/v1/kerl.ts";
import type { Receipt } from "../wire/outcome.ts";
import { atLeast } from "../wire/sky-graph.ts";
import { SkyError } from "./errors.ts";
import { type Nodes, unaryBy } from "./nodes.ts";

/**
 * SAID of the event in force at a sequence number, as of a receipt or later; undefined when none is: it waits. The word of whichever node
 * answers. Throws: SkyError.
 */
export const inForceAt =
  (nodes: Nodes, aid: Aid) =>
  async (sn: number, since: Receipt, deadlineMs: number): Promise<string | undefined> => {
    const request = { aid, at: { $case: "sn", sn: BigInt(sn) } as const, consistency: atLeast(since) };
    try {
      const { keyState } = await nodes.retrying(deadlineMs, (stub, until) =>
        unaryBy(stub, calls.getKeyState, request, until, false),
      );
      return keyState?.latest?.said;
    } catch (error) {
      if (error instanceof SkyError && error.code === "NOT_FOUND") return undefined;
      throw error;
    }
  };
