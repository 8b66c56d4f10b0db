/** Reads passphrases: from a terminal without showing them, else from a file or standard input. Never from argv or the environment. */
import type { CliIo } from "./io.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import { readPrivate } from "../founding/files.ts";

const PASSPHRASE_BYTES_MAX = 1024;
/** Shorter ones are guessed faster than scrypt slows guessing. */
const NEW_PASSPHRASE_MIN = 12;
const ENTER = new Set([0x0a, 0x0d]);
const INTERRUPT = 0x03;
const BACKSPACES = new Set([0x08, 0x7f]);

/** The passphrase, as UTF-8 bytes that the caller erases. `file`: one with the passphrase as its first line, 0600. */
export async function readPassphrase(io: CliIo, question: string, file?: string): Promise<Result<Uint8Array>> {
  if (file !== undefined) {
    const content = readPrivate(file, PASSPHRASE_BYTES_MAX);
    if (!content.ok) return content;
    return given(firstLine(content.value), `${file} is empty; its first line must be the passphrase.`);
  }
  return given(await readLine(io, question), "No passphrase was given; type it, or pass it on standard input.");
}

/** A new passphrase: asked for twice on a terminal. Refuses: what is too short or differs. */
export async function readNewPassphrase(io: CliIo, question: string, file?: string): Promise<Result<Uint8Array>> {
  const first = await readPassphrase(io, question, file);
  if (!first.ok) return first;
  if (first.value.length < NEW_PASSPHRASE_MIN)
    return refuse(
      "PASSPHRASE_MISSING",
      `A passphrase has at least ${NEW_PASSPHRASE_MIN} characters; choose a longer one.`,
    );
  if (file !== undefined || !io.stdin.isTTY) return first;
  const second = await readPassphrase(io, "The same again");
  if (!second.ok) return second;
  const same = Buffer.compare(first.value, second.value) === 0;
  second.value.fill(0);
  return same ? first : refuse("PASSPHRASE_MISMATCH", "The two passphrases differ; try again.");
}

const given = (passphrase: Uint8Array, sentence: string): Result<Uint8Array> =>
  passphrase.length === 0 ? refuse("PASSPHRASE_MISSING", sentence) : ok(passphrase);

function firstLine(content: Uint8Array): Uint8Array {
  const end = content.findIndex((byte) => ENTER.has(byte));
  return content.slice(0, end < 0 ? content.length : end);
}

function readLine(io: CliIo, question: string): Promise<Uint8Array> {
  const { stdin } = io;
  const hidden = stdin.isTTY === true;
  if (hidden) {
    process.stderr.write(`${question}: `);
    stdin.setRawMode(true);
  }
  return new Promise((resolve) => {
    const typed: number[] = [];
    const finish = (): void => {
      stdin.off("data", onData);
      stdin.off("end", finish);
      stdin.pause();
      if (hidden) {
        stdin.setRawMode(false);
        process.stderr.write("\n");
      }
      const passphrase = Uint8Array.from(typed);
      typed.fill(0);
      resolve(passphrase);
    };
    const onData = (chunk: Buffer): void => {
      for (const [i, byte] of chunk.entries()) {
        if (ENTER.has(byte)) {
          stdin.unshift(chunk.subarray(i + 1)); // what follows is the next question's
          return finish();
        }
        if (hidden && byte === INTERRUPT) {
          typed.fill(0);
          typed.length = 0;
          finish();
          process.kill(process.pid, "SIGINT"); // raw mode takes the terminal's own Ctrl-C away
          return;
        }
        if (hidden && BACKSPACES.has(byte)) typed.pop();
        else if (typed.length < PASSPHRASE_BYTES_MAX) typed.push(byte);
      }
    };
    stdin.on("data", onData);
    stdin.on("end", finish);
    stdin.resume();
  });
}
