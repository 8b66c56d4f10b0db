import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { fromHex } from "../../../src/base/bytes.ts";
import { present } from "../../../src/base/errors.ts";

/** Text of a published vector file (shared/conformance). */
export const vectorText = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../../shared/conformance/${path}`, import.meta.url)), "utf8");

/** A published vector file as JSON; the caller says what shape it has. */
export const vectors = <T>(path: string): T => JSON.parse(vectorText(path)) as T;

export const hexBytes = (text: string): Uint8Array => present(fromHex(text), `hex: ${text}`);
