/** The facts of a block that change the graph, command by command. */
import type { FactData, GraphFact } from "../../../src/events/facts/fact.ts";
import type { ReplayedBlock } from "../replayed.ts";

const GRAPH_KINDS: ReadonlySet<FactData["kind"]> = new Set<GraphFact["kind"]>([
  "namespaceAdded",
  "namespaceDeleted",
  "relationAdded",
  "relationDeleted",
  "subjectAdded",
  "subjectDeleted",
  "objectAdded",
  "objectDeleted",
  "assertionAdded",
  "assertionDeleted",
  "relationMapped",
  "relationUnmapped",
  "subjectMapped",
  "subjectUnmapped",
  "objectMapped",
  "objectUnmapped",
]);

export const isGraphFact = (data: FactData): data is GraphFact => GRAPH_KINDS.has(data.kind);

export interface CommandFacts {
  readonly index: number;
  readonly facts: readonly GraphFact[];
}

/** Each command's, in order; commands that changed nothing of the graph are left out. */
export function graphFactsOf({ facts }: ReplayedBlock): readonly CommandFacts[] {
  const commands: { readonly index: number; readonly facts: GraphFact[] }[] = [];
  for (const { index, data } of facts) {
    if (!isGraphFact(data)) continue;
    const last = commands.at(-1);
    if (last?.index === index) last.facts.push(data);
    else commands.push({ index, facts: [data] });
  }
  return commands;
}
