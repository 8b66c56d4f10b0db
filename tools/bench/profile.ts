/**
 * Where the time goes: sums the CPU profiles of a directory by thread.
 * Run: node tools/bench/profile.ts DIR [--top N] [--thread NAME]
 */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}
interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  /** Units: µs. */
  readonly timeDeltas: readonly number[];
}

const ROOT = new URL("../../", import.meta.url).href;
/** What a thread does when it does nothing. */
const IDLE = new Set(["(idle)", "(root)"]);

const nameOf = ({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string =>
  url === ""
    ? functionName || "(native)"
    : `${functionName || "(anonymous)"} ${url.replace(ROOT, "")}:${lineNumber + 1}`;

/** Each thread is known by the entry file it has loaded. */
function threadOf(profile: Profile): string {
  const urls = new Set(profile.nodes.map(({ callFrame }) => callFrame.url.replace(ROOT, "")));
  const entries = {
    "src/host/consensus/worker.ts": "consensus",
    "src/host/projector/worker.ts": "projector",
    "src/host/enclave/worker.ts": "enclave",
    "src/host/executor/crypto-task.ts": "crypto",
    "src/host/dev/node-process.ts": "main",
    "src/host/dev/cluster.ts": "sky dev",
  };
  for (const [file, name] of Object.entries(entries)) if (urls.has(file)) return name;
  return "other";
}

interface Sums {
  busy: number;
  total: number;
  readonly self: Map<string, number>;
  /** Time on the stack, once for a function however often it stands there. */
  readonly inclusive: Map<string, number>;
}

function add(sums: Sums, profile: Profile): void {
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map<number, number>();
  for (const node of profile.nodes) for (const child of node.children ?? []) parents.set(child, node.id);
  const selfOf = new Map<number, number>();
  for (const [i, id] of profile.samples.entries())
    selfOf.set(id, (selfOf.get(id) ?? 0) + Math.max(0, profile.timeDeltas[i] ?? 0));
  const bump = (map: Map<string, number>, name: string, by: number): void =>
    void map.set(name, (map.get(name) ?? 0) + by);
  for (const [id, time] of selfOf) {
    const node = byId.get(id);
    if (node === undefined) continue;
    sums.total += time;
    if (IDLE.has(nameOf(node))) continue;
    sums.busy += time;
    bump(sums.self, nameOf(node), time);
    const seen = new Set<string>();
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const ancestor = byId.get(at);
      if (ancestor !== undefined) seen.add(nameOf(ancestor));
    }
    for (const name of seen) bump(sums.inclusive, name, time);
  }
}

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { top: { type: "string", default: "25" }, thread: { type: "string" } },
  });
  const [directory] = positionals;
  if (directory === undefined) {
    process.stderr.write("profile: name the directory that bench --profile wrote\n");
    process.exitCode = 2;
    return;
  }
  const threads = new Map<string, Sums>();
  for (const file of readdirSync(directory).filter((name) => name.endsWith(".cpuprofile"))) {
    const profile = JSON.parse(readFileSync(join(directory, file), "utf8")) as Profile; // what V8 writes
    const thread = threadOf(profile);
    const sums = threads.get(thread) ?? { busy: 0, total: 0, self: new Map(), inclusive: new Map() };
    threads.set(thread, sums);
    add(sums, profile);
  }
  const seconds = (us: number): string => (us / 1e6).toFixed(2).padStart(8);
  const list = (title: string, map: Map<string, number>, of: number): void => {
    process.stdout.write(`  ${title}\n`);
    for (const [name, time] of [...map].sort((a, b) => b[1] - a[1]).slice(0, Number(values.top)))
      process.stdout.write(`  ${seconds(time)} s ${((100 * time) / of).toFixed(1).padStart(5)} %  ${name}\n`);
  };
  for (const [thread, sums] of threads) {
    if (values.thread !== undefined && values.thread !== thread) continue;
    process.stdout.write(`\n${thread}: busy ${seconds(sums.busy)} s of ${seconds(sums.total)} s\n`);
    list("self", sums.self, sums.busy);
    list("with what it calls", sums.inclusive, sums.busy);
  }
}

main();
