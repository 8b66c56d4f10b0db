/** `sky kel append`: where a stream is cut, and where it stops. */
import { expect, test } from "vitest";
import { concatBytes, utf8 } from "../../../src/base/bytes.ts";
import { SkyError } from "../../../src/client/errors.ts";
import { PAYLOAD_BYTES_MAX } from "../../../src/events/facts/command.ts";
import { STREAM_MESSAGES_MAX } from "../../../src/events/facts/kerl.ts";
import { appendPieces, exitOfReport, piecesOf } from "../../../src/host/cli/kel-append.ts";
import { EXIT } from "../../../src/host/cli/io.ts";
import { type Controller, inceptController, prepareInteraction, promoted } from "../../../src/keri/controller.ts";

const made = inceptController({ current: [new Uint8Array(32).fill(1)], next: [new Uint8Array(32).fill(2)] });
if (!made.ok) throw new Error(made.refusal.message);

/** An inception, and interactions of so many seals each. */
function streamOf(count: number, seals: number): Uint8Array {
  let holder: Controller = made.ok ? made.value : expect.unreachable();
  for (let i = 0; i < count; i++) {
    const next = prepareInteraction(
      holder,
      Array.from({ length: seals }, () => ({ d: holder.aid })),
    );
    holder = promoted(next.ok ? next.value : expect.unreachable(next.refusal.message));
  }
  return holder.kel;
}
const pieces = (stream: Uint8Array) => {
  const cut = piecesOf(stream);
  return cut.ok ? cut.value : expect.unreachable(cut.refusal.message);
};

test.each([
  ["few", 3, 0, [4]],
  ["as many as are one command", 63, 0, [64]],
  ["one more", 64, 0, [64, 1]],
  ["many", 200, 0, [64, 64, 64, 9]],
  ["large ones", 12, 800, [7, 6]],
])("a stream is cut between messages, into as few commands as take it: %s", (_what, count, seals, sizes) => {
  const stream = streamOf(count, seals);
  const cut = pieces(stream);
  expect(cut.map(({ messages }) => messages)).toEqual(sizes);
  expect(concatBytes(...cut.map((piece) => piece.stream))).toEqual(stream);
  let first = 1;
  for (const piece of cut) {
    expect(piece.first).toBe(first);
    expect(piece.stream.length).toBeLessThanOrEqual(PAYLOAD_BYTES_MAX);
    expect(piece.messages).toBeLessThanOrEqual(STREAM_MESSAGES_MAX);
    first += piece.messages;
  }
});

test("what is no stream, and nothing, is refused before anything is sent", () => {
  expect(piecesOf(utf8("nonsense"))).toMatchObject({ ok: false, refusal: { code: "KERI_MALFORMED" } });
  expect(piecesOf(new Uint8Array())).toMatchObject({ ok: false, refusal: { code: "EMPTY_MESSAGE" } });
});

test("the first piece that is not taken ends it, and says which messages it held; what others became of is told", async () => {
  const height = 7 as never;
  const taken = { aid: "a", sn: 0n, said: "s", type: "icp", verdict: "accepted", changed: true };
  const receipt = { height, index: 0, blockHash: "" as never };
  const answers = [
    async () => ({ receipt, height, messages: [taken] }),
    async () => {
      throw new SkyError("KERI_RULE", "No.", { retryable: false });
    },
  ];
  let sent = 0;
  const client = { append: () => (answers[sent++] ?? (() => expect.unreachable("nothing is sent after it")))() };
  const report = await appendPieces(client, pieces(streamOf(200, 0)));
  expect(report.messages).toEqual([{ ...taken, sn: 0 }]);
  expect(report.failed).toMatchObject({ code: "KERI_RULE", message: "Messages 65 to 128: No." });
  expect(exitOfReport(report)).toBe(EXIT.refused);
  const failed = new SkyError("UNAVAILABLE", "Nobody answers.");
  expect(exitOfReport({ messages: [], failed })).toBe(EXIT.unavailable);
  const forked = { ...taken, sn: 0, verdict: "forked" };
  expect(exitOfReport({ messages: [forked], failed: null })).toBe(EXIT.refused);
  expect(exitOfReport({ messages: [{ ...forked, verdict: "escrowed:out-of-order" }], failed: null })).toBe(EXIT.ok);
});
