/** sky.certificate.v1: one's own certificates for everybody, all of them for auditors, page by page, and every refusal by its code. */
import * as grpc from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Aid, logTime } from "../../../src/base/brands.ts";
import { utf8 } from "../../../src/base/bytes.ts";
import { ok, refuse } from "../../../src/base/result.ts";
import { sha256Digest } from "../../../src/crypto/hash.ts";
import { certificate, certificateService } from "../../../src/host/services/certificate.ts";
import { SERVICE_SERVER_OPTIONS } from "../../../src/host/services/server-options.ts";
import { LiveCertificates } from "../../../src/projections/certificates/live-certificates.ts";
import {
  CertificateServiceClient,
  CertificateServiceService as calls,
  type ListResponse,
} from "../../../src/wire/generated/sky/certificate/v1/certificate.ts";
import { NodeInMemory } from "./support/node-in-memory.ts";
import { ALICE, type Answer, call } from "./support/served.ts";

const BOB = "EBob" as Aid;
const START = 1_700_000_000_000;

let live: LiveCertificates;
let caller: Aid | undefined;
let auditors: Set<Aid>;
let defects: unknown[];
let server: grpc.Server;
let client: InstanceType<typeof CertificateServiceClient>;
let node: NodeInMemory;

beforeEach(async () => {
  live = new LiveCertificates();
  caller = ALICE;
  auditors = new Set();
  defects = [];
  node = new NodeInMemory();
  server = new grpc.Server(SERVICE_SERVER_OPTIONS);
  const context = {
    port: node,
    callerOf: () =>
      caller === undefined ? refuse("UNAUTHENTICATED", "Show a certificate.") : ok({ aid: caller, role: "client" }),
    onDefect: (error: unknown) => void defects.push(error),
    certificates: { list: (aid?: Aid) => live.list(aid), mayAudit: (aid: Aid) => auditors.has(aid) },
  };
  server.addService(certificateService, certificate(context));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  client = new CertificateServiceClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
});
afterEach(() => {
  client.close();
  server.forceShutdown();
  expect(defects).toEqual([]);
});

function known(aid: Aid, serial: string, revoked = false): void {
  live.put({
    record: {
      issuer: sha256Digest(utf8(`issuer of ${aid}`)),
      serial,
      aid,
      role: "client",
      spkiHash: sha256Digest(utf8(`key ${aid} ${serial}`)),
      notBefore: START,
      notAfter: START + 3_600_000,
    },
    height: 7,
    revocation: revoked ? { reason: "keyCompromise", height: 9, at: logTime(START + 5) } : null,
  });
}

const list = (aid: string, after = ""): Promise<Answer<ListResponse>> =>
  call(client, calls.list, { aid, after, consistency: undefined });

describe("sky.certificate.v1 List", () => {
  it("shows anybody its own, whole, with what became of each", async () => {
    known(ALICE, "01");
    known(ALICE, "02", true);
    known(BOB, "03");
    const { reply, code } = await list(ALICE);
    expect(code).toBe(grpc.status.OK);
    expect(reply?.certificates).toEqual([
      {
        issuer: expect.objectContaining({ length: 32 }),
        serial: "01",
        aid: ALICE,
        role: "client",
        spkiHash: expect.objectContaining({ length: 32 }),
        notBeforeMs: BigInt(START),
        notAfterMs: BigInt(START + 3_600_000),
        height: 7n,
        revocation: undefined,
      },
      expect.objectContaining({
        serial: "02",
        revocation: { reason: "keyCompromise", height: 9n, atMs: BigInt(START + 5) },
      }),
    ]);
    expect(reply?.next).toBe("");
  });

  it("shows others' to auditors alone, and nothing to a stranger", async () => {
    known(BOB, "03");
    for (const aid of [BOB, ""]) {
      const denied = await list(aid);
      expect([denied.code, denied.trailers["sky-code"]]).toEqual([grpc.status.PERMISSION_DENIED, "PERMISSION_DENIED"]);
      expect(denied.details).toMatch(/sky:cluster#audit/);
    }
    auditors.add(ALICE);
    expect((await list(BOB)).reply?.certificates).toHaveLength(1);
    expect((await list("")).reply?.certificates).toHaveLength(1);
    caller = undefined;
    expect((await list(BOB)).trailers["sky-code"]).toBe("UNAUTHENTICATED");
  });

  it("pages: none is missed and none comes twice, also when one comes or goes between two pages", async () => {
    auditors.add(ALICE);
    const serials = Array.from({ length: 2_500 }, (_, i) => (i + 256).toString(16).padStart(4, "0"));
    for (const serial of serials) known(BOB, serial);
    const seen: string[] = [];
    let after = "";
    let pages = 0;
    do {
      const { reply } = await list("", after);
      expect(reply?.certificates.length).toBeLessThanOrEqual(1_000);
      seen.push(...(reply?.certificates ?? []).map(({ serial }) => serial));
      after = reply?.next ?? "";
      pages += 1;
      // Behind and before where the reader stands.
      if (pages === 1) known(ALICE, "ff");
      if (pages === 1) known(BOB, "ffff");
    } while (after !== "");
    expect(pages).toBe(3);
    expect(seen).toEqual([...serials, "ffff"]);
  });

  it("an unknown place, and identifiers that are none, are an empty page; a height beyond the node's is BEHIND", async () => {
    auditors.add(ALICE);
    known(BOB, "03");
    expect((await list("", "zzzz")).reply).toMatchObject({ certificates: [], next: "" });
    expect((await list("ENobody")).reply).toMatchObject({ certificates: [], next: "" });
    const consistency = {
      requirement: { $case: "atLeast", atLeast: { height: 99n, index: 0, blockHash: Buffer.alloc(0) } } as const,
    };
    node.isHurried = true;
    const far = await call(client, calls.list, { aid: ALICE, after: "", consistency });
    expect(far.trailers["sky-code"]).toBe("BEHIND");
  });

  it("bytes that are no request are refused as such", async () => {
    const request = { aid: "", after: "", consistency: undefined };
    const broken = await call(client, calls.list, request, { bytes: Buffer.from([0x0a, 0x05, 0x41]) });
    expect([broken.code, broken.trailers["sky-code"]]).toEqual([grpc.status.INVALID_ARGUMENT, "MALFORMED"]);
  });
});
