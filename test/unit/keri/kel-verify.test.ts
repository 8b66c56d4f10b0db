/** `sky kel verify` on the published streams, on files that cannot be read, and on a long one. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { concatBytes } from "../../../src/base/bytes.ts";
import { Fault } from "../../../src/base/errors.ts";
import { publicKeyOf, signer } from "../../../src/crypto/ed25519.ts";
import { EXIT } from "../../../src/host/cli/io.ts";
import { run } from "../../../src/host/cli/kel-verify.ts";
import { NO_ATTACHMENTS } from "../../../src/keri/attachment-groups.ts";
import { encodeAttachments } from "../../../src/keri/cesr/encode-attachments.ts";
import { encodeMatter } from "../../../src/keri/cesr/matter.ts";
import { type Composed, incept, interact, receipt } from "../../../src/keri/compose.ts";
import { keyText } from "../../../src/keri/key-text.ts";
import { nextKeyDigest } from "../../../src/keri/said.ts";
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

/** A log of interactions of so many seals each, and, where there are `receipts`, its witness's by a message of its own after each. */
function witnessedLog(count: number, seals = 0, receipts = true): Uint8Array {
  const [seed, other] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const [key, witness] = [keyText(publicKeyOf(seed)), encodeMatter("B", publicKeyOf(other))];
  const inception = incept({ keys: [key], nextDigests: [nextKeyDigest(witness)], witnesses: [witness] });
  const parts: Uint8Array[] = [];
  const put = ({ event, said }: Composed, sn: number): void => {
    const controllerSignatures = [{ index: 0, ondex: 0, algorithm: "ed25519", sig: signer(seed)(event) }] as const;
    parts.push(event, encodeAttachments({ ...NO_ATTACHMENTS, controllerSignatures }, 1));
    const receiptCouples = [{ receiptor: witness, code: "0B", sig: signer(other)(event) }] as const;
    if (receipts)
      parts.push(
        receipt({ aid: inception.aid, sn, said }).event,
        encodeAttachments({ ...NO_ATTACHMENTS, receiptCouples }, 1),
      );
  };
  put(inception, 0);
  let prior = inception.said;
  for (let sn = 1; sn < count; sn++) {
    const made = interact({
      aid: inception.aid,
      sn,
      prior,
      seals: Array.from({ length: seals }, () => ({ d: inception.aid })),
    });
    put(made, sn);
    prior = made.said;
  }
  return concatBytes(...parts);
}

test("a log of more events than may wait, each receipted after it: all of them are in force in the end", async () => {
  const { exit, out } = await verify(witnessedLog(1_040), true);
  const rows = rowsOf(out);
  expect(exit).toBe(EXIT.ok);
  expect(rows).toHaveLength(2_080);
  expect(new Set(rows.map(({ verdict, settled }) => settled ?? verdict))).toEqual(new Set(["accepted"]));
  expect(rows.slice(0, 4).map(({ verdict }) => verdict)).toEqual([
    "escrowed:partially-witnessed",
    "escrowed:unverified-receipt",
    "escrowed:out-of-order",
    "escrowed:unverified-receipt",
  ]);
});

test("where nothing of it can come into force, what finds no more room is rejected", async () => {
  const { exit, out } = await verify(witnessedLog(150, 1_150, false), true);
  const rows = rowsOf(out);
  expect([exit, rows.length]).toEqual([EXIT.refused, 150]);
  expect(rows[0]).toMatchObject({ verdict: "escrowed:partially-witnessed", settled: "escrowed:partially-witnessed" });
  expect(rows.at(-1)).toMatchObject({ verdict: "rejected:KERI_ESCROW_FULL" });
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
