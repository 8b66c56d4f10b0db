/** A liar has public proofs and can seal any file anew: whatever he edits in them, nothing is proven that was not proven before. */
import { Packr, Unpackr } from "msgpackr";
import { describe, expect, test } from "vitest";
import { equalBytes } from "../../../src/base/bytes.ts";
import { domainDigest } from "../../../src/crypto/hash.ts";
import { present } from "../../../src/base/errors.ts";
import { type Proven, verifyProof } from "../../../src/events/facts/verify-proof.ts";
import { keyStateOfProof } from "../../../src/client/key-state-proof.ts";
import { proofsOfStory, provenText } from "./golden-story.ts";

const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false });

type Wire = number | string | boolean | null | Uint8Array | readonly Wire[];

const { members, files } = proofsOfStory();

/** A file around this proof, with the digest that it must have. */
function sealed(cluster: Wire, format: Wire, proof: Wire): Uint8Array {
  const inner = new Uint8Array(packr.pack(proof));
  const digest = Buffer.from(domainDigest("proof", inner), "hex");
  return new Uint8Array(packr.pack([format, cluster, digest, Buffer.from(inner)]));
}

/** What is proven, with everything that it says; undefined where nothing is. */
function provenBy(file: Uint8Array): readonly [Proven, unknown] | undefined {
  const judged = verifyProof(file, members);
  if (!judged.ok) return undefined;
  const keys = judged.value.kind === "keyState" ? keyStateOfProof(judged.value) : undefined;
  return keys?.ok === false ? undefined : [judged.value, keys];
}

const textOf = (value: unknown): string => provenText(value);
const story = (name: string): readonly [Proven, unknown] =>
  present(provenBy(present(files.get(name), "a proof of the story")), "it holds");
const [block] = story("block");
const [ordered] = story("command");
const facts = new Set(block.kind === "inclusion" ? block.facts?.map(textOf) : []);

/** Of the same block a file may prove less, or another of its facts: those are as true as they were. */
function isTrueAsWell(said: Proven): boolean {
  if (said.kind !== "inclusion" || block.kind !== "inclusion" || ordered.kind !== "inclusion") return false;
  const command = said.command && { ...said.command, isAccepted: true };
  return (
    textOf(said.block) === textOf(block.block) &&
    (said.facts ?? []).every((fact) => facts.has(textOf(fact))) &&
    (said.outcome === null || facts.has(textOf(said.outcome))) &&
    (command === null || textOf(command) === textOf(ordered.command)) &&
    (said.facts !== null || said.command?.isAccepted !== true)
  );
}

/** Every value that differs from this one in one place. */
function* edits(value: Wire): Generator<Wire> {
  if (value instanceof Uint8Array) {
    for (let at = 0; at < value.length; at += Math.max(1, Math.floor(value.length / 40))) {
      const edited = Buffer.from(value);
      edited[at] = (edited[at] ?? 0) ^ 1;
      yield edited;
    }
    yield Buffer.alloc(0);
    yield Buffer.from(value.subarray(1));
    yield Buffer.concat([value, Buffer.of(0)]);
  } else if (Array.isArray(value)) {
    const list = value as readonly Wire[];
    for (const [at, item] of list.entries()) {
      for (const edited of edits(item)) yield list.with(at, edited);
      yield list.toSpliced(at, 1);
      yield list.toSpliced(at, 0, item);
      const next = list[at + 1];
      if (next !== undefined) yield list.with(at, next).with(at + 1, item);
      yield list.with(at, null);
    }
  } else if (typeof value === "number") {
    yield value + 1;
    yield value > 0 ? value - 1 : 2 ** 40;
  } else if (typeof value === "string") {
    yield `${value}x`;
    yield value.slice(1);
  } else yield value === null ? [] : null;
}

describe.each([...files.keys()])("%s", (name) => {
  test("edited in any one place proves nothing that is not so", () => {
    const file = files.get(name) ?? new Uint8Array();
    const [format, cluster, , inner] = unpackr.unpack(file) as [Wire, Wire, Wire, Uint8Array];
    const proof = unpackr.unpack(inner) as Wire;
    expect(equalBytes(sealed(cluster, format, proof), file)).toBe(true);
    const before = textOf(story(name));
    let tried = 0;
    const untrue: unknown[] = [];
    for (const edited of edits(proof)) {
      tried += 1;
      const said = provenBy(sealed(cluster, format, edited));
      if (said !== undefined && textOf(said) !== before && !isTrueAsWell(said[0])) untrue.push(said);
    }
    expect(tried).toBeGreaterThan(100);
    expect(untrue).toEqual([]);
  });
});
