/** The part of a drawing that is in sight: moved, zoomed about a point, fitted. Pure; the SVG's viewBox shows it. */
export interface Sight {
  /** Left upper corner and size. Units: px of the drawing. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Further in, a box fills the screen; further out, boxes are dots. Units: screen px for each px of the drawing. */
const SCALE_MAX = 3;
const SCALE_MIN = 0.05;
/** A drawing smaller than its box is not blown up beyond this. */
const FIT_SCALE_MAX = 1.15;

/** All of a drawing in a box of the screen, in its middle. */
export function fit(
  drawing: { readonly width: number; readonly height: number },
  box: { readonly width: number; readonly height: number },
): Sight {
  const scale = Math.min(FIT_SCALE_MAX, box.width / drawing.width, box.height / drawing.height);
  const width = box.width / scale;
  const height = box.height / scale;
  return { x: (drawing.width - width) / 2, y: (drawing.height - height) / 2, width, height };
}

/** Smaller, the names of a drawing cannot be read. Units: screen px for each px of the drawing. */
const SCALE_READ = 0.6;
/** A box of a phone: no room to see all and read it. Units: px. */
const NARROW = 560;

/** How a drawing is shown first: all of it; in a narrow box its left upper part, as large as it can be read. */
export function begin(drawing: Parameters<typeof fit>[0], box: Parameters<typeof fit>[1]): Sight {
  const all = fit(drawing, box);
  if (box.width >= NARROW || box.width / all.width >= SCALE_READ) return all;
  return { x: 0, y: 0, width: box.width / SCALE_READ, height: box.height / SCALE_READ };
}

export const move = (sight: Sight, dx: number, dy: number): Sight => ({ ...sight, x: sight.x + dx, y: sight.y + dy });

/** Zooms by a factor (above 1: in) so that the drawing's point at (x, y) stays where it is. `boxWidth`: of the screen. */
export function zoom(sight: Sight, factor: number, x: number, y: number, boxWidth: number): Sight {
  const now = boxWidth / sight.width;
  const scale = Math.min(SCALE_MAX, Math.max(SCALE_MIN, now * factor));
  const ratio = now / scale;
  return {
    x: x - (x - sight.x) * ratio,
    y: y - (y - sight.y) * ratio,
    width: sight.width * ratio,
    height: sight.height * ratio,
  };
}

/** Moves so that a point stands in the middle, at a scale where it can be read. */
export function centre(sight: Sight, x: number, y: number, boxWidth: number): Sight {
  const scale = Math.max(boxWidth / sight.width, 0.8);
  const width = boxWidth / scale;
  const height = (sight.height * width) / sight.width;
  return { x: x - width / 2, y: y - height / 2, width, height };
}
