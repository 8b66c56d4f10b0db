/** What a node's issuer says of revocations: signed where its key is. */
import { createPrivateKey } from "node:crypto";
import type { Custody } from "../../actors/enclave/custody.ts";
import {
  type OcspInput,
  type RevocationListInput,
  type Signing,
  ocspAnswer,
  revocationList,
} from "../../crypto/revocation.ts";

const signed = <T>(custody: Custody, use: (signing: Signing) => T): T =>
  custody.withIssuer((issuerKey, certificate) =>
    use({ certificate, key: createPrivateKey({ key: Buffer.from(issuerKey), format: "der", type: "pkcs8" }) }),
  );

export const signRevocationList = (custody: Custody, input: RevocationListInput): Uint8Array =>
  signed(custody, (signing) => revocationList(signing, input));

export const signOcspAnswer = (custody: Custody, input: OcspInput): Uint8Array =>
  signed(custody, (signing) => ocspAnswer(signing, input));
