import { expect, test } from "vitest";
import { toHex } from "../../../src/base/bytes.ts";
import { hkdf } from "../../../src/crypto/hkdf.ts";
import { hexBytes, vectorText } from "./vectors.ts";

const cases = vectorText("secrets/hkdf/rfc5869-sha256.txt")
  .split(/^COUNT/m)
  .slice(1)
  .map(
    (block) =>
      Object.fromEntries([...block.matchAll(/^(\w+) *= *(\w*)$/gm)].map(([, key, value]) => [key, value])) as Record<
        string,
        string
      >,
  );

test("derives what RFC 5869 derives", () => {
  expect(cases.length).toBe(3);
  for (const { IKM = "", salt = "", info = "", L = "", OKM } of cases) {
    expect(toHex(hkdf(hexBytes(IKM), hexBytes(salt), hexBytes(info), Number(L)))).toBe(OKM);
  }
});
