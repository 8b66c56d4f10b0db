/** What one attempt left open, no later attempt closes but by an outcome. */
import { SkyError } from "./errors.ts";

const UNKNOWN: ReadonlySet<string> = new Set(["OUTCOME_UNKNOWN", "UNAVAILABLE_OUTCOME_UNKNOWN"]);

type Deliver<Context extends readonly unknown[], Answer> = (
  attempt: (...context: Context) => Promise<Answer>,
) => Promise<Answer>;

/**
 * Delivers a write in several attempts. Once a node may have done it, another node's refusal to take it says nothing about that: it
 * fails as OUTCOME_UNKNOWN then, with the refusal as its cause.
 * Throws: SkyError.
 */
export async function untilOutcome<Context extends readonly unknown[], Answer>(
  deliver: Deliver<Context, Answer>,
  attempt: (...context: Context) => Promise<Answer>,
): Promise<Answer> {
  let open: SkyError | undefined;
  try {
    return await deliver(async (...context) => {
      try {
        return await attempt(...context);
      } catch (error) {
        if (error instanceof SkyError && UNKNOWN.has(error.code)) open = error;
        throw error;
      }
    });
  } catch (error) {
    throw open === undefined ? error : new SkyError(open.code, open.message, { retryable: true, cause: error });
  }
}
