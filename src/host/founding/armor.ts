/** Binary documents as text that survives mail and terminals: a labelled block of base64 (RFC 7468's shape). */
import { fromUtf8 } from "../../base/bytes.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import type { FileRefusal } from "./files.ts";

export type ArmorLabel =
  | "SKY OPERATOR CARD"
  | "SKY FOUNDER CARD"
  | "SKY CLIENT CARD"
  | "SKY FOUNDING DOCUMENT"
  | "SKY FOUNDING SIGNATURE"
  | "SKY OPERATOR FILE";

const LINE = 64;

export function armor(label: ArmorLabel, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString("base64")
      .match(new RegExp(`.{1,${LINE}}`, "g")) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

/** The one block of this label. Lines before and after it are ignored. Refuses: FILE_MALFORMED. */
export function dearmor(label: ArmorLabel, text: Uint8Array, source: string): Result<Uint8Array, FileRefusal> {
  const decoded = fromUtf8(text);
  const begin = `-----BEGIN ${label}-----`;
  const start = decoded?.indexOf(begin) ?? -1;
  const end = decoded?.indexOf(`-----END ${label}-----`) ?? -1;
  if (decoded === undefined || start < 0 || end < start)
    return refuse("FILE_MALFORMED", `${source} holds no ${label.toLowerCase()}; check the path.`);
  const body = decoded.slice(start + begin.length, end).replace(/\s/g, "");
  const bytes = Buffer.from(body, "base64");
  if (bytes.toString("base64") !== body)
    return refuse("FILE_MALFORMED", `The ${label.toLowerCase()} in ${source} is damaged; copy it again.`);
  return ok(Uint8Array.from(bytes));
}
