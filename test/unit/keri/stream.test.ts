/**
 * Streams of messages. Source: ToIP CESR specification, "Cold start stream parsing", "Text domain", "Binary domain", "Genus and
 * version code", "Universal code table", "Version String field".
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { concatBytes, fromUtf8, toHex, utf8 } from "../../../src/base/bytes.ts";
import { encodeCounter } from "../../../src/keri/cesr/counter.ts";
import { encodeAttachments } from "../../../src/keri/cesr/encode-attachments.ts";
import { indexedEd25519 } from "../../../src/keri/cesr/indexer.ts";
import { encodeMatter } from "../../../src/keri/cesr/matter.ts";
import { STREAM_BOUNDS, StreamParser, parseStream } from "../../../src/keri/stream.ts";
import { bodyOf, toBinary } from "./cesr/attachments.ts";
import { publishedStreams } from "./streams.ts";

const streams = publishedStreams();

test("every published stream parses into its messages, whose bytes one after the other are the stream", () => {
  for (const { id, stream, expectInOrder } of streams) {
    const parsed = parseStream(utf8(stream));
    const parseError = expectInOrder?.perMessage[0]?.outcome === "parse-error";
    expect(parsed.refusal?.code ?? null, id).toBe(parseError ? "KERI_MALFORMED" : null);
    if (parseError) continue;
    expect(parsed.messages, id).toHaveLength(expectInOrder?.perMessage.length ?? -1);
    const again = concatBytes(...parsed.messages.flatMap(({ body, attached }) => [body, attached]));
    expect(fromUtf8(again), id).toBe(stream);
    expect(toHex(concatBytes(...parsed.messages.map(({ source }) => source)))).toBe(toHex(again));
  }
  expect(streams).toHaveLength(28);
});

test("what is attached encodes to groups that read the same, in both versions", () => {
  for (const { stream } of streams) {
    for (const { body, attachments, version } of parseStream(utf8(stream)).messages) {
      const again = parseStream(concatBytes(body, encodeAttachments(attachments, version.major)));
      expect(again).toMatchObject({ refusal: null, messages: [{ attachments }] });
    }
  }
});

test("the same groups in the binary domain, and behind a genus version in the other tables, read the same", () => {
  for (const { stream } of streams) {
    for (const { body, attached, attachments, version } of parseStream(utf8(stream)).messages) {
      const groups = Buffer.from(attached).toString("latin1").trimEnd();
      const binary = parseStream(concatBytes(body, toBinary(utf8(groups))));
      expect(binary).toMatchObject({ refusal: null, messages: [{ attachments }] });
      const other = version.major === 1 ? 2 : 1;
      const switched = concatBytes(utf8(other === 1 ? "-_AAABAA" : "-_AAACAA"), encodeAttachments(attachments, other));
      if (groups === "") continue;
      expect(parseStream(concatBytes(body, switched))).toMatchObject({ refusal: null, messages: [{ attachments }] });
    }
  }
});

test("a stream cut into single bytes gives the same messages as in one piece", () => {
  for (const { stream } of streams.filter((one) => one.stream.length < 6_000)) {
    const bytes = utf8(stream);
    const parser = new StreamParser();
    const messages = [];
    for (let at = 0; at < bytes.length; at++) messages.push(...parser.push(bytes.subarray(at, at + 1)).messages);
    const last = parser.end();
    expect({ messages: [...messages, ...last.messages], refusal: last.refusal }).toEqual(parseStream(bytes));
  }
});

const JSON_1 = bodyOf(1);
const JSON_2 = bodyOf(2);
const signatures = encodeAttachments(
  {
    controllerSignatures: [{ index: 0, ondex: 0, algorithm: "ed25519", sig: new Uint8Array(64).fill(7) }],
    witnessSignatures: [],
    receiptCouples: [],
    transferableSignatures: [],
    sealSources: [],
    firstSeen: [],
  },
  2,
);

/** Text of a body inside a primitive, in its group. */
function wrapped(body: Uint8Array): string {
  const lead = (3 - (body.length % 3)) % 3;
  const text = encodeMatter((["4B", "5B", "6B"] as const)[lead] ?? "4B", body);
  return encodeCounter("nonNativeBody", text.length / 4, 2) + text;
}

const framed = (kind: "bodyWithAttachments" | "generic", text: string): string =>
  encodeCounter(kind, text.length / 4, 2) + text;

/** Parsed in pieces of these sizes, over and over. */
function inPieces(bytes: Uint8Array, sizes: readonly number[], bounds = STREAM_BOUNDS) {
  const parser = new StreamParser(bounds);
  const messages = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    messages.push(...parser.push(bytes.subarray(at, at + size)).messages);
    at += size;
  }
  const { messages: last, refusal } = parser.end();
  return { messages: [...messages, ...last], refusal };
}

test("bodies in CBOR and MessagePack are found by the version string in their first field", () => {
  for (const kind of ["CBOR", "MGPK"] as const)
    for (const major of [1, 2] as const) {
      const body = bodyOf(major, kind);
      const parsed = parseStream(concatBytes(body, body));
      expect(parsed).toMatchObject({ refusal: null, messages: [{ bodyKind: kind, version: { major } }, {}] });
      expect(parsed.messages[1]?.body).toEqual(body);
    }
});

test("messages inside groups are read, text and binary: a body, a body with what is attached, several in a group", () => {
  const groups = fromUtf8(signatures) ?? "";
  const one = wrapped(JSON_2);
  const both = framed("bodyWithAttachments", one + groups);
  for (const [text, count] of [
    [one, 1],
    [one + groups, 1],
    [both, 1],
    [framed("generic", one + groups + both + one), 3],
    [framed("generic", `-_AAACAA${framed("generic", both)}${both}`), 2],
    [`-_AAACAA${both}${one}${groups}${both}`, 3],
  ] as const) {
    for (const bytes of [utf8(text), toBinary(utf8(text))]) {
      const parsed = parseStream(bytes);
      expect(parsed.refusal, text.slice(0, 30)).toBeNull();
      expect(parsed.messages).toHaveLength(count);
      expect(concatBytes(...parsed.messages.map(({ source }) => source))).toEqual(bytes);
      for (const { body, attached, attachments } of parsed.messages) {
        expect(body).toEqual(JSON_2);
        expect(parseStream(concatBytes(body, attached)).messages[0]?.attachments).toEqual(attachments);
      }
    }
  }
});

test("groups that hold no message, two where one belongs, or a body that is none are refused", () => {
  const one = wrapped(JSON_2);
  const groups = fromUtf8(signatures) ?? "";
  for (const text of [
    framed("generic", ""),
    framed("bodyWithAttachments", groups),
    framed("bodyWithAttachments", one + one),
    framed("generic", framed("bodyWithAttachments", one) + groups),
    framed("bodyWithAttachments", one) + groups,
    `-HAB${encodeMatter("4A", utf8("abc"))}`,
    `-HAC${encodeMatter("4B", utf8("abc"))}AAAA`,
    one.slice(0, -4),
    Array.from({ length: 12 }).reduce<string>((text) => framed("generic", text), one),
  ])
    expect(parseStream(utf8(text)).refusal?.code, text.slice(0, 30)).toMatch(/^KERI_/);
  expect(parseStream(utf8("-FABAAAA")).refusal?.code).toBe("KERI_UNSUPPORTED");
});

test("genus versions stand before messages of their version; another is unsupported, never taken for it", () => {
  const switched = concatBytes(utf8("-_AAABAA"), JSON_1, utf8("-_AAACAA"), JSON_2, utf8("\n-_AAABAA"), JSON_1);
  expect(parseStream(switched)).toMatchObject({ refusal: null, messages: [{}, {}, {}] });
  expect(parseStream(concatBytes(utf8("-_AAABAA"), JSON_2)).refusal).toMatchObject({ code: "KERI_UNSUPPORTED", at: 8 });
  expect(parseStream(concatBytes(JSON_1, utf8("-_AAABAA"))).refusal?.code).toBe("KERI_MALFORMED");
  // Any number of them would be kept with the message that follows.
  expect(parseStream(concatBytes(utf8("-_AAABAA-_AAABAA"), JSON_1)).refusal).toMatchObject({ at: 8 });
});

test("a stream that ends within a message is refused, wherever it is cut; the messages before are given", () => {
  const bytes = concatBytes(JSON_2, signatures, JSON_2, signatures);
  const whole = new Set([
    0,
    JSON_2.length,
    JSON_2.length + signatures.length,
    bytes.length - signatures.length,
    bytes.length,
  ]);
  for (let end = 0; end <= bytes.length; end++) {
    const { messages, refusal } = parseStream(bytes.subarray(0, end));
    expect(refusal?.code, `${end}`).toBe(whole.has(end) ? undefined : "KERI_MALFORMED");
    expect(concatBytes(...messages.map(({ source }) => source)).length).toBeLessThanOrEqual(end);
  }
});

test("sizes beyond the bounds are refused before anything of that size has come", () => {
  const bounds = { bodyBytesMax: 1_000, attachedBytesMax: 500 };
  const sized = (size: number) => utf8(`{"v":"KERI10JSON${size.toString(16).padStart(6, "0")}_","t":"icp"`);
  expect(parseStream(sized(1_001), bounds).refusal?.code).toBe("TOO_LARGE");
  expect(parseStream(sized(0xffffff)).refusal?.code).toBe("TOO_LARGE");
  expect(parseStream(sized(1_000), bounds).refusal?.code).toBe("KERI_MALFORMED");
  for (const group of ["-A__", "-0V_____", "--V_____", "-F__", "-V__"])
    expect(parseStream(concatBytes(JSON_1, utf8(group)), bounds).refusal?.code, group).toBe("TOO_LARGE");
  for (const group of ["--A_____", "--B_____", "--H_____"])
    expect(parseStream(utf8(group)).refusal?.code, group).toBe("TOO_LARGE");
  // Many groups together are no more than one.
  const many = concatBytes(JSON_2, ...Array.from({ length: 6 }, () => signatures));
  expect(parseStream(many, bounds).refusal).toMatchObject({ code: "TOO_LARGE" });
});

test("a message is given with the first byte of what comes after it, a body in a group with its last", () => {
  const given = (bytes: Uint8Array) => {
    const parser = new StreamParser();
    const at: number[] = [];
    for (let i = 0; i < bytes.length; i++)
      for (const _message of parser.push(bytes.subarray(i, i + 1)).messages) at.push(i + 1);
    return at;
  };
  const one = concatBytes(JSON_2, signatures);
  expect(given(concatBytes(one, one, one))).toEqual([one.length + 1, one.length * 2 + 1]);
  const binary = concatBytes(JSON_2, toBinary(signatures));
  expect(given(concatBytes(binary, utf8("\n"), binary))).toEqual([binary.length + 2]);
  // A counter tells by four characters whether it is attached, or holds the next message.
  expect(given(concatBytes(one, utf8(wrapped(JSON_2)), one))).toEqual([
    one.length + 4,
    one.length + wrapped(JSON_2).length + 1,
  ]);
});

test("no endless stream is kept: what came and is not yet given is never more than one message may have", () => {
  const most = STREAM_BOUNDS.bodyBytesMax * 2 + STREAM_BOUNDS.attachedBytesMax;
  const groups = fromUtf8(signatures) ?? "";
  const endless: readonly (readonly [Uint8Array, string])[] = [
    [utf8(""), "-_AAABAA"],
    [utf8("-_AAACAA"), "-_AAACAA"],
    [JSON_2, groups],
    [JSON_2, "\n"],
    [JSON_2, "-PABAAAA"],
    [JSON_2, "--C_____"],
    [JSON_1, "-VAB"],
    [JSON_1, "-F__"],
    [utf8('{"v":"KERI10JSON00fff0_"'), " "],
    [utf8("--A"), "_"],
    [utf8(""), wrapped(JSON_2)],
    [utf8(""), framed("generic", wrapped(JSON_2) + groups)],
    [utf8(""), fromUtf8(JSON_2) ?? ""],
  ];
  for (const [start, unit] of endless) {
    const parser = new StreamParser();
    let kept = start.length;
    let { refusal } = parser.push(start);
    for (let pushed = 0; pushed < 1_000_000 && refusal === null; pushed += unit.length * 100) {
      const progress = parser.push(utf8(unit.repeat(100)));
      refusal = progress.refusal;
      kept += unit.length * 100 - progress.messages.reduce((sum, { source }) => sum + source.length, 0);
      expect(kept, unit.slice(0, 20)).toBeLessThan(most + unit.length * 100);
    }
  }
});

test("a large group that comes byte by byte is not read from its start for every byte", () => {
  const digest = encodeMatter("E", new Uint8Array(32));
  const element = `${digest}${encodeMatter("0A", new Uint8Array(16))}${digest}-AAC${indexedEd25519(0, new Uint8Array(64)).repeat(2)}`;
  /** Processor time, whatever else the machine does: the least of some rounds. Units: µs. */
  const costOf = (elements: number): number => {
    const group = encodeCounter("transferableGroups", elements, 1) + element.repeat(elements);
    const bytes = concatBytes(JSON_1, utf8(group));
    let least = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 4; round++) {
      const before = process.cpuUsage();
      for (let time = 0; time < 5; time++) {
        const { messages, refusal } = inPieces(bytes, [1]);
        expect([refusal, messages[0]?.attachments.transferableSignatures.length]).toEqual([null, elements]);
      }
      const { user, system } = process.cpuUsage(before);
      least = Math.min(least, user + system);
    }
    return least;
  };
  costOf(100); // what is compiled on first use is compiled
  // Eight times as long a group: read once it costs eight times as much, read anew with every element 64 times, with every byte more.
  expect(costOf(200) / costOf(25)).toBeLessThan(24);
});

test("a refusal stays, and says where in the stream it was", () => {
  const parser = new StreamParser();
  parser.push(concatBytes(JSON_2, signatures));
  const refused = parser.push(utf8("?"));
  expect(refused.refusal).toMatchObject({ code: "KERI_MALFORMED", at: JSON_2.length + signatures.length });
  expect(parser.push(JSON_2)).toEqual({ messages: [], refusal: refused.refusal });
  expect(parser.end()).toEqual({ messages: [], refusal: refused.refusal });
});

test("whatever a stream holds and however it is cut, the outcome is the same; what is accepted is kept byte for byte", () => {
  const seeds = streams.filter(({ stream }) => stream.length < 3_000).map(({ stream }) => utf8(stream));
  const groups = fromUtf8(signatures) ?? "";
  const enclosed = utf8(
    framed("generic", wrapped(JSON_2) + groups + framed("bodyWithAttachments", wrapped(JSON_2) + groups)),
  );
  const seed = fc.constantFrom(
    ...seeds,
    enclosed,
    toBinary(enclosed),
    concatBytes(JSON_2, toBinary(signatures), JSON_2),
  );
  const edit = fc.record({
    at: fc.nat(),
    kind: fc.constantFrom("set", "cut", "insert", "swap"),
    byte: fc.oneof(fc.nat(255), fc.constantFrom(..."-AVH_{\n0".split("").map((one) => one.charCodeAt(0)))),
  });
  fc.assert(
    fc.property(
      seed,
      fc.array(edit, { maxLength: 3 }),
      fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }),
      fc.option(fc.record({ bodyBytesMax: fc.integer({ min: 100, max: 800 }), attachedBytesMax: fc.nat(900) })),
      (base, edits, sizes, bounds) => {
        let bytes: Uint8Array = base;
        for (const { at, kind, byte } of edits) {
          const place = at % (bytes.length + 1);
          const [before, after] = [bytes.subarray(0, place), bytes.subarray(place)];
          if (kind === "set") bytes = concatBytes(before, Uint8Array.of(byte), after.subarray(1));
          if (kind === "cut") bytes = before;
          if (kind === "insert") bytes = concatBytes(before, Uint8Array.of(byte), after);
          if (kind === "swap") bytes = concatBytes(after, before);
        }
        const parsed = parseStream(bytes, bounds ?? STREAM_BOUNDS);
        expect(inPieces(bytes, sizes, bounds ?? STREAM_BOUNDS)).toEqual(parsed);
        const kept = concatBytes(...parsed.messages.map(({ source }) => source));
        expect(kept).toEqual(bytes.subarray(0, kept.length));
        if (parsed.refusal === null) expect(kept).toHaveLength(bytes.length);
      },
    ),
    { numRuns: 1_500 },
  );
});
