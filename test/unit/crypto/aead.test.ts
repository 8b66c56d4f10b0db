import { expect, test } from "vitest";
import { toHex, utf8 } from "../../../src/base/bytes.ts";
import { openAead, passphraseKey, sealAead } from "../../../src/crypto/aead.ts";
import { hexBytes, vectors } from "./vectors.ts";

interface Wycheproof {
  readonly testGroups: readonly {
    readonly ivSize: number;
    readonly keySize: number;
    readonly tagSize: number;
    readonly tests: readonly Readonly<
      Record<"key" | "iv" | "aad" | "msg" | "ct" | "tag" | "result", string> & { tcId: number }
    >[];
  }[];
}

test("opens every valid wycheproof vector of our sizes, refuses every invalid one, and seals alike", () => {
  const groups = vectors<Wycheproof>("secrets/wycheproof/aes_gcm_test.json").testGroups;
  let tried = 0;
  for (const group of groups) {
    if (group.ivSize !== 96 || group.keySize !== 256 || group.tagSize !== 128) continue;
    for (const { tcId, key, iv, aad, msg, ct, tag, result } of group.tests) {
      const opened = openAead(hexBytes(key), hexBytes(iv), hexBytes(ct + tag), hexBytes(aad));
      expect(opened === undefined ? "refused" : toHex(opened), `test ${tcId}`).toBe(
        result === "valid" ? msg : "refused",
      );
      if (result === "valid")
        expect(toHex(sealAead(hexBytes(key), hexBytes(iv), hexBytes(msg), hexBytes(aad)))).toBe(ct + tag);
      tried += 1;
    }
  }
  expect(tried).toBeGreaterThan(50);
});

test("what is shorter than a tag opens to nothing", () => {
  expect(openAead(new Uint8Array(32), new Uint8Array(12), new Uint8Array(15))).toBeUndefined();
});

test("a passphrase gives the same key with the same salt only", () => {
  const salt = new Uint8Array(16).fill(1);
  const key = passphraseKey(utf8("correct horse"), salt);
  // Reference: Python 3 hashlib.scrypt(b"correct horse", salt=b"\x01"*16, n=2**15, r=8, p=1, maxmem=2**26, dklen=32)
  expect(toHex(key)).toBe("2fe27bab9feda6535cfd1bf595066862679a140d6dd0c04e3c54c84b9614ab33");
  expect(toHex(passphraseKey(utf8("correct horse"), new Uint8Array(16).fill(2)))).not.toBe(toHex(key));
  expect(() => passphraseKey(utf8("x"), new Uint8Array(8))).toThrow("salt");
});
