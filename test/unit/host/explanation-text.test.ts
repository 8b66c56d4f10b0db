import { expect, test } from "vitest";
import type { GraphChange, GraphNode } from "../../../src/events/facts/graph.ts";
import { explanationLines } from "../../../src/host/cli/explanation-text.ts";
import { parseChange, parseNode } from "../../../src/host/cli/graph-text.ts";
import { BlockOverlay } from "../../../src/projections/rebac/block-overlay.ts";
import { decide } from "../../../src/projections/rebac/decide.ts";
import { EXPLAIN_BOUNDS, type ExplainBounds } from "../../../src/projections/rebac/explain.ts";
import { LiveGraph } from "../../../src/projections/rebac/live-graph.ts";

const change = (text: string): GraphChange => {
  const parsed = parseChange(text);
  if (!parsed.ok) throw new Error(parsed.refusal.message);
  return parsed.value;
};
const node = (text: string): GraphNode => {
  const parsed = parseNode(text);
  if (!parsed.ok) throw new Error(parsed.refusal.message);
  return parsed.value;
};

const graph = new LiveGraph();
const overlay = new BlockOverlay(graph);
const changes = [
  "map subject my-org:Jale my-org:ABCTechnicians#member",
  "map subject my-org:ABCTechnicians#member my-org:Technicians#member",
  "map subject my-org:Technicians#member my-org:Users#member",
  "map subject my-org:HelpDesk#member my-org:Admins#member",
  "map object Document:123#View Folder:1#View",
  "add assertion my-org:Users#member Folder:1#View",
  "add assertion my-org:Admins#member Console:1#View",
].map(change);
decide(overlay, { changes, preconditions: [] }, { mayChangePolicy: true });
overlay.keepCommand();
overlay.merge();

const text = (subject: string, object: string, bounds: ExplainBounds = EXPLAIN_BOUNDS): string =>
  explanationLines(graph.explain({ subject: node(subject), object: node(object) }, bounds)).join("\n");

test("a yes is told by its chain, link by link", () => {
  expect(text("my-org:Jale", "Document:123#View")).toMatchInlineSnapshot(`
    "my-org:Jale has Document:123#View, because
      my-org:Jale belongs to my-org:ABCTechnicians#member
      my-org:ABCTechnicians#member belongs to my-org:Technicians#member
      my-org:Technicians#member belongs to my-org:Users#member
      my-org:Users#member was granted Folder:1#View
      Document:123#View inherits from Folder:1#View"
  `);
});

test("a no is told by what was tried, and by what is missing between", () => {
  expect(text("my-org:HelpDesk#member", "Document:123#View")).toMatchInlineSnapshot(`
    "my-org:HelpDesk#member reaches, through maps of subjects:
      my-org:HelpDesk#member (itself)
      my-org:Admins#member (1 away, by my-org:HelpDesk#member)
    Document:123#View reaches, through maps of objects:
      Document:123#View (itself)
      Folder:1#View (1 away, by Document:123#View)
    What the object reaches is granted to others only:
      my-org:Users#member was granted Folder:1#View
    What the subject reaches is granted other things only:
      my-org:Admins#member was granted Console:1#View"
  `);
});

test("names that nothing has are told first", () => {
  expect(text("my-organ:Jale", "Document:123#Veiw")).toMatchInlineSnapshot(`
    "There is no subject my-organ:Jale; nor is there a namespace my-organ.
    There is no object Document:123#Veiw; nor is there a relation Document:Veiw."
  `);
});

test("what the bounds cut is owned to", () => {
  expect(text("my-org:Jale", "Document:123#View", { visits: 1, listed: 1 })).toBe(
    "The way is too long or too wide to be shown.",
  );
  expect(text("my-org:HelpDesk#member", "Document:123#View", { visits: 10, listed: 1 })).toContain("lists are cut");
});
