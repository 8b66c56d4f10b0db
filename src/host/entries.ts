/**
 * Where threads and processes of a node begin. In a checkout each entry is a source file in its folder; in a bundle
 * (scripts/bundle.js, same names) all of them stand beside each other.
 */
const isSource = import.meta.url.endsWith(".ts");
const entry = (source: string, bundled: string): URL => new URL(isSource ? source : bundled, import.meta.url);

export const ENTRIES = {
  enclave: entry("./enclave/worker.ts", "./enclave-worker.js"),
  consensus: entry("./consensus/worker.ts", "./consensus-worker.js"),
  projector: entry("./projector/worker.ts", "./projector-worker.js"),
  notary: entry("./proofs/worker.ts", "./notary-worker.js"),
  projectionReader: entry("./projector/reader-worker.ts", "./projection-reader.js"),
  rebuild: entry("./projector/rebuild-worker.ts", "./rebuild-worker.js"),
  cryptoTask: entry("./executor/crypto-task.ts", "./crypto-task.js"),
  devNode: entry("./dev/node-process.ts", "./dev-node.js"),
} as const;
