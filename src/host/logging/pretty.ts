import type { DestinationStream } from "pino";

const COLORS: Readonly<Record<string, string>> = { debug: "\u001b[2m", warn: "\u001b[33m", error: "\u001b[31m" };
const RESET = "\u001b[0m";

/** Turns pino's JSON lines into lines for a person: `12:34:56 warn a sentence (code=X height=7)`. */
export const prettyStream = (target: DestinationStream, colors = false): DestinationStream => ({
  write: (line) => target.write(`${formatLine(line, colors)}\n`),
});

/** One line of JSON as one line of text; a line that is not ours passes as it is. */
function formatLine(line: string, colors: boolean): string {
  const parsed = parse(line);
  if (parsed === undefined) return line.trimEnd();
  const { level, time, msg, error, ...rest } = parsed;
  const fields = Object.entries(rest).map(([name, value]) => `${name}=${String(value)}`);
  if (isError(error)) fields.push(`${error.name}: ${error.message}`);
  const details = fields.length === 0 ? "" : ` (${fields.join(" ")})`;
  const text = `${String(time).slice(11, 19)} ${String(level).padEnd(5)} ${String(msg)}${details}`;
  const color = colors ? COLORS[String(level)] : undefined;
  return color === undefined ? text : `${color}${text}${RESET}`;
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

const isError = (value: unknown): value is { readonly name: string; readonly message: string } =>
  typeof value === "object" && value !== null && "name" in value && "message" in value;
