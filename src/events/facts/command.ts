/** Commands and the signed batches that carry them (DESIGN §4). */
import type { Aid, CommandId, Digest, LogTime, Said } from "../../base/brands.ts";
import { type Shape, bytes, hex, integer, list, nullable, oneOf, record, text } from "../../base/codec.ts";

/** Every kind of command there is; its position is its tag on the wire and never changes. */
export const COMMAND_KINDS = ["graph.write", "kerl.append", "certificate.issue", "certificate.revoke"] as const;
export type CommandKind = (typeof COMMAND_KINDS)[number];

/** One atomic intent. Identity is (author, id), remembered until `notAfter`. */
export interface Command {
  readonly id: CommandId;
  readonly kind: CommandKind;
  /** Encoded intent, of the kind's own shape (graph.write: graphWriteShape; kerl.append: a CESR stream, as it is; certificate.*: certificate.ts). */
  readonly payload: Uint8Array;
  /** Log time after which the command is expired; at most one hour ahead of the block that holds it. Units: ms. */
  readonly notAfter: LogTime;
}

/** What an author signs once for up to 1,000 commands. */
export interface SignedBody {
  readonly cluster: Digest;
  readonly author: Aid;
  /** The legacy client that a granted gateway signs for, else null (DESIGN §6). */
  readonly principal: Aid | null;
  readonly keyState: KeyStateRef;
  readonly commands: readonly Command[];
}

/** Establishment event whose keys signed. */
export interface KeyStateRef {
  readonly sn: number;
  readonly said: Said;
}

export interface IndexedSignature {
  readonly index: number;
  /** Ed25519, 64 bytes. */
  readonly sig: Uint8Array;
}

/** A batch as it travels: `body` is the exact bytes that were signed, never re-encoded. */
export interface Signed {
  readonly body: Uint8Array;
  readonly signatures: readonly IndexedSignature[];
}

export const COMMANDS_PER_SIGNED_MAX = 1000;
export const PAYLOAD_BYTES_MAX = 256 * 1024;
export const SIGNED_BYTES_MAX = 1024 * 1024;
/** How far ahead of log time a command's `notAfter` may lie. */
export const NOT_AFTER_AHEAD_MAX_MS = 3_600_000;

export const aidShape: Shape<Aid> = text<Aid>(44);
export const saidShape: Shape<Said> = text<Said>(44);
export const digestShape: Shape<Digest> = hex<Digest>(32);

const commandShapeWith = (payload: Shape<Uint8Array>): Shape<Command> =>
  record("command", {
    id: hex<CommandId>(16),
    kind: oneOf(...COMMAND_KINDS),
    payload,
    notAfter: integer<LogTime>(),
  });

const bodyShapeWith = (command: Shape<Command>): Shape<SignedBody> =>
  record("signed body", {
    cluster: digestShape,
    author: aidShape,
    principal: nullable(aidShape),
    keyState: record<KeyStateRef>("key state", { sn: integer(), said: saidShape }),
    commands: list(command, COMMANDS_PER_SIGNED_MAX, 1),
  });

export const commandShape = commandShapeWith(bytes(1, PAYLOAD_BYTES_MAX));
export const signedBodyShape = bodyShapeWith(commandShape);

/** Takes payloads of any length, too: for telling an author which one is out of bounds. Never for executing. */
export const anyPayloadBodyShape = bodyShapeWith(commandShapeWith(bytes(0, SIGNED_BYTES_MAX)));

export const signedShape: Shape<Signed> = record("signed", {
  body: bytes(1, SIGNED_BYTES_MAX),
  signatures: list(record<IndexedSignature>("signature", { index: integer(0, 63), sig: bytes(64) }), 64, 1),
});
