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

/** Layer of every point: subjects 0 … s, objects s + 1 …; relations in layers of their own. */
function layersOf(picture: GraphPicture): { readonly main: string[][]; readonly relations: string[][] } {
  const idsOf = (kind: GraphPoint["kind"]): string[] =>
    picture.points
      .filter((point) => point.kind === kind)
      .map(({ id }) => id)
      .toSorted(byId);
  const linksOf = (kind: GraphLink["kind"]) => picture.links.filter((link) => link.kind === kind);
  const stack = (ids: readonly string[], depth: ReadonlyMap<string, number>, reversed: boolean): string[][] => {
    const last = Math.max(-1, ...ids.map((id) => depth.get(id) ?? 0));
    const layers: string[][] = Array.from({ length: last + 1 }, () => []);
    for (const id of ids) layers[reversed ? last - (depth.get(id) ?? 0) : (depth.get(id) ?? 0)]?.push(id);
    return layers;
  };
  const towardsParents = (kind: GraphLink["kind"]) =>
    adjacency(linksOf(kind).map(({ from, to }): readonly [string, string] => [from, to]));
  const subjects = idsOf("subject");
  const objects = idsOf("object");
  const relations = idsOf("relation");
  return {
    main: [
      ...stack(subjects, depths(subjects, towardsParents("subjectMapped")), true),
      ...stack(objects, depths(objects, towardsParents("objectMapped")), false),
    ],
    relations: stack(relations, depths(relations, towardsParents("relationMapped")), true),
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

/** Places of all points and paths of all links whose ends are in the picture. */
export function layOut(picture: GraphPicture): Layout {
  const points = new Map(picture.points.map((point) => [point.id, point]));
  const { main, relations } = layersOf(picture);
  untangle(main, picture.links.filter(({ kind }) => kind !== "relationMapped").map(drawn));
  untangle(relations, picture.links.filter(({ kind }) => kind === "relationMapped").map(drawn));
  const places = new Map<string, Placed>();
  const stepX = BOX_WIDTH + GAP_X;
  const stepY = BOX_HEIGHT + GAP_Y;
  const put = (layers: readonly (readonly string[])[], top: number): number => {
    const longest = Math.max(0, ...layers.map((layer) => layer.length));
    for (const [column, layer] of layers.entries())
      for (const [index, id] of layer.entries()) {
        const point = points.get(id);
        const y = top + ((longest - layer.length) / 2 + index) * stepY;
        if (point !== undefined) places.set(id, { point, x: MARGIN + column * stepX, y });
      }
    return top + longest * stepY;
  };
  const below = put(main, MARGIN);
  const bottom = relations.length === 0 ? below : put(relations, below + stepY / 2);
  return {
    width: 2 * MARGIN + Math.max(1, main.length, relations.length) * stepX - GAP_X,
    height: bottom - GAP_Y + MARGIN,
    places,
    links: picture.links.flatMap((link) => {
      const [from, to] = drawn(link).map((id) => places.get(id));
      return from === undefined || to === undefined ? [] : [{ link, path: curve(from, to) }];
    }),
  };
}

/** From the right edge of one box to the left edge of the other; a bow over the top when it has to go back. */
function curve(from: Placed, to: Placed): string {
  const x1 = from.x + BOX_WIDTH;
  const y1 = from.y + BOX_HEIGHT / 2;
  const x2 = to.x;
  const y2 = to.y + BOX_HEIGHT / 2;
  const bend = Math.max(GAP_X / 2, Math.abs(x2 - x1) / 2);
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}
