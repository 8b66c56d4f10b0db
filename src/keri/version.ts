/**
 * Version strings. Version 1: "KERI10JSON" + size in six lower-case hex digits + "_". Version 2: "KERI" + protocol version "CAA" +
 * genus version "CAA" + kind + size in four Base64 characters + ".". Source: ToIP CESR specification, "Version String field".
 */
import { base64ToNumber, numberToBase64 } from "./cesr/base64url.ts";
import type { BodyKind, ProtocolVersion } from "./messages.ts";

export interface StatedVersion {
  readonly version: ProtocolVersion;
  readonly kind: BodyKind;
  /** Bytes of the whole body. */
  readonly size: number;
}

const VERSION_1 = /^KERI10(JSON|CBOR|MGPK)([0-9a-f]{6})_$/;
const VERSION_2 = /^KERICAACAA(JSON|CBOR|MGPK)([A-Za-z0-9_-]{4})\.$/;

/** Version string of a version 1 JSON body. */
export const versionString = (size: number): string => `KERI10JSON${size.toString(16).padStart(6, "0")}_`;

/** What a version string states; undefined for what is none of KERI 1.0 or 2.0. */
export function parseVersion(text: unknown): StatedVersion | undefined {
  if (typeof text !== "string") return undefined;
  const first = VERSION_1.exec(text);
  if (first !== null)
    return { version: { major: 1, minor: 0 }, kind: first[1] as BodyKind, size: Number.parseInt(first[2] ?? "", 16) };
  const second = VERSION_2.exec(text);
  const size = base64ToNumber(second?.[2] ?? "");
  return second === null || size === undefined
    ? undefined
    : { version: { major: 2, minor: 0 }, kind: second[1] as BodyKind, size };
}

/** Version string of the same kind for another size. */
export function writeVersion({ version, kind, size }: StatedVersion): string {
  return version.major === 1
    ? `KERI10${kind}${size.toString(16).padStart(6, "0")}_`
    : `KERICAACAA${kind}${numberToBase64(size, 4)}.`;
}
