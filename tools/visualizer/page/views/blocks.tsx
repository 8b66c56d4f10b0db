/**
 * The block timeline: a column for each view, with its leader, what was proposed, who voted how, which certificates came of it, and
 * evidence. Two proposals of one leader stand side by side, each with the votes it got.
 */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Entry } from "../../../../src/host/inspector/contract.ts";
import { viewsOf } from "../model/entries.ts";
import { nameOfEvidence } from "../model/marks.ts";
import type { Moment } from "../model/moment.ts";
import type { Store } from "../model/store.ts";
import {
  type Outcome,
  type Proposal,
  type ViewRow,
  type Vote,
  type VoteKind,
  outcomeOf,
} from "../model/views-of-consensus.ts";
import { shortHash, spanOf } from "../model/words.ts";
import { memberClass } from "../parts/nodes.tsx";
import type { View, ViewProps } from "../view.ts";

/** Columns before and after the one of the cursor. */
const BEFORE = 11;
const AFTER = 6;

const OUTCOMES: Readonly<Record<Outcome, string>> = {
  final: "final",
  finalized: "finalized",
  nullified: "given up",
  notarized: "notarized",
  open: "open",
};
const VOTES: readonly { readonly kind: VoteKind; readonly sign: string; readonly word: string }[] = [
  { kind: "notarize", sign: "N", word: "notarize" },
  { kind: "finalize", sign: "F", word: "finalize" },
  { kind: "nullify", sign: "∅", word: "nullify" },
];

/** A view as it was at the cursor: what came later is not known yet. */
function rowAt(row: ViewRow, isPast: (entry: Entry) => boolean): ViewRow {
  const isFinal = row.finalEntry !== null && isPast(row.finalEntry);
  return {
    ...row,
    proposals: row.proposals.filter(({ entry }) => isPast(entry)),
    votes: row.votes.filter(({ entry }) => isPast(entry)),
    certificates: row.certificates.filter(({ entry }) => isPast(entry)),
    evidence: row.evidence.filter(isPast),
    block: isFinal ? row.block : null,
    finalEntry: isFinal ? row.finalEntry : null,
  };
}

/** Everything that the reader may point at goes there. */
function Go(props: {
  readonly store: Store;
  readonly entry: Entry;
  readonly class: string;
  readonly title: string;
  readonly text: string;
}) {
  const { store, entry, title, text } = props;
  return (
    <button type="button" class={props.class} title={title} onClick={() => store.goToEntry(entry)}>
      {text}
    </button>
  );
}

/** Proposals of a view, told apart by letters when there is more than one. */
const letterOf = (proposals: readonly Proposal[], hash: string | null): string => {
  const index = proposals.findIndex((one) => one.hash === hash);
  return proposals.length < 2 || index < 0 ? "" : String.fromCharCode(97 + index);
};

function Proposals({ store, row }: { readonly store: Store; readonly row: ViewRow }) {
  const { proposals, block } = row;
  if (proposals.length === 0) return <span class="quiet">{block === null ? "–" : shortHash(block.hash)}</span>;
  return (
    <div class={`proposals ${proposals.length > 1 ? "two" : ""}`}>
      {proposals.map(({ hash, entry }) => {
        const letter = letterOf(proposals, hash);
        const isFinal = block?.hash === hash;
        return (
          <Go
            key={hash}
            store={store}
            entry={entry}
            class={`proposal ${isFinal ? "final" : ""}`}
            title={`Block ${hash}${isFinal ? ", final" : ""}: first seen by ${entry.node}`}
            text={`${letter === "" ? "" : `${letter} `}${shortHash(hash)}`}
          />
        );
      })}
    </div>
  );
}

function VotesOf({ store, row, member }: { readonly store: Store; readonly row: ViewRow; readonly member: string }) {
  const own = row.votes.filter((vote) => vote.member === member);
  const isTwice = (kind: VoteKind): boolean => own.filter((vote) => vote.kind === kind).length > 1;
  const said = (vote: Vote, word: string): string =>
    `${member} voted to ${word}${vote.hash === null ? "" : ` ${shortHash(vote.hash)}`}${isTwice(vote.kind) ? ", twice in one view" : ""}`;
  if (own.length === 0) return <span class="quiet">·</span>;
  return (
    <span class="votes">
      {VOTES.flatMap(({ kind, sign, word }) =>
        own
          .filter((vote) => vote.kind === kind)
          .map((vote) => (
            <Go
              key={`${kind}${vote.hash ?? ""}`}
              store={store}
              entry={vote.entry}
              class={`vote ${kind} ${isTwice(kind) ? "twice" : ""}`}
              title={said(vote, word)}
              text={`${sign}${letterOf(row.proposals, vote.hash)}`}
            />
          )),
      )}
    </span>
  );
}

/** A log keeps the certificate of a final block, and the steps that made it nowhere. */
function OfTheLog({ store, row }: { readonly store: Store; readonly row: ViewRow }) {
  const { block, finalEntry } = row;
  if (block === null || finalEntry === null || block.signers.length === 0) return <span class="quiet">–</span>;
  const signers = block.signers.join(", ");
  return (
    <>
      <Go
        store={store}
        entry={finalEntry}
        class="certificate finalization"
        title={`finalization ${shortHash(block.hash)}, signed by ${signers}`}
        text="finalization"
      />
      <span class="quiet small">{block.signers.join(" ")}</span>
    </>
  );
}

function Certificates({ store, row }: { readonly store: Store; readonly row: ViewRow }) {
  if (row.certificates.length === 0) return <OfTheLog store={store} row={row} />;
  return (
    <div class="certificates">
      {row.certificates.map(({ kind, hash, signers, entry }) => (
        <Go
          key={`${kind}${hash ?? ""}`}
          store={store}
          entry={entry}
          class={`certificate ${kind}`}
          title={`${kind} ${hash === null ? "" : shortHash(hash)}${signers.length === 0 ? "" : `, signed by ${signers.join(", ")}`}; first seen by ${entry.node}`}
          text={[kind, letterOf(row.proposals, hash)].join(" ")}
        />
      ))}
    </div>
  );
}

function Result({ store, row }: { readonly store: Store; readonly row: ViewRow }) {
  const outcome = outcomeOf(row);
  const { block, finalEntry, proposals } = row;
  if (block === null || finalEntry === null) return <span class={`outcome ${outcome}`}>{OUTCOMES[outcome]}</span>;
  const first = Math.min(...proposals.map(({ entry }) => entry.at));
  const took = Number.isFinite(first) ? `${spanOf(finalEntry.at - first)} after its proposal` : "";
  const content = block.body === "executions" ? (block.commands === null ? "" : `${block.commands} cmd`) : block.body;
  return (
    <>
      <Go
        store={store}
        entry={finalEntry}
        class="outcome final"
        title={`Final ${took}`}
        text={`block ${block.height}`}
      />
      <span class="quiet small">
        {content}
        {block.refused !== null && block.refused > 0 && <span class="warn">{`, ${block.refused} refused`}</span>}
      </span>
    </>
  );
}

function Evidence({ store, row }: { readonly store: Store; readonly row: ViewRow }) {
  if (row.evidence.length === 0) return <span class="quiet">–</span>;
  return (
    <div class="certificates">
      {row.evidence.map((entry) => (
        <Go
          key={`${entry.member}${entry.evidence}`}
          store={store}
          entry={entry}
          class="evidence-chip"
          title={`${entry.member} ${nameOfEvidence(entry.evidence)}: held by ${entry.node}`}
          text={`${entry.member} ${nameOfEvidence(entry.evidence)}`}
        />
      ))}
    </div>
  );
}

/** The columns around the cursor, each as it was there, and which of them is the cursor's own. */
function columnsAt(store: Store, moment: Moment): { readonly rows: readonly ViewRow[]; readonly current: number } {
  const all = store.consensus.all();
  const named = moment.entry === null ? undefined : viewsOf(moment.entry)[0];
  const current = named ?? moment.view ?? all.at(-1)?.view ?? 0;
  const at = Math.max(
    0,
    all.findLastIndex(({ view }) => view <= current),
  );
  const isPast = (entry: Entry): boolean => {
    const { position } = store.history.positionOf(entry);
    return position >= 0 && position <= moment.position;
  };
  const rows = all.slice(Math.max(0, at - BEFORE), at + AFTER + 1).map((row) => rowAt(row, isPast));
  return { rows, current };
}

const isEmpty = ({ proposals, votes, certificates, block }: ViewRow): boolean =>
  proposals.length + votes.length + certificates.length === 0 && block === null;

/** One line of the table: what it is called, and its cell in each column. */
interface Line {
  readonly head: string;
  readonly class?: string;
  readonly cell: (row: ViewRow) => ComponentChildren;
}

function linesOf(store: Store): readonly Line[] {
  const members = store.source?.nodes.map(({ name }) => name) ?? [];
  return [
    {
      head: "Leader",
      cell: ({ leader }) => <span class={`who ${memberClass(store, leader ?? "")}`}>{leader ?? "–"}</span>,
    },
    { head: "Proposed", cell: (row) => <Proposals store={store} row={row} /> },
    ...members.map((member) => ({
      head: member,
      class: `member-row ${memberClass(store, member)}`,
      cell: (row: ViewRow) => <VotesOf store={store} row={row} member={member} />,
    })),
    { head: "Certified", cell: (row) => <Certificates store={store} row={row} /> },
    { head: "Outcome", cell: (row) => <Result store={store} row={row} /> },
    { head: "Evidence", cell: (row) => <Evidence store={store} row={row} /> },
  ];
}

/** Scrolls the cursor's column into sight, and leaves the reader alone while it is. */
function useColumnInSight(current: number, columns: number) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const frame = box.current;
    const column = frame?.querySelector<HTMLElement>('[aria-current="true"]') ?? null;
    if (column === null || frame === null) return;
    const isSeen =
      column.offsetLeft >= frame.scrollLeft + 90 &&
      column.offsetLeft + column.offsetWidth <= frame.scrollLeft + frame.clientWidth;
    if (!isSeen) frame.scrollLeft = column.offsetLeft - frame.clientWidth / 2;
  }, [current, columns]);
  return box;
}

function Blocks({ store, moment }: ViewProps) {
  const { rows, current } = columnsAt(store, moment);
  const box = useColumnInSight(current, rows.length);
  if (rows.length === 0) return <p class="absent">No view has begun yet.</p>;
  const classOf = (row: ViewRow): string =>
    `${row.view === current ? "current" : ""} ${isEmpty(row) ? "later" : ""} ${row.evidence.length > 0 ? "accused" : ""}`;
  return (
    <div class="blocks">
      <p class="legend quiet">
        Each column is one view. Votes: <b class="notarize">N</b> notarize, <b class="finalize">F</b> finalize,{" "}
        <b class="nullify">∅</b> nullify. Choose anything to go to the moment it was first seen.
      </p>
      <div class="blocks-scroll" ref={box}>
        <table>
          <thead>
            <tr>
              <th scope="row">View</th>
              {rows.map((row) => (
                <th
                  key={row.view}
                  scope="col"
                  class={classOf(row)}
                  aria-current={row.view === current ? "true" : undefined}
                >
                  <span class="number">{row.view}</span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {linesOf(store).map((line) => (
              <tr key={line.head} class={line.class}>
                <th scope="row">{line.head}</th>
                {rows.map((row) => (
                  <td key={row.view} class={classOf(row)}>
                    {line.cell(row)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

export const view: View = { name: "blocks", title: "Blocks", key: "3", Component: Blocks };
