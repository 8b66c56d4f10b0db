/** The graph as SVG: boxes in layers, what a check speaks of highlighted; moved by dragging and arrow keys, zoomed by wheel, fingers and keys. */
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { GraphPicture, GraphPoint } from "../../../../src/host/inspector/contract.ts";
import { shortened } from "../model/words.ts";
import { type Highlight, linkKey } from "./check-sentences.ts";
import { BOX_HEIGHT, BOX_WIDTH, type Layout, type Placed } from "./graph-layout.ts";
import { useSize } from "./hooks.ts";
import { type Sight, begin, centre, fit, move, zoom } from "./pan-zoom.ts";

interface Props {
  readonly layout: Layout;
  readonly picture: GraphPicture;
  readonly highlight: Highlight | null;
  /** What the picture is drawn around. */
  readonly around: string;
  readonly onChoose: (point: GraphPoint) => void;
}

/** Letters that fit into a box: of the bold name, of the line under it. */
const NAME_LETTERS = 16;
const PLACE_LETTERS = 27;
const STEP = 1.25;
/** A drag shorter than this is a click. Units: px. */
const CLICK_PX = 4;

function Box({
  placed,
  highlight,
  onChoose,
}: {
  readonly placed: Placed;
  readonly highlight: Highlight | null;
  readonly onChoose: (point: GraphPoint) => void;
}) {
  const { point, x, y } = placed;
  const isLit = highlight?.points.has(point.id) ?? false;
  const isEnd = highlight !== null && (point.id === highlight.subject || point.id === highlight.object);
  const shade = highlight === null ? "" : isLit ? (highlight.chain ? "lit" : "tried") : "faint";
  const relation = point.relation === "" ? "" : `#${point.relation}`;
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    onChoose(point);
  };
  return (
    <g
      class={`point ${point.kind} ${shade} ${isEnd ? "end" : ""}`}
      transform={`translate(${x} ${y})`}
      role="button"
      tabIndex={0}
      aria-label={`${point.id}, show what is around it`}
      onClick={() => onChoose(point)}
      onKeyDown={onKeyDown}
    >
      <title>{point.id}</title>
      <rect width={BOX_WIDTH} height={BOX_HEIGHT} rx={point.kind === "subject" ? BOX_HEIGHT / 2 : 5} />
      <text class="point-name" x={BOX_WIDTH / 2} y="16" text-anchor="middle">
        {shortened(point.name, NAME_LETTERS)}
      </text>
      <text class="point-relation" x={BOX_WIDTH / 2} y="29" text-anchor="middle">
        {shortened(`${point.namespace}${relation}`, PLACE_LETTERS)}
      </text>
    </g>
  );
}

/** Sight of the drawing, and the gestures that change it. */
function useSight(layout: Layout, highlight: Highlight | null, around: string) {
  const { ref: box, size } = useSize<SVGSVGElement>({ width: 640, height: 420 });
  const [sight, setSight] = useState<Sight | "all" | null>(null);
  // Where the reader has moved it, it stays while heights come and go; what lies around another name is another drawing.
  useLayoutEffect(() => setSight(null), [around]);
  const now = useMemo(() => {
    if (sight === null) return begin(layout, size);
    return sight === "all" ? fit(layout, size) : sight;
  }, [sight, layout, size]);
  const pointers = useRef(new Map<number, { x: number; y: number }>());
  const moved = useRef(0);
  const scale = now.width / size.width;
  const place = (event: { clientX: number; clientY: number }): readonly [number, number] => {
    const bounds = box.current?.getBoundingClientRect();
    return [
      now.x + (event.clientX - (bounds?.left ?? 0)) * scale,
      now.y + (event.clientY - (bounds?.top ?? 0)) * scale,
    ];
  };
  const zoomAt = (factor: number, x = now.x + now.width / 2, y = now.y + now.height / 2): void =>
    setSight(zoom(now, factor, x, y, size.width));
  const gestures = {
    onPointerDown: (event: PointerEvent): void => {
      pointers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
      moved.current = 0;
    },
    onPointerMove: (event: PointerEvent): void => {
      const last = pointers.current.get(event.pointerId);
      if (last === undefined) return;
      // It was let go where nobody told us.
      if (event.buttons === 0) return void pointers.current.delete(event.pointerId);
      const [dx, dy] = [event.clientX - last.x, event.clientY - last.y];
      moved.current += Math.abs(dx) + Math.abs(dy);
      const others = [...pointers.current].flatMap(([id, point]) => (id === event.pointerId ? [] : [point]));
      pointers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
      const [other] = others;
      if (other === undefined) {
        if (moved.current > CLICK_PX) box.current?.setPointerCapture(event.pointerId);
        setSight(move(now, -dx * scale, -dy * scale));
        return;
      }
      const before = Math.hypot(last.x - other.x, last.y - other.y);
      const after = Math.hypot(event.clientX - other.x, event.clientY - other.y);
      const [x, y] = place({ clientX: (event.clientX + other.x) / 2, clientY: (event.clientY + other.y) / 2 });
      if (before > 0) zoomAt(after / before, x, y);
    },
    onPointerUp: (event: PointerEvent): void => void pointers.current.delete(event.pointerId),
    onPointerCancel: (event: PointerEvent): void => void pointers.current.delete(event.pointerId),
    onWheel: (event: WheelEvent): void => {
      // A plain wheel scrolls the page, as readers of a page expect.
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoomAt(event.deltaY < 0 ? STEP : 1 / STEP, ...place(event));
    },
  };
  const show = (id: string): void => {
    const found = layout.places.get(id);
    if (found !== undefined) setSight(centre(now, found.x + BOX_WIDTH / 2, found.y + BOX_HEIGHT / 2, size.width));
  };
  return {
    box,
    now,
    gestures,
    zoomAt,
    show,
    reset: () => setSight("all"),
    wasDrag: () => moved.current > CLICK_PX,
    move: (dx: number, dy: number) => setSight(move(now, dx * now.width, dy * now.height)),
    highlight,
  };
}

const KEYS: Readonly<Record<string, (sight: ReturnType<typeof useSight>) => void>> = {
  "+": ({ zoomAt }) => zoomAt(STEP),
  "=": ({ zoomAt }) => zoomAt(STEP),
  "-": ({ zoomAt }) => zoomAt(1 / STEP),
  "0": ({ reset }) => reset(),
  ArrowLeft: (sight) => sight.move(-0.1, 0),
  ArrowRight: (sight) => sight.move(0.1, 0),
  ArrowUp: (sight) => sight.move(0, -0.1),
  ArrowDown: (sight) => sight.move(0, 0.1),
};

export function Drawing({ layout, picture, highlight, around, onChoose }: Props) {
  const sight = useSight(layout, highlight, around);
  const { now } = sight;
  const onKeyDown = (event: KeyboardEvent): void => {
    const act = KEYS[event.key];
    if (act === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    act(sight);
  };
  const choose = (point: GraphPoint): void => {
    if (!sight.wasDrag()) onChoose(point);
  };
  return (
    <figure class="graph-figure">
      <div class="graph-tools" role="group" aria-label="Zoom">
        <button type="button" aria-label="Zoom in" onClick={() => sight.zoomAt(STEP)}>
          +
        </button>
        <button type="button" aria-label="Zoom out" onClick={() => sight.zoomAt(1 / STEP)}>
          −
        </button>
        <button type="button" onClick={sight.reset}>
          Fit
        </button>
        {highlight !== null && layout.places.has(highlight.subject) && (
          <button type="button" onClick={() => sight.show(highlight.subject)}>
            To the subject
          </button>
        )}
      </div>
      <svg
        ref={sight.box}
        class="graph-svg"
        viewBox={`${now.x} ${now.y} ${now.width} ${now.height}`}
        role="group"
        tabIndex={0}
        aria-label="Graph of subjects and objects; arrow keys move it, plus and minus zoom"
        onKeyDown={onKeyDown}
        {...sight.gestures}
      >
        <defs>
          <marker id="graph-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
            <path class="graph-tip" d="M0 0.8 8 4 0 7.2z" />
          </marker>
        </defs>
        {layout.links.map(({ link, path }) => {
          const key = linkKey(link);
          const isLit = highlight?.links.has(key) ?? false;
          const shade = highlight === null ? "" : isLit ? (highlight.chain ? "lit" : "tried") : "faint";
          return <path key={key} class={`link ${link.kind} ${shade}`} d={path} marker-end="url(#graph-tip)" />;
        })}
        {[...layout.places.values()].map((placed) => (
          <Box key={placed.point.id} placed={placed} highlight={highlight} onChoose={choose} />
        ))}
      </svg>
      <figcaption class="quiet">
        {`Read from left to right: subjects (round) belong to groups, a grant (heavy line) leads to an object (square), objects pass it on. ${picture.points.length} points, ${picture.links.length} links.`}
        {picture.truncated ? " There is more: search narrows it." : ""}
      </figcaption>
    </figure>
  );
}
