/** Attacks on the ceremony of a sealed node, over the wire: each is refused at once, in a sentence that names who (issue 2). */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { Metadata, type ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeShare, shareInfo, shareSigningBytes } from "../../../src/actors/enclave/ceremony-bytes.ts";
import type { Digest } from "../../../src/base/brands.ts";
import { toHex } from "../../../src/base/bytes.ts";
import { present } from "../../../src/base/errors.ts";
import { signer } from "../../../src/crypto/ed25519.ts";
import { sealHpke } from "../../../src/crypto/hpke.ts";
import { demand } from "../../../src/host/enclave/node-files.ts";
import { clientFiles } from "../../../src/host/founding/client-folder.ts";
import {
  type OperatorConnection,
  connectOperator,
  operatorTls,
} from "../../../src/host/founding/operator-connection.ts";
import { type HeldShare, operatorSeed } from "../../../src/host/founding/operator-file.ts";
import type { SessionKey } from "../../../src/wire/generated/sky/ceremony/v1/ceremony.ts";
import { Cluster, sky } from "../cluster.ts";
import { CompatibleClients, READ_MS } from "../clients.ts";
import { type Stolen, type StolenOperator, forge, seesAll, steal } from "./stolen.ts";

const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));
const SEALED = "n0";

let cluster: Cluster;
let stolen: Stolen;
let id: Digest;
const connections = new Map<string, OperatorConnection>();

beforeAll(async () => {
  cluster = await Cluster.start();
  stolen = steal(cluster.directory);
  id = stolen.layout.founding.cluster;
  await seesAll(cluster, SEALED);
  const seal = await sky("seal", SEALED, ...as(stolen.layout.operators[0]));
  expect(seal.code, seal.err).toBe(0);
  expect(seal.out).toContain("is sealing");
  for (const { name, secrets } of stolen.operators) {
    const tls = await operatorTls(stolen.layout.founding, secrets, random, Date.now());
    const reached = await connectOperator(stolen.layout.founding, card(), tls, {
      now: () => Date.now(),
      timeoutMs: READ_MS,
    });
    connections.set(name, demand(reached));
  }
});
afterAll(async () => {
  for (const connection of connections.values()) connection.close();
  await cluster?.clean();
});

const as = (operator: { readonly file: string; readonly passphraseFile: string } | undefined): string[] => {
  const { file, passphraseFile } = present(operator, "an operator");
  return ["--founding", stolen.layout.foundingFile, "--operator", file, "--passphrase-file", passphraseFile];
};
const card = (name = SEALED) =>
  present(
    stolen.layout.founding.document.founders.find((one) => one.name === name),
    "a founder",
  );
const who = (name: string): StolenOperator =>
  present(
    stolen.operators.find((one) => one.name === name),
    "an operator",
  );
const at = (name: string): OperatorConnection => present(connections.get(name), "connected");
const shareOf = (name: string, node = SEALED): HeldShare =>
  present(who(name).file.shareOf(id, card(node).aid), "a share");

interface End<Reply> {
  readonly reply?: Reply;
  readonly code: string;
  readonly message: string;
}
type Method<Request, Reply> = (
  request: Request,
  metadata: Metadata,
  callback: (error: ServiceError | null, reply: Reply) => void,
) => unknown;

const METHODS = ["status", "sessionKey", "unseal", "apply", "unwrap", "cancel", "fetchShare", "seal"] as const;
function ask<Name extends (typeof METHODS)[number]>(
  connection: OperatorConnection,
  name: Name,
  request: unknown,
): Promise<End<Record<string, unknown>>> {
  const method = connection.ceremony[name].bind(connection.ceremony) as unknown as Method<
    unknown,
    Record<string, unknown>
  >;
  return new Promise((resolve) => {
    method(request, new Metadata(), (error, reply) => {
      if (error === null) return resolve({ reply, code: "OK", message: "" });
      const [code] = error.metadata.get("sky-code");
      resolve({ code: String(code), message: error.details });
    });
  });
}

async function session(name: string): Promise<SessionKey> {
  const { reply, message } = await ask(at(name), "sessionKey", {});
  return present(reply?.["sessionKey"] as SessionKey | undefined, message);
}

interface Offer {
  readonly index: number;
  readonly value: Uint8Array;
  readonly seed: Uint8Array;
  readonly node?: string;
}

/** An apply request as an operator makes it, of whatever share and signature. */
async function offer(key: SessionKey, { index, value, seed, node = SEALED }: Offer) {
  const info = shareInfo({ cluster: id, node: card(node).aid }, toHex(new Uint8Array(key.ceremonyId)), "unseal");
  const plaintext = encodeShare(index, value, signer(seed)(shareSigningBytes(info, index, value)));
  const { enc, ciphertext } = await sealHpke(new Uint8Array(key.publicKey), random(32), plaintext, { info });
  return { ceremonyId: key.ceremonyId, encapsulation: Buffer.from(enc), ciphertext: Buffer.from(ciphertext) };
}

const genuine = (name: string): Offer => {
  const { index, value } = shareOf(name);
  return { index, value, seed: operatorSeed(who(name).secrets) };
};

describe("a sealed node", () => {
  it("hears no client, and answers an administrator who is no operator with its identifier", async () => {
    const files = clientFiles(cluster.path("clients", "default"));
    const client = { key: readFileSync(files.key, "utf8"), cert: readFileSync(files.certificate, "utf8") };
    const strange = await connectOperator(stolen.layout.founding, card(), client, {
      now: () => Date.now(),
      timeoutMs: READ_MS,
    });
    if (strange.ok) {
      const { code } = await ask(strange.value, "status", {});
      expect(code).not.toBe("OK");
      strange.value.close();
    }
    const admin = present(stolen.clients[1], "the administrator");
    const tls = await forge({ cluster: id, aid: admin.aid, seed: admin.current, role: "client" });
    const reached = demand(
      await connectOperator(stolen.layout.founding, card(), tls, { now: () => Date.now(), timeoutMs: READ_MS }),
    );
    for (const name of ["unseal", "unwrap", "seal", "fetchShare", "cancel"] as const) {
      const { code, message } = await ask(reached, name, { ceremonyId: Buffer.alloc(16), exit: false });
      expect(code, name).toBe("PERMISSION_DENIED");
      expect(message, name).toContain(admin.aid);
    }
    reached.close();
  });

  it("refuses shares that are wrong in each way, and says whose", async () => {
    const opened = await ask(at("ann"), "unseal", {});
    expect(opened.code, opened.message).toBe("OK");
    const key = await session("ann");
    const mine = genuine("ann");
    const attempts: readonly (readonly [code: string, words: string, request: Awaited<ReturnType<typeof offer>>])[] = [
      [
        "WRONG_COMMITMENT",
        "not the share that was dealt",
        await offer(key, { ...mine, value: new Uint8Array(32).fill(7) }),
      ],
      ["WRONG_INDEX", "belongs to another operator", await offer(key, { ...genuine("bob"), seed: mine.seed })],
      [
        "WRONG_SIGNATURE",
        "not signed by that operator",
        await offer(key, { ...mine, seed: operatorSeed(who("bob").secrets) }),
      ],
      [
        "WRONG_COMMITMENT",
        "not the share that was dealt",
        await offer(key, { ...mine, value: shareOf("ann", "n1").value }),
      ],
      ["UNREADABLE_SHARE", "could not be opened", await tampered(offer(key, mine))],
    ];
    for (const [code, words, request] of attempts) {
      const end = await ask(at("ann"), "apply", request);
      expect(end.code, end.message).toBe(code);
      expect(end.message).toContain(`ann (${who("ann").secrets.aid})`);
      expect(end.message).toContain(words);
    }
    // Five are enough: even the right one must wait now, and it is said for how long.
    const limited = await ask(at("ann"), "apply", await offer(key, mine));
    expect(limited.code).toBe("OVERLOADED");
    expect(limited.message).toMatch(/^ann \(.*gave 5 wrong shares.*taken in \d+ s/);
  });

  it("takes no share twice, and none of a ceremony that is over", async () => {
    const first = await session("bob");
    const old = await offer(first, genuine("bob"));
    const garbage = await ask(at("bob"), "apply", { ...old, ciphertext: Buffer.alloc(1024 * 1024) });
    expect(garbage.code, garbage.message).toBe("UNREADABLE_SHARE");
    const given = await ask(at("bob"), "apply", old);
    expect(given.code, given.message).toBe("OK");
    const again = await ask(at("bob"), "apply", old);
    expect(again.code, again.message).toBe("OK");
    expect(again.reply).toMatchObject({ status: { accepted: 1 } });
    // Another operator cannot count with what bob sent.
    const stolenShare = await ask(at("carol"), "apply", old);
    expect(stolenShare.code).toBe("WRONG_INDEX");
    expect(stolenShare.message).toContain("carol (");

    const early = await ask(at("bob"), "unwrap", { ceremonyId: first.ceremonyId });
    // Below the threshold that is no error: it says how many are missing, and keeps what it has.
    expect(early.reply).toMatchObject({
      unsealed: false,
      status: { accepted: 1, missing: 1, acceptedOperators: [who("bob").secrets.aid] },
    });

    expect((await ask(at("ann"), "cancel", { ceremonyId: first.ceremonyId })).code).toBe("OK");
    expect((await ask(at("bob"), "unseal", {})).code).toBe("OK");
    const second = await session("bob");
    expect(second.ceremonyId.equals(first.ceremonyId)).toBe(false);
    const replayed = await ask(at("bob"), "apply", old);
    expect(replayed.code).toBe("WRONG_CEREMONY");
    expect(replayed.message).toContain("bob (");
    const renamed = await ask(at("bob"), "apply", { ...old, ceremonyId: second.ceremonyId });
    expect(renamed.code).toBe("UNREADABLE_SHARE");
    expect(renamed.message).toContain("bob (");
    // Whoever gave nothing to this ceremony does not open the node.
    const idle = await ask(at("carol"), "unwrap", { ceremonyId: second.ceremonyId });
    expect(idle.code).toBe("NO_SHARE_GIVEN");
    expect(idle.message).toContain("carol (");
  });

  it("is unsealed by the right ones after all that, and serves", async () => {
    const key = await session("bob");
    for (const name of ["bob", "carol"]) {
      const end = await ask(at(name), "apply", await offer(key, genuine(name)));
      expect(end.code, end.message).toBe("OK");
    }
    expect((await ask(at("carol"), "unwrap", { ceremonyId: key.ceremonyId })).reply?.["unsealed"]).toBe(true);
    await cluster.ready(SEALED);
    const clients = new CompatibleClients(cluster);
    await clients.ask(SEALED, "addNamespace", { name: "unsealed again" });
    clients.close();
  });
});

async function tampered(request: ReturnType<typeof offer>): ReturnType<typeof offer> {
  const { ciphertext, ...rest } = await request;
  const changed = Buffer.from(ciphertext);
  changed.writeUInt8(changed.readUInt8(5) ^ 1, 5);
  return { ...rest, ciphertext: changed };
}
