/** A node of one: the real graph, `decide` and `evolve` behind the port; every write is a block of its own. */
import { type Aid, type CommandId, type Height, height } from "../../../../src/base/brands.ts";
import { decode } from "../../../../src/base/codec.ts";
import { type Result, ok, refuse } from "../../../../src/base/result.ts";
import { sha256Digest, signingBytes } from "../../../../src/crypto/hash.ts";
import { verify } from "../../../../src/crypto/ed25519.ts";
import { utf8 } from "../../../../src/base/bytes.ts";
import { SIGNED_BYTES_MAX, signedBodyShape, signedShape } from "../../../../src/events/facts/command.ts";
import { type GraphWrite, graphWriteShape } from "../../../../src/events/facts/graph.ts";
import type { GraphFact } from "../../../../src/events/facts/fact.ts";
import type { OraclePort } from "../../../../src/host/services/oracle-port.ts";
import { BlockOverlay } from "../../../../src/projections/rebac/block-overlay.ts";
import { decide } from "../../../../src/projections/rebac/decide.ts";
import { evolve } from "../../../../src/projections/rebac/evolve.ts";
import { EXPLAIN_BOUNDS } from "../../../../src/projections/rebac/explain.ts";
import { LiveGraph } from "../../../../src/projections/rebac/live-graph.ts";
import type { CommandOutcome } from "../../../../src/wire/outcome.ts";

export const CLUSTER = sha256Digest(utf8("a cluster of one"));

export class NodeInMemory implements OraclePort {
  /** Public keys of the authors whose batches hold. */
  readonly keys = new Map<string, Uint8Array>();
  readonly readers = new Set<string>();
  /** What the next submissions are refused with, before anything is done. */
  readonly refuseNext: Result<never>[] = [];
  /** Settles the next submissions but loses the answers. */
  loseAnswers = 0;
  submissions = 0;
  /** What is not there yet is late at once: what is answered then does not hang on whether the node's clock or the caller's strikes first. */
  isHurried = false;
  readonly #graph = new LiveGraph();
  readonly #facts: (readonly GraphFact[])[] = [[]];
  readonly #settled = new Map<string, CommandOutcome>();
  readonly #waiters = new Set<() => void>();
  #held: Promise<void> | undefined;

  height(): Height {
    return height(this.#facts.length - 1);
  }

  mayRead(aid: Aid): boolean {
    return this.readers.has(aid);
  }

  check(...[{ subject, object }]: Parameters<OraclePort["check"]>): boolean {
    return this.#graph.check(subject, object);
  }
  explain: OraclePort["explain"] = (assertion) => this.#graph.explain(assertion, EXPLAIN_BOUNDS);
  readSubjects: OraclePort["readSubjects"] = (objects, predicate) => this.#graph.readSubjects(objects, predicate);
  readObjects: OraclePort["readObjects"] = (subjects, predicate) => this.#graph.readObjects(subjects, predicate);
  expandSubjects: OraclePort["expandSubjects"] = (object, predicate) => this.#graph.expandSubjects(object, predicate);
  expandObjects: OraclePort["expandObjects"] = (subject, predicate) => this.#graph.expandObjects(subject, predicate);

  waitFor(wanted: Height, deadlineMs: number): Promise<boolean> {
    if (this.isHurried) return Promise.resolve(this.height() >= wanted);
    return new Promise((resolve) => {
      const settle = (): void => {
        if (Date.now() < deadlineMs && this.height() < wanted) return;
        this.#waiters.delete(settle);
        clearTimeout(timer);
        resolve(this.height() >= wanted);
      };
      const timer = setTimeout(settle, Math.max(0, deadlineMs - Date.now()) + 1);
      this.#waiters.add(settle);
    });
  }

  /** Answers of writes wait until the function returned is called. */
  hold(): () => void {
    let release = (): void => undefined;
    this.#held = new Promise((resolve) => {
      release = resolve;
    });
    return () => {
      this.#held = undefined;
      release();
    };
  }

  async at(asked: Height): ReturnType<OraclePort["at"]> {
    if (asked > this.height())
      return refuse("HEIGHT_UNKNOWN", `This node is at height ${this.height()}; ask for one up to that.`);
    const past = new LiveGraph();
    for (const facts of this.#facts.slice(0, asked + 1)) evolve(past, facts);
    return ok({
      height: asked,
      check: async (assertions) => ok(assertions.map(({ subject, object }) => past.check(subject, object))),
      explain: async (assertion) => ok(past.explain(assertion, EXPLAIN_BOUNDS)),
    });
  }

  async submitFor(principal: Aid, write: GraphWrite, _deadlineMs: number): Promise<Result<CommandOutcome>> {
    this.submissions += 1;
    const refused = this.refuseNext.shift();
    if (refused !== undefined) return refused;
    await this.#held;
    const id = this.#facts.length.toString(16).padStart(32, "0") as CommandId;
    return ok(this.#settle(principal, id, write));
  }

  async submitSigned(bytes: Uint8Array, _deadlineMs: number): Promise<Result<readonly CommandOutcome[]>> {
    this.submissions += 1;
    const refused = this.refuseNext.shift();
    if (refused !== undefined) return refused;
    const signed = decode(signedShape, bytes, SIGNED_BYTES_MAX + 8_192);
    if (!signed.ok) return signed;
    const body = decode(signedBodyShape, signed.value.body, SIGNED_BYTES_MAX);
    if (!body.ok) return body;
    const key = this.keys.get(body.value.author);
    const holds = signed.value.signatures.every(
      ({ sig }) => key !== undefined && verify(key, signingBytes("signed", CLUSTER, signed.value.body), sig),
    );
    if (!holds || body.value.cluster !== CLUSTER)
      return refuse("BAD_SIGNATURE", "The batch is not signed by its author; sign it with the keys in force.");
    const outcomes: CommandOutcome[] = [];
    for (const command of body.value.commands) {
      const write = decode(graphWriteShape, command.payload, SIGNED_BYTES_MAX);
      if (!write.ok) return write;
      outcomes.push(this.#settle(body.value.author, command.id, write.value));
    }
    await this.#held;
    if (this.loseAnswers > 0) {
      this.loseAnswers -= 1;
      return refuse("OUTCOME_UNKNOWN", "The node stopped before it could answer; send the same bytes again.", "none");
    }
    return ok(outcomes);
  }

  #settle(author: Aid, id: CommandId, write: GraphWrite): CommandOutcome {
    const known = this.#settled.get(`${author} ${id}`);
    if (known !== undefined) return known;
    const overlay = new BlockOverlay(this.#graph);
    const decision = decide(overlay, write, { mayChangePolicy: true });
    if (decision.ok) overlay.keepCommand();
    overlay.merge();
    this.#facts.push(decision.ok ? decision.value.facts : []);
    const outcome: CommandOutcome = {
      id,
      receipt: { height: this.height(), index: 0, blockHash: sha256Digest(utf8(`block ${this.height()}`)) },
      result: decision.ok
        ? { kind: "executed", changed: decision.value.changed }
        : { kind: "refused", code: decision.refusal.code, message: decision.refusal.message },
    };
    this.#settled.set(`${author} ${id}`, outcome);
    for (const settle of [...this.#waiters]) settle();
    return outcome;
  }
}
