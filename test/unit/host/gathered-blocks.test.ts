/** Blocks are handed to the projector together, a little later: nobody who asks about the past waits for that. */
import { expect, it } from "vitest";
import { height } from "../../../src/base/brands.ts";
import { present } from "../../../src/base/errors.ts";
import { Outbox } from "../../../src/host/consensus/outbox.ts";
import { NodeKerl } from "../../../src/host/node/kerl.ts";
import { LedgerWorld, authorOf } from "../kerl/ledger-world.ts";

it("a question about a block that the projector does not have yet hurries it", async () => {
  const world = new LedgerWorld(true);
  world.project();
  const founder = present(world.founders[0], "a founder");
  const kerl: NodeKerl = new NodeKerl({
    ledger: world.ledger,
    projector: () => ({
      askKerl: async (question) => world.projector.askKerl(question),
      hurry: () =>
        setImmediate(() => {
          world.project();
          kerl.projected(height(world.projector.height));
        }),
    }),
    projected: () => world.projector.height,
  });
  world.block(world.append(authorOf(founder), founder.rotation().message));
  expect(world.projector.height).toBeLessThan(world.ledger.height);
  const log = await kerl.log(founder.aid, kerl.height());
  expect(log.ok && log.value.events.map(({ sn }) => sn)).toEqual([0, 1]);
});

it("what is kept leaves in its order with what is posted next, and not by itself", async () => {
  const posts: unknown[] = [];
  const outbox = new Outbox<string>({ postMessage: (messages: unknown) => void posts.push(messages) });
  outbox.keep("block 1");
  outbox.keep("block 2");
  await new Promise((resolve) => setImmediate(resolve));
  expect(posts).toEqual([]);
  outbox.post("question");
  outbox.keep("block 3");
  await new Promise((resolve) => setImmediate(resolve));
  expect(posts).toEqual([["block 1", "block 2", "question", "block 3"]]);
  outbox.keep("block 4");
  outbox.flush();
  expect(posts.slice(1)).toEqual([["block 4"]]);
});
