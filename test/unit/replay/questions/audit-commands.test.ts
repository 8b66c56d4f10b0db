/** `sky audit …` from a log that real commands, signed with real keys, made: golden answers. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EXIT } from "../../../../src/host/cli/io.ts";
import { NOTES_SINCE } from "../../../../src/events/facts/graph.ts";
import { type Said, sky as run } from "../../host/command-line.ts";
import { AuditedLog, makeAuditedStory, node, view } from "./audited-log.ts";

const directory = mkdtempSync(join(tmpdir(), "sky-audit-test-"));
let log: AuditedLog;
beforeAll(() => {
  log = makeAuditedStory(join(directory, "log.db"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const sky = (...words: readonly string[]): Promise<Said> => run("audit", ...words);

/** With names for identifiers, and short ids and times, so that a person can read the golden answers. */
function readable(lines: readonly string[]): string {
  const { client, admin, gateway } = log;
  let text = lines.join("\n");
  text = text.replaceAll(`key state 1 ${client.keyState.said}`, "key state 1");
  for (const [name, { aid }] of Object.entries({ client, admin, gateway })) {
    text = text.replaceAll(`key state 0 ${aid}`, "key state 0").replaceAll(aid, name.toUpperCase());
  }
  return text.replace(/0{29}([0-9a-f]{3})/g, "#$1").replaceAll("2025-10-09T08:53:20.0", "20.0");
}
const ask = async (...words: readonly string[]): Promise<string> => {
  const { code, out, err } = await sky(...words, "--data", directory);
  return readable([...out, ...err, `exit ${code}`]);
};

describe("who could do something", () => {
  it("is answered in the state of a height, of an instant, and of the log's end", async () => {
    expect(await ask("who", "my-org:report#view", "--height", "3")).toMatchInlineSnapshot(`
      "3 subjects have my-org:report#view (at height 3, 20.003Z)
        my-org:ali
        my-org:jo
        my-org:users#member
      exit 0"
    `);
    expect(await ask("who", "my-org:report#view", "--on", "2025-10-09T08:53:20.006Z")).toMatchInlineSnapshot(`
      "0 subjects have my-org:report#view (at height 6, 20.006Z)
      exit 0"
    `);
    expect(await ask("who", "my-org:report#view")).toMatchInlineSnapshot(`
      "2 subjects have my-org:report#view (at height 9, 20.009Z, where this log ends)
        my-org:ali
        my-org:users#member
      exit 0"
    `);
    expect(await ask("who", "my-org:report#view", "--on", "2025-10-08")).toContain("0 subjects have");
    expect(await ask("who", "my-org:report#view", "--on", "2025-10-09")).toBe(await ask("who", "my-org:report#view"));
    expect(await ask("who", "my-orgs:report")).toContain("nor is there a namespace my-orgs");
  });

  it("is answered with --json by one object a line", async () => {
    const { out, code } = await sky("who", "my-org:report#view", "--json", "--data", directory);
    const lines = out.map((line) => JSON.parse(line) as unknown);
    expect(code).toBe(EXIT.ok);
    expect(lines.slice(0, 2)).toMatchObject([{ text: "my-org:ali" }, { subject: { name: "users" } }]);
    expect(lines.at(-1)).toMatchObject({ ok: true, height: 9, time: 1_760_000_000_009, isEnd: true, subjects: 2 });
  });

  it("is compared with an earlier moment: who came, and who went", async () => {
    const review = ["who", "my-org:report#view", "--since"];
    expect(await ask(...review, "1", "--height", "3")).toMatchInlineSnapshot(`
      "3 subjects have my-org:report#view (at height 3, 20.003Z)
      1 came since (+), 0 went (-)
        my-org:ali
      + my-org:jo
        my-org:users#member
      exit 0"
    `);
    expect(await ask(...review, "3")).toMatchInlineSnapshot(`
      "2 subjects have my-org:report#view (at height 9, 20.009Z, where this log ends)
      0 came since (+), 1 went (-)
        my-org:ali
        my-org:users#member
      - my-org:jo
      exit 0"
    `);
    expect(await ask(...review, "2025-10-09T08:53:20.003Z")).toBe(await ask(...review, "3"));
    expect(await ask(...review, "6", "--height", "7")).toContain("3 came since (+), 0 went (-)");
    expect(await ask(...review, "9")).toContain("0 came since (+), 0 went (-)");
    const { out } = await sky(...review, "3", "--json", "--data", directory);
    expect(out.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { text: "my-org:ali" },
      { text: "my-org:users#member" },
      { text: "my-org:jo", change: "went" },
      { ok: true, subjects: 2, came: 0, went: 1 },
    ]);
    expect((await sky(...review, "soon", "--data", directory)).code).toBe(EXIT.usage);
    expect(await ask(...review, "4", "--height", "3")).toContain("exit 2");
    expect(await ask(...review, "2025-10-09", "--on", "2025-10-08")).toContain("exit 2");
    expect(await ask(...review, "2025-10-10")).toContain("0 came since (+), 0 went (-)");
  });

  it("is refused beyond the log's end, with two moments, or with none that is one", async () => {
    expect(await ask("who", "my-org:report#view", "--height", "10")).toMatch(
      /ends at height 9.*HEIGHT_UNKNOWN.\nexit 1/,
    );
    expect(await ask("who", "my-org:report#view", "--height", "1", "--on", "2025-10-09")).toContain("exit 2");
    for (const date of ["2025", "2025-10-09 08:53", "2025-10-09T08:53", "2025-13-01", "yesterday"])
      expect((await sky("who", "my-org:report#view", "--on", date, "--data", directory)).code).toBe(EXIT.usage);
    expect((await sky("who", "my-org:report#view")).code).toBe(EXIT.usage);
    expect((await sky("who", "my-org:report#", "--data", directory)).code).toBe(EXIT.usage);
  });
});

describe("why somebody can or cannot", () => {
  it("names the chain, since when, and by whose signed act each link of it came", async () => {
    expect(await ask("why", "my-org:ali", "my-org:report#view")).toMatchInlineSnapshot(`
      "yes (at height 9, 20.009Z, where this log ends)
      Since height 7, command 1, 20.007Z, by CLIENT, key state 1, graph.write #00a
      my-org:ali has my-org:report#view, because
        my-org:ali belongs to my-org:users#member
            height 1, command 0, 20.001Z
            by CLIENT, key state 0
            graph.write #001
        my-org:users#member was granted my-org:report#view
            height 7, command 1, 20.007Z
            by CLIENT, key state 1
            graph.write #00a
      Before that:
        yes since height 1, command 1, 20.001Z, by CLIENT, key state 0, graph.write #002
        no  since height 6, command 0, 20.006Z, by CLIENT, key state 1, graph.write #008
      exit 0"
    `);
    expect(await ask("why", "my-org:jo", "my-org:report#view", "--height", "3")).toMatchInlineSnapshot(`
      "yes (at height 3, 20.003Z)
      Since height 3, command 0, 20.003Z, by CLIENT through the gateway GATEWAY, key state 0, graph.write #004
      my-org:jo has my-org:report#view, because
        my-org:jo belongs to my-org:users#member
            height 3, command 0, 20.003Z
            by CLIENT through the gateway GATEWAY, key state 0
            graph.write #004
        my-org:users#member was granted my-org:report#view
            height 1, command 1, 20.001Z
            by CLIENT, key state 0
            graph.write #002
      exit 0"
    `);
  });

  it("names what was tried, and the act since which it is no more", async () => {
    expect(await ask("why", "my-org:jo", "my-org:report#view")).toMatchInlineSnapshot(`
      "no (at height 9, 20.009Z, where this log ends)
      No more since height 8, command 1, 20.008Z, by CLIENT, key state 1, graph.write #00c
      my-org:jo reaches, through maps of subjects:
        my-org:jo (itself)
      my-org:report#view reaches, through maps of objects:
        my-org:report#view (itself)
      What the object reaches is granted to others only:
        my-org:users#member was granted my-org:report#view
      What the subject reaches is granted other things only:
        nothing
      Before that:
        yes since height 3, command 0, 20.003Z, by CLIENT through the gateway GATEWAY, key state 0, graph.write #004
        no  since height 6, command 0, 20.006Z, by CLIENT, key state 1, graph.write #008
        yes since height 7, command 1, 20.007Z, by CLIENT, key state 1, graph.write #00a
      exit 1"
    `);
    expect(await ask("why", "my-org:nobody", "my-org:report#view")).toContain("At no height before either.");
  });

  it("names the founding document where no command made it so", async () => {
    const { client } = log;
    expect(await ask("why", `sky:${client.aid}`, "sky:cluster#write")).toMatchInlineSnapshot(`
      "yes (at height 9, 20.009Z, where this log ends)
      Since the founding document, which all founders and operators signed
      sky:CLIENT has sky:cluster#write, because
        sky:CLIENT was granted sky:cluster#write
            the founding document, which all founders and operators signed
      exit 0"
    `);
    const { out } = await sky("why", `sky:${client.aid}`, "sky:cluster#write", "--json", "--data", directory);
    expect(JSON.parse(out[0] ?? "")).toMatchObject({
      result: true,
      links: [{ origin: { by: "founding", height: 0 } }],
      since: { result: true, origin: { by: "founding" } },
    });
  });
});

describe("changes", () => {
  it("of a node, with the act that made each", async () => {
    expect(await ask("changes", "my-org:users#member", "--from", "3")).toMatchInlineSnapshot(`
      "subject mapped my-org:jo my-org:users#member: height 3, command 0, 20.003Z, by CLIENT through the gateway GATEWAY, key state 0, graph.write #004
      assertion deleted my-org:users#member my-org:report#view: height 6, command 0, 20.006Z, by CLIENT, key state 1, graph.write #008
      assertion added my-org:users#member my-org:report#view: height 7, command 1, 20.007Z, by CLIENT, key state 1, graph.write #00a
      subject unmapped my-org:jo my-org:users#member: height 8, command 1, 20.008Z, by CLIENT, key state 1, graph.write #00c
      changes: 4, from height 3 to 9 (20.009Z); the log holds so far.
      exit 0"
    `);
  });

  it("of an identifier: key events, certificates, and what it was granted of the policy", async () => {
    expect(await ask("changes", log.client.aid, "--from", "1")).toMatchInlineSnapshot(`
      "key event accepted CLIENT at 1: height 5, command 0, 20.005Z, by CLIENT, key state 0, kerl.append #007
      certificate 17 of CLIENT recorded: height 7, command 0, 20.007Z, by CLIENT, key state 1, certificate.issue #009
      certificate 17 of CLIENT revoked: keyCompromise: height 8, command 0, 20.008Z, by ADMIN, key state 0, certificate.revoke #00b
      changes: 3, from height 1 to 9 (20.009Z); the log holds so far.
      exit 0"
    `);
    expect(await ask("changes", log.gateway.aid, "--from", "1", "--to", "2")).toMatchInlineSnapshot(`
      "assertion added sky:GATEWAY sky:cluster#gateway: height 2, command 0, 20.002Z, by ADMIN, key state 0, graph.write #003
      changes: 1, from height 1 to 2 (20.002Z); the log holds so far.
      exit 0"
    `);
  });

  it("of a namespace, between two heights", async () => {
    const all = (await sky("changes", "my-org:", "--json", "--data", directory)).out;
    const parts = await Promise.all(
      [
        ["--to", "4"],
        ["--from", "5", "--to", "6"],
        ["--from", "7"],
      ].map((span) => sky("changes", "my-org:", "--json", "--data", directory, ...span)),
    );
    expect(parts.flatMap(({ out }) => out.slice(0, -1))).toEqual(all.slice(0, -1));
    expect(JSON.parse(all.at(-1) ?? "")).toMatchObject({ ok: true, from: 0, to: 9, changes: all.length - 1 });
    expect((await sky("changes", "my-org:", "--from", "5", "--to", "4", "--data", directory)).code).toBe(EXIT.usage);
    expect((await sky("changes", "my-org:", "--to", "10", "--data", directory)).code).toBe(EXIT.refused);
  });
});

describe("acts", () => {
  it("of a client: what it signed, what was refused and why, what a gateway signed for it, and its key events", async () => {
    expect(await ask("acts", log.client.aid)).toMatchInlineSnapshot(`
      "genesis: identifier incepted CLIENT, in the founding document
      height 1, command 0, 20.001Z: graph.write #001: executed
            map subject my-org:ali my-org:users#member
      height 1, command 1, 20.001Z: graph.write #002: executed
            add assertion my-org:users#member my-org:report#view
      height 3, command 0, 20.003Z: graph.write #004 through the gateway GATEWAY: executed
            map subject my-org:jo my-org:users#member
      height 4, command 0, 20.004Z: graph.write #005: refused POLICY_FORBIDDEN: The command touches the cluster's policy (namespace sky, or a group that was granted one of its roles); ask an administrator.
            add assertion sky:CLIENT sky:cluster#gateway
      height 4, command 1, 20.004Z: graph.write #001: sent again, done before at height 1, command 0
      height 4, command 2, 20.004Z: a batch of 1 that names it as author: refused BAD_SIGNATURE: The batch is not signed by the current keys of CLIENT.
      height 5, command 0, 20.005Z: kerl.append #007: executed
            append 444 bytes of key events
      height 5, command 0, 20.005Z: key event accepted CLIENT at 1, handed in by CLIENT
      height 6, command 0, 20.006Z: graph.write #008: executed
            delete assertion my-org:users#member my-org:report#view
      height 7, command 0, 20.007Z: certificate.issue #009: executed
            record certificate 17 of CLIENT
      height 7, command 1, 20.007Z: graph.write #00a: executed
            add assertion my-org:users#member my-org:report#view
      height 8, command 1, 20.008Z: graph.write #00c: executed
            unmap subject my-org:jo my-org:users#member
      acts: 13, from height 0 to 9 (20.009Z); the log holds so far.
      exit 0"
    `);
  });

  it("of a gateway, and of an administrator", async () => {
    expect(await ask("acts", log.gateway.aid, "--from", "1")).toMatchInlineSnapshot(`
      "height 3, command 0, 20.003Z: graph.write #004 as gateway for CLIENT: executed
            map subject my-org:jo my-org:users#member
      acts: 1, from height 1 to 9 (20.009Z); the log holds so far.
      exit 0"
    `);
    expect(await ask("acts", log.admin.aid, "--from", "1")).toMatchInlineSnapshot(`
      "height 2, command 0, 20.002Z: graph.write #003: executed
            add assertion sky:GATEWAY sky:cluster#gateway
      height 8, command 0, 20.008Z: certificate.revoke #00b: executed
            revoke certificate 17 of CLIENT: keyCompromise
      acts: 2, from height 1 to 9 (20.009Z); the log holds so far.
      exit 0"
    `);
  });

  it("of an identifier that the log does not know are none, and that is said", async () => {
    const nobody = `E${"x".repeat(43)}`;
    const { code, err } = await sky("acts", nobody, "--data", directory);
    expect([code, err[0]]).toEqual([EXIT.ok, `This log knows no identifier ${nobody}.`]);
    const { out } = await sky("acts", nobody, "--from", "9", "--data", directory, "--json");
    expect(JSON.parse(out.join())).toMatchObject({ ok: true, acts: 0, known: false });
    const idle = await sky("acts", log.client.aid, "--from", "9", "--data", directory); // incepted long before
    expect(idle.err).toHaveLength(1);
  });

  it("in JSON tell the batch that did not hold from what the identifier signed", async () => {
    const { out } = await sky("acts", log.client.aid, "--from", "4", "--to", "4", "--json", "--data", directory);
    expect(out.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { act: "command", capacity: "author", outcome: { kind: "refused", code: "POLICY_FORBIDDEN" }, facts: [] },
      { act: "command", outcome: { kind: "duplicate", of: { height: 1, index: 0 } }, facts: [] },
      { act: "batchRefused", capacity: "author", refused: { code: "BAD_SIGNATURE" } },
      { ok: true, acts: 3, known: true },
    ]);
    expect((await sky("acts", "ali", "--data", directory)).code).toBe(EXIT.usage);
  });
});

it("what an author signed as the reason stands beside its act, and drives no terminal", async () => {
  const noted = mkdtempSync(join(tmpdir(), "sky-audit-test-"));
  try {
    const other = new AuditedLog(join(noted, "log.db"));
    other.jump(NOTES_SINCE);
    const add = { kind: "addAssertion", assertion: { subject: node("ali"), object: view } } as const;
    const note = "ticket 17 \u202e[2J";
    other.block(other.signed(other.client, [other.whole({ changes: [add], preconditions: [], note })]));
    other.block(
      other.signed(other.client, [other.write({ ...add, assertion: { subject: node("jo"), object: view } })]),
    );
    other.close();
    const told = "because: ticket 17 \ufffd[2J";
    const asked = async (...words: readonly string[]) => (await sky(...words, "--data", noted)).out;
    const why = await asked("why", "my-org:ali", "my-org:report#view");
    expect(why).toContain(`      ${told}`);
    expect(why[1]).toContain(`, ${told}`);
    expect((await asked("why", "my-org:jo", "my-org:report#view")).join()).not.toContain("because:");
    expect((await asked("changes", "my-org:ali")).at(-1)).toContain(`, ${told}`);
    expect(await asked("acts", log.client.aid)).toContain(`      ${told}`);
    const [first] = await asked("why", "my-org:ali", "my-org:report#view", "--json");
    expect(JSON.parse(first ?? "")).toMatchObject({ links: [{ origin: { note } }], since: { origin: { note } } });
    const acts = (await asked("acts", log.client.aid, "--from", "2", "--json")).map(
      (line) => JSON.parse(line) as unknown,
    );
    expect(acts).toMatchObject([{ note }, { note: null }, { ok: true }]);
  } finally {
    rmSync(noted, { recursive: true, force: true });
  }
});

it("nothing is answered from a log that does not hold", async () => {
  const damaged = mkdtempSync(join(tmpdir(), "sky-audit-test-"));
  try {
    const bytes = readFileSync(join(directory, "log.db"));
    const at = bytes.lastIndexOf(Buffer.from("users"));
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(join(damaged, "log.db"), bytes);
    for (const words of [
      ["who", "my-org:report#view"],
      ["why", "my-org:ali", "my-org:report#view"],
    ]) {
      const { code, out, err } = await sky(...words, "--data", damaged);
      expect([code, out]).toEqual([EXIT.refused, []]);
      expect(err.join()).toContain("the log does not hold");
    }
    const { code, out } = await sky("acts", log.client.aid, "--json", "--data", damaged);
    expect(code).toBe(EXIT.refused);
    expect(JSON.parse(out.at(-1) ?? "")).toMatchObject({
      ok: false,
      code: expect.any(String),
      height: expect.any(Number),
    });
  } finally {
    rmSync(damaged, { recursive: true, force: true });
  }
});
