/** Logs with several authors for auditors' questions: an administrator, a client that rotates its key, a gateway; all signed for real. */
import { memberIndex } from "../../../../src/base/brands.ts";
import type { Aid, LogTime } from "../../../../src/base/brands.ts";
import { encode } from "../../../../src/base/codec.ts";
import { present } from "../../../../src/base/errors.ts";
import { signingBytes } from "../../../../src/crypto/hash.ts";
import {
  type CertificateRecord,
  type CertificateRevoke,
  certificateIssueShape,
  certificateRevokeShape,
} from "../../../../src/events/facts/certificate.ts";
import { type Command, signedBodyShape, signedShape } from "../../../../src/events/facts/command.ts";
import {
  type GraphChange,
  type GraphNode,
  type GraphWrite,
  graphWriteShape,
} from "../../../../src/events/facts/graph.ts";
import { policySubject } from "../../../../src/projections/ledger/policy.ts";
import { policyObject } from "../../../../src/projections/rebac/names.ts";
import { type Author, Controller, clientController, founderAuthor } from "../../../../tools/sim/controller.ts";
import { ed25519Scheme } from "../../../../tools/sim/scheme.ts";
import { MadeLog, appendTo, openMadeLog } from "../../../../tools/replay/made-log.ts";

const NONE = { namespace: "", name: "" };
export const node = (name: string, relation = ""): GraphNode => ({
  namespace: "my-org",
  name,
  relation: relation === "" ? NONE : { namespace: "my-org", name: relation },
});

export class AuditedLog {
  readonly made = new MadeLog();
  readonly client: Controller;
  readonly admin: Controller;
  readonly gateway: Author;
  readonly #log;

  constructor(path: string) {
    const { keys, founders } = this.made.founding;
    const scheme = ed25519Scheme(keys);
    this.client = clientController(keys, scheme);
    this.admin = new Controller(keys, scheme, { ...this.client.options, name: "admin" });
    this.gateway = founderAuthor(present(founders[0], "there are founders"), scheme);
    this.#log = openMadeLog(path);
    appendTo(this.#log, this.made.genesis(), this.made.root);
  }

  write(...changes: readonly GraphChange[]): Command {
    return this.made.command(changes);
  }

  whole(write: GraphWrite): Command {
    return { ...this.#dummy(), payload: encode(graphWriteShape, write) };
  }

  issue(record: CertificateRecord): Command {
    const payload = encode(certificateIssueShape, { records: [record] });
    return { ...this.#dummy(), kind: "certificate.issue", payload };
  }

  revoke(record: CertificateRecord): Command {
    const payload = encode(certificateRevokeShape, { record, reason: "keyCompromise" } satisfies CertificateRevoke);
    return { ...this.#dummy(), kind: "certificate.revoke", payload };
  }

  append(stream: Uint8Array): Command {
    return { ...this.#dummy(), kind: "kerl.append", payload: stream };
  }

  /** With an id of its own. */
  #dummy(): Command {
    return this.made.command([{ kind: "addNamespace", namespace: "my-org" }]);
  }

  signed(author: Author, commands: readonly Command[], principal: Aid | null = null): Uint8Array {
    const { cluster } = this.made;
    const { aid, keyState } = author;
    const body = encode(signedBodyShape, { cluster, author: aid, principal, keyState, commands });
    return encode(signedShape, { body, signatures: author.signBatch(signingBytes("signed", cluster, body)) });
  }

  /** One block of these batches. */
  block(...signed: readonly Uint8Array[]): void {
    const bundles = signed.length === 0 ? [] : [this.made.bundle(signed, memberIndex(1))];
    appendTo(this.#log, this.made.executions(bundles), this.made.root);
  }

  /** An empty block of a later time. */
  jump(time: LogTime): void {
    appendTo(this.#log, this.made.executions([], "own", { time }), this.made.root);
  }

  close(): void {
    this.#log.close();
  }
}

const belongs = (parent: string, child: string): GraphChange => ({
  kind: "mapSubject",
  edge: { parent: node(parent), child: node(child, "member") },
});
export const view = node("report", "view");
const viewing = { subject: node("users", "member"), object: view };
const mayView: GraphChange = { kind: "addAssertion", assertion: viewing };

/** Nine blocks in which access comes, goes and comes back, by the acts of three. */
export function makeAuditedStory(path: string): AuditedLog {
  const log = new AuditedLog(path);
  const { client, admin, gateway } = log;
  const first = log.write(belongs("ali", "users"));
  log.block(log.signed(client, [first, log.write(mayView)]));
  const role = { subject: policySubject(gateway.aid), object: policyObject("gateway") };
  log.block(log.signed(admin, [log.write({ kind: "addAssertion", assertion: role })]));
  log.block(log.signed(gateway, [log.write(belongs("jo", "users"))], client.aid));
  const forbidden = log.write({ kind: "addAssertion", assertion: { ...role, subject: policySubject(client.aid) } });
  const forged = log.signed({ ...author(client), signBatch: (bytes) => admin.signBatch(bytes) }, [log.write(mayView)]);
  log.block(log.signed(client, [forbidden, first]), forged);
  const rotation = client.rotation();
  log.block(log.signed(client, [log.append(client.message(rotation))]));
  client.took(rotation);
  log.block(log.signed(client, [log.write({ kind: "deleteAssertion", assertion: viewing })]));
  const record = certificateOf(log);
  log.block(log.signed(client, [log.issue(record), log.write(mayView)]));
  log.block(
    log.signed(admin, [log.revoke(record)]),
    log.signed(client, [
      log.write({ kind: "unmapSubject", edge: { parent: node("jo"), child: node("users", "member") } }),
    ]),
  );
  log.block();
  log.close();
  return log;
}

const author = ({ aid, keyState }: Controller): Omit<Author, "signBatch"> => ({ aid, keyState });

const certificateOf = ({ made, client }: AuditedLog): CertificateRecord => ({
  issuer: made.cluster,
  serial: "17",
  aid: client.aid,
  role: "client",
  spkiHash: made.cluster,
  notBefore: 1_760_000_000_000,
  notAfter: 1_760_086_400_000,
});
