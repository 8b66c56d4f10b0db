/**
 * What the folds must do, against a graph as naive as it can be written (naive-graph.ts) that is told every command of the graph's
 * writers (graph-writers.ts) in log order: outcomes, duplicates and expiry; what a node answers about the newest height, whether it
 * executed every block or began from its tables; and what the projector answers about past ones.
 */
import type { Digest } from "../../src/base/brands.ts";
import { height as heightOf } from "../../src/base/brands.ts";
import type { Projector } from "../../src/actors/projector/projector.ts";
import type { OutcomeFact } from "../../src/events/facts/fact.ts";
import type { Assertion, GraphChange, GraphNode, GraphWrite } from "../../src/events/facts/graph.ts";
import type { SettledCommand } from "../../src/projections/ledger/duplicates.ts";
import type { ExecutedBlock } from "../../src/projections/ledger/ledger.ts";
import type { GraphView } from "../../src/projections/rebac/live-graph.ts";
import * as naive from "./naive-graph.ts";
import type { Random } from "./random.ts";
import { Violation } from "./violation.ts";

/** Questions put at each height, and what they ask: a whole expansion costs the naive graph ten times a check. */
const QUESTIONS = 3;
const ASKED = ["check", "check", "check", "check", "check", "check", "readObjects", "expandSubjects"] as const;
/** Past heights that a projector is asked about each time it has applied blocks. */
const PAST_QUESTIONS = 6;

type Asked = "check" | "expandSubjects" | "readObjects";

interface Question {
  readonly kind: Asked;
  readonly of: Assertion;
  readonly answer: string;
}

interface Remembered {
  readonly height: number;
  readonly index: number;
  readonly outcome: OutcomeFact;
}

const POLICY_NAMESPACE = "sky";
const namesPolicy = (change: GraphChange): boolean =>
  JSON.stringify(change).includes(`"namespace":"${POLICY_NAMESPACE}"`);

/** What the change alone says, as the state before it stands: a writer may not touch the policy, whatever else is wrong with it. */
function judged(state: naive.State, { changes, preconditions }: GraphWrite): naive.Judged {
  if (preconditions.some(({ assertion }) => namesPolicy({ kind: "addAssertion", assertion })))
    return { code: "POLICY_FORBIDDEN" };
  const at = changes.findIndex(namesPolicy);
  if (at === -1) return naive.judge(state, { changes, preconditions });
  const before = naive.judge(state, { changes: changes.slice(0, at), preconditions });
  return "code" in before ? before : { code: "POLICY_FORBIDDEN" };
}

export class GraphInvariants {
  readonly #random: Random;
  readonly #writes = new Map<Digest, GraphWrite>();
  readonly #remembered = new Map<string, Remembered>();
  readonly #questions: (readonly Question[])[] = [];
  #nodes: readonly GraphNode[] = [];
  #state = naive.emptyState();
  #commands = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Commands of the graph's writers that were judged. */
  get commands(): number {
    return this.#commands;
  }

  /** Nodes that questions are about. */
  asks(nodes: readonly GraphNode[]): void {
    this.#nodes = nodes;
  }

  /** A command that a writer signs, by the digest of its bytes. */
  signed(digest: Digest, write: GraphWrite): void {
    this.#writes.set(digest, write);
  }

  #broken(name: string, message: string): never {
    throw new Violation("the graph is as the commands say", `${name}: ${message}`);
  }

  /** A node executed a block; `graph` is what its readers see now. */
  executed(name: string, block: ExecutedBlock, graph: GraphView): void {
    if (this.#nodes.length === 0) return;
    if (this.#questions[block.height] === undefined) {
      for (const command of block.settled) this.#settled(name, block, command);
      this.#questions[block.height] = Array.from({ length: QUESTIONS }, () => this.#question());
    }
    for (const { kind, of, answer } of this.#questions[block.height] ?? []) {
      const found = JSON.stringify(answerOf(graph, kind, of));
      if (found !== answer)
        this.#broken(name, `after block ${block.height} ${kind} of ${JSON.stringify(of)} is ${found}, not ${answer}`);
    }
  }

  #question(): Question {
    const of = { subject: this.#random.pick(this.#nodes), object: this.#random.pick(this.#nodes) };
    const kind = this.#random.pick(ASKED);
    const state = this.#state;
    const view = {
      check: () => naive.check(state, of.subject, of.object),
      expandSubjects: () => naive.expandSubjects(state, of.object),
      readObjects: () => naive.readObjects(state, [of.subject]),
    };
    return { kind, of, answer: JSON.stringify(view[kind]()) };
  }

  /** The first member to execute a block shows what each command of it came to. */
  #settled(name: string, block: ExecutedBlock, { id, height, index, outcome }: SettledCommand): void {
    const write = this.#writes.get(outcome.digest);
    if (write === undefined) return;
    this.#commands += 1;
    const where = `command ${id} in block ${block.height}`;
    const expect = (code: string | undefined): void => {
      const found = outcome.kind === "commandRefused" ? outcome.code : undefined;
      if (found !== code) this.#broken(name, `${where} is ${found ?? "executed"}, not ${code ?? "executed"}`);
    };
    if (outcome.notAfter < block.time) return expect("EXPIRED");
    const known = this.#remembered.get(id);
    if (known !== undefined && known.outcome.digest !== outcome.digest) return expect("DUPLICATE_ID");
    if (known !== undefined) {
      if (known.height === height && known.index === index) return;
      this.#broken(name, `${where} was settled at ${known.height}/${known.index}, and now at ${height}/${index}`);
    }
    this.#remembered.set(id, { height, index, outcome });
    const verdict = judged(this.#state, write);
    if ("code" in verdict) return expect(verdict.code);
    expect(undefined);
    const changed = outcome.kind === "commandExecuted" ? outcome.changed : [];
    if (JSON.stringify(changed) !== JSON.stringify(verdict.changed))
      this.#broken(name, `${where} changed ${JSON.stringify(changed)}, not ${JSON.stringify(verdict.changed)}`);
    this.#state = verdict.state;
  }

  /** A projector applied blocks: it is asked what was put to others at the heights that it knows. */
  projected(name: string, projector: Projector): void {
    for (let n = 0; n < PAST_QUESTIONS && projector.height > 0; n++) {
      const height = 1 + this.#random.below(projector.height);
      for (const { kind, of, answer } of this.#questions[height] ?? []) {
        if (kind !== "check") continue;
        const found = projector.checkAt(heightOf(height), [of]);
        if (!found.ok || JSON.stringify(found.value[0]) !== answer)
          this.#broken(
            name,
            `its tables at ${projector.height} do not say ${answer} of check of ${JSON.stringify(of)} at height ${height}`,
          );
      }
    }
  }
}

function answerOf(graph: GraphView, kind: Asked, { subject, object }: Assertion): unknown {
  switch (kind) {
    case "check":
      return graph.check(subject, object);
    case "expandSubjects":
      return graph.expandSubjects(object);
    case "readObjects":
      return graph.readObjects([subject]);
  }
}
