/** The graph that the measurements use: users in groups, documents that groups may view, and any number of new grants. */
import type { SkyClient } from "../../src/client/sky-client.ts";
import type { Assertion, GraphChange, GraphNode } from "../../src/events/facts/graph.ts";

const USERS = 2_000;
const GROUPS = 50;
const DOCUMENTS = 2_000;
/** Commands under one signature while the graph is made. */
const BATCH = 500;

const none = { namespace: "", name: "" };
const user = (i: number): GraphNode => ({ namespace: "bench", name: `user-${i}`, relation: none });
const group = (i: number): GraphNode => ({
  namespace: "bench",
  name: `group-${i}`,
  relation: { namespace: "bench", name: "member" },
});
const document = (i: number): GraphNode => ({
  namespace: "bench",
  name: `document-${i}`,
  relation: { namespace: "bench", name: "viewer" },
});

export async function makeGraph(client: SkyClient): Promise<void> {
  const changes: GraphChange[] = [];
  for (let i = 0; i < USERS; i++)
    changes.push({ kind: "mapSubject", edge: { parent: user(i), child: group(i % GROUPS) } });
  for (let i = 0; i < DOCUMENTS; i++)
    changes.push({ kind: "addAssertion", assertion: { subject: group(i % GROUPS), object: document(i) } });
  for (let at = 0; at < changes.length; at += BATCH) {
    const writes = changes.slice(at, at + BATCH).map((change) => ({ changes: [change], preconditions: [] }));
    for (const { result } of await client.writeAll(writes))
      if (result.kind === "refused") throw new Error(`the graph could not be made: ${result.message}`);
  }
}

/** A question about a user and a document; every second one is true, by way of the user's group. */
export function question(i: number): Assertion {
  const of = (i * 7919) % USERS;
  const documents = DOCUMENTS / GROUPS;
  const wanted = (of % GROUPS) + (i % 2);
  return { subject: user(of), object: document((wanted % GROUPS) + GROUPS * ((i * 104_729) % documents)) };
}

let grants = 0;
/** A direct grant that nobody has made before: one fact in the graph. */
export function nextGrant(): Assertion {
  const i = grants++;
  return { subject: user(i % USERS), object: document(Math.floor(i / USERS) % DOCUMENTS) };
}
export const nextChange = (): GraphChange => ({ kind: "addAssertion", assertion: nextGrant() });
