#!/usr/bin/env node
/**
 * The launcher of `sky`: plain JavaScript, so that any Node can start it and say what is wrong. It runs the command line on a
 * Node that is new enough, its own or the pinned one of the package, with the compile cache on.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import module from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const self = fileURLToPath(import.meta.url);
const root = path.resolve(path.dirname(self), "..");
const built = path.join(root, "dist/cli.js");
const source = path.join(root, "src/host/cli/main.ts");
const pinned = path.join(root, "node_modules/node/bin/node");
const cache = path.join(root, "node_modules/.cache/sky");

/** A checkout runs its sources, bundled; the published package has only what was built. */
const isCheckout = existsSync(source);
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const isNewEnough = major > 22 || (major === 22 && minor >= 12);
const canRun = isNewEnough && (!isCheckout || Boolean(process.features.typescript));

/** Exit code of a command that cannot do its work here (see src/host/cli/io.ts). */
const UNAVAILABLE = 3;

/** Runs the same command line on the pinned Node and ends as it ends. */
function runPinned() {
  const child = spawn(pinned, [self, ...process.argv.slice(2)], { stdio: "inherit" });
  // A terminal sends Ctrl-C to the whole group, so the child has it already; a second one would mean "at once".
  const onInterrupt = () => process.stdin.isTTY || child.kill("SIGINT");
  const onTerminate = () => child.kill("SIGTERM");
  const onHangup = () => child.kill("SIGHUP");
  process.on("SIGINT", onInterrupt).on("SIGTERM", onTerminate).on("SIGHUP", onHangup);
  child.on("error", (error) => {
    process.stderr.write(`sky: cannot run ${pinned}: ${error.message}\n`);
    process.exitCode = UNAVAILABLE;
  });
  child.on("exit", (code, signal) => {
    process.off("SIGINT", onInterrupt).off("SIGTERM", onTerminate).off("SIGHUP", onHangup);
    if (signal === null) process.exitCode = code ?? 1;
    else process.kill(process.pid, signal);
  });
}

/** Compiled code is kept beside the packages: a warm start skips parsing and type stripping. Threads and children inherit it. */
function keepCompiledCode() {
  process.env["NODE_COMPILE_CACHE"] ??= cache;
  module.enableCompileCache(process.env["NODE_COMPILE_CACHE"]);
  // A node that lives until it is killed would otherwise never write the cache. 10 s: start-up is over by then.
  setTimeout(() => module.flushCompileCache(), 10_000).unref();
}

/** Commands that start nodes: for them a bundle is made when there is none of the sources as they are. */
const STARTS_NODES = new Set(["dev", "node"]);

/** What to run. SKY_SOURCES runs the sources as they are: for debuggers and profilers. */
async function entry() {
  if (!isCheckout) return built;
  if (process.env["SKY_SOURCES"] !== undefined) return source;
  const { currentBundle } = await import(pathToFileURL(path.join(root, "scripts/bundle.js")).href);
  const bundle = await currentBundle(STARTS_NODES.has(process.argv[2] ?? ""));
  return bundle === undefined ? source : path.join(bundle, "cli.js");
}

if (canRun) {
  keepCompiledCode();
  const { main } = await import(pathToFileURL(await entry()).href);
  await main(process.argv.slice(2));
} else if (existsSync(pinned)) {
  runPinned();
} else {
  process.stderr.write(
    `sky: needs Node 22.12 or newer, and this is ${process.versions.node}. Run "npm ci" in ${root}: it brings one.\n`,
  );
  process.exitCode = UNAVAILABLE;
}
