/** Four real actors: real Ed25519, real SQLite journals and logs; only the wire between them is a function call. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHash } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { ConsensusActor } from "../../../src/actors/consensus/actor.ts";
import type { Committee, ConsensusPorts, Delivery } from "../../../src/actors/consensus/ports.ts";
import { ensureGenesis, loadStart } from "../../../src/actors/consensus/start.ts";
import { type Digest, epoch, height, type MemberIndex, memberIndex } from "../../../src/base/brands.ts";
import { publicKeyOf, signer, verify } from "../../../src/crypto/ed25519.ts";
import { sha256Digest } from "../../../src/crypto/hash.ts";
import { MerkleFrontier } from "../../../src/crypto/merkle.ts";
import { blockHash, bodyHash, bundleDigest, clusterOf, genesisEvent } from "../../../src/events/facts/hashing.ts";
import { type LogDatabase, openLogDatabase } from "../../../src/events/store/log-database.ts";
import { fromGenesis, verifyRange } from "../../../src/events/store/log-verify.ts";
import { DEFAULT_TIMINGS } from "../../../src/machines/consensus/types.ts";

const hashing = { header: blockHash, body: bodyHash, bundle: bundleDigest };
const document = new TextEncoder().encode("a founding document");
const cluster = clusterOf(document);
const genesis = genesisEvent({ document, signatures: [] });
const seeds = [1, 2, 3, 4].map((n) => new Uint8Array(32).fill(n));
const keys = seeds.map(publicKeyOf);

class Node {
  readonly actor: ConsensusActor;
  readonly log: LogDatabase;
  readonly delivered: Delivery[] = [];
  /** Of other members; a slow machine's own proposal may come too late for its view. */
  readonly refused: string[] = [];
  readonly commits: number[] = [];
  alive = true;
  root: Digest = sha256Digest(new Uint8Array());

  constructor(directory: string, self: MemberIndex, nodes: (Node | undefined)[]) {
    this.log = openLogDatabase(join(directory, `log-${self}.db`), hashing);
    ensureGenesis(this.log, genesis);
    const committee: Committee = { cluster, epoch: epoch(0), self, keys, verify, timings: DEFAULT_TIMINGS };
    const sign = signer(seeds[self] as Uint8Array);
    const ports: ConsensusPorts = {
      log: this.log,
      peers: {
        send: (to, frame) => {
          const peer = nodes[to];
          setImmediate(() => {
            if (this.alive && peer?.alive === true && nodes[to] === peer) peer.actor.receive(self, frame);
          });
        },
        connected: () => nodes.flatMap((node, i) => (node?.alive === true && i !== self ? [memberIndex(i)] : [])),
      },
      clock: {
        now: () => Date.now(),
        set: (ms, run) => setTimeout(run, ms),
        clear: (handle) => clearTimeout(handle as NodeJS.Timeout),
      },
      schedule: (run) => void setImmediate(() => this.alive && run()),
      random: Math.random,
      sign: (message, done) => void setImmediate(() => this.alive && done(sign(message))),
      executor: {
        deliver: (delivery) => {
          this.delivered.push(delivery);
          this.root = createHash("sha256").update(this.root).update(delivery.hash).digest("hex") as Digest;
          const root = this.root;
          setImmediate(() => this.alive && this.actor.executed(delivery.height, root));
        },
        bundleHeld: () => {},
      },
      observer: {
        refused: (reason, from) => void (from !== null && this.refused.push(reason)),
        advanced: () => {},
        halted: () => {},
        evidence: () => {},
      },
    };
    const head = this.log.head();
    let tree = MerkleFrontier.empty;
    const check = verifyRange(this.log, fromGenesis(head?.height ?? height(0), tree));
    for (let step = check.next(); ; step = check.next()) {
      if (step.done === true) {
        if (step.value.kind !== "sound") throw new Error(step.value.reason);
        tree = step.value.tree;
        break;
      }
    }
    this.actor = new ConsensusActor(committee, ports, loadStart(this.log, committee, tree, false));
    this.actor.startDelivery(height(0));
  }

  kill(): void {
    this.alive = false;
    this.actor.stop();
    this.log.close();
  }
}

const directories: string[] = [];
const running: Node[] = [];

function start(count = 4): { nodes: (Node | undefined)[]; directory: string; boot: (i: number) => Node } {
  const directory = mkdtempSync(join(tmpdir(), "sky-consensus-"));
  directories.push(directory);
  const nodes: (Node | undefined)[] = [];
  const boot = (i: number): Node => {
    const node = new Node(directory, memberIndex(i), nodes);
    nodes[i] = node;
    running.push(node);
    for (const [other, peer] of nodes.entries()) {
      if (peer === undefined || other === i || !peer.alive) continue;
      peer.actor.post({ type: "peerConnected", member: memberIndex(i) });
      node.actor.post({ type: "peerConnected", member: memberIndex(other) });
    }
    return node;
  };
  for (let i = 0; i < count; i++) boot(i);
  return { nodes, directory, boot };
}

afterEach(() => {
  for (const node of running.splice(0)) if (node.alive) node.kill();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

const bytesOf = (node: Node): string[] =>
  node.delivered.flatMap(({ bundles }) => bundles.map((one) => bundleDigest(one)));
const batch = (n: number): Uint8Array => new TextEncoder().encode(`client batch ${n}`);

/** What never comes is given up then; real timers run here, on however busy a machine. Units: ms. */
const PATIENCE_MS = 120_000;

async function until(condition: () => boolean, what: string): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("the consensus actor", () => {
  it("orders clients' batches alike on every member, quickly and quietly", async () => {
    const { nodes } = start();
    const times: number[] = [];
    for (let i = 0; i < 30; i++) {
      const began = performance.now();
      expect(nodes[i % 4]?.actor.submit(batch(i))).toBe(true);
      await until(() => nodes.every((node) => node !== undefined && bytesOf(node).length === i + 1), `bundle ${i}`);
      times.push(performance.now() - began);
    }
    const [first] = nodes;
    for (const node of nodes) expect(node && bytesOf(node)).toEqual(first && bytesOf(first));
    for (const node of nodes) expect(node?.refused).toEqual([]);
    await until(() => nodes.every((node) => node?.actor.context.timersArmed === false), "quiet");
    times.sort((a, b) => a - b);
    console.info(`one at a time: p50 ${times[15]?.toFixed(2)} ms`);
  });

  it("lets a killed member return and catch up from its disk and its peers", async () => {
    const { nodes, boot } = start();
    for (let i = 0; i < 10; i++) nodes[0]?.actor.submit(batch(i));
    await until(
      () => nodes.every((node) => node?.actor.context.mempool.length === 0 && (node.log.head()?.height ?? 0) > 0),
      "first batch",
    );
    nodes[2]?.kill();
    for (let i = 10; i < 40; i++) {
      nodes[i % 2]?.actor.submit(batch(i));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => [0, 1, 3].every((i) => nodes[i]?.actor.context.mempool.length === 0), "the others go on");
    const returned = boot(2);
    await until(() => returned.log.head()?.hash === nodes[0]?.log.head()?.hash, "caught up");
    await until(
      () => returned.root === nodes[0]?.root && bytesOf(returned).length === bytesOf(nodes[0] as Node).length,
      "same root",
    );
    expect(bytesOf(returned)).toEqual(nodes[0] && bytesOf(nodes[0]));
    returned.actor.submit(batch(99));
    await until(
      () =>
        bytesOf(nodes[1] as Node).length === bytesOf(returned).length && returned.actor.context.mempool.length === 0,
      "it takes part",
    );
  });

  it("loses nothing when all are killed in the middle of work", async () => {
    const { nodes, boot } = start();
    for (let i = 0; i < 20; i++) nodes[i % 4]?.actor.submit(batch(i));
    await until(() => (nodes[1]?.log.head()?.height ?? 0) >= 1, "something final");
    const known = bytesOf(nodes[1] as Node);
    for (const node of nodes) node?.kill();
    for (let i = 0; i < 4; i++) boot(i);
    await until(
      () => nodes.every((node) => node !== undefined && known.every((digest) => bytesOf(node).includes(digest))),
      "all is there",
    );
    await until(() => new Set(nodes.map((node) => node?.log.head()?.hash)).size === 1, "one log");
  });

  it("refuses garbage and votes of strangers, and goes on", async () => {
    const { nodes } = start();
    const actor = nodes[0]?.actor;
    for (let i = 0; i < 200; i++) actor?.receive(memberIndex(1), crypto.getRandomValues(new Uint8Array(i)));
    expect(nodes[0]?.refused.length).toBe(200);
    nodes[3]?.actor.submit(batch(1));
    await until(() => nodes.every((node) => node !== undefined && bytesOf(node).length === 1), "still orders");
  });
});
