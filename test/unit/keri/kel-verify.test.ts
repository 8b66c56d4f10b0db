/** `sky kel verify` on the published streams, on files that cannot be read, and on a long one. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { concatBytes } from "../../../src/base/bytes.ts";
import { Fault } from "../../../src/base/errors.ts";
import { EXIT } from "../../../src/host/cli/io.ts";
import { run } from "../../../src/host/cli/kel-verify.ts";
import { quietConsole } from "../host/command-line.ts";
import { World } from "./differential/lives.ts";
import { Random } from "./differential/random.ts";

interface Case {
  readonly id: string;
  readonly stream: string;
  readonly expectInOrder: {
    readonly perMessage: readonly {
      readonly t?: string;
      readonly s?: string;
      readonly i?: string;
      readonly d?: string;
      readonly outcome: string;
    }[];
  };
}
const path = new URL("../../../../shared/conformance/keri/kel-streams.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(path, "utf8")) as { readonly cases: readonly Case[] };

const directory = mkdtempSync(join(tmpdir(), "sky-kel-verify-"));
afterAll(() => rmSync(directory, { recursive: true }));

async function verify(content: Uint8Array | string, json: boolean) {
  const file = join(directory, "stream.cesr");
  writeFileSync(file, content);
  const { io, out, err } = quietConsole();
  const exit = await run({ args: [file], json }, io);
  return { exit, out: out.join("\n"), err };
}

interface Row {
  readonly aid: string | null;
  readonly sn: number | null;
  readonly type: string | null;
  readonly said: string | null;
  readonly verdict: string;
  readonly settled?: string;
}

const rowsOf = (out: string) => JSON.parse(out) as readonly Row[];

const PATTERNS: Readonly<Record<string, RegExp>> = {
  accept: /^accepted$/,
  receipt: /^(accepted|escrowed:unverified-receipt)$/,
  "reject-or-escrow": /^(escrowed|rejected):[A-Za-z_-]+$/,
  "parse-error": /^rejected:KERI_MALFORMED$/,
};

describe.each(cases)("$id", ({ stream, expectInOrder }) => {
  test("is one array with the stated verdict for each message; 1 when something was rejected", async () => {
    const { exit, out } = await verify(stream, true);
    const rows = rowsOf(out);
    expect(rows).toHaveLength(expectInOrder.perMessage.length);
    for (const [i, { t, s, i: aid, d, outcome }] of expectInOrder.perMessage.entries()) {
      expect(rows[i]).toMatchObject({
        aid: aid ?? null,
        sn: s === undefined ? null : Number.parseInt(s, 16),
        type: t ?? null,
        said: d ?? null,
      });
      expect(rows[i]?.verdict).toMatch(PATTERNS[outcome] ?? /never/);
    }
    expect(exit).toBe(rows.some(({ verdict }) => verdict.startsWith("rejected:")) ? EXIT.refused : EXIT.ok);
  });
});

test("for people: a line a message, what became of those that waited, and who is in force in the end", async () => {
  const { stream = "" } = cases.find(({ id }) => id === "keriox-bench-3") ?? {};
  const { exit, out } = await verify(stream, false);
  expect(exit).toBe(EXIT.ok);
  expect(out).toMatch(/^escrowed:out-of-order +rot 2 E\S+ E\S+, then accepted$/m);
  expect(out).toMatch(/^messages: 6; identifiers in force: 1$/m);
  expect(out).toMatch(/^EPNYUP\S+ at 2 \(rot\) EBgRue\S+$/m);
});

test("a stream that breaks off is judged up to there, and says where", async () => {
  const { stream = "" } = cases.find(({ id }) => id === "keripy-replay-v1-deb") ?? {};
  const { exit, out } = await verify(stream.slice(0, -10), true);
  const rows = rowsOf(out);
  expect(exit).toBe(EXIT.refused);
  expect(rows.slice(0, -1).every(({ verdict }) => verdict === "accepted")).toBe(true);
  expect(rows.at(-1)).toMatchObject({
    aid: null,
    verdict: "rejected:KERI_MALFORMED",
    why: expect.stringMatching(/^At byte \d+: /),
  });
});

test("an empty file holds nothing, and nothing is rejected", async () => {
  expect(await verify("", true)).toEqual({ exit: EXIT.ok, out: "[\n]", err: [] });
});

test("a file that is not there is a fault, told in a sentence", async () => {
  const { io } = quietConsole();
  await expect(run({ args: [join(directory, "no-such-file")], json: true }, io)).rejects.toThrow(Fault);
});

test("a long file is read in pieces, with progress", async () => {
  const { messages } = new World(new Random(3));
  const once = concatBytes(...messages);
  const times = Math.ceil((4 * 1024 * 1024 + 65_536) / once.length);
  const { exit, out, err } = await verify(Buffer.concat(Array.from({ length: times }, () => once)), true);
  expect(exit).toBe(EXIT.ok);
  expect(rowsOf(out)).toHaveLength(times * messages.length);
  expect(err).toEqual([expect.stringMatching(/^4 MiB of 4 MiB read, \d+ messages$/)]);
});
