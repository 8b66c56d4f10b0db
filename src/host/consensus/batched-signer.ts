import { Defect } from "../../base/errors.ts";
import type { SignerClient } from "../enclave/signer-client.ts";

/** Signs with the epoch key; `done` is called once, later, or never when the node seals meanwhile. */
export type Sign = (message: Uint8Array, done: (signature: Uint8Array) => void) => void;

/** Everything asked for in one turn travels to the enclave in one message. */
export function batchedSigner(signer: SignerClient, guarded: (work: () => void) => void): Sign {
  let batch: { readonly message: Uint8Array; readonly done: (signature: Uint8Array) => void }[] = [];
  const flush = async (): Promise<void> => {
    const asked = batch;
    batch = [];
    const signed = await signer.sign(
      "epoch",
      asked.map(({ message }) => message),
    );
    if (!signed.ok && signed.refusal.code === "SEALED") return; // the node is stopping
    guarded(() => {
      if (!signed.ok)
        throw new Defect(`the enclave signs none of this batch, ${signed.refusal.code}: ${signed.refusal.message}`);
      for (const [i, { done }] of asked.entries()) {
        const signature = signed.value[i];
        if (signature !== undefined) done(signature);
      }
    });
  };
  return (message, done) => {
    batch.push({ message, done });
    if (batch.length === 1) queueMicrotask(() => void flush());
  };
}
