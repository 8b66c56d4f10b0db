/** An operator's file over its rotations: versions 1 and 2 are read, what is written is version 3, and a crash at any point loses no key. */
import { chmodSync, copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Digest } from "../../../src/base/brands.ts";
import { OperatorFile, operatorSeed } from "../../../src/host/founding/operator-file.ts";
import { keyStateOf, prepareInteraction, prepareRotation, promoted } from "../../../src/keri/controller.ts";
import { random, temporaryDirectory } from "../enclave/sealed-node.ts";

const directory = temporaryDirectory();
afterAll(directory.remove);
const CLUSTER = "ab".repeat(32) as Digest;
const passphrase = Buffer.from("a passphrase of some length");
/** Made by the version of this program that wrote version 1. */
const FIRST = join(import.meta.dirname, "operator-1.sky");
const AID = "EFDz6xtnPT7hwtcb-Z__AemySsCTXPZtPU0jWq_AjmXK";
const SEED = "11304f6e8daccbea0928476685a4c3e201203f5e7d9cbbdaf91837567594b3d2";

function copyOf(name: string, from = FIRST): string {
  const path = join(directory.path, name);
  copyFileSync(from, path);
  chmodSync(path, 0o600);
  return path;
}
const open = (path: string): OperatorFile => {
  const opened = OperatorFile.open(path, passphrase, random);
  return opened.ok ? opened.value : expect.unreachable(opened.refusal.message);
};
const prepare = (file: OperatorFile) =>
  file.identity(CLUSTER).update((kept) => {
    const prepared = prepareRotation(kept, { after: [random(32)] });
    return prepared.ok ? prepared.value : expect.unreachable(prepared.refusal.message);
  });

test("a file of version 1 opens as it was, and its first change writes version 3 with everything it held", () => {
  const path = copyOf("first.sky");
  const file = open(path);
  const { aid, name, shares, pending } = file.secrets;
  expect([aid, name, shares.length, pending]).toEqual([AID, "ann", 1, null]);
  expect(Buffer.from(operatorSeed(file.secrets)).toString("hex")).toBe(SEED);
  expect(readFileSync(path)).toEqual(readFileSync(FIRST));
  const before = { ...file.secrets };
  const kept = prepare(file);
  const again = open(path).secrets;
  expect(again).toEqual({ ...before, pending: kept.pending });
  expect([again.shares, again.hpke]).toEqual([before.shares, before.hpke]);
});

test("a file of version 2 opens as it was, does not say since when its keys are in force, and says so from its next rotation on", () => {
  const path = copyOf("second.sky", join(import.meta.dirname, "operator-2.sky"));
  const store = open(path).identity(CLUSTER, () => 1_700_000_000_000);
  expect(open(path).secrets).toMatchObject({ aid: AID, name: "ann", since: null, pending: { sn: 2 } });
  expect(store.read()).not.toHaveProperty("since");
  expect(keyStateOf(store.read()).sn).toBe(1);
  const settled = store.update(promoted);
  expect(keyStateOf(settled).sn).toBe(2);
  expect(settled).toMatchObject({ since: 1_700_000_000_000, pending: null });
  expect(open(path).identity(CLUSTER).read()).toEqual(settled);
  // What leaves the keys as they are leaves this as it is.
  const anchoring = open(path).identity(CLUSTER, () => 1_800_000_000_000);
  anchoring.update((kept) => {
    const prepared = prepareInteraction(kept, []);
    return prepared.ok ? prepared.value : expect.unreachable(prepared.refusal.message);
  });
  expect(anchoring.update(promoted)).toMatchObject({ since: 1_700_000_000_000, pending: null });
});

test("a rotation is on disk with the next key before anybody can see it, and takes its place in one write", () => {
  const path = copyOf("rotation.sky");
  const file = open(path);
  const first = keyStateOf(file.secrets);
  const kept = prepare(file);
  // Whoever opens the file now, after a crash, knows the rotation, and signs by its key: certificates bring the rotation along.
  const crashed = open(path);
  expect(crashed.secrets.pending).toEqual(kept.pending);
  expect(operatorSeed(crashed.secrets)).toEqual(kept.next[0]);
  const settled = crashed.identity(CLUSTER).update(promoted);
  expect(keyStateOf(settled)).toMatchObject({ sn: first.sn + 1, said: kept.pending?.said });
  const { current, next, pending } = open(path).secrets;
  expect([current, next, pending]).toEqual([kept.next, kept.pending?.next, null]);
});

test("two that have the file open do not undo each other's changes", () => {
  const path = copyOf("shared.sky");
  const [one, other] = [open(path), open(path)];
  prepare(one);
  one.identity(CLUSTER).update(promoted);
  const [share] = other.secrets.shares;
  if (share === undefined) return expect.unreachable();
  other.addShare({ ...share, index: 2 });
  const { shares, kel } = open(path).secrets;
  expect([shares.map(({ index }) => index), keyStateOf({ kel }).sn]).toEqual([[2], 1]);
  expect(keyStateOf(one.identity(CLUSTER).read()).sn).toBe(1);
});
