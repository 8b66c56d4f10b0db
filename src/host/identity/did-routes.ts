/**
 * DIDs of the log's identifiers: what did:webs serves (did.json and keri.cesr), and a resolver in the W3C's universal shape.
 * Source: ToIP did:webs specification, "Read (Resolve)"; W3C DID Resolution, "HTTP(S) Binding".
 */
import { createHash } from "node:crypto";
import type { Aid, Height } from "../../base/brands.ts";
import { type Result, ok } from "../../base/result.ts";
import type { KeyState } from "../../keri/key-state.ts";
import type { IdentityReply, IdentityRequest, IdentityRoute } from "../listeners/identity-http.ts";
import { endpointsOf } from "../services/kerl-endpoints.ts";
import { aidOf } from "../services/kerl-messages.ts";
import type { KerlQueries } from "../services/kerl-queries.ts";
import { type DidDocument, didDocument } from "./did-document.ts";
import { didKeyDocument } from "./did-key.ts";
import { CESR_TYPE, introduction, jsonReply, notFoundReply, refusedReply } from "./oobi-routes.ts";

const DID_TYPE = "application/did+json";
const RESOLUTION_TYPE = 'application/ld+json;profile="https://w3id.org/did-resolution"';

export interface DidOptions {
  readonly queries: KerlQueries;
  /** Where this port is reached from outside, by which its DIDs are named. */
  readonly publicUrl: () => URL;
}

/** Host, port and path of the public URL as did:web writes them. */
export function didHost({ hostname, port, pathname }: URL): string {
  const path = pathname.split("/").filter((segment) => segment !== "");
  return [port === "" ? hostname : `${hostname}%3A${port}`, ...path].join(":");
}

export function didRoute(options: DidOptions): IdentityRoute {
  return {
    answer: (request) => {
      const { path } = request;
      const [first = "", second = "", third = ""] = path;
      if (path.length === 3 && first === "1.0" && second === "identifiers") return resolve(options, third, request);
      if (path.length !== 2 || !aidOf(first).ok) return undefined;
      if (second === "did.json") return didJson(options, first as Aid, request);
      return second === "keri.cesr" ? keriCesr(options, first as Aid) : undefined;
    },
  };
}

/** The document in the form of did:web, as the method has it on the web. */
async function didJson(options: DidOptions, aid: Aid, { headers }: IdentityRequest): Promise<IdentityReply> {
  const described = await describe(options, aid, "web", undefined);
  if (!described.ok) return refusedReply(described.refusal);
  if (described.value === undefined) return notFoundReply;
  const reply = jsonReply(200, DID_TYPE, described.value.document);
  const etag = `"${createHash("sha256")
    .update(reply.body as Uint8Array)
    .digest("base64url")}"`;
  const caching = { "cache-control": "no-cache", etag };
  const isKnown = (headers["if-none-match"] ?? "").split(",").some((tag) => tag.trim() === etag);
  return { ...reply, status: isKnown ? 304 : 200, headers: caching };
}

async function keriCesr({ queries }: DidOptions, aid: Aid): Promise<IdentityReply> {
  const height = queries.height();
  if (queries.keyState(aid) === undefined) return notFoundReply;
  const endpoints = await endpointsOf(queries, aid, height, "");
  if (!endpoints.ok) return refusedReply(endpoints.refusal);
  return { status: 200, type: CESR_TYPE, body: introduction(queries, aid, height, endpoints.value) };
}

type Form = "webs" | "web" | "keri";

interface Description {
  readonly document: DidDocument;
  readonly state: KeyState;
  readonly names: readonly string[];
}

/** Undefined when there is no such identifier, or no such version (a sequence number). */
async function describe(
  { queries, publicUrl }: DidOptions,
  aid: Aid,
  form: Form,
  version: number | undefined,
): Promise<Result<Description | undefined>> {
  const height: Height = queries.height();
  const state = version === undefined ? ok(queries.keyState(aid)) : await queries.keyStateAt(aid, height, version);
  if (!state.ok) return state;
  if (state.value === undefined) return ok(undefined);
  const endpoints = await endpointsOf(queries, aid, height, "");
  if (!endpoints.ok) return endpoints;
  const host = didHost(publicUrl());
  const forms = { webs: `did:webs:${host}:${aid}`, web: `did:web:${host}:${aid}`, keri: `did:keri:${aid}` } as const;
  const names = Object.values(forms).filter((name) => name !== forms[form]);
  const document = didDocument({
    id: forms[form],
    alsoKnownAs: names,
    state: state.value,
    endpoints: endpoints.value,
  });
  return ok({ document, state: state.value, names });
}

async function resolve(options: DidOptions, text: string, request: IdentityRequest): Promise<IdentityReply> {
  const did = text.replaceAll("%3a", "%3A");
  const method = /^did:([a-z0-9]+):[A-Za-z0-9._:%-]+$/.exec(did)?.[1];
  if (method === undefined) return resolved(400, { error: "invalidDid" });
  if (method === "key") {
    const document = didKeyDocument(did);
    return document === undefined ? resolved(400, { error: "invalidDid" }) : found(request, document, {});
  }
  if (method !== "keri" && method !== "webs") return resolved(501, { error: "methodNotSupported" });
  const at = did.lastIndexOf(":");
  const aid = aidOf(did.slice(at + 1));
  if (!aid.ok) return resolved(400, { error: "invalidDid" });
  // The path was decoded once: a port's %3A may have become a colon.
  const before = did.slice(0, at);
  const here = `did:webs:${didHost(options.publicUrl())}`;
  const isHere = method === "keri" ? before === "did:keri" : before === here || before === here.replace("%3A", ":");
  const version = versionOf(request.query.get("versionId"));
  if (!isHere || version === null) return resolved(404, { error: "notFound" });
  const described = await describe(options, aid.value, method, version);
  if (!described.ok) return refusedReply(described.refusal);
  if (described.value === undefined) return resolved(404, { error: "notFound" });
  const { document, state, names } = described.value;
  return found(request, document, {
    versionId: String(state.latest.sn),
    equivalentId: names.filter((name) => name.startsWith("did:webs:")),
    ...(version === undefined && state.nextDigests.length === 0 && { deactivated: true }),
  });
}

/** A sequence number; undefined: the newest; null: none that there can be. */
function versionOf(text: string | null): number | null | undefined {
  if (text === null) return undefined;
  return /^(?:0|[1-9]\d{0,14})$/.test(text) ? Number(text) : null;
}

function found({ headers }: IdentityRequest, document: DidDocument, metadata: object): IdentityReply {
  // Who asks for the document alone gets it; everybody else the whole result.
  if ((headers["accept"] ?? "").split(",").some((type) => type.trim().startsWith(DID_TYPE)))
    return jsonReply(200, DID_TYPE, document);
  return resolved(200, { contentType: DID_TYPE }, document, metadata);
}

const resolved = (
  status: number,
  resolution: object,
  document: DidDocument | null = null,
  metadata: object = {},
): IdentityReply =>
  jsonReply(status, RESOLUTION_TYPE, {
    "@context": "https://w3id.org/did-resolution/v1",
    didDocument: document,
    didResolutionMetadata: resolution,
    didDocumentMetadata: metadata,
  });
