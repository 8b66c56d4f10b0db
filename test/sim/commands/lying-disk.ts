/** A disk that says "synced" too early: what was committed since the last flush is gone when the process ends. Broken on purpose. */
import type { LogHashing } from "../../../src/events/store/damage.ts";
import type { Log } from "../../../src/events/store/log.ts";
import { MemoryDisk, type Tables, type Write } from "../../../tools/sim/disk.ts";

/** Commits between two flushes. */
const FLUSH_EVERY = 8;

export class LyingDisk extends MemoryDisk {
  #flushed: Tables | undefined;
  #unflushed = 0;

  override open(path: string, hashing: LogHashing, written: (write: Write) => void): Log {
    if (this.#flushed !== undefined) restore(this.tables, this.#flushed);
    this.#flush();
    return super.open(path, hashing, (write) => {
      this.#unflushed += 1;
      if (this.#unflushed >= FLUSH_EVERY) this.#flush();
      written(write);
    });
  }

  #flush(): void {
    this.#unflushed = 0;
    const { streams, bundles, candidates, journal, executed, marks, ...rest } = this.tables;
    this.#flushed = {
      ...rest,
      streams: new Map([...streams].map(([name, events]) => [name, [...events]])),
      bundles: new Map(bundles),
      candidates: new Map(candidates),
      journal: [...journal],
      executed: new Map(executed),
      marks: new Map(marks),
    };
  }
}

function restore(tables: Tables, flushed: Tables): void {
  const refill = <K, V>(map: Map<K, V>, from: ReadonlyMap<K, V>): void => {
    map.clear();
    for (const [key, value] of from) map.set(key, value);
  };
  refill(tables.streams, new Map([...flushed.streams].map(([name, events]) => [name, [...events]])));
  refill(tables.bundles, flushed.bundles);
  refill(tables.candidates, flushed.candidates);
  refill(tables.executed, flushed.executed);
  refill(tables.marks, flushed.marks);
  tables.journal = [...flushed.journal];
  tables.executedHead = flushed.executedHead;
}
