/** Numbers of a measurement, and how they become a row of the table. */

/** What a row is held against: DESIGN §11. */
export interface Budget {
  readonly kind: "at most" | "at least";
  readonly value: number;
}

/** A number of the same run that tells how fast this machine is just now. */
export interface Baseline {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Rows without one are there to explain the others. */
  readonly budget?: Budget;
  readonly baseline?: Baseline;
  /** All windows that the value is the median of, and whatever else explains it. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** The p-th part of values in ascending order; 0.5 is the median. */
export function quantile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(p * sorted.length) - 1))] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

export const isMet = ({ value, budget }: Row): boolean | undefined =>
  budget === undefined ? undefined : budget.kind === "at most" ? value <= budget.value : value >= budget.value;

/** Of a row whose value is a ratio itself: that. */
export const ratioOf = ({ value, unit, baseline }: Row): number | undefined =>
  baseline === undefined ? undefined : unit === "×" ? value : value / baseline.value;

/** Three figures that matter: 1234567 → 1,234,567; 0.01234 → 0.0123. */
function shown(value: number): string {
  if (!Number.isFinite(value)) return "-";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}

/** A Markdown table that reads well as plain text. */
export function tableOf(rows: readonly Row[]): string {
  const cells = rows.map((row) => {
    const met = isMet(row);
    const ratio = ratioOf(row);
    return [
      row.name,
      `${shown(row.value)} ${row.unit}`.trim(),
      row.budget === undefined ? "" : `${row.budget.kind === "at most" ? "≤" : "≥"} ${shown(row.budget.value)}`,
      met === undefined ? "" : met ? "yes" : "**no**",
      row.baseline === undefined || ratio === undefined
        ? ""
        : `${shown(ratio)} × ${row.baseline.name} (${shown(row.baseline.value)} ${row.baseline.unit})`,
    ];
  });
  const head = ["what", "measured", "budget", "met", "against its baseline"];
  const all = [head, ...cells];
  const widths = head.map((_, i) => Math.max(...all.map((line) => line[i]?.length ?? 0)));
  const line = (parts: readonly string[]): string =>
    `| ${parts.map((part, i) => part.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  const rule = line(widths.map((width) => "-".repeat(width)));
  return [line(head), rule, ...cells.map(line)].join("\n");
}
