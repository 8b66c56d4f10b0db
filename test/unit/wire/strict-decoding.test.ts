import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AssertionAt, Oracle_Service, Subjects } from "../../../src/wire/generated/com/hellblazer/delphi/v1/oracle.ts";
import { CheckBatchRequest } from "../../../src/wire/generated/sky/oracle/v1/oracle.ts";
import { encodedBytes, nodeMessage } from "../../../src/wire/compatible-graph.ts";
import { UndecodableError, decodeStrict } from "../../../src/wire/strict-decoding.ts";

const name = fc.string({ unit: "binary", maxLength: 40 }).filter((text) => text.isWellFormed());
const relation = fc.record({ namespace: name, name });
const node = fc.record({ namespace: name, name, relation });

const decodeSubjects = (bytes: Uint8Array) => decodeStrict((reader) => Subjects.decode(reader), bytes);

describe("strict decoding", () => {
  it("reads the bytes that the field numbers of the protocol page give", () => {
    const object = Buffer.from(`0a03${"0a0164"}${"120178"}${"1a03120176"}`, "hex");
    const subject = Buffer.from("120173", "hex");
    const assertion = Buffer.concat([
      Buffer.from([0x0a, object.length]),
      object,
      Buffer.from([0x12, subject.length]),
      subject,
    ]);
    const bytes = Buffer.concat([Buffer.from([0x08, 0x05, 0x12, assertion.length]), assertion]);
    const expected = {
      ts: 5n,
      assertion: {
        object: { namespace: { name: "d" }, name: "x", relation: { namespace: undefined, name: "v" } },
        subject: { namespace: undefined, name: "s", relation: undefined },
      },
    };
    expect(decodeStrict((reader) => AssertionAt.decode(reader), bytes)).toEqual(expected);
    expect(Buffer.from(AssertionAt.encode(expected).finish()).toString("hex")).toBe(bytes.toString("hex"));
    expect(Oracle_Service.check.path).toBe("/com.hellblazer.delphi.v1.Oracle_/check");
  });

  it("gives back what was encoded, whatever the names", () => {
    fc.assert(
      fc.property(fc.array(node, { maxLength: 5 }), (nodes) => {
        const message = { subjects: nodes.map(nodeMessage) };
        const bytes = Subjects.encode(message).finish();
        expect(decodeSubjects(bytes)).toEqual(message);
        expect(encodedBytes(nodes)).toBe(bytes.length);
      }),
      { numRuns: 200 },
    );
  });

  it("refuses every proper prefix and never throws at any bytes", () => {
    const bytes = Subjects.encode({
      subjects: [nodeMessage({ namespace: "a", name: "b", relation: { namespace: "c", name: "d" } })],
    }).finish();
    for (let length = 1; length < bytes.length; length++)
      expect(decodeSubjects(bytes.subarray(0, length))).toBeInstanceOf(UndecodableError);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (garbage) => {
        const decoded = decodeStrict((reader) => CheckBatchRequest.decode(reader), garbage);
        expect(decoded instanceof UndecodableError || Array.isArray(decoded.assertions)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ["a string that is not UTF-8", "0a0412020a80"],
    ["an overlong encoding", "0a041202c080"],
    ["an encoded surrogate", "0a051203eda080"],
    ["a zero tag", "0a020000"],
    ["the end of a group that did not begin", "0c"],
    ["a nested message that runs past the one around it", "0a021205616263"],
  ])("refuses %s", (_what, hex) => {
    expect(decodeSubjects(Buffer.from(hex, "hex"))).toBeInstanceOf(UndecodableError);
  });

  it("stops at more fields than any request may have, and reads the largest that may be", () => {
    expect(decodeSubjects(Buffer.from("0a00".repeat(150_000), "hex"))).toBeInstanceOf(UndecodableError);
    const largest = {
      subjects: Array.from({ length: 10_000 }, (_, i) =>
        nodeMessage({ namespace: "n", name: `${i}`, relation: { namespace: "r", name: "m" } }),
      ),
    };
    expect(decodeSubjects(Subjects.encode(largest).finish())).toEqual(largest);
  });
});
