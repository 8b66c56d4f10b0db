/** What a worker's death says of the disk: an error that crossed threads keeps its name, code and message, not its class. */
import { Fault } from "../../base/errors.ts";

/** The Fault that an error was before it crossed threads; undefined for a defect. */
export function faultAcross(error: Error): Fault | undefined {
  if (error instanceof Fault) return error;
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  if (code === undefined) return undefined;
  if (error.name === "Fault") return new Fault(code, error.message, { cause: error });
  if (code === "SQLITE_FULL" || code === "ENOSPC" || code === "EDQUOT")
    return new Fault("DISK_FULL", `${error.message}; free disk space, then start the node again.`, { cause: error });
  return undefined;
}
