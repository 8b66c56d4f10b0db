import { afterAll, describe, expect, test } from "vitest";
import { didUri } from "../../../src/crypto/subject-names.ts";
import { readCertificateRequest } from "../../../src/crypto/certificate-request.ts";
import { type Profile, TTL_MAX_MS, judgeRequest } from "../../../src/host/issuers/profile.ts";
import { PROOF_OID } from "../../../src/crypto/x509.ts";
import { DAY, aid, node, request } from "./asking.ts";
import { Authority } from "./authority.ts";

const authority = new Authority();
afterAll(() => authority.clean());
const external: Profile = { kind: "external", hosts: ["api.example"] };
const codeOf = (csr: Uint8Array, profile: Profile = node, ttl = DAY): string => {
  const judged = judgeRequest(csr, profile, ttl);
  return judged.ok ? "ok" : judged.refusal.code;
};

describe("a request is judged before any issuer is asked", () => {
  test("what a node asks for its own passes, with its proof", () => {
    const judged = judgeRequest(request(), node, DAY);
    expect(judged).toMatchObject({ ok: true, value: { subject: aid, extensions: [{ oid: PROOF_OID }] } });
  });

  test("names outside the profile, of somebody else, twice or none are refused", () => {
    const uri = didUri(aid);
    expect(codeOf(request({ sans: [uri, "DNS:other.example"] }))).toBe("CSR_NAME_REFUSED");
    expect(codeOf(request({ sans: [uri, `URI:did:keri:${"E".padEnd(44, "x")}`] }))).toBe("CSR_NAME_REFUSED");
    expect(codeOf(request({ sans: ["DNS:sky.example"] }))).toBe("CSR_NAME_REFUSED");
    expect(codeOf(request({ sans: [uri, uri] }))).toBe("CSR_NAME_REFUSED");
    expect(codeOf(request({ subject: "root" }))).toBe("CSR_NAME_REFUSED");
    expect(codeOf(request(), { kind: "client", aid })).toBe("CSR_NAME_REFUSED");
    expect(codeOf(request({ sans: [uri] }), { kind: "client", aid })).toBe("ok");
    expect(codeOf(request(), external)).toBe("CSR_NAME_REFUSED");
  });

  test("extensions outside the profile are refused, a missing proof too", () => {
    const more = [{ oid: "1.2.3.4", value: Uint8Array.of(5, 0) }];
    expect(codeOf(request({ more }))).toBe("CSR_EXTENSION_REFUSED");
    expect(codeOf(request({ withProof: false }))).toBe("CSR_EXTENSION_REFUSED");
    const sans = ["DNS:api.example"];
    expect(codeOf(request({ sans, subject: "api.example" }), external)).toBe("CSR_EXTENSION_REFUSED");
    expect(codeOf(request({ sans, subject: "api.example", withProof: false }), external)).toBe("ok");
  });

  test("lives longer than the profile's, or none at all, are refused", () => {
    expect(codeOf(request(), node, TTL_MAX_MS.node + 1)).toBe("TTL_REFUSED");
    expect(codeOf(request(), node, 0)).toBe("TTL_REFUSED");
    expect(codeOf(request(), node, Number.NaN)).toBe("TTL_REFUSED");
  });

  test("any changed byte is refused, and a signature by another key", () => {
    const csr = request();
    for (let at = 0; at < csr.length; at += 3) {
      const bad = Uint8Array.from(csr);
      bad[at] = (bad[at] ?? 0) ^ 0x04;
      expect(["CSR_MALFORMED", "CSR_UNPROVEN", "CSR_KEY_REFUSED"]).toContain(codeOf(bad));
    }
    expect(codeOf(csr.subarray(0, -1))).toBe("CSR_MALFORMED");
  });

  test("OpenSSL's requests are read, those of other keys refused", () => {
    const csr = authority.request(["-subj", "/CN=api.example", "-addext", "subjectAltName=DNS:api.example"]);
    expect(codeOf(csr, external)).toBe("ok");
    const authorityAsked = authority.request([
      "-subj",
      "/CN=api.example",
      "-addext",
      "subjectAltName=DNS:api.example",
      "-addext",
      "basicConstraints=CA:TRUE",
    ]);
    // Issuers write it by themselves: what is asked does not count.
    expect(readCertificateRequest(authorityAsked)).toMatchObject({ ok: true, value: { extensions: [] } });
    expect(
      codeOf(
        authority.request(["-subj", "/O=Evil/CN=api.example", "-addext", "subjectAltName=DNS:api.example"]),
        external,
      ),
    ).toBe("CSR_MALFORMED");
  });
});
