/** The proofs that golden files keep: one of each kind, of a log that is the same each time it is made. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type CommandId, type Digest, epoch, height } from "../../../src/base/brands.ts";
import { toHex } from "../../../src/base/bytes.ts";
import { present } from "../../../src/base/errors.ts";
import { verify } from "../../../src/crypto/ed25519.ts";
import type { Electorate } from "../../../src/events/facts/finality.ts";
import type { Wanted } from "../../../src/host/proofs/prover.ts";
import { hexBytes } from "../crypto/vectors.ts";
import { ProofWorld } from "./proof-world.ts";

export interface GoldenProofs {
  readonly cluster: Digest;
  /** Epoch keys of the members, in order. */
  readonly keys: readonly string[];
  /** Files by what they prove, with what was read from them when they were made. */
  readonly proofs: Readonly<Record<string, { readonly file: string; readonly proven: string }>>;
}

export const goldenProofsPath = fileURLToPath(new URL("../../golden/proofs.json", import.meta.url));
export const readGoldenProofs = (): GoldenProofs => JSON.parse(readFileSync(goldenProofsPath, "utf8")) as GoldenProofs;

export const electorateOfGolden = ({ cluster, keys }: Pick<GoldenProofs, "cluster" | "keys">): Electorate => ({
  cluster,
  epoch: epoch(0),
  keys: keys.map(hexBytes),
  verify,
});

const ID = 101;

/** Files by what they prove. */
export function proofsOfStory(): { readonly members: Electorate; readonly files: ReadonlyMap<string, Uint8Array> } {
  const world = new ProofWorld();
  const written = world.block([world.ledgers.write(world.client, "golden", ID)]);
  for (let i = 0; i < 3; i++) world.block();
  const id = ID.toString(16).padStart(32, "0") as CommandId;
  const wanted: Readonly<Record<string, Wanted>> = {
    head: { kind: "head" },
    block: { kind: "inclusion", height: written, subject: { kind: "block" }, withEffects: true },
    place: { kind: "inclusion", height: written, subject: { kind: "block" }, withEffects: false },
    fact: { kind: "inclusion", height: written, subject: { kind: "fact", index: 0, n: 1 }, withEffects: true },
    command: {
      kind: "inclusion",
      height: written,
      subject: { kind: "command", author: world.client.aid, id },
      withEffects: true,
    },
    consistency: { kind: "consistency", height: height(2), hash: present(world.hashAt(height(2)), "a block") },
    keyState: { kind: "keyState", aid: world.client.aid, through: undefined },
  };
  const files = new Map(Object.entries(wanted).map(([name, one]) => [name, world.file(one)]));
  return { members: world.members, files };
}

/** As one line; bytes as hex. */
export const provenText = (value: unknown): string =>
  JSON.stringify(value, (_key, field: unknown) => (field instanceof Uint8Array ? `hex:${toHex(field)}` : field));
