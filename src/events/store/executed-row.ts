/** The root of an executed height as it is stored: no hash of the chain covers it here, so that it carries a check of its own. */
import { hash } from "node:crypto";
import type { Digest } from "../../base/brands.ts";
import { concatBytes, digestBytes, equalBytes, utf8 } from "../../base/bytes.ts";
import type { Executed } from "../facts/block.ts";
import { storedDigest } from "./damage.ts";

/** Tells damage from intention; who can write the file could rewrite it anyway. */
const CHECK_BYTES = 8;

const checkOf = (height: number, root: Uint8Array): Uint8Array =>
  hash("sha256", concatBytes(utf8(`executed/${height}/`), root), "buffer").subarray(0, CHECK_BYTES);

export function storedRoot({ height, root }: Executed): Uint8Array {
  const bytes = digestBytes(root);
  return concatBytes(bytes, checkOf(height, bytes));
}

/** Undefined when the row is not what was written. */
export function rootOf(row: { readonly height: number; readonly root: Uint8Array }): Digest | undefined {
  const root = row.root.subarray(0, -CHECK_BYTES);
  return equalBytes(checkOf(row.height, root), row.root.subarray(root.length)) ? storedDigest(root) : undefined;
}
