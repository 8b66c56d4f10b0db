/** What the handlers of sky.kerl.v1, and the identity listener, need of a node. */
import type { Aid, Digest, Height } from "../../base/brands.ts";
import type { Result } from "../../base/result.ts";
import type { KerlReader, KerlVerdict } from "../../keri/kerl.ts";
import type { KeyState } from "../../keri/key-state.ts";
import type { KeriMessage, ParsedBody } from "../../keri/messages.ts";
import type { Standing } from "../../projections/kerl/standing.ts";
import type { CommandOutcome } from "../../wire/outcome.ts";
import type { CallerOf } from "./oracle-port.ts";
import type { KerlQueries } from "./kerl-queries.ts";

/** A node, and the non-transferable identifier that it witnesses others' events as. */
export interface WitnessOf {
  readonly node: Aid;
  readonly aid: Aid;
  /** Where its endpoint is bound, http first. */
  readonly urls: readonly string[];
}

export interface KerlPort {
  readonly queries: KerlQueries;
  /** Whether the live logs reached the height in time. Units: ms since 1970. */
  waitFor(height: Height, deadlineMs: number): Promise<boolean>;
  /** Whether it may read what is not its own: readers, writers, auditors, administrators. */
  mayRead(aid: Aid): boolean;
  /** Of a block; undefined below the checkpoint that this node's log begins with. */
  blockHash(height: Height): Promise<Result<Digest | undefined>>;
  /** A proof file of the key state at a height, or at the newest that can be proven. Units: ms since 1970. Refuses: see NotaryHost. */
  proveKeyState(aid: Aid, through: Height | undefined, untilMs: number): Promise<Result<Uint8Array>>;
  /** As OraclePort has it. */
  submitSigned(signed: Uint8Array, deadlineMs: number): Promise<Result<readonly CommandOutcome[]>>;
  /** How a message that was executed stands now. */
  standing(body: ParsedBody, changed: boolean): Standing;
  /** Judges a message as an append would, and forgets it. Refuses: KerlCode. */
  judge(message: KeriMessage): Result<KerlVerdict>;
  /** The live logs as the last whole block left them. */
  view(): KerlReader;
  /** The newest state, or the one after the event in force at a sequence number. */
  keyState(aid: Aid, sn?: number): KeyState | undefined;
  /** Those that are known here, in the order of the founding document. */
  witnesses(): Promise<Result<readonly WitnessOf[]>>;
}

export interface KerlContext {
  readonly kerl: KerlPort;
  readonly callerOf: CallerOf;
  /** Told of every error thrown while a call was handled; the caller has been answered DEFECT. */
  readonly onDefect: (error: unknown) => void;
  /** A consumer of a stream that takes nothing for so long is closed. Units: ms; 30 s unless given. */
  readonly slowMs?: number;
}
