/** Messages across all nodes: lifelines from top to bottom, and what went from one to another. Only what is in sight is drawn. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { SourceDescription } from "../../../../src/host/inspector/contract.ts";
import type { Moment } from "../model/moment.ts";
import type { Store } from "../model/store.ts";
import { shortened } from "../model/words.ts";
import type { View, ViewProps } from "../view.ts";
import { type Size, useSize } from "./hooks.ts";
import { MessageFields, arrivals } from "./sequence-fields.tsx";
import { type Diagram, Diagrams } from "./sequence-diagram.ts";
import { type Filter, type Row, rowsInSight, scrollTo } from "./sequence-rows.ts";
import { Arrow, type Columns, columnsFor, Lifelines, ROW, RowMark } from "./sequence-drawing.tsx";

const NAME = "sequence";

/** `-notarize,-n3,+notes`: what the link says is left out. */
function readFocus(focus: string | null, names: readonly string[]): Filter {
  const hidden = (focus ?? "").split(",").filter((word) => word.startsWith("-"));
  const words = hidden.map((word) => word.slice(1));
  return {
    hiddenTypes: new Set(words.filter((word) => word !== "notes" && !names.includes(word))),
    hiddenNodes: new Set(words.filter((word) => names.includes(word))),
    notes: !words.includes("notes"),
  };
}

function toggled(focus: string | null, word: string): string | null {
  const words = new Set((focus ?? "").split(",").filter((one) => one !== ""));
  if (!words.delete(`-${word}`)) words.add(`-${word}`);
  return words.size === 0 ? null : [...words].toSorted().join(",");
}

function Toggle(props: {
  readonly isOn: boolean;
  readonly onToggle: () => void;
  readonly children: string;
  readonly kind?: string;
}) {
  return (
    <button type="button" class={`chip ${props.kind ?? ""}`} aria-pressed={props.isOn} onClick={props.onToggle}>
      {props.children}
    </button>
  );
}

function Filters({
  store,
  diagram,
  filter,
  names,
}: {
  readonly store: Store;
  readonly diagram: Diagram;
  readonly filter: Filter;
  readonly names: readonly string[];
}) {
  const toggle = (word: string) => () => store.setFocus(NAME, toggled(store.focusOf(NAME), word));
  return (
    <div class="seq-filters">
      <div class="chips" role="group" aria-label="Nodes shown">
        {names.map((name) => (
          <Toggle key={name} isOn={!filter.hiddenNodes.has(name)} onToggle={toggle(name)}>
            {name}
          </Toggle>
        ))}
        <Toggle isOn={filter.notes} onToggle={toggle("notes")}>
          views and blocks
        </Toggle>
      </div>
      <div class="chips" role="group" aria-label="Messages shown">
        {diagram.types.map(([type, count]) => (
          <Toggle key={type} kind={`m-${type}`} isOn={!filter.hiddenTypes.has(type)} onToggle={toggle(type)}>
            {`${type} ${count}`}
          </Toggle>
        ))}
      </div>
    </div>
  );
}

/** What a screen reader hears of a row. */
function spoken(row: Row, diagram: Diagram): string {
  if (row.kind === "note") return `${row.node}: ${row.label}`;
  return row.messages.map((id) => arrivals(diagram.messages.all[id])).join("; ");
}

interface DrawingProps {
  readonly store: Store;
  readonly diagram: Diagram;
  readonly columns: Columns;
  readonly size: Size;
  readonly scrollTop: number;
  readonly cursorRow: number;
}

function Drawing({ store, diagram, columns, size, scrollTop, cursorRow }: DrawingProps) {
  const { rows, messages } = diagram;
  const count = rows.all.length;
  const { from, to } = rowsInSight(scrollTop, size.height, ROW, count);
  const shown = rows.all.slice(from, to + 1);
  const chosenRow = rows.all[cursorRow];
  const chosen = new Set(chosenRow === undefined || chosenRow.kind === "note" ? [] : chosenRow.messages);
  return (
    <svg class="seq-svg" width={columns.width} height={Math.max(count * ROW, 1)} role="presentation">
      {cursorRow >= 0 && <rect class="seq-cursor" x="0" y={cursorRow * ROW} width={columns.width} height={ROW} />}
      <Lifelines columns={columns} lives={rows.lives} from={from} to={to} count={count} />
      {rows.messagesBetween(from, to).map((id) => {
        const message = messages.all[id];
        return message && <Arrow key={id} {...{ message, rows, columns }} isChosen={chosen.has(id)} />;
      })}
      {shown.map((row, at) => (
        <g
          key={row.first}
          id={`seq-row-${from + at}`}
          class="seq-row"
          role="option"
          aria-selected={from + at === cursorRow}
          aria-label={spoken(row, diagram)}
          onClick={() => store.goToPosition(row.first)}
        >
          <rect class="seq-hit" x="0" y={(from + at) * ROW} width={columns.width} height={ROW} />
          <RowMark row={row} at={from + at} columns={columns} messages={messages} />
        </g>
      ))}
    </svg>
  );
}

/** Keys of the list: what they do to the row under the cursor. */
const KEYS: Readonly<Record<string, (row: number, page: number, last: number) => number>> = {
  ArrowUp: (row) => row - 1,
  ArrowDown: (row) => row + 1,
  PageUp: (row, page) => row - page,
  PageDown: (row, page) => row + page,
  Home: () => 0,
  End: (_row, _page, last) => last,
};

function Scroller({
  store,
  diagram,
  columns,
  cursorRow,
  size,
  box,
}: Omit<DrawingProps, "scrollTop"> & {
  readonly box: ReturnType<typeof useSize<HTMLDivElement>>["ref"];
}) {
  const [scrollTop, setScrollTop] = useState(0);
  const count = diagram.rows.all.length;
  const frame = useRef(0);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null || cursorRow < 0) return;
    const top = scrollTo(cursorRow, element.scrollTop, size.height, ROW, count);
    if (top !== element.scrollTop) element.scrollTop = top;
    setScrollTop(element.scrollTop);
  }, [cursorRow, size.height, diagram.from]);
  useEffect(() => () => cancelAnimationFrame(frame.current), []);
  const onScroll = (): void => {
    cancelAnimationFrame(frame.current);
    frame.current = requestAnimationFrame(() => setScrollTop(box.current?.scrollTop ?? 0));
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const key = KEYS[event.key];
    if (key === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const page = Math.max(1, Math.floor(size.height / ROW) - 1);
    const wanted = Math.max(0, Math.min(key(cursorRow, page, count - 1), count - 1));
    const row = diagram.rows.all[wanted];
    if (row !== undefined) store.goToPosition(row.first);
  };
  return (
    <div
      ref={box}
      class="seq-scroll"
      role="listbox"
      tabIndex={0}
      aria-label="Messages in the order of time"
      aria-activedescendant={cursorRow < 0 ? undefined : `seq-row-${cursorRow}`}
      onScroll={onScroll}
      onKeyDown={onKeyDown}
    >
      <Drawing {...{ store, diagram, columns, size, scrollTop, cursorRow }} />
    </div>
  );
}

/** Of a name above its lifeline: a letter, and the room at both sides. Units: px. */
const HEAD_LETTER = 7.5;
const HEAD_SIDES = 18;

function Heads({
  columns,
  moment,
  source,
}: {
  readonly columns: Columns;
  readonly moment: Moment;
  readonly source: SourceDescription;
}) {
  const letters = Math.max(3, Math.floor((columns.step - HEAD_SIDES) / HEAD_LETTER));
  return (
    <svg class="seq-heads" width={columns.width} height="38" role="img" aria-label="Lifelines of the nodes">
      {columns.names.map((name) => {
        const x = columns.x(name);
        const node = moment.nodes.get(name);
        const described = source.nodes.find((one) => one.name === name);
        const role = described?.role ?? "honest";
        const leads = moment.leader === name;
        const label = shortened(name, letters);
        const pill = Math.min(columns.step - 4, Math.max(48, label.length * HEAD_LETTER + HEAD_SIDES));
        return (
          <g
            key={name}
            class={`head member member-${(described?.index ?? 0) % 8} ${node?.standing ?? "unknown"} ${leads ? "leader" : ""} ${role === "honest" ? "" : "byzantine"}`}
          >
            <title>{`${name}${leads ? ", leads this view" : ""}${role === "honest" ? "" : `, ${role}`}`}</title>
            <rect x={x - pill / 2} y="3" width={pill} height="20" rx="10" />
            <text x={x} y="17" text-anchor="middle">
              {label}
            </text>
            <text class="head-note" x={x} y="34" text-anchor="middle">
              {node?.standing === "ended" ? "ended" : node?.view === null || node === undefined ? "" : `v${node.view}`}
            </text>
          </g>
        );
      })}
    </svg>
  );
}

function Sequence({ store, moment }: ViewProps) {
  const source = store.source;
  const focus = store.focusOf(NAME);
  const names = useMemo(() => (source?.nodes ?? []).map(({ name }) => name), [source]);
  const filter = useMemo(() => readFocus(focus, names), [focus, names]);
  const diagrams = useMemo(() => new Diagrams(store.history, filter), [store]);
  const { ref, size } = useSize<HTMLDivElement>({ width: 640, height: 480 });
  const diagram = diagrams.around(moment.position, filter);
  const shownNames = names.filter((name) => !filter.hiddenNodes.has(name));
  const columns = columnsFor(shownNames, size.width);
  const cursorRow = diagram.rows.rowAt(moment.position);
  if (source === null) return <p>Waiting for the source.</p>;
  return (
    <div class="looks seq">
      <Filters {...{ store, diagram, filter, names }} />
      <div class="seq-body">
        <div class="seq-main">
          <Heads columns={columns} moment={moment} source={source} />
          {diagram.rows.all.length === 0 && <p class="quiet">No message is held that passes the filter.</p>}
          <Scroller {...{ store, diagram, columns, cursorRow, size }} box={ref} />
          {diagram.to - diagram.from < store.history.length && (
            <p class="quiet">
              {`Entries ${diagram.from + 1} to ${diagram.to} of ${store.history.length}; move the slider for others.`}
            </p>
          )}
        </div>
        <MessageFields store={store} diagram={diagram} row={diagram.rows.all[cursorRow]} />
      </div>
    </div>
  );
}

export const view: View = {
  name: NAME,
  title: "Sequence",
  key: "2",
  Component: Sequence,
};
