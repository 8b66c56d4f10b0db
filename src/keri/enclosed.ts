/**
 * Messages inside groups: a body as a text primitive, a body with what is attached to it, several of these in one group.
 * So JSON, whose length is no multiple of four, travels inside CESR. Such a group is read when all of it is there.
 * Source: ToIP CESR specification, "Universal code table": generic group, body with attachment group, non-native body group.
 * Deviates: bodies in CESR itself (fixed or mapped fields) are refused as unsupported.
 */
import { type Result, ok, refuse } from "../base/result.ts";
import { type Genus, type GroupKind, readCounter } from "./cesr/counter.ts";
import { type AttachmentsDraft, type GroupRefusal, emptyDraft, readGroup } from "./cesr/groups.ts";
import { readMatter } from "./cesr/matter.ts";
import { malformed } from "./cesr/refusal.ts";
import { HEAD_BYTES, statedVersion } from "./stated-version.ts";
import type { StatedVersion } from "./version.ts";

export interface EnclosedMessage {
  readonly stated: StatedVersion;
  readonly body: Uint8Array;
  readonly draft: AttachmentsDraft;
  /** Characters of the text before what is attached, and before what comes after the message. */
  readonly attachedFrom: number;
  readonly end: number;
}

/** A group of groups of messages serves nobody beyond this. */
const DEPTH_MAX = 4;

const ENCLOSING: ReadonlySet<GroupKind> = new Set<GroupKind>(["generic", "bodyWithAttachments", "nonNativeBody"]);

/** Groups that messages begin with, not such as are attached to one. */
export const encloses = (kind: GroupKind): boolean => ENCLOSING.has(kind);

const BODY_CODES: ReadonlySet<string> = new Set(["4B", "5B", "6B", "7AAB", "8AAB", "9AAB"]);

/** What stands inside a frame is whole, so whatever is missing there is wrong. */
const wrong = (refusal: GroupRefusal): { readonly ok: false; readonly refusal: GroupRefusal } =>
  refusal.missing === undefined
    ? { ok: false, refusal }
    : malformed("A group's count ends inside a primitive or a group; count whole ones.");

/** The body that a text primitive, filling `text`, carries. */
function bodyOf(text: string, genus: Genus): Result<Pick<EnclosedMessage, "stated" | "body">, GroupRefusal> {
  const read = readMatter(text);
  if (!read.ok) return wrong(read.refusal);
  const { code, raw, length } = read.value;
  if (!BODY_CODES.has(code) || length !== text.length)
    return malformed("A group of a body holds exactly one primitive of text.");
  const stated = raw.length < HEAD_BYTES ? undefined : statedVersion(raw.subarray(0, HEAD_BYTES));
  if (stated === undefined || stated.version.major !== genus)
    return refuse(
      "KERI_UNSUPPORTED",
      `An enclosed body has no version string of KERI ${genus}.0, the version of the group around it.`,
      "peer",
    );
  if (stated.size !== raw.length)
    return malformed(`A body states ${stated.size} bytes; the primitive around it carries ${raw.length}.`);
  return ok({ stated, body: raw });
}

class EnclosedReader {
  readonly #text: string;
  readonly messages: EnclosedMessage[] = [];
  /** Groups may still be attached to the last message: no group around it has ended. */
  #open = false;

  constructor(text: string) {
    this.#text = text;
  }

  /** Messages of the enclosing group at `at`; returns where it ends. `end`: no further than this. */
  read(at: number, end: number, genus: Genus, depth: number): Result<number, GroupRefusal> {
    const counter = readCounter(this.#text.slice(0, end), at, genus);
    if (!counter.ok) return wrong(counter.refusal);
    if (counter.value.genus !== null || !encloses(counter.value.kind))
      return counter.value.genus === null && counter.value.kind === "unsupported"
        ? refuse("KERI_UNSUPPORTED", `Messages in groups of code ${counter.value.letter} are not read.`, "peer")
        : malformed("What stands where a message begins is no group that holds one.");
    const { kind, count, length } = counter.value;
    const start = at + length;
    const until = start + count * 4;
    if (until > end) return malformed("A group's count goes beyond the group around it.");
    if (kind === "nonNativeBody") return this.#body(start, until, genus);
    if (depth >= DEPTH_MAX) return malformed(`Groups of messages nest deeper than ${DEPTH_MAX} levels.`);
    const before = this.messages.length;
    const inside = this.#inside(start, until, genus, depth);
    if (!inside.ok) return inside;
    const found = this.messages.length - before;
    if (found === 0 || (kind === "bodyWithAttachments" && found > 1))
      return malformed("A group of a body with attachments holds one body, a group of messages at least one.");
    this.#open = false;
    return ok(until);
  }

  #body(start: number, until: number, genus: Genus): Result<number, GroupRefusal> {
    const body = bodyOf(this.#text.slice(start, until), genus);
    if (!body.ok) return body;
    this.messages.push({ ...body.value, draft: emptyDraft(), attachedFrom: until, end: until });
    this.#open = true;
    return ok(until);
  }

  /** A genus version, perhaps; then messages, each with the groups attached to it. */
  #inside(start: number, until: number, around: Genus, depth: number): Result<number, GroupRefusal> {
    let genus = around;
    const before = this.messages.length;
    for (let at = start; at < until; ) {
      const counter = readCounter(this.#text.slice(0, until), at, genus);
      if (!counter.ok) return wrong(counter.refusal);
      if (counter.value.genus !== null) {
        if (at !== start) return malformed("A genus version stands inside a group; it belongs at its start.");
        genus = counter.value.genus;
        at += counter.value.length;
        continue;
      }
      const begins = encloses(counter.value.kind) || this.messages.length === before;
      const read = begins ? this.read(at, until, genus, depth + 1) : this.#attached(at, until, genus);
      if (!read.ok) return read;
      at = read.value;
    }
    return ok(until);
  }

  #attached(at: number, until: number, genus: Genus): Result<number, GroupRefusal> {
    const last = this.messages.at(-1);
    if (last === undefined) return malformed("A group is attached to no message; send the body before it.");
    if (!this.#open) return malformed("A group stands after a group of messages; attach it to its body.");
    const read = readGroup(this.#text.slice(0, until), at, genus, last.draft);
    if (!read.ok) return wrong(read.refusal);
    this.messages[this.messages.length - 1] = { ...last, end: read.value };
    return read;
  }
}

/** The messages that the enclosing group filling `text` holds. Bounds: the text's; nesting of 4. Refuses: KERI_MALFORMED, KERI_UNSUPPORTED. */
export function readEnclosed(text: string, genus: Genus): Result<readonly EnclosedMessage[], GroupRefusal> {
  const reader = new EnclosedReader(text);
  const read = reader.read(0, text.length, genus, 0);
  return read.ok ? ok(reader.messages) : read;
}
