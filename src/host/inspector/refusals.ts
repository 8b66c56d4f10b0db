/** The "no" of the inspector's server: a stable code, a sentence that says what to do, one HTTP status each. */
import { type No, type Refusal, type Result, refuse } from "../../base/result.ts";
import { unreachable } from "../../base/errors.ts";
import type { InspectorCode } from "./source.ts";

export type ServerCode =
  | InspectorCode
  /** No session, or no such token. */
  | "UNAUTHENTICATED"
  /** A Host that is none of the server's names: a name of a stranger that was made to lead here (DNS rebinding). */
  | "FOREIGN_HOST"
  /** Another site's page asks. */
  | "FOREIGN_ORIGIN"
  /** Somebody whom the graph does not let look. */
  | "FORBIDDEN"
  | "METHOD_NOT_ALLOWED"
  | "BODY_REFUSED"
  | "FAILED";

/** A value, or one of these. */
export type Judged<T> = Result<T, Refusal<ServerCode>>;

export const no = <Code extends ServerCode>(code: Code, message: string): No<Refusal<Code>> => refuse(code, message);

export function statusOf(code: ServerCode): number {
  switch (code) {
    case "INVALID_QUESTION":
    case "BODY_REFUSED":
      return 400;
    case "UNAUTHENTICATED":
      return 401;
    case "FORBIDDEN":
    case "FOREIGN_HOST":
    case "FOREIGN_ORIGIN":
      return 403;
    case "NOT_FOUND":
    case "NOT_HELD":
    case "NOT_SHOWN":
      return 404;
    case "METHOD_NOT_ALLOWED":
      return 405;
    case "FAILED":
      return 500;
    case "NOT_READY":
    case "TOO_MANY":
      return 503;
    default:
      return unreachable(code);
  }
}
