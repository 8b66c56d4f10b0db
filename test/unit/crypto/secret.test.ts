import { inspect } from "node:util";
import { expect, test } from "vitest";
import { toHex, utf8 } from "../../../src/base/bytes.ts";
import { Secret, useSecretDigestKey } from "../../../src/crypto/secret.ts";

const canary = "canary-3f1c9a";
const everyView = (secret: Secret<Uint8Array | string>): readonly string[] => [
  String(secret),
  `${secret}`,
  JSON.stringify({ secret }),
  inspect({ nested: { secret } }, { depth: 9, showHidden: true }),
  JSON.stringify(structuredClone(secret)),
  Object.entries(secret).join(),
  new Error(`failed with ${secret}`).message,
];

test("no view of a secret shows its value, before and after a key is injected", () => {
  const views = () => [new Secret(canary), new Secret(utf8(canary))].flatMap(everyView);
  const forms = [canary, toHex(utf8(canary)), Buffer.from(canary).toString("base64"), [...utf8(canary)].join(",")];
  const before = views();
  expect(before[0]).toBe("Secret(redacted)");
  useSecretDigestKey(new Uint8Array(32).fill(5));
  const after = views();
  expect(after[0]).toMatch(/^Secret\([0-9a-f]{16}\)$/);
  for (const view of [...before, ...after]) for (const form of forms) expect(view).not.toContain(form);
});

test("equal secrets print alike and different ones do not, so that logs can be followed", () => {
  useSecretDigestKey(new Uint8Array(32).fill(5));
  expect(String(new Secret("a"))).toBe(String(new Secret("a")));
  expect(String(new Secret("a"))).not.toBe(String(new Secret("b")));
});

test("erasing zero-fills the bytes, and an erased secret cannot be revealed", () => {
  const bytes = utf8(canary);
  const secret = new Secret(bytes);
  expect(secret.reveal()).toBe(bytes);
  secret.erase();
  secret.erase();
  expect(bytes.every((byte) => byte === 0)).toBe(true);
  expect(secret.erased).toBe(true);
  expect(() => secret.reveal()).toThrow("erased");
  expect(String(secret)).toBe("Secret(erased)");
});

test("a secret in a using block is erased at its end", () => {
  const bytes = utf8(canary);
  {
    using secret = new Secret(bytes);
    expect(secret.reveal()).toBe(bytes);
  }
  expect(bytes.every((byte) => byte === 0)).toBe(true);
});
