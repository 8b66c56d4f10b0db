/**
 * Reads a CESR stream message by message, however it is cut into chunks: at no time more is kept than one message may have,
 * and the outcome is the same for every way of cutting.
 * Source: ToIP CESR specification, "Cold start stream parsing", "Genus and version code"; KERI specification, "Attachments".
 * Deviates: the tables for what is attached are those of the body's major version; a genus version code that says otherwise
 * must stand between body and attachments, so that every message can be read again by itself. Line feeds are taken after a
 * message, and belong to it.
 */
import { type Refusal, refuse } from "../base/result.ts";
import { toBase64Url } from "./cesr/base64url.ts";
import { type Counter, type Genus, type GroupKind, readCounter } from "./cesr/counter.ts";
import {
  type AttachmentsDraft,
  type GroupRefusal,
  addDraft,
  emptyDraft,
  leastLength,
  readGroup,
} from "./cesr/groups.ts";
import { malformed, short } from "./cesr/refusal.ts";
import { encloses, readEnclosed } from "./enclosed.ts";
import type { KeriMessage } from "./messages.ts";
import { HEAD_BYTES, beginsBody, statedVersion } from "./stated-version.ts";
import type { StatedVersion } from "./version.ts";

export interface StreamBounds {
  /** Bytes of one body. */
  readonly bodyBytesMax: number;
  /** Bytes of what is attached to it. */
  readonly attachedBytesMax: number;
}

/** 64 KiB each: an inception of some hundred keys, and the signatures of as many. */
export const STREAM_BOUNDS: StreamBounds = { bodyBytesMax: 65_536, attachedBytesMax: 65_536 };

/** Where the stream was refused: offset in bytes of the body or group that is wrong. */
export type StreamRefusal = Refusal<"KERI_MALFORMED" | "KERI_UNSUPPORTED" | "TOO_LARGE"> & { readonly at: number };

/**
 * What one chunk gave: whole messages, in order, and the refusal that ended the stream (and stays). What is refused may belong to
 * the message before it, so that one is not given.
 */
export interface StreamProgress {
  readonly messages: readonly KeriMessage[];
  readonly refusal: StreamRefusal | null;
}

interface PendingMessage {
  readonly stated: StatedVersion;
  /** Where the body is in the buffer; or the body, when it came inside a text primitive. */
  readonly body: { readonly from: number; readonly to: number } | Uint8Array;
  readonly attachedFrom: number;
  readonly draft: AttachmentsDraft;
  /** Tables of what is attached. */
  genus: Genus;
  /** A line feed came, or the group around it ended: nothing more is attached. */
  closed: boolean;
}

/** What a step did: read something, or needs so many bytes from the cursor on, or refused. */
type Step = "read" | GroupRefusal;

/** Bytes that are taken from a chunk at a time, so that a large chunk is not kept twice. */
const PIECE_BYTES = 65_536;
/** Bytes of a group that are looked at first, if its counter does not say more; then twice as many, until it ends. */
const WINDOW_BYTES = 256;
/** A group that holds messages may be as large as one body in Base64 and what is attached to it, and some counters. */
const enclosedBytesMax = ({ bodyBytesMax, attachedBytesMax }: StreamBounds): number =>
  Math.ceil(bodyBytesMax / 3) * 4 + attachedBytesMax + 64;

const LINE_FEED = 0x0a;
const HYPHEN = 0x2d;
/** "-" as text, or as the first six bits. */
const isCounter = (byte: number): boolean => byte === HYPHEN || byte >> 2 === 0x3e;

/** Letters that begin a message in version 1 only, where no genus version was stated. */
const LEADS_1 = /^-[-0]?[TUW]/;

const tooLarge = (what: string, max: number): GroupRefusal =>
  refuse("TOO_LARGE", `${what} has more than ${max} bytes; send less at once.`, "peer").refusal;

export class StreamParser {
  readonly #bounds: StreamBounds;
  #buffer = new Uint8Array(0);
  /** Of the buffer: start of the message, what is read of it, what is there. */
  #from = 0;
  #cursor = 0;
  #end = 0;
  /** Bytes of the stream before the buffer's first. */
  #before = 0;
  /** Bytes from the cursor on without which no step can succeed. */
  #need = 1;
  #genus: Genus | undefined;
  #message: PendingMessage | undefined;
  #refusal: StreamRefusal | null = null;
  #done: KeriMessage[] = [];

  constructor(bounds: StreamBounds = STREAM_BOUNDS) {
    this.#bounds = bounds;
  }

  /** Takes the next bytes of the stream. Bounds: StreamBounds. Refuses: KERI_MALFORMED, KERI_UNSUPPORTED, TOO_LARGE, for good. */
  push(chunk: Uint8Array): StreamProgress {
    for (let at = 0; at < chunk.length && this.#refusal === null; at += PIECE_BYTES) {
      this.#append(chunk.subarray(at, at + PIECE_BYTES));
      this.#run();
    }
    return this.#progress();
  }

  /** The stream ended: gives the last message. Refuses: KERI_MALFORMED when it ended within a message. */
  end(): StreamProgress {
    if (this.#refusal === null) {
      this.#need = 1;
      const last = this.#run();
      if (this.#refusal === null) {
        if (this.#message !== undefined && this.#cursor === this.#end) this.#finish();
        else if (this.#from < this.#end) this.#refuse(last ?? short("a message", 1).refusal);
      }
    }
    return this.#progress();
  }

  #progress(): StreamProgress {
    const messages = this.#done;
    this.#done = [];
    return { messages, refusal: this.#refusal };
  }

  #append(piece: Uint8Array): void {
    const kept = this.#end - this.#from;
    if (this.#end + piece.length > this.#buffer.length) {
      const room = kept + piece.length;
      const buffer = room * 2 <= this.#buffer.length ? this.#buffer : new Uint8Array(room * 2);
      buffer.set(this.#buffer.subarray(this.#from, this.#end));
      this.#buffer = buffer;
      this.#before += this.#from;
      this.#cursor -= this.#from;
      if (this.#message !== undefined) this.#message = moved(this.#message, this.#from);
      this.#end = kept;
      this.#from = 0;
    }
    this.#buffer.set(piece, this.#end);
    this.#end += piece.length;
  }

  /** Steps until more is needed; then says what is not yet whole. */
  #run(): GroupRefusal | undefined {
    while (this.#end - this.#cursor >= this.#need) {
      const step = this.#message === undefined ? this.#lead() : this.#attached(this.#message);
      if (step === "read") {
        this.#need = 1;
      } else if (step.missing !== undefined) {
        this.#need = step.missing;
        return step;
      } else {
        this.#refuse(step);
        return undefined;
      }
    }
    return undefined;
  }

  #refuse({ code, message, blame }: GroupRefusal): void {
    this.#refusal = { code, message, blame, at: this.#before + this.#cursor };
    this.#buffer = new Uint8Array(0);
    this.#message = undefined;
    this.#from = this.#cursor = this.#end = 0;
  }

  #finish(): void {
    const message = this.#message;
    if (message === undefined) return;
    const { body, stated } = message;
    const source = this.#buffer.slice(this.#from, this.#cursor);
    this.#done.push({
      source,
      body: body instanceof Uint8Array ? body : source.subarray(body.from - this.#from, body.to - this.#from),
      bodyKind: stated.kind,
      version: stated.version,
      attached: source.subarray(message.attachedFrom - this.#from),
      attachments: message.draft,
    });
    this.#message = undefined;
    this.#from = this.#cursor;
  }

  /** What a message begins with: a genus version, a body, a group that holds messages. */
  #lead(): Step {
    const first = this.#buffer[this.#cursor] ?? 0;
    if (beginsBody(first)) return this.#body();
    if (!isCounter(first))
      return malformed("What stands where a message begins is neither a body nor a group that holds one.").refusal;
    const genus = this.#genus ?? (LEADS_1.test(this.#text(3)) ? 1 : 2);
    const counter = this.#counter(genus);
    if ("code" in counter) return counter;
    if (counter.genus !== null) {
      if (this.#cursor > this.#from)
        return malformed("A genus version follows another; state one before a message.").refusal;
      this.#genus = counter.genus;
      this.#cursor += this.#bytes(counter.length);
      return "read";
    }
    if (encloses(counter.kind))
      return this.#enclosed(this.#bytes(counter.length + counter.count * 4), genus, counter.kind);
    return counter.kind === "unsupported"
      ? refuse("KERI_UNSUPPORTED", `Messages in groups of code ${counter.letter} are not read.`, "peer").refusal
      : malformed("A group is attached to no message; send the body before it.").refusal;
  }

  /** A group that holds messages, of `size` bytes. Only after a group of a body alone does the message stay open. */
  #enclosed(size: number, genus: Genus, kind: GroupKind): Step {
    const { bodyBytesMax, attachedBytesMax } = this.#bounds;
    const max = enclosedBytesMax(this.#bounds);
    if (size > max) return tooLarge("A group that holds messages", max);
    if (this.#end - this.#cursor < size) return short("a group that holds messages", size).refusal;
    const read = readEnclosed(this.#text(size), genus);
    if (!read.ok) return read.refusal;
    const start = this.#cursor;
    const found = read.value.map((message) => ({
      ...message,
      attachedFrom: start + this.#bytes(message.attachedFrom),
      end: start + this.#bytes(message.end),
    }));
    if (found.some(({ body }) => body.length > bodyBytesMax)) return tooLarge("A body", bodyBytesMax);
    if (found.some(({ attachedFrom, end }) => end - attachedFrom > attachedBytesMax))
      return tooLarge("What is attached", attachedBytesMax);
    const closed = kind !== "nonNativeBody";
    for (const { body, stated, draft, attachedFrom, end } of found) {
      this.#finish();
      this.#cursor = end;
      this.#message = { stated, body, attachedFrom, draft, genus: stated.version.major, closed };
    }
    return "read";
  }

  #body(): Step {
    const there = this.#end - this.#cursor;
    if (there < HEAD_BYTES) return short("a body", HEAD_BYTES).refusal;
    const stated = statedVersion(this.#buffer.subarray(this.#cursor, this.#cursor + HEAD_BYTES));
    if (stated === undefined)
      return refuse(
        "KERI_UNSUPPORTED",
        "A body does not begin with a version string of KERI 1.0 or 2.0 in JSON, CBOR or MessagePack.",
        "peer",
      ).refusal;
    if (stated.size > this.#bounds.bodyBytesMax) return tooLarge("A body", this.#bounds.bodyBytesMax);
    if (stated.size < HEAD_BYTES)
      return malformed(`A body states ${stated.size} bytes, less than its own version string.`).refusal;
    if (this.#genus !== undefined && this.#genus !== stated.version.major)
      return refuse(
        "KERI_UNSUPPORTED",
        `A body of version ${stated.version.major} follows a genus version ${this.#genus}; state the body's before it.`,
        "peer",
      ).refusal;
    if (there < stated.size) return short("a body", stated.size).refusal;
    const bodyFrom = this.#cursor;
    this.#cursor += stated.size;
    this.#message = {
      stated,
      body: { from: bodyFrom, to: this.#cursor },
      attachedFrom: this.#cursor,
      draft: emptyDraft(),
      genus: stated.version.major,
      closed: false,
    };
    return "read";
  }

  /** What follows a body: groups, line feeds, and then the next message. */
  #attached(message: PendingMessage): Step {
    const first = this.#buffer[this.#cursor] ?? 0;
    if (beginsBody(first)) {
      this.#finish();
      return "read";
    }
    const room = this.#bounds.attachedBytesMax - (this.#cursor - message.attachedFrom);
    if (first === LINE_FEED) {
      if (room < 1) return tooLarge("What is attached", this.#bounds.attachedBytesMax);
      message.closed = true;
      this.#cursor += 1;
      return "read";
    }
    if (!isCounter(first)) return malformed("What follows a message is neither a group nor a body.").refusal;
    const counter = this.#counter(message.genus);
    if ("code" in counter) return counter;
    if (counter.genus !== null) return this.#switched(message, counter);
    if (encloses(counter.kind)) {
      this.#finish();
      return "read";
    }
    if (message.closed) return malformed("A group stands after the end of its message; attach it to its body.").refusal;
    return this.#group(message, this.#bytes(leastLength(counter)), room);
  }

  /** A genus version after a body: for what is attached to it if such a group follows, else for the next message. */
  #switched(message: PendingMessage, { genus, length }: Counter & { readonly genus: Genus }): Step {
    const bytes = this.#bytes(length);
    const next = this.#buffer[this.#cursor + bytes];
    if (this.#cursor + bytes >= this.#end || next === undefined) return short("a message", bytes + 1).refusal;
    if (!isCounter(next) || message.closed || this.#cursor !== message.attachedFrom) {
      this.#finish();
      return "read";
    }
    this.#cursor += bytes;
    const counter = this.#counter(genus);
    const ours = "code" in counter || (counter.genus === null && !encloses(counter.kind));
    if ("code" in counter && counter.missing !== undefined) {
      this.#cursor -= bytes;
      return { ...counter, missing: counter.missing + bytes };
    }
    if (ours) {
      message.genus = genus;
    } else {
      this.#cursor -= bytes;
      this.#finish();
    }
    return "read";
  }

  /** A group of `least` bytes or more; `room`: what the message may still have. */
  #group(message: PendingMessage, least: number, room: number): Step {
    const tooMuch = () => tooLarge("What is attached", this.#bounds.attachedBytesMax);
    if (least > room) return tooMuch();
    const there = this.#end - this.#cursor;
    const most = Math.min(there, room);
    for (let size = Math.min(most, Math.max(least, WINDOW_BYTES)); ; ) {
      const text = this.#text(size);
      const draft = emptyDraft();
      const read = readGroup(text, 0, message.genus, draft);
      if (read.ok) {
        addDraft(message.draft, draft);
        this.#cursor += this.#bytes(read.value);
        return "read";
      }
      if (read.refusal.missing === undefined) return read.refusal;
      if (size === room) return tooMuch();
      // All that may be there is seen before it is too much, so that what is wrong in it is found however it is cut.
      const needed = Math.min(room, this.#bytes(Math.ceil((text.length + read.refusal.missing) / 4) * 4));
      if (needed > there) return { ...read.refusal, missing: needed };
      size = Math.min(most, Math.max(size * 2, needed));
    }
  }

  /** The counter at the cursor; `missing` of its refusal is in bytes from the cursor on. */
  #counter(genus: Genus = this.#genus ?? 1): Counter | GroupRefusal {
    const text = this.#text(Math.min(this.#end - this.#cursor, 8));
    const read = readCounter(text, 0, genus);
    if (read.ok) return read.value;
    const { missing } = read.refusal;
    return missing === undefined
      ? read.refusal
      : { ...read.refusal, missing: this.#bytes(Math.ceil((text.length + missing) / 4) * 4) };
  }

  /** Text of `size` bytes from the cursor on: as they are in the text domain, their Base64 in the binary one. */
  #text(size: number): string {
    const bytes = this.#buffer.subarray(this.#cursor, this.#cursor + size);
    if (bytes[0] === HYPHEN) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
    return toBase64Url(bytes.subarray(0, bytes.length - (bytes.length % 3)));
  }

  /** Bytes of so many characters (a multiple of four), in the domain that the cursor stands in. */
  #bytes(characters: number): number {
    return this.#buffer[this.#cursor] === HYPHEN ? characters : (characters / 4) * 3;
  }
}

const moved = (message: PendingMessage, by: number): PendingMessage => ({
  ...message,
  body: message.body instanceof Uint8Array ? message.body : { from: message.body.from - by, to: message.body.to - by },
  attachedFrom: message.attachedFrom - by,
});

/** A whole stream at once. Bounds and refusals: as StreamParser. */
export function parseStream(bytes: Uint8Array, bounds: StreamBounds = STREAM_BOUNDS): StreamProgress {
  const parser = new StreamParser(bounds);
  const { messages } = parser.push(bytes);
  const { messages: last, refusal } = parser.end();
  return { messages: [...messages, ...last], refusal };
}
