/** The graph of the acceptance story (protocols/oracle.md), as the live read model holds it and as a picture. */
import type { GraphChange, GraphNode, GraphWrite } from "../../../src/events/facts/graph.ts";
import { formatNode, parseNode } from "../../../src/host/cli/graph-text.ts";
import type { GraphLink, GraphPicture, GraphPoint } from "../../../src/host/inspector/contract.ts";
import { BlockOverlay } from "../../../src/projections/rebac/block-overlay.ts";
import { decide } from "../../../src/projections/rebac/decide.ts";
import { LiveGraph } from "../../../src/projections/rebac/live-graph.ts";

export const VIEW = "Document:123#View";
const MAPS = [
  "HelpDesk#member Admins#member",
  "Ali#flag Admins#member",
  "Ali#flag Users#member",
  "Burcu Users#member",
  "Can Users#member",
  "Managers#member Users#member",
  "Technicians#member Users#member",
  "Demet HelpDesk#member",
  "Egin#flag HelpDesk#member",
  "Egin#flag Users#member",
  "Fuat#flag Managers#member",
  "Gül#flag Managers#member",
  "Hakan Technicians#member",
  "Irmak Technicians#member",
  "ABCTechnicians#member Technicians#member",
  "ABCTechnicians#flag Technicians#member",
  "Jale ABCTechnicians#member",
].map((words) => words.split(" ").map((name) => node(`my-org:${name}`)) as [GraphNode, GraphNode]);

export function node(text: string): GraphNode {
  const parsed = parseNode(text);
  if (!parsed.ok) throw new Error(parsed.refusal.message);
  return parsed.value;
}

const change = (graph: LiveGraph, ...changes: readonly GraphChange[]): void => {
  const overlay = new BlockOverlay(graph);
  const command: GraphWrite = { changes, preconditions: [] };
  const decided = decide(overlay, command, { mayChangePolicy: false });
  if (!decided.ok) throw new Error(decided.refusal.message);
  overlay.keepCommand();
  overlay.merge();
};

/** After Users and the flagged technicians were granted View; `inherits` maps further objects to it. */
export function acceptance(inherits: readonly string[] = []): {
  readonly graph: LiveGraph;
  readonly picture: GraphPicture;
} {
  const graph = new LiveGraph();
  const object = node(VIEW);
  const grants = [node("my-org:Users#member"), node("my-org:ABCTechnicians#flag")];
  const objectMaps = inherits.map((name): [GraphNode, GraphNode] => [node(name), object]);
  change(
    graph,
    ...MAPS.map(([parent, child]): GraphChange => ({ kind: "mapSubject", edge: { parent, child } })),
    ...objectMaps.map(([parent, child]): GraphChange => ({ kind: "mapObject", edge: { parent, child } })),
    ...grants.map((subject): GraphChange => ({ kind: "addAssertion", assertion: { subject, object } })),
  );
  const points = new Map<string, GraphPoint>();
  const point = (kind: "subject" | "object", one: GraphNode): string => {
    const id = `${kind} ${formatNode(one)}`;
    points.set(id, { id, kind, namespace: one.namespace, name: one.name, relation: one.relation.name });
    return id;
  };
  const links: GraphLink[] = [
    ...MAPS.map(
      ([parent, child]): GraphLink => ({
        from: point("subject", parent),
        to: point("subject", child),
        kind: "subjectMapped",
      }),
    ),
    ...objectMaps.map(
      ([parent, child]): GraphLink => ({
        from: point("object", parent),
        to: point("object", child),
        kind: "objectMapped",
      }),
    ),
    ...grants.map(
      (subject): GraphLink => ({
        from: point("subject", subject),
        to: point("object", object),
        kind: "assertion",
      }),
    ),
  ];
  return { graph, picture: { height: 3, points: [...points.values()], links, truncated: false } };
}
