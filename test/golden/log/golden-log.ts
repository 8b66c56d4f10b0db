/**
 * Whole logs as versions of this software wrote them: every block with its certificate and bundles, byte for byte, and what it came to.
 * A line for each block, as JSON; bytes in base64. They are never written again.
 */
import Database from "better-sqlite3";
import { readFileSync, readdirSync } from "node:fs";
import { type Digest, height } from "../../../src/base/brands.ts";
import { decode, encode } from "../../../src/base/codec.ts";
import { present } from "../../../src/base/errors.ts";
import { sha256Digest } from "../../../src/crypto/hash.ts";
import { type ProjectionRoots, Projector } from "../../../src/actors/projector/projector.ts";
import { BODY_BYTES_MAX, type LogEvent, bodyShape, finalityProofShape } from "../../../src/events/facts/block.ts";
import { blockHash, clusterOf } from "../../../src/events/facts/hashing.ts";
import { executableOf } from "../../../src/host/executor/executor.ts";
import { SignedPool } from "../../../src/host/executor/signed-pool.ts";
import { Ledger, emptyLedger } from "../../../src/projections/ledger/ledger.ts";
import { LiveGraph } from "../../../src/projections/rebac/live-graph.ts";

export interface GoldenBlock {
  readonly event: LogEvent;
  readonly bundles: readonly Uint8Array[];
  /** What it came to: executed root, and the digest of the facts' bytes. */
  readonly root: Digest;
  readonly facts: Digest;
}

export interface GoldenLog {
  readonly name: string;
  readonly cluster: Digest;
  readonly blocks: readonly GoldenBlock[];
  /** Sums over the rows of each set of tables after the last block. */
  readonly rows: ProjectionRoots["rows"];
}

const directory = new URL("./", import.meta.url);
export const goldenLogFile = (name: string): URL => new URL(`${name}.jsonl`, directory);
export const goldenLogNames = (): readonly string[] =>
  readdirSync(directory).flatMap((file) => (file.endsWith(".jsonl") ? [file.replace(/\.jsonl$/, "")] : []));

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
const bytesOf = (encoded: string): Uint8Array => new Uint8Array(Buffer.from(encoded, "base64"));
const PROOF_BYTES_MAX = 1024 * 1024;

interface Line {
  readonly height: number;
  readonly header: string;
  readonly body: string;
  readonly proof: string;
  readonly bundles: readonly string[];
  readonly root: Digest;
  readonly facts: Digest;
}

export function writtenLog({ blocks, rows }: Pick<GoldenLog, "blocks" | "rows">): string {
  const lines = blocks.map(({ event, bundles, root, facts }): Line => {
    const { header, body } = event.block;
    const proof = text(encode(finalityProofShape, event.proof));
    return { height: event.height, header: text(header), body: text(body), proof, bundles: bundles.map(text), root, facts };
  });
  return [...lines, rows].map((line) => `${JSON.stringify(line)}\n`).join("");
}

export function readGoldenLog(name: string): GoldenLog {
  const lines = readFileSync(goldenLogFile(name), "utf8").trimEnd().split("\n");
  const rows = JSON.parse(present(lines.pop(), "its last line")) as ProjectionRoots["rows"];
  const blocks = lines.map((line): GoldenBlock => {
    const { height: at, header, body, proof, bundles, root, facts } = JSON.parse(line) as Line;
    const block = { header: bytesOf(header), body: bytesOf(body) };
    const opened = decode(finalityProofShape, bytesOf(proof), PROOF_BYTES_MAX);
    if (!opened.ok) throw new Error(`block ${at} of ${name}: ${opened.refusal.message}`);
    const event = { height: height(at), hash: blockHash(block.header), block, proof: opened.value };
    return { event, bundles: bundles.map(bytesOf), root, facts };
  });
  return { name, cluster: clusterIn(present(blocks[0], "genesis")), blocks, rows };
}

function clusterIn({ event }: GoldenBlock): Digest {
  const body = decode(bodyShape, event.block.body, BODY_BYTES_MAX);
  if (!body.ok || body.value.kind !== "genesis") throw new Error("a log begins with genesis");
  return clusterOf(body.value.document);
}

/** Executes the blocks and folds them into tables, as a node does; what each comes to, and the tables at the end. */
export function executed(
  cluster: Digest,
  blocks: readonly Pick<GoldenBlock, "event" | "bundles">[],
): { readonly blocks: readonly Pick<GoldenBlock, "root" | "facts">[]; readonly rows: ProjectionRoots["rows"]; readonly kinds: readonly string[] } {
  const pool = new SignedPool(cluster);
  const ledger = new Ledger(emptyLedger(cluster, new LiveGraph()), {
    open: (signed) => pool.open(signed),
    isSigned: pool.isSigned.bind(pool),
    defect: (error) => {
      throw error;
    },
  });
  const db = new Database(":memory:");
  const projector = new Projector(db);
  const kinds: string[] = [];
  const results = blocks.map(({ event, bundles }) => {
    const work = ledger.execute(executableOf({ ...event, bundles }));
    let step = work.next();
    while (step.done !== true) step = work.next();
    const { hash, root, time, facts, settled } = step.value;
    projector.apply([{ height: event.height, hash, root, time, facts, block: event.block }]);
    for (const { outcome } of settled) kinds.push(outcome.kind === "commandExecuted" ? "executed" : outcome.code);
    return { root, facts: sha256Digest(facts) };
  });
  const { rows } = projector.roots();
  db.close();
  return { blocks: results, rows, kinds };
}
