/** `sky kel incept, rotate, interact, delegate, show, export` on folders of their own, judged by `sky kel verify`. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { EXIT } from "../../../src/host/cli/io.ts";
import { encodeMatter } from "../../../src/keri/cesr/matter.ts";
import { nextKeyDigest } from "../../../src/keri/said.ts";
import { sky as run } from "./command-line.ts";

const directory = mkdtempSync(join(tmpdir(), "sky-kel-"));
afterAll(() => rmSync(directory, { recursive: true }));
const at = (name: string): string => join(directory, name);

async function sky(...words: readonly string[]) {
  const { code, out, err } = await run(...words);
  return { code, out: out.join("\n"), err: err.join("\n") };
}

interface Told {
  readonly aid: string;
  readonly sn: number;
  readonly said: string;
  readonly type: string;
  readonly keys: readonly string[];
  readonly threshold: unknown;
  readonly nextThreshold: unknown;
  readonly nextDigests: readonly string[];
  readonly witnesses: readonly string[];
  readonly witnessThreshold: number;
  readonly traits: readonly string[];
  readonly delegator: string | null;
  readonly delegated?: { readonly anchored: readonly { readonly said: string }[] };
}

async function kel(...words: readonly string[]): Promise<Told> {
  const end = await sky("kel", ...words, "--json");
  expect(end.code, end.out + end.err).toBe(EXIT.ok);
  return JSON.parse(end.out) as Told;
}

async function verified(...folders: readonly string[]): Promise<readonly string[]> {
  const streams: Buffer[] = [];
  for (const [i, folder] of folders.entries()) {
    await kel("export", "--dir", folder, "--out", at(`export-${i}`));
    streams.push(readFileSync(at(`export-${i}`)));
  }
  writeFileSync(at("all.cesr"), Buffer.concat(streams));
  const { out } = await sky("kel", "verify", at("all.cesr"), "--json");
  return (JSON.parse(out) as readonly { readonly verdict: string }[]).map(({ verdict }) => verdict);
}

test("an identifier of weighted keys is made, rotates, anchors and is exported; a stranger accepts every event", async () => {
  const folder = at("weighted");
  const weights = "1/2,1/2;1/3,1/3,1/3";
  const made = await kel(
    "incept",
    "--dir",
    folder,
    "--keys",
    "5",
    "--threshold",
    weights,
    "--next-keys",
    "2",
    "--next-threshold",
    "1/2,1/2",
  );
  expect(made).toMatchObject({
    sn: 0,
    type: "icp",
    threshold: [
      ["1/2", "1/2"],
      ["1/3", "1/3", "1/3"],
    ],
  });
  expect([made.keys.length, made.nextDigests.length]).toEqual([5, 2]);
  const rotated = await kel("rotate", "--dir", folder, "--next-keys", "1", "--next-threshold", "1");
  expect(rotated).toMatchObject({ sn: 1, type: "rot", threshold: ["1/2", "1/2"], nextThreshold: "1" });
  expect(rotated.keys).toHaveLength(2);
  const anchored = await kel("interact", "--dir", folder, `${made.aid}:0:${made.aid}`, rotated.said);
  expect(anchored).toMatchObject({ sn: 2, type: "ixn" });
  expect(await kel("show", "--dir", folder)).toMatchObject({ aid: made.aid, sn: 2, said: anchored.said });
  expect(await verified(folder)).toEqual(["accepted", "accepted", "accepted"]);
  expect((await run("kel", "export", "--dir", folder)).out).toEqual([readFileSync(at("export-0"), "latin1")]);
  const [shown, judged] = [await sky("kel", "show", "--dir", folder), await sky("kel", "verify", at("all.cesr"))];
  expect(shown.out).toContain('  next keys: 1, threshold "1"');
  expect(judged.out).toContain('  next keys: 1, threshold "1"');
  expect(await kel("rotate", "--dir", folder, "--abandon")).toMatchObject({ sn: 3, nextDigests: [] });
  expect(await sky("kel", "rotate", "--dir", folder)).toMatchObject({ code: EXIT.refused });
});

test("some of the next keys come into force, and the others stay in reserve for a later rotation", async () => {
  const folder = at("reserve");
  const made = await kel("incept", "--dir", folder, "--keys", "3", "--threshold", "2");
  const [first, second, third] = made.nextDigests;
  const rotated = await kel("rotate", "--dir", folder, "--expose", "2,0");
  expect(rotated).toMatchObject({ sn: 1, threshold: "2", nextThreshold: "2" });
  expect(rotated.keys.map(nextKeyDigest)).toEqual([third, first]);
  expect(rotated.nextDigests).toEqual([second, expect.any(String), expect.any(String)]);
  const again = await kel("rotate", "--dir", folder, "--expose", "0,1", "--next-keys", "2", "--next-threshold", "1");
  expect([again.keys.map(nextKeyDigest), again.nextDigests.length]).toEqual([rotated.nextDigests.slice(0, 2), 2]);
  expect(again.nextDigests[0]).toBe(rotated.nextDigests[2]);
  expect(await verified(folder)).toEqual(["accepted", "accepted", "accepted"]);
  for (const [code, ...args] of [
    [EXIT.refused, "--expose", "0,2"],
    [EXIT.refused, "--expose", "0,0"],
    [EXIT.usage, "--expose", "0,x"],
    [EXIT.usage, "--expose", ""],
    [EXIT.usage, "--expose", "0,1", "--abandon"],
    [EXIT.usage, "--next-keys", "2", "--abandon"],
  ] as const)
    expect(await sky("kel", "rotate", "--dir", folder, ...args), args.join(" ")).toMatchObject({ code });
  const few = at("few");
  await kel("incept", "--dir", few, "--keys", "3", "--threshold", "1");
  const none = await sky("kel", "rotate", "--dir", few, "--expose", "1", "--next-keys", "1");
  expect([none.code, none.err]).toEqual([EXIT.refused, expect.stringContaining("2 next keys stay in reserve")]);
});

test("witnesses and traits: named, added, cut, and asked for as many receipts as said", async () => {
  const folder = at("witnessed");
  const [one = "", two = "", three = ""] = [1, 2, 3].map((n) => encodeMatter("B", new Uint8Array(32).fill(n)));
  const made = await kel(
    "incept",
    "--dir",
    folder,
    "--witness",
    one,
    "--witness",
    two,
    "--toad",
    "1",
    "--trait",
    "DND",
  );
  expect(made).toMatchObject({ witnesses: [one, two], witnessThreshold: 1, traits: ["DND"] });
  const rotated = await kel("rotate", "--dir", folder, "--cut-witness", one, "--add-witness", three, "--toad", "2");
  expect(rotated).toMatchObject({ witnesses: [two, three], witnessThreshold: 2 });
  expect(await verified(folder)).toEqual(["escrowed:partially-witnessed", "escrowed:out-of-order"]);
  const wrong = await sky("kel", "rotate", "--dir", folder, "--cut-witness", one);
  expect(wrong).toMatchObject({ code: EXIT.refused });
  expect(wrong.err).toContain("A witness to remove is none");
});

test("a delegated identifier is in force once its delegator anchored it, its rotation too", async () => {
  const [parent, child] = [at("parent"), at("child")];
  const delegator = await kel("incept", "--dir", parent);
  const made = await kel("incept", "--dir", child, "--delegator", delegator.aid);
  expect(made).toMatchObject({ type: "dip", delegator: delegator.aid });
  expect(await verified(parent, child)).toEqual(["accepted", "escrowed:awaiting-anchor"]);
  expect(await kel("delegate", child, "--dir", parent)).toMatchObject({ sn: 1, type: "ixn" });
  expect(await verified(parent, child)).toEqual(["accepted", "accepted", "accepted"]);
  expect(await kel("delegate", child, "--dir", parent)).toMatchObject({ sn: 1, delegated: { anchored: [] } });
  expect(await kel("rotate", "--dir", child)).toMatchObject({ sn: 1, type: "drt" });
  expect(await kel("delegate", child, "--dir", parent)).toMatchObject({ sn: 2 });
  expect(await verified(parent, child)).toEqual(["accepted", "accepted", "accepted", "accepted", "accepted"]);
  expect((await sky("kel", "delegate", parent, "--dir", child)).err).toContain("is delegated by nobody");
});

test("every event that waits for its anchor is anchored: several, and those of a command that died or was taken back", async () => {
  const [parent, child] = [at("late-parent"), at("late-child")];
  const { aid } = await kel("incept", "--dir", parent);
  const made = await kel("incept", "--dir", child, "--delegator", aid);
  const rotated = [await kel("rotate", "--dir", child), await kel("rotate", "--dir", child)];
  const files = [parent, child].map((folder) => join(folder, "identity.json"));
  const before = files.map((file) => readFileSync(file));
  const told = await kel("delegate", child, "--dir", parent);
  expect(told).toMatchObject({ sn: 1, delegated: { aid: made.aid } });
  expect(told.delegated?.anchored.map(({ said }) => said)).toEqual([made.said, ...rotated.map(({ said }) => said)]);
  const all = Array.from({ length: 5 }, () => "accepted");
  expect(await verified(parent, child)).toEqual(all);

  // It died once the delegator's event was kept: that one is found again, and no second one is made.
  writeFileSync(files[1] ?? "", before[1] ?? "");
  expect(await kel("delegate", child, "--dir", parent)).toMatchObject({ sn: 1 });
  expect(await verified(parent, child)).toEqual(all);

  // The delegator has another event in that place: what the child says of its anchor is not believed.
  writeFileSync(files[0] ?? "", before[0] ?? "");
  await kel("interact", "--dir", parent, made.said);
  expect(await kel("delegate", child, "--dir", parent)).toMatchObject({ sn: 2 });
  expect(await verified(parent, child)).toEqual([...all, "accepted"]);
});

test("rotates only keys that are old enough, for cron, and those of unknown age", async () => {
  const folder = at("aged");
  const file = join(folder, "identity.json");
  await kel("incept", "--dir", folder);
  const since = (ms: number | undefined): void => {
    const content = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    writeFileSync(file, JSON.stringify({ ...content, since: ms }));
  };
  const aged = ["rotate", "--dir", folder, "--older-than", "30"];
  expect(await kel(...aged)).toMatchObject({ rotated: false, sn: 0 });
  const young = await sky("kel", ...aged);
  expect([young.code, young.out]).toEqual([EXIT.ok, expect.stringContaining("fewer than 30 days; nothing to do")]);
  for (const [sn, ms] of [Date.now() - 30 * 86_400_000, undefined].entries()) {
    since(ms);
    expect(await kel(...aged)).toMatchObject({ rotated: true, sn: sn + 1 });
    expect(await kel(...aged)).toMatchObject({ rotated: false, sn: sn + 1 });
  }
  // An interaction does not make keys younger.
  since(1);
  await kel("interact", "--dir", folder, `E${"A".repeat(43)}`);
  expect(await kel(...aged)).toMatchObject({ rotated: true, sn: 4 });
});

test("what cannot be done is refused with a sentence and an exit code, and keys are never overwritten", async () => {
  const folder = at("refused");
  await kel("incept", "--dir", folder);
  expect((await sky("kel", "incept", "--dir", folder)).err).toContain("keys are never overwritten");
  const many = Array.from({ length: 1_400 }, () => `E${"A".repeat(43)}`);
  for (const [words, code, sentence] of [
    [["incept", "--dir", at("x"), "--keys", "2"], EXIT.refused, "need a threshold"],
    [["incept", "--dir", at("x"), "--threshold", "a"], EXIT.usage, "is no weight"],
    [["incept", "--dir", at("x"), "--threshold", "1/3"], EXIT.refused, "sum to less than 1"],
    [["incept", "--dir", at("x"), "--threshold", "2"], EXIT.refused, "cannot be met by 1 keys"],
    [["incept", "--dir", at("x"), "--trait", "FOO"], EXIT.refused, "traits out of EO"],
    [["incept", "--dir", at("x"), "--delegator", "nobody"], EXIT.refused, "The delegator is no identifier"],
    [["interact", "--dir", folder, "x".repeat(44)], EXIT.refused, "begins no CESR primitive"],
    [["interact", "--dir", folder, ...many], EXIT.refused, "The seals have more than"],
    [["rotate", "--dir", folder, "--seal", `${"x".repeat(44)}:1:${"x".repeat(44)}`], EXIT.refused, "no CESR primitive"],
    [["export", "--dir", folder, "--out", at("nowhere/x")], EXIT.refused, "cannot be written"],
    [["export", "--dir", folder, "--out", directory], EXIT.refused, "cannot be written"],
    [["show", "--dir", folder, "--sn", "0", "--height", "4"], EXIT.usage, "--sn or --height"],
    [["append", at("x"), "--dir", folder, "--node", "127.0.0.1:1"], EXIT.usage, "sky kel append FILE"],
    [["submit", "--dir", folder, "--node", "127.0.0.1:1"], EXIT.usage, "sky kel append FILE"],
    [["incept"], EXIT.usage, "--dir FOLDER"],
    [["rotate"], EXIT.usage, "Name one identity"],
    [["rotate", "--dir", folder, "--client", folder], EXIT.usage, "Name one identity"],
    [["rotate", "--operator", folder], EXIT.usage, "--founding"],
    [["interact", "--dir", folder, "nonsense"], EXIT.usage, "is no seal"],
    [["show", "--dir", at("nothing")], EXIT.refused, "does not exist"],
    [["show", "--dir", folder, "--sn", "3"], EXIT.usage, "Only nodes know that"],
    [["rotate", "--dir", folder, "--submit"], EXIT.usage, "Say where the nodes are"],
    [["show", "--dir", folder, "--node", "127.0.0.1:1"], EXIT.usage, "belongs to no cluster"],
  ] as const) {
    const end = await sky("kel", ...words);
    expect([end.code, end.err], words.slice(0, 5).join(" ")).toEqual([code, expect.stringContaining(sentence)]);
  }
  expect(await kel("show", "--dir", folder)).toMatchObject({ sn: 0 });
});

test("a directory of sky dev that is named for an identity's folder, or the other way round, is called what it is", async () => {
  const [cluster, own] = [at("a-cluster"), at("an-identity")];
  mkdirSync(cluster);
  writeFileSync(join(cluster, "cluster.json"), "{}");
  await kel("incept", "--dir", own);
  const client = join(cluster, "clients", "default");
  for (const [words, named] of [
    [["kel", "show", "--dir", cluster], `--client ${client}`],
    [["kel", "rotate", "--client", cluster], `--client ${client}`],
    [["oracle", "check", "a", "b", "--dir", own], `--client ${own}`],
    [["oracle", "check", "a", "b", "--dir", at("nothing")], "holds no cluster of sky dev"],
    [["kel", "show", "--dir", at("nothing")], "does not exist"],
  ] as const) {
    const end = await sky(...words);
    expect([end.code, end.err], words.join(" ")).toEqual([EXIT.refused, expect.stringContaining(named)]);
  }
});
