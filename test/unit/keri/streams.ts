import { vectors } from "../crypto/vectors.ts";

interface StreamCase {
  readonly id: string;
  readonly expected: string;
  readonly stream: string;
  readonly expectInOrder: { readonly perMessage: readonly { readonly outcome: string }[] } | null;
}

/** The published key event streams, as they stand in their file. */
export const publishedStreams = (): readonly StreamCase[] =>
  vectors<{ cases: readonly StreamCase[] }>("keri/kel-streams.json").cases;

/** JSON events of type `type` in the published key event streams: text, and the case it stands in. */
export function publishedEvents(
  type: string,
): readonly { readonly id: string; readonly expected: string; readonly text: string }[] {
  const found = new Map<string, { id: string; expected: string; text: string }>();
  for (const { id, expected, stream } of publishedStreams()) {
    for (const { 0: head, 1: size, index } of stream.matchAll(/\{"v":"KERI10JSON([0-9a-f]{6})_","t":"([a-z]+)"/g)) {
      if (!head.endsWith(`"${type}"`)) continue;
      const text = stream.slice(index, index + Number.parseInt(size ?? "", 16));
      found.set(text, { id, expected, text });
    }
  }
  return [...found.values()];
}
