/**
 * Out-of-band introductions: an identifier's log, with what proves it, and where its endpoints are, as one CESR stream.
 * Source: ToIP KERI specification, "OOBI": paths /oobi/{aid}, /oobi/{aid}/{role}, /oobi/{aid}/{role}/{eid} and the well-known one.
 */
import type { Aid, Height } from "../../base/brands.ts";
import { utf8 } from "../../base/bytes.ts";
import { Fault } from "../../base/errors.ts";
import type { Refusal, Result } from "../../base/result.ts";
import type { IdentityReply, IdentityRoute } from "../listeners/identity-http.ts";
import { type BoundEndpoint, endpointsOf, locationsOf } from "../services/kerl-endpoints.ts";
import { aidOf } from "../services/kerl-messages.ts";
import type { KerlQueries } from "../services/kerl-queries.ts";
import { delegatorsOf } from "../services/kerl-streams.ts";

export const CESR_TYPE = "application/json+cesr";

export const jsonReply = (
  status: number,
  type: string,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): IdentityReply => ({ status, type, body: utf8(`${JSON.stringify(value)}\n`), headers });

export const notFoundReply = jsonReply(404, "application/json", {
  code: "NOT_FOUND",
  message: "This cluster's log has no such identifier or endpoint.",
});

/** What is refused inside, outside: try again, or never. */
export function refusedReply({ code, message }: Refusal): IdentityReply {
  const status = code === "MALFORMED" || code === "EMPTY_MESSAGE" ? 400 : 503;
  return jsonReply(status, "application/json", { code, message }, status === 503 ? { "retry-after": "1" } : {});
}

const WELL_KNOWN = [".well-known", "keri", "oobi"] as const;

/** Path after what names the route; undefined for another one. */
function oobiPath(path: readonly string[]): readonly string[] | undefined {
  if (path[0] === "oobi") return path.slice(1);
  return WELL_KNOWN.every((segment, i) => path[i] === segment) ? path.slice(WELL_KNOWN.length) : undefined;
}

export function oobiRoute(queries: KerlQueries): IdentityRoute {
  return {
    answer: ({ path }) => {
      const named = oobiPath(path);
      if (named === undefined || named.length < 1 || named.length > 3) return undefined;
      const [aid = "", role = "", endpoint = ""] = named;
      return oobi(queries, aid, role, endpoint);
    },
  };
}

async function oobi(queries: KerlQueries, named: string, role: string, endpoint: string): Promise<IdentityReply> {
  const aid = aidOf(named);
  if (!aid.ok) return refusedReply(aid.refusal);
  const height = queries.height();
  if (queries.keyState(aid.value) === undefined) return notFoundReply;
  const bound = await endpointsOf(queries, aid.value, height, role);
  if (!bound.ok) return refusedReply(bound.refusal);
  const chosen = endpoint === "" ? bound.value : bound.value.filter((one) => one.endpoint === endpoint);
  const witnessing = role === "witness" && queries.keyState(aid.value)?.witnesses.includes(endpoint) === true;
  // A witness that the identifier's own events name needs no reply to be its witness.
  if (endpoint !== "" && chosen.length === 0 && !witnessing) return notFoundReply;
  const extra = witnessing && chosen.length === 0 ? [endpoint as Aid] : [];
  return {
    status: 200,
    type: CESR_TYPE,
    body: introduction(queries, aid.value, height, chosen, extra),
    headers: { "keri-aid": aid.value },
  };
}

/** Logs of delegators, its own, those of its endpoints, and the replies. Throws: Fault, where the projector fell behind on the way. */
export async function* introduction(
  queries: KerlQueries,
  aid: Aid,
  height: Height,
  endpoints: readonly BoundEndpoint[],
  others: readonly Aid[] = [],
): AsyncGenerator<Uint8Array> {
  const told = new Set<Aid>();
  for (const one of [...delegatorsOf({ keyState: (who) => queries.keyState(who) }, aid), aid]) {
    told.add(one);
    yield* logOf(queries, one, height);
  }
  for (const endpoint of [...endpoints.map((one) => one.endpoint), ...others]) {
    if (told.has(endpoint) || queries.keyState(endpoint) === undefined) continue;
    told.add(endpoint);
    yield* logOf(queries, endpoint, height);
  }
  for (const { stream } of endpoints) yield stream;
  for (const endpoint of others) yield present(await locationsOf(queries, endpoint, height)).stream;
}

async function* logOf(queries: KerlQueries, aid: Aid, height: Height): AsyncGenerator<Uint8Array> {
  let after: number | null = 0;
  while (after !== null) {
    const page: { readonly stream: Uint8Array; readonly next: number | null } = present(
      await queries.export(aid, height, after),
    );
    if (page.stream.length > 0) yield page.stream;
    after = page.next;
  }
}

function present<T>(answer: Result<T>): T {
  if (answer.ok) return answer.value;
  throw new Fault(answer.refusal.code, answer.refusal.message);
}
