/** `sky inspect` and `sky simulate` as their users run them. */
import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import { root, sky, until } from "../cluster.ts";

/** A link that the inspector printed. */
const LINK = /http:\/\/127\.0\.0\.1:\d+\/inspect\/#token=\S+/;
export const linkIn = (lines: readonly string[]): string | undefined =>
  lines.map((line) => LINK.exec(line)?.[0]).find(Boolean);

/** Records one simulated minute of four members, one of which is Byzantine. Throws: when a rule was broken, with what was said. */
export async function record(file: string, seed: number, actor: string): Promise<void> {
  const options = ["--seed", String(seed), "--nodes", "4", "--byzantine", "1", "--actor", actor, "--record", file];
  const { code, out, err } = await sky("simulate", ...options);
  if (code !== 0) throw new Error(`sky simulate ended with ${code}: ${out}${err}`);
}

export class Inspecting {
  readonly #child: ChildProcess;
  readonly said: string[] = [];

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Serves a recording or a directory, and waits for the link. */
  static async start(what: string): Promise<Inspecting> {
    const child = spawn(process.execPath, [path.join(root, "bin/sky.js"), "inspect", what], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const inspecting = new Inspecting(child);
    for (const stream of [child.stdout, child.stderr])
      createInterface(stream).on("line", (line) => void inspecting.said.push(line));
    await until("sky inspect prints its link", () => {
      if (child.exitCode !== null) throw new Error(`sky inspect ended: ${inspecting.said.join("\n")}`);
      return linkIn(inspecting.said) !== undefined;
    });
    return inspecting;
  }

  get link(): string {
    const link = linkIn(this.said);
    if (link === undefined) throw new Error(`no link: ${this.said.join("\n")}`);
    return link;
  }

  /** Ctrl-C, and its exit code. */
  stop(): Promise<number | null> {
    return new Promise((resolve) => {
      if (this.#child.exitCode !== null) return resolve(this.#child.exitCode);
      this.#child.once("exit", (code) => resolve(code));
      this.#child.kill("SIGINT");
    });
  }
}
