/** The strokes of the sequence diagram: lifelines, arrows, crosses, notes. Coordinates are px of the scrolled drawing. */
import { shortened } from "../model/words.ts";
import type { Message, Messages } from "./sequence-messages.ts";
import { type Life, type Row, type Rows, typeOf } from "./sequence-rows.ts";

export const ROW = 18;
/** Where the words of a row stand; lifelines begin right of it. Units: px. */
const GUTTER_WIDE = 190;
const GUTTER_NARROW = 142;
const COLUMN_MAX = 170;
/** Of a node's name in the gutter, beside what was said. */
const NAME_LETTERS = 8;
/** Below this the drawing is that of a phone. Units: px. */
const NARROW = 560;

export interface Columns {
  readonly names: readonly string[];
  readonly width: number;
  readonly gutter: number;
  /** Between two lifelines. */
  readonly step: number;
  readonly x: (name: string) => number;
}

/** Lifelines side by side, as wide apart as there is room. */
export function columnsFor(names: readonly string[], width: number): Columns {
  const gutter = width < NARROW ? GUTTER_NARROW : GUTTER_WIDE;
  const step = Math.min(COLUMN_MAX, (width - gutter) / Math.max(1, names.length));
  const places = new Map(names.map((name, at) => [name, gutter + step * (at + 0.5)]));
  return { names, width, gutter, step, x: (name) => places.get(name) ?? gutter };
}

const middle = (row: number): number => row * ROW + ROW / 2;

export function Lifelines(props: {
  readonly columns: Columns;
  readonly lives: readonly Life[];
  readonly from: number;
  readonly to: number;
  readonly count: number;
}) {
  const { columns, lives, from, to, count } = props;
  const top = Math.max(0, from) * ROW;
  const bottom = Math.min(count, to + 1) * ROW;
  return (
    <g class="lifelines">
      {columns.names.map((name) => {
        const x = columns.x(name);
        const own = lives.filter(({ node }) => node === name);
        const alive = own.length === 0 ? [{ from: 0, to: null }] : own;
        return (
          <g key={name}>
            <line class="life-gone" x1={x} x2={x} y1={top} y2={bottom} />
            {alive
              .map((life) => ({
                y1: Math.max(top, middle(life.from)),
                y2: Math.min(bottom, life.to === null ? bottom : middle(life.to)),
              }))
              .filter(({ y1, y2 }) => y2 > y1)
              .map(({ y1, y2 }) => (
                <line key={y1} class="life" x1={x} x2={x} y1={y1} y2={y2} />
              ))}
          </g>
        );
      })}
    </g>
  );
}

/** From the row where a message was sent to the one where it arrived; a message that did not arrive ends short, with a cross when it is known why. */
export function Arrow({
  message,
  rows,
  columns,
  isChosen,
}: {
  readonly message: Message;
  readonly rows: Rows;
  readonly columns: Columns;
  readonly isChosen: boolean;
}) {
  const ends = rows.endsOf(message.id);
  if (ends === undefined) return null;
  const isBackwards = message.sent !== null && message.delivered !== null && message.delivered < message.sent;
  const [start, end] = isBackwards ? [ends.last, ends.first] : [ends.first, ends.last];
  const x1 = columns.x(message.from);
  const x2 = columns.x(message.to);
  const y1 = middle(start);
  const y2 = middle(end);
  const side = x2 > x1 ? 1 : -1;
  const look = `${isChosen ? "chosen" : ""} m-${typeOf(message.summary)}`;
  if (message.dropped !== null) {
    const x = x1 + (x2 - x1) * 0.7;
    const y = y1 + (y2 - y1) * 0.7;
    return (
      <g class={`arrow dropped ${look}`}>
        <line x1={x1} y1={y1} x2={x} y2={y} />
        <path class="cross" d={`M${x - 4} ${y - 4}l8 8M${x - 4} ${y + 4}l8 -8`}>
          <title>{`dropped: ${message.dropped.reason}`}</title>
        </path>
      </g>
    );
  }
  const isSeen = message.delivered !== null;
  const tip = `M${x2 - side * 2} ${y2}l${-side * 7} -3.5v7z`;
  return (
    <g class={`arrow ${isSeen ? "" : "unseen"} ${message.sent === null ? "unsent" : ""} ${look}`}>
      <line
        x1={x1}
        y1={y1}
        x2={isSeen ? x2 - side * 5 : x1 + (x2 - x1) * 0.8}
        y2={isSeen ? y2 : y1 + (y2 - y1) * 0.8}
      />
      {isSeen && <path class="tip" d={tip} />}
    </g>
  );
}

/** The words of a row, and a dot on its lifeline. */
export function RowMark(props: {
  readonly row: Row;
  readonly at: number;
  readonly columns: Columns;
  readonly messages: Messages;
}) {
  const { row, at, columns, messages } = props;
  const name = shortened(row.node, NAME_LETTERS);
  const x = columns.x(row.node);
  const y = middle(at);
  if (row.kind === "note")
    return (
      <g class={`note note-${row.note}`}>
        <text x="6" y={y + 4}>
          {`${name} ${whole(row.label, columns.gutter, name.length + 1)}`}
        </text>
        {row.note === "evidence" || row.note === "ended" ? (
          <path d={`M${x} ${y - 6}l6 10h-12z`} />
        ) : (
          <rect x={x - 4} y={y - 4} width="8" height="8" rx={row.note === "final" ? 0 : 4} />
        )}
      </g>
    );
  const first = messages.all[row.messages[0] ?? -1];
  const receivers = row.messages.flatMap((id) => shortened(messages.all[id]?.to ?? "", NAME_LETTERS));
  const to = receivers.length > 1 && receivers.length === columns.names.length - 1 ? "all" : receivers.join(",");
  const who = row.kind === "delivered" ? `  ${name} ` : `${name}→${to}`;
  return (
    <g class={`words ${row.kind} m-${first === undefined ? "" : typeOf(first.summary)}`}>
      <text x="6" y={y + 4}>
        {`${who} ${fitted(row.label, columns.gutter, who.length + 1)}`}
      </text>
      <circle cx={x} cy={y} r={row.kind === "delivered" ? 2 : 3} />
    </g>
  );
}

/** Of the font of this diagram, so wide is a letter. Units: px. */
const LETTER = 6.05;

/** A label that fits: its first word, the type, is what gets shorter, since view and epoch tell messages apart. */
function fitted(label: string, gutter: number, taken = 0): string {
  const most = Math.floor((gutter - 8) / LETTER) - taken;
  if (label.length <= most) return label;
  const [type = "", ...rest] = label.split(" ");
  const tail = rest.length === 0 ? "" : ` ${rest.join(" ")}`;
  return `${type.slice(0, Math.max(2, most - tail.length - 1))}…${tail}`;
}

/** Words of a note, cut at their end. */
function whole(words: string, gutter: number, taken: number): string {
  const most = Math.floor((gutter - 8) / LETTER) - taken;
  return words.length <= most ? words : `${words.slice(0, most - 1)}…`;
}
