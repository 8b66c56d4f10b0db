/** Why a graph command is refused: a stable code and a sentence that says what to do. Sentences are facts, so they are bounded and deterministic. */
import { type Refusal } from "../../base/result.ts";
import { NAME_BYTES_MAX } from "../../events/facts/graph.ts";
import { VISITS_MAX } from "./budget.ts";
import type { NameFault } from "./names.ts";

export type GraphRefusalCode =
  | NameFault
  | "NAME_EMPTY"
  | "EMPTY_MESSAGE"
  | "CYCLE"
  | "RESERVED"
  | "POLICY_FORBIDDEN"
  | "PRECONDITION_FAILED"
  | "LIMIT_EXCEEDED";

export type GraphRefusal = Refusal<GraphRefusalCode>;

export const refusal = (code: GraphRefusalCode, message: string): GraphRefusal => ({ code, message, blame: "client" });

export const NAME_FAULTS: Readonly<Record<NameFault, string>> = {
  NAME_TOO_LONG: `is longer than ${NAME_BYTES_MAX} bytes of UTF-8; choose a shorter one`,
  NAME_ILL_FORMED: "has half a surrogate pair and so no UTF-8; send well-formed text",
  NAME_CONTROL_CHARACTER: "has a control character (U+0000 to U+001F or U+007F to U+009F); leave it out",
};

export const limitExceeded = (): GraphRefusal =>
  refusal(
    "LIMIT_EXCEEDED",
    `The command would visit or remove more than ${VISITS_MAX} things; split it into smaller ones.`,
  );

/** Nodes of a cycle that a sentence names before it skips to the end. */
const SHOWN_HEAD = 5;
const SHOWN_TAIL = 3;

/** Names the cycle that mapping `parent` to the path's first node would close; `path` leads from that child up to the parent. */
export function cycleRefusal(parent: string, path: readonly string[]): GraphRefusal {
  const shown =
    path.length <= SHOWN_HEAD + SHOWN_TAIL
      ? path
      : [...path.slice(0, SHOWN_HEAD), `(${path.length - SHOWN_HEAD - SHOWN_TAIL} more)`, ...path.slice(-SHOWN_TAIL)];
  return refusal(
    "CYCLE",
    `The map would close the cycle ${[parent, ...shown].join(" → ")}; remove one of its maps first.`,
  );
}
