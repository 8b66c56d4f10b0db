/** Log time as people write it on a command line: never in a time zone that is not said, and no day that the calendar does not have. */
import { InvalidArgumentError } from "commander";

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/;
const LAST_OF_DAY = "T23:59:59.999Z";

const HELP =
  "A day in UTC, 2026-11-22 (its end), or an instant with its zone: 2026-11-22T13:00:00Z, 2026-11-22T14:00+01:00.";

/** A day is its end, since what was so on that day is asked for. Units: ms since 1970. Throws: InvalidArgumentError. */
export function logTime(value: string): number {
  const text = DAY.test(value) ? `${value}${LAST_OF_DAY}` : value;
  const time = INSTANT.test(text) && isDay(text.slice(0, 10)) ? Date.parse(text) : NaN;
  if (Number.isSafeInteger(time) && time >= 0) return time;
  throw new InvalidArgumentError(HELP);
}

/** As logTime, or what `--json` prints: ms since 1970. Throws: InvalidArgumentError. */
export const instant = (value: string): number => (/^\d{1,15}$/.test(value) ? Number(value) : logTime(value));

/** Date.parse takes the 31st of February for the 3rd of March. */
function isDay(day: string): boolean {
  const midnight = Date.parse(`${day}T00:00:00Z`);
  return Number.isSafeInteger(midnight) && new Date(midnight).toISOString().startsWith(day);
}
