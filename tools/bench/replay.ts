/**
 * Replay of logs from disk, every signature checked and every root compared, each in a process of its own. Rates are of processor time, as if
 * nobody else used the machine: what one core does, and for logs of lone signatures what all cores do.
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeLongLog } from "../replay/long-log.ts";
import { publicKeyOf, signer, verify } from "../../src/crypto/ed25519.ts";
import type { Baseline, Row } from "./figures.ts";

/** Old generation of the process that replays. Units: MB. */
const HEAP_MB = 128;
/** The same, where 4,096 batches wait for threads to check their signatures: with less, the collector takes two thirds of the time. */
const LONE_HEAP_MB = 256;
const BUDGET = { kind: "at least", value: 10_000 } as const;

interface Figures {
  readonly transactions: number;
  readonly root: string;
  readonly wallSeconds: number;
  readonly mainSeconds: number;
  readonly cpuSeconds: number;
  readonly rssMb: number;
}

function replayed(
  directory: string,
  threads: number,
  what: "verify" | "project",
  root: string,
  heapMb = HEAP_MB,
): Figures {
  const script = fileURLToPath(new URL("./replay-process.ts", import.meta.url));
  const args = [`--max-old-space-size=${heapMb}`, script, directory, String(threads), what];
  const figures = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as Figures;
  if (figures.root !== root) throw new Error(`the log was made with root ${root} and replays to ${figures.root}`);
  return figures;
}

/** Of processor time, like the rows. */
function checksOfOneCore(): Baseline {
  const seed = randomBytes(32);
  const [key, message, checks] = [publicKeyOf(seed), randomBytes(300), 5_000];
  const signature = signer(seed)(message);
  const start = process.threadCpuUsage();
  for (let i = 0; i < checks; i++) if (!verify(key, message, signature)) throw new Error("it should hold");
  const { user, system } = process.threadCpuUsage(start);
  return { name: "Ed25519 checks of one core", value: checks / ((user + system) / 1e6), unit: "/s" };
}

export function benchReplay(quick: boolean): readonly Row[] {
  const directory = mkdtempSync(join(tmpdir(), "sky-bench-replay-"));
  try {
    const made = (name: string, transactions: number, perSignature: number) => {
      const folder = join(directory, name);
      mkdirSync(folder);
      return { folder, root: writeLongLog(join(folder, "log.db"), { transactions, perSignature }) };
    };
    const count = quick ? 20_000 : 100_000;
    const [batches, long, lone] = [made("batches", count, 100), made("long", 4 * count, 100), made("lone", count, 1)];
    const baseline = checksOfOneCore();
    const cores = availableParallelism();
    const row = (name: string, figures: Figures, seconds: number): Row => ({
      name: `replay: ${name}`,
      value: figures.transactions / seconds,
      unit: "/s",
      budget: BUDGET,
      baseline,
      details: { ...figures },
    });
    const verified = replayed(batches.folder, 0, "verify", batches.root);
    const projected = replayed(batches.folder, 0, "project", batches.root);
    const fourfold = replayed(long.folder, 0, "project", long.root);
    const alone = replayed(lone.folder, cores, "verify", lone.root, LONE_HEAP_MB);
    return [
      row(`${count} transactions, 100 to a signature, verified, one core`, verified, verified.mainSeconds),
      row(`${count} transactions, verified and projected, one core`, projected, projected.mainSeconds),
      row(`${count} transactions, a signature each, verified, ${cores} cores`, alone, alone.cpuSeconds / cores),
      { name: `replay: peak memory, ${count} transactions`, value: projected.rssMb, unit: "MB" },
      { name: `replay: peak memory, ${4 * count} transactions`, value: fourfold.rssMb, unit: "MB" },
    ];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
