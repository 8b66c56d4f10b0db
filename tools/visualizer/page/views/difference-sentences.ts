/** Two states compared, and the place where two nodes part, in sentences. */
import type { Difference, DifferencePage, DivergencePage } from "../../../../src/host/inspector/contract.ts";

export interface DifferenceGroup {
  readonly title: string;
  readonly left: readonly string[];
  readonly right: readonly string[];
  readonly both: readonly string[];
}

const TITLES: Readonly<Record<Difference["kind"], string>> = {
  assertion: "Grants",
  edge: "Maps",
  object: "Objects",
  subject: "Subjects",
  relation: "Relations",
  namespace: "Namespaces",
  keyState: "Key states",
};
const ORDER = Object.keys(TITLES) as readonly Difference["kind"][];

const named = ({ node, height }: DifferencePage["left"]): string => `${node} at height ${height}`;

/** Differences by kind, those that decide about permissions first. */
export function groupsOf(page: DifferencePage): readonly DifferenceGroup[] {
  return ORDER.flatMap((kind) => {
    const own = page.differences.filter((difference) => difference.kind === kind);
    const of = (side: "left" | "right" | "both"): readonly string[] =>
      own.flatMap((difference) => (difference.side === side ? [textOf(difference)] : []));
    return own.length === 0 ? [] : [{ title: TITLES[kind], left: of("left"), right: of("right"), both: of("both") }];
  });
}

/** A difference in words: who may what, who belongs to whom; names alone are left as they are. */
export function textOf({ kind, text }: Difference): string {
  const [first = "", second, third] = text.split(" ");
  if (kind === "assertion" && second !== undefined && third === undefined) return `${first} has ${second}`;
  if (kind !== "edge" || second === undefined || third === undefined) return text;
  return first === "object" ? `${second} inherits from ${third}` : `${second} belongs to ${third}`;
}

export function differenceSentence({ left, right, differences, truncated }: DifferencePage): string {
  if (differences.length > 0)
    return `${named(left)} and ${named(right)} differ in ${differences.length}${truncated ? " or more" : ""} ${differences.length === 1 && !truncated ? "thing" : "things"}.`;
  if (left.root !== null && right.root !== null && left.root !== right.root && left.height === right.height)
    return `${named(left)} and ${named(right)} show the same graph and key states, but their roots differ: what they executed is not the same.`;
  const between =
    left.height === right.height
      ? ""
      : " What was executed in between touched neither: certificates, commands that were refused or changed nothing, empty blocks.";
  return `${named(left)} and ${named(right)} hold the same graph and the same key states.${between}`;
}

/** Whether the roots of the same height are the same, where both are known. */
export function rootsAgree({ left, right }: DifferencePage): boolean | null {
  if (left.root === null || right.root === null || left.height !== right.height) return null;
  return left.root === right.root;
}

export function divergenceSentence(page: DivergencePage, left: string, right: string): string {
  const { agreedTo, first } = page;
  if (first === null) return `${left} and ${right} agree as far as both have come: up to height ${agreedTo}.`;
  const what = first.what === "block" ? "hold different blocks" : "executed the same block to different roots";
  return `${left} and ${right} part at height ${first.height}: they ${what}. Up to height ${agreedTo} they agree.`;
}
