/**
 * A process of its own for crash tests. `open <path>`: opens the log and reports. `commit <path> <size> [rounds]`: commits so
 * many rounds, or rounds without end, each a block with its bundle, vote, root and mark, and prints a round's number once its
 * commit has returned; after the last it waits to be killed. When a commit fails it tries a small one, and prints both faults.
 */
import { writeSync } from "node:fs";
import { ZERO_DIGEST, utf8 } from "../../../src/base/bytes.ts";
import { epoch, view } from "../../../src/base/brands.ts";
import { Fault } from "../../../src/base/errors.ts";
import { type LogDatabase, openLogDatabase } from "../../../src/events/store/log-database.ts";
import { Chain, bundleOf, hashing } from "../../contract/chain.ts";

const [task, path = "", size = "0", rounds = "Infinity"] = process.argv.slice(2);

/** Written at once, so that what was reported was committed before. */
const say = (line: string): void => void writeSync(1, `${line}\n`);

function commitRounds(log: LogDatabase): void {
  const chain = new Chain();
  for (let round = 0; round < Number(rounds); round++) {
    const bundle = bundleOf(`round ${round} ${"x".repeat(Number(size))}`);
    const event = chain.next(round === 0 ? [] : [bundle.digest]);
    log.commit({
      bundles: [bundle],
      append: { expected: event.height, events: [event] },
      bundleHeights: [{ digest: bundle.digest, height: event.height }],
      executed: [{ height: event.height, root: ZERO_DIGEST }],
      journal: [{ epoch: epoch(0), view: view(round), kind: "notarize", key: "", bytes: utf8(String(round)) }],
      pruneBelow: { epoch: epoch(0), view: view(Math.max(0, round - 5)) },
      marks: [{ name: "round", value: utf8(String(round)) }],
    });
    say(String(round));
  }
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

function report(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    say(`${error.code} ${error.message}`);
    process.exitCode = 3;
  }
}

report(() => {
  const log = openLogDatabase(path, hashing);
  if (task === "commit") {
    report(() => commitRounds(log));
    report(() => log.commit({ marks: [{ name: "small", value: new Uint8Array(1) }] }));
  }
  log.close();
});
