/** Keripy in a virtual environment of its own, and what is asked of it. */
import { execFile, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";

/** Thirty wheels, 67 MB. Units: ms. */
const INSTALL_MS = 300_000;
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
const PACKAGE = "keri==1.3.6";
const here = import.meta.dirname;

interface Ran {
  readonly ok: boolean;
  readonly text: string;
}

const run = (file: string, args: readonly string[], timeout = INSTALL_MS): Promise<Ran> =>
  new Promise((resolve) => {
    execFile(file, args, { timeout, maxBuffer: OUTPUT_BYTES_MAX }, (error, out, err) =>
      resolve(error === null ? { ok: true, text: out } : { ok: false, text: `${err}${out}`.trim() || error.message }),
    );
  });

/** Names of Python that may be new enough, and those that pyenv keeps. */
function candidates(): readonly string[] {
  const versions = path.join(process.env["PYENV_ROOT"] ?? path.join(homedir(), ".pyenv"), "versions");
  const kept = existsSync(versions)
    ? readdirSync(versions).map((one) => path.join(versions, one, "bin", "python3"))
    : [];
  return ["python3", "python3.13", "python3.14", "python3.12", ...kept];
}

const NEW_ENOUGH = "import sys; sys.exit(0 if sys.version_info >= (3, 12, 2) else 1)";

async function findPython(): Promise<string | undefined> {
  for (const file of candidates()) if ((await run(file, ["-c", NEW_ENOUGH], 10_000)).ok) return file;
  return undefined;
}

const lastLine = (text: string): string => text.trim().split("\n").at(-1) ?? "";

/** Returns: its Python, or why there is none. */
export async function installKeripy(directory: string): Promise<Ran> {
  const python = await findPython();
  if (python === undefined) return { ok: false, text: "keripy needs Python 3.12.2 or later, which is not here" };
  const venv = await run(python, ["-m", "venv", directory]);
  if (!venv.ok) return { ok: false, text: `${python} has no venv (${lastLine(venv.text)})` };
  const file = path.join(directory, "bin", "python");
  const installed = await run(file, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]);
  if (!installed.ok) return { ok: false, text: `pip cannot install ${PACKAGE} (${lastLine(installed.text)})` };
  const imported = await run(file, ["-c", "import pysodium, keri.core.eventing"]);
  return imported.ok
    ? { ok: true, text: file }
    : { ok: false, text: `keripy cannot be loaded, libsodium may be missing (${lastLine(imported.text)})` };
}

/** Identifier → SAIDs in force, by sequence number. */
export type Logs = Readonly<Record<string, readonly string[]>>;

export interface Judged {
  readonly verdicts: readonly string[];
  readonly inForce: Logs;
}

export interface Lives {
  readonly messages: readonly Uint8Array[];
  readonly inForce: Logs;
  /** Of the bodies: JSON, CBOR or MGPK. */
  readonly kind: string;
}

export class Keripy {
  readonly #python: string;

  constructor(python: string) {
    this.#python = python;
  }

  async version(): Promise<string> {
    return (await this.#output(["-c", "import keri; print(keri.__version__)"])).trim();
  }

  /** Each stream by a verifier that knows nothing yet. */
  async judge(streams: readonly (readonly Uint8Array[])[]): Promise<readonly Judged[]> {
    const lines = streams.map((messages) =>
      JSON.stringify({ messages: messages.map((message) => Buffer.from(message).toString("base64")) }),
    );
    const answers = linesOf(await this.#output([path.join(here, "verify.py")], `${lines.join("\n")}\n`));
    // What our own script prints.
    return answers.map((line) => JSON.parse(line) as Judged);
  }

  async make(seed: number, count: number): Promise<readonly Lives[]> {
    const output = await this.#output([path.join(here, "make.py"), String(seed), String(count)]);
    return linesOf(output).map((line) => {
      const made = JSON.parse(line) as Omit<Lives, "messages"> & { readonly messages: readonly string[] };
      return { ...made, messages: made.messages.map((text) => new Uint8Array(Buffer.from(text, "base64"))) };
    });
  }

  #output(args: readonly string[], input = ""): Promise<string> {
    return new Promise((resolve, reject) => {
      const child = spawn(this.#python, args, { stdio: ["pipe", "pipe", "pipe"], timeout: INSTALL_MS });
      const [out, err]: [Buffer[], Buffer[]] = [[], []];
      child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
      child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
      child.once("error", reject);
      child.once("close", (code) => {
        if (code === 0) resolve(Buffer.concat(out).toString("utf8"));
        else reject(new Error(`keripy ended with code ${String(code)}: ${Buffer.concat(err).toString("utf8")}`));
      });
      child.stdin.end(input);
    });
  }
}

const linesOf = (text: string): readonly string[] => text.split("\n").filter((line) => line !== "");
