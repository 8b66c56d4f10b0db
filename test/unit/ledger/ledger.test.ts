import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import {
  type Aid,
  type CommandId,
  type Digest,
  type LogTime,
  epoch,
  height,
  logTime,
  memberIndex,
} from "../../../src/base/brands.ts";
import { decodeSequence, encode } from "../../../src/base/codec.ts";
import { publicKeyOf, signer } from "../../../src/crypto/ed25519.ts";
import { sha256Digest, signingBytes } from "../../../src/crypto/hash.ts";
import { bundleBodyShape, bundleShape } from "../../../src/events/facts/bundle.ts";
import { signedBodyShape, signedShape } from "../../../src/events/facts/command.ts";
import { type Fact, factShape } from "../../../src/events/facts/fact.ts";
import { foundingDocumentShape } from "../../../src/events/facts/founding.ts";
import { type GraphChange, type GraphNode, graphWriteShape } from "../../../src/events/facts/graph.ts";
import { clusterOf } from "../../../src/events/facts/hashing.ts";
import { SignedPool } from "../../../src/host/executor/signed-pool.ts";
import { inceptSingle } from "../../../src/keri/compose.ts";
import { keyStateOfInception } from "../../../src/keri/key-state.ts";
import { type ExecutedBlock, Ledger, type LedgerState, emptyLedger } from "../../../src/projections/ledger/ledger.ts";
import { LiveGraph } from "../../../src/projections/rebac/live-graph.ts";
import { loadLiveGraph } from "../../../src/projections/rebac/load-live-graph.ts";
import { Projector } from "../../../src/actors/projector/projector.ts";

interface Who {
  readonly aid: Aid;
  readonly icp: Uint8Array;
  readonly said: string;
  readonly sign: (message: Uint8Array) => Uint8Array;
}

function who(n: number): Who {
  const seed = new Uint8Array(32).fill(n);
  const { aid, event } = inceptSingle({
    publicKey: publicKeyOf(seed),
    nextPublicKey: publicKeyOf(new Uint8Array(32).fill(n + 100)),
  });
  const parsed = keyStateOfInception(event);
  if (!parsed.ok) throw new Error(parsed.refusal.message);
  return { aid, icp: event, said: parsed.value.said, sign: signer(seed) };
}

const nodes = [1, 2, 3, 4].map(who);
const [gateway] = nodes as [Who];
const operator = who(5);
const admin = who(6);
const client = who(7);
const stranger = who(8);

const document = encode(foundingDocumentShape, {
  name: "test",
  dev: true,
  founders: nodes.map(({ aid, icp }, i) => ({
    aid,
    icp,
    name: `n${i}`,
    epochKey: publicKeyOf(new Uint8Array(32).fill(20 + i)),
    bootKey: publicKeyOf(new Uint8Array(32).fill(30 + i)),
    issuer: new Uint8Array([0]),
    endpoints: { api: "a:1", approach: "a:2", cluster: "a:3", service: "a:4" },
  })),
  operators: [{ aid: operator.aid, icp: operator.icp, name: "ann", hpkeKey: new Uint8Array(32).fill(9) }],
  threshold: 1,
  admins: [{ aid: admin.aid, icp: admin.icp }],
  gateways: [gateway.aid],
  clients: [{ aid: client.aid, icp: client.icp }],
});
const cluster = clusterOf(document);

const node = (name: string): GraphNode => ({ namespace: "my-org", name, relation: { namespace: "", name: "" } });
const addSubject = (name: string): GraphChange => ({ kind: "addSubject", subject: node(name) });

let ids = 0;
interface Asked {
  readonly changes: readonly GraphChange[];
  readonly id?: number;
  readonly notAfter?: number;
}

function signed(
  author: Who,
  asked: readonly Asked[],
  options: { principal?: Aid; cluster?: Digest; signAs?: Who; said?: string } = {},
): Uint8Array {
  const body = encode(signedBodyShape, {
    cluster: options.cluster ?? cluster,
    author: author.aid,
    principal: options.principal ?? null,
    keyState: { sn: 0, said: (options.said ?? author.said) as never },
    commands: asked.map(({ changes, id, notAfter }) => ({
      id: (id ?? ++ids).toString(16).padStart(32, "0") as CommandId,
      kind: "graph.write" as const,
      payload: encode(graphWriteShape, { changes, preconditions: [] }),
      notAfter: (notAfter ?? 100_000) as LogTime,
    })),
  });
  const sig = (options.signAs ?? author).sign(signingBytes("signed", options.cluster ?? cluster, body));
  return encode(signedShape, { body, signatures: [{ index: 0, sig }] });
}

class World {
  ledger: Ledger;
  readonly defects: unknown[] = [];
  readonly #executed: ExecutedBlock[] = [];

  constructor() {
    this.ledger = this.#open(emptyLedger(cluster, new LiveGraph()));
    const genesis = run(
      this.ledger.execute({
        height: height(0),
        hash: sha256Digest(document),
        time: logTime(0),
        content: { kind: "genesis", document },
      }),
    );
    this.#executed.push(genesis);
  }

  #open(state: LedgerState): Ledger {
    const pool = new SignedPool(cluster);
    return new Ledger(state, {
      open: (bytes) => pool.open(bytes),
      isSigned: (opened, bytes, keyState) => pool.isSigned(opened, bytes, keyState),
      defect: (error) => this.defects.push(error),
    });
  }

  /** Goes on from what the projection's tables say, as a node does that starts again. `together`: blocks of one transaction. */
  restart(together = 1): void {
    const db = new Database(":memory:");
    const projector = new Projector(db);
    for (let at = 0; at < this.#executed.length; at += together)
      projector.apply(this.#executed.slice(at, at + together));
    expect(projector.verify().ok).toBe(true);
    this.ledger = this.#open({ cluster, graph: loadLiveGraph(db), ...projector.ledger.load() });
    db.close();
  }

  block(
    batches: readonly Uint8Array[],
    time = 10_000 + this.ledger.height,
  ): { block: ExecutedBlock; facts: readonly Fact[] } {
    const body = encode(bundleBodyShape, { cluster, epoch: epoch(0), member: memberIndex(0), signed: batches });
    const bundle = encode(bundleShape, { body, signature: new Uint8Array(64) });
    const at = height(this.ledger.height + 1);
    const content = { kind: "bundles", bundles: [bundle] } as const;
    const block = run(this.ledger.execute({ height: at, hash: sha256Digest(bundle), time: logTime(time), content }));
    this.#executed.push(block);
    const facts = decodeSequence(factShape, block.facts);
    if (!facts.ok) throw new Error(facts.refusal.message);
    return { block, facts: facts.value };
  }
}

function run(work: Generator<void, ExecutedBlock>): ExecutedBlock {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

const codes = (facts: readonly Fact[]): string[] => facts.flatMap(({ data }) => ("code" in data ? [data.code] : []));
const known = (world: World, name: string): boolean => world.ledger.graph.store.subject.find(node(name), 4) !== 0;

describe("the ledger", () => {
  it("founds identifiers and policy from genesis", () => {
    const { ledger } = new World();
    expect(ledger.keyState(client.aid)?.said).toBe(client.said);
    expect(ledger.keyState(stranger.aid)).toBeUndefined();
  });

  it("executes a client's commands in order, each from the state the one before it left", () => {
    const world = new World();
    const { block, facts } = world.block([
      signed(client, [{ changes: [addSubject("a")] }, { changes: [addSubject("a"), addSubject("b")] }]),
    ]);
    expect(
      block.settled.map(({ outcome }) => (outcome.kind === "commandExecuted" ? outcome.changed : outcome.code)),
    ).toEqual([[true], [false, true]]);
    expect(facts.map(({ index, n, data }) => `${index}.${n} ${data.kind}`)).toEqual([
      "0.0 commandExecuted",
      "0.1 namespaceAdded",
      "0.2 subjectAdded",
      "1.0 commandExecuted",
      "1.1 subjectAdded",
    ]);
    expect(known(world, "b")).toBe(true);
  });

  it("gives a duplicate its first result and acts once; other bytes under the same id are refused", () => {
    const world = new World();
    const first = world.block([signed(client, [{ changes: [addSubject("a")], id: 77 }])]);
    const again = world.block([signed(client, [{ changes: [addSubject("a")], id: 77 }])]);
    expect(again.facts).toEqual([]);
    expect(again.block.settled).toEqual(first.block.settled);
    const other = world.block([signed(client, [{ changes: [addSubject("b")], id: 77 }])]);
    expect(codes(other.facts)).toEqual(["DUPLICATE_ID"]);
    expect(known(world, "b")).toBe(false);
    const another = world.block([signed(admin, [{ changes: [addSubject("b")], id: 77 }])]);
    expect(codes(another.facts)).toEqual([]); // identity is (author, id)
  });

  it("refuses what is expired, what asks to be remembered too long, and forgets after notAfter", () => {
    const world = new World();
    expect(
      codes(world.block([signed(client, [{ changes: [addSubject("a")], notAfter: 9_999 }])], 10_000).facts),
    ).toEqual(["EXPIRED"]);
    const late = signed(client, [{ changes: [addSubject("a")], notAfter: 10_001 + 3_600_001 }]);
    expect(codes(world.block([late], 10_001).facts)).toEqual(["NOT_AFTER_TOO_FAR"]);
    const once = signed(client, [{ changes: [addSubject("a")], id: 5, notAfter: 20_000 }]);
    expect(codes(world.block([once], 20_000).facts)).toEqual([]);
    expect(codes(world.block([once], 22_000).facts)).toEqual(["EXPIRED"]);
  });

  it("executes alike after a restart from its tables: what was refused without being remembered stays so", () => {
    const far = signed(client, [{ changes: [addSubject("far")], notAfter: 10_001 + 3_600_001 }]);
    const once = signed(client, [{ changes: [addSubject("a")], id: 5, notAfter: 20_500 }]);
    const stolen = signed(client, [{ changes: [addSubject("b")], id: 5, notAfter: 20_400 }]);
    const refused = signed(client, [{ changes: [{ kind: "addSubject", subject: node("") }], id: 6 }]);
    const blocks: readonly (readonly [readonly Uint8Array[], number])[] = [
      [[far], 10_001],
      [[once, stolen, refused], 10_002],
      [[far, once, stolen, refused], 10_003], // refused again, its first result, refused again, its first result
      [[once], 20_600], // expired within the second that remembers it
      [[once], 21_600],
      [[far], 3_610_001],
    ];
    const steady = new World();
    const expected = blocks.map(([batches, time]) => steady.block(batches, time).block.root);
    for (const together of [1, 3]) {
      const restarting = new World();
      const roots = blocks.map(([batches, time]) => {
        restarting.restart(together);
        return restarting.block(batches, time).block.root;
      });
      expect(roots).toEqual(expected);
    }
  });

  it("refuses a batch as a whole: foreign cluster, unknown author, stale key state, wrong signature, garbage", () => {
    const world = new World();
    const write = [{ changes: [addSubject("x")] }];
    const { block, facts } = world.block([
      signed(client, write, { cluster: sha256Digest(new Uint8Array([1])) }),
      signed(stranger, write),
      signed(client, write, { said: stranger.said }),
      signed(client, write, { signAs: stranger }),
      new Uint8Array([0xc1]),
      signed(client, [{ changes: [addSubject("a")] }]),
    ]);
    expect(codes(facts)).toEqual([
      "FOREIGN_CLUSTER",
      "UNKNOWN_IDENTIFIER",
      "STALE_KEY_STATE",
      "BAD_SIGNATURE",
      "MALFORMED",
    ]);
    expect(block.refusedBatches).toHaveLength(5);
    expect(known(world, "x")).toBe(false);
    expect(known(world, "a")).toBe(true); // what stands beside them is executed
  });

  it("lets only writers write, and only administrators change the policy", () => {
    const world = new World();
    expect(codes(world.block([signed(operator, [{ changes: [addSubject("x")] }])]).facts)).toEqual([
      "PERMISSION_DENIED",
    ]);
    const grant: GraphChange = {
      kind: "addAssertion",
      assertion: {
        subject: { namespace: "sky", name: operator.aid, relation: { namespace: "", name: "" } },
        object: { namespace: "sky", name: "cluster", relation: { namespace: "sky", name: "write" } },
      },
    };
    expect(codes(world.block([signed(client, [{ changes: [grant] }])]).facts)).toEqual(["POLICY_FORBIDDEN"]);
    const both = world.block([
      signed(admin, [{ changes: [grant] }]),
      signed(operator, [{ changes: [addSubject("a")] }]),
    ]);
    expect(codes(both.facts)).toEqual([]); // judged in log order: the grant stands when the operator's turn comes
    expect(known(world, "a")).toBe(true);
  });

  it("lets a gateway sign for a legacy client, never for others, never about the policy", () => {
    const world = new World();
    const write = [{ changes: [addSubject("a")] }];
    expect(codes(world.block([signed(gateway, write, { principal: client.aid })]).facts)).toEqual([]);
    expect(codes(world.block([signed(gateway, write, { principal: admin.aid })]).facts)).toEqual(["GATEWAY_FORBIDDEN"]);
    const [, other] = nodes as [Who, Who];
    expect(codes(world.block([signed(other, write, { principal: client.aid })]).facts)).toEqual(["GATEWAY_FORBIDDEN"]);
    expect(codes(world.block([signed(gateway, write)]).facts)).toEqual(["PERMISSION_DENIED"]); // a gateway's own name grants nothing
    const policy: GraphChange = { kind: "addNamespace", namespace: "sky" };
    expect(codes(world.block([signed(gateway, [{ changes: [policy] }], { principal: client.aid })]).facts)).toEqual([
      "POLICY_FORBIDDEN",
    ]);
  });

  it("gives equal roots for equal logs, and other roots for other facts", () => {
    const [one, two, three] = [new World(), new World(), new World()];
    const batch = signed(client, [{ changes: [addSubject("a")], id: 1 }]);
    expect(one.block([batch]).block.root).toBe(two.block([batch]).block.root);
    expect(three.block([signed(client, [{ changes: [addSubject("b")], id: 1 }])]).block.root).not.toBe(one.ledger.root);
  });

  it("shows readers all of a block or none of it, however often it pauses", () => {
    const world = new World();
    const batch = signed(
      client,
      ["a", "b", "c"].map((name) => ({ changes: [addSubject(name)] })),
    );
    const body = encode(bundleBodyShape, { cluster, epoch: epoch(0), member: memberIndex(0), signed: [batch] });
    const bundle = encode(bundleShape, { body, signature: new Uint8Array(64) });
    const before = world.ledger.graph.check(node("a"), node("o"));
    const content = { kind: "bundles", bundles: [bundle] } as const;
    const work = world.ledger.execute({ height: height(1), hash: sha256Digest(bundle), time: logTime(10), content });
    for (let step = work.next(); step.done !== true; step = work.next()) {
      expect(world.ledger.graph.check(node("a"), node("o"))).toBe(before);
      expect(world.ledger.height).toBe(0);
    }
    expect(world.ledger.height).toBe(1);
  });
});
