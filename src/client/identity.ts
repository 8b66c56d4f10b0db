/** Who a client is: the file that `sky init client` and `sky dev` write beside its certificate (`identity.json`), and where it is kept. */
import type { Aid, Digest, Said } from "../base/brands.ts";
import { fromUtf8, utf8 } from "../base/bytes.ts";
import {
  type Controller,
  type PendingEvent,
  controllerOfInception,
  keyStateOf,
  openController,
  signaturesOf,
} from "../keri/controller.ts";
import { SkyError } from "./errors.ts";
import type { Signer } from "./signing.ts";

/** A client's identifier with the seeds that speak for it, and its cluster. */
export interface KeptIdentity extends Controller {
  /** Null before the founding document is there. */
  readonly cluster: Digest | null;
  /** When the keys in force became so, as whoever wrote this saw it; absent where nobody wrote it down. Units: ms since 1970. */
  readonly since?: number;
}

/** What an `IdentityStore` keeps after a change: since when the keys are in force, if they are others than before. `now`: ms since 1970. */
export function changedIdentity(before: KeptIdentity, after: Controller, now: number): KeptIdentity {
  const { aid, kel, current, next, pending } = after;
  const since = keyStateOf(after).said === keyStateOf(before).said ? before.since : now;
  return { aid, kel, current, next, pending, cluster: before.cluster, ...(since !== undefined && { since }) };
}

/**
 * Where an identity is kept. Several processes may use one: what they change, they change in one step each.
 * `SkyClient` asks it again when the cluster no longer takes the keys that it knows.
 */
export interface IdentityStore {
  readonly role: "client" | "operator";
  /** As it is kept now. */
  read(): KeptIdentity;
  /** Replaces what is kept by what `change` makes of it; nobody else changes it meanwhile, and it is on disk when this returns. */
  update(change: (kept: KeptIdentity) => Controller): KeptIdentity;
  /** A certificate was made, PEM with its key: for others that connect as this identity. */
  certified?(tls: ClientTls): void;
}

export interface ClientTls {
  readonly cert: string;
  readonly key: string;
}

export interface ClientIdentity {
  readonly cluster: Digest;
  readonly signer: Signer;
}

/** What is written. Version 1, before keys rotated, is read and written as this one. */
const VERSION = 2;

const ill = (what: string): SkyError =>
  new SkyError("MALFORMED", `This is no client identity (${what}); make the client's folder again.`, {
    retryable: false,
  });

/** The signer by all keys in force. */
export function signerOf({ aid, kel, current }: Controller): Signer {
  const { sn, said } = keyStateOf({ kel });
  return { aid, keyState: { sn, said }, sign: (message) => signaturesOf(current, message) };
}

/**
 * What `SkyClient.connect` needs of `identity.json`, given the file's bytes; whoever rotates keys opens the client with a store.
 * Throws: SkyError MALFORMED; also when the client has not seen a founding document yet.
 */
export function identityOf(file: Uint8Array): ClientIdentity {
  const identity = readIdentity(file);
  if (identity.cluster === null) throw ill("it names no cluster yet: run sky init client with --founding");
  return { cluster: identity.cluster, signer: signerOf(identity) };
}

/** The identity in a file of version 1 or 2. Throws: SkyError MALFORMED. */
export function readIdentity(file: Uint8Array): KeptIdentity {
  let fields: Readonly<Record<string, unknown>>;
  try {
    fields = JSON.parse(Buffer.from(file).toString("utf8")) as Readonly<Record<string, unknown>>;
  } catch {
    throw ill("it is not JSON");
  }
  const { version, aid, cluster, since } = fields;
  if (version !== 1 && version !== VERSION) throw ill(`version ${String(version)}`);
  if (typeof aid !== "string" || aid.length !== 44) throw ill("aid");
  if (cluster !== null && !(typeof cluster === "string" && /^[0-9a-f]{64}$/.test(cluster))) throw ill("its cluster");
  const controller = version === 1 ? firstController(aid as Aid, fields) : keptController(aid as Aid, fields);
  if (since !== undefined && !(typeof since === "number" && Number.isSafeInteger(since) && since >= 0))
    throw ill("since when its keys are in force");
  return { ...controller, cluster: cluster as Digest | null, ...(since !== undefined && { since }) };
}

/** Version 1: one key, and its inception without signatures. */
function firstController(aid: Aid, { icp, current, next }: Readonly<Record<string, unknown>>): Controller {
  if (typeof icp !== "string") throw ill("icp is missing");
  const inception = Uint8Array.from(Buffer.from(icp, "base64url"));
  const opened = controllerOfInception(aid, inception, seedOf(current, "current"), seedOf(next, "next"));
  if (!opened.ok) throw ill(opened.refusal.message);
  return opened.value;
}

function keptController(aid: Aid, { kel, current, next, pending }: Readonly<Record<string, unknown>>): Controller {
  if (typeof kel !== "string") throw ill("kel is missing");
  const opened = openController({
    aid,
    kel: utf8(kel),
    current: seedsOf(current, "current"),
    next: seedsOf(next, "next"),
    pending: pendingOf(pending),
  });
  if (!opened.ok) throw ill(opened.refusal.message);
  return opened.value;
}

function pendingOf(value: unknown): PendingEvent | null {
  if (value === null || value === undefined) return null;
  const { sn, said, stream, next } = value as Readonly<Record<string, unknown>>;
  if (typeof sn !== "number" || typeof said !== "string" || typeof stream !== "string") throw ill("pending");
  return { sn, said: said as Said, stream: utf8(stream), next: next === null ? null : seedsOf(next, "pending") };
}

function seedsOf(value: unknown, what: string): readonly Uint8Array[] {
  if (!Array.isArray(value)) throw ill(`${what} are no seeds`);
  return value.map((seed: unknown) => seedOf(seed, what));
}

function seedOf(value: unknown, what: string): Uint8Array {
  const seed = typeof value === "string" ? Uint8Array.from(Buffer.from(value, "base64url")) : undefined;
  if (seed?.length !== 32) throw ill(`${what} is no seed`);
  return seed;
}

/** The file, of version 2. */
export function identityText({ aid, cluster, since, kel, current, next, pending }: KeptIdentity): string {
  const seeds = (all: readonly Uint8Array[]): readonly string[] =>
    all.map((seed) => Buffer.from(seed).toString("base64url"));
  const content = {
    version: VERSION,
    aid,
    cluster,
    since,
    kel: textOf(kel),
    current: seeds(current),
    next: seeds(next),
    pending:
      pending === null
        ? null
        : { ...pending, stream: textOf(pending.stream), next: pending.next && seeds(pending.next) },
  };
  return `${JSON.stringify(content, undefined, 2)}\n`;
}

/** Own events are text, JSON and CESR in its text domain. */
const textOf = (stream: Uint8Array): string => fromUtf8(stream) ?? "";
