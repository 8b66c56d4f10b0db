/**
 * Records what proof files look like: `node test/golden/record-proofs.ts`. Files that are there stay: proofs are kept for years, and must be
 * read for ever. A change of the format gets names of its own.
 */
import { existsSync, writeFileSync } from "node:fs";
import { toHex } from "../../src/base/bytes.ts";
import { verifyProof } from "../../src/events/facts/verify-proof.ts";
import { goldenProofsPath, proofsOfStory, provenText, readGoldenProofs } from "../unit/proofs/golden-story.ts";

const { members, files } = proofsOfStory();
const proofs = existsSync(goldenProofsPath) ? { ...readGoldenProofs().proofs } : {};
for (const [name, file] of files) {
  const proven = verifyProof(file, members);
  if (!proven.ok) throw new Error(proven.refusal.message);
  proofs[name] ??= { file: toHex(file), proven: provenText(proven.value) };
}
writeFileSync(goldenProofsPath, `${JSON.stringify({ cluster: members.cluster, keys: members.keys.map(toHex), proofs }, null, 2)}\n`);
