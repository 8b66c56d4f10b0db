/**
 * Where the points of a ReBAC graph stand: in layers, so that a permission reads from left to right.
 *
 * Subjects are left, members before the groups they belong to; objects are right, those that grants are made on before those that
 * inherit them. So the way from a subject up to a grant and from there to an object never turns back: every link of check(s, o) goes
 * to the right. Relations, which change no check (oracle.md), stand below. Deterministic: the same picture gives the same places.
 */
import type { GraphLink, GraphPicture, GraphPoint } from "../../../../src/host/inspector/contract.ts";

export interface Placed {
  readonly point: GraphPoint;
  /** Left upper corner. Units: px of the drawing. */
  readonly x: number;
  readonly y: number;
}

export interface PlacedLink {
  readonly link: GraphLink;
  /** Path from the point nearer to the subject to the one nearer to the object. */
  readonly path: string;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly places: ReadonlyMap<string, Placed>;
  readonly links: readonly PlacedLink[];
}

export const BOX_WIDTH = 168;
export const BOX_HEIGHT = 36;
const GAP_X = 84;
const GAP_Y = 14;
const MARGIN = 16;
/** Between parts that do not hang together. */
const PART_GAP = 20;
/** Where a link passes a layer. Its name cannot be a point's: theirs begin with their kind. */
const LANE = "~";
const LANE_HEIGHT = 4;
/** Beyond it links run behind boxes: a picture of so many cannot be followed anyway. */
const LANES_MAX = 4_000;
/** Sweeps of the ordering by neighbours; more change next to nothing. */
const SWEEPS = 6;

/** A link as it is drawn: objects inherit from what they are mapped to, so their maps are read backwards. */
const drawn = (link: GraphLink): readonly [string, string] =>
  link.kind === "objectMapped" ? [link.to, link.from] : [link.from, link.to];

/** Layer of each id: 0 for those that nothing precedes in `after`, else one more than the furthest predecessor. Cycles are cut. */
function depths(ids: readonly string[], before: ReadonlyMap<string, readonly string[]>): Map<string, number> {
  const depth = new Map<string, number>();
  const open = new Set<string>();
  for (const root of ids) {
    const stack = [root];
    while (stack.length > 0) {
      const id = stack.at(-1);
      if (id === undefined) break;
      if (depth.has(id)) {
        stack.pop();
        continue;
      }
      const previous = before.get(id) ?? [];
      const missing = open.has(id) ? [] : previous.filter((other) => !depth.has(other) && !open.has(other));
      open.add(id);
      if (missing.length > 0) {
        stack.push(...missing);
        continue;
      }
      depth.set(
        id,
        previous.reduce((most, other) => Math.max(most, (depth.get(other) ?? -1) + 1), 0),
      );
      stack.pop();
    }
  }
  return depth;
}

function adjacency(links: readonly (readonly [string, string])[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [from, to] of links) {
    const list = found.get(from);
    if (list === undefined) found.set(from, [to]);
    else list.push(to);
  }
  return found;
}

const byId = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const byEnds = (a: GraphLink, b: GraphLink): number => byId(a.kind, b.kind) || byId(a.from, b.from) || byId(a.to, b.to);

interface Part {
  readonly points: readonly GraphPoint[];
  readonly links: readonly GraphLink[];
}

/**
 * What hangs together, the largest first; points without links are one part, the last. Points and links of a part come in the order of
 * their names, whatever order the picture has them in: where a cycle is cut must not hang on it.
 */
function partsOf(picture: GraphPicture): readonly Part[] {
  const root = new Map(picture.points.map(({ id }) => [id, id]));
  const find = (id: string): string => {
    let top = id;
    for (let next = root.get(top) ?? top; next !== top; next = root.get(top) ?? top) top = next;
    for (let at = id; at !== top; ) {
      const next = root.get(at) ?? top;
      root.set(at, top);
      at = next;
    }
    return top;
  };
  const links = picture.links.filter(({ from, to }) => root.has(from) && root.has(to)).toSorted(byEnds);
  const linked = new Set<string>();
  for (const { from, to } of links) {
    root.set(find(from), find(to));
    linked.add(from).add(to);
  }
  const parts = new Map<string, { points: GraphPoint[]; links: GraphLink[] }>();
  const partOf = (id: string) => {
    const name = linked.has(id) ? find(id) : "";
    const known = parts.get(name) ?? { points: [], links: [] };
    parts.set(name, known);
    return known;
  };
  for (const point of picture.points.toSorted((x, y) => byId(x.id, y.id))) partOf(point.id).points.push(point);
  for (const link of links) partOf(link.from).links.push(link);
  // A map keeps the order of its first points, which are sorted: equal sizes come in the order of their names.
  return [...parts.values()].toSorted(
    (x, y) => Number(x.links.length === 0) - Number(y.links.length === 0) || y.points.length - x.points.length,
  );
}

interface Layers {
  /** Members before their groups. */
  readonly subjects: string[][];
  /** Those that grants are made on before those that inherit them. */
  readonly objects: string[][];
  readonly relations: string[][];
}

function layersOf({ points, links }: Part): Layers {
  const idsOf = (kind: GraphPoint["kind"]): string[] =>
    points
      .filter((point) => point.kind === kind)
      .map(({ id }) => id)
      .toSorted(byId);
  const stack = (ids: readonly string[], kind: GraphLink["kind"], reversed: boolean): string[][] => {
    const maps = links.filter((link) => link.kind === kind);
    const depth = depths(ids, adjacency(maps.map(({ from, to }): readonly [string, string] => [from, to])));
    const last = Math.max(-1, ...ids.map((id) => depth.get(id) ?? 0));
    const layers: string[][] = Array.from({ length: last + 1 }, () => []);
    for (const id of ids) layers[reversed ? last - (depth.get(id) ?? 0) : (depth.get(id) ?? 0)]?.push(id);
    return layers;
  };
  return {
    subjects: stack(idsOf("subject"), "subjectMapped", true),
    objects: stack(idsOf("object"), "objectMapped", false),
    relations: stack(idsOf("relation"), "relationMapped", true),
  };
}

/** Orders each layer by the middle of its neighbours' places, to and fro. */
function untangle(layers: string[][], links: readonly (readonly [string, string])[]): void {
  const forward = adjacency(links);
  const backward = adjacency(links.map(([from, to]): readonly [string, string] => [to, from]));
  const place = new Map<string, number>();
  const settle = (layer: readonly string[]) => {
    // From the middle, so that a short layer beside a long one stands at its centre.
    for (const [index, id] of layer.entries()) place.set(id, index - (layer.length - 1) / 2);
  };
  for (const layer of layers) settle(layer);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    const neighbours = down ? backward : forward;
    for (const layer of down ? layers : layers.toReversed()) {
      const wanted = new Map(
        layer.map((id) => {
          const near = (neighbours.get(id) ?? []).flatMap((other) => place.get(other) ?? []);
          return [id, near.length === 0 ? (place.get(id) ?? 0) : near.reduce((sum, y) => sum + y, 0) / near.length];
        }),
      );
      layer.sort((a, b) => (wanted.get(a) ?? 0) - (wanted.get(b) ?? 0) || byId(a, b));
      settle(layer);
    }
  }
}

/** A link that passes other layers gets a lane of its own in each, so that it does not run behind their boxes. Bounds: LANES_MAX. */
function withLanes(
  layers: readonly (readonly string[])[],
  links: readonly GraphLink[],
): { readonly layers: string[][]; readonly ways: ReadonlyMap<GraphLink, readonly string[]> } {
  const layerOf = new Map(layers.flatMap((layer, at) => layer.map((id): [string, number] => [id, at])));
  const laned = layers.map((layer) => [...layer]);
  const ways = new Map<GraphLink, readonly string[]>();
  let lanes = 0;
  for (const link of links) {
    const [from, to] = drawn(link);
    const [start, end] = [layerOf.get(from), layerOf.get(to)];
    if (start === undefined || end === undefined) continue;
    const way = [from];
    for (let at = start + 1; at < end && lanes < LANES_MAX; at++) {
      const lane = `${LANE}${nameOf(link)} ${at}`;
      laned[at]?.push(lane);
      way.push(lane);
      lanes += 1;
    }
    ways.set(link, [...way, to]);
  }
  return { layers: laned, ways };
}

const nameOf = ({ from, to, kind }: GraphLink): string => `${kind} ${from} ${to}`;

/** Pairs of neighbours along every way. */
const stepsOf = (ways: ReadonlyMap<GraphLink, readonly string[]>): (readonly [string, string])[] =>
  [...ways.values()].flatMap((way) => way.slice(1).map((id, at): readonly [string, string] => [way[at] ?? id, id]));

interface Spot {
  readonly x: number;
  /** Of its middle. */
  readonly y: number;
}

/** Stacks the layers side by side, each about the middle of the tallest. Returns where it ends below. */
function stackUp(layers: readonly (readonly string[])[], left: number, top: number, spots: Map<string, Spot>): number {
  const heights = layers.map((layer) => layer.reduce((sum, id) => sum + heightOf(id) + GAP_Y, 0));
  const tallest = Math.max(0, ...heights);
  for (const [column, layer] of layers.entries()) {
    let y = top + (tallest - (heights[column] ?? 0)) / 2;
    for (const id of layer) {
      spots.set(id, { x: MARGIN + (left + column) * (BOX_WIDTH + GAP_X), y: y + heightOf(id) / 2 });
      y += heightOf(id) + GAP_Y;
    }
  }
  return top + tallest;
}

const heightOf = (id: string): number => (id.startsWith(LANE) ? LANE_HEIGHT : BOX_HEIGHT);

/** Places of all points and paths of all links whose ends are in the picture. Parts stand below each other, their grants in one column. */
export function layOut(picture: GraphPicture): Layout {
  const parts = partsOf(picture).map((part) => ({ part, layers: layersOf(part) }));
  const subjectColumns = Math.max(0, ...parts.map(({ layers }) => layers.subjects.length));
  const spots = new Map<string, Spot>();
  const ways = new Map<GraphLink, readonly string[]>();
  let columns = 1;
  let bottom = MARGIN;
  for (const { part, layers } of parts) {
    const left = subjectColumns - layers.subjects.length;
    for (const stack of [[...layers.subjects, ...layers.objects], layers.relations]) {
      if (stack.length === 0) continue;
      const isRelations = stack === layers.relations;
      const laned = withLanes(
        stack,
        part.links.filter(({ kind }) => (kind === "relationMapped") === isRelations),
      );
      untangle(laned.layers, stepsOf(laned.ways));
      bottom = stackUp(laned.layers, isRelations ? 0 : left, bottom, spots) + PART_GAP;
      columns = Math.max(columns, stack.length + (isRelations ? 0 : left));
      for (const [link, way] of laned.ways) ways.set(link, way);
    }
  }
  const places = picture.points.flatMap((point): [string, Placed][] => {
    const spot = spots.get(point.id);
    return spot === undefined ? [] : [[point.id, { point, x: spot.x, y: spot.y - BOX_HEIGHT / 2 }]];
  });
  return {
    width: 2 * MARGIN + columns * (BOX_WIDTH + GAP_X) - GAP_X,
    height: bottom - GAP_Y - PART_GAP + MARGIN,
    places: new Map(places.toSorted(([x], [y]) => byId(x, y))),
    links: picture.links.flatMap((link) => {
      const way = (ways.get(link) ?? []).flatMap((id) => spots.get(id) ?? []);
      return way.length < 2 ? [] : [{ link, path: pathAlong(way) }];
    }),
  };
}

/** From the right edge of one box, straight through lanes, to the left edge of the other. */
function pathAlong(way: readonly Spot[]): string {
  const [first, ...rest] = way;
  if (first === undefined) return "";
  let path = `M${first.x + BOX_WIDTH} ${first.y}`;
  let x = first.x + BOX_WIDTH;
  let { y } = first;
  for (const [at, spot] of rest.entries()) {
    const bend = Math.max(GAP_X / 2, Math.abs(spot.x - x) / 2);
    path += `C${x + bend} ${y} ${spot.x - bend} ${spot.y} ${spot.x} ${spot.y}`;
    if (at < rest.length - 1) path += `H${spot.x + BOX_WIDTH}`;
    x = spot.x + BOX_WIDTH;
    y = spot.y;
  }
  return path;
}
