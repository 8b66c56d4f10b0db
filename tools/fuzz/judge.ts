/** What must hold for every input, whatever it is. */
import { equalBytes } from "../../src/base/bytes.ts";
import { toBase64Url } from "../../src/keri/cesr/base64url.ts";
import { parseBody } from "../../src/keri/event.ts";
import type { KeriMessage } from "../../src/keri/messages.ts";
import { type StreamProgress, StreamParser, parseStream } from "../../src/keri/stream.ts";
import type { Random } from "../sim/random.ts";
import { mutate } from "./mutate.ts";
import { reexport } from "./reexport.ts";

/** An input that takes as long as a thousand usual ones is an attack that works. */
const INPUT_MS_MAX = 10;
/** From here on the fastest of nine counts: others use the machine too, and garbage is collected some time. */
const DOUBTFUL_MS = 0.5;
const RETRIES = 8;
/** One input in so many is parsed again in pieces. */
const PIECES_EVERY = 4;

export interface Tally {
  inputs: number;
  bytes: number;
  messages: number;
  accepted: number;
  /** Changed in a value, or to another stream: what was accepted is what came. */
  acceptedChanged: number;
  readonly refusals: Map<string, number>;
  parseMs: number;
  slowestMs: number;
  slowestBytes: number;
}

export const emptyTally = (): Tally => ({
  inputs: 0,
  bytes: 0,
  messages: 0,
  accepted: 0,
  acceptedChanged: 0,
  refusals: new Map(),
  parseMs: 0,
  slowestMs: 0,
  slowestBytes: 0,
});

/** Text of groups that all came in one domain, without the line feeds that end a message; undefined where that cannot be said. */
function textOf(attached: Uint8Array): string | undefined {
  if (attached.every((byte) => byte < 0x80)) return Buffer.from(attached).toString("latin1").replace(/\n+$/, "");
  const binary = attached[0] !== 0x2d && attached.at(-1) !== 0x0a && attached.length % 3 === 0;
  return binary ? toBase64Url(attached) : undefined;
}

const meaning = ({ attachments, bodyKind, version }: KeriMessage): string =>
  JSON.stringify([attachments, bodyKind, version], (_key, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value,
  );

/** An accepted message stands by itself, and its attached text is the only one for what it decodes to. Throws: when not. */
function checkMessage(message: KeriMessage): void {
  const { body, attached, version } = message;
  const { messages, refusal } = parseStream(Buffer.concat([body, attached]));
  const [alone] = messages;
  if (refusal !== null || alone === undefined || messages.length > 1)
    throw new Error(`an accepted message is refused alone: ${refusal?.message ?? "it is several"}`);
  if (meaning(alone) !== meaning(message)) throw new Error("an accepted message reads otherwise alone");
  const text = textOf(attached);
  if (text !== undefined && reexport(text, version.major) !== text)
    throw new Error("what is attached is not what its decoded values are written as");
}

function inPieces(bytes: Uint8Array, random: Random): StreamProgress {
  const parser = new StreamParser();
  const messages: KeriMessage[] = [];
  const longest = random.chance(0.1) ? 3 : 700;
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random.below(longest);
    messages.push(...parser.push(bytes.subarray(at, at + size)).messages);
    at += size;
  }
  const { messages: last, refusal } = parser.end();
  return { messages: [...messages, ...last], refusal };
}

function samePieces(whole: StreamProgress, pieces: StreamProgress): boolean {
  return (
    whole.messages.length === pieces.messages.length &&
    JSON.stringify(whole.refusal) === JSON.stringify(pieces.refusal) &&
    whole.messages.every(({ source }, i) => equalBytes(source, pieces.messages[i]?.source ?? new Uint8Array(0)))
  );
}

function timed(bytes: Uint8Array): { readonly parsed: StreamProgress; readonly ms: number } {
  const start = performance.now();
  const parsed = parseStream(bytes);
  return { parsed, ms: performance.now() - start };
}

function judge(bytes: Uint8Array, random: Random, tally: Tally, bodies: boolean): StreamProgress {
  const { parsed, ms } = timed(bytes);
  let fastest = ms;
  for (let i = 0; i < RETRIES && fastest > DOUBTFUL_MS; i++) fastest = Math.min(fastest, timed(bytes).ms);
  if (fastest > INPUT_MS_MAX) throw new Error(`an input of ${bytes.length} bytes takes ${fastest.toFixed(1)} ms`);
  let at = 0;
  for (const message of parsed.messages) {
    if (!equalBytes(message.source, bytes.subarray(at, at + message.source.length)))
      throw new Error("what is accepted is not what came");
    at += message.source.length;
    checkMessage(message);
    if (bodies) parseBody(message.body, message.bodyKind, message.version);
  }
  if (parsed.refusal === null && at !== bytes.length) throw new Error("a stream is accepted, and part of it is lost");
  if (tally.inputs % PIECES_EVERY === 0 && !samePieces(parsed, inPieces(bytes, random)))
    throw new Error("cut into pieces, the outcome is another");
  tally.inputs += 1;
  tally.bytes += bytes.length;
  tally.messages += parsed.messages.length;
  tally.parseMs += ms;
  if (fastest > tally.slowestMs) [tally.slowestMs, tally.slowestBytes] = [fastest, bytes.length];
  return parsed;
}

/** What broke a rule: the input, and which rule. */
export interface Finding {
  readonly bytes: Uint8Array;
  readonly error: Error;
}

/** Makes one input and judges it. `bodies`: what is accepted is read as an event too. */
export function tryInput(
  bases: readonly Uint8Array[],
  random: Random,
  tally: Tally,
  { bodies = false }: { readonly bodies?: boolean } = {},
): Finding | undefined {
  const base = random.pick(bases);
  const bytes = mutate(base, random, random.pick(bases));
  try {
    const { refusal } = judge(bytes, random, tally, bodies);
    if (refusal !== null) tally.refusals.set(refusal.code, (tally.refusals.get(refusal.code) ?? 0) + 1);
    else if (equalBytes(bytes, base)) tally.accepted += 1;
    else tally.acceptedChanged += 1;
    return undefined;
  } catch (error) {
    return { bytes, error: error instanceof Error ? error : new Error(String(error)) };
  }
}
