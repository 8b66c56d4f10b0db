/** Recordings of small runs with Byzantine members, as the inspector shows them; and files that are none. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { BlockRow, Entry } from "../../../src/host/inspector/contract.ts";
import { type RecordingSource, openRecording } from "../../../src/host/inspector/recording-source.ts";
import { effectSummary } from "../../../src/host/inspector/redaction.ts";
import type { Answer, EntryPage, InspectorSource } from "../../../src/host/inspector/source.ts";
import { consensusMachine } from "../../../src/machines/consensus/consensus.machine.ts";
import type { ConsensusEffect, ConsensusEvent, Context } from "../../../src/machines/consensus/types.ts";
import { createStepper } from "../../../src/machines/step.ts";
import { lineOf } from "../../../tools/sim/record.ts";
import { type SimOptions, runSeed } from "../../../tools/sim/simulation.ts";

const directory = mkdtempSync(join(tmpdir(), "sky-recording-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function record(name: string, options: SimOptions): string {
  const path = join(directory, name);
  const lines: string[] = [];
  runSeed({ ...options, record: (entry) => void lines.push(lineOf(entry, lines.length + 1)) });
  writeFileSync(path, `${lines.join("\n")}\n`);
  return path;
}

const value = <T>(answer: Answer<T>): T => {
  if (!answer.ok) throw new Error(answer.refusal.message);
  return answer.value;
};

async function pagesOf(source: InspectorSource, after: string | null = null): Promise<readonly EntryPage[]> {
  const pages: EntryPage[] = [];
  for await (const page of source.entries(after, new AbortController().signal)) pages.push(page);
  return pages;
}

const entriesOf = (pages: readonly EntryPage[]): readonly Entry[] =>
  pages.flatMap((page) => (page.kind === "entries" ? page.entries : []));

const keyOf = ({ node, life, n }: Entry): string => `${node} ${life} ${n}`;

const EQUIVOCATOR: SimOptions = {
  seed: 4,
  nodes: 4,
  byzantine: 1,
  byzantineKinds: ["equivocator"],
  minutes: 0.1,
  faults: [],
};
let equivocatorPath = "";
let equivocator: RecordingSource;
let pages: readonly EntryPage[] = [];
let entries: readonly Entry[] = [];

beforeAll(async () => {
  equivocatorPath = record("equivocator.jsonl", EQUIVOCATOR);
  equivocator = openRecording(equivocatorPath);
  pages = await pagesOf(equivocator);
  entries = entriesOf(pages);
});
afterAll(() => equivocator.close());

test("the evidence against an equivocating leader is there, with both of its proposals for that view", async () => {
  const { nodes, title } = await equivocator.describe();
  const liar = nodes.find(({ role }) => role === "equivocator");
  expect(title).toContain(`${liar?.name} equivocator`);
  const found = entries.flatMap((entry) =>
    entry.kind === "evidence" && entry.evidence === "twoProposals" ? [entry] : [],
  );
  expect(found.length).toBeGreaterThan(0);
  for (const { node, member, view } of found) {
    expect(member).toBe(liar?.name);
    expect(view % nodes.length).toBe(liar?.index);
    const proposed = entries.flatMap((entry) =>
      entry.kind === "stepped" &&
      entry.node === node &&
      entry.event.type === "proposalVerified" &&
      entry.event["view"] === view
        ? [entry.event["hash"]]
        : [],
    );
    expect(new Set(proposed).size).toBeGreaterThan(1);
  }
  const [first] = found;
  const sent = entries.flatMap((entry) =>
    entry.kind === "sent" &&
    entry.node === liar?.name &&
    entry.message.type === "proposal" &&
    entry.message["view"] === first?.view
      ? [entry.message["hash"]]
      : [],
  );
  expect(new Set(sent).size).toBe(2);
});

test("entries of each node are numbered without gap, life by life, and every step leaves from where the one before it arrived", () => {
  const last = new Map<string, { life: number; n: number; state: string | undefined }>();
  for (const entry of entries) {
    const before = last.get(entry.node) ?? { life: 0, n: -1, state: undefined };
    if (entry.life === before.life) expect(entry.n).toBe(before.n + 1);
    else expect([entry.life, entry.n]).toEqual([before.life + 1, 0]);
    let state = entry.life === before.life ? before.state : undefined;
    if (entry.kind === "booted") [state] = entry.states.consensus ?? [];
    if (entry.kind === "stepped") {
      for (const { source } of entry.transitions) expect(source).toBe(state);
      const moved = entry.transitions.find(({ targets }) => targets.length > 0);
      expect(entry.states).toEqual(moved?.targets ?? [state]);
      if (moved !== undefined) expect(`consensus.${moved.guard}`).toBe(entry.states[0]);
      [state] = entry.states;
    }
    last.set(entry.node, { life: entry.life, n: entry.n, state });
  }
  expect(pages.at(-1)).toEqual({ kind: "end" });
});

/** An entry in a line: golden files of whole entries would say little to whoever reads a difference. */
function shown(entry: Entry): string {
  const key = `${entry.node} ${entry.life}.${entry.n} ${entry.at.toFixed(1)} ${entry.kind}`;
  switch (entry.kind) {
    case "stepped":
      return `${key} ${entry.event.type} [${entry.effects.map(({ type }) => type).join(" ")}] ${entry.states.join()} view ${entry.view}`;
    case "sent":
    case "delivered":
    case "dropped":
      return `${key} ${entry.peer} ${entry.message.type} ${entry.message["view"] ?? ""}`.trimEnd();
    case "finalised":
      return `${key} ${entry.block.height} ${entry.block.body} ${entry.block.commands}`;
    case "executed":
      return `${key} ${entry.height}`;
    case "evidence":
      return `${key} ${entry.evidence} ${entry.member} view ${entry.view}`;
    default:
      return key;
  }
}

test("the entries of a seed are these (recorded; -u records them anew)", () => {
  const about = entries.findIndex(({ kind }) => kind === "evidence");
  const kinds = Object.entries(Object.groupBy(entries, ({ kind }) => kind)).map(
    ([kind, all]) => `${kind} ${all?.length}`,
  );
  expect(kinds.toSorted()).toMatchInlineSnapshot(`
    [
      "booted 4",
      "delivered 562",
      "dropped 1",
      "evidence 3",
      "executed 52",
      "finalised 52",
      "sent 584",
      "stepped 561",
    ]
  `);
  expect([...entries.slice(0, 12), ...entries.slice(about - 6, about + 6)].map(shown)).toMatchInlineSnapshot(`
    [
      "n0 0.0 50.0 finalised 0 genesis 0",
      "n0 0.1 50.0 booted",
      "n1 0.0 50.0 finalised 0 genesis 0",
      "n1 0.1 50.0 booted",
      "n2 0.0 50.0 finalised 0 genesis 0",
      "n2 0.1 50.0 booted",
      "n3 0.0 50.0 finalised 0 genesis 0",
      "n3 0.1 50.0 booted",
      "n0 0.2 50.1 stepped started [] consensus.quiet view 1",
      "n0 0.3 50.1 stepped peerConnected [] consensus.quiet view 1",
      "n0 0.4 50.1 stepped peerConnected [] consensus.quiet view 1",
      "n0 0.5 50.1 stepped peerConnected [] consensus.quiet view 1",
      "n0 0.178 2481.3 sent n1 vote 6",
      "n0 0.179 2481.3 sent n2 vote 6",
      "n0 0.180 2481.3 sent n3 vote 6",
      "n0 0.181 2485.0 delivered n2 certificate 5",
      "n3 0.183 2491.1 delivered n2 proposal 6",
      "n3 0.184 2491.4 stepped proposalVerified [recordEvidence recordEvidence] consensus.collectingVotes view 6",
      "n3 0.185 2491.4 evidence twoProposals n2 view 6",
      "n3 0.186 2491.4 evidence twoNotarizeVotes n2 view 6",
      "n0 0.182 2498.4 delivered n2 vote 5",
      "n0 0.183 2498.5 stepped voteVerified [recordCertificate passOn recordFinal] consensus.collectingVotes view 6",
      "n0 0.184 2498.5 finalised 5 executions 1",
      "n0 0.185 2498.8 executed 5",
    ]
  `);
});

test("the machine that runs, stepped again from the recorded contexts, takes the transitions that are shown and emits the effects", () => {
  const shown = new Map(entries.map((entry) => [keyOf(entry), entry]));
  const contexts = new Map<string, Context>();
  const counters = new Map<string, number>();
  let stepped = 0;
  const honest = new Set(entries.map(({ node }) => node));
  for (const text of readFileSync(equivocatorPath, "utf8").trim().split("\n")) {
    const line = JSON.parse(text) as Record<string, unknown> & { kind: string; node: string };
    if (line.kind === "booted") contexts.set(line.node, line["context"] as Context);
    const context = contexts.get(line.node);
    if (line.kind !== "stepped" || context === undefined || !honest.has(line.node)) continue;
    const value = (counters.get(line.node) ?? 0) + 1;
    counters.set(line.node, value);
    const steps = entries.filter((entry) => entry.kind === "stepped" && entry.node === line.node);
    const entry = shown.get(keyOf(steps[value - 1] as Entry));
    if (entry?.kind !== "stepped") throw new Error("a step is shown");
    if (stepped < 400) {
      const from = (entry.transitions[0]?.source ?? "").slice("consensus.".length);
      const snapshot = {
        status: "active" as const,
        value: from,
        context,
        children: {},
        historyValue: {},
        tags: [],
        output: undefined,
        error: undefined,
      };
      const stepper = createStepper(consensusMachine, { snapshot });
      const { effects } = stepper.step(line["event"] as ConsensusEvent);
      expect([`consensus.${String(stepper.state())}`]).toEqual(entry.states);
      expect(JSON.parse(JSON.stringify(effects))).toEqual(line["effects"]);
      expect(entry.effects).toEqual((effects as readonly ConsensusEffect[]).map(effectSummary));
      stepped += 1;
    }
    contexts.set(line.node, { ...context, ...(line["changed"] as Partial<Context>) });
  }
  expect(stepped).toBe(400);
});

test("reading on from any cursor gives the rest: no gap, no duplicate", async () => {
  const whole = entries.map(keyOf);
  expect(new Set(whole).size).toBe(whole.length);
  let read = 0;
  for (const page of pages.slice(0, -1)) {
    if (page.kind !== "entries") continue;
    read += page.entries.length;
    expect(entriesOf(await pagesOf(equivocator, page.cursor)).map(keyOf)).toEqual(whole.slice(read));
  }
});

test("a context is the one after the entry, forwards and backwards", async () => {
  const steps = entries.filter((entry) => entry.kind === "stepped" && entry.node === "n1").slice(0, 60);
  for (const step of [...steps, ...steps.toReversed()]) {
    if (step.kind !== "stepped") continue;
    const context = value(await equivocator.context({ ...step, machine: "consensus" })) as Context;
    expect([context.view, context.final.height]).toEqual([step.view, step.finalHeight]);
  }
  expect(await equivocator.context({ node: "n1", life: 9, n: 0, machine: "consensus" })).toMatchObject({ ok: false });
  expect(await equivocator.context({ node: "n1", life: 0, n: 3, machine: "ceremony" })).toMatchObject({ ok: false });
});

test("blocks name their leaders and signers; commands, roots and the state at each height fit", async () => {
  const rows: readonly BlockRow[] = value(await equivocator.blocks({ node: "n1", from: 0, limit: 500 }));
  expect(rows[0]).toMatchObject({ height: 0, body: "genesis", leader: null });
  expect(rows.slice(1).some(({ signers }) => signers.length >= 3)).toBe(true);
  for (const { height, view, leader, root } of rows.slice(1)) {
    expect(leader).toBe(`n${view % 4}`);
    expect(root === null || height <= rows.length).toBe(true);
  }
  const commands = rows.reduce((sum, row) => sum + row.commands, 0);
  expect(commands).toBeGreaterThan(0);
  const picture = value(await equivocator.graph({ node: null, height: null, focus: null, limit: 2000 }));
  const granted = picture.links.filter(({ kind }) => kind === "assertion");
  const none = value(await equivocator.graph({ node: "n2", height: 0, focus: null, limit: 2000 }));
  expect(granted.length).toBeGreaterThan(none.links.length);
  for (const { from, to } of granted) {
    const [subject, object] = [from.slice("subject ".length), to.slice("object ".length)];
    const check = { node: null, height: null, subject, object };
    expect(value(await equivocator.check(check))).toMatchObject({ result: true });
  }
  const found = value(await equivocator.difference({ left: "n1", leftHeight: 0, right: "n2", rightHeight: null }));
  expect(found.differences.filter(({ kind }) => kind === "assertion")).toHaveLength(
    granted.length - none.links.filter(({ kind }) => kind === "assertion").length,
  );
  expect(value(await equivocator.divergence({ left: "n1", right: "n2" })).first).toBeNull();
  expect(await equivocator.graph({ node: null, height: 9999, focus: null, limit: 1 })).toMatchObject({ ok: false });
});

test("twins are two nodes on one seat", async () => {
  const source = openRecording(
    record("twins.jsonl", { seed: 8, nodes: 4, byzantine: 1, byzantineKinds: ["twins"], minutes: 0.05 }),
  );
  const { nodes } = await source.describe();
  const [twin, other] = nodes.filter(({ role }) => role === "twins");
  expect([other?.index, other?.aid, other?.name]).toEqual([twin?.index, twin?.aid, `${twin?.name}'`]);
  const seen = new Set(entriesOf(await pagesOf(source)).map(({ node }) => node));
  expect(seen).toEqual(new Set(nodes.map(({ name }) => name)));
  await source.close();
});

test("what was lost on purpose says why, and a node that dies has another life", async () => {
  const source = openRecording(
    record("faults.jsonl", { seed: 3, nodes: 4, byzantine: 0, minutes: 0.2, faults: ["crash", "partition"] }),
  );
  const all = entriesOf(await pagesOf(source));
  const dropped = all.flatMap((entry) => (entry.kind === "dropped" ? [entry.reason] : []));
  expect(dropped.length).toBeGreaterThan(0);
  expect(dropped).not.toContain("undefined");
  expect(all.some(({ kind }) => kind === "fault")).toBe(true);
  expect(all.some(({ life }) => life > 0)).toBe(true);
  for (const entry of all.filter(({ kind }) => kind === "ended"))
    expect(
      all.some(
        ({ node, life, n, kind }) => node === entry.node && life === entry.life && n > entry.n && kind === "stepped",
      ),
    ).toBe(false);
  await source.close();
});

test("a node that executed something else is found by its first other root, and its state is its own", async () => {
  const facts = new Map<number, string>();
  const lines = readFileSync(equivocatorPath, "utf8").trim().split("\n");
  const parted = lines.map((text) => {
    const line = JSON.parse(text) as { kind: string; node?: string; height: number; root: string; facts?: string };
    if (line.kind !== "executed") return text;
    if (line.facts !== undefined) facts.set(line.height, line.facts);
    if (line.node !== "n3" || line.height < 4) return JSON.stringify({ ...line, facts: facts.get(line.height) });
    const root = `${line.root.startsWith("0") ? "1" : "0"}${line.root.slice(1)}`;
    return JSON.stringify({ ...line, root, facts: "" });
  });
  const path = join(directory, "parted.jsonl");
  writeFileSync(path, `${parted.join("\n")}\n`);
  const source = openRecording(path);
  expect(value(await source.divergence({ left: "n0", right: "n3" }))).toMatchObject({
    agreedTo: 3,
    first: { height: 4, what: "root" },
  });
  const asked = { left: "n0", leftHeight: null, right: "n3", rightHeight: null };
  const found = value(await source.difference(asked));
  expect(found.left.root).not.toBe(found.right.root);
  expect(found.differences.length).toBeGreaterThan(0);
  await source.close();
});

test("the rule that a run broke is the last thing that is shown, on every node", async () => {
  const tamper: SimOptions["tamper"] = ({ scheduler, replicas }) =>
    void scheduler.at(1500, () =>
      replicas[1]?.process?.step(() => {
        throw new TypeError("a defect");
      }),
    );
  const source = openRecording(
    record("broken.jsonl", { seed: 7, nodes: 4, byzantine: 0, faults: [], minutes: 0.1, tamper }),
  );
  expect((await source.describe()).title).toContain("a rule was broken");
  const last = entriesOf(await pagesOf(source)).slice(-4);
  expect(last.map(({ node }) => node)).toEqual(["n0", "n1", "n2", "n3"]);
  for (const entry of last)
    expect(entry).toMatchObject({ kind: "fault", fault: { type: "violation", rule: "no member meets a defect" } });
  await source.close();
});

test("a file that is no recording is refused with its reason, a damaged one with the line", () => {
  const write = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  const lines = readFileSync(equivocatorPath, "utf8").trim().split("\n");
  const changed = (at: number, change: (line: string) => string): string =>
    `${lines.map((line, i) => (i === at ? change(line) : line)).join("\n")}\n`;
  expect(() => openRecording(join(directory, "missing"))).toThrow(/cannot be read/);
  expect(() => openRecording(directory)).toThrow(/cannot be read/);
  expect(() => openRecording(write("empty", ""))).toThrow(/it is empty/);
  expect(() => openRecording(write("text", "hello\nworld\n"))).toThrow(/first line is not JSON/);
  expect(() => openRecording(write("other", '{"kind":"began","at":0}\n'))).toThrow(/does not begin one/);
  expect(() => openRecording(write("binary", "\u0000\u0001".repeat(1000)))).toThrow(/is no recording/);
  expect(() =>
    openRecording(
      write(
        "garbled",
        changed(20, (line) => line.slice(0, 40)),
      ),
    ),
  ).toThrow(/line 21: it is not JSON/);
  expect(() =>
    openRecording(
      write(
        "scalar",
        changed(7, () => "7"),
      ),
    ),
  ).toThrow(/line 8: it has no kind/);
  const stepped = lines.findIndex((line) => line.includes('"kind":"stepped"'));
  const atStep = new RegExp(`line ${stepped + 1}`);
  const broken = [
    changed(stepped, (line) => line.replace(/"state":"\w+"/, '"state":"nowhere"')),
    changed(stepped, (line) => line.replace(/"event":\{"type":"\w+"/, '"event":{"type":"constructor"')),
    changed(stepped, (line) => line.replace(/"node":"n\d"/, '"node":"n77"')),
    changed(stepped, (line) => line.replace(/"effects":\[.*\],"changed"/, '"effects":7,"changed"')),
  ];
  broken.forEach((text, i) => expect(() => openRecording(write(`broken ${i}`, text)), `${i}`).toThrow(atStep));
});

const VOTED = /"kind":"stepped".*"event":\{"type":"voteSigned"/;

test("what no page could draw is refused with the line: an object or a text where the contract has something else", () => {
  const lines = readFileSync(equivocatorPath, "utf8").trim().split("\n");
  const path = join(directory, "undrawable");
  const object = { toString: 1 };
  const damaging = (kind: string, change: (line: Record<string, unknown>) => Record<string, unknown>): void => {
    const at = lines.findIndex((line) => line.includes(`"kind":"${kind}"`) && (kind !== "stepped" || VOTED.test(line)));
    const parsed = JSON.parse(lines[at] ?? "") as Record<string, unknown>;
    writeFileSync(path, `${lines.with(at, JSON.stringify({ ...parsed, ...change(parsed) })).join("\n")}\n`);
    expect(() => openRecording(path), kind).toThrow(new RegExp(`line ${at + 1}`));
  };
  const step = JSON.parse(lines.find((line) => VOTED.test(line)) ?? "") as { readonly event: object };
  expect(step.event).toHaveProperty("view");
  damaging("stepped", ({ event }) => ({ event: { ...(event as object), view: object } }));
  damaging("stepped", ({ changed }) => ({ changed: { ...(changed as object), view: "seven" } }));
  damaging("executed", () => ({ height: "one" }));
  damaging("executed", () => ({ hash: "" }));
  damaging("evidence", () => ({ view: {} }));
});

test("a run that was stopped in the middle of a line is shown up to there", async () => {
  const path = join(directory, "stopped");
  const text = readFileSync(equivocatorPath, "utf8");
  writeFileSync(path, text.slice(0, Math.floor(text.length / 2)));
  const source = openRecording(path);
  expect((await source.describe()).title).toContain("stopped before its end");
  const shown = entriesOf(await pagesOf(source)).map(keyOf);
  expect(shown).toEqual(entries.slice(0, shown.length).map(keyOf));
  await source.close();
});
