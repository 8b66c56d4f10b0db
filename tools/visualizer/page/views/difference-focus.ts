/** Which two states the difference view compares, as it stands in a link: `n1@12 n2@`. */
export interface Comparison {
  readonly left: string;
  /** Null: where the node stands now. */
  readonly leftHeight: number | null;
  readonly right: string;
  readonly rightHeight: number | null;
}

const side = (word: string | undefined): readonly [string, number | null] | null => {
  const match = /^([^@\s]{1,64})@(\d{0,15})$/.exec(word ?? "");
  const [, name, height] = match ?? [];
  return name === undefined ? null : [name, height === undefined || height === "" ? null : Number(height)];
};

/** Refuses: null for what is no comparison of two of these nodes. */
export function readComparison(text: string | null, names: readonly string[]): Comparison | null {
  const [left, right, more] = (text ?? "").split(" ");
  const [from, to] = [side(left), side(right)];
  if (from === null || to === null || more !== undefined) return null;
  if (!names.includes(from[0]) || !names.includes(to[0])) return null;
  return { left: from[0], leftHeight: from[1], right: to[0], rightHeight: to[1] };
}

export const writeComparison = ({ left, leftHeight, right, rightHeight }: Comparison): string =>
  `${left}@${leftHeight ?? ""} ${right}@${rightHeight ?? ""}`;

/** What to compare before anybody has asked: the last block that changed something, on the first node. */
export function firstComparison(names: readonly string[], height: number | null): Comparison | null {
  const [first] = names;
  if (first === undefined) return null;
  const now = height ?? 0;
  return { left: first, leftHeight: Math.max(0, now - 1), right: first, rightHeight: now };
}

/** A height typed by hand; empty means now. Refuses: undefined for anything else. */
export function readHeight(text: string): number | null | undefined {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  return /^\d{1,15}$/.test(trimmed) ? Number(trimmed) : undefined;
}
