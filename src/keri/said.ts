/** Self-addressing identifiers: an event names itself by the digest of its own bytes with the name blanked out. */
import { blake3 } from "@noble/hashes/blake3.js";
import type { Said } from "../base/brands.ts";
import { utf8 } from "../base/bytes.ts";
import type { EventFields } from "./event-json.ts";
import { encodeMatter } from "./cesr/matter.ts";

/** Stands where a digest of code E will stand; of the same length. */
export const SAID_PLACEHOLDER = "#".repeat(44);

/** Blake3-256 of bytes, code E. */
export const blake3Digest = (bytes: Uint8Array): Said => encodeMatter("E", blake3(bytes)) as Said;

/** What `n` holds for a next key: the digest of the key's *text*. */
export const nextKeyDigest = (keyText: string): Said => blake3Digest(utf8(keyText));

/** SAID of an event: the digest of its compact JSON with the given fields (d, and a self-addressing i) blanked out. */
export function saidOf(fields: EventFields, blanked: readonly string[]): Said {
  const blank = { ...fields };
  for (const name of blanked) blank[name] = SAID_PLACEHOLDER;
  return blake3Digest(utf8(JSON.stringify(blank)));
}
