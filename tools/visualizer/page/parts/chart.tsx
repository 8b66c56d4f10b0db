/** One statechart, drawn as it was laid out: active states lit, the last transition marked, ways taken lately in grey. */
import { useEffect, useRef } from "preact/hooks";
import type { TakenTransition } from "../../../../src/host/inspector/contract.ts";
import { CAUSE_LINE, type Chart, type ChartEdge, type ChartState, textOfCause } from "../model/chart.ts";
import { spoken } from "../model/words.ts";

export interface ChartProps {
  readonly chart: Chart;
  readonly active: readonly string[];
  /** Of the last step. */
  readonly taken: readonly TakenTransition[];
  readonly ways: ReadonlyMap<string, number>;
  /** For readers that do not see it. */
  readonly label: string;
}

/** Room at the right for ways between states that settle. Units: px. */
const ARCS = 132;
const RADIUS = 7;
/** A chart that would be too small to read on a phone is scrolled there instead. */
const WIDE = 600;

const lineOf = (points: ChartEdge["points"]): string => points.map(([x, y]) => `${x},${y}`).join(" ");

function State({ state, isActive, hasTaken }: { state: ChartState; isActive: boolean; hasTaken: boolean }) {
  const { x, y, width, height, kind, name, isInitial, description } = state;
  if (kind === "settle")
    return (
      <g class="settle">
        <path
          d={`M${x} ${y + height / 2}L${x + width / 2} ${y}L${x + width} ${y + height / 2}L${x + width / 2} ${y + height}Z`}
        />
        <title>After every event: whichever of these holds now, the first of them in the machine's own order.</title>
      </g>
    );
  const isOuter = kind === "compound" || kind === "parallel";
  return (
    <g class={`state ${kind} ${isActive ? "active" : ""} ${hasTaken ? "taken" : ""}`} data-state={state.id}>
      <title>{description}</title>
      <rect x={x} y={y} width={width} height={height} rx={isOuter ? 10 : RADIUS} />
      {kind === "final" && (
        <rect class="inner" x={x + 4} y={y + 4} width={width - 8} height={height - 8} rx={RADIUS - 3} />
      )}
      {isInitial && <circle class="initial" cx={x + 10} cy={y + 10} r="3" />}
      {isActive && !isOuter && <circle class="lamp" cx={x + width - 13} cy={y + height / 2} r="5" />}
      <text x={isOuter ? x + 16 : x + 16} y={isOuter ? y + 24 : y + height / 2 + 4.5}>
        {spoken(name)}
      </text>
    </g>
  );
}

function Edge({ edge, isTaken }: { edge: ChartEdge; isTaken: boolean }) {
  const { points, causes, label } = edge;
  return (
    <g class={`edge ${isTaken ? "taken" : ""}`}>
      <polyline points={lineOf(points)} marker-end={isTaken ? "url(#arrow-taken)" : "url(#arrow)"} />
      {label !== null &&
        causes.map((cause, row) => (
          <text key={textOfCause(cause)} class="mono" x={label.x + 4} y={label.y + 11 + row * CAUSE_LINE}>
            {textOfCause(cause)}
          </text>
        ))}
    </g>
  );
}

/** A way between two states that settle, bent to the right of both; further, the further it leads. */
function Way(props: { from: ChartState; to: ChartState; count: number; isTaken: boolean; edge: number }) {
  const { from, to, count, isTaken, edge } = props;
  const down = to.y > from.y;
  const startY = from.y + from.height / 2 + (down ? 8 : -8);
  const endY = to.y + to.height / 2 + (down ? -8 : 8);
  const reach = edge + 16 + Math.min(ARCS - 24, Math.abs(to.y - from.y) * 0.19);
  const startX = from.x + from.width;
  const endX = to.x + to.width;
  return (
    <path
      class={`way ${isTaken ? "taken" : ""}`}
      d={`M${startX} ${startY}C${reach} ${startY} ${reach} ${endY} ${endX + 3} ${endY}`}
      stroke-width={isTaken ? 2.5 : Math.min(3, 1 + Math.log10(count))}
      marker-end={isTaken ? "url(#arrow-taken)" : "url(#arrow-way)"}
    >
      <title>{`${spoken(from.name)} → ${spoken(to.name)}: ${count} times lately`}</title>
    </path>
  );
}

const Arrow = ({ id }: { readonly id: string }) => (
  <marker
    id={id}
    viewBox="0 0 8 8"
    refX="7"
    refY="4"
    markerWidth="7"
    markerHeight="7"
    orient="auto-start-reverse"
    markerUnits="userSpaceOnUse"
  >
    <path d="M0 0.5L8 4L0 7.5Z" />
  </marker>
);

/** Where a drawing is wider than the screen, the active state is brought into sight. */
function useActiveInSight(active: readonly string[], chart: Chart) {
  const drawing = useRef<SVGSVGElement>(null);
  const where = active.join();
  useEffect(() => {
    const frame = drawing.current?.parentElement;
    const state = chart.states.find(({ id }) => where.split(",").includes(id));
    if (frame === null || frame === undefined || state === undefined || frame.scrollWidth <= frame.clientWidth) return;
    frame.scrollLeft = state.x + state.width / 2 - frame.clientWidth / 2;
  }, [where, chart]);
  return drawing;
}

export function StateChart({ chart, active, taken, ways, label }: ChartProps) {
  const drawing = useActiveInSight(active, chart);
  const states = new Map(chart.states.map((state) => [state.id, state]));
  const settles = chart.states.find(({ kind }) => kind === "settle");
  const isTaken = (source: string, target: string): boolean =>
    taken.some((one) => one.source === source && one.targets.includes(target));
  const isEntered = (target: string): boolean =>
    taken.some(({ source, targets }) => targets.includes(target) && source !== target);
  const allWays = new Map(ways);
  for (const { source, targets } of taken)
    for (const target of targets) if (!allWays.has(`${source} ${target}`)) allWays.set(`${source} ${target}`, 1);
  const edge = Math.max(0, ...chart.states.filter(({ kind }) => kind !== "compound").map(({ x, width }) => x + width));
  const width = settles === undefined ? chart.width : edge + ARCS;
  const outer = (state: ChartState): ChartState =>
    settles !== undefined && state.parent === null ? { ...state, width: width - state.x - 4 } : state;
  return (
    <svg
      ref={drawing}
      class={`chart ${width > WIDE ? "wide" : ""}`}
      viewBox={`0 0 ${width} ${chart.height}`}
      width={width}
      height={chart.height}
      role="img"
      aria-label={label}
    >
      <defs>
        <Arrow id="arrow" />
        <Arrow id="arrow-taken" />
        <Arrow id="arrow-way" />
      </defs>
      {chart.states.map((state) => (
        <State
          key={state.id}
          state={outer(state)}
          isActive={active.some((id) => id === state.id || id.startsWith(`${state.id}.`))}
          hasTaken={taken.some(({ source, targets }) => source === state.id && targets.length === 0)}
        />
      ))}
      {chart.edges.map((one) => {
        const isSpoke = states.get(one.source)?.kind === "settle";
        const isNow = isSpoke ? isEntered(one.target) : isTaken(one.source, one.target);
        return <Edge key={`${one.source} ${one.target}`} edge={one} isTaken={isNow} />;
      })}
      {settles !== undefined &&
        [...allWays].map(([way, count]) => {
          const [source = "", target = ""] = way.split(" ");
          const from = states.get(source);
          const to = states.get(target);
          if (from === undefined || to === undefined || from === to) return null;
          return <Way key={way} from={from} to={to} count={count} isTaken={isTaken(source, target)} edge={edge} />;
        })}
    </svg>
  );
}
