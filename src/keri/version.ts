/** Version strings of version 1, JSON: "KERI10JSON" + size in six lower-case hex digits + "_". */

export const versionString = (size: number): string => `KERI10JSON${size.toString(16).padStart(6, "0")}_`;

/** The size that a version string states; undefined when it is not of version 1 and JSON. */
export function statedSize(version: unknown): number | undefined {
  const found = typeof version === "string" ? /^KERI10JSON([0-9a-f]{6})_$/.exec(version) : null;
  return found?.[1] === undefined ? undefined : Number.parseInt(found[1], 16);
}
