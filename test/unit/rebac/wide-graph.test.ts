/** Closures wide enough for every way that `check` has of joining them. */
import { expect, test } from "vitest";
import type { GraphFact } from "../../../src/events/facts/fact.ts";
import type { GraphNode } from "../../../src/events/facts/graph.ts";
import { evolve } from "../../../src/projections/rebac/evolve.ts";
import { LiveGraph } from "../../../src/projections/rebac/live-graph.ts";

const node = (name: string): GraphNode => ({ namespace: "n", name, relation: { namespace: "", name: "" } });
const list = (prefix: string, count: number): readonly GraphNode[] =>
  Array.from({ length: count }, (_, i) => node(`${prefix}${i}`));

/** A subject in many groups, an object under many folders, each group with grants elsewhere and each folder granted to others. */
function wide(groupCount: number, grantsPerGroup: number, folderCount: number, viewersPerFolder: number) {
  const [user, file] = [node("user"), node("file")];
  const [groups, folders, others, strangers] = [
    list("g", groupCount),
    list("f", folderCount),
    list("e", grantsPerGroup),
    list("s", viewersPerFolder),
  ];
  const facts: GraphFact[] = [{ kind: "namespaceAdded", namespace: "n" }];
  for (const subject of [user, ...groups, ...strangers]) facts.push({ kind: "subjectAdded", subject });
  for (const object of [file, ...folders, ...others]) facts.push({ kind: "objectAdded", object });
  for (const child of groups) facts.push({ kind: "subjectMapped", edge: { parent: user, child } });
  for (const child of folders) facts.push({ kind: "objectMapped", edge: { parent: file, child } });
  for (const subject of groups)
    for (const object of others) facts.push({ kind: "assertionAdded", assertion: { subject, object } });
  for (const object of folders)
    for (const subject of strangers) facts.push({ kind: "assertionAdded", assertion: { subject, object } });
  const graph = new LiveGraph();
  evolve(graph, facts);
  return { graph, user, file, groups, folders };
}

test.each([
  ["few grants a group, few folders", 400, 1, 3, 1],
  ["many grants a group, many folders with few viewers", 60, 60, 60, 1],
  ["few groups with many grants, folders with many viewers", 30, 40, 30, 80],
  ["many groups, folders with more viewers than groups", 50, 50, 20, 70],
])("%s: check is true exactly when one assertion joins the two", (_what, ...sizes) => {
  const { graph, user, file, groups, folders } = wide(...sizes);
  expect(graph.check(user, file)).toBe(false);
  for (const subject of [groups[0], groups[Math.floor(groups.length / 2)], groups.at(-1)]) {
    for (const object of [folders[0], folders.at(-1)]) {
      if (subject === undefined || object === undefined) throw new Error("the graph is empty");
      evolve(graph, [{ kind: "assertionAdded", assertion: { subject, object } }]);
      expect(graph.check(user, file)).toBe(true);
      expect(graph.expandSubjects(file).some(({ name }) => name === "user")).toBe(true);
      evolve(graph, [{ kind: "assertionDeleted", assertion: { subject, object } }]);
      expect(graph.check(user, file)).toBe(false);
    }
  }
});
