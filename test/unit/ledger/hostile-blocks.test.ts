import { describe, expect, it } from "vitest";
import {
  type CommandId,
  type Digest,
  type LogTime,
  height,
  logTime,
  epoch,
  memberIndex,
} from "../../../src/base/brands.ts";
import { encode } from "../../../src/base/codec.ts";
import { publicKeyOf, signer } from "../../../src/crypto/ed25519.ts";
import { sha256Digest, signingBytes } from "../../../src/crypto/hash.ts";
import { bundleBodyShape, bundleShape } from "../../../src/events/facts/bundle.ts";
import { COMMANDS_PER_SIGNED_MAX, signedBodyShape, signedShape } from "../../../src/events/facts/command.ts";
import { foundingDocumentShape } from "../../../src/events/facts/founding.ts";
import { SignedPool } from "../../../src/host/executor/signed-pool.ts";
import { inceptSingle } from "../../../src/keri/compose.ts";
import { keyStateOfInception } from "../../../src/keri/key-state.ts";
import {
  type ExecutableBlock,
  type ExecutedBlock,
  Ledger,
  emptyLedger,
} from "../../../src/projections/ledger/ledger.ts";
import { LiveGraph } from "../../../src/projections/rebac/live-graph.ts";
import { clusterOf } from "../../../src/events/facts/hashing.ts";

const seed = new Uint8Array(32).fill(7);
const { aid, event: icp } = inceptSingle({
  publicKey: publicKeyOf(seed),
  nextPublicKey: publicKeyOf(new Uint8Array(32).fill(8)),
});
const other = inceptSingle({
  publicKey: publicKeyOf(new Uint8Array(32).fill(10)),
  nextPublicKey: publicKeyOf(new Uint8Array(32).fill(11)),
});
const inception = keyStateOfInception(icp);
if (!inception.ok) throw new Error(inception.refusal.message);
const { said } = inception.value;

const founding = (name: string): Uint8Array =>
  encode(foundingDocumentShape, {
    name,
    dev: true,
    founders: [0, 1, 2, 3].map((i) => ({
      aid,
      icp,
      name: `n${i}`,
      epochKey: new Uint8Array(32).fill(1),
      bootKey: new Uint8Array(32).fill(2),
      issuer: new Uint8Array([0]),
      endpoints: { api: "a:1", approach: "a:2", cluster: "a:3", service: "a:4" },
    })),
    operators: [{ aid, icp, name: "ann", hpkeKey: new Uint8Array(32).fill(9) }],
    threshold: 1,
    admins: [{ aid: other.aid, icp: other.event }],
    gateways: [],
    clients: [],
  });
const document = founding("test");
const cluster = clusterOf(document);

function run(work: Generator<void, ExecutedBlock>): ExecutedBlock {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

function founded(): Ledger {
  const pool = new SignedPool(cluster);
  const ledger = new Ledger(emptyLedger(cluster, new LiveGraph()), {
    open: (bytes) => pool.open(bytes),
    isSigned: (opened, bytes, keyState) => pool.isSigned(opened, bytes, keyState),
    defect: (error) => {
      throw error;
    },
  });
  run(
    ledger.execute({
      height: height(0),
      hash: sha256Digest(document),
      time: logTime(0),
      content: { kind: "genesis", document },
    }),
  );
  return ledger;
}

const sign = signer(seed);
/** A batch as small as it can be: a command that nobody may give, a thousand times. */
function smallest(first: number): Uint8Array {
  const body = encode(signedBodyShape, {
    cluster,
    author: aid,
    principal: null,
    keyState: { sn: 0, said },
    commands: Array.from({ length: COMMANDS_PER_SIGNED_MAX }, (_, i) => ({
      id: (first + i).toString(16).padStart(32, "0") as CommandId,
      kind: "graph.write" as const,
      payload: new Uint8Array([0]),
      notAfter: 100_000 as LogTime,
    })),
  });
  return encode(signedShape, { body, signatures: [{ index: 0, sig: sign(signingBytes("signed", cluster, body)) }] });
}

describe("blocks that an enemy filled", () => {
  it("executes as many commands as fit in a block, each a fact", () => {
    const ledger = founded();
    // 5 MB of the smallest commands there are, below the 8 MB of bundles that a block may name.
    const signed = Array.from({ length: 154 }, (_, i) => smallest(1 + i * COMMANDS_PER_SIGNED_MAX));
    const bundles: Uint8Array[] = [];
    for (let i = 0; i < signed.length; i += 44) {
      const body = encode(bundleBodyShape, {
        cluster,
        epoch: epoch(0),
        member: memberIndex(0),
        signed: signed.slice(i, i + 44),
      });
      bundles.push(encode(bundleShape, { body, signature: new Uint8Array(64) }));
    }
    expect(bundles.reduce((sum, one) => sum + one.length, 0)).toBeLessThan(8 * 1024 * 1024);
    const block = run(
      ledger.execute({
        height: height(1),
        hash: "1".repeat(64) as Digest,
        time: logTime(1000),
        content: { kind: "bundles", bundles },
      }),
    );
    expect(block.settled).toHaveLength(154_000);
  });

  it("never founds twice: a founding document above height 0 changes nothing", () => {
    const ledger = founded();
    const again: ExecutableBlock = {
      height: height(1),
      hash: "1".repeat(64) as Digest,
      time: logTime(1000),
      content: { kind: "genesis", document: founding("again") },
    };
    expect(() => run(ledger.execute(again))).toThrow("only height 0");
    expect(ledger.height).toBe(0);
  });
});
