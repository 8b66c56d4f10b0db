import { type ClientReadableStream, type ServiceError, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CommandId, LogTime, Said } from "../../../src/base/brands.ts";
import { encode } from "../../../src/base/codec.ts";
import { refuse } from "../../../src/base/result.ts";
import { publicKeyOf } from "../../../src/crypto/ed25519.ts";
import { ed25519Signer, signBatch } from "../../../src/client/signing.ts";
import {
  type GraphChange,
  type GraphNode,
  type Precondition,
  graphWriteShape,
} from "../../../src/events/facts/graph.ts";
import {
  CheckStreamRequest,
  type CheckStreamResponse,
  type ExpandResponse,
  OracleServiceService as calls,
  type WriteStreamResponse,
} from "../../../src/wire/generated/sky/oracle/v1/oracle.ts";
import { assertionMessage, nodeMessage } from "../../../src/wire/sky-graph.ts";
import { ALICE, type Answer, type Served, call, serve } from "./support/served.ts";
import { CLUSTER } from "./support/node-in-memory.ts";

const SEED = new Uint8Array(32).fill(7);
const signer = ed25519Signer(ALICE, { sn: 0, said: "ESaid" as Said }, SEED);

let served: Served;
beforeEach(async () => {
  served = await serve();
  served.node.keys.set(ALICE, publicKeyOf(SEED));
});
afterEach(() => {
  expect(served.defects).toEqual([]);
  served.close();
});

type Calls = typeof calls;
type Unary = "write" | "check" | "checkBatch" | "checkAt" | "explain" | "read";
const ask = <Name extends Unary>(
  name: Name,
  request: Parameters<Calls[Name]["requestSerialize"]>[0],
  options: Parameters<typeof call>[3] = {},
): Promise<Answer<ReturnType<Calls[Name]["responseDeserialize"]>>> =>
  call(served.sky, calls[name] as never, request, options) as Promise<
    Answer<ReturnType<Calls[Name]["responseDeserialize"]>>
  >;

const node = (name: string, relation = "member"): GraphNode => ({
  namespace: "org",
  name,
  relation: { namespace: "org", name: relation },
});
const view = node("document", "view");
const granted = (subject: GraphNode): GraphChange => ({ kind: "addAssertion", assertion: { subject, object: view } });
let ids = 0;
const batch = (
  ...writes: readonly { readonly changes: readonly GraphChange[]; readonly preconditions?: readonly Precondition[] }[]
): Promise<Buffer> =>
  signBatch(
    CLUSTER,
    signer,
    writes.map(({ changes, preconditions = [] }) => ({
      id: (ids += 1).toString(16).padStart(32, "0") as CommandId,
      kind: "graph.write",
      payload: encode(graphWriteShape, { changes, preconditions }),
      notAfter: (Date.now() + 60_000) as LogTime,
    })),
  ).then((bytes) => Buffer.from(bytes));
const write = async (...changes: readonly GraphChange[]) => ask("write", { signed: await batch({ changes }) });
const assertion = (subject: GraphNode) => assertionMessage({ subject, object: view });

describe("writes", () => {
  it("settle every command of a signed batch, each with its receipt", async () => {
    const signed = await batch(
      { changes: [granted(node("a")), granted(node("a"))] },
      {
        changes: [granted(node("b"))],
        preconditions: [{ kind: "mustNotExist", assertion: { subject: node("a"), object: view } }],
      },
    );
    const { reply } = await ask("write", { signed });
    expect(reply?.results.map(({ outcome }) => outcome)).toMatchObject([
      { $case: "executed", executed: { changed: [true, false] } },
      { $case: "refused", refused: { code: "PRECONDITION_FAILED", retryable: false } },
    ]);
    expect(reply?.results.map(({ receipt }) => receipt?.blockHash.length)).toEqual([32, 32]);
    expect(reply?.height).toBe(2n);
    expect((await ask("write", { signed })).reply).toEqual(reply);
  });

  it("are refused with a code when empty, too large, forged or garbage", async () => {
    const signed = await batch({ changes: [granted(node("a"))] });
    const forged = Buffer.from(signed);
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    const codes = [];
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(1_100_000), forged, Buffer.from("garbage")]) {
      const answer = await ask("write", { signed: bytes });
      codes.push([answer.code, answer.trailers["sky-code"]]);
    }
    expect(codes).toEqual([
      [status.INVALID_ARGUMENT, "EMPTY_MESSAGE"],
      [status.INVALID_ARGUMENT, "TOO_LARGE"],
      [status.UNAUTHENTICATED, "BAD_SIGNATURE"],
      [status.INVALID_ARGUMENT, "MALFORMED"],
    ]);
    expect(served.node.height()).toBe(0);
  });

  it("say when the outcome is unknown, and the same bytes get it later", async () => {
    served.node.loseAnswers = 1;
    const signed = await batch({ changes: [granted(node("a"))] });
    expect(await ask("write", { signed })).toMatchObject({
      code: status.UNAVAILABLE,
      trailers: { "sky-code": "OUTCOME_UNKNOWN" },
    });
    const again = await ask("write", { signed });
    expect(again.reply?.results[0]).toMatchObject({ receipt: { height: 1n }, outcome: { $case: "executed" } });
    expect(served.node.height()).toBe(1);
  });
});

describe("reads", () => {
  it("check, one and many, at the height they name", async () => {
    await write(granted(node("a")));
    expect((await ask("check", { assertion: assertion(node("a")), consistency: undefined })).reply).toEqual({
      result: true,
      height: 1n,
    });
    const assertions = [assertion(node("a")), assertion(node("b"))];
    expect((await ask("checkBatch", { assertions, consistency: undefined })).reply).toEqual({
      results: [true, false],
      height: 1n,
    });
    const many = await ask("checkBatch", {
      assertions: Array.from({ length: 1_001 }, () => assertion(node("a"))),
      consistency: undefined,
    });
    expect(many).toMatchObject({ code: status.INVALID_ARGUMENT, trailers: { "sky-code": "TOO_MANY" } });
    expect((await ask("check", { assertion: undefined, consistency: undefined })).trailers["sky-code"]).toBe(
      "EMPTY_MESSAGE",
    );
  });

  it("wait for a receipt, or refuse with BEHIND", async () => {
    const consistency = {
      requirement: { $case: "atLeast", atLeast: { height: 1n, index: 0, blockHash: Buffer.alloc(32) } },
    } as const;
    const waiting = ask("check", { assertion: assertion(node("a")), consistency });
    await write(granted(node("a")));
    expect((await waiting).reply).toEqual({ result: true, height: 1n });
    const ahead = {
      requirement: { $case: "atLeast", atLeast: { height: 9n, index: 0, blockHash: Buffer.alloc(32) } },
    } as const;
    served.node.isHurried = true;
    const late = await ask("checkBatch", { assertions: [assertion(node("a"))], consistency: ahead });
    expect(late).toMatchObject({
      code: status.UNAVAILABLE,
      trailers: { "sky-code": "BEHIND", "sky-reason": "behind", "sky-height": "1" },
    });
  });

  it("check at past heights, and refuse those to come", async () => {
    await write(granted(node("a")));
    await write({ kind: "deleteAssertion", assertion: { subject: node("a"), object: view } });
    const at = async (height: bigint) =>
      (await ask("checkAt", { height, assertions: [assertion(node("a"))] })).reply?.results;
    expect([await at(0n), await at(1n), await at(2n)]).toEqual([[false], [true], [false]]);
    expect(await ask("checkAt", { height: 3n, assertions: [assertion(node("a"))] })).toMatchObject({
      code: status.OUT_OF_RANGE,
      trailers: { "sky-code": "HEIGHT_UNKNOWN" },
    });
  });

  it("explain a check by its chain, or by what was tried, now and at a past height", async () => {
    await write(
      { kind: "mapSubject", edge: { parent: node("a"), child: node("team") } },
      { kind: "mapObject", edge: { parent: view, child: node("folder", "view") } },
    );
    const change = { subject: node("team"), object: node("folder", "view") };
    await write({ kind: "addAssertion", assertion: change });
    const question = { subject: node("a"), object: view };
    const now = await ask("explain", { assertion: assertionMessage(question), at: undefined });
    expect(now.reply).toMatchObject({
      result: true,
      height: 2n,
      chain: {
        subjectMaps: [{ parent: { name: "a" }, child: { name: "team" } }],
        assertion: { subject: { name: "team" }, object: { name: "folder" } },
        objectMaps: [{ parent: { name: "document" }, child: { name: "folder" } }],
      },
      tried: undefined,
      truncated: false,
    });
    const then = await ask("explain", { assertion: assertionMessage(question), at: { $case: "height", height: 1n } });
    expect(then.reply).toMatchObject({
      result: false,
      height: 1n,
      subject: { node: true, namespace: true, relation: true },
      chain: undefined,
      tried: {
        subjects: [
          { node: { name: "a" }, distance: 0, via: undefined },
          { node: { name: "team" }, distance: 1, via: { name: "a" } },
        ],
        objects: [{ node: { name: "document" } }, { node: { name: "folder" }, distance: 1 }],
        onObjects: [],
        bySubjects: [],
      },
    });
    const unknown = await ask("explain", {
      assertion: assertionMessage(question),
      at: { $case: "height", height: 3n },
    });
    expect(unknown).toMatchObject({ code: status.OUT_OF_RANGE, trailers: { "sky-code": "HEIGHT_UNKNOWN" } });
  });

  it("explain nothing to strangers, of nothing, or of a height that does not come", async () => {
    const question = assertion(node("a"));
    expect((await ask("explain", { assertion: undefined, at: undefined })).trailers["sky-code"]).toBe("EMPTY_MESSAGE");
    const receipt = { height: 9n, index: 0, blockHash: Buffer.alloc(0) };
    const consistency = { requirement: { $case: "atLeast", atLeast: receipt } } as const;
    served.node.isHurried = true;
    const early = await ask("explain", { assertion: question, at: { $case: "consistency", consistency } });
    expect(early.trailers["sky-code"]).toBe("BEHIND");
    served.node.readers.clear();
    expect((await ask("explain", { assertion: question, at: undefined })).code).toBe(status.PERMISSION_DENIED);
    const past = { assertion: question, at: { $case: "height", height: 0n } } as const;
    expect((await ask("explain", past)).code).toBe(status.PERMISSION_DENIED);
    served.known = false;
    expect((await ask("explain", { assertion: question, at: undefined })).code).toBe(status.UNAUTHENTICATED);
  });

  it("keep the verdict when an explanation is too large to send", async () => {
    // 600 maps, every name of them near its 1,024 bytes: almost 5 MB of chain.
    const long = (name: string): string => name.padEnd(1000, "x");
    const far = (i: number): GraphNode => ({
      namespace: long("n"),
      name: long(String(i)),
      relation: { namespace: long("n"), name: long("r") },
    });
    for (let from = 0; from < 600; from += 30)
      await write(
        ...Array.from({ length: 30 }, (_, i): GraphChange => {
          return { kind: "mapSubject", edge: { parent: far(from + i), child: far(from + i + 1) } };
        }),
      );
    await write({ kind: "addAssertion", assertion: { subject: far(600), object: view } });
    const refused = await ask("explain", {
      assertion: assertionMessage({ subject: far(0), object: view }),
      at: undefined,
    });
    expect(refused).toMatchObject({ code: status.RESOURCE_EXHAUSTED, trailers: { "sky-code": "RESULT_TOO_LARGE" } });
    expect(refused.details).toContain("The answer is yes");
  });

  it("list direct assertions with and without a predicate", async () => {
    await write(granted(node("a")), granted(node("b", "flag")));
    const of = { $case: "objects", objects: { nodes: [nodeMessage(view)] } } as const;
    const names = async (predicate: { readonly namespace: string; readonly name: string } | undefined) =>
      (await ask("read", { of, predicate, consistency: undefined })).reply?.nodes.map(({ name }) => name);
    expect(await names(undefined)).toEqual(["a", "b"]);
    expect(await names({ namespace: "org", name: "flag" })).toEqual(["b"]);
    expect(await names({ namespace: "", name: "" })).toEqual([]);
    const objects = await ask("read", {
      of: { $case: "subjects", subjects: { nodes: [nodeMessage(node("a"))] } },
      predicate: undefined,
      consistency: undefined,
    });
    expect(objects.reply).toMatchObject({ nodes: [{ name: "document" }], height: 1n });
  });

  it("are refused to strangers and to readers without the grant", async () => {
    served.node.readers.clear();
    expect((await ask("check", { assertion: assertion(node("a")), consistency: undefined })).code).toBe(
      status.PERMISSION_DENIED,
    );
    served.known = false;
    expect((await ask("checkBatch", { assertions: [], consistency: undefined })).code).toBe(status.UNAUTHENTICATED);
  });
});

const pagesOf = (
  stream: ClientReadableStream<ExpandResponse>,
): Promise<{ readonly pages: readonly ExpandResponse[]; readonly error: ServiceError | undefined }> =>
  new Promise((resolve) => {
    const pages: ExpandResponse[] = [];
    let error: ServiceError | undefined;
    stream.on("data", (page: ExpandResponse) => pages.push(page));
    stream.on("error", (failure: ServiceError) => {
      error = failure;
    });
    stream.on("close", () => resolve({ pages, error }));
  });

describe("expand", () => {
  const request = {
    of: { $case: "object", object: nodeMessage(view) },
    predicate: undefined,
    consistency: undefined,
    cursor: Buffer.alloc(0),
    pageSize: 10,
  } as const;

  it("streams sorted pages, and continues after a cursor", async () => {
    await write(...Array.from({ length: 25 }, (_, i) => granted(node(`s${String(i).padStart(2, "0")}`))));
    const { pages } = await pagesOf(served.sky.expand(request));
    expect(pages.map(({ nodes }) => nodes.length)).toEqual([10, 10, 5]);
    expect(pages.at(-1)?.cursor.length).toBe(0);
    const rest = await pagesOf(served.sky.expand({ ...request, cursor: pages[0]?.cursor ?? Buffer.alloc(0) }));
    expect(rest.pages.flatMap(({ nodes }) => nodes)).toEqual(pages.slice(1).flatMap(({ nodes }) => nodes));
  });

  it("refuses a cursor that no node gave, and pages beyond the bound", async () => {
    for (const [code, bad] of [
      ["BAD_CURSOR", { cursor: Buffer.from("nonsense") }],
      ["TOO_MANY", { pageSize: 10_001 }],
    ] as const) {
      const { error } = await pagesOf(served.sky.expand({ ...request, ...bad }));
      expect(error?.code).toBe(status.INVALID_ARGUMENT);
      expect(error?.metadata.get("sky-code")).toEqual([code]);
    }
  });

  it("stops when the reader goes away", async () => {
    await write(...Array.from({ length: 900 }, (_, i) => granted(node(`${i}`.padEnd(1_000, "x")))));
    const stream = served.sky.expand({ ...request, pageSize: 1 });
    await new Promise<void>((resolve) => stream.once("data", () => resolve()));
    stream.cancel();
    const { error } = await pagesOf(stream);
    expect(error?.code).toBe(status.CANCELLED);
    expect((await ask("check", { assertion: assertion(node("x")), consistency: undefined })).code).toBe(status.OK);
  });
});

describe("streams", () => {
  it("answer many checks in flight, each by its correlation", async () => {
    await write(granted(node("a")));
    const stream = served.sky.checkStream();
    const replies: CheckStreamResponse[] = [];
    const ended = new Promise<void>((resolve) => stream.on("end", resolve));
    stream.on("data", (reply: CheckStreamResponse) => replies.push(reply));
    for (let i = 0; i < 5_000; i++)
      stream.write({
        correlation: BigInt(i),
        assertions: [assertion(node(i % 2 === 0 ? "a" : "b"))],
        consistency: undefined,
      });
    stream.write({ correlation: 9_999n, assertions: [], consistency: undefined });
    stream.end();
    await ended;
    expect(replies).toHaveLength(5_001);
    expect(new Set(replies.map(({ correlation }) => correlation)).size).toBe(5_001);
    for (const { correlation, outcome } of replies) {
      if (correlation === 9_999n)
        expect(outcome).toMatchObject({ $case: "refused", refused: { code: "EMPTY_MESSAGE" } });
      else expect(outcome).toMatchObject({ $case: "checked", checked: { results: [correlation % 2n === 0n] } });
    }
  });

  it("read no more writes than may be in flight, and lose none of them", async () => {
    const release = served.node.hold();
    const stream = served.sky.writeStream();
    const replies: WriteStreamResponse[] = [];
    const ended = new Promise<void>((resolve) => stream.on("end", resolve));
    stream.on("data", (reply: WriteStreamResponse) => replies.push(reply));
    for (let i = 0; i < 200; i++)
      stream.write({ correlation: BigInt(i), signed: await batch({ changes: [granted(node(`s${i}`))] }) });
    stream.end();
    await expect.poll(() => served.node.submissions).toBe(64);
    expect((await ask("check", { assertion: assertion(node("a")), consistency: undefined })).code).toBe(status.OK);
    expect(served.node.submissions).toBe(64);
    release();
    await ended;
    expect(replies.map(({ outcome }) => outcome?.$case)).toEqual(Array.from({ length: 200 }, () => "written"));
    expect(served.node.height()).toBe(200);
  });

  it("name the refusal of one batch and go on", async () => {
    served.node.refuseNext.push(refuse("OVERLOADED", "Full; try again later.", "none"));
    const stream = served.sky.writeStream();
    const replies: WriteStreamResponse[] = [];
    const ended = new Promise<void>((resolve) => stream.on("end", resolve));
    stream.on("data", (reply: WriteStreamResponse) => replies.push(reply));
    for (const correlation of [1n, 2n])
      stream.write({ correlation, signed: await batch({ changes: [granted(node("a"))] }) });
    stream.end();
    await ended;
    expect(replies).toMatchObject([
      {
        correlation: 1n,
        outcome: { $case: "refused", refused: { code: "OVERLOADED", retryable: true, retryAfterMs: 100 } },
      },
      { correlation: 2n, outcome: { $case: "written" } },
    ]);
  });

  it("end with a code at what cannot be decoded", async () => {
    const { requestSerialize: _unused, ...method } = calls.checkStream;
    const stream = served.sky.makeBidiStreamRequest(method.path, (bytes: Buffer) => bytes, method.responseDeserialize);
    const failed = new Promise<ServiceError>((resolve) => stream.on("error", resolve));
    stream.resume();
    stream.write(
      Buffer.from(
        CheckStreamRequest.encode({
          correlation: 1n,
          assertions: [assertion(node("a"))],
          consistency: undefined,
        }).finish(),
      ).subarray(0, -1),
    );
    const error = await failed;
    expect([error.code, error.metadata.get("sky-code")]).toEqual([status.INVALID_ARGUMENT, ["MALFORMED"]]);
  });

  it("that break off in the middle leave the node as it was, and what was accepted is done", async () => {
    const release = served.node.hold();
    const stream = served.sky.writeStream();
    stream.on("error", () => undefined);
    stream.resume();
    stream.write({ correlation: 1n, signed: await batch({ changes: [granted(node("a"))] }) });
    await expect.poll(() => served.node.submissions).toBe(1);
    stream.cancel();
    release();
    const consistency = {
      requirement: { $case: "atLeast", atLeast: { height: 1n, index: 0, blockHash: Buffer.alloc(32) } },
    } as const;
    expect((await ask("check", { assertion: assertion(node("a")), consistency })).reply?.result).toBe(true);
  });
});
