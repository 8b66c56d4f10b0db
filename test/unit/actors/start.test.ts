/** "On restart, load the flags first, process no message before that" of consensus.md. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { Committee } from "../../../src/actors/consensus/ports.ts";
import { ensureGenesis, loadStart, votesAboveMark } from "../../../src/actors/consensus/start.ts";
import { epoch, height, memberIndex, view } from "../../../src/base/brands.ts";
import { encode } from "../../../src/base/codec.ts";
import { verify } from "../../../src/crypto/ed25519.ts";
import { present } from "../../../src/base/errors.ts";
import { sha256Digest } from "../../../src/crypto/hash.ts";
import { MerkleFrontier } from "../../../src/crypto/merkle.ts";
import { voteBytes } from "../../../src/events/facts/hashing.ts";
import { peerMessageShape } from "../../../src/events/facts/peer-message.ts";
import { type LogDatabase, openLogDatabase } from "../../../src/events/store/log-database.ts";
import { DEFAULT_TIMINGS } from "../../../src/machines/consensus/types.ts";
import { World, cluster, genesis, hashing, keys, signers } from "./world.ts";

const endings: (() => void)[] = [];
afterEach(() => {
  for (const end of endings.splice(0)) end();
});

const committee: Committee = { cluster, epoch: epoch(0), self: memberIndex(1), keys, verify, timings: DEFAULT_TIMINGS };
const tree = MerkleFrontier.empty.appended(genesis.hash);
const block = sha256Digest(Uint8Array.of(1));
const none = new Uint8Array(0);

function emptyLog(): LogDatabase {
  const directory = mkdtempSync(join(tmpdir(), "sky-start-"));
  const log = openLogDatabase(join(directory, "log.db"), hashing);
  endings.push(() => {
    log.close();
    rmSync(directory, { recursive: true });
  });
  ensureGenesis(log, genesis);
  return log;
}

const vote = (of: number, at: number, key: string) =>
  ({ epoch: epoch(of), view: view(at), kind: "vote", key, bytes: none }) as const;

describe("what a member starts with", () => {
  it("is every vote of its own epoch's journal, and none of another epoch's", () => {
    const log = emptyLog();
    log.commit({
      journal: [
        vote(1, 2, "nullify/"),
        vote(0, 3, `notarize/${block}`),
        vote(1, 3, "nullify/"),
        vote(0, 3, "nullify/"),
      ],
    });
    expect(loadStart(log, committee, tree, false).context.own).toEqual({ 3: { notarize: block, nullify: true } });
    expect(loadStart(log, { ...committee, epoch: epoch(1) }, tree, false).context.own).toEqual({
      2: { nullify: true },
      3: { nullify: true },
    });
  });

  it("is nothing that a commit has pruned, and the head's own finalization", () => {
    const log = emptyLog();
    log.commit({ journal: [vote(0, 1, "nullify/"), vote(0, 5, "nullify/")] });
    log.commit({ pruneBelow: { epoch: epoch(0), view: view(4) } });
    const { context } = loadStart(log, committee, tree, false);
    expect(context.own).toEqual({ 5: { nullify: true } });
    expect(context.view).toBe(5);
  });

  it("is no right to vote while the journal is lost, and the survey's bound ever after", () => {
    const log = emptyLog();
    expect(loadStart(log, committee, tree, true).context.votesAbove).toBe("unknown");
    log.commit({ marks: [votesAboveMark(view(41))] });
    expect(loadStart(log, committee, tree, true).context.votesAbove).toBe(41);
    expect(loadStart(log, committee, tree, false).context.votesAbove).toBe(41);
  });

  it("is the root of every executed height that a block may still name, however far behind it is", () => {
    const log = emptyLog();
    const executed = Array.from({ length: 400 }, (_, at) => ({
      height: height(at),
      root: sha256Digest(Uint8Array.of(at % 251, 7)),
    }));
    log.commit({ executed });
    // The head is genesis, which names height 0: any later block may name any height from there on.
    const { roots } = loadStart(log, committee, tree, false).context;
    expect(Object.keys(roots)).toHaveLength(400);
  });
});

describe("a message that arrives before the first drain", () => {
  it("meets the flags of the journal", () => {
    const world = new World(1);
    endings.push(() => world.end());
    const log = openLogDatabase(world.path(memberIndex(0)), hashing);
    ensureGenesis(log, genesis);
    log.commit({ journal: [vote(0, 1, `notarize/${block}`)] });
    log.close();
    const node = world.boot(0);
    // Members 1 to 3 nullify view 1 before this one has said anything: it stays with what it said.
    for (const from of [1, 2, 3]) {
      const signature = present(signers[from], "a member")(voteBytes(cluster, "nullify", epoch(0), view(1), null));
      const member = memberIndex(from);
      const said = {
        kind: "vote",
        vote: "nullify",
        epoch: epoch(0),
        view: view(1),
        hash: null,
        member,
        signature,
      } as const;
      node.actor.receive(member, encode(peerMessageShape, said));
    }
    node.actor.drain();
    expect(node.actor.context.own[1]).toEqual({ notarize: block, nullify: true });
    expect(node.actor.context.view).toBe(2);
    expect(
      node.log.journal(epoch(0)).filter(({ kind, key }) => kind === "vote" && key.startsWith("notarize")),
    ).toHaveLength(1);
  });
});
