/** What becomes of a batch of signatures that the enclave does not make. */
import { expect, it } from "vitest";
import { Defect } from "../../../src/base/errors.ts";
import { refuse } from "../../../src/base/result.ts";
import { batchedSigner } from "../../../src/host/consensus/batched-signer.ts";

/** Asks for one signature of an enclave that refuses with this code; returns what was thrown. */
async function thrownFor(code: "SEALED" | "SIGNING_REFUSED"): Promise<unknown> {
  let thrown: unknown;
  const sign = batchedSigner(
    { sign: async () => refuse(code, "no", "none"), mark: async () => refuse("SEALED", "no", "none"), close: () => {} },
    (work) => {
      try {
        work();
      } catch (error) {
        thrown = error;
      }
    },
  );
  sign(new Uint8Array(1), () => expect.unreachable("nothing was signed"));
  await new Promise((resolve) => setImmediate(resolve));
  return thrown;
}

it("is silent when the node is sealed: it is stopping", async () => {
  expect(await thrownFor("SEALED")).toBeUndefined();
});

it("is a defect when the enclave refuses to sign: no vote is ever lost in silence", async () => {
  expect(await thrownFor("SIGNING_REFUSED")).toBeInstanceOf(Defect);
});
