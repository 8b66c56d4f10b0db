/**
 * A laid-out statechart, as tools/visualizer/layout makes it from a machine's definition (generated/charts.json) and the page draws it.
 * Units: pixels of an unscaled drawing, absolute, at most one decimal.
 */
import type { MachineName } from "../../../../src/host/inspector/contract.ts";

export interface ChartBox {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface ChartState extends ChartBox {
  /** As in entries: `consensus.quiet`. A `settle` is no state: it stands for "whichever of these holds now". */
  readonly id: string;
  readonly name: string;
  readonly parent: string | null;
  readonly kind: "atomic" | "compound" | "parallel" | "final" | "settle";
  readonly isInitial: boolean;
  /** What it waits for, in a sentence. */
  readonly description: string;
  /** Events that it takes and stays, with the names of their guards. */
  readonly internal: readonly string[];
}

export interface ChartEdge {
  readonly source: string;
  readonly target: string;
  /** What takes it: an event (null: none, as soon as the guard holds) and a guard (null: none; "…": one without a name). */
  readonly causes: readonly { readonly event: string | null; readonly guard: string | null }[];
  readonly points: readonly (readonly [number, number])[];
  /** null: the target's name says what takes it. */
  readonly label: ChartBox | null;
}

export interface Chart {
  readonly machine: MachineName;
  readonly width: number;
  readonly height: number;
  /** Outer states before those inside them. */
  readonly states: readonly ChartState[];
  readonly edges: readonly ChartEdge[];
}

export interface Charts {
  readonly charts: readonly Chart[];
}

/** Units: pixels per letter and line of the drawing's two sizes of text, which the page sets accordingly. */
export const LETTER = { name: 7.8, cause: 6.4 } as const;
export const CAUSE_LINE = 15;

/** How a cause is written: `shareOffered [isOverdue]`. */
export const textOfCause = ({ event, guard }: ChartEdge["causes"][number]): string =>
  [event, guard === null ? null : `[${guard}]`].filter((part) => part !== null).join(" ");
