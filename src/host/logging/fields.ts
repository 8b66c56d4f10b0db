/**
 * What a log line may carry besides its message. A field that is not named here never reaches the log, whoever passed it
 * (DESIGN §6: secrets never appear in logs), and each kind says how its values are written.
 */
export type FieldKind = "number" | "boolean" | "word" | "text" | "error";

/** One line at most: what an error or a peer said is cut to this many characters. */
const TEXT_MAX = 1_024;
/** An identifier, a digest, a code or a name. */
const WORD = /^[A-Za-z0-9_.:/\-[\]]{1,200}$/;

export const LOG_FIELDS = {
  /** Which thread wrote the line. */
  thread: "word",
  /** Name of the node in `sky dev`. */
  node: "word",
  cluster: "word",
  aid: "word",
  peer: "word",
  operator: "word",
  ceremony: "word",
  purpose: "word",
  state: "word",
  port: "word",
  address: "word",
  code: "word",
  kind: "word",
  digest: "word",
  root: "word",
  height: "number",
  executed: "number",
  view: "number",
  epoch: "number",
  count: "number",
  bytes: "number",
  missing: "number",
  threshold: "number",
  ms: "number",
  pid: "number",
  exitCode: "number",
  signal: "word",
  dev: "boolean",
  retryable: "boolean",
  /** A refusal's sentence. */
  reason: "text",
  /** A file or directory of this node. */
  path: "text",
  error: "error",
} as const satisfies Readonly<Record<string, FieldKind>>;

type ValueOf<Kind extends FieldKind> = Kind extends "number"
  ? number
  : Kind extends "boolean"
    ? boolean
    : Kind extends "error"
      ? unknown
      : string;

export type LogFields = { readonly [Name in keyof typeof LOG_FIELDS]?: ValueOf<(typeof LOG_FIELDS)[Name]> };

const isKnown = (name: string): name is keyof typeof LOG_FIELDS => Object.hasOwn(LOG_FIELDS, name);

/**
 * The fields that pass, as they are written. `onDropped` is told the number of those that did not.
 */
export function allowedFields(
  fields: Readonly<Record<string, unknown>>,
  onDropped: (count: number) => void,
): Record<string, unknown> {
  const allowed: Record<string, unknown> = {};
  let dropped = 0;
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const written = isKnown(name) ? write(LOG_FIELDS[name], value) : undefined;
    if (written === undefined) dropped += 1;
    else allowed[name] = written;
  }
  if (dropped > 0) onDropped(dropped);
  return allowed;
}

/** The value as it is written; undefined when it is not of its kind. */
function write(kind: FieldKind, value: unknown): unknown {
  switch (kind) {
    case "number":
      return typeof value === "number" || typeof value === "bigint" ? Number(value) : undefined;
    case "boolean":
      return typeof value === "boolean" ? value : undefined;
    case "word":
      return writeWord(value);
    case "text":
      return typeof value === "string" ? oneLine(value) : undefined;
    case "error":
      return writeError(value);
  }
}

/** A word, or an object that prints itself as one: a Secret, whose text is a digest. Bytes never print themselves. */
function writeWord(value: unknown): string | undefined {
  const prints = typeof value === "object" && value !== null && !ArrayBuffer.isView(value) && !Array.isArray(value);
  const word = prints ? String(value as { toString: () => string }) : value;
  return typeof word === "string" && WORD.test(word) ? word : undefined;
}

/** Name, code, message and stack; never the other properties that an error may carry. */
function writeError(value: unknown): unknown {
  if (!(value instanceof Error)) return { name: typeof value };
  const code = "code" in value && typeof value.code === "string" && WORD.test(value.code) ? value.code : undefined;
  const cause = value.cause instanceof Error ? `${value.cause.name}: ${oneLine(value.cause.message)}` : undefined;
  return { name: value.name, code, message: oneLine(value.message), cause, stack: value.stack?.slice(0, 4 * TEXT_MAX) };
}

/** A control character could forge a line or drive a terminal. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f]+/g;
const oneLine = (value: string): string => value.slice(0, TEXT_MAX).replace(CONTROL, " ");
