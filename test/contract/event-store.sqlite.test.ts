import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteEventStore } from "../../src/events/store/sqlite-event-store.ts";
import { hashing } from "./chain.ts";
import { describeEventStore } from "./event-store.contract.ts";

describeEventStore("SQLite", async () => {
  const directory = await mkdtemp(join(tmpdir(), "sky-store-"));
  return {
    open: async () => openSqliteEventStore(join(directory, "log.db"), hashing),
    remove: () => rm(directory, { recursive: true }),
  };
});
