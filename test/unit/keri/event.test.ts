import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromUtf8, utf8 } from "../../../src/base/bytes.ts";
import { publicKeyOf, signer } from "../../../src/crypto/ed25519.ts";
import { isSignedBy } from "../../../src/crypto/key-set.ts";
import { encodeMatter } from "../../../src/keri/cesr/matter.ts";
import { inceptSingle } from "../../../src/keri/compose.ts";
import { keyStateOfInception } from "../../../src/keri/key-state.ts";
import { keyText } from "../../../src/keri/key-text.ts";
import { blake3Digest, nextKeyDigest } from "../../../src/keri/said.ts";
import { parseThreshold } from "../../../src/keri/threshold.ts";
import { versionString } from "../../../src/keri/version.ts";
import { publishedEvents } from "./streams.ts";

const seed = new Uint8Array(32).fill(1);
const nextSeed = new Uint8Array(32).fill(2);
const publicKey = publicKeyOf(seed);
const made = inceptSingle({ publicKey, nextPublicKey: publicKeyOf(nextSeed) });

const refusalOf = (bytes: Uint8Array | string): string => {
  const judged = keyStateOfInception(typeof bytes === "string" ? utf8(bytes) : bytes);
  return judged.ok ? "accepted" : judged.refusal.code;
};

/** The event with fields changed, size and SAID made right again: only the rule under test can refuse it. */
function remade(changes: Readonly<Record<string, unknown>>): string {
  const fields = { ...JSON.parse(fromUtf8(made.event) ?? ""), ...changes } as Record<string, unknown>;
  const placed = { ...fields, v: versionString(0), d: "#".repeat(44), i: changes["i"] ?? "#".repeat(44) };
  placed.v = versionString(utf8(JSON.stringify(placed)).length);
  const said = blake3Digest(utf8(JSON.stringify(placed)));
  return JSON.stringify({ ...placed, d: said, i: changes["i"] ?? said });
}

describe("published inception events", () => {
  /** What an inception event by itself meets here; what the streams' other messages meet is not judged. */
  const verdicts: Readonly<Record<string, string>> = {
    "keriox-toad-without-witnesses": "KERI_RULE",
    "keriox-signed-events-stream-legacy": "KERI_MALFORMED",
  };
  const events = publishedEvents("icp");

  test.each(events)("$id", ({ id, text }) => {
    expect(refusalOf(text)).toBe(verdicts[id] ?? "accepted");
    const judged = keyStateOfInception(utf8(text));
    if (!judged.ok) return;
    const fields = JSON.parse(text) as { i: string; d: string; k: string[]; n: string[]; kt: unknown };
    expect(judged.value.aid).toBe(fields.i);
    expect(judged.value.said).toBe(fields.d);
    expect(
      judged.value.keys.map(({ bytes }, i) => encodeMatter(fields.k[i]?.startsWith("B") ? "B" : "D", bytes)),
    ).toEqual(fields.k);
    expect(judged.value.keyTexts).toEqual(fields.k);
    expect(judged.value.nextDigests).toEqual(fields.n);
    expect(parseThreshold(fields.kt)).toEqual({ ok: true, value: judged.value.threshold });
  });

  test("there are as many as expected", () => {
    expect(events.length).toBeGreaterThanOrEqual(19);
  });

  test("a next-key digest is the one that the next rotation exposes", () => {
    const inception = publishedEvents("icp").find(({ id }) => id === "keriox-bench-100" || id === "keriox-bench-3");
    const digests = (JSON.parse(inception?.text ?? "") as { n: string[] }).n;
    const rotations = publishedEvents("rot").map(({ text }) => JSON.parse(text) as { k: string[] });
    expect(rotations.some(({ k }) => k.length === 1 && nextKeyDigest(k[0] ?? "") === digests[0])).toBe(true);
  });
});

describe("an inception made here", () => {
  test("is byte for byte of the form that keripy writes", () => {
    // 0x12b bytes, as every published event of one key and one next digest.
    const said = made.aid;
    const next = nextKeyDigest(keyText(publicKeyOf(nextSeed)));
    expect(fromUtf8(made.event)).toBe(
      `{"v":"KERI10JSON00012b_","t":"icp","d":"${said}","i":"${said}","s":"0","kt":"1","k":["${keyText(publicKey)}"],"nt":"1","n":["${next}"],"bt":"0","b":[],"c":[],"a":[]}`,
    );
  });

  test("is read back, and its key signs for it", () => {
    const judged = keyStateOfInception(made.event);
    expect(judged.ok).toBe(true);
    if (!judged.ok) return;
    expect(judged.value).toMatchObject({
      aid: made.aid,
      said: made.aid,
      sn: 0,
      threshold: 1,
      nextThreshold: 1,
      witnessThreshold: 0,
      traits: [],
    });
    const message = utf8("speaks for it");
    const sig = signer(seed)(message);
    expect(isSignedBy(judged.value, message, [{ index: 0, sig }])).toBe(true);
    expect(isSignedBy(judged.value, message, [])).toBe(false);
    expect(isSignedBy(judged.value, message, [{ index: 1, sig }])).toBe(false);
    expect(isSignedBy(judged.value, message, [{ index: 0, sig: signer(nextSeed)(message) }])).toBe(false);
  });

  test("states its traits", () => {
    const judged = keyStateOfInception(
      inceptSingle({ publicKey, nextPublicKey: publicKeyOf(nextSeed), traits: ["EO", "DND"] }).event,
    );
    expect(judged.ok && judged.value.traits).toEqual(["EO", "DND"]);
  });
});

test("two signatures by one key do not satisfy a threshold of two", () => {
  const judged = keyStateOfInception(
    utf8(remade({ kt: "2", k: [keyText(publicKey), keyText(publicKeyOf(nextSeed))] })),
  );
  expect(judged.ok).toBe(true);
  if (!judged.ok) return;
  const message = utf8("twice");
  const first = { index: 0, sig: signer(seed)(message) };
  const second = { index: 1, sig: signer(nextSeed)(message) };
  expect(isSignedBy(judged.value, message, [first, first])).toBe(false);
  expect(isSignedBy(judged.value, message, [first])).toBe(false);
  expect(isSignedBy(judged.value, message, [second, first])).toBe(true);
  // Nor is a repeated signature passed over where one would do.
  expect(isSignedBy({ ...judged.value, threshold: 1 }, message, [first, first])).toBe(false);
});

describe("refused are", () => {
  const text = fromUtf8(made.event) ?? "";
  const key = keyText(publicKey);
  const witness = encodeMatter("B", publicKeyOf(nextSeed));

  test.each([
    ["white space", text.replace('"t":', '"t": '), "KERI_MALFORMED"],
    ["a repeated key", text.replace('"t":"icp"', '"t":"rot","t":"icp"'), "KERI_MALFORMED"],
    ["another spelling of a letter", text.replace('"icp"', '"ic\\u0070"'), "KERI_MALFORMED"],
    ["bytes after the event", `${text} `, "KERI_MALFORMED"],
    ["a byte order mark", `\ufeff${text}`, "KERI_MALFORMED"],
    ["an array", "[]", "KERI_MALFORMED"],
    ["a size that is not the event's", text.replace("00012b", "00012c"), "KERI_MALFORMED"],
    ["a size in capitals", text.replace("00012b", "00012B"), "KERI_UNSUPPORTED"],
    [
      "another author's next key under the same name",
      text.replace(/("n":\["E.{9})(.)/, (_, head: string, old: string) => head + (old === "Z" ? "Y" : "Z")),
      "KERI_SAID_MISMATCH",
    ],
    ["a bracket tower", "[".repeat(60_000), "KERI_MALFORMED"],
    ["more than 64 KiB", `{"v":"${"x".repeat(66_000)}"}`, "TOO_LARGE"],
    ["fields in another order", remade({ a: [] }).replace('"c":[],"a":[]', '"a":[],"c":[]'), "KERI_MALFORMED"],
    ["a sequence number that is not 0", remade({ s: "1" }), "KERI_MALFORMED"],
    ["a rotation's type over an inception's fields", remade({ t: "rot" }), "KERI_MALFORMED"],
    ["a query", remade({ t: "qry" }), "KERI_UNSUPPORTED"],
    ["no key", remade({ k: [] }), "KERI_MALFORMED"],
    ["a threshold of 0", remade({ kt: "0" }), "KERI_RULE"],
    ["a threshold above the keys", remade({ kt: "2" }), "KERI_RULE"],
    ["a threshold with a leading zero", remade({ kt: "01" }), "KERI_MALFORMED"],
    ["a threshold of 1.5", remade({ kt: 1.5 }), "KERI_MALFORMED"],
    ["a next threshold without next keys", remade({ n: [] }), "KERI_RULE"],
    ["a next threshold of 0 over next keys", remade({ nt: "0" }), "KERI_RULE"],
    ["a key of small order", remade({ k: [encodeMatter("D", new Uint8Array(32))] }), "KERI_RULE"],
    ["a key off its curve", remade({ k: [encodeMatter("1AAB", new Uint8Array(33).fill(5))] }), "KERI_RULE"],
    ["a seed where a key belongs", remade({ k: [encodeMatter("A", seed)] }), "KERI_UNSUPPORTED"],
    ["a key of Ed448", remade({ k: [encodeMatter("1AAD", new Uint8Array(57).fill(1))] }), "KERI_UNSUPPORTED"],
    ["a digest where a key belongs", remade({ k: [made.aid] }), "KERI_UNSUPPORTED"],
    ["non-zero pad bits in a key", remade({ k: [`Dg${key.slice(2)}`] }), "KERI_MALFORMED"],
    ["a transferable witness", remade({ b: [key], bt: "1" }), "KERI_RULE"],
    ["a witness twice", remade({ b: [witness, witness], bt: "1" }), "KERI_RULE"],
    ["more receipts than witnesses", remade({ b: [witness], bt: "2" }), "KERI_RULE"],
    ["an unknown trait", remade({ c: ["XX"] }), "KERI_MALFORMED"],
    ["an anchor that is no object", remade({ a: ["x"] }), "KERI_MALFORMED"],
    ["someone else's name", remade({ i: "EJe_sKQb1otKrz6COIL8VFvBv3DEFvtKaVFGn1vm0IlL" }), "KERI_RULE"],
    ["a non-transferable name with a next key", remade({ i: witness, k: [witness] }), "KERI_RULE"],
  ])("%s", (_what, event, code) => {
    expect(refusalOf(event)).toBe(code);
  });

  test("white space and repeated keys, even when size and SAID are made to fit what a JSON parser would see", () => {
    const disguised = (spelling: (text: string) => string): string => {
      const fields = { ...JSON.parse(text), d: "#".repeat(44), i: "#".repeat(44) } as Record<string, unknown>;
      fields["v"] = versionString(utf8(spelling(JSON.stringify(fields))).length);
      const said = blake3Digest(utf8(JSON.stringify(fields)));
      return spelling(JSON.stringify({ ...fields, d: said, i: said }));
    };
    expect(refusalOf(disguised((plain) => plain))).toBe("accepted");
    expect(refusalOf(disguised((plain) => plain.replace('"t":', '"t": ')))).toBe("KERI_MALFORMED");
    expect(refusalOf(disguised((plain) => plain.replace('"t":"icp"', '"t":"rot","t":"icp"')))).toBe("KERI_MALFORMED");
    expect(refusalOf(disguised((plain) => plain.replace('"icp"', '"ic\\u0070"')))).toBe("KERI_MALFORMED");
  });

  test("nothing that differs in one byte is accepted", () => {
    fc.assert(
      fc.property(fc.nat({ max: made.event.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const bytes = Uint8Array.from(made.event);
        bytes[at] = (bytes[at] as number) ^ change;
        expect(refusalOf(bytes)).not.toBe("accepted");
      }),
      { numRuns: 1000 },
    );
  });

  test("and these, remade by the same means with nothing wrong, are accepted", () => {
    expect(refusalOf(remade({}))).toBe("accepted");
    expect(refusalOf(remade({ b: [witness], bt: "1" }))).toBe("accepted");
    expect(refusalOf(remade({ n: [], nt: "0" }))).toBe("accepted");
    expect(refusalOf(remade({ i: key }))).toBe("accepted");
    expect(refusalOf(remade({ i: witness, k: [witness], n: [], nt: "0" }))).toBe("accepted");
    expect(refusalOf(remade({ a: [{ d: made.aid }] }))).toBe("accepted");
  });
});
