/** `node tools/visualizer/layout/main.ts` draws the statecharts anew; with `--check` it only says whether they are those of the machines. */
import { readFileSync, writeFileSync } from "node:fs";
import { chartsAsJson } from "./charts.ts";

const FILE = new URL("../generated/charts.json", import.meta.url);

const drawn = await chartsAsJson();
if (!process.argv.includes("--check")) writeFileSync(FILE, drawn);
else if (drawn !== readFileSync(FILE, "utf8")) {
  process.stderr.write(
    "tools/visualizer/generated/charts.json differs from the machines. Run: node tools/visualizer/layout/main.ts\n",
  );
  process.exitCode = 1;
}
