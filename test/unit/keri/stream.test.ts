import { expect, test } from "vitest";
import { concatBytes, fromUtf8, toHex, utf8 } from "../../../src/base/bytes.ts";
import { encodeAttachments } from "../../../src/keri/cesr/encode-attachments.ts";
import { StreamParser, parseStream } from "../../../src/keri/stream.ts";
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
