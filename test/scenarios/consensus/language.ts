/** Scripts of one member of a committee. Header: `member 0 of 4`, then the blocks (book.ts); inputs: sentences.ts. */
import { standingOf } from "../../../src/machines/consensus/consensus.machine.ts";
import { type Language, ScriptError } from "../script.ts";
import { Book } from "./book.ts";
import { effectLine } from "./effects.ts";
import { EMPTY_DISK, type Life, boot, isOwed, take } from "./life.ts";
import { type Input, reader } from "./sentences.ts";

const MEMBER = /^member (\d+) of (\d+)$/;

export const consensusLanguage: Language = (header) => {
  const book = new Book();
  const [, self, size] = MEMBER.exec(header[0] ?? "") ?? [];
  if (self === undefined || size === undefined)
    throw new ScriptError("a script begins with a line like: member 0 of 4");
  for (const line of header.slice(1))
    if (!book.declare(line))
      throw new ScriptError(`"${line}" declares no block; like: block A view 1 on genesis with x`);

  let life = boot({ self: Number(self), size: Number(size), disk: EMPTY_DISK });
  let stood = "";
  const read = reader(book, life.size);
  return {
    take: (line) => {
      const told: string[] = [];
      for (const input of read(line)) {
        if (input.kind === "event" && !isOwed(life.duties, input.event))
          throw new ScriptError(
            "the machine did not ask for that: no such timer runs, or nothing of the kind is awaited",
          );
        life = live(life, input, book);
        if (life.refused !== undefined) told.push(`refused: ${life.refused.message}`);
        for (const effect of life.effects) told.push(effectLine(book, effect));
      }
      const { context } = life.snapshot;
      const stands = `= ${standingOf(context)}, view ${context.view}, final ${book.name(context.final.hash)}`;
      if (stands !== stood) told.push(stands);
      stood = stands;
      return told;
    },
  };
};

/** The life after one input. A restart forgets all that was not recorded; `start` must follow. */
export function live(life: Life, input: Input, book: Book): Life {
  if (input.kind === "event") return take(life, input.event, (hash) => book.blockOf(hash));
  const { log, executed, roots, mempool } = life.disk;
  const disk = input.keepsJournal
    ? life.disk
    : { ...EMPTY_DISK, log, executed, roots, mempool, votesAbove: "unknown" as const };
  return boot({ ...life, disk });
}
