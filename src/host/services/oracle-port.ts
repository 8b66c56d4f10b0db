/** What the Oracle's handlers need of a node. The host implements it over the live read model, the mempool and the projector. */
import type { Aid, Height } from "../../base/brands.ts";
import type { Result } from "../../base/result.ts";
import type { Assertion, GraphNode, GraphWrite, Relation } from "../../events/facts/graph.ts";
import type { Explanation } from "../../events/facts/explanation.ts";
import type { CommandOutcome } from "../../wire/outcome.ts";

/** Who calls, as the listener found it at the handshake. */
export interface Caller {
  readonly aid: Aid;
  readonly role: string;
}

/** The part of a gRPC call that tells connections apart. */
export interface PeerCall {
  /** Address and port of the connection's other end. */
  getPeer(): string;
}

/** Finds the caller of a call. Refuses: UNAUTHENTICATED. Runs for every call: a map lookup, not a certificate check. */
export type CallerOf = (call: PeerCall) => Result<Caller>;

/** The graph as it was at one past height. */
export interface HistoricalView {
  readonly height: Height;
  /** One answer for each assertion, in order. Refuses: HISTORY_LAGGING, OVERLOADED. */
  check(assertions: readonly Assertion[]): Promise<Result<readonly boolean[]>>;
  /** Refuses: HISTORY_LAGGING, OVERLOADED. */
  explain(assertion: Assertion): Promise<Result<Explanation>>;
}

/**
 * Reads are synchronous, from the live read model, and all of one block or none of it. Their results hold no duplicates and
 * are sorted by bytes: namespace, name, relation's namespace, relation's name, each as UTF-8. Deadlines are absolute.
 * Units: ms since 1970 by the host's clock.
 */
export interface OraclePort {
  /** Height of the live read model. Never falls. */
  height(): Height;
  /** Whether the read model reached the height in time. Bounds: a full queue of waiters answers false at once. */
  waitFor(height: Height, deadlineMs: number): Promise<boolean>;
  mayRead(aid: Aid): boolean;
  check(assertion: Assertion): boolean;
  /** Bounds: EXPLAIN_BOUNDS. */
  explain(assertion: Assertion): Explanation;
  /** Subjects directly asserted to have any of these objects; with a predicate only those whose whole relation equals it. */
  readSubjects(objects: readonly GraphNode[], predicate?: Relation): readonly GraphNode[];
  /** Objects that any of these subjects is directly asserted to have. */
  readObjects(subjects: readonly GraphNode[], predicate?: Relation): readonly GraphNode[];
  /** Every subject for which check(subject, object) is true. */
  expandSubjects(object: GraphNode, predicate?: Relation): readonly GraphNode[];
  /** Every object for which check(subject, object) is true. */
  expandObjects(subject: GraphNode, predicate?: Relation): readonly GraphNode[];
  /** Refuses: HEIGHT_UNKNOWN, HISTORY_LAGGING, OVERLOADED. */
  at(height: Height): Promise<Result<HistoricalView>>;
  /**
   * Submits an encoded Signed batch and waits until all its commands are settled; one outcome each, in the batch's order.
   * The caller is the connection's identifier; whether it may submit another author's batch is the port's to judge.
   * Refuses: MALFORMED, BAD_SIGNATURE, OVERLOADED, SEALED, OUTCOME_UNKNOWN (the same bytes may be sent again), EXPIRED.
   */
  submitSigned(signed: Uint8Array, deadlineMs: number): Promise<Result<readonly CommandOutcome[]>>;
  /**
   * Signs as a gateway for a client of the compatible service (DESIGN §6) and waits until the command is settled.
   * Refuses: PERMISSION_DENIED, OVERLOADED, SEALED, OUTCOME_UNKNOWN.
   */
  submitFor(principal: Aid, write: GraphWrite, deadlineMs: number): Promise<Result<CommandOutcome>>;
}
