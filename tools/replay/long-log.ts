/** Logs of many transactions for measurements: `node tools/replay/long-log.ts FILE [--transactions N] [--per-signature N]`. */
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { logTime, memberIndex } from "../../src/base/brands.ts";
import type { GraphChange } from "../../src/events/facts/graph.ts";
import { MadeLog, appendTo, openMadeLog } from "./made-log.ts";

export interface LongLog {
  readonly transactions: number;
  /** Commands that one signature is for. */
  readonly perSignature: number;
}

/** Of one block: as many as a cluster orders under load (docs/BENCHMARKS.md). */
const TRANSACTIONS_PER_BLOCK = 1000;
const BUNDLES_PER_BLOCK = 4;
/** Between blocks: 20,000 transactions a second of log time. Units: ms. */
const BLOCK_MS = 50;
/** Until a command is forgotten. Units: ms of log time. */
const LIFE_MS = 2_000;

/** The graph stops growing when everybody is in it, as it does in a cluster of some age: what a replay keeps is the state, not the log. */
const PEOPLE = 5_000;

/** Different subjects get and lose objects: most transactions change something. */
function changeOf(n: number): GraphChange {
  const node = (name: string) => ({ namespace: "org", name, relation: { namespace: "", name: "" } });
  const assertion = { subject: node(`person-${Math.floor(n / 3) % PEOPLE}`), object: node(`document-${n % 997}`) };
  return n % 10 === 9 ? { kind: "deleteAssertion", assertion } : { kind: "addAssertion", assertion };
}

/** Writes it to a file that is not there yet; returns the root at its end. */
export function writeLongLog(path: string, { transactions, perSignature }: LongLog): string {
  const made = new MadeLog();
  const log = openMadeLog(path);
  appendTo(log, made.genesis(), made.root);
  for (let done = 0; done < transactions; ) {
    const bundles = [];
    for (let i = 0; i < BUNDLES_PER_BLOCK && done < transactions; i++) {
      const batches: Uint8Array[] = [];
      const end = Math.min(transactions, done + TRANSACTIONS_PER_BLOCK / BUNDLES_PER_BLOCK);
      while (done < end) {
        const count = Math.min(perSignature, end - done);
        batches.push(made.batch(Array.from({ length: count }, (_, k) => made.command([changeOf(done + k)], LIFE_MS))));
        done += count;
      }
      bundles.push(made.bundle(batches, memberIndex(i)));
    }
    const block = made.executions(bundles, "own", { time: logTime(made.time + BLOCK_MS) });
    appendTo(log, block, made.root);
  }
  log.close();
  return made.root;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      transactions: { type: "string", default: "100000" },
      "per-signature": { type: "string", default: "100" },
    },
  });
  const [path] = positionals;
  if (path === undefined) throw new Error("usage: long-log.ts FILE [--transactions N] [--per-signature N]");
  writeLongLog(path, {
    transactions: Number(values.transactions),
    perSignature: Number(values["per-signature"]),
  });
}
