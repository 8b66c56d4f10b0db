/** Who comes to a sealed node with newer keys than it knows is known by them, and by no older ones from then on. */
import { expect, test } from "vitest";
import { present } from "../../../src/base/errors.ts";
import { issueTls } from "../../../src/client/certificate.ts";
import { verifyPeerCertificate } from "../../../src/crypto/peer-certificate.ts";
import { publicKeyOf } from "../../../src/crypto/ed25519.ts";
import { certificatesOfPem } from "../../../src/crypto/x509.ts";
import type { Digest } from "../../../src/base/brands.ts";
import { ShownKeys } from "../../../src/host/node/shown-keys.ts";
import { type Controller, keyStateOf, newController, prepareRotation, promoted } from "../../../src/keri/controller.ts";
import { random } from "../enclave/sealed-node.ts";

const cluster = "ab".repeat(32) as Digest;
const now = Date.now();
const rotated = (controller: Controller): Controller => {
  const prepared = prepareRotation(controller, { after: [random(32)] });
  return prepared.ok ? promoted(prepared.value) : expect.unreachable(prepared.refusal.message);
};
async function certificateOf(controller: Controller): Promise<Uint8Array> {
  const { cert } = await issueTls({ controller, cluster, role: "operator", pendingToo: true, random, now });
  return present(certificatesOfPem(cert)?.[0], "a certificate");
}

test("a certificate that brings the rotations is believed, and older keys are refused afterwards", async () => {
  const first = newController(random);
  const second = rotated(rotated(first));
  const stranger = newController(random);
  let known = keyStateOf(first);
  const keys = new ShownKeys((aid) => (aid === first.aid ? known : undefined));
  let told = 0;
  const judge = (der: Uint8Array) =>
    keys.judge(
      (trust) => verifyPeerCertificate(der, { cluster, now, ...trust }),
      () => (told += 1),
    );
  const [old, fresh] = [await certificateOf(first), await certificateOf(second)];
  expect(judge(old)).toMatchObject({ ok: true, value: { keySn: 0 } });
  expect([told, keys.operatorKey(first.aid)]).toEqual([0, publicKeyOf(present(first.current[0], "a seed"))]);
  expect(judge(await certificateOf(stranger))).toMatchObject({ refusal: { code: "CERTIFICATE_UNKNOWN_IDENTIFIER" } });
  expect(judge(fresh)).toMatchObject({ ok: true, value: { keySn: 2 } });
  expect([told, keys.operatorKey(first.aid)]).toEqual([1, publicKeyOf(present(second.current[0], "a seed"))]);
  expect(judge(old)).toMatchObject({ refusal: { code: "CERTIFICATE_KEY_ROTATED" } });
  expect(keys.operatorKey(stranger.aid)).toBeUndefined();
  // What the log says later stands above what was shown.
  const third = rotated(second);
  known = keyStateOf(third);
  expect(judge(fresh)).toMatchObject({ refusal: { code: "CERTIFICATE_KEY_ROTATED" } });
  expect(keys.operatorKey(first.aid)).toEqual(publicKeyOf(present(third.current[0], "a seed")));
});

test("a thief of the next key is believed until the log has a rotation of its own, however far ahead the thief's are", async () => {
  const first = newController(random);
  const owner = rotated(first);
  let thief = rotated(first);
  for (let i = 0; i < 5; i++) thief = rotated(thief);
  let known = keyStateOf(first);
  const keys = new ShownKeys((aid) => (aid === first.aid ? known : undefined));
  const judge = (der: Uint8Array) =>
    keys.judge(
      (trust) => verifyPeerCertificate(der, { cluster, now, ...trust }),
      () => undefined,
    );
  const stolen = await certificateOf(thief);
  expect(judge(stolen)).toMatchObject({ ok: true, value: { keySn: 6 } });
  known = keyStateOf(owner);
  expect(keys.operatorKey(first.aid)).toEqual(publicKeyOf(present(owner.current[0], "a seed")));
  expect(judge(await certificateOf(owner))).toMatchObject({ ok: true, value: { keySn: 1 } });
  expect(judge(stolen)).toMatchObject({ refusal: { code: "CERTIFICATE_KEY_ROTATED" } });
});
