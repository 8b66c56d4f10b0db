/** Auditors' answers against a naive fold of the commands themselves, at every height of logs of random writes. */
import fc from "fast-check";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decode } from "../../../../src/base/codec.ts";
import { PAYLOAD_BYTES_MAX } from "../../../../src/events/facts/command.ts";
import { FOUNDING_BYTES_MAX, foundingDocumentShape } from "../../../../src/events/facts/founding.ts";
import type { ChainLink } from "../../../../src/events/facts/explanation.ts";
import {
  type Assertion,
  type GraphNode,
  type GraphWrite,
  graphWriteShape,
} from "../../../../src/events/facts/graph.ts";
import { foundingPolicy } from "../../../../src/projections/ledger/policy.ts";
import { DirectorySource } from "../../../../tools/replay/directory.ts";
import { actsIn } from "../../../../tools/replay/questions/acts.ts";
import { type Change, changesIn } from "../../../../tools/replay/questions/changes.ts";
import { Who } from "../../../../tools/replay/questions/who.ts";
import { Why } from "../../../../tools/replay/questions/why.ts";
import { replay } from "../../../../tools/replay/replay.ts";
import type { ReplayedBlock } from "../../../../tools/replay/replayed.ts";
import * as brute from "../../../../tools/sim/naive-graph.ts";
import { nodes, write } from "../../rebac/random-writes.ts";
import { AuditedLog } from "./audited-log.ts";

const BLOCKS = 24;
const keyOf = (n: GraphNode): string => JSON.stringify([n.namespace, n.name, n.relation.namespace, n.relation.name]);
const pair = (a: GraphNode, b: GraphNode): string => JSON.stringify([keyOf(a), keyOf(b)]);
const EDGES = ["assertions", "subjectMaps", "objectMaps"] as const;
const SETS = { assertion: "assertions", subjectMap: "subjectMaps", objectMap: "objectMaps" } as const;
const placeOf = ({ height, index }: { readonly height: number; readonly index: number }): string =>
  `${height}/${index}`;

/** What happened, as the naive graph has it: the state, and where each edge that is there came from. */
class NaiveHistory {
  state = brute.emptyState();
  readonly origins = new Map<string, string>();
  readonly #questions: readonly Assertion[];
  readonly turns: { readonly result: boolean; readonly place: string }[][];

  constructor(questions: readonly Assertion[]) {
    this.#questions = questions;
    this.turns = questions.map(() => []);
  }

  take(block: ReplayedBlock): void {
    if (block.body.kind === "genesis") {
      const document = decode(foundingDocumentShape, block.body.document, FOUNDING_BYTES_MAX);
      if (!document.ok) throw new Error(document.refusal.message);
      this.#write({ changes: foundingPolicy(document.value), preconditions: [] }, "0/founding");
    }
    for (const { index, command, outcome } of block.commands) {
      const asked = decode(graphWriteShape, command.payload, PAYLOAD_BYTES_MAX);
      if (!asked.ok) throw new Error("a graph.write");
      const judged = brute.judge(this.state, asked.value);
      expect(outcome.kind === "refused" ? outcome.code : outcome.kind).toBe(
        "code" in judged ? judged.code : "executed",
      );
      if (!("code" in judged)) this.#write(asked.value, placeOf({ height: block.height, index }));
    }
  }

  /** Change by change, so that what goes and comes back in one command has come by it. */
  #write({ changes }: GraphWrite, place: string): void {
    for (const change of changes) {
      const before = this.state;
      const judged = brute.judge(before, { changes: [change], preconditions: [] });
      if ("code" in judged) throw new Error(`judged as a whole, and now ${judged.code}`);
      this.state = judged.state;
      for (const set of EDGES)
        for (const edge of this.state[set]) if (!before[set].has(edge)) this.origins.set(`${set} ${edge}`, place);
    }
    for (const [i, { subject, object }] of this.#questions.entries()) {
      const turns = this.turns[i] ?? [];
      const result = brute.check(this.state, subject, object);
      if (result !== (turns.at(-1)?.result ?? false)) turns.push({ result, place });
    }
  }

  originOf(link: ChainLink): string | undefined {
    const ends: readonly [GraphNode, GraphNode] =
      link.kind === "assertion" ? [link.assertion.subject, link.assertion.object] : [link.edge.parent, link.edge.child];
    return this.origins.get(`${SETS[link.kind]} ${pair(...ends)}`);
  }
}

/** Every edge at a node that its changes leave. */
function fold(edges: Set<string>, { fact: { data } }: Change): void {
  switch (data.kind) {
    case "assertionAdded":
      return void edges.add(`assertions ${pair(data.assertion.subject, data.assertion.object)}`);
    case "assertionDeleted":
      return void edges.delete(`assertions ${pair(data.assertion.subject, data.assertion.object)}`);
    case "subjectMapped":
    case "objectMapped":
      return void edges.add(
        `${data.kind === "subjectMapped" ? "subjectMaps" : "objectMaps"} ${pair(data.edge.parent, data.edge.child)}`,
      );
    case "subjectUnmapped":
    case "objectUnmapped":
      return void edges.delete(
        `${data.kind === "subjectUnmapped" ? "subjectMaps" : "objectMaps"} ${pair(data.edge.parent, data.edge.child)}`,
      );
    default:
      return undefined;
  }
}

const touching = (state: brute.State, node: GraphNode): readonly string[] =>
  EDGES.flatMap((set) =>
    [...state[set]]
      .filter((edge) => (JSON.parse(edge) as string[]).includes(keyOf(node)))
      .map((edge) => `${set} ${edge}`),
  );

test.each([1, 2, 3])("who, why, changes and acts agree with the naive fold at every height (seed %i)", async (seed) => {
  const directory = mkdtempSync(join(tmpdir(), "sky-audit-brute-"));
  const log = new AuditedLog(join(directory, "log.db"));
  const { admin } = log;
  const commands = fc.sample(write, { seed, numRuns: 3 * BLOCKS }).map((one) => log.whole(one));
  for (let i = 0; i < BLOCKS; i++) log.block(log.signed(admin, commands.slice(3 * i, 3 * i + 3)));
  log.close();

  const questions = nodes.flatMap((subject, i) =>
    [1, 4].map((step) => ({ subject, object: nodes[(i + step + seed) % nodes.length] ?? subject })),
  );
  const naive = new NaiveHistory(questions);
  const who = new Who();
  const whys = questions.map((question) => new Why(question));
  const edges = nodes.map(() => new Set<string>());
  const acts: string[] = [];
  let chains = 0;
  const source = DirectorySource.open(directory);
  for await (const block of replay(source)) {
    for (const asked of [naive, who, ...whys]) asked.take(block);
    for (const object of nodes) expect(who.answer(object).subjects).toEqual(brute.expandSubjects(naive.state, object));
    for (const [i, why] of whys.entries()) {
      const { explanation, links, since, turns, turnsOmitted } = why.answer();
      const expected = naive.turns[i] ?? [];
      const { subject, object } = questions[i] ?? explanation;
      expect(explanation.result).toBe(brute.check(naive.state, subject, object));
      expect(turnsOmitted).toBe(0);
      const found = turns.map(({ result, origin }) => ({
        result,
        place: origin.by === "founding" ? "0/founding" : placeOf(origin),
      }));
      expect(found).toEqual(expected);
      expect(since).toEqual(turns.at(-1) ?? null);
      expect(links.length > 0).toBe(explanation.result);
      chains += links.length;
      for (const { link, origin } of links) {
        expect(origin.by === "founding" ? "0/founding" : placeOf(origin)).toBe(naive.originOf(link));
        if (origin.by === "command")
          expect(origin).toMatchObject({ author: admin.aid, keyState: admin.keyState, kind: "graph.write" });
      }
    }
    for (const [i, node] of nodes.entries()) {
      const left = edges[i] ?? new Set<string>();
      for (const change of changesIn(block, { node })) fold(left, change);
      expect([...left].sort()).toEqual(touching(naive.state, node).toSorted());
    }
    for (const act of actsIn(block, admin.aid)) if (act.kind === "command") acts.push(act.command.command.id);
  }
  await source.close();
  expect(acts).toEqual(commands.map(({ id }) => id));
  expect(chains).toBeGreaterThan(50);
  rmSync(directory, { recursive: true, force: true });
});
