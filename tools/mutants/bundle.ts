/** Bundles the simulator with one mutant's edits applied; packages stay outside, found from where the bundle lies. */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { type Plugin, build } from "esbuild";
import { type Mutant, mutated } from "./mutant.ts";

export const root = path.resolve(import.meta.dirname, "../..");
const directory = path.join(root, "node_modules/.cache/sky/mutants");

const editing = (mutant: Mutant): Plugin => ({
  name: "mutant",
  setup(context) {
    context.onLoad({ filter: /\.ts$/ }, ({ path: file }) => {
      const source = readFileSync(file, "utf8");
      const contents = mutated(mutant, path.relative(root, file).replaceAll(path.sep, "/"), source);
      return contents === source ? undefined : { contents, loader: "ts" };
    });
  },
});

/** Writes the bundle; without a mutant that of the sources as they are. Returns its file. */
export async function bundleSimulator(mutant: Mutant | undefined): Promise<string> {
  mkdirSync(directory, { recursive: true });
  const outfile = path.join(directory, `${mutant?.name ?? "unmutated"}.${process.pid}.mjs`);
  await build({
    absWorkingDir: root,
    entryPoints: ["tools/sim/main.ts"],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node22",
    packages: "external",
    plugins: mutant === undefined ? [] : [editing(mutant)],
    logLevel: "silent",
  });
  return outfile;
}

export const removeBundle = (file: string): void => rmSync(file, { force: true });
