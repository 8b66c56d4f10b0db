/** A small log with everything in it that a log can hold: for tests that read or damage it. */
import Database from "better-sqlite3";
import type { Digest } from "../../../src/base/brands.ts";
import { memberIndex } from "../../../src/base/brands.ts";
import { decode } from "../../../src/base/codec.ts";
import { Projector } from "../../../src/actors/projector/projector.ts";
import { segmentDigest, segmentsRoot } from "../../../src/events/facts/checkpoint.ts";
import { FOUNDING_BYTES_MAX, foundingDocumentShape } from "../../../src/events/facts/founding.ts";
import { dumpSegments } from "../../../src/projections/checkpoint/checkpoint.ts";
import type { GraphChange, GraphNode } from "../../../src/events/facts/graph.ts";
import { MadeLog, type MadeBlock, appendTo, openMadeLog } from "../../../tools/replay/made-log.ts";

export const node = (name: string): GraphNode => ({
  namespace: "my-org",
  name,
  relation: { namespace: "", name: "" },
});
const assertion = (subject: string, object: string): GraphChange => ({
  kind: "addAssertion",
  assertion: { subject: node(subject), object: node(object) },
});

export interface SmallLog {
  readonly made: MadeLog;
  readonly blocks: readonly { readonly block: MadeBlock; readonly root: Digest }[];
}

/** What members sign of the state that these blocks leave. */
export function segmentsAfter(made: MadeLog, blocks: SmallLog["blocks"]): Digest {
  const db = new Database(":memory:");
  const projected = blocks.map(({ block: { event, header, facts }, root }) => {
    const { height, hash, block } = event;
    return { height, hash, block, root, time: header.time, facts };
  });
  new Projector(db).apply(projected);
  const document = decode(foundingDocumentShape, made.founding.document, FOUNDING_BYTES_MAX);
  if (!document.ok) throw new Error(document.refusal.message);
  const members = document.value.founders.map(({ aid, epochKey }) => ({ aid, key: epochKey }));
  return segmentsRoot([...dumpSegments(db, members)].map(segmentDigest));
}

/** Eight blocks: writes, a refusal, a duplicate, an expired command, a batch that cannot be read, an empty block, a checkpoint. */
export function smallLog(): SmallLog {
  const made = new MadeLog();
  const blocks: { block: MadeBlock; root: Digest }[] = [];
  const keep = (block: MadeBlock): void => void blocks.push({ block, root: made.root });
  keep(made.genesis());
  const first = made.command([assertion("ali", "users")]);
  keep(made.executions([made.bundle([made.batch([first, made.command([assertion("jo", "users")])])])]));
  const forbidden = made.command([{ kind: "addSubject", subject: { ...node("x"), namespace: "sky" } }]);
  keep(made.executions([made.bundle([made.batch([forbidden, first])], memberIndex(1))], "later"));
  keep(made.executions([]));
  const late = made.command([assertion("late", "users")], -10);
  const unread = Uint8Array.of(1, 2, 3);
  keep(
    made.executions([
      made.bundle([unread, made.batch([late])]),
      made.bundle([made.batch([made.command([assertion("bo", "users")])])], memberIndex(2)),
    ]),
  );
  keep(made.checkpoint({ segments: segmentsAfter(made, blocks) }));
  keep(
    made.executions(
      [
        made.bundle([
          made.batch([
            made.command([{ kind: "deleteAssertion", assertion: { subject: node("jo"), object: node("users") } }]),
          ]),
        ]),
      ],
      "later",
    ),
  );
  keep(made.executions([]));
  return { made, blocks };
}

/** Writes it; returns the root after the last block. */
export function makeSmallLog(path: string): Digest {
  const { made, blocks } = smallLog();
  const log = openMadeLog(path);
  for (const { block, root } of blocks) appendTo(log, block, root);
  log.close();
  return made.root;
}
