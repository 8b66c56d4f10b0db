/** Signing of commands: one signature for a group. */
import type { Aid, CommandId, Digest, LogTime } from "../base/brands.ts";
import { toHex } from "../base/bytes.ts";
import { encode } from "../base/codec.ts";
import { type Result, ok, refuse } from "../base/result.ts";
import { signer as ed25519 } from "../crypto/ed25519.ts";
import { signingBytes } from "../crypto/hash.ts";
import {
  type Command,
  type IndexedSignature,
  type KeyStateRef,
  PAYLOAD_BYTES_MAX,
  signedBodyShape,
  signedShape,
} from "../events/facts/command.ts";
import { CHANGES_MAX, type GraphWrite, PRECONDITIONS_MAX, graphWriteShape } from "../events/facts/graph.ts";
import { judgeWriteNames } from "../wire/names.ts";

/** Who signs. `keyState` is read at every signature, so that it may change when keys rotate. */
export interface Signer {
  readonly aid: Aid;
  readonly keyState: KeyStateRef;
  /** Signatures over the message, with the indices of their keys in the key state. */
  sign(message: Uint8Array): readonly IndexedSignature[] | Promise<readonly IndexedSignature[]>;
}

/** A signer with one Ed25519 key at index 0. `seed` has 32 bytes. */
export function ed25519Signer(aid: Aid, keyState: KeyStateRef, seed: Uint8Array): Signer {
  const sign = ed25519(seed);
  return { aid, keyState, sign: (message) => [{ index: 0, sig: sign(message) }] };
}

/** Time and chance, so that programs and tests can give their own. */
export interface ClientPorts {
  /** Units: ms since 1970. */
  now(): number;
  randomBytes(length: number): Uint8Array;
}

/** Those of the application's own process: the client runs in no host of ours that could inject them. */
export const defaultPorts: ClientPorts = {
  // oxlint-disable-next-line sky/ambient -- the one place where the client's clock comes from
  now: () => Date.now(),
  // oxlint-disable-next-line sky/ambient -- the one place where the client's chance comes from
  randomBytes: (length) => globalThis.crypto.getRandomValues(new Uint8Array(length)),
};

/** 10 minutes: longer than any retry and any honest clock's error, well below the hour that the cluster allows. */
const COMMAND_LIFETIME_MS = 600_000;

/** A write as a command of its own. Refuses: EMPTY_MESSAGE, TOO_MANY, TOO_LARGE, and names that gateways refuse. */
export function commandOf(write: GraphWrite, ports: ClientPorts, id?: CommandId): Result<Command> {
  if (write.changes.length === 0) return refuse("EMPTY_MESSAGE", "The write asks for no change; give at least one.");
  if (write.changes.length > CHANGES_MAX || write.preconditions.length > PRECONDITIONS_MAX)
    return refuse(
      "TOO_MANY",
      `A write holds at most ${CHANGES_MAX} changes and ${PRECONDITIONS_MAX} preconditions; split it.`,
    );
  const judged = judgeWriteNames(write);
  if (!judged.ok) return judged;
  const payload = encode(graphWriteShape, write);
  if (payload.length > PAYLOAD_BYTES_MAX)
    return refuse("TOO_LARGE", `The write has ${payload.length} bytes, more than ${PAYLOAD_BYTES_MAX}; split it.`);
  return ok({
    id: id ?? (toHex(ports.randomBytes(16)) as CommandId),
    kind: "graph.write",
    payload,
    notAfter: (ports.now() + COMMAND_LIFETIME_MS) as LogTime,
  });
}

/** The bytes of a batch, signed once. */
export async function signBatch(cluster: Digest, signer: Signer, commands: readonly Command[]): Promise<Uint8Array> {
  const { aid, keyState } = signer;
  const body = encode(signedBodyShape, { cluster, author: aid, principal: null, keyState, commands });
  return encode(signedShape, { body, signatures: await signer.sign(signingBytes("signed", cluster, body)) });
}
