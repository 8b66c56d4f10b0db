/** What of a block's body is executed. */
import type { Body } from "../../events/facts/block.ts";
import type { ExecutableBlock } from "./ledger.ts";

/** `bundles`: those that the body names, in its order. */
export function contentOf(body: Body, bundles: readonly Uint8Array[]): ExecutableBlock["content"] {
  switch (body.kind) {
    case "genesis":
      return body;
    case "executions":
      return { kind: "bundles", bundles };
    case "checkpoint":
      return { kind: "checkpoint", statement: body.checkpoint.statement };
  }
}
