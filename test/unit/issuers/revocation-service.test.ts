/** What a node answers about certificates, whoever asks; that OpenSSL reads it stands in crypto/revocation.test.ts. */
import { createHash } from "node:crypto";
import { AsnConvert } from "@peculiar/asn1-schema";
import { CertID, OCSPRequest, OCSPResponse, OCSPResponseStatus, Request, TBSRequest } from "@peculiar/asn1-ocsp";
import { OctetString } from "@peculiar/asn1-schema";
import { AlgorithmIdentifier } from "@peculiar/asn1-x509";
import { beforeAll, describe, expect, test } from "vitest";
import type { Aid, Digest } from "../../../src/base/brands.ts";
import { ok, refuse } from "../../../src/base/result.ts";
import { p256KeyPair } from "../../../src/crypto/p256.ts";
import { type OcspInput, type RevocationListInput, issuerIdentity } from "../../../src/crypto/revocation.ts";
import { commonName, issuerCertificate, spkiHashOf } from "../../../src/crypto/x509.ts";
import type { CertificateRecord } from "../../../src/events/facts/certificate.ts";
import { RevocationService, revocationRoute } from "../../../src/host/issuers/revocation-service.ts";
import { LiveCertificates } from "../../../src/projections/certificates/live-certificates.ts";

const keys = p256KeyPair(new Uint8Array(48).fill(9));
const node = `E${"n".repeat(43)}` as Aid;
const client = `E${"c".repeat(43)}` as Aid;
const issuer = spkiHashOf(keys.publicKey);
const own = "b2".repeat(32) as Digest;
const END = 2_000_000_000_000;
const recordOf = (changes: Partial<CertificateRecord>): CertificateRecord => ({
  issuer,
  serial: "7f01",
  aid: node,
  role: "node",
  spkiHash: "a1".repeat(32) as Digest,
  notBefore: 0,
  notAfter: END,
  ...changes,
});
let certificate: Uint8Array;
beforeAll(async () => {
  certificate = await issuerCertificate({ keys, name: `sky issuer ${node}`, notBefore: 0, notAfter: END });
});

const hash = (bytes: Uint8Array): OctetString => new OctetString(createHash("sha1").update(bytes).digest());
function requestOf(
  ...asked: readonly { readonly name: Uint8Array; readonly key: Uint8Array; readonly serial: string }[]
): Uint8Array {
  const requestList = asked.map(
    ({ name, key, serial }) =>
      new Request({
        reqCert: new CertID({
          hashAlgorithm: new AlgorithmIdentifier({ algorithm: "1.3.14.3.2.26" }),
          issuerNameHash: hash(name),
          issuerKeyHash: hash(key),
          serialNumber: Uint8Array.from(Buffer.from(serial, "hex")).buffer,
        }),
      }),
  );
  return new Uint8Array(AsnConvert.serialize(new OCSPRequest({ tbsRequest: new TBSRequest({ requestList }) })));
}
const statusOf = (der: Uint8Array): string =>
  OCSPResponseStatus[AsnConvert.parse(Uint8Array.from(der).buffer, OCSPResponse).responseStatus] ?? "none";

function setup() {
  const certificates = new LiveCertificates();
  const lists: RevocationListInput[] = [];
  const answers: OcspInput[] = [];
  const world = { now: 1_000_000, sealed: false, hold: Promise.resolve() };
  const service = new RevocationService({
    aid: node,
    issuer: certificate,
    certificates: () => certificates,
    signer: {
      revocationList: async (input) => {
        lists.push(input);
        return world.sealed ? refuse("SEALED", "sealed") : ok(Uint8Array.of(lists.length));
      },
      ocspAnswer: async (input) => {
        answers.push(input);
        await world.hold;
        return ok(new Uint8Array([48, 3, 10, 1, 0]));
      },
    },
    now: () => world.now,
  });
  const ofNode = (serial: string) => ({ ...issuerIdentity(certificate), serial });
  const ofClient = (serial: string) => ({ name: commonName(client), key: new Uint8Array(65), serial });
  return { certificates, lists, answers, world, service, ofNode, ofClient };
}
const revocation = { reason: "keyCompromise", height: 5, at: 900_000 } as const;

describe("a responder", () => {
  test("says good, revoked and unknown by what the log says, of its own issuer and of those who issue their own", async () => {
    const { certificates, answers, service, ofNode, ofClient } = setup();
    certificates.put({ record: recordOf({}), height: 1, revocation: null });
    certificates.put({ record: recordOf({ serial: "7f02" }), height: 1, revocation });
    certificates.put({
      record: recordOf({ serial: "7f03", aid: client, issuer: own, spkiHash: own, role: "client" }),
      height: 1,
      revocation,
    });
    await service.answer(requestOf(ofNode("7f01"), ofNode("7f02"), ofNode("7f09"), ofClient("7f03"), ofClient("7f01")));
    const revoked = { at: 900_000, reasonCode: 1 };
    expect(answers[0]?.statuses.map(({ status }) => status)).toEqual(["good", revoked, "unknown", revoked, "unknown"]);
  });

  test("nobody changes what is said of the node by claiming its issuer and serial number", async () => {
    const { certificates, answers, service, ofNode } = setup();
    certificates.put({ record: recordOf({}), height: 1, revocation: null });
    certificates.put({ record: recordOf({ aid: client, role: "client" }), height: 2, revocation });
    await service.answer(requestOf(ofNode("7f01")));
    expect(answers[0]?.statuses[0]?.status).toBe("good");
  });

  test("nor by claiming the serial number under more issuers than are looked at, first after a start by the order of names", async () => {
    const { certificates, answers, service, ofNode } = setup();
    for (let n = 0; n < 1_024; n++) {
      const others = n.toString(16).padStart(64, "0") as Digest;
      certificates.put({
        record: recordOf({ aid: client, issuer: others, role: "client" }),
        height: 2,
        revocation: null,
      });
    }
    certificates.put({ record: recordOf({}), height: 1, revocation });
    await service.answer(requestOf(ofNode("7f01")));
    expect(answers[0]?.statuses[0]?.status).toEqual({ at: 900_000, reasonCode: 1 });
  });

  test("does not speak for others, reads no garbage, and answers eight at once", async () => {
    const { service, world, ofNode, ofClient } = setup();
    expect(statusOf(await service.answer(requestOf(ofClient("7f01"))))).toBe("unauthorized");
    expect(statusOf(await service.answer(Uint8Array.of(1, 2, 3)))).toBe("malformedRequest");
    const many = Array.from({ length: 17 }, () => ofNode("7f01"));
    expect(statusOf(await service.answer(requestOf(...many)))).toBe("malformedRequest");
    let release = (): void => {};
    world.hold = new Promise((resolve) => {
      release = resolve;
    });
    const waiting = Array.from({ length: 8 }, () => service.answer(requestOf(ofNode("7f01"))));
    expect(statusOf(await service.answer(requestOf(ofNode("7f01"))))).toBe("tryLater");
    release();
    expect((await Promise.all(waiting)).map(statusOf)).toEqual(Array.from({ length: 8 }, () => "successful"));
    expect(statusOf(await service.answer(requestOf(ofNode("7f01"))))).toBe("successful");
  });
});

describe("lists", () => {
  test("hold the issuer's own, or those that others issued themselves; made anew on a change and in time, numbers growing", async () => {
    const { certificates, lists, service, world } = setup();
    certificates.put({ record: recordOf({}), height: 1, revocation });
    certificates.put({
      record: recordOf({ serial: "7f03", aid: client, issuer: own, spkiHash: own, role: "client" }),
      height: 1,
      revocation,
    });
    certificates.put({ record: recordOf({ serial: "7f04" }), height: 1, revocation: null });
    await Promise.all([service.list("own"), service.list("own")]);
    await service.list("self-issued");
    expect(
      lists.map(({ isIndirect, entries }) => [
        isIndirect,
        entries.map(({ serial, selfIssuedBy }) => [serial, selfIssuedBy]),
      ]),
    ).toEqual([
      [false, [["7f01", null]]],
      [true, [["7f03", client]]],
    ]);
    service.changed();
    await service.list("own");
    world.now += 1_799_999;
    await service.list("own");
    expect(lists).toHaveLength(3);
    world.now += 1;
    await service.list("own");
    const numbers = lists.map(({ number }) => number);
    expect(numbers).toHaveLength(4);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  });

  test("a sealed node has none, and keeps no refusal", async () => {
    const { service, world, lists } = setup();
    world.sealed = true;
    const route = revocationRoute(node, () => service);
    const asked = (path: readonly string[]) =>
      route.answer({ method: "GET", path, query: new URLSearchParams(), headers: {}, body: new Uint8Array(0) });
    expect(await asked(["crl", node])).toMatchObject({ status: 503 });
    world.sealed = false;
    expect(await asked(["crl", node])).toMatchObject({ status: 200, type: "application/pkix-crl" });
    expect(lists).toHaveLength(2);
    expect(asked(["crl", client])).toBeUndefined();
    expect(asked(["oobi", node])).toBeUndefined();
  });
});
