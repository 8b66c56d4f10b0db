/** What golden logs hold: every kind of command and of change, what is refused, escrows, receipts, certificates and a checkpoint. */
import type { Digest } from "../../../src/base/brands.ts";
import { memberIndex } from "../../../src/base/brands.ts";
import { concatBytes } from "../../../src/base/bytes.ts";
import { encode, integer, list, record, text } from "../../../src/base/codec.ts";
import { type CertificateRecord, type CertificateRevoke, certificateIssueShape, certificateRevokeShape } from "../../../src/events/facts/certificate.ts";
import type { Command, CommandKind } from "../../../src/events/facts/command.ts";
import { type GraphChange, type GraphNode, type GraphWrite, NOTES_SINCE, graphChangeShape, graphWriteShape, preconditionShape } from "../../../src/events/facts/graph.ts";
import { type MadeBlock, MadeLog } from "../../../tools/replay/made-log.ts";
import { Key, Life, witnessReceipt } from "../../unit/kerl/lives.ts";

const flag = { namespace: "org", name: "flag" };
const member = { namespace: "org", name: "member" };
const node = (name: string, relation = { namespace: "", name: "" }): GraphNode => ({ namespace: "org", name, relation });
const assertion = (subject: string, object: string) => ({ subject: node(subject), object: node(object) });

/** Every kind of change, each of which does something. */
const ADDING: readonly GraphChange[] = [
  { kind: "addNamespace", namespace: "org" },
  { kind: "addRelation", relation: member },
  { kind: "addRelation", relation: flag },
  { kind: "mapRelation", edge: { parent: member, child: flag } },
  { kind: "addSubject", subject: node("ali") },
  { kind: "addSubject", subject: node("users", member) },
  { kind: "addObject", object: node("report") },
  { kind: "addObject", object: node("folder") },
  { kind: "mapSubject", edge: { parent: node("ali"), child: node("users", member) } },
  { kind: "mapObject", edge: { parent: node("report"), child: node("folder") } },
  { kind: "addAssertion", assertion: { subject: node("users", member), object: node("folder") } },
  { kind: "addAssertion", assertion: assertion("jo", "naïve “file” 😀") },
];
const DELETING: readonly GraphChange[] = [
  { kind: "deleteAssertion", assertion: assertion("jo", "naïve “file” 😀") },
  { kind: "unmapObject", edge: { parent: node("report"), child: node("folder") } },
  { kind: "unmapSubject", edge: { parent: node("ali"), child: node("users", member) } },
  { kind: "unmapRelation", edge: { parent: member, child: flag } },
  { kind: "deleteObject", object: node("report") },
  { kind: "deleteSubject", subject: node("users", member) }, // and what was asserted of it
  { kind: "deleteRelation", relation: flag },
];

const notes = { changes: [{ kind: "addAssertion", assertion: assertion("jo", "plan") }], preconditions: [] } as const;

/** What nobody's encoder writes. */
const loose = record<{ readonly version: number; readonly write: Required<GraphWrite> }>("loose", {
  version: integer(),
  write: record("write", {
    changes: list(graphChangeShape, 10),
    preconditions: list(preconditionShape, 10),
    note: text(2048),
  }),
});

export class GoldenLives {
  readonly made = new MadeLog();
  readonly blocks: MadeBlock[] = [];

  command(kind: CommandKind, payload: Uint8Array): Command {
    return { ...this.made.command([{ kind: "addNamespace", namespace: "unused" }]), kind, payload };
  }

  write(write: GraphWrite): Command {
    return this.command("graph.write", encode(graphWriteShape, write));
  }

  changes(...changes: readonly GraphChange[]): Command {
    return this.write({ changes, preconditions: [] });
  }

  /** A block with one batch of these, of the founding's client. */
  commands(...commands: readonly Command[]): void {
    this.bundles([this.made.batch(commands)]);
  }

  bundles(...batches: readonly (readonly Uint8Array[])[]): void {
    const bundles = batches.map((signed, at) => this.made.bundle(signed, memberIndex(at)));
    this.blocks.push(this.made.executions(bundles, this.blocks.length % 3 === 1 ? "later" : "own"));
  }

  /** What version 1 of everything can say. */
  firstVersion(): void {
    this.blocks.push(this.made.genesis());
    this.#graph();
    this.#identities();
    this.#certificates();
    this.blocks.push(this.made.checkpoint());
    this.commands(this.changes(...DELETING));
    this.commands(this.changes({ kind: "deleteNamespace", namespace: "org" }));
    this.blocks.push(this.made.executions([]));
  }

  /** Bytes that later versions may read, and the first refused. */
  laterBytes(): void {
    this.blocks.push(this.made.genesis());
    const write = { changes: [{ kind: "addNamespace", namespace: "later" }], preconditions: [] } as const;
    this.commands(
      this.command("graph.write", encode(loose, { version: 2, write: { ...write, note: "Ticket 4711" } })),
      this.command("graph.write", encode(loose, { version: 2, write: { ...write, note: "" } })),
      this.command("graph.write", encode(loose, { version: 3, write: { ...write, note: "later" } })),
      this.changes(...write.changes),
    );
    this.blocks.push(this.made.executions([])); // proves the one before
  }

  /** What version 2 added: notes, from its time on; and what is none of its values. */
  secondVersion(): void {
    this.laterBytes();
    this.made.passUntil(NOTES_SINCE - 2);
    this.commands(this.write({ ...notes, note: "in the last block in which it is refused" }));
    this.made.passUntil(NOTES_SINCE - 1); // the next block is a millisecond later
    const absent = { kind: "mustNotExist", assertion: notes.changes[0].assertion } as const;
    this.commands(
      this.write({ ...notes, note: "Ticket 4711: “jo” plans from now on 😀" }),
      this.write({ ...notes, preconditions: [absent], note: "refused, with its reason" }),
      this.write({ ...notes, note: "x".repeat(1024) }),
      this.write({ ...notes, note: "x".repeat(1025) }),
      this.command("graph.write", encode(loose, { version: 2, write: { ...notes, note: "" } })), // version 1 says it
      this.command("graph.write", encode(loose, { version: 3, write: { ...notes, note: "later" } })),
    );
    this.blocks.push(this.made.executions([]));
  }

  #graph(): void {
    const first = this.changes(...ADDING);
    this.commands(first);
    const held = { kind: "mustExist", assertion: assertion("jo", "naïve “file” 😀") } as const;
    const absent = { kind: "mustNotExist", assertion: assertion("jo", "naïve “file” 😀") } as const;
    this.commands(
      this.write({ changes: [{ kind: "addSubject", subject: node("held") }], preconditions: [held] }),
      this.write({ changes: [{ kind: "addSubject", subject: node("not held") }], preconditions: [absent] }),
      this.changes({ kind: "mapRelation", edge: { parent: flag, child: member } }), // a cycle
      this.changes({ kind: "addSubject", subject: { ...node("x"), namespace: "sky" } }), // reserved
      this.changes({ kind: "addSubject", subject: node("cafe\u0301") }), // not NFC
      this.command("graph.write", Uint8Array.of(0x93, 1, 2, 3)), // unreadable
      first, // settled before
      { ...this.changes({ kind: "addNamespace", namespace: "other" }), id: first.id }, // its id, other bytes
      this.made.command([{ kind: "addNamespace", namespace: "late" }], -10),
      this.made.command([{ kind: "addNamespace", namespace: "early" }], 4_000_000),
    );
    const forged = this.made.batch([this.changes({ kind: "addNamespace", namespace: "forged" })]);
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    this.bundles([Uint8Array.of(1, 2, 3), forged], [this.made.batch([this.changes({ kind: "addNamespace", namespace: "two" })])]);
  }

  #identities(): void {
    const witness = new Key("golden witness");
    const life = new Life("golden", { keys: 2, witnesses: [witness.witness] });
    const plain = new Life("golden plain");
    const rotated = life.rotated();
    this.commands(
      this.command("kerl.append", plain.inception.message),
      this.command("kerl.append", concatBytes(plain.interacted().message, plain.rotated().message)),
      this.command("kerl.append", life.inception.message), // waits for its witness
      this.command("kerl.append", rotated.message), // and this for that
      this.command("kerl.append", Uint8Array.of(1)),
    );
    this.commands(this.command("kerl.append", witnessReceipt(witness, { aid: life.aid, sn: 0, ...life.inception })));
    this.commands(this.command("kerl.append", plain.inception.message)); // known
  }

  #certificates(): void {
    const { founding } = this.made;
    const record: CertificateRecord = {
      issuer: "ab".repeat(32) as Digest,
      serial: "01".repeat(16),
      aid: founding.client.aid,
      role: "client",
      spkiHash: "cd".repeat(32) as Digest,
      notBefore: 1_760_000_000_000,
      notAfter: 1_760_000_600_000,
    };
    const other = { ...record, serial: "02".repeat(16) };
    this.commands(
      this.command("certificate.issue", encode(certificateIssueShape, { records: [record, other] })),
      this.command("certificate.issue", encode(certificateIssueShape, { records: [record] })),
      this.command("certificate.revoke", encode<CertificateRevoke>(certificateRevokeShape, { record: other, reason: "superseded" })),
      this.command("certificate.revoke", Uint8Array.of(0x90)),
    );
  }
}
