/** The one slider that every view follows: over all entries, with the heights, who was down when, and what stands out. */
import { useMemo, useRef } from "preact/hooks";
import type { Moment } from "../model/moment.ts";
import type { Store } from "../model/store.ts";
import { type Timeline, timelineOf } from "../model/timeline.ts";
import { dayAndTimeOf, lineOf, timeOf } from "../model/words.ts";
import { memberClass } from "./nodes.tsx";

const percent = (share: number): string => `${(share * 100).toFixed(3)}%`;
/** Height of a node's lane and of the whole track. Units: px. */
const LANE = 5;
const MARKS_HEIGHT = 12;
/** What a slider does beside what the page's keys do anywhere. Units: entries, of so many. */
const BY_KEY: Readonly<Record<string, (length: number) => number>> = {
  ArrowUp: () => 1,
  ArrowDown: () => -1,
  PageUp: (length) => Math.ceil(length / 50),
  PageDown: (length) => -Math.ceil(length / 50),
};

function Lanes({ store, timeline }: { readonly store: Store; readonly timeline: Timeline }) {
  const names = store.source?.nodes.map(({ name }) => name) ?? [];
  return (
    <g>
      {names.map((name, index) => (
        <rect
          key={name}
          class={`lane ${memberClass(store, name)}`}
          x="0"
          y={MARKS_HEIGHT + index * LANE}
          width="100%"
          height={LANE - 2}
        />
      ))}
      {timeline.absences.map(({ node, from, to }) => (
        <rect
          key={`${node}${from}`}
          class="absence"
          x={percent(from)}
          y={MARKS_HEIGHT + names.indexOf(node) * LANE - 1}
          width={percent(Math.max(0.001, to - from))}
          height={LANE}
        />
      ))}
    </g>
  );
}

/** Each kind has a shape of its own, so that colour is not all that tells them apart. */
const SHAPES = {
  ended: "M-3 -3L3 3M-3 3L3 -3",
  booted: "M-3 3L0 -3L3 3Z",
  nullified: "M-2 0L2 0",
  evidence: "M0 -5L4 0L0 5L-4 0Z",
  fault: "M0 -3L0 3",
  halted: "M-3 -3L3 -3L3 3L-3 3Z",
} as const;

function Marks({ timeline }: { readonly timeline: Timeline }) {
  return (
    <g>
      {timeline.columns.map(({ share, kind, position, text, count }) => (
        <svg key={`${kind}${position}`} class="mark-box" x={percent(share)} y={MARKS_HEIGHT / 2} overflow="visible">
          <path class={`mark ${kind}`} d={SHAPES[kind]}>
            <title>{count > 1 ? `${text} (and ${count - 1} more here)` : text}</title>
          </path>
        </svg>
      ))}
    </g>
  );
}

function Track({ store, moment }: { readonly store: Store; readonly moment: Moment }) {
  const box = useRef<HTMLDivElement>(null);
  const { length } = store.history;
  const last = Math.max(0, length - 1);
  const timeline = useMemo(() => timelineOf(store), [store, length, store.source]);
  const height = MARKS_HEIGHT + (store.source?.nodes.length ?? 4) * LANE + 2;
  const drag = (event: PointerEvent): void => {
    const frame = box.current?.getBoundingClientRect();
    if (frame === undefined || length === 0) return;
    const share = Math.max(0, Math.min(1, (event.clientX - frame.left) / frame.width));
    store.goToPosition(Math.round(share * last));
  };
  const share = percent(last === 0 ? 1 : Math.max(0, moment.position) / last);
  const now =
    moment.entry === null
      ? "nothing yet"
      : `${timeOf(moment.at, store.source)}, ${moment.entry.node} ${lineOf(moment.entry).what}`;
  return (
    <div
      ref={box}
      class="track"
      role="slider"
      tabIndex={0}
      aria-label="Moment"
      aria-valuemin={0}
      aria-valuemax={last}
      aria-valuenow={Math.max(0, moment.position)}
      aria-valuetext={now}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        drag(event);
      }}
      onPointerMove={(event) => {
        if (event.buttons > 0) drag(event);
      }}
      onKeyDown={(event) => {
        const by = BY_KEY[event.key];
        if (by === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        store.goToPosition(store.position + by(length));
      }}
    >
      <svg width="100%" height={height + 14} aria-hidden="true">
        <Lanes store={store} timeline={timeline} />
        <Marks timeline={timeline} />
        {timeline.heights.map(({ share: at, height: block }) => (
          <g key={block}>
            <line class="tick" x1={percent(at)} x2={percent(at)} y1={height - 2} y2={height + 2} />
            <text
              class="tick-text number"
              x={percent(at)}
              y={height + 12}
              text-anchor={at > 0.97 ? "end" : at < 0.03 ? "start" : "middle"}
            >
              {block}
            </text>
          </g>
        ))}
        <line class="thumb" x1={share} x2={share} y1="0" y2={height} />
        <circle class="thumb-knob" cx={share} cy={height} r="5" />
      </svg>
    </div>
  );
}

function Place({ store, moment }: { readonly store: Store; readonly moment: Moment }) {
  const { entry } = moment;
  const { length } = store.history;
  const count = `${(moment.position + 1).toLocaleString("en")} of ${length.toLocaleString("en")}`;
  if (entry === null)
    return <p class="place quiet">{length === 0 ? "Nothing has happened yet." : "Before the first entry."}</p>;
  const { what, detail } = lineOf(entry);
  return (
    <p class="place">
      <span class="number time" title={dayAndTimeOf(moment.at, store.source)}>
        {timeOf(moment.at, store.source)}
      </span>
      <span class={`who ${memberClass(store, entry.node)}`}>{entry.node}</span>
      <span class="what">{what}</span>
      <span class="detail quiet" title={detail}>
        {detail}
      </span>
      <span class="count number quiet">{count}</span>
    </p>
  );
}

/** What the button says: where the page stands. */
function labelOf({ isFollowing, source, connection }: Store): string {
  if (source?.live !== true) return isFollowing ? "At the end" : "To the end";
  if (!isFollowing) return "❚❚ Paused";
  return connection === "open" ? "● Live" : "○ Waiting";
}

export function Slider({ store, moment }: { readonly store: Store; readonly moment: Moment }) {
  const { isFollowing } = store;
  const steps = [
    { label: "First entry", keys: "Home", sign: "⇤", go: () => store.goToPosition(0) },
    { label: "Block before", keys: "Shift ←", sign: "«", go: () => store.stepHeight(-1) },
    { label: "Entry before", keys: "←", sign: "‹", go: () => store.goToPosition(store.position - 1) },
    { label: "Next entry", keys: "→", sign: "›", go: () => store.goToPosition(store.position + 1) },
    { label: "Next block", keys: "Shift →", sign: "»", go: () => store.stepHeight(1) },
  ];
  return (
    <section class="dock" aria-label="Time">
      <div class="dock-row">
        <div class="steps">
          {steps.map(({ label, keys, sign, go }) => (
            <button
              key={label}
              type="button"
              class="plain"
              aria-label={label}
              title={`${label} (${keys})`}
              onClick={go}
            >
              {sign}
            </button>
          ))}
          <button
            type="button"
            class="follow"
            aria-pressed={isFollowing}
            title={isFollowing ? "Stay at this moment (space)" : "Go to the newest and follow it (space)"}
            onClick={() => (isFollowing ? store.pause() : store.follow())}
          >
            {labelOf(store)}
          </button>
        </div>
        <Place store={store} moment={moment} />
      </div>
      <Track store={store} moment={moment} />
    </section>
  );
}
