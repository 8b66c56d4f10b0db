/** Our own bugs in the log database. */
import type { Mutant } from "./mutant.ts";

const store = (name: string): string => `src/events/store/${name}.ts`;

const SQLITE = ["--with", "sqlite", "--minutes", "0.5"];

export const STORE: readonly Mutant[] = [
  {
    name: "store-prunes-one-view-too-many",
    why: "pruneBelow keeps the records of the view it names: they hold the flags of the first view that is not settled.",
    edits: [
      {
        file: store("log-statements"),
        find: 'queries.deleteFrom("journal").where(sql<boolean>`(epoch, view) < (${slot("epoch")}, ${slot("view")})`),',
        replace:
          'queries.deleteFrom("journal").where(sql<boolean>`(epoch, view) <= (${slot("epoch")}, ${slot("view")})`),',
      },
    ],
    options: [...SQLITE, "--fault", "crash"],
    seeds: 60,
  },
  {
    name: "store-reads-all-but-the-last-record",
    why: "The journal gives back every record that was committed.",
    edits: [
      {
        file: store("log-reader"),
        find: "this.reads.journal.all({ epoch }).map(recordOf)",
        replace: "this.reads.journal.all({ epoch }).slice(0, -1).map(recordOf)",
      },
    ],
    options: [...SQLITE, "--fault", "crash"],
    seeds: 60,
  },
  {
    name: "store-loses-roots",
    why: "The root of every executed height is stored beside its event, and stays what it was.",
    edits: [
      {
        file: store("log-reader"),
        find: "      const row = this.reads.executed.get({ height });",
        replace: "      const row = this.reads.executedHead.get({ height });",
      },
    ],
    options: [...SQLITE, "--fault", "crash"],
    seeds: 30,
  },
];
