/** What a thread of the crypto pool does: a batch of signature checks. */
import { type KeySet, type KeySignature, isSignedBy } from "../../crypto/key-set.ts";

export type CheckTask = readonly {
  readonly keys: KeySet["keys"];
  readonly threshold: KeySet["threshold"];
  readonly message: Uint8Array;
  readonly signatures: readonly KeySignature[];
}[];

export default function check(task: CheckTask): readonly boolean[] {
  return task.map(({ keys, threshold, message, signatures }) => isSignedBy({ keys, threshold }, message, signatures));
}
