/** Calls that give proofs: each is held whole from its making until its caller took it, so how many, and how much, is bounded here. */
import type { ServerWritableStream } from "@grpc/grpc-js";
import type { Aid } from "../../base/brands.ts";
import { type Result, refuse } from "../../base/result.ts";
import { sendParts } from "./parts.ts";

export interface ProofLimits {
  /** Calls of one caller, waiting ones included. */
  readonly callsOfOne: number;
  /** Proofs on their way to one caller. Units: bytes. */
  readonly bytesOfOne: number;
  /** Proofs on their way to all. Units: bytes. */
  readonly bytes: number;
}

/** The largest proof has 64 MiB (PROOF_BYTES_MAX): one caller gets it, and two of them at a time. */
export const PROOF_LIMITS: ProofLimits = { callsOfOne: 4, bytesOfOne: 64 * 1024 * 1024, bytes: 128 * 1024 * 1024 };
/** Proofs of a block or a head are smaller than the message that carries them, and always go out. */
const SMALL_BYTES = 64 * 1024;

const TOO_MANY = refuse("OVERLOADED", "You ask for too many proofs at a time; wait for those you asked for.", "client");
const TOO_MUCH = refuse("OVERLOADED", "Too many large proofs are on their way; ask again in a moment.", "none");

interface Share {
  calls: number;
  bytes: number;
}

export class ProofCalls {
  readonly #limits: ProofLimits;
  readonly #shares = new Map<Aid, Share>();
  #bytes = 0;

  constructor(limits = PROOF_LIMITS) {
    this.#limits = limits;
  }

  /** Makes a proof and sends it part by part. Refuses: OVERLOADED; what `make` and `sendParts` refuse. */
  async give(
    caller: Aid,
    call: ServerWritableStream<unknown, { part: Buffer }>,
    make: () => Promise<Result<Uint8Array>>,
    slowMs?: number,
  ): Promise<Result<void>> {
    const share = this.#shares.get(caller) ?? { calls: 0, bytes: 0 };
    if (share.calls >= this.#limits.callsOfOne) return TOO_MANY;
    this.#shares.set(caller, share);
    share.calls += 1;
    try {
      const proof = await make();
      return proof.ok ? await this.#send(share, call, proof.value, slowMs) : proof;
    } finally {
      share.calls -= 1;
      if (share.calls === 0) this.#shares.delete(caller);
    }
  }

  async #send(
    share: Share,
    call: ServerWritableStream<unknown, { part: Buffer }>,
    file: Uint8Array,
    slowMs: number | undefined,
  ): Promise<Result<void>> {
    const { length } = file;
    const { bytes, bytesOfOne } = this.#limits;
    if (length > SMALL_BYTES && (share.bytes + length > bytesOfOne || this.#bytes + length > bytes)) return TOO_MUCH;
    share.bytes += length;
    this.#bytes += length;
    try {
      return await sendParts(call, file, slowMs);
    } finally {
      share.bytes -= length;
      this.#bytes -= length;
    }
  }
}
