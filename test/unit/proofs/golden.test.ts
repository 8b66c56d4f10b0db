import { expect, test } from "vitest";
import { toHex } from "../../../src/base/bytes.ts";
import { verifyProof } from "../../../src/events/facts/verify-proof.ts";
import { hexBytes } from "../crypto/vectors.ts";
import { electorateOfGolden, proofsOfStory, provenText, readGoldenProofs } from "./golden-story.ts";

const golden = readGoldenProofs();

test.each(Object.entries(golden.proofs))("a kept proof of kind %s is read as ever", (_, { file, proven }) => {
  const verdict = verifyProof(hexBytes(file), electorateOfGolden(golden));
  expect(verdict.ok ? provenText(verdict.value) : verdict.refusal.message).toBe(proven);
});

test("proofs are written as ever (another file is another format: node test/golden/record-proofs.ts)", () => {
  const { files } = proofsOfStory();
  expect([...files].map(([name, file]) => [name, toHex(file)])).toEqual(
    Object.entries(golden.proofs).map(([name, { file }]) => [name, file]),
  );
});
