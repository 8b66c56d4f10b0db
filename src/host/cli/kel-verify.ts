/**
 * `sky kel verify FILE`: reads a CESR stream and says of every message what becomes of it, as a verifier that knows nothing yet.
 *
 * Verdicts are those at the moment when a message comes, in order, as keripy gives them; what then became of those that waited
 * (`settled`) is judged once all was read. The file is read in chunks and may be longer than memory, its events may not.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { Fault } from "../../base/errors.ts";
import { decodeBody } from "../../keri/bodies.ts";
import { applyKerlFact } from "../../keri/kerl-fold.ts";
import { MemoryKerl } from "../../keri/kerl-overlay.ts";
import type { KerlMoment, KerlResult } from "../../keri/kerl.ts";
import type { KeriMessage } from "../../keri/messages.ts";
import { judgeArrival } from "../../keri/rules.ts";
import { settleAll } from "../../keri/settle.ts";
import { StreamParser, type StreamRefusal } from "../../keri/stream.ts";
import { writeThreshold } from "../../keri/threshold.ts";
import { type CliIo, EXIT, type ExitCode } from "./io.ts";

export interface KelVerifyOptions {
  readonly args: readonly [string];
  readonly json?: boolean;
}

/** What is printed of one message; null where the message does not say so much. */
interface Row {
  readonly aid: string | null;
  readonly sn: number | null;
  readonly type: string | null;
  readonly said: string | null;
  readonly verdict: string;
  /** A sentence, where it was rejected. */
  readonly why?: string;
  /** What became of it once all was read, where it waited. */
  readonly settled?: string;
}

const CHUNK_BYTES = 65_536;
/** Between two lines of progress: some ten thousand events, a few seconds. */
const PROGRESS_BYTES = 4 * 1024 * 1024;
/** A stream may hold its receipts at its end: more may wait than in the log, and still not without bounds. One file shares with nobody. */
const MOMENT: KerlMoment = {
  height: 0,
  bounds: { perAid: 4096, bytesPerAid: 16 * 1024 * 1024, all: 65_536, bytesAll: 256 * 1024 * 1024, isShared: false },
};

export async function run({ args: [path], json = false }: KelVerifyOptions, io: CliIo): Promise<ExitCode> {
  const verifier = new Verifier();
  const refusal = readFile(path, verifier, io);
  verifier.finish(refusal);
  if (json) printJson(verifier.rows, io);
  else printText(verifier, io);
  return verifier.rows.some(({ verdict, settled }) => isRejected(verdict) || isRejected(settled))
    ? EXIT.refused
    : EXIT.ok;
}

const isRejected = (verdict: string | undefined): boolean => verdict?.startsWith("rejected:") === true;

/** Feeds the file to the verifier; the refusal that ended it. Throws: Fault when it cannot be read. */
function readFile(path: string, verifier: Verifier, io: CliIo): StreamRefusal | null {
  const file = openFile(path);
  try {
    const size = fstatSync(file).size;
    const parser = new StreamParser();
    let read = 0;
    let told = 0;
    for (;;) {
      const chunk = new Uint8Array(CHUNK_BYTES);
      const length = readSync(file, chunk, 0, CHUNK_BYTES, null);
      const progress = length === 0 ? parser.end() : parser.push(chunk.subarray(0, length));
      for (const message of progress.messages) verifier.take(message);
      if (progress.refusal !== null || length === 0) return progress.refusal;
      read += length;
      if (read - told < PROGRESS_BYTES) continue;
      told = read;
      io.err(`${megabytes(read)} of ${megabytes(size)} read, ${verifier.rows.length} messages`);
    }
  } catch (error) {
    if (error instanceof Error && "code" in error) throw unreadable(path, error);
    throw error;
  } finally {
    closeSync(file);
  }
}

const megabytes = (bytes: number): string => `${Math.floor(bytes / 1024 / 1024)} MiB`;

const unreadable = (path: string, cause: unknown): Fault =>
  new Fault("KEL_READ_FAILED", `${path} cannot be read; name a file that holds a CESR stream.`, { cause });

function openFile(path: string): number {
  try {
    return openSync(path, "r");
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** Messages after which a look for what need not wait any more is worth its cost, where the last one found nothing. */
const LOOK_AGAIN_AFTER = 4096;

class Verifier {
  readonly kerl = new MemoryKerl();
  readonly #rows: Row[] = [];
  /** Those that waited when they came, by the place of their row. */
  readonly #waiting = new Map<number, KeriMessage>();
  /** Row from which on it is worth to make room. */
  #roomFrom = 0;

  get rows(): readonly Row[] {
    return this.#rows;
  }

  take(message: KeriMessage): void {
    let judged = judgeArrival(this.kerl, message, MOMENT);
    if (!judged.ok && judged.refusal.code === "KERI_ESCROW_FULL" && this.#makesRoom())
      judged = judgeArrival(this.kerl, message, MOMENT);
    if (judged.ok) for (const fact of judged.value.facts) applyKerlFact(this.kerl, fact, MOMENT.height);
    const verdict = verdictOf(judged);
    if (verdict.startsWith("escrowed:")) this.#waiting.set(this.#rows.length, message);
    this.#rows.push({ ...nameOf(message), verdict, ...(!judged.ok && { why: judged.refusal.message }) });
  }

  /** All was read, or the rest of it cannot be: what waits is judged again. */
  finish(refusal: StreamRefusal | null): void {
    if (refusal !== null) {
      const why = `At byte ${refusal.at}: ${refusal.message}`;
      this.#rows.push({ aid: null, sn: null, type: null, said: null, verdict: `rejected:${refusal.code}`, why });
    }
    settleAll(this.kerl, () => this.kerl.escrows(), MOMENT);
    this.#conclude(() => true);
  }

  /**
   * Receipts that come after their events keep all later events of a log waiting: once there is no more room, what waits is judged again,
   * and a stream may be of any length. Returns: whether anything was accepted.
   */
  #makesRoom(): boolean {
    if (this.#rows.length < this.#roomFrom) return false;
    const facts = settleAll(this.kerl, () => this.kerl.escrows(), MOMENT);
    const found = facts.some(({ kind }) => kind === "keyEventAccepted");
    if (found) this.#conclude((verdict) => verdict === "accepted");
    else this.#roomFrom = this.#rows.length + LOOK_AGAIN_AFTER;
    return found;
  }

  /** What became of those that waited, where that is final. */
  #conclude(isFinal: (verdict: string) => boolean): void {
    for (const [place, message] of this.#waiting) {
      const row = this.#rows[place];
      const judged = judgeArrival(this.kerl, message, MOMENT);
      const settled = verdictOf(judged);
      if (row === undefined || !isFinal(settled)) continue;
      this.#rows[place] = { ...row, settled, ...(!judged.ok && { why: judged.refusal.message }) };
      this.#waiting.delete(place);
    }
  }
}

/** Rules' verdicts in the three words of the command. */
function verdictOf(judged: KerlResult): string {
  if (!judged.ok) return `rejected:${judged.refusal.code}`;
  const { verdict } = judged.value;
  if (verdict === "duplicitous") return "rejected:KERI_DUPLICITOUS";
  return verdict === "receipt" || verdict === "known" || verdict === "replied" ? "accepted" : verdict;
}

/** What a message says it is, even where it is refused for something else. */
function nameOf({ body, bodyKind }: KeriMessage): Pick<Row, "aid" | "sn" | "type" | "said"> {
  const decoded = decodeBody(body, bodyKind);
  const fields = decoded.ok ? decoded.value : {};
  const text = (name: string): string | null => {
    const value = fields[name];
    return typeof value === "string" ? value : null;
  };
  const sn = text("s");
  return {
    aid: text("i"),
    sn: sn !== null && /^[0-9a-f]{1,13}$/.test(sn) ? Number.parseInt(sn, 16) : null,
    type: text("t"),
    said: text("d"),
  };
}

/** One array, a message a line. */
function printJson(rows: readonly Row[], io: CliIo): void {
  io.out("[");
  for (const [i, row] of rows.entries()) io.out(`${JSON.stringify(row)}${i + 1 < rows.length ? "," : ""}`);
  io.out("]");
}

/** As wide as the longest verdict that is common. */
const VERDICT_WIDTH = "escrowed:partially-witnessed".length;

function printText({ kerl, rows }: Verifier, io: CliIo): void {
  for (const { aid, sn, type, said, verdict, why, settled } of rows) {
    const place = [type ?? "?", sn ?? "-", aid ?? "-", said === aid ? "" : (said ?? "")].join(" ").trimEnd();
    io.out(
      `${verdict.padEnd(VERDICT_WIDTH)}  ${place}${settled === undefined || settled === verdict ? "" : `, then ${settled}`}`,
    );
    if (why !== undefined) io.out(`${" ".repeat(VERDICT_WIDTH)}  ${why}`);
  }
  const aids = kerl.aids();
  io.out(`messages: ${rows.length}; identifiers in force: ${aids.length}`);
  for (const aid of aids) {
    const state = kerl.keyState(aid);
    if (state === undefined) continue;
    const { latest, keyTexts, threshold, nextDigests, nextThreshold, witnesses, witnessThreshold, delegator } = state;
    io.out(`${aid} at ${latest.sn} (${latest.type}) ${latest.said}`);
    io.out(
      `  keys ${keyTexts.join(" ")}, threshold ${JSON.stringify(writeThreshold(threshold))}, set by event ${state.sn}`,
    );
    io.out(
      nextDigests.length === 0
        ? "  never rotates again"
        : `  next keys: ${nextDigests.length}, threshold ${JSON.stringify(writeThreshold(nextThreshold))}`,
    );
    if (witnesses.length > 0) io.out(`  witnesses ${witnesses.join(" ")}, of which ${witnessThreshold}`);
    if (delegator !== null) io.out(`  delegated by ${delegator}`);
  }
}
