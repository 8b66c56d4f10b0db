/** Files of a node's directory that founder and enclave share: names, boot file, boot key. */
import { type KeyObject, createPrivateKey } from "node:crypto";
import { join } from "node:path";
import type { Aid } from "../../base/brands.ts";
import { Fault } from "../../base/errors.ts";
import { type Result, ok, refuse } from "../../base/result.ts";
import type { Dealt } from "../../actors/enclave/ports.ts";
import { type FileRefusal, readPrivate, writeAtomic } from "../founding/files.ts";

export const nodeFiles = (directory: string) => ({
  /** The founder card, to hand over to who assembles the founding document. */
  card: join(directory, "founder.card"),
  /** The signed founding document. */
  founding: join(directory, "founding.sky"),
  /** Who the node is, and what it keeps of its root's dealing. */
  boot: join(directory, "boot.json"),
  /** Ed25519, PKCS#8 PEM: the one key outside the keystore (DESIGN §6). */
  bootKey: join(directory, "boot.key"),
  keystore: join(directory, "keystore"),
  journal: join(directory, "ceremony.journal"),
});

export interface BootFile {
  readonly name: string;
  readonly aid: Aid;
  readonly dealt: Dealt | null;
}

const BOOT_BYTES_MAX = 256 * 1024;
const VERSION = 1;

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");

export function writeBootFile(directory: string, { name, aid, dealt }: BootFile): void {
  const content = {
    version: VERSION,
    name,
    aid,
    dealt: dealt && {
      commitments: dealt.commitments.map(text),
      operators: dealt.operators,
      signature: text(dealt.signature),
      sealed: dealt.sealed.map(({ enc, ciphertext }) => ({ enc: text(enc), ciphertext: text(ciphertext) })),
    },
  };
  writeAtomic(nodeFiles(directory).boot, `${JSON.stringify(content, undefined, 2)}\n`);
}

/** Refuses: what is missing, loose or malformed. */
export function readBootFile(directory: string): Result<BootFile, FileRefusal> {
  const path = nodeFiles(directory).boot;
  const file = readPrivate(path, BOOT_BYTES_MAX);
  if (!file.ok) return file;
  try {
    const fields = object(JSON.parse(Buffer.from(file.value).toString("utf8")));
    if (fields["version"] !== VERSION) throw new Error(`version ${String(fields["version"])} is not read`);
    const dealt = fields["dealt"];
    return ok({
      name: string(fields["name"]),
      aid: string(fields["aid"]) as Aid,
      dealt: dealt === null ? null : readDealt(object(dealt)),
    });
  } catch (error) {
    return refuse(
      "FILE_MALFORMED",
      `${path} cannot be read (${error instanceof Error ? error.message : "malformed"}); restore it from a backup.`,
    );
  }
}

const readDealt = (fields: Readonly<Record<string, unknown>>): Dealt => ({
  commitments: list(fields["commitments"]).map(bytes),
  operators: list(fields["operators"]).map((operator) => string(operator) as Aid),
  signature: bytes(fields["signature"]),
  sealed: list(fields["sealed"]).map((entry) => ({
    enc: bytes(object(entry)["enc"]),
    ciphertext: bytes(object(entry)["ciphertext"]),
  })),
});

/** Throws: Fault BOOT_KEY_UNREADABLE. */
export function readBootKey(directory: string): KeyObject {
  const file = readPrivate(nodeFiles(directory).bootKey, 4096);
  if (!file.ok) throw new Fault("BOOT_KEY_UNREADABLE", file.refusal.message);
  try {
    const key = createPrivateKey({ key: Buffer.from(file.value), format: "pem" });
    if (key.asymmetricKeyType === "ed25519") return key;
  } catch {
    // told below: OpenSSL's words would not help
  }
  throw new Fault(
    "BOOT_KEY_UNREADABLE",
    `${nodeFiles(directory).bootKey} holds no Ed25519 key; restore it from a backup.`,
  );
}

/** The value, or the refusal as a Fault: for files without which nothing can start. */
export function demand<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Fault(result.refusal.code, result.refusal.message);
}

function object(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("an object is missing");
  return value as Readonly<Record<string, unknown>>;
}
function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error("a list is missing");
  return value;
}
function string(value: unknown): string {
  if (typeof value !== "string") throw new Error("a text is missing");
  return value;
}
function bytes(value: unknown): Uint8Array {
  const encoded = string(value);
  const decoded = Buffer.from(encoded, "base64url");
  if (decoded.toString("base64url") !== encoded) throw new Error("bytes are not base64url");
  return Uint8Array.from(decoded);
}
