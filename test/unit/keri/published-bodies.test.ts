import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromUtf8, utf8 } from "../../../src/base/bytes.ts";
import { parseBody } from "../../../src/keri/event.ts";
import { parseVersion } from "../../../src/keri/version.ts";
import { vectors } from "../crypto/vectors.ts";

interface StreamCase {
  readonly id: string;
  readonly stream: string;
  readonly expectInOrder?: { readonly perMessage: readonly { readonly d?: string; readonly outcome: string }[] };
}

const { cases } = vectors<{ readonly cases: readonly StreamCase[] }>("keri/kel-streams.json");

/** Every body of a stream, found by its version string; sizes count bytes. */
function bodiesOf(stream: string): readonly { readonly bytes: Uint8Array; readonly version: string }[] {
  const all = utf8(stream);
  const latin = Buffer.from(all).toString("latin1");
  return [...latin.matchAll(/\{"v":"(KERI10JSON[0-9a-f]{6}_|KERICAACAAJSON[A-Za-z0-9_-]{4}\.)"/g)].map(
    ({ index, 1: version = "" }) => {
      const size = parseVersion(version)?.size ?? 0;
      return { bytes: all.slice(index, index + size), version };
    },
  );
}

/** What a body by itself is refused for, in the cases where it is. */
const REFUSED: Readonly<Record<string, string>> = {
  "keriox-toad-without-witnesses": "KERI_RULE",
  // Its first event has no field nt, and n is one digest: a form that came before version 1.
  "keriox-signed-events-stream-legacy": "KERI_MALFORMED",
};

describe("published streams", () => {
  test.each(cases)("$id: every body says what it should", ({ id, stream, expectInOrder }) => {
    const names = new Set<string>();
    for (const { bytes, version } of bodiesOf(stream)) {
      const stated = parseVersion(version);
      if (stated === undefined) return expect.unreachable(version);
      const parsed = parseBody(bytes, "JSON", stated.version);
      const fields = JSON.parse(fromUtf8(bytes) ?? "") as { t: string; i: string; s: string; d: string; p?: string };
      if (!parsed.ok) {
        expect(parsed.refusal.code, parsed.refusal.message).toBe(REFUSED[id]);
        continue;
      }
      expect(parsed.value).toMatchObject({ type: fields.t, said: fields.d, bytes, bodyKind: "JSON" });
      if (parsed.value.type !== "rpy") {
        expect(parsed.value).toMatchObject({ aid: fields.i, sn: Number.parseInt(fields.s, 16) });
      }
      if ("prior" in parsed.value) expect(parsed.value.prior).toBe(fields.p);
      names.add(fields.d);
    }
    for (const { d, outcome } of expectInOrder?.perMessage ?? []) {
      if (d !== undefined && (outcome === "accept" || outcome === "receipt")) expect(names).toContain(d);
    }
  });

  test("hold bodies of both versions", () => {
    const bodies = cases.flatMap(({ stream }) => bodiesOf(stream));
    expect(bodies.filter(({ version }) => version.startsWith("KERI10")).length).toBeGreaterThan(150);
    expect(bodies.filter(({ version }) => version.startsWith("KERIC")).length).toBeGreaterThan(25);
  });
});

test("one changed byte is refused in every message that names itself, and nothing throws", () => {
  const bodies = cases.flatMap(({ stream }) => bodiesOf(stream)).filter(({ bytes }) => bytes.length > 0);
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), (which, at, change) => {
      const body = bodies[which % bodies.length];
      const stated = parseVersion(body?.version);
      if (body === undefined || stated === undefined) return expect.unreachable("a body");
      const bytes = Uint8Array.from(body.bytes);
      bytes[at % bytes.length] = (bytes[at % bytes.length] as number) ^ change;
      const parsed = parseBody(bytes, "JSON", stated.version);
      // A receipt has no digest of its own: what is changed in it names another event.
      expect(parsed.ok ? parsed.value.type : "refused").toMatch(/^(refused|rct)$/);
    }),
    { numRuns: 3000 },
  );
});
