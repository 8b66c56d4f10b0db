/**
 * Bundles what a node runs: a few files instead of a thousand, so that four threads a node load a third less and hold 50 MB less.
 * `npm run build` writes it to dist for the published package; in a checkout the launcher (bin/sky.js) keeps one of the sources as
 * they are, under node_modules/.cache/sky, and makes it again when they change. Plain JavaScript: it runs before anything else.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const cache = path.join(root, "node_modules/.cache/sky/bundles");

/** Names as src/host/entries.ts has them. */
const ENTRIES = {
  cli: "src/host/cli/main.ts",
  "dev-node": "src/host/dev/node-process.ts",
  "enclave-worker": "src/host/enclave/worker.ts",
  "consensus-worker": "src/host/consensus/worker.ts",
  "projector-worker": "src/host/projector/worker.ts",
  "notary-worker": "src/host/proofs/worker.ts",
  "projection-reader": "src/host/projector/reader-worker.ts",
  "rebuild-worker": "src/host/projector/rebuild-worker.ts",
  "crypto-task": "src/host/executor/crypto-task.ts",
  client: "src/client/index.ts",
};

/** Packages with native code, or that look for files beside themselves. */
const EXTERNAL = [
  "better-sqlite3",
  "piscina",
  "pino",
  "comlink",
  "grpc-health-check",
  "@grpc/reflection",
  "@grpc/proto-loader",
  "esbuild", // makes the inspector's page in a checkout; a bundle has it made
];

/**
 * Importing node:http as a module reads each of its properties, which loads a client of HTTP that nobody uses
 * (undici: 2 MB and 30 ms of CPU in each node). Asked for this way, only what is used is read.
 */
const httpAsItIs = {
  name: "http-as-it-is",
  /** @param {import("esbuild").PluginBuild} build */
  setup(build) {
    build.onResolve({ filter: /^node:http$/ }, ({ path: name, kind }) =>
      kind === "import-statement" ? { path: name, namespace: "builtin" } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path: name }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(name)});`,
      loader: "js",
    }));
  },
};

/** CommonJS packages inside an ES module expect these. */
const BANNER = `import { createRequire as skyRequire } from "node:module"; import { dirname as skyDirname } from "node:path"; import { fileURLToPath as skyPath } from "node:url"; const require = skyRequire(import.meta.url), __filename = skyPath(import.meta.url), __dirname = skyDirname(__filename);`;

/** Writes the bundle of the sources into a directory, which is made. @param {string} outdir */
export async function bundle(outdir) {
  const { build } = await import("esbuild");
  await build({
    absWorkingDir: root,
    entryPoints: ENTRIES,
    outdir,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node22",
    external: EXTERNAL,
    plugins: [httpAsItIs],
    banner: { js: BANNER },
    sourcemap: "linked",
    minifySyntax: true,
    logLevel: "warning",
  });
  if (existsSync(path.join(root, "tools/visualizer"))) {
    const { writePage } = await import("./bundle-page.js");
    await writePage(path.join(outdir, "inspector-page")); // where tools/visualizer/assets.ts looks for it
  }
}

/** Changes whenever a source or a dependency does. */
function stampOfSources() {
  const hash = createHash("sha256");
  /** @param {string} file */
  const add = (file) => {
    const { size, mtimeMs } = statSync(path.join(root, file));
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  };
  // tools: `sky simulate`, `sky verify`, the inspector load theirs; a package without them has the other commands.
  for (const folder of ["src", "tools/sim", "tools/replay", "tools/proofs", "tools/visualizer"].filter((name) =>
    existsSync(path.join(root, name)),
  )) {
    for (const name of readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" }).sort()) {
      if (/\.(tsx?|css|json)$/.test(name)) add(path.join(folder, name));
    }
  }
  for (const file of ["package-lock.json", "scripts/bundle.js", "scripts/bundle-page.js"])
    if (existsSync(path.join(root, file))) add(file);
  return hash.digest("hex").slice(0, 16);
}

/** Directory of the bundle of the sources as they are now; undefined when there is none and `make` is false. @param {boolean} make */
export async function currentBundle(make) {
  const target = path.join(cache, stampOfSources());
  if (existsSync(path.join(target, "cli.js"))) return target;
  if (!make) return undefined;
  const work = `${target}.${process.pid}`;
  await bundle(work);
  writeFileSync(path.join(work, "package.json"), '{ "type": "module" }\n'); // or Node would compile each file twice to find out
  mkdirSync(cache, { recursive: true });
  try {
    renameSync(work, target); // another process may have been faster with the same
  } catch {
    rmSync(work, { recursive: true, force: true });
  }
  for (const old of readdirSync(cache)) {
    const stale = path.join(cache, old);
    if (stale !== target && Date.now() - statSync(stale).mtimeMs > STALE_MS)
      rmSync(stale, { recursive: true, force: true });
  }
  return target;
}

/** A bundle of other sources may be running; after a day it is not. */
const STALE_MS = 86_400_000;
