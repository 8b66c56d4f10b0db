/** Answers what is to be proven from a log: executes as far as a proof needs, makes it, and checks it as its reader will. */
import type { Aid, CommandId, Height } from "../../base/brands.ts";
import { type Refusal, type Result, ok, refuse } from "../../base/result.ts";
import type { Electorate } from "../../events/facts/finality.ts";
import { PROOF_BYTES_MAX, encodeProof } from "../../events/facts/proof.ts";
import { verifyProof } from "../../events/facts/verify-proof.ts";
import { ExecutedLog } from "./executed-log.ts";
import { ExecutedStore } from "./executed-store.ts";
import { type ProvableLog, Prover, type ProverRefusal, type Wanted } from "./prover.ts";

/** How far the log has been read or executed, of what a proof needs. Units: blocks. */
export interface NotaryProgress {
  readonly height: number;
  readonly to: number;
  /** Whether the next proof needs not do it again. */
  readonly stays: boolean;
}

export type NotaryRefusal = ProverRefusal | Refusal<"PROOF_UNSOUND">;

/** A command's height, where nobody says it, is looked for in so many of the newest blocks: some seconds of reading. */
export const SEARCHED_BLOCKS_MAX = 10_000;

export class Notary {
  readonly #members: Electorate;
  readonly #prover: Prover;
  readonly #execution: ExecutedLog;
  readonly #store = new ExecutedStore();

  constructor(log: ProvableLog, members: Electorate) {
    this.#members = members;
    this.#prover = new Prover(log);
    this.#execution = new ExecutedLog(log, members.cluster);
  }

  /** Last height whose effects are known; −1 for none. */
  get executed(): number {
    return this.#execution.height;
  }

  /** Commands that were executed so far. */
  get commands(): number {
    return this.#execution.commands;
  }

  /** Height of a command in the newest blocks; yields after each block. */
  *find(author: Aid, id: CommandId): Generator<NotaryProgress, Height | undefined> {
    const work = this.#prover.find(author, id, SEARCHED_BLOCKS_MAX);
    let step = work.next();
    for (; step.done !== true; step = work.next()) yield { height: step.value, to: SEARCHED_BLOCKS_MAX, stays: false };
    return step.value;
  }

  /**
   * The proof file. Yields now and then, with how far it is; what was executed stays for the next proof. Throws: LogDamage, and faults of
   * disks.
   */
  *prove(wanted: Wanted): Generator<NotaryProgress, Result<Uint8Array, NotaryRefusal>> {
    const basis = this.#prover.basis(wanted);
    if (!basis.ok) return basis;
    const needsEffects = wanted.kind === "keyState" || (wanted.kind === "inclusion" && wanted.withEffects);
    if (needsEffects) yield* this.#execute(basis.value.header.executed.height);
    const proof = this.#prover.prove(wanted, basis.value, this.#store);
    if (!proof.ok) return proof;
    const file = encodeProof(this.#members.cluster, proof.value);
    if (file.length > PROOF_BYTES_MAX)
      return refuse("TOO_LARGE", `The proof has ${file.length} bytes, more than ${PROOF_BYTES_MAX}.`);
    const judged = verifyProof(file, this.#members);
    if (judged.ok) return ok(file);
    return refuse(
      "PROOF_UNSOUND",
      `The log does not bear its own proof out (${judged.refusal.message}) Run sky verify --data on it.`,
      "none",
    );
  }

  *#execute(to: number): Generator<NotaryProgress, void> {
    while (this.#execution.height < to) {
      const next = this.#execution.next();
      let step = next.next();
      for (; step.done !== true; step = next.next()) yield { height: this.#execution.height, to, stays: true };
      this.#store.add(step.value);
      yield { height: step.value.height, to, stays: true };
    }
  }

  close(): void {
    this.#store.close();
  }
}
