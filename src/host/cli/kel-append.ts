/** `sky kel append FILE`: hands a CESR stream of any length, anybody's, to a cluster, as commands that each are done whole or not at all. */
import { concatBytes } from "../../base/bytes.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { SkyError } from "../../client/errors.ts";
import type { KerlClient } from "../../client/kerl-client.ts";
import { PAYLOAD_BYTES_MAX } from "../../events/facts/command.ts";
import { STREAM_MESSAGES_MAX } from "../../events/facts/kerl.ts";
import { parseStream } from "../../keri/stream.ts";
import { readPublic } from "../founding/files.ts";
import { type CliIo, EXIT, type ExitCode, reportFailure, reportRefusal } from "./io.ts";
import { asking } from "./kel-cluster.ts";
import { type KelOptions, exitOf, withDesk } from "./kel-identity.ts";

/** Some twenty thousand events; more come as several files. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;

/** Part of a stream that is one command. */
export interface Piece {
  /** Which of the stream's messages is its first, from 1. */
  readonly first: number;
  readonly messages: number;
  readonly stream: Uint8Array;
}

/** Cuts between messages. Bounds: 64 messages and 256 KiB a piece. Refuses: what is no CESR stream, or holds nothing. */
export function piecesOf(stream: Uint8Array): Result<readonly Piece[]> {
  const { messages, refusal } = parseStream(stream);
  if (refusal !== null) return refuse(refusal.code, `At byte ${refusal.at}: ${refusal.message}`, "client");
  if (messages.length === 0) return refuse("EMPTY_MESSAGE", "The stream holds no message.", "client");
  const pieces: Piece[] = [];
  let [sources, bytes, first]: [Uint8Array[], number, number] = [[], 0, 1];
  const cut = (): void => {
    pieces.push({ first, messages: sources.length, stream: concatBytes(...sources) });
    first += sources.length;
    [sources, bytes] = [[], 0];
  };
  for (const { source } of messages) {
    if (sources.length === STREAM_MESSAGES_MAX || (bytes > 0 && bytes + source.length > PAYLOAD_BYTES_MAX)) cut();
    sources.push(source);
    bytes += source.length;
  }
  cut();
  return ok(pieces);
}

/** What became of one message. */
export interface MessageReport {
  readonly aid: string;
  readonly sn: number;
  readonly type: string;
  readonly said: string;
  readonly verdict: string;
  /** Whether this command changed anything. */
  readonly changed: boolean;
}

/** What became of a stream: of the pieces before the one that was refused, if one was. */
export interface AppendReport {
  readonly messages: readonly MessageReport[];
  readonly failed: SkyError | null;
}

/** Hands over piece after piece, and stops at the first that is not taken. */
export async function appendPieces(
  client: Pick<KerlClient, "append">,
  pieces: readonly Piece[],
  timeoutMs?: number,
): Promise<AppendReport> {
  const messages: MessageReport[] = [];
  for (const { first, messages: count, stream } of pieces) {
    try {
      const appended = await client.append(stream, timeoutMs);
      messages.push(
        ...appended.messages.map(({ aid, sn, type, said, verdict, changed }) => ({
          ...{ aid, sn: Number(sn), type, said, verdict, changed },
        })),
      );
    } catch (error) {
      if (!(error instanceof SkyError)) throw error;
      const { code, message, retryable } = error;
      const which = pieces.length === 1 ? "" : `Messages ${first} to ${first + count - 1}: `;
      return { messages, failed: new SkyError(code, `${which}${message}`, { retryable, cause: error }) };
    }
  }
  return { messages, failed: null };
}

/** Verdicts by which the log has not taken a message as its author's word. */
const REFUSED: ReadonlySet<string> = new Set(["forked", "dropped"]);

/** How a command ends that appended this. */
export const exitOfReport = ({ messages, failed }: AppendReport): ExitCode => {
  if (failed !== null) return exitOf(failed);
  return messages.some(({ verdict }) => REFUSED.has(verdict)) ? EXIT.refused : EXIT.ok;
};

/** As wide as the longest verdict. */
const VERDICT_WIDTH = "escrowed:partially-witnessed".length;

export function printMessages(messages: readonly MessageReport[], io: CliIo): void {
  for (const { aid, sn, type, said, verdict } of messages)
    io.out(`${verdict.padEnd(VERDICT_WIDTH)}  ${type} ${sn} ${aid} ${said === aid ? "" : said}`.trimEnd());
}

export interface AppendOptions extends KelOptions {
  readonly args: readonly [string];
}

/** Refuses: FILE_… for what cannot be read, KERI_… and TOO_LARGE of the stream or of a message, and whatever the cluster refuses. */
export const append = (given: AppendOptions, io: CliIo): Promise<ExitCode> => {
  const options = { ...given, submit: true };
  const json = options.json === true;
  return withDesk(options, io, async (desk) => {
    const file = readPublic(options.args[0], FILE_BYTES_MAX);
    const pieces = file.ok ? piecesOf(file.value) : file;
    if (!pieces.ok) return reportRefusal(io, pieces.refusal, json);
    const report = await asking(desk.where(), (client) => appendPieces(client, pieces.value, options.timeout));
    const { messages, failed } = report;
    const code = exitOfReport(report);
    if (json) {
      const failure = failed === null ? {} : { code: failed.code, message: failed.message };
      io.out(JSON.stringify({ ok: code === EXIT.ok, messages, ...failure }));
      return code;
    }
    printMessages(messages, io);
    if (failed !== null) reportFailure(io, failed.code, failed.message, false);
    return code;
  });
};
