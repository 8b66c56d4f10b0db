/** The using end of a signer port: what consensus and gateway hold instead of keys. */
import type { MessagePort } from "node:worker_threads";
import { type Result, ok } from "../../base/result.ts";
import type { SigningKey } from "../../actors/enclave/custody.ts";
import { sealed } from "../../actors/enclave/custody.ts";
import type { EnclaveRefusal } from "../../actors/enclave/ports.ts";
import type { SigningReply, SigningRequest } from "./worker-protocol.ts";

export interface SignerClient {
  /**
   * One signature for each complete message ("sky/<type>/v1\0" ‖ cluster ‖ bytes; for the witness key, the bytes of a key event), in
   * order. Refuses: SEALED, SIGNING_REFUSED.
   */
  readonly sign: (
    key: SigningKey,
    messages: readonly Uint8Array[],
  ) => Promise<Result<readonly Uint8Array[], EnclaveRefusal>>;
  /** 32 bytes that only this node's unsealed enclave can make of these. Refuses: SEALED. */
  readonly mark: (bytes: Uint8Array) => Promise<Result<Uint8Array, EnclaveRefusal>>;
  readonly close: () => void;
}

type Waiting = (result: SigningReply["result"]) => void;
/** A request without its number. */
type Unnumbered = SigningRequest extends infer R ? (R extends SigningRequest ? Omit<R, "id"> : never) : never;

/** A port that closes (the node sealed) answers everything open with SEALED. */
export function signerClient(port: MessagePort): SignerClient {
  const waiting = new Map<number, Waiting>();
  let ids = 0;
  let closed = false;
  port.on("message", ({ id, result }: SigningReply) => {
    waiting.get(id)?.(result);
    waiting.delete(id);
  });
  port.on("close", () => {
    closed = true;
    for (const settle of waiting.values()) settle(sealed());
    waiting.clear();
  });
  const ask = (request: Unnumbered): Promise<SigningReply["result"]> =>
    new Promise((resolve) => {
      if (closed) return resolve(sealed());
      ids += 1;
      waiting.set(ids, resolve);
      port.postMessage({ ...request, id: ids });
    });
  return {
    sign: (key, messages) => ask({ kind: "sign", key, messages }),
    mark: async (bytes) => {
      const result = await ask({ kind: "mark", bytes });
      if (!result.ok) return result;
      const [mark] = result.value;
      return mark === undefined ? sealed() : ok(mark);
    },
    close: () => port.close(),
  };
}
