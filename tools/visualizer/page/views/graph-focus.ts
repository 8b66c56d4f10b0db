/** What the graph view looks at, as it stands in a link: what the picture is drawn around, and the check that is explained. */
export interface GraphFocus {
  /** Empty: everything. */
  readonly around: string;
  readonly subject: string;
  readonly object: string;
}

/** Names escape spaces (graph-text.ts), so a space divides them. Refuses: whatever it does not know counts as not said. */
export function readGraphFocus(text: string | null): GraphFocus {
  const words = (text ?? "").split(" ");
  const after = (prefix: string): string => words.find((word) => word.startsWith(prefix))?.slice(prefix.length) ?? "";
  return { around: after("around="), subject: after("subject="), object: after("object=") };
}

/** Null when nothing is looked at. */
export function writeGraphFocus({ around, subject, object }: GraphFocus): string | null {
  const words = Object.entries({ around, subject, object }).flatMap(([name, value]) => {
    const word = value.trim().replaceAll(/\s/gu, "%20");
    return word === "" ? [] : [`${name}=${word}`];
  });
  return words.length === 0 ? null : words.join(" ");
}
