/** Clients and operators rotate their keys: no request fails meanwhile, and the old keys are refused afterwards. */
import { copyFileSync, cpSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Aid } from "../../src/base/brands.ts";
import { KerlClient } from "../../src/client/kerl-client.ts";
import {
  type RotationEvent,
  type RotationPolicy,
  SkyClient,
  SkyError,
  identityOf,
  readIdentity,
} from "../../src/client/sky-client.ts";
import { ClientFolderStore, clientFiles } from "../../src/host/founding/client-folder.ts";
import { prepareInteraction, promoted } from "../../src/keri/controller.ts";
import { policySubject } from "../../src/projections/ledger/policy.ts";
import { policyObject } from "../../src/projections/rebac/names.ts";
import { Cluster, type CommandEnd, sky, until } from "./cluster.ts";
import { READ_MS, nodeNamed, skyClient } from "./clients.ts";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start();
});
afterAll(() => cluster?.clean());

const CALLERS = 64;
const DOCUMENT = nodeNamed("document", "rotation");
const grant = (name: string) => ({
  kind: "addAssertion" as const,
  assertion: { subject: nodeNamed(name, "rotation"), object: DOCUMENT },
});

const folderOf = (who: string): string => cluster.path("clients", who);
const open = (folder: string, names = cluster.names, policy: RotationPolicy = {}): Promise<SkyClient> =>
  SkyClient.open({
    endpoints: names.map((name) => `127.0.0.1:${cluster.node(name).ports.service}`),
    ca: readFileSync(clientFiles(folder).anchors),
    identity: new ClientFolderStore(folder),
    readTimeoutMs: READ_MS,
    ...policy,
  });

const kerlOptions = (folder: string) => {
  const files = clientFiles(folder);
  return {
    endpoints: cluster.names.map((name) => `127.0.0.1:${cluster.node(name).ports.service}`),
    ca: readFileSync(files.anchors),
    cert: readFileSync(files.certificate),
    key: readFileSync(files.key),
    readTimeoutMs: READ_MS,
    ...identityOf(readFileSync(files.identity)),
  };
};

/** The administrator lets an identifier write and read. */
async function allow(aid: Aid): Promise<void> {
  const admin = await open(folderOf("admin"));
  const assertion = { subject: policySubject(aid), object: policyObject("write") };
  await admin.write([{ kind: "addAssertion", assertion }]);
  admin.close();
}

/** Callers that never rest: each writes, or checks what it wrote, by calls or over a stream. */
class Callers {
  readonly failed: string[] = [];
  done = 0;
  #stopping = false;
  readonly #ended: Promise<unknown>;

  constructor(client: SkyClient, label: string) {
    const writes = client.writeStream();
    const checks = client.checkStream();
    const write = async (name: string): Promise<void> => void (await client.write([grant(name)]));
    const streamed = async (name: string): Promise<void> => void (await writes.write([grant(name)]));
    const checked = async (name: string): Promise<void> => {
      await client.write([grant(name)]);
      const { subject, object } = grant(name).assertion;
      if (!(await checks.check({ subject, object }))) throw new Error(`${name} is not there`);
    };
    const kinds = [write, streamed, checked];
    this.#ended = Promise.all(
      Array.from({ length: CALLERS }, (_, i) => this.#run(`${label}-${i}`, kinds[i % kinds.length] ?? write)),
    ).then(() => {
      writes.end();
      checks.end();
    });
  }

  async #run(label: string, call: (name: string) => Promise<void>): Promise<void> {
    for (let n = 0; !this.#stopping; n++) {
      await call(`${label}-${n}`).catch((error: unknown) => void this.failed.push(`${label}-${n}: ${String(error)}`));
      this.done += 1;
    }
  }

  more(count: number): Promise<unknown> {
    const from = this.done;
    return until(`${count} more calls`, () => this.done >= from + count);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#ended;
  }
}

describe("a client rotates under load", () => {
  it("three times: no request fails, and what it was before is refused from then on", async () => {
    const folder = folderOf("default");
    const before = cluster.path("clients", "before");
    cpSync(folder, before, { recursive: true });
    const old = skyClient(cluster, cluster.names);
    const idle = await open(folder);
    await old.write([grant("old")]);
    const client = await open(folder);
    const callers = new Callers(client, "load");
    await callers.more(200);
    for (const sn of [1, 2, 3]) {
      expect(await client.rotate()).toMatchObject({ sn });
      expect(client.keyState.sn).toBe(sn);
      await callers.more(200);
    }
    await callers.stop();
    expect(callers.failed).toEqual([]);
    // Another process of the same client finds the newest keys in the folder by itself.
    expect(await idle.write([grant("idle")])).toMatchObject({ changed: [true] });
    expect(idle.keyState.sn).toBe(3);
    // Who has the keys and the certificate of before is nobody.
    await expect(old.write([grant("stale")], { timeoutMs: 2_000 })).rejects.toMatchObject({ code: expect.any(String) });
    await expect(old.check(grant("old").assertion, { timeoutMs: 2_000 })).rejects.toThrow();
    const stolen = await open(before);
    await expect(stolen.write([grant("stolen")], { timeoutMs: 2_000 })).rejects.toThrow();
    await expect(stolen.check(grant("old").assertion, { timeoutMs: 2_000 })).rejects.toThrow();
    // Not even over the new keys' connection is anything ordered that the old ones signed.
    const files = clientFiles(folder);
    const { ports } = cluster.node("n0");
    const impostor = SkyClient.connect({
      readTimeoutMs: READ_MS,
      endpoints: [`127.0.0.1:${ports.service}`],
      ca: readFileSync(files.anchors),
      cert: readFileSync(files.certificate),
      key: readFileSync(files.key),
      ...identityOf(readFileSync(clientFiles(before).identity)),
    });
    await expect(impostor.write([grant("impostor")])).rejects.toMatchObject({ code: "STALE_KEY_STATE" });
    expect(await impostor.check(grant("idle").assertion)).toMatchObject({ result: true });
    for (const one of [old, idle, client, stolen, impostor]) one.close();
    // Whoever comes now finds the folder as it is.
    const next = skyClient(cluster, cluster.names);
    expect(await next.check(grant("idle").assertion)).toMatchObject({ result: true });
    next.close();
  });

  it("a rotation that died before, or after, the cluster had it is finished by the next use", async () => {
    const folder = folderOf("admin");
    const client = await open(folder);
    await client.write([grant("first")]);
    client.close();
    const crashed = cluster.path("clients", "crashed");
    const offline = await sky("kel", "rotate", "--client", folder, "--json");
    expect(offline).toMatchObject({ code: 0 });
    expect(JSON.parse(offline.out)).toMatchObject({ establishment: { sn: 0 }, pending: { sn: 1, rotates: true } });
    cpSync(folder, crashed, { recursive: true });
    const submitted = await sky("kel", "submit", "--client", folder, "--cluster", cluster.directory, "--json");
    expect(submitted.code, submitted.out + submitted.err).toBe(0);
    expect(JSON.parse(submitted.out)).toMatchObject({ establishment: { sn: 1 }, pending: null });
    // The copy is what is left when the process dies once the cluster has executed it.
    const late = await open(crashed);
    expect(await late.write([grant("late")])).toMatchObject({ changed: [true] });
    expect(late.keyState.sn).toBe(1);
    late.close();
    const [own, copied] = [folder, crashed].map((one) => ({ ...new ClientFolderStore(one).read(), since: undefined }));
    expect(copied).toEqual(own);
    const again = await sky("kel", "rotate", "--client", folder, "--submit", "--cluster", cluster.directory, "--json");
    expect(JSON.parse(again.out)).toMatchObject({ ok: true, establishment: { sn: 2 }, pending: null });
    // Another process, told of an age that nobody wrote down, rotates by itself.
    const file = clientFiles(folder).identity;
    const content = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    writeFileSync(file, JSON.stringify({ ...content, since: undefined }), { mode: 0o600 });
    const told: RotationEvent[] = [];
    const ageing = await open(folder, cluster.names, {
      rotateEveryMs: 3_600_000,
      onRotation: (one) => void told.push(one),
    });
    await until("a rotation by age", async () => {
      await ageing.write([grant("ageing")]);
      return told.length > 0;
    });
    expect(told).toMatchObject([{ kind: "rotated", keyState: { sn: 3 } }]);
    expect(ageing.keyState.sn).toBe(3);
    ageing.close();
  });
});

describe("sky kel against the cluster", () => {
  it("anchors a delegated identifier, shows key states now and then, and exports what a stranger accepts", async () => {
    const online = ["--client", folderOf("default"), "--cluster", cluster.directory, "--json"];
    const kel = async (...words: readonly string[]): Promise<Record<string, unknown>> => {
      const end = await sky("kel", ...words);
      expect(end.code, end.out + end.err).toBe(0);
      return JSON.parse(end.out) as Record<string, unknown>;
    };
    const own = await kel("show", ...online);
    expect(own).toMatchObject({ establishment: { sn: 3 } });
    expect(await kel("show", ...online, "--sn", "0")).toMatchObject({ sn: 0, type: "icp", aid: own["aid"] });
    expect(await kel("show", ...online, "--height", "0")).toMatchObject({ sn: 0, height: 0 });
    const child = cluster.path("clients", "child");
    const made = await kel("incept", "--dir", child, "--delegator", String(own["aid"]), "--json");
    await kel("delegate", child, ...online);
    expect(await kel("show", ...online, "--aid", String(made["aid"]))).toMatchObject({ sn: 0, delegator: own["aid"] });
    const file = cluster.path("child.cesr");
    await kel("export", ...online, "--aid", String(made["aid"]), "--out", file);
    const verified = await sky("kel", "verify", file, "--json");
    const rows = JSON.parse(verified.out) as readonly { readonly type: string; readonly verdict: string }[];
    expect(rows.map(({ type }) => type)).toEqual(["icp", "rot", "rot", "rot", "ixn", "dip"]);
    expect(
      rows.every(({ verdict }) => verdict === "accepted"),
      verified.out,
    ).toBe(true);

    // Twice rotated, anchored offline, the delegator's event handed over by itself: what is left is done, once, however often.
    for (let time = 0; time < 2; time++) await kel("rotate", "--dir", child, "--json");
    const offline = await kel("delegate", child, "--client", folderOf("default"), "--json");
    expect(offline).toMatchObject({
      pending: { sn: 5 },
      delegated: { appended: false, anchored: [{ sn: 1 }, { sn: 2 }] },
    });
    await kel("submit", ...online);
    expect(await kel("show", ...online, "--aid", String(made["aid"]))).toMatchObject({ sn: 0 });
    const accepted = [1, 2].map((sn) => ({ aid: made["aid"], sn, type: "drt", verdict: "accepted", changed: true }));
    expect(await kel("delegate", child, ...online)).toMatchObject({
      sn: 5,
      delegated: { appended: true, anchored: [], messages: accepted },
    });
    expect(await kel("delegate", child, ...online)).toMatchObject({
      sn: 5,
      delegated: { appended: true, anchored: [], messages: [] },
    });
    expect(await kel("show", ...online, "--aid", String(made["aid"]))).toMatchObject({ sn: 2 });
  });

  it("a delegated client rotates: it goes on under its old keys until its delegator anchors, then under the new ones", async () => {
    const online = ["--client", folderOf("default"), "--cluster", cluster.directory, "--json"];
    const done = async (...words: readonly string[]): Promise<Record<string, unknown>> => {
      const end = await sky(...words);
      expect(end.code, end.out + end.err).toBe(0);
      return JSON.parse(end.out) as Record<string, unknown>;
    };
    const delegate = cluster.path("clients", "delegate");
    const { aid: delegator } = await done("kel", "show", ...online);
    const made = await done("kel", "incept", "--dir", delegate, "--delegator", String(delegator), "--json");
    await done("kel", "delegate", delegate, ...online);
    await allow(made["aid"] as Aid);
    await done("init", "client", "--dir", delegate, "--founding", cluster.path("founding.sky"), "--json");
    const client = await open(delegate);
    expect(await client.write([grant("delegated")])).toMatchObject({ changed: [true] });
    const told = await until("it is told that the rotation waits", async () => {
      const error: unknown = await client.rotate({ timeoutMs: 5_000 }).catch((failed: unknown) => failed);
      // Who was too slow to hear even that goes on with the same rotation.
      return error instanceof SkyError && !["OUTCOME_UNKNOWN", "DEADLINE_EXCEEDED"].includes(error.code) && error;
    });
    expect(told).toMatchObject({ code: "NOT_IN_FORCE", retryable: true });
    expect(await client.write([grant("waiting")])).toMatchObject({ changed: [true] });
    expect(client.keyState.sn).toBe(0);
    await done("kel", "delegate", delegate, ...online);
    // It meets stale keys, finishes what it began, and is signed anew.
    expect(await client.write([grant("anchored")])).toMatchObject({ changed: [true] });
    expect(client.keyState.sn).toBe(1);
    expect(new ClientFolderStore(delegate).read().pending).toBeNull();
    expect(await client.write([grant("rotated")])).toMatchObject({ changed: [true] });
    client.close();
  });

  it("a client that the nodes witness rotates, and the new keys hold once they gave their receipts", async () => {
    const witnessed = cluster.path("clients", "witnessed");
    const admin = await open(folderOf("admin"));
    const kerl = KerlClient.connect(kerlOptions(folderOf("default")));
    const { witnesses } = await until("every node has named its witness", async () => {
      const found = await kerl.witnesses();
      return found.witnesses.length === cluster.nodes.length ? found : undefined;
    });
    const named = witnesses.flatMap(({ aid }) => ["--witness", aid]);
    const made = await sky("kel", "incept", "--dir", witnessed, ...named, "--toad", "3", "--json");
    expect(made.code, made.out + made.err).toBe(0);
    const { aid } = JSON.parse(made.out) as { readonly aid: Aid };
    await admin.append(new ClientFolderStore(witnessed).read().kel);
    await until("its witnesses brought it into force", async () => {
      const { keyState } = await kerl.keyState(aid).catch(() => ({ keyState: undefined }));
      return keyState !== undefined;
    });
    await allow(aid);
    const founded = await sky("init", "client", "--dir", witnessed, "--founding", cluster.path("founding.sky"));
    expect(founded.code, founded.out + founded.err).toBe(0);
    const client = await open(witnessed);
    expect(await client.write([grant("witnessed")])).toMatchObject({ changed: [true] });
    expect(await client.rotate()).toMatchObject({ sn: 1 });
    expect(await client.write([grant("witnessed-anew")])).toMatchObject({ changed: [true] });
    expect((await kerl.receipts(aid, 1)).witnesses.length).toBeGreaterThanOrEqual(3);
    for (const one of [client, admin, kerl]) one.close();
  });

  it("hands any stream over by commands that it cuts, says what became of each message, and where it was refused", async () => {
    const online = ["--client", folderOf("admin"), "--cluster", cluster.directory, "--json"];
    const org = cluster.path("clients", "org");
    expect((await sky("kel", "incept", "--dir", org, "--keys", "2", "--threshold", "1/2,1/2")).code).toBe(0);
    const store = new ClientFolderStore(org);
    for (let sn = 1; sn <= 70; sn++)
      store.update((kept) => {
        const made = prepareInteraction(kept, []);
        if (!made.ok) throw new Error(made.refusal.message);
        return promoted(made.value);
      });
    const file = cluster.path("org.cesr");
    writeFileSync(file, store.read().kel);
    const append = async (path: string) => {
      const end = await sky("kel", "append", path, ...online);
      expect(end.out, end.err).toMatch(/^\{/);
      const told = JSON.parse(end.out) as {
        readonly code?: string;
        readonly messages?: readonly { verdict: string }[];
      };
      return { exit: end.code, ...told };
    };
    const first = await append(file);
    expect(first.messages?.map(({ verdict }) => verdict)).toEqual(Array.from({ length: 71 }, () => "accepted"));
    expect(first.exit).toBe(0);
    expect((await append(file)).messages?.[70]).toMatchObject({ sn: 70, verdict: "known", changed: false });
    const [log, local] = [
      await sky("kel", "show", ...online, "--aid", store.read().aid),
      await sky("kel", "show", "--dir", org, "--json"),
    ];
    const { height: _height, ...shown } = JSON.parse(log.out) as Record<string, unknown>;
    expect({ ...shown, pending: null }).toEqual(JSON.parse(local.out));

    const other = cluster.path("clients", "other");
    expect((await sky("kel", "incept", "--dir", other)).code).toBe(0);
    const text = Buffer.from(new ClientFolderStore(other).read().kel).toString();
    writeFileSync(file, `${Buffer.from(store.read().kel).toString()}${text.slice(0, -3)}AAA`);
    const refused = await append(file);
    expect(refused).toMatchObject({ exit: 1, code: "KERI_BAD_SIGNATURE" });
    expect(refused.messages).toHaveLength(64);
    writeFileSync(file, text.slice(0, -1));
    expect(await append(file)).toMatchObject({ exit: 1, code: "KERI_MALFORMED" });
    expect(await append(cluster.path("nothing.cesr"))).toMatchObject({ exit: 1, code: "FILE_MISSING" });
  });
});

describe("sky kel discard", () => {
  const kel = (...words: readonly string[]): Promise<CommandEnd> =>
    sky("kel", ...words, "--cluster", cluster.directory, "--json");
  const copyOf = (name: string): string => {
    const copy = cluster.path("clients", name);
    cpSync(folderOf("default"), copy, { recursive: true });
    return copy;
  };
  const offline = async (folder: string): Promise<void> => {
    const end = await sky("kel", "interact", "--client", folder, `E${"A".repeat(43)}`, "--json");
    expect(JSON.parse(end.out)).toMatchObject({ ok: true, pending: { rotates: false } });
  };

  it("drops an event whose place another has, and keeps a copy; never one that is in force, or can still be", async () => {
    const folder = folderOf("default");
    const forked = copyOf("forked");
    await offline(forked);
    const taken = await kel("interact", `E${"AB".repeat(21)}A`, "--client", folder);
    const { sn } = JSON.parse(taken.out) as { readonly sn: number };
    const before = new ClientFolderStore(forked).read();
    const discarded = await kel("discard", "--client", forked);
    expect(discarded.code, discarded.out + discarded.err).toBe(0);
    const told = JSON.parse(discarded.out) as { readonly copy: string };
    expect(told).toMatchObject({ ok: true, sn, said: before.pending?.said, code: "KERI_DUPLICITOUS" });
    expect(readIdentity(readFileSync(told.copy))).toEqual(before);
    expect(statSync(told.copy).mode & 0o777).toBe(0o600);
    expect(new ClientFolderStore(forked).read()).toEqual({ ...before, pending: null });
    const nothing = await kel("discard", "--client", forked);
    expect([nothing.code, nothing.out + nothing.err]).toEqual([1, expect.stringContaining("NOTHING_PENDING")]);

    // The copy's process died once the cluster had it; and what nobody has seen is the cluster's to judge.
    await offline(folder);
    const submitted = copyOf("submitted");
    expect((await kel("submit", "--client", folder)).code).toBe(0);
    for (const [kept, place] of [
      [submitted, sn + 1],
      [folder, sn + 2],
    ] as const) {
      if (kept === folder) await offline(folder);
      const end = await kel("discard", "--client", kept);
      expect([end.code, end.out + end.err]).toEqual([1, expect.stringContaining("KEL_IN_FORCE")]);
      expect(new ClientFolderStore(kept).read().pending).toBeNull();
      const shown = await kel("show", "--client", kept);
      expect(JSON.parse(shown.out)).toMatchObject({ sn: place });
    }
  });
});

describe("an operator rotates", () => {
  const operator = (name: string, file = "operator.sky"): readonly string[] => [
    "--founding",
    cluster.path("founding.sky"),
    "--operator",
    cluster.path("operators", name, file),
    "--passphrase-file",
    cluster.path("operators", name, "passphrase"),
  ];
  const act = (...words: readonly string[]): Promise<CommandEnd> => sky(...words);

  it("while a node is down: the node lets it in by its new key when it returns, and refuses the old one", async () => {
    const old = cluster.path("operators", "bob", "old.sky");
    copyFileSync(cluster.path("operators", "bob", "operator.sky"), old);
    await cluster.kill("n3");
    const rotated = await act("kel", "rotate", ...operator("bob"), "--submit", "--json");
    expect(rotated.code, rotated.out + rotated.err).toBe(0);
    expect(JSON.parse(rotated.out)).toMatchObject({ establishment: { sn: 1 }, pending: null });
    const young = await act("kel", "rotate", ...operator("bob"), "--submit", "--older-than", "30", "--json");
    expect([young.code, JSON.parse(young.out)]).toMatchObject([0, { rotated: false, establishment: { sn: 1 } }]);
    await cluster.revive("n3"); // by ann and bob, with what is in bob's file now
    expect((await act("status", "n0", ...operator("bob", "old.sky"))).code).not.toBe(0);
    expect((await act("status", "n0", ...operator("bob"))).code).toBe(0);

    await cluster.ready("n3");
    expect(await act("seal", "n3", ...operator("ann"))).toMatchObject({ code: 0 });
    await cluster.sealed("n3");
    expect(await act("unseal", "n3", ...operator("ann"))).toMatchObject({ code: 0 });
    expect((await act("unseal", "n3", ...operator("bob", "old.sky"))).code).not.toBe(0);
    const unsealed = await act("unseal", "n3", ...operator("bob"));
    expect(unsealed.code, unsealed.out + unsealed.err).toBe(0);
    await cluster.serving("n3");
  });
});
