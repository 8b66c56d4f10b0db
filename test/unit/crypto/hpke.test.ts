import { createCipheriv, createHmac } from "node:crypto";
import { Aes128Gcm } from "@hpke/core";
import { describe, expect, test } from "vitest";
import { concatBytes, toHex, utf8 } from "../../../src/base/bytes.ts";
import { hpkePublicKeyOf, openHpke, openHpkeWith, sealHpke } from "../../../src/crypto/hpke.ts";
import { hexBytes, vectors } from "./vectors.ts";

interface Setup {
  readonly suite: string;
  readonly modeName: string;
  readonly fields: Readonly<Record<"info" | "ikmE" | "enc" | "skRm" | "pkRm" | "shared_secret", string>>;
  readonly encryptions: readonly Readonly<Record<"seq" | "pt" | "aad" | "ct", string>>[];
}

const setups = vectors<readonly Setup[]>("secrets/hpke/rfc9180-appendix-a.json");
const base = setups.find(
  ({ suite, modeName }) => modeName === "Base" && suite.includes("X25519") && suite.includes("AES-128-GCM"),
) as Setup;
const { info, ikmE, enc, skRm, pkRm, shared_secret } = base.fields;
const first = base.encryptions.find(({ seq }) => seq === "0");

/** RFC 9180 §5.1 for our suite, by node:crypto alone. */
function independentSeal(shared: Uint8Array, about: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array {
  const suite = concatBytes(utf8("HPKE"), Uint8Array.of(0, 32, 0, 1, 0, 2));
  const extract = (salt: Uint8Array, label: string, ikm: Uint8Array) =>
    createHmac("sha256", salt)
      .update(concatBytes(utf8("HPKE-v1"), suite, utf8(label), ikm))
      .digest();
  const expand = (prk: Uint8Array, label: string, context: Uint8Array, length: number): Uint8Array => {
    const out = createHmac("sha256", prk)
      .update(concatBytes(Uint8Array.of(0, length), utf8("HPKE-v1"), suite, utf8(label), context, Uint8Array.of(1)))
      .digest();
    return out.subarray(0, length);
  };
  const none = new Uint8Array(0);
  const context = concatBytes(Uint8Array.of(0), extract(none, "psk_id_hash", none), extract(none, "info_hash", about));
  const secret = extract(shared, "secret", none);
  const cipher = createCipheriv(
    "aes-256-gcm",
    expand(secret, "key", context, 32),
    expand(secret, "base_nonce", context, 12),
  );
  cipher.setAAD(aad);
  return concatBytes(cipher.update(plaintext), cipher.final(), cipher.getAuthTag());
}

test("opens RFC 9180's message for X25519 (appendix A.1.1)", async () => {
  const sealed = { enc: hexBytes(enc), ciphertext: hexBytes(first?.ct ?? "") };
  const opened = await openHpkeWith(new Aes128Gcm(), hexBytes(skRm), sealed, {
    info: hexBytes(info),
    aad: hexBytes(first?.aad ?? ""),
  });
  expect(opened && toHex(opened)).toBe(first?.pt);
});

test("with the RFC's ephemeral material, the encapsulated key is the RFC's and the ciphertext that of its shared secret", async () => {
  const [plaintext, aad] = [utf8("a share"), utf8("aad")];
  const sealed = await sealHpke(hexBytes(pkRm), hexBytes(ikmE), plaintext, { info: hexBytes(info), aad });
  expect(toHex(sealed.enc)).toBe(enc);
  expect(toHex(sealed.ciphertext)).toBe(
    toHex(independentSeal(hexBytes(shared_secret), hexBytes(info), plaintext, aad)),
  );
});

test("a private key has the RFC's public key", () => {
  expect(toHex(hpkePublicKeyOf(hexBytes(skRm)))).toBe(pkRm);
});

describe("what was sealed opens", () => {
  const privateKey = new Uint8Array(32).fill(3);
  const context = { info: utf8("sky/share/v1 ceremony 1"), aad: utf8("aad") };
  const sealing = sealHpke(hpkePublicKeyOf(privateKey), new Uint8Array(32).fill(4), utf8("a share"), context);

  test("for its holder and purpose", async () => {
    expect(await openHpke(privateKey, await sealing, context)).toEqual(utf8("a share"));
  });

  test("and for nobody else, no other purpose, and not when changed", async () => {
    const { enc: key, ciphertext } = await sealing;
    const flipped = Uint8Array.from(ciphertext);
    flipped[0] = (flipped[0] as number) ^ 1;
    expect(await openHpke(new Uint8Array(32).fill(5), await sealing, context)).toBeUndefined();
    expect(
      await openHpke(privateKey, await sealing, { ...context, info: utf8("sky/share/v1 ceremony 2") }),
    ).toBeUndefined();
    expect(await openHpke(privateKey, await sealing, { info: context.info })).toBeUndefined();
    expect(await openHpke(privateKey, { enc: key, ciphertext: flipped }, context)).toBeUndefined();
    expect(await openHpke(privateKey, { enc: key, ciphertext: new Uint8Array(3) }, context)).toBeUndefined();
    expect(await openHpke(privateKey, { enc: key.subarray(1), ciphertext }, context)).toBeUndefined();
    expect(await openHpke(privateKey, { enc: new Uint8Array(32), ciphertext }, context)).toBeUndefined();
  });
});
