/** Signing of commands: one signature for a group. */
import { STREAM_BYTES_MAX } from "../events/facts/kerl.ts";
import { SkyError } from "./errors.ts";
import type { WriteOptions } from "./options.ts";
import type { Aid, CommandId, Digest, LogTime, Said } from "../base/brands.ts";
import { toHex } from "../base/bytes.ts";
import { encode } from "../base/codec.ts";
import { type Result, ok, refuse } from "../base/result.ts";
import { signer as ed25519 } from "../crypto/ed25519.ts";
import { signingBytes } from "../crypto/hash.ts";
import {
  type Command,
  type CommandKind,
  type IndexedSignature,
  type KeyStateRef,
  PAYLOAD_BYTES_MAX,
  signedBodyShape,
  signedShape,
} from "../events/facts/command.ts";
import {
  CHANGES_MAX,
  type GraphChange,
  type GraphWrite,
  NOTE_BYTES_MAX,
  PRECONDITIONS_MAX,
  graphWriteShape,
} from "../events/facts/graph.ts";
import { judgeWriteNames } from "../wire/names.ts";

/** Who signs. `keyState` is read at every signature, so that it may change when keys rotate. */
export interface Signer {
  readonly aid: Aid;
  readonly keyState: KeyStateRef;
  /** Signatures over the message, with the indices of their keys in the key state. */
  sign(message: Uint8Array): readonly IndexedSignature[] | Promise<readonly IndexedSignature[]>;
}

/** A signer with one Ed25519 key at index 0. `seed` has 32 bytes. */
export function ed25519Signer(aid: Aid, keyState: KeyStateRef, seed: Uint8Array): Signer {
  const sign = ed25519(seed);
  return { aid, keyState, sign: (message) => [{ index: 0, sig: sign(message) }] };
}

/** Time and chance, so that programs and tests can give their own. */
export interface ClientPorts {
  /** Units: ms since 1970. */
  now(): number;
  randomBytes(length: number): Uint8Array;
}

/** Those of the application's own process: the client runs in no host of ours that could inject them. */
export const defaultPorts: ClientPorts = {
  // oxlint-disable-next-line sky/ambient -- the one place where the client's clock comes from
  now: () => Date.now(),
  // oxlint-disable-next-line sky/ambient -- the one place where the client's chance comes from
  randomBytes: (length) => globalThis.crypto.getRandomValues(new Uint8Array(length)),
};

/** A minute: longer than any retry; the cluster remembers every command for as long. */
const COMMAND_LIFETIME_MS = 60_000;
/** An id from a clock further ahead than this was not made by `newCommandId`. */
const ID_AHEAD_MAX_MS = 3_600_000;

/**
 * A new id, 16 bytes as a UUID of version 7 (RFC 9562 §5.7). It carries its time, and with it the command's `notAfter`: sent again
 * under its id, from whatever process, a write has the same bytes, so it gets its first result or is refused as expired.
 */
export function newCommandId(ports: ClientPorts = defaultPorts): CommandId {
  const bytes = ports.randomBytes(16);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const now = ports.now();
  view.setUint32(0, Math.floor(now / 0x10000));
  view.setUint16(4, now % 0x10000);
  view.setUint8(6, 0x70 | (view.getUint8(6) & 0x0f));
  view.setUint8(8, 0x80 | (view.getUint8(8) & 0x3f));
  return toHex(bytes) as CommandId;
}

/** When a command of this id expires. An id of the caller's own making has no time: it counts from now, anew at each sending. */
function notAfterOf(id: CommandId, now: number): LogTime {
  const made = Number.parseInt(id.slice(0, 12), 16);
  const isOurs = id[12] === "7" && /[89ab]/.test(id[16] ?? "") && made <= now + ID_AHEAD_MAX_MS;
  return ((isOurs ? made : now) + COMMAND_LIFETIME_MS) as LogTime;
}

/** What a client asks for in one write. */
export const writeOf = (
  changes: readonly GraphChange[],
  { preconditions = [], note }: Pick<WriteOptions, "preconditions" | "note">,
): GraphWrite => ({ changes, preconditions, ...(note === undefined ? {} : { note }) });

/** A write as a command of its own. Refuses: EMPTY_MESSAGE, TOO_MANY, TOO_LARGE, and names that gateways refuse. */
export function commandOf(write: GraphWrite, ports: ClientPorts, id?: CommandId): Result<Command> {
  if (write.changes.length === 0) return refuse("EMPTY_MESSAGE", "The write asks for no change; give at least one.");
  if (write.changes.length > CHANGES_MAX || write.preconditions.length > PRECONDITIONS_MAX)
    return refuse(
      "TOO_MANY",
      `A write holds at most ${CHANGES_MAX} changes and ${PRECONDITIONS_MAX} preconditions; split it.`,
    );
  const judged = judgeWriteNames(write);
  if (!judged.ok) return judged;
  const { note = "" } = write;
  if (!note.isWellFormed()) return refuse("MALFORMED", "The note is not well-formed Unicode; write it anew.");
  if (Buffer.byteLength(note) > NOTE_BYTES_MAX)
    return refuse("TOO_LARGE", `The note has more than ${NOTE_BYTES_MAX} bytes; say where more of it stands.`);
  const payload = encode(graphWriteShape, write);
  if (payload.length > PAYLOAD_BYTES_MAX)
    return refuse("TOO_LARGE", `The write has ${payload.length} bytes, more than ${PAYLOAD_BYTES_MAX}; split it.`);
  const used = id ?? newCommandId(ports);
  return ok({ id: used, kind: "graph.write", payload, notAfter: notAfterOf(used, ports.now()) });
}

/** Own key events, or what others signed, as a command of its own: a CESR stream. Throws: SkyError EMPTY_MESSAGE, or TOO_LARGE beyond 256 KiB. */
export function appendCommandOf(stream: Uint8Array, ports: ClientPorts): Command {
  if (stream.length === 0) throw new SkyError("EMPTY_MESSAGE", "The stream holds no message; send at least one.");
  if (stream.length > STREAM_BYTES_MAX) {
    const why = `The stream has ${stream.length} bytes, more than ${STREAM_BYTES_MAX}`;
    throw new SkyError("TOO_LARGE", `${why}; split it between messages and send its parts one after the other.`);
  }
  return ownCommandOf("kerl.append", stream, ports);
}

/** A command of any kind under a new id. */
export function ownCommandOf(kind: CommandKind, payload: Uint8Array, ports: ClientPorts): Command {
  const id = newCommandId(ports);
  return { id, kind, payload, notAfter: notAfterOf(id, ports.now()) };
}

/** The bytes of a batch, signed once for each key state. */
export class SignedAnew {
  readonly #cluster: Digest;
  readonly #commands: readonly Command[];
  #last: { readonly said: Said; readonly signed: Promise<Uint8Array> } | undefined;

  constructor(cluster: Digest, commands: readonly Command[]) {
    this.#cluster = cluster;
    this.#commands = commands;
  }

  under(signer: Signer): Promise<Uint8Array> {
    const { said } = signer.keyState;
    if (this.#last?.said !== said) this.#last = { said, signed: signBatch(this.#cluster, signer, this.#commands) };
    return this.#last.signed;
  }
}

/** The bytes of a batch, signed once. */
export async function signBatch(cluster: Digest, signer: Signer, commands: readonly Command[]): Promise<Uint8Array> {
  const { aid, keyState } = signer;
  const body = encode(signedBodyShape, { cluster, author: aid, principal: null, keyState, commands });
  return encode(signedShape, { body, signatures: await signer.sign(signingBytes("signed", cluster, body)) });
}
