/** `sky dev`: a cluster on this machine, for trying out. Throw-away keys, loopback only. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { makePrivateDirectory } from "../founding/files.ts";
import { Fault } from "../../base/errors.ts";
import { askToRevive, openControl } from "../dev/control.ts";
import type { PageServer } from "../inspector/page-server.ts";
import type { InspectorSource } from "../inspector/source.ts";
import { type CliIo, EXIT, type ExitCode, reportFailure } from "./io.ts";

export interface DevCommandOptions {
  readonly dir?: string;
  readonly nodes?: number;
  readonly checkpointBlocks?: number;
  /** Units: s. */
  readonly certificateLifetime?: number;
  readonly rotateKeysEvery?: number;
  readonly story?: boolean;
  readonly once?: boolean;
  readonly revive?: string;
  readonly json?: boolean;
}

const NODES = 4;

export async function run(options: DevCommandOptions, io: CliIo): Promise<ExitCode> {
  if (options.revive !== undefined) return revive(options, options.revive, io);
  const directory = options.dir === undefined ? mkdtempSync(join(tmpdir(), "sky-dev-")) : resolve(options.dir);
  const interruption = io.interruption();
  const began = performance.now();
  const json = options.json === true;
  const say = (line: string): void => {
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    if (json) io.out(JSON.stringify({ seconds: Number(seconds), message: line }));
    else io.out(`${seconds.padStart(5)} s  ${line}`);
  };
  if (!json) io.out("sky dev: a DEVELOPMENT cluster with throw-away keys on loopback; never give it a real secret");
  const { DevCluster } = await import("../dev/cluster.ts");
  const cluster = new DevCluster({
    directory,
    nodes: options.nodes ?? NODES,
    say,
    settings: {
      checkpointBlocks: options.checkpointBlocks,
      certificateLifetimeSeconds: options.certificateLifetime,
      rotateKeysEverySeconds: options.rotateKeysEvery,
    },
  });
  makePrivateDirectory(directory);
  let page: PageServer | undefined;
  const control = await openControl(directory, {
    revive: (name) => cluster.revive(name),
    inspect: async () => page?.link() ?? Promise.reject(new Fault("NOT_READY", NOT_YET)),
  });
  try {
    await interruptible(interruption, runCluster());
  } finally {
    await page?.close();
    await cluster.stop();
    await control.close();
    if (options.dir === undefined) rmSync(directory, { recursive: true, force: true });
  }
  say("stopped");
  return EXIT.ok;

  async function runCluster(): Promise<void> {
    say(await cluster.start());
    if (options.story === true || options.once === true) {
      const { tellStory } = await import("../dev/story.ts");
      await tellStory(cluster.layout, say);
      say("the story is told");
    }
    if (options.once === true || interruption.aborted) return;
    page = await openPage(cluster.inspected, io);
    if (json) io.out(JSON.stringify({ message: "inspector", url: page.link() }));
    else
      io.out(
        `\nRunning; Ctrl-C stops it. Nodes and ports: ${join(directory, "cluster.json")}\nSee it: ${page.link()}\n${whatToAsk(directory, options.story === true)}`,
      );
    await new Promise<void>((done) => interruption.addEventListener("abort", () => done(), { once: true }));
  }
}

const NOT_YET = "The cluster starts; its page comes when the nodes serve.";

/** The page of all nodes, on a loopback port of its own. */
async function openPage(source: InspectorSource, io: CliIo): Promise<PageServer> {
  const { openPageServer } = await import("../inspector/page-server.ts");
  const onError = (error: unknown): void => io.err(`sky dev: the inspector failed to answer: ${String(error)}`);
  return openPageServer({ source, port: 0, onError });
}

const whatToAsk = (directory: string, told: boolean): string =>
  told
    ? `Ask it: npx sky oracle expand subjects 'my-org:Document%3A123%23View' --dir ${directory}`
    : `Tell it: npx sky oracle write 'add assertion my-org:Ali my-org:Report' --dir ${directory}\nAsk it: npx sky oracle check my-org:Ali my-org:Report --dir ${directory}`;

/** Ctrl-C ends the wait for whatever is going on; what was started is stopped by the caller. */
function interruptible(signal: AbortSignal, work: Promise<void>): Promise<void> {
  const interrupted = new Promise<void>((done) => {
    if (signal.aborted) done();
    signal.addEventListener("abort", () => done(), { once: true });
  });
  return Promise.race([work, interrupted]);
}

async function revive({ dir, json }: DevCommandOptions, name: string, io: CliIo): Promise<ExitCode> {
  if (dir === undefined) {
    reportFailure(io, "USAGE", "--revive needs --dir: the directory of the cluster that runs.", json === true);
    return EXIT.usage;
  }
  const answer = await askToRevive(resolve(dir), name);
  if (answer.ok) {
    io.out(json === true ? JSON.stringify(answer) : answer.message);
    return EXIT.ok;
  }
  reportFailure(io, answer.code, answer.message, json === true);
  return EXIT.refused;
}
