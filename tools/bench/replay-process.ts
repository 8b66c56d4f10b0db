/** One replay in a process of its own: node tools/bench/replay-process.ts DIRECTORY THREADS verify|project; prints its figures as JSON. */
import { Projections } from "../replay/projections.ts";
import { DirectorySource } from "../replay/directory.ts";
import { replay } from "../replay/replay.ts";

const [directory = "", threads = "0", what = "verify"] = process.argv.slice(2);
const source = DirectorySource.open(directory);
const projections = what === "project" ? new Projections(undefined) : undefined;
const start = { wall: performance.now(), main: process.threadCpuUsage(), all: process.cpuUsage() };
let [transactions, root] = [0, ""];
for await (const block of replay(source, { threads: Number(threads) })) {
  transactions += block.commandCount;
  root = block.root;
  projections?.add(block);
}
projections?.flush();
const seconds = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1e6;
console.log(
  JSON.stringify({
    transactions,
    root,
    wallSeconds: (performance.now() - start.wall) / 1000,
    mainSeconds: seconds(process.threadCpuUsage(start.main)),
    cpuSeconds: seconds(process.cpuUsage(start.all)),
    rssMb: process.resourceUsage().maxRSS / 1024,
  }),
);
projections?.close();
await source.close();
