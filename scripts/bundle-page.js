/** Bundles the inspector's page (tools/visualizer/page): one script, one stylesheet, and the charts as they were laid out. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const visualizer = path.join(path.resolve(path.dirname(fileURLToPath(import.meta.url)), ".."), "tools/visualizer");

/** Its files by name. @returns {Promise<Map<string, Uint8Array>>} */
export async function bundlePage() {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    absWorkingDir: visualizer,
    entryPoints: ["page/page.tsx", "page/page.css"],
    outdir: "page",
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2022",
    minify: true,
    legalComments: "none",
    logLevel: "warning",
  });
  const files = new Map(outputFiles.map((file) => [path.basename(file.path), file.contents]));
  return files.set("charts.json", readFileSync(path.join(visualizer, "generated/charts.json")));
}

/** Writes them into a directory, which is made. @param {string} outdir */
export async function writePage(outdir) {
  mkdirSync(outdir, { recursive: true });
  for (const [name, bytes] of await bundlePage()) writeFileSync(path.join(outdir, name), bytes);
}
