/** The acceptance story of shared/protocols/oracle.md, told against a running cluster through the compatible service. */
import { readFileSync } from "node:fs";
import { type ChannelCredentials, Metadata, type ServiceError, credentials } from "@grpc/grpc-js";
import { Fault, present } from "../../base/errors.ts";
import { SkyClient, SkyError } from "../../client/sky-client.ts";
import { ClientFolderStore, clientFiles } from "../founding/client-folder.ts";
import type { DevDirectory } from "../founding/dev-directory.ts";
import {
  type Object as Object_,
  Oracle_Client,
  type Relation,
  type Subject,
  type Subjects,
} from "../../wire/generated/com/hellblazer/delphi/v1/oracle.ts";
import { rotateNodeKey } from "./unsealing.ts";

const NAMESPACE = { name: "my-org" };
const member: Relation = { namespace: NAMESPACE, name: "member" };
const flag: Relation = { namespace: NAMESPACE, name: "flag" };
const subject = (name: string, relation?: Relation): Subject => ({ namespace: NAMESPACE, name, relation });
const view: Object_ = { namespace: NAMESPACE, name: "Document:123#View", relation: undefined };

const GROUPS = Object.fromEntries(
  ["Users", "Admins", "HelpDesk", "Managers", "Technicians", "ABCTechnicians"].map((name) => [
    name,
    subject(name, member),
  ]),
);
const FLAGGED_PEOPLE = ["Egin", "Ali", "Gül", "Fuat"];
const flaggedTechnicians = subject("ABCTechnicians", flag);
const named = (name: string): Subject =>
  GROUPS[name] ?? (FLAGGED_PEOPLE.includes(name) ? subject(name, flag) : subject(name));

/** Member, group. */
const MAPS: readonly (readonly [Subject, Subject])[] = [
  ..."HelpDesk>Admins Ali>Admins Ali>Users Burcu>Users Can>Users Managers>Users Technicians>Users Demet>HelpDesk Egin>HelpDesk Egin>Users Fuat>Managers Gül>Managers Hakan>Technicians Irmak>Technicians ABCTechnicians>Technicians"
    .split(" ")
    .map((edge): readonly [Subject, Subject] => {
      const [from = "", to = ""] = edge.split(">");
      return [named(from), named(to)];
    }),
  [flaggedTechnicians, named("Technicians")],
  [named("Jale"), named("ABCTechnicians")],
];

const NO_RELATION = { namespace: "", name: "" };
/** The grant that is left when the story is told. */
const FLAGGED_MAY_VIEW = {
  subject: { namespace: "my-org", name: flaggedTechnicians.name, relation: { namespace: "my-org", name: "flag" } },
  object: { namespace: "my-org", name: view.name, relation: NO_RELATION },
};

/** Certificates are good for localhost; grpc-js would put the address into TLS's server name, where none may stand (RFC 6066). */
const NAMED = { "grpc.ssl_target_name_override": "localhost" };

type Unary<Request, Reply> = (
  this: Oracle_Client,
  request: Request,
  metadata: Metadata,
  callback: (error: ServiceError | null, reply: Reply) => void,
) => unknown;

/** Calls the next node; reads wait until it has reached the height `atLeast`. */
type Call = <Request, Reply>(method: Unary<Request, Reply>, request: Request, atLeast: bigint) => Promise<Reply>;

/** Tells the story, each call through another node. Throws: Fault STORY_FAILED at the first line that is not true. */
export async function tellStory(layout: DevDirectory, say: (line: string) => void): Promise<void> {
  const files = clientFiles(layout.clients.default);
  const tls: ChannelCredentials = credentials.createSsl(
    readFileSync(files.anchors),
    readFileSync(files.key),
    readFileSync(files.certificate),
  );
  const clients = layout.founding.document.founders.map(
    ({ endpoints }) => new Oracle_Client(endpoints.service, tls, NAMED),
  );
  let turn = 0;
  const call: Call = (method, request, atLeast) => {
    const client = present(clients[turn++ % clients.length], "a cluster has nodes");
    const metadata = new Metadata();
    metadata.set("sky-at-least", String(atLeast));
    return new Promise((resolve, reject) => {
      method.call(client, request, metadata, (error, reply) =>
        error === null ? resolve(reply) : reject(new Fault("STORY_FAILED", error.message, { cause: error })),
      );
    });
  };
  try {
    await new Story(call, say).tell();
  } finally {
    for (const client of clients) client.close();
  }
  await rotateWhileAsking(layout, say);
}

/** A node's key and the client's own are exchanged; who asks meanwhile does not notice. */
async function rotateWhileAsking(layout: DevDirectory, say: (line: string) => void): Promise<void> {
  const client = await SkyClient.open({
    endpoints: layout.founding.document.founders.map(({ endpoints }) => endpoints.service),
    ca: readFileSync(clientFiles(layout.clients.default).anchors),
    identity: new ClientFolderStore(layout.clients.default),
  });
  const name = present(layout.nodes[0], "a cluster has nodes").name;
  let isRotating = true;
  let answers = 0;
  const asking = async (): Promise<void> => {
    for (; isRotating; answers++) {
      const { result } = await client.check(FLAGGED_MAY_VIEW);
      if (!result) throw new Fault("STORY_FAILED", "The flagged technicians may no longer view the document.");
    }
  };
  const rotating = async (): Promise<string> => {
    try {
      const [ofNode, { sn }] = await Promise.all([rotateNodeKey(layout, name), client.rotate()]);
      return `${name} (key ${ofNode}) and the client (key ${sn})`;
    } finally {
      isRotating = false;
    }
  };
  try {
    const [whose] = await Promise.all([rotating(), asking()]);
    say(`${whose} rotate their keys while they serve: ${answers} checks meanwhile, none failed`);
  } catch (error) {
    if (!(error instanceof SkyError)) throw error;
    throw new Fault("STORY_FAILED", error.message, { cause: error });
  } finally {
    client.close();
  }
}

class Story {
  readonly #next: Call;
  readonly #say: (line: string) => void;
  /** Height of the newest write: every question is asked of some node at least that fresh. */
  #ts = 0n;

  constructor(next: Call, say: (line: string) => void) {
    this.#next = next;
    this.#say = say;
  }

  #call<Request, Reply>(method: Unary<Request, Reply>, request: Request): Promise<Reply> {
    return this.#next(method, request, this.#ts);
  }

  async #write<Request>(method: Unary<Request, { readonly ts: bigint }>, request: Request): Promise<void> {
    const { ts } = await this.#call(method, request);
    if (ts > this.#ts) this.#ts = ts;
  }

  async #may(name: string): Promise<boolean> {
    const { result } = await this.#call(Oracle_Client.prototype.check as Unary<unknown, { result: boolean }>, {
      ts: this.#ts,
      assertion: { subject: named(name), object: view },
    });
    return result;
  }

  #expect(what: string, found: unknown, expected: unknown): void {
    if (found !== expected)
      throw new Fault("STORY_FAILED", `${what}: expected ${String(expected)}, found ${String(found)}.`);
  }

  async tell(): Promise<void> {
    const { prototype: oracle } = Oracle_Client;
    await this.#write(oracle.addNamespace as Unary<unknown, { ts: bigint }>, NAMESPACE);
    await Promise.all(
      [member, flag].map((relation) => this.#write(oracle.addRelation as Unary<unknown, { ts: bigint }>, relation)),
    );
    await Promise.all(
      MAPS.map(([parent, child]) =>
        this.#write(oracle.mapSubject as Unary<unknown, { ts: bigint }>, { parent, child }),
      ),
    );
    this.#say(`seventeen people and groups mapped at once, each through another node (height ${this.#ts})`);

    for (const from of [GROUPS["Users"], flaggedTechnicians]) await this.#revoke(from); // an earlier telling in this directory
    await this.#grant(GROUPS["Users"]);
    this.#expect("direct viewers", (await this.#direct()).length, 1);
    this.#say("Users may view the document: 1 direct viewer");
    await this.#grant(flaggedTechnicians);
    const direct = await this.#direct();
    this.#expect("direct viewers", direct.length, 2);
    this.#expect("flagged direct viewers", direct.filter(({ relation }) => relation?.name === "flag").length, 1);
    const all = (await this.#call(oracle.expandSubject as Unary<Object_, Subjects>, view)).subjects;
    this.#expect("subjects of the expansion", all.length, 14);
    this.#expect(
      "flagged subjects of the expansion",
      all.filter(({ relation }) => relation?.name === "flag").length,
      5,
    );
    this.#say("the flagged technicians may too: 2 direct, 1 flagged; expansion finds 14 subjects, 5 flagged");

    await this.#judge({ Jale: true, Egin: true, HelpDesk: false, Demet: false });
    this.#say("Jale and Egin may view; HelpDesk and Demet may not");
    await this.#write(oracle.unmapSubject as Unary<unknown, { ts: bigint }>, {
      parent: named("ABCTechnicians"),
      child: named("Technicians"),
    });
    await this.#judge({ Jale: false, Egin: true });
    this.#say("ABCTechnicians leave the Technicians: Jale may no longer, Egin still may");
    await this.#revoke(GROUPS["Users"]);
    await this.#judge({ Jale: false, Egin: false });
    this.#say(`the Users' grant is deleted: neither may (height ${this.#ts})`);
  }

  async #grant(to: Subject | undefined): Promise<void> {
    await this.#write(Oracle_Client.prototype.addAssertion as Unary<unknown, { ts: bigint }>, {
      subject: to,
      object: view,
    });
  }

  async #revoke(from: Subject | undefined): Promise<void> {
    await this.#write(Oracle_Client.prototype.deleteAssertion as Unary<unknown, { ts: bigint }>, {
      subject: from,
      object: view,
    });
  }

  async #direct(): Promise<readonly Subject[]> {
    const { subjects } = await this.#call(Oracle_Client.prototype.readSubjects as Unary<unknown, Subjects>, {
      objects: [view],
    });
    return subjects;
  }

  async #judge(expected: Readonly<Record<string, boolean>>): Promise<void> {
    for (const [name, may] of Object.entries(expected))
      this.#expect(`whether ${name} may view`, await this.#may(name), may);
  }
}
