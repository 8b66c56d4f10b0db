/** How `sky dev --revive` and `sky inspect` reach the sky dev that runs the cluster: a socket in the cluster's directory (0700). */
import { createHash } from "node:crypto";
import { existsSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault } from "../../base/errors.ts";

const LINE_BYTES_MAX = 1024;

/** Paths of sockets are short (108 bytes on Linux): a long directory gets one under the system's temporary directory. */
function socketPath(directory: string): string {
  const inside = join(directory, "dev.sock");
  if (Buffer.byteLength(inside) < 100) return inside;
  return join(tmpdir(), `sky-dev-${createHash("sha256").update(directory).digest("hex").slice(0, 16)}.sock`);
}

export interface Control {
  readonly close: () => Promise<void>;
}

/** What it is asked for; each answers with a sentence, or a link. Throws: Fault. */
export interface Controlled {
  readonly revive: (name: string) => Promise<string>;
  readonly inspect: () => Promise<string>;
}

/** Answers requests: a line each, `revive NAME` or `inspect`. Throws: Fault ALREADY_RUNNING when another process runs this directory's cluster. */
export async function openControl(directory: string, controlled: Controlled): Promise<Control> {
  const path = socketPath(directory);
  if (existsSync(path)) {
    if (await answers(path))
      throw new Fault("ALREADY_RUNNING", `Another sky dev runs the cluster in ${directory}; stop it first.`);
    rmSync(path);
  }
  const server = createServer((socket) => {
    let line = "";
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => {
      line += chunk.toString("utf8");
      if (line.length > LINE_BYTES_MAX) socket.destroy();
      if (!line.endsWith("\n")) return;
      const [verb, name = ""] = line.trim().split(" ");
      line = "";
      (verb === "inspect" ? controlled.inspect() : controlled.revive(name)).then(
        (message) => socket.end(`${JSON.stringify({ ok: true, message })}\n`),
        (error: unknown) =>
          socket.end(
            `${JSON.stringify({ ok: false, code: error instanceof Fault ? error.code : "DEFECT", message: error instanceof Error ? error.message : String(error) })}\n`,
          ),
      );
    });
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(path, resolve));
  return { close: () => new Promise((resolve) => void server.close(() => resolve())) };
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

export type ControlAnswer =
  | { readonly ok: true; readonly message: string }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** Asks the process that runs the cluster. Throws: Fault NOT_RUNNING. */
export const askToRevive = (directory: string, name: string): Promise<ControlAnswer> =>
  ask(directory, `revive ${name}`);

/** A fresh link to the cluster's page. Throws: Fault NOT_RUNNING. */
export const askToInspect = (directory: string): Promise<ControlAnswer> => ask(directory, "inspect");

/** Whether a sky dev runs the cluster of this directory. */
export const isControlled = (directory: string): Promise<boolean> => answers(socketPath(directory));

function ask(directory: string, line: string): Promise<ControlAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath(directory));
    let answer = "";
    socket.once("error", (cause) =>
      reject(
        new Fault(
          "NOT_RUNNING",
          `No sky dev runs the cluster in ${directory}; start it with npx sky dev --dir ${directory}.`,
          { cause },
        ),
      ),
    );
    socket.on("data", (chunk) => {
      answer += chunk.toString("utf8");
    });
    socket.once("end", () => resolve(JSON.parse(answer) as ControlAnswer)); // our own process's words
    socket.write(`${line}\n`);
  });
}
