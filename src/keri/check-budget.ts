/**
 * What judging may cost, in checks of one Ed25519 signature: counted by algorithm and length, never by time, so that every replica
 * stops at the same place. What it refuses is as if no signature held; whoever spends asks afterwards whether it was enough.
 * Source: DESIGN §8, one fixed bound for what a command may cost.
 */
import type { KeyAlgorithm, VerificationKey } from "../crypto/verification-key.ts";
import type { ParsedBody } from "./messages.ts";

/** For the messages of one command: 80 to 200 ms, in steps of a message each. */
export const COMMAND_CHECKS_MAX = 1024;
/** For everything that waited for them; apart, so that nobody's escrows make another's command too dear. */
export const SETTLING_CHECKS_MAX = 256;
/** For a question whether something holds, asked of the thread that serves: 64 keys, 64 witnesses and as many others again. */
export const QUESTION_CHECKS_MAX = 256;

/** OpenSSL has fast arithmetic for P-256 and none for secp256k1. */
const SIGNATURE: Readonly<Record<KeyAlgorithm, number>> = { ed25519: 1, p256: 3, secp256k1: 10 };
/** Reading a key: the others' compressed points cost a square root. */
const KEY: Readonly<Record<KeyAlgorithm, number>> = { ed25519: 0, p256: 1, secp256k1: 4 };
/** Hashing so many bytes costs about as much as a check. Units: bytes. */
const HASHED_BYTES = 32_768;

export class CheckBudget {
  /** Units: checks of one Ed25519 signature. */
  readonly all: number;
  #left: number;

  constructor(checks: number) {
    this.all = checks;
    this.#left = checks;
  }

  get isUntouched(): boolean {
    return this.#left === this.all;
  }

  /** More was asked of it than there was: what was judged meanwhile does not count. */
  get isSpent(): boolean {
    return this.#left < 0;
  }

  /** Whether a signature over so many bytes may be tried. */
  mayCheck({ algorithm }: VerificationKey, length: number): boolean {
    return this.#spend(SIGNATURE[algorithm] + Math.floor(length / HASHED_BYTES));
  }

  /** Takes what reading these keys cost. */
  readKeys(keys: readonly VerificationKey[]): void {
    this.#spend(keys.reduce((sum, { algorithm }) => sum + KEY[algorithm], 0));
  }

  /** Takes what reading a body's keys and witnesses cost. */
  readBody(body: ParsedBody): void {
    if ("verificationKeys" in body) this.readKeys(body.verificationKeys);
    const witnesses = "witnesses" in body ? body.witnesses : "witnessesAdded" in body ? body.witnessesAdded : [];
    this.#spend(witnesses.filter((text) => !text.startsWith("B")).length * KEY.secp256k1);
  }

  #spend(cost: number): boolean {
    this.#left = this.#left < cost ? -1 : this.#left - cost;
    return this.#left >= 0;
  }
}

/** What one command may cost: its own messages, and what these end the wait of. */
export interface CommandChecks {
  readonly arriving: CheckBudget;
  readonly settling: CheckBudget;
}

export const commandChecks = (): CommandChecks => ({
  arriving: new CheckBudget(COMMAND_CHECKS_MAX),
  settling: new CheckBudget(SETTLING_CHECKS_MAX),
});

/** For a question: what would end its wait is not looked at beyond this. */
export function questionChecks(): CommandChecks {
  const all = new CheckBudget(QUESTION_CHECKS_MAX);
  return { arriving: all, settling: all };
}

/** For whoever judges what is his own, off the log. */
export const UNBOUNDED: CommandChecks = {
  arriving: new CheckBudget(Number.POSITIVE_INFINITY),
  settling: new CheckBudget(Number.POSITIVE_INFINITY),
};
