import { describe, expect, test } from "vitest";
import { type CommandId, type Height, height } from "../../../src/base/brands.ts";
import { digestBytes } from "../../../src/base/bytes.ts";
import { decodeSequence, encodeSequence } from "../../../src/base/codec.ts";
import { present } from "../../../src/base/errors.ts";
import { keyStateOfProof } from "../../../src/client/key-state-proof.ts";
import { domainDigest, sha256Digest } from "../../../src/crypto/hash.ts";
import { type Fact, factShape } from "../../../src/events/facts/fact.ts";
import {
  type CertifiedHeader,
  type ConsistencyProof,
  type ExecutedStep,
  type HeadProof,
  type Inclusion,
  type InclusionProof,
  type KeyStateProof,
  type Proof,
  decodeProof,
  encodeProof,
} from "../../../src/events/facts/proof.ts";
import { verifyProof } from "../../../src/events/facts/verify-proof.ts";
import type { Wanted } from "../../../src/host/proofs/prover.ts";
import { authorOf } from "../kerl/ledger-world.ts";
import { Life } from "../kerl/lives.ts";
import { ProofWorld } from "./proof-world.ts";

const ID = 101;
const commandId = ID.toString(16).padStart(32, "0") as CommandId;
const newcomer = new Life("newcomer");
const before = authorOf(newcomer);
const rotation = newcomer.rotated();
const world = new ProofWorld();
const written: Height = world.block([
  world.ledgers.write(world.client, "one", ID),
  world.ledgers.write(world.client, "two"),
]);
const incepted = world.block([world.ledgers.append(world.client, newcomer.inception.message)]);
const early = world.block();
const rotated = world.block([world.ledgers.append(before, rotation.message)]);
for (let i = 0; i < 5; i++) world.block();

const WANTED: readonly (readonly [string, Wanted])[] = [
  ["head", { kind: "head" }],
  ["a block with its effects", { kind: "inclusion", height: written, subject: { kind: "block" }, withEffects: true }],
  [
    "a command",
    {
      kind: "inclusion",
      height: written,
      subject: { kind: "command", author: world.client.aid, id: commandId },
      withEffects: true,
    },
  ],
  ["consistency", { kind: "consistency", height: height(2), hash: present(world.hashAt(height(2)), "a block") }],
  ["a key state", { kind: "keyState", aid: newcomer.aid, through: undefined }],
];

function opened<K extends Proof["kind"]>(wanted: Wanted, kind: K): Extract<Proof, { readonly kind: K }> {
  const proof = decodeProof(world.file(wanted));
  if (!proof.ok || proof.value.proof.kind !== kind) throw new Error("no such proof");
  return proof.value.proof as Extract<Proof, { readonly kind: K }>;
}
const inclusion = (): InclusionProof =>
  opened({ kind: "inclusion", height: written, subject: { kind: "block" }, withEffects: true }, "inclusion");
const command = (): InclusionProof => opened(present(WANTED[2], "there")[1], "inclusion");
const consistency = (): ConsistencyProof => opened(present(WANTED[3], "there")[1], "consistency");
const keyState = (through?: Height): KeyStateProof =>
  opened({ kind: "keyState", aid: newcomer.aid, through }, "keyState");
const head = (): HeadProof => opened({ kind: "head" }, "head");

const headOf = ({ inclusion: { head: certified } }: InclusionProof): number => {
  const verdict = judged({ kind: "head", head: certified });
  if (!verdict.ok || verdict.value.kind !== "head") throw new Error("a head");
  return verdict.value.head.height;
};
const digestOnly = ({ hash, facts }: Extract<ExecutedStep, { kind: "facts" }>): ExecutedStep => ({
  kind: "digest",
  hash,
  digest: sha256Digest(facts),
});

/** What a liar makes of it: a file that is whole. */
const judged = (proof: Proof, cluster = world.ledgers.cluster) =>
  verifyProof(encodeProof(cluster, proof), world.members);
const codeOf = (proof: Proof): string => {
  const verdict = judged(proof);
  return verdict.ok ? "accepted" : verdict.refusal.code;
};

test.each(WANTED)("%s: any byte flipped is refused", (_, wanted) => {
  const file = world.file(wanted);
  expect(verifyProof(file, world.members).ok).toBe(true);
  for (let at = 0; at < file.length; at++) {
    const flipped = file.slice();
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
    expect(verifyProof(flipped, world.members).ok, `byte ${at}`).toBe(false);
  }
});

/** As a verifier reads it: the log's part, and what key events say. */
function whole(file: Uint8Array): boolean {
  const verdict = verifyProof(file, world.members);
  return verdict.ok && (verdict.value.kind !== "keyState" || keyStateOfProof(verdict.value).ok);
}

test.each(WANTED)("%s: any byte flipped within, by a liar who made the file whole again, is refused", (_, wanted) => {
  const file = world.file(wanted);
  const parts = partsOf(file);
  expect(whole(madeWhole(file, parts.digestAt, parts.inner))).toBe(true);
  for (let at = 0; at < parts.inner.length; at++) {
    const flipped = parts.inner.slice();
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
    expect(whole(madeWhole(file, parts.digestAt, flipped)), `byte ${at}`).toBe(false);
  }
});

/** A file is: its format, its cluster, the digest of what follows, and that. */
function partsOf(file: Uint8Array): { readonly digestAt: number; readonly inner: Uint8Array } {
  for (let from = 0; from < file.length; from++) {
    const inner = file.subarray(from);
    const digestAt = Buffer.from(file).indexOf(Buffer.from(digestBytes(domainDigest("proof", inner))));
    if (digestAt >= 0) return { digestAt, inner: inner.slice() };
  }
  throw new Error("no file");
}

function madeWhole(file: Uint8Array, digestAt: number, inner: Uint8Array): Uint8Array {
  const made = file.slice();
  made.set(inner, file.length - inner.length);
  made.set(digestBytes(domainDigest("proof", inner)), digestAt);
  return made;
}

describe("a certificate", () => {
  const certificate = (change: (certified: CertifiedHeader) => CertifiedHeader): string =>
    codeOf({ kind: "head", head: change(head().head) });
  const newest = present(world.chain.at(-1), "a block");
  const sealed = (options: Parameters<ProofWorld["finalization"]>[2]) =>
    certificate((one) => ({
      ...one,
      certificate: world.finalization(newest.height, newest.hash, options).certificate,
    }));

  test("of any q members is enough", () => {
    expect(certificate((one) => one)).toBe("accepted");
    expect(sealed({ members: [0, 1, 2, 3] })).toBe("accepted");
    expect(sealed({ members: [1, 2, 3] })).toBe("accepted");
  });

  test("short of one signature is refused", () => {
    expect(sealed({ members: [0, 1] })).toBe("PROOF_UNCERTIFIED");
    expect(
      certificate((one) => ({
        ...one,
        certificate: { ...one.certificate, signatures: one.certificate.signatures.slice(1) },
      })),
    ).toBe("PROOF_UNCERTIFIED");
  });

  test("that counts one signer twice is refused", () => {
    const { certificate: two } = world.finalization(newest.height, newest.hash, { members: [0, 1] });
    const [first = new Uint8Array(64), second = first] = two.signatures;
    const twice = { ...two, signers: Uint8Array.of(0b111), signatures: [first, second, first] };
    expect(certificate((one) => ({ ...one, certificate: twice }))).toBe("PROOF_UNCERTIFIED");
  });

  test("by a key that is none of the epoch's is refused", () => {
    const foreign = new ProofWorld("other");
    foreign.keys.splice(0, 4, ...["a", "b", "c", "d"].map((name) => present(new Life(name).keys[0], "a key")));
    const forged = foreign.finalization(newest.height, newest.hash, { cluster: world.ledgers.cluster });
    expect(certificate((one) => ({ ...one, certificate: forged.certificate }))).toBe("PROOF_UNCERTIFIED");
  });

  test("that only notarizes, or is of another cluster or view, is refused", () => {
    expect(sealed({ kind: "notarization" })).toBe("PROOF_UNCERTIFIED");
    const { certificate: notarized } = world.finalization(newest.height, newest.hash, { kind: "notarization" });
    expect(certificate((one) => ({ ...one, certificate: { ...notarized, kind: "finalization" } }))).toBe(
      "PROOF_UNCERTIFIED",
    );
    expect(sealed({ cluster: new ProofWorld("other").ledgers.cluster })).toBe("PROOF_UNCERTIFIED");
    const elsewhere = world.finalization(1, newest.hash).certificate;
    expect(certificate((one) => ({ ...one, certificate: { ...elsewhere, view: newest.height as never } }))).toBe(
      "PROOF_UNCERTIFIED",
    );
  });

  test("of a descendant that is none is refused", () => {
    const [stranger] = [present(world.event(height(2)), "a block")];
    expect(certificate((one) => ({ ...one, headers: [stranger.block.header] }))).toBe("PROOF_UNCERTIFIED");
  });
});

describe("a path", () => {
  test("of another leaf, one digest short or one too long is refused", () => {
    const proof = inclusion();
    const other = opened(
      { kind: "inclusion", height: early, subject: { kind: "block" }, withEffects: false },
      "inclusion",
    );
    const paths = [
      other.inclusion.path,
      proof.inclusion.path.slice(1),
      [...proof.inclusion.path, present(world.hashAt(height(1)), "a block")],
      [],
    ];
    for (const path of paths) expect(codeOf({ ...proof, inclusion: { ...proof.inclusion, path } })).toBe("PROOF_PATH");
  });

  test("to a block that the log does not hold is refused", () => {
    const proof = inclusion();
    const foreign = new ProofWorld("other");
    foreign.block();
    const block = present(foreign.event(height(1)), "a block").block;
    expect(codeOf({ ...proof, inclusion: { ...proof.inclusion, block } })).toBe("PROOF_PATH");
  });

  test("that leads to the right block with another body is refused", () => {
    const proof = inclusion();
    const { body } = present(world.event(incepted), "a block").block;
    const block = { ...proof.inclusion.block, body };
    expect(codeOf({ ...proof, inclusion: { ...proof.inclusion, block } })).toBe("PROOF_BLOCK");
  });
});

test("a proof of another cluster is refused, whatever name it goes by", () => {
  const foreign = new ProofWorld("other");
  foreign.block();
  const proof = decodeProof(foreign.file({ kind: "head" }));
  if (!proof.ok) throw new Error(proof.refusal.message);
  const asItIs = verifyProof(encodeProof(foreign.ledgers.cluster, proof.value.proof), world.members);
  expect(asItIs.ok ? "" : asItIs.refusal.code).toBe("PROOF_FOREIGN");
  expect(codeOf(proof.value.proof)).toBe("PROOF_UNCERTIFIED");
});

describe("what a block did", () => {
  const withFacts = (change: (facts: Uint8Array) => Uint8Array): string => {
    const proof = inclusion();
    const execution = present(proof.execution, "with effects");
    const [first, ...rest] = execution.steps;
    if (first?.kind !== "facts") throw new Error("facts come first");
    const steps = [{ ...first, facts: change(first.facts) }, ...rest];
    return codeOf({ ...proof, execution: { ...execution, steps } });
  };

  test("with a fact that is not among the block's, without one, or in another order, is refused", () => {
    const edited = (change: (facts: readonly Fact[]) => readonly Fact[]) =>
      withFacts((bytes) => {
        const facts = decodeSequence(factShape, bytes);
        if (!facts.ok) throw new Error("facts");
        return encodeSequence(factShape, change(facts.value));
      });
    expect(edited((facts) => facts)).toBe("accepted");
    expect(edited((facts) => [...facts, ...facts.slice(0, 1)])).toBe("PROOF_ROOT");
    expect(edited((facts) => facts.slice(1))).toBe("PROOF_ROOT");
    expect(edited((facts) => [...facts].reverse())).toBe("PROOF_ROOT");
    expect(withFacts(() => new Uint8Array(0))).toBe("PROOF_ROOT");
  });

  test("from another root before, with a step too few, or of another block, is refused", () => {
    const proof = inclusion();
    const execution = present(proof.execution, "with effects");
    const other = present(
      opened({ kind: "inclusion", height: early, subject: { kind: "block" }, withEffects: true }, "inclusion")
        .execution,
      "with effects",
    );
    const wrong = [
      { ...execution, before: present(world.hashAt(height(1)), "a block") },
      { ...execution, steps: [...execution.steps, ...execution.steps.slice(0, 1)] },
      other,
    ];
    for (const one of wrong) expect(codeOf({ ...proof, execution: one })).toBe("PROOF_ROOT");
  });

  test("does not prove a fact that it lacks", () => {
    expect(codeOf({ ...inclusion(), subject: { kind: "fact", index: 0, n: 9 } })).toBe("PROOF_SUBJECT");
    expect(codeOf({ ...inclusion(), execution: null, subject: { kind: "fact", index: 0, n: 0 } })).toBe(
      "PROOF_SUBJECT",
    );
  });
});

test("a command that the bundle does not carry, or a bundle that the block does not name, is refused", () => {
  const proof = command();
  const id = "f".repeat(32) as CommandId;
  expect(codeOf({ ...proof, subject: { kind: "command", author: world.client.aid, id } })).toBe("PROOF_SUBJECT");
  expect(codeOf({ ...proof, bundle: null })).toBe("PROOF_SUBJECT");
  const bundle = present(proof.bundle, "of a command").slice();
  bundle[bundle.length - 1] = (bundle.at(-1) ?? 0) ^ 1;
  expect(codeOf({ ...proof, bundle })).toBe("PROOF_SUBJECT");
  expect(codeOf({ ...inclusion(), bundle: proof.bundle })).toBe("PROOF_SUBJECT");
});

describe("consistency", () => {
  test("with a head that is older than the one it should extend is refused as stale", () => {
    const { older, newer, ...rest } = consistency();
    expect(codeOf({ ...rest, older: newer, newer: older })).toBe("PROOF_STALE");
  });

  test("between a head and a fork of the log is refused", () => {
    const { older, ...rest } = consistency();
    // Three dishonest members could sign two logs: their certificates hold, and the proof does not.
    const fork = new ProofWorld();
    for (let i = 0; i < 9; i++) fork.block([fork.ledgers.write(fork.client, `fork ${i}`)]);
    const forked = decodeProof(fork.file({ kind: "head" }));
    if (!forked.ok || forked.value.proof.kind !== "head") throw new Error("no head");
    expect(codeOf(forked.value.proof)).toBe("accepted");
    expect(codeOf({ ...rest, older, newer: forked.value.proof.head })).toBe("PROOF_PATH");
  });

  test("without a digest is refused, in either path", () => {
    const proof = consistency();
    expect(codeOf({ ...proof, consistency: proof.consistency.slice(1) })).toBe("PROOF_PATH");
    expect(codeOf({ ...proof, inclusion: proof.inclusion.slice(1) })).toBe("PROOF_PATH");
  });
});

describe("a key state", () => {
  test("that was rotated since is refused as soon as a later block's facts are shown, and says less when they are not", () => {
    const old = keyState(early);
    const story = opened(
      { kind: "inclusion", height: rotated, subject: { kind: "block" }, withEffects: true },
      "inclusion",
    );
    // The inception's block under the newer head, with the facts of every block up to the rotation's.
    const under = opened(
      { kind: "inclusion", height: incepted, subject: { kind: "block" }, withEffects: true },
      "inclusion",
    );
    const steps = present(story.execution, "with effects").steps;
    const between = keyState(early).execution.steps.filter(({ kind }) => kind === "facts");
    const path = world.pathTo(incepted, headOf(story));
    const inclusion: Inclusion = { ...under.inclusion, head: story.inclusion.head, path };
    const execution = { before: old.execution.before, steps: [...between, ...steps] };
    expect(codeOf({ ...old, inclusion, execution })).toBe("PROOF_SUPERSEDED");
    // Without those facts the same proof holds, and says up to which height.
    const hidden = steps.map((step) => (step.kind === "digest" ? step : digestOnly(step)));
    const verdict = judged({ ...old, inclusion, execution: { ...execution, steps: [...between, ...hidden] } });
    expect(verdict).toMatchObject({ ok: true, value: { through: early } });
  });

  test("of an identifier that the block does not name is refused", () => {
    expect(codeOf({ ...keyState(), aid: world.admin.aid })).toBe("PROOF_SUBJECT");
  });

  test("with key events that end elsewhere, leave one out or follow another order is refused", () => {
    const proof = keyState();
    const events = [newcomer.inception.message, rotation.message];
    const streams = [events.slice(0, 1), events.slice(1), [...events].reverse(), [...events, ...events.slice(1)]];
    for (const stream of streams) {
      const verdict = judged({ ...proof, kel: new Uint8Array(Buffer.concat(stream)) });
      if (!verdict.ok || verdict.value.kind !== "keyState") throw new Error("the log's part holds");
      const state = keyStateOfProof(verdict.value);
      expect(state.ok ? "accepted" : state.refusal.code).toBe("PROOF_KEY_EVENTS");
    }
  });

  test("whose signatures were taken away is refused", () => {
    const proof = keyState();
    const verdict = judged({
      ...proof,
      kel: new Uint8Array(Buffer.concat([newcomer.inception.message, rotation.event])),
    });
    if (!verdict.ok || verdict.value.kind !== "keyState") throw new Error("the log's part holds");
    const state = keyStateOfProof(verdict.value);
    expect(state.ok ? "accepted" : state.refusal.message).toContain("not signed");
  });
});

describe("a stranger's file", () => {
  test("that is too large is refused before it is read", () => {
    const verdict = verifyProof(new Uint8Array(65 * 1024 * 1024), world.members);
    expect(verdict.ok ? "" : verdict.refusal.code).toBe("TOO_LARGE");
  });

  test("that claims lists longer than it is, nests deeply or is cut short is refused before it is believed", () => {
    const file = world.file({ kind: "head" });
    const hostile = [
      Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff),
      new Uint8Array(1_000_000).fill(0x91),
      Uint8Array.of(0xc6, 0xff, 0xff, 0xff, 0xff),
      new Uint8Array(0),
      file.slice(0, -1),
      new Uint8Array([...file, 0]),
    ];
    for (const one of hostile) expect(verifyProof(one, world.members).ok).toBe(false);
    for (let length = 0; length < file.length; length++)
      expect(verifyProof(file.slice(0, length), world.members).ok).toBe(false);
  });
});
