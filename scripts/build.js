/**
 * `npm run build`: writes dist/src as JavaScript for the published package, since Node strips no types below node_modules. One file
 * for each source, so that workers and lazy commands are found where the sources name them.
 */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const target = path.join(root, "dist");

/** Relative names of our own modules: in imports, and in the URLs of worker entries. */
const OUR_MODULE = /(["'])(\.{1,2}\/[\w./-]+)\.ts\1/g;

const sources = readdirSync(path.join(root, "src"), { recursive: true, encoding: "utf8" }).filter((name) =>
  name.endsWith(".ts"),
);
rmSync(target, { recursive: true, force: true });
for (const name of sources) {
  const file = path.join(root, "src", name);
  const { code } = transformSync(readFileSync(file, "utf8"), {
    loader: "ts",
    format: "esm",
    target: "node22",
    sourcefile: file,
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
  });
  const out = path.join(target, "src", name.replace(/\.ts$/, ".js"));
  mkdirSync(path.dirname(out), { recursive: true });
  writeFileSync(out, code.replace(OUR_MODULE, "$1$2.js$1"));
}
process.stdout.write(`${sources.length} modules in dist/src\n`);
