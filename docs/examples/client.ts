/** Asks and changes the graph of a `sky dev` cluster: node_modules/.bin/node docs/examples/client.ts DIRECTORY */
import { readFileSync } from "node:fs";
import { SkyClient, identityOf } from "../../src/client/index.ts"; // "@sky/sky/client" in an application

const directory = process.argv[2] ?? ".";
const file = (name: string): Uint8Array => readFileSync(`${directory}/clients/default/${name}`);
const cluster = JSON.parse(readFileSync(`${directory}/cluster.json`, "utf8")) as {
  readonly nodes: readonly { readonly ports: { readonly service: number } }[];
};

const sky = SkyClient.connect({
  endpoints: cluster.nodes.map(({ ports }) => `127.0.0.1:${ports.service}`),
  ca: file("ca.pem"),
  cert: file("client.pem"),
  key: file("client-key.pem"),
  ...identityOf(file("identity.json")),
});

const member = { namespace: "my-org", name: "member" };
const none = { namespace: "", name: "" };
const ali = { namespace: "my-org", name: "Ali", relation: none };
const users = { namespace: "my-org", name: "Users", relation: member };
const report = { namespace: "my-org", name: "Report", relation: none };

// One atomic command, signed by this client: all changes or none.
const { receipt, changed } = await sky.write([
  { kind: "mapSubject", edge: { parent: ali, child: users } },
  { kind: "addAssertion", assertion: { subject: users, object: report } },
]);
console.log(`written at height ${receipt.height}:`, changed);

// The client's reads are at least as fresh as its writes, whichever node answers.
console.log("may Ali see the report?", (await sky.check({ subject: ali, object: report })).result);
const [before] = await sky.checkAt((receipt.height - 1) as typeof receipt.height, [{ subject: ali, object: report }]);
console.log("one height earlier?", before);
for await (const { nodes } of sky.expandSubjects(report))
  console.log(
    "who may:",
    nodes.map(({ name }) => name),
  );
sky.close();
